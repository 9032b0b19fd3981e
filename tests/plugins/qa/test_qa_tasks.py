"""The lm-eval tasks of question answering, run by lm-eval on models that answer rightly or wrongly."""

from pathlib import Path

import pytest
from lm_eval import evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from harness_domains.qa.answers import LETTERS
from harness_domains.qa.config import MMLUProConfig, QAConfig, SuperGPQAConfig
from harness_domains.qa.domain import MMLUProDomain, QADomain, SuperGPQADomain

FIXTURES = Path(__file__).parents[2] / "fixtures" / "qa"
SUPER, PRO = FIXTURES / "super_gpqa.jsonl", FIXTURES / "mmlu_pro.parquet"
SETTINGS = {"completion_tokens": 9, "temperature": 0.5}
DOMAINS = {
    "qa": QADomain(QAConfig(data_files=SUPER, **SETTINGS)),
    "mmlu-pro": MMLUProDomain(MMLUProConfig(data_files=PRO, answers="short", **SETTINGS)),
    "super-gpqa": SuperGPQADomain(
        SuperGPQAConfig(data_files=SUPER, mmlu_pro={"data_files": PRO, "test_share": 1.0, **SETTINGS}, **SETTINGS)
    ),
}


class Knowing(LM):
    """Answers with the option `off` places after the right one, as a thinking model writes it."""

    def __init__(self, off: int) -> None:
        super().__init__()
        self.off, self.asked = off, []

    def generate_until(self, requests):
        self.asked += requests
        return [self._answer(request.doc) for request in requests]

    def _answer(self, doc):
        index = (LETTERS.index(doc["letter"]) + self.off) % len(doc["options"])
        return f"<think>Answer: {doc['letter']}?</think>Answer: " + (
            LETTERS[index] if doc["rule"] == "letter" else doc["options"][index]
        )

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize(("off", "score"), [(0, 1.0), (1, 0.0)])
def test_lm_eval_scores_what_the_rule_says(name, off, score):
    domain, model = DOMAINS[name], Knowing(off)
    names = [task.task for task in domain.evaluation_tasks()]
    manager = TaskManager(
        include_path=str(domain.task_folder()), include_defaults=False, metadata=dict(domain.task_metadata())
    )
    results = evaluate(lm=model, task_dict=manager.load(names), bootstrap_iters=0)["results"]
    assert {task: results[task]["right,none"] for task in names} == dict.fromkeys(names, score)
    assert len(model.asked) == {"qa": 4, "mmlu-pro": 3, "super-gpqa": 34}[name]
    for request in model.asked:
        assert request.arguments[0].startswith("Question: ")
        assert request.arguments[1]["max_gen_toks"] == 9
        assert (request.arguments[1]["do_sample"], request.arguments[1]["temperature"]) == (True, 0.5)
