"""The generated lm-eval tasks, run by lm-eval on models that answer rightly or wrongly."""

import json
import subprocess
import sys

import pytest
from lm_eval import evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from harness_domains.reasoning_gym.config import ReasoningGymConfig
from harness_domains.reasoning_gym.domain import ReasoningGymDomain

pytest.importorskip("reasoning_gym")


class Saying(LM):
    """Says, to each item, a form filled with the item's answer."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.asked = form, []

    def generate_until(self, requests):
        self.asked += requests
        return [self.form.format(request.doc["answer"]) for request in requests]

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def scored(domain, model):
    metadata = json.loads(json.dumps(domain.task_metadata()))
    manager = TaskManager(include_path=str(domain.task_folder()), include_defaults=False, metadata=metadata)
    [task] = domain.evaluation_tasks()
    results = evaluate(lm=model, task_dict=manager.load([task.task]), bootstrap_iters=0)["results"]
    return results[task.task]


def domain(task, **config):
    return ReasoningGymDomain(ReasoningGymConfig(task=task, **{"test_items": 6, "format": "plain"} | config))


def test_two_domains_have_tasks_of_their_own_names():
    names = {domain(task).evaluation_tasks()[0].task for task in ("leg_counting", "gcd")}
    assert names == {"reasoning_gym_leg_counting", "reasoning_gym_gcd"}


@pytest.mark.parametrize(
    ("task", "config", "right", "wrong", "wrong_score"),
    [
        ("leg_counting", {}, "<think>9</think><answer>{}</answer>", "<answer>no</answer>", 0.0),
        ("arc_1d", {"answer": "boxed"}, r"\boxed{{{}}}", "{}", 0.0),
        ("countdown", {"answer": "last-line"}, "it is\n{}", "{} + 1000", 0.05),
        ("leg_counting", {"thinks": True}, "9</think><answer>{}</answer>", "<answer>{}</answer>", 0.0),
    ],
)
def test_lm_eval_scores_by_the_verifier_with_the_domains_settings(task, config, right, wrong, wrong_score):
    made = domain(task, **config, completion_tokens=7)
    for form, score, solved in ((right, 1.0, 1.0), (wrong, wrong_score, 0.0)):
        model = Saying(form)
        results = scored(made, model)
        assert results["score,none"] == pytest.approx(score)
        assert (results["solved,none"], results["unjudged,none"]) == (solved, 0.0)
        assert len(model.asked) == 6
        assert model.asked[0].arguments[0].endswith(made.config.answer_instruction())
        assert model.asked[0].arguments[1] == {"until": [], "max_gen_toks": 7, "do_sample": False}


def test_a_temperature_samples():
    model = Saying("<answer>{}</answer>")
    scored(domain("gcd", temperature=0.6, top_p=0.9), model)
    asked = model.asked[0].arguments[1]
    assert (asked["do_sample"], asked["temperature"], asked["top_p"]) == (True, 0.6, 0.9)


def test_the_command_writes_a_task_that_lm_eval_finds_without_metadata(tmp_path):
    command = [sys.executable, "-m", "harness_domains.reasoning_gym.task_file", "gcd", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    task = manager.load(["reasoning_gym_gcd"])["tasks"]["reasoning_gym_gcd"]
    assert 200 < len(task.test_docs()) <= 256
    assert "greatest common divisor" in task.doc_to_text(next(iter(task.test_docs()))).lower()
