"""Stored answers give the numbers that lm-eval gave when it asked the model, for every form of task."""

import json
import random

import pytest
from lm_eval.api.model import LM

from harness import EvaluationTask
from harness.evaluation.lm_eval import evaluate_model
from harness.evaluation.replay import AnswerMissing, replayed
from harness.plugin.interfaces import TaskSet
from harness.protocol.evaluation_settings import EvaluationSettings

SETTINGS = EvaluationSettings(limit=6, seed=3)
DATA = {"dataset_path": "json", "test_split": "test", "target_delimiter": " "}
TASKS = {
    "sampled": {
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{choices[answer]}}",
        "repeats": 3,
        "generation_kwargs": {"until": ["."], "do_sample": True},
        "filter_list": [
            {"name": "first", "filter": [{"function": "take_first"}]},
            {"name": "majority", "filter": [{"function": "majority_vote"}, {"function": "take_first"}]},
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    },
    "chosen": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_target": "answer",
        "doc_to_choice": "{{choices}}",
        "num_fewshot": 2,
        "fewshot_split": "test",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    },
    "rolling": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{question}}",
        "metric_list": [{"metric": "word_perplexity"}, {"metric": "bits_per_byte"}],
    },
}
METRICS = {"sampled": ("exact_match", "first"), "chosen": ("acc", "none"), "rolling": ("bits_per_byte", "none")}


class Random(LM):
    """Answers at random, other answers each time."""

    tokenizer_name = "random"

    def __init__(self) -> None:
        super().__init__()
        self.draw = random.Random(0)

    def generate_until(self, requests, disable_tqdm=False):
        return [self.draw.choice(["red", "blue", "green"]) for _ in requests]

    def loglikelihood(self, requests, disable_tqdm=False):
        return [(-self.draw.random(), self.draw.random() < 0.5) for _ in requests]

    def loglikelihood_rolling(self, requests, disable_tqdm=False):
        return [-10 * self.draw.random() for _ in requests]

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        return "".join(f"<{turn['role']}>{turn['content']}" for turn in chat_history)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    rows = [
        {"question": f"Which colour has thing {number}?", "choices": ["red", "blue", "green"], "answer": number % 3}
        for number in range(8)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, task in TASKS.items():
        data = {"dataset_kwargs": {"data_files": {"test": str(folder / "rows.jsonl")}}}
        (folder / f"{name}.yaml").write_text(json.dumps({"task": name, **DATA, **data, **task}))
    return folder


def task_set(folder, *names):
    tasks = [EvaluationTask(task=name, metric=METRICS[name][0], filter=METRICS[name][1]) for name in names]
    return TaskSet(tasks=tasks, folder=folder)


def answers_of(results):
    """Returns the answers as a record keeps them: through JSON, each item once."""
    stored = json.loads(json.dumps(results["samples"], default=str))
    return {task: {one["doc_id"]: one["resps"] for one in samples} for task, samples in stored.items()}


@pytest.mark.parametrize("names", [("sampled",), ("chosen",), ("rolling",), ("sampled", "chosen")])
def test_stored_answers_give_the_same_numbers_and_samples(folder, names):
    tasks = task_set(folder, *names)
    first = evaluate_model(Random(), tasks, SETTINGS)
    again = replayed(tasks, SETTINGS, answers_of(first))
    assert again["results"] == first["results"]
    assert again["task_hashes"] == first["task_hashes"]
    assert json.dumps(again["samples"], default=str) == json.dumps(first["samples"], default=str)
    assert len({json.dumps(one["resps"]) for one in first["samples"][names[0]]}) > 1


def test_a_chat_template_changes_prompts_only(folder):
    settings = EvaluationSettings(limit=6, seed=3, chat_template=True)
    tasks = task_set(folder, "sampled")
    first = evaluate_model(Random(), tasks, settings)
    again = replayed(tasks, settings, answers_of(first))
    assert again["results"] == first["results"]
    assert again["task_hashes"] != first["task_hashes"]


def test_an_item_without_its_answers_is_told(folder):
    tasks = task_set(folder, "sampled")
    answers = answers_of(evaluate_model(Random(), tasks, SETTINGS))
    del answers["sampled"][4]
    with pytest.raises(AnswerMissing, match="item 4 of the task sampled"):
        replayed(tasks, SETTINGS, answers)
    answers["sampled"][4] = [["red", "blue"]]
    with pytest.raises(AnswerMissing, match="item 4"):
        replayed(tasks, SETTINGS, answers)
