"""Two data files and the lab's four domains in one protocol: trained separately and mixed, and scored."""

import json
import os
import subprocess
import sys

import pytest

PROTOCOL = """
schema: 1
name: own-data
model: {{use: lab-tiny}}
domains:
  code: {{use: lab-code, prompts: 64}}
  math: {{use: lab-math, prompts: 64}}
  qa:   {{use: lab-qa, prompts: 64}}
  cw:   {{use: lab-cw, prompts: 64}}
  sums:
    use: jsonl
    data_files: {sums}
    template: "Q: {{prompt}}? A:"
    completion_tokens: 5
    stop: ["<eos>"]
    reward: exact-match
  differences:
    use: jsonl
    data_files: {differences}
    prompt: task
    answer: result
    completion_tokens: 5
    stop: ["<eos>"]
    score: {{use: regex, pattern: '\\d+'}}
    reward: {{use: regex, pattern: '\\d+'}}
train: {{with: grpo, steps: 1, learning_rate: 6.0e-4, prompts_per_step: 4, generations: 4}}
evaluate: {{limit: 12, batch_size: 12}}
methods:
  fifth: [sums]
  mixed: [{{train: [math, sums, differences]}}]
"""


def harness(*arguments):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    sums, differences, protocol = folder / "sums.jsonl", folder / "differences.jsonl", folder / "own.yaml"
    pairs = [(a, b) for a in range(21, 31) for b in range(11, 21)]
    sums.write_text("".join(json.dumps({"prompt": f"{a}+{b}", "answer": a + b}) + "\n" for a, b in pairs))
    differences.write_text(
        "".join(json.dumps({"task": f"Q: {a}-{b}? A:", "result": str(a - b)}) + "\n" for a, b in pairs)
    )
    protocol.write_text(PROTOCOL.format(sums=sums, differences=differences))
    harness("run", protocol, "-o", folder / "runs")
    return folder / "runs"


def test_the_leaderboard_has_six_domains_for_every_method(runs):
    (path,) = runs.glob("own-data-*/leaderboard.json")
    leaderboard = json.loads(path.read_text())
    assert leaderboard["columns"] == ["code", "math", "qa", "cw", "sums", "differences"]
    ranked = {row["method"]: row for row in leaderboard["rows"] if not row["reference"]}
    assert set(ranked) == {"fifth", "mixed"}
    assert all(set(row["scores"]) == set(leaderboard["columns"]) for row in ranked.values())


def test_each_domain_is_scored_on_its_own_items_by_its_own_rule(runs):
    operators = []
    for path in runs.glob("store/*/samples_jsonl.jsonl"):
        samples = [json.loads(line) for line in path.read_text().splitlines()]
        prompts = [sample["doc"]["prompt"] for sample in samples]
        assert len(set(prompts)) == 12
        plus = {"+" in prompt for prompt in prompts}
        assert len(plus) == 1
        operators += plus
        for sample in samples:
            if plus == {True}:
                assert sample["score"] == (sample["resps"][0][0].strip() == sample["doc"]["answer"])
    assert operators.count(True) == operators.count(False) == 3


def test_the_base_model_already_knows_some_sums_by_the_rule(runs):
    values = []
    for path in runs.glob("store/*/rows.json"):
        for row in json.loads(path.read_text()):
            if row.get("task") == "jsonl":
                assert row["primary"] == (row["metric"] == "score")
                assert row["primary"] or (row["metric"], row["value"]) == ("unjudged", 0.0)
                values += [row["value"]] * row["primary"]
    assert len(values) == 6
    assert max(values) > 0


def test_training_saw_rewards_of_both_files(runs):
    reports = [json.loads(path.read_text()) for path in runs.glob("store/*/result.json")]
    assert sorted(report["cost"]["completions"] for report in reports) == [16, 16]
