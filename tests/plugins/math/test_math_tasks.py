"""The math domain's lm-eval tasks on local files: prompts, repeats, and scores."""

import json
from pathlib import Path

import pytest
from lm_eval import evaluate
from lm_eval.api.model import LM

from harness.evaluation.lm_eval import evaluate_checkpoint, load_tasks, measurements
from harness.plugin.interfaces import TaskSet
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.testing import tiny_checkpoint
from harness_domains.math.config import MathConfig
from harness_domains.math.domain import MathDomain

FIXTURES = Path(__file__).parents[2] / "fixtures" / "math"
TASKS = ("gsm8k", "math500", "aime25")
TEST_SETS = {task: {"data_files": FIXTURES / f"{task}_test.jsonl"} for task in TASKS}
AIME = {"a": "35", "b": "94", "c": "8"}


class Scripted(LM):
    """A model that gives the answers of a script: by the prompt, and by how often it was asked it."""

    def __init__(self, script) -> None:
        super().__init__()
        self.script, self.asked, self.settings = script, {}, []

    def generate_until(self, requests, disable_tqdm=False):
        answers = []
        for request in requests:
            prompt, settings = request.args
            self.settings.append(settings)
            times = self.asked[prompt] = self.asked.get(prompt, 0) + 1
            answers.append(self.script(prompt, times))
        return answers

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def task_set(**config) -> TaskSet:
    domain = MathDomain(MathConfig(**({"test_sets": TEST_SETS} | config)))
    return TaskSet(tasks=domain.evaluation_tasks(), folder=domain.task_folder(), metadata=domain.task_metadata())


def scored(tasks: TaskSet, script):
    """Returns the rows of a scripted model by task and metric, and the model."""
    model = Scripted(script)
    results = evaluate(lm=model, task_dict=load_tasks(tasks, 0), bootstrap_iters=0)
    rows = [row for task in tasks.tasks for row in measurements(task, results)]
    return {(row["task"].removeprefix("boxed_"), row["metric"]): row for row in rows}, model


def references(task):
    rows = [json.loads(line) for line in (FIXTURES / f"{task}_test.jsonl").read_text().splitlines()]
    question = "question" if task == "gsm8k" else "problem"
    return {row[question]: row["answer"].rpartition("####")[2].strip() for row in rows}


def answer_of(prompt):
    return next(
        answer for task in TASKS for question, answer in references(task).items() if prompt.startswith(question + "\n")
    )


def test_reference_answers_score_all_of_it_and_others_nothing():
    right, _ = scored(task_set(), lambda prompt, times: rf"<think>hm</think>It is \boxed{{{answer_of(prompt)}}}.")
    assert {key: row["value"] for key, row in right.items()} == {
        (task, metric): value for task in TASKS for metric, value in (("math_verify", 1), ("boxed", 1), ("unjudged", 0))
    }
    assert [key for key, row in right.items() if row["primary"]] == [(task, "math_verify") for task in TASKS]
    wrong, _ = scored(task_set(), lambda prompt, times: rf"\boxed{{{answer_of(prompt)}, 12345}}")
    assert {row["value"] for (_, metric), row in wrong.items() if metric == "math_verify"} == {0.0}


def test_the_score_of_repeated_items_is_the_mean_over_the_repeats():
    shares = {"35": 4, "94": 1, "8": 0}
    tasks = task_set(tasks=("aime25",), repeats={"aime25": 4})
    rows, model = scored(
        tasks,
        lambda prompt, times: (
            rf"\boxed{{{answer_of(prompt)}}}" if times <= shares[answer_of(prompt)] else "I do not know"
        ),
    )
    assert set(model.asked.values()) == {4}
    assert rows["aime25", "math_verify"]["value"] == pytest.approx((1 + 0.25 + 0) / 3)
    assert rows["aime25", "boxed"]["value"] == pytest.approx((1 + 0.25 + 0) / 3)
    assert rows["aime25", "math_verify"]["n"] == 3


def test_the_tasks_sample_as_the_config_says():
    _, model = scored(
        task_set(tasks=("aime25",), temperature=0.7, top_p=0.8, completion_tokens=99), lambda prompt, times: ""
    )
    assert {(s["do_sample"], s["temperature"], s["top_p"], s["max_gen_toks"]) for s in model.settings} == {
        (True, 0.7, 0.8, 99)
    }
    _, model = scored(task_set(tasks=("aime25",), temperature=0), lambda prompt, times: "")
    assert {settings["do_sample"] for settings in model.settings} == {False}


def test_the_tasks_ask_what_training_asks():
    config = {"format": "plain", "system_prompt": "Be brief.", "template": "Problem: {problem}"}
    _, model = scored(task_set(tasks=("aime25",), **config), lambda prompt, times: "")
    domain = MathDomain(MathConfig(data_files=FIXTURES / "aime25_test.jsonl", **config))
    assert set(model.asked) == set(domain.training_data(0)["prompt"])


def test_a_model_that_thinks_has_to_end_it():
    tasks = {"tasks": ("aime25",), "thinks": True}
    rows, _ = scored(task_set(**tasks), lambda prompt, times: rf"so \boxed{{{answer_of(prompt)}}} and")
    assert rows["aime25", "math_verify"]["value"] == rows["aime25", "boxed"]["value"] == 0


def test_an_item_whose_reference_cannot_be_read_is_reported_as_unjudged(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps({"problem": p, "answer": a}) + "\n" for p, a in [("1?", "5"), ("2?", "???")]))
    tasks = task_set(tasks=("aime25",), test_sets={"aime25": {"data_files": path}})
    rows, _ = scored(tasks, lambda prompt, times: r"\boxed{5}")
    assert rows["aime25", "math_verify"]["value"] == rows["aime25", "unjudged"]["value"] == 0.5


def test_a_real_model_goes_through_the_tasks(tmp_path):
    folder = tiny_checkpoint(tmp_path / "model")
    output = tmp_path / "scores"
    output.mkdir()
    tasks = task_set(tasks=("aime25",), repeats={"aime25": 2}, completion_tokens=8)
    evaluate_checkpoint(folder, tasks, EvaluationSettings(limit=2, batch_size=4), output)
    rows = json.loads((output / "rows.json").read_text())
    assert [(row["metric"], row["value"]) for row in rows if row["primary"]] == [("math_verify", 0.0)]
    [first, _] = (output / "samples_boxed_aime25.jsonl").read_text().splitlines()
    assert len(json.loads(first)["resps"][0]) == 2
