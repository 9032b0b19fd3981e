"""The domain and its lm-eval tasks, offline on files in the data sets' columns."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness import StepFailed, UsageError
from harness.domains.sandbox import Outcome
from harness.protocol.faults import validate
from harness.protocol.plugin_uses import dumped
from harness_domains.code.config import CodeConfig
from harness_domains.code.domain import CodeDomain
from harness_domains.code.problem import Problem

FIXTURES = Path(__file__).parents[2] / "fixtures" / "code"
BARE = {"tier": "subprocess", "allow_unsafe": True}


def config(**keys):
    files = {name: {"data_files": FIXTURES / f"{name}_test.jsonl"} for name in ("humaneval", "mbpp")}
    return CodeConfig(**{"data_files": FIXTURES / "klear_train.jsonl", "sandbox": BARE, **files, **keys})


def load_task(domain, name):
    from lm_eval.tasks import TaskManager

    metadata = json.loads(json.dumps(domain.task_metadata()))
    manager = TaskManager(include_path=str(domain.task_folder()), include_defaults=False, metadata=metadata)
    return manager.load([name])["tasks"][name]


def fenced(program):
    return f"<think>I think</think>\n```python\n{program}\n```\n"


def test_prompts_are_chats_or_text_and_carry_their_tests():
    rows = CodeDomain(config(system_prompt="Be brief.")).training_data(0).to_list()
    assert len(rows) == 5
    assert [message["role"] for message in rows[0]["prompt"]] == ["system", "user"]
    assert {bool(Problem.from_json(row["tests"]).stdin) for row in rows} == {True, False}
    plain = CodeDomain(config(format="plain")).training_data(0).to_list()
    assert [row["prompt"] for row in plain] == [row["prompt"][1]["content"] for row in rows]


def test_fewer_prompts_are_the_first_of_more():
    more, fewer = (CodeDomain(config(format="plain", prompts=count)).training_data(0)["prompt"] for count in (4, 2))
    assert list(more)[:2] == list(fewer)
    other = CodeDomain(config(format="plain", prompts=4, sample_seed=1)).training_data(0)["prompt"]
    assert list(other) != list(more)


@pytest.mark.parametrize(
    ("keys", "dataset", "subset", "split"),
    [
        ({}, "Kwai-Klear/KlearReasoner-CodeSub-15K", None, "train"),
        ({"preset": "mbpp"}, "google-research-datasets/mbpp", "full", "train"),
        ({"preset": "mbpp", "subset": "sanitized"}, "google-research-datasets/mbpp", "sanitized", "train"),
        ({"preset": "humaneval"}, "openai/openai_humaneval", None, "test"),
        ({"preset": "mbpp", "dataset": "my/own"}, "my/own", None, "train"),
        ({"preset": "mbpp", "data_files": "x.jsonl"}, None, None, "train"),
    ],
)
def test_presets_name_their_data_unless_other_data_are_named(keys, dataset, subset, split):
    for made in (CodeConfig(**keys), validate(CodeConfig, dumped(CodeConfig(**keys)))):
        source = made.training_source()
        assert (source.dataset, source.subset, source.split) == (dataset, subset, split)


def test_humaneval_is_not_trained_on_and_tested_with():
    with pytest.raises(ValidationError, match="only test items"):
        CodeConfig(preset="humaneval", tasks=["humaneval"])
    assert CodeConfig(preset="humaneval").scoring_tasks() == ("mbpp",)
    assert CodeConfig().scoring_tasks() == ("humaneval", "mbpp")


def test_the_fingerprint_follows_training_and_test_data(tmp_path):
    changed = tmp_path / "other.jsonl"
    changed.write_text((FIXTURES / "mbpp_test.jsonl").read_text().replace("plate", "word"))
    prints = {
        CodeDomain(config()).fingerprint(),
        CodeDomain(config(mbpp={"data_files": changed})).fingerprint(),
        CodeDomain(config(preset="mbpp", data_files=FIXTURES / "mbpp_train.jsonl")).fingerprint(),
        CodeDomain(config(tasks=["mbpp"])).fingerprint(),
    }
    assert len(prints) == 4
    assert CodeDomain(config()).fingerprint() in prints


def test_missing_columns_and_unreadable_rows_are_told(tmp_path):
    with pytest.raises(UsageError, match="reward_model"):
        CodeDomain(config(data_files=FIXTURES / "mbpp_train.jsonl")).training_data(0)
    broken = tmp_path / "broken.jsonl"
    broken.write_text(json.dumps({"prompt": "p", "reward_model": {"ground_truth": "{not json"}}) + "\n")
    with pytest.raises(UsageError, match="the row cannot be read as klear") as raised:
        CodeDomain(config(data_files=broken)).training_data(0)
    assert raised.value.where == f"{broken}:1"


@pytest.mark.parametrize("name", ["code_humaneval", "code_mbpp", "code_humaneval_plain"])
def test_reference_solutions_pass_the_tasks_and_others_do_not(name):
    task = load_task(CodeDomain(config()), name)
    first, second = list(task.test_docs())
    for document, other in ((first, second), (second, first)):
        right = document["reference"] if "plain" in name else fenced(document["reference"])
        assert task.process_results(document, [[right]]) == {"pass@1": 1.0, "supported": 1.0}
        assert task.process_results(document, [[fenced(other["reference"])]])["pass@1"] == 0.0
        assert task.process_results(document, [["I do not know."]])["pass@1"] == 0.0


def test_several_samples_give_pass_at_k():
    domain = CodeDomain(config(samples=4, temperature=0.5, completion_tokens=77))
    task = load_task(domain, "code_mbpp")
    assert task.config.repeats == 4
    assert task.config.generation_kwargs["max_gen_toks"] == 77
    assert task.config.generation_kwargs["temperature"] == 0.5
    assert set(task.higher_is_better()) == {"pass@1", "pass@4", "supported"}
    document = next(iter(task.test_docs()))
    right, wrong = fenced(document["reference"]), fenced("def mirrored(plate): return 3")
    scores = task.process_results(document, [[right, wrong, wrong, wrong]])
    assert scores == {"pass@1": pytest.approx(0.25), "pass@4": 1.0, "supported": 1.0}


def test_lm_eval_itself_samples_and_scores_every_program():
    """The whole of lm-eval, on a model that answers the references to half of the samples."""
    from lm_eval import evaluate
    from lm_eval.api.model import LM

    task = load_task(CodeDomain(config(samples=2)), "code_humaneval")
    answers = {task.doc_to_text(document): document["reference"] for document in task.test_docs()}

    class Half(LM):
        calls = 0

        def generate_until(self, requests, disable_tqdm=False):
            made = []
            for request in requests:
                self.calls += 1
                made.append(answers[request.args[0]] if self.calls % 2 else "pass")
            return made

        def loglikelihood(self, requests):
            raise NotImplementedError

        def loglikelihood_rolling(self, requests):
            raise NotImplementedError

    results = evaluate(lm=Half(), task_dict={"code_humaneval": task})["results"]["code_humaneval"]
    assert results["pass@1,none"] == pytest.approx(0.5)
    assert results["pass@2,none"] == 1.0
    assert results["supported,none"] == 1.0


def test_an_item_without_readable_tests_gives_no_score():
    task = load_task(CodeDomain(config()), "code_mbpp")
    document = {"tests": Problem(source="import numpy\nassert f() == 1").to_json(), "sandbox": json.dumps(BARE)}
    assert task.process_results(document, [[fenced("f = 1")]]) == {"supported": 0.0}


FORGING = """
import os, sys
def f(x):
    frame = sys._getframe()
    while 'token' not in frame.f_locals: frame = frame.f_back
    payload = {payload}
    os.write(frame.f_locals['descriptor'], frame.f_locals['token'] + len(payload).to_bytes(4, 'big') + payload)
    os._exit(0)
