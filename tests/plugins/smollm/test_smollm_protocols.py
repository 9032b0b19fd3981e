"""The packaged protocols on SmolLM2: their variants, and benchmarks' own files in place of the generated ones."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from step_keys import step_keys

from harness import Registry, RewardBatch, UsageError
from harness.execution.readiness.tasks import task_faults
from harness.planning.planner import make_plan
from harness.plugin.interfaces import TaskSet
from harness.protocol import find_protocol, instance_of, load_protocol
from harness_smollm import FOLDER

FIXTURES = Path(__file__).parents[2] / "fixtures"
REAL = os.environ.get("HARNESS_BENCHMARK_FILES", "")
"""A folder with gsm8k/test.jsonl, mbpp/mbpp.jsonl, ifeval/input_data.jsonl and mmlu_pro/test.jsonl as published."""


@pytest.fixture(scope="module")
def registry():
    return Registry.discover(only=["mdrl-harness"])


def text_of(name):
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())


@pytest.mark.parametrize(("name", "section"), [("smollm-lora", "train"), ("smollm-benchmarks", "evaluate")])
def test_a_variant_differs_in_one_section_only(name, section):
    variant, smollm = text_of(name), text_of("smollm")
    assert variant["name"] == name and variant[section] != smollm[section]
    own = {"name", "summary", section}
    assert {key: variant[key] for key in variant.keys() - own} == {key: smollm[key] for key in smollm.keys() - own}


def test_smollm_has_the_sequence_its_recoveries_their_controls_and_training_at_once():
    methods = text_of("smollm")["methods"]
    used = {step.get("with", "grpo"): step for steps in methods.values() for step in steps if isinstance(step, dict)}
    assert {"refresh", "rollback", "consolidate", "mgs"} <= used.keys()
    assert {"sequential", "re-math", "random-rollback", "merge-uniform", "merge-fisher", "mixed"} <= methods.keys()
    steps = text_of("smollm")["train"]["steps"]
    assert methods["mixed"][0]["steps"] == methods["mgs"][0]["steps"] == 4 * steps
    assert methods["re-math"][-1]["steps"] < methods["re-math-10"][-1]["steps"] == steps


def keys_of(registry, name):
    """Returns the keys of a protocol's trainings and of their scores, by method, with a model that needs no package."""
    protocol, lab = (load_protocol(find_protocol(one, registry), registry) for one in (name, "lab"))
    return step_keys(make_plan(replace(protocol, model=lab.model), registry))


def test_the_claims_are_measured_on_the_checkpoints_of_smollm(registry):
    claims, smollm = keys_of(registry, "smollm-claims"), keys_of(registry, "smollm")
    assert claims == {"sequential": smollm["sequential"]}
    # Four trainings, and four domains' scores of five checkpoints.
    assert len(claims["sequential"]) == 4 + 4 * 5


def test_one_training_for_rounding_is_the_first_of_smollm_and_the_others_differ_in_the_rate(registry):
    rounding, smollm = keys_of(registry, "smollm-rounding"), keys_of(registry, "smollm")
    shared = {name: keys & smollm["sequential"] for name, keys in rounding.items()}
    assert shared.pop("rate-5e-5") == rounding["rate-5e-5"]
    [at_base] = {frozenset(keys) for keys in shared.values()}
    assert len(at_base) == 1  # the score of the base model
    steps = [steps for name, [steps] in text_of("smollm-rounding")["methods"].items() if name != "rate-5e-5"]
    assert steps == [{"train": "code", "learning_rate": rate} for rate in (1e-4, 1e-5, 1e-6)]


LOCAL = {
    "gsm8k": ("math/gsm8k_test.jsonl", "gsm8k/test.jsonl", lambda path: {"test_sets": {"gsm8k": {"data_files": path}}}),
    "mbpp": ("code/mbpp_test.jsonl", "mbpp/mbpp.jsonl", lambda path: {"mbpp": {"data_files": path}}),
    "ifeval": ("ifollow/ifeval.jsonl", "ifeval/input_data.jsonl", lambda path: {"test": {"data_files": path}}),
    "mmlu-pro": ("qa/mmlu_pro.parquet", "mmlu_pro/test.jsonl", lambda path: {"data_files": path}),
}
"""Each column's small file, the published file, and the keys that read it."""


def test_the_benchmarks_are_never_trained_and_stand_beside_the_average(registry):
    protocol = load_protocol(find_protocol("smollm-benchmarks", registry), registry)
    assert protocol.columns.keys() == LOCAL.keys()
    assert not any(column.in_average for column in protocol.columns.values())
    assert not protocol.domains.keys() & protocol.columns.keys()


