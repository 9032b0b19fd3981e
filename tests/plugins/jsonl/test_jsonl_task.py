"""The lm-eval task `jsonl`, run by lm-eval on models that answer rightly or wrongly."""

import json

import pytest
from lm_eval import evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from harness_domains.jsonl.config import JsonlConfig
from harness_domains.jsonl.domain import JsonlDomain


class Saying(LM):
    """Says, to each item, a form filled with the item's first answer."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.asked = form, []

    def generate_until(self, requests):
        self.asked += requests
        answers = [request.doc["answer"] for request in requests]
        return [self.form.format(answer[0] if isinstance(answer, list) else answer) for answer in answers]

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("rule", "answers", "right", "wrong"),
    [
        ("exact-match", [4, 55], "<think>9</think> {}", "{}0"),
        ({"use": "exact-match", "last_line": True}, [["four", "4"], ["five"]], "so\n{}", "{}\nso"),
        ("contains", ["four", "five"], "it is {}.", "it is {}teen."),
        ({"use": "regex", "pattern": r"= (\d+)"}, [4, 5], "2 = 9 = {}", "{}"),
        ("choice-letter", ["B", "D"], "A, so the answer is ({})", "{}. Answer: C"),
    ],
)
def test_lm_eval_scores_by_the_rule_that_the_config_names(tmp_path, rule, answers, right, wrong):
    path = tmp_path / "mine.jsonl"
    path.write_text(
        "".join(json.dumps({"prompt": f"{i}?", "answer": answers[i % len(answers)]}) + "\n" for i in range(40))
    )
    domain = JsonlDomain(
        JsonlConfig(data_files=path, score=rule, template="Q: {prompt}", completion_tokens=7, stop=("\n\n",))
    )
    metadata = json.loads(json.dumps(domain.task_metadata()))
    for form, score in ((right, 1.0), (wrong, 0.0)):
        model = Saying(form)
        manager = TaskManager(include_path=str(domain.task_folder()), include_defaults=False, metadata=metadata)
        results = evaluate(lm=model, task_dict=manager.load(["jsonl"]), bootstrap_iters=0)["results"]
        assert results["jsonl"]["score,none"] == score
        assert len(model.asked) > 1
        for request in model.asked:
            assert request.arguments[0].startswith("Q: ")
            assert request.arguments[1] == {"until": ["\n\n"], "max_gen_toks": 7, "do_sample": False}


def test_an_item_that_the_rule_cannot_judge_counts_zero_and_is_reported(tmp_path):
    path, tests = tmp_path / "mine.jsonl", tmp_path / "test.jsonl"
    path.write_text('{"prompt": "trained?", "answer": "A"}\n')
    tests.write_text("".join(json.dumps({"prompt": f"{i}?", "answer": "B" if i else "both"}) + "\n" for i in range(4)))
    domain = JsonlDomain(JsonlConfig(data_files=path, test_files=tests, score="choice-letter"))
    manager = TaskManager(
        include_path=str(domain.task_folder()), include_defaults=False, metadata=dict(domain.task_metadata())
    )
    results = evaluate(lm=Saying("B"), task_dict=manager.load(["jsonl"]), bootstrap_iters=0)["results"]["jsonl"]
    assert (results["score,none"], results["unjudged,none"]) == (0.75, 0.25)