"""
STRANGE = [
    "def f(x): return 10 ** 5000",
    "def f(x): return '\\ud800' * 9",
    "def f(x): return float('nan')",
    "def f(x): return [[]] * 99",
    "def f(x): return object()",
    "def f(x): raise Exception('\\ud800\\x1b[31m' * 99)",
    "import sys\ndef f(x): sys.exit(0)",
    FORGING.format(payload=b'{"kind": "ok", "values": [{"float": "0x1p+99999"}], "detail": ""}'),
    FORGING.format(payload="b'[' * 60000"),
    FORGING.format(payload=b"\xff\xfe"),
    FORGING.format(payload=b'{"kind": "runtime-error", "values": [], "detail": "\\ud800"}'),
    FORGING.format(payload=b'{"kind": "timeout", "values": [5], "detail": 7}'),
]


@pytest.mark.parametrize(
    "source", ["assert abs(f(1) - 1.5) < 1e-6", "for n in (1,):\n    assert abs(f(n) - 1.5) < 1e-6"]
)
def test_no_result_of_a_program_stops_the_scoring(source):
    task = load_task(CodeDomain(config()), "code_mbpp")
    document = {"tests": Problem(source=source).to_json(), "sandbox": json.dumps(BARE)}
    samples = [fenced(program) for program in [*STRANGE, "def f(x): return x + 0.5"]]
    scores = task.process_results(document, [samples])
    assert scores["pass@1"] == pytest.approx(1 / len(samples))
    assert scores["supported"] == 1.0


def test_a_failing_sandbox_stops_the_scoring(monkeypatch):
    task = load_task(CodeDomain(config()), "code_mbpp")
    scoring = task.config.process_results.__globals__
    real = scoring["open_sandbox"]

    class Failing:
        def __init__(self, settings):
            self.real = real(settings)

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.real.close()

        def run(self, jobs):
            return [Outcome("sandbox-error", (), "the worker died") for _ in jobs]

    monkeypatch.setitem(scoring, "open_sandbox", Failing)
    with pytest.raises(StepFailed, match="the worker died"):
        task.process_results(next(iter(task.test_docs())), [[fenced("f = 1")]])


@pytest.mark.skipif(find_spec("pydantic_monty") is None, reason="pydantic-monty is not installed")
@pytest.mark.parametrize("program", ["import sys\nsys.exit(0)", "import os\nos.fork()", "class A(int):\n    pass"])
def test_a_program_that_monty_does_not_support_does_not_stop_the_scoring(program):
    task = load_task(CodeDomain(config()), "code_mbpp")
    tests = Problem(source="assert f() == 1").to_json()
    document = {"tests": tests, "sandbox": json.dumps({"tier": "monty"})}
    scores = task.process_results(document, [[fenced(program + "\ndef f():\n    return 1")]])
    assert scores == {"pass@1": 0.0, "supported": 1.0}