@pytest.mark.parametrize("column", LOCAL)
@pytest.mark.parametrize("published", [False, True], ids=["small files", "published files"])
def test_a_benchmark_is_scored_from_local_files_in_its_own_columns(registry, tmp_path, column, published):
    small, real, keys = LOCAL[column]
    path = Path(REAL) / real if published else FIXTURES / small
    if published and not (REAL and path.is_file()):
        pytest.skip("HARNESS_BENCHMARK_FILES names no folder with the published files")
    protocol = text_of("smollm-benchmarks")
    protocol["domains"] = {"math": domain("math")}
    protocol["methods"] = {"sequential": ["math"]}
    [(name, given)] = [(name, one) for name, one in protocol["evaluate"]["columns"].items() if name == column]
    protocol["evaluate"]["columns"] = {name: given | keys(str(path))}
    (tmp_path / "local.yaml").write_text(yaml.safe_dump(protocol))
    read = load_protocol(tmp_path / "local.yaml", registry).columns[name]
    try:
        assert list(task_faults(TaskSet.of(instance_of(read.plugin, registry)), 0)) == []
    except UsageError as error:
        if "nltk's data" not in error.message:
            raise
        pytest.skip(error.message)  # some constraints of the published IFEval count sentences


def domain(name, **changed):
    """Returns a domain of the protocol, with absolute paths."""
    given = text_of("smollm")["domains"][name]
    paths = {key: str(FOLDER / given[key]) for key in ("data_files", "test_files") if key in given}
    return given | paths | changed


# Rows in the columns of MBPP, GSM8K, SQuAD and XQuAD, and IFEval; their content is made up.
FORMS = {
    "MBPP": (
        "code",
        {},
        {
            "task_id": 901,
            "text": "Write a function to double a number.",
            "code": "def double(n):\r\n    return 2 * n",
            "test_list": ["assert double(2) == 4", "assert double(-1) == -2", "assert double(0) == 0"],
            "test_setup_code": "",
            "challenge_test_list": [],
        },
        "```python\ndef double(n):\n    return 2 * n\n```",
    ),
    "GSM8K": (
        "math",
        {"use": "math", "source": "gsm8k", "tasks": ["gsm8k"], "completion_tokens": 256},
        {"question": "Ann has 3 cups and buys 4. How many has she?", "answer": "3 + 4 = <<3+4=7>>7 cups\n#### 7"},
        "She has \\boxed{7}.",
    ),
    "SVAMP": (
        "math",
        {},
        {"question": "Ann had 9 cups and broke 4. How many are left?", "answer": "5", "type": "Subtraction"},
        "9 - 4 = 5",
    ),
    "SQuAD": (
        "qa",
        {"template": "{context} {question} Answer in a few words.", "answer": "answers.text"},
        {
            "id": "1",
            "context": "Ann met Ben in Bern.",
            "question": "Where did Ann meet Ben?",
            "answers": {"text": ["Bern", "in Bern"], "answer_start": [15, 12]},
        },
        "In Bern",
    ),
    "IFEval": (
        "writing",
        {},
        {
            "key": 1,
            "prompt": "Write about rain. Do not use any commas.",
            "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
            "kwargs": [{}, {"relation": "at least", "num_words": 3}],
        },
        "Rain falls on the roof.",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_domain_trains_on_a_benchmarks_own_columns(registry, tmp_path, form):
    name, keys, row, right = FORMS[form]
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps(row)}\n")
    given = domain(name) if keys.get("use") is None else {}
    given = {**given, **keys, "data_files": str(path)}
    if "test_files" in given:  # in the same columns
        (tmp_path / "test.jsonl").write_text(json.dumps(row | {"question": "Another?"}))
        given["test_files"] = str(tmp_path / "test.jsonl")
    protocol = text_of("smollm") | {"domains": {name: given}, "methods": {"one": [name]}, "probes": []}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(protocol))
    declared = load_protocol(tmp_path / "own.yaml", registry).domains[name]
    [trained] = instance_of(declared.plugin, registry).training_data(0).to_list()
    asked = row.get("question") or row.get("text") or row["prompt"]
    assert asked in trained["prompt"][-1]["content"]
    reward = instance_of(declared.reward, registry)
    for completion, value in ((right, 1.0), ("nothing", 0.0)):
        [result] = reward.score(RewardBatch(prompts=[trained["prompt"]], completions=[completion], rows=[trained]))
        assert result.outcome == "ok"
        assert (result.value == 1.0) == (value == 1.0)
