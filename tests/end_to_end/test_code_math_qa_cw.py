"""The packaged protocol of the Local Perturbation Theory paper, in small: every stage, reward, task and method of it.

Only what has to be other is other: the model is a tiny Qwen3 that thinks, the data are fixtures in the data sets' own
columns, the judge is on this machine, and lengths and counts are small.
"""

import json
from pathlib import Path

import pytest
import yaml
from judge_server import Say, judge_server
from paper_world import DOMAINS, PACKAGED, changes, harness_json, put, skip_without_sandbox
from thinking_model import thinking_model


def leaves(value, path=""):
    """Returns the values of nested mappings and lists, by their paths."""
    if not isinstance(value, (dict, list)) or not value:
        return {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {key: leaf for name, item in items for key, leaf in leaves(item, f"{path}.{name}".lstrip(".")).items()}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Returns the run's folder, what two runs of it print, and what the judge was asked."""
    skip_without_sandbox()
    folder = tmp_path_factory.mktemp("paper")
    thinking_model(folder / "model")
    protocol = yaml.safe_load(PACKAGED.read_text())
    with judge_server(lambda asked, tries: Say(f"Score: {'1' if 'Once' in asked else '0'}")) as server:
        for path, value in changes(folder, server.endpoint).items():
            put(protocol, path, value)
        (folder / "paper.yaml").write_text(yaml.safe_dump(protocol, sort_keys=False))
        first = harness_json("run", folder / "paper.yaml", "-o", folder / "runs")
        second = harness_json("run", folder / "paper.yaml", "-o", folder / "runs")
        asked = [body["messages"][0]["content"] for body in server.bodies]
        asked = [question for question in asked if question != "Say yes."]  # before the start: does it answer?
    return folder, first, second, asked


@pytest.fixture(scope="module")
def leaderboard(ran):
    return json.loads((Path(ran[1]["run"]) / "leaderboard.json").read_text())


@pytest.fixture(scope="module")
def trainings(ran):
    """Returns the reports of all steps that trained: by what they trained, their report and their metrics."""
    found = []
    for path in sorted((ran[0] / "runs" / "store").glob("*/result.json")):
        report = json.loads(path.read_text())["report"]
        if "reward_outcomes" in report:
            lines = (path.parent / "metrics.jsonl").read_text().splitlines()
            found.append((report, [json.loads(line) for line in lines]))
    return found


def test_it_is_the_packaged_protocol_but_for_the_named_keys(ran):
    given = leaves(yaml.safe_load((ran[0] / "paper.yaml").read_text()))
    packaged = leaves(yaml.safe_load(PACKAGED.read_text()))
    other = {path for path in given.keys() | packaged.keys() if given.get(path) != packaged.get(path)}
    named = changes(ran[0], "")
    assert other
    assert all(any(f"{path}.".startswith(f"{name}.") for name in named) for path in other)
    assert not any(path.endswith((".use", ".with", ".preset", ".source", ".format", ".thinks")) for path in other)


def test_every_method_has_a_score_on_every_domain(leaderboard):
    methods = yaml.safe_load(PACKAGED.read_text())["methods"]
    rows = {row["method"]: row for row in leaderboard["rows"] if not row["reference"]}
    assert set(rows) == set(methods)
    assert leaderboard["columns"] == DOMAINS
    for row in rows.values():
        assert set(row["scores"]) == set(DOMAINS)
        assert all(0 <= score["mean"] <= 100 for score in row["scores"].values())
        assert row["rank"] is not None


def test_a_second_run_makes_nothing(ran):
    _, first, second, _ = ran
    assert first["executed"] > 40
    assert second["executed"] == 0
    assert second["run"] == first["run"]


def test_every_reward_scores_and_none_fails(trainings):
    trained = {tuple(sorted(report["reward_outcomes"])) for report, _ in trainings}
    assert trained == {*((name,) for name in DOMAINS), tuple(sorted(DOMAINS))}
    for report, metrics in trainings:
        outcomes = report["reward_outcomes"].values()
        assert all(set(counts) == {"ok"} for counts in outcomes)
        assert sum(counts["ok"] for counts in outcomes) == 64
        assert len(metrics) == 2
    rewards = {name: [row.get(f"reward/{name}", 0) for _, rows in trainings for row in rows] for name in DOMAINS}
    assert all(0 < max(values) <= 1 for values in rewards.values()), rewards


def test_truncated_shares_are_reported_by_domain(trainings):
    for report, metrics in trainings:
        shares = report["truncated_share_of"]
        assert set(shares) == set(report["reward_outcomes"])
        assert all(0 <= share <= 1 for share in shares.values())
        assert report["truncated_share"] == pytest.approx(sum(row["truncated"] for row in metrics) / 2)
    assert any(0 < report["truncated_share"] < 1 for report, _ in trainings)


TASKS = {
    "code": {"code_humaneval": "pass@1", "code_mbpp": "pass@1"},
    "math": {"boxed_aime25": "math_verify"},
    "qa": {"harness_super_gpqa": "right", "harness_mmlu_pro": "right"},
    "cw": {"creative_writing": "judge_score"},
}


def test_every_task_of_every_domain_scores_every_checkpoint(ran):
    from polars import read_parquet

    scores = read_parquet(Path(ran[1]["run"]) / "scores.parquet")
    checkpoints = set(scores["checkpoint"])
    assert len(checkpoints) == 11
    for name, tasks in TASKS.items():
        for task, metric in tasks.items():
            rows = scores.filter(domain=name, task=task, metric=metric)
            assert set(rows["checkpoint"]) == checkpoints
            assert rows["value"].is_between(0, 1).all()
            assert set(rows["n"]) <= {2, 3, 4}
    # The thinking is read off once, by the tasks: taken off before them too, no item would have an answer.
    assert scores.filter(metric="boxed")["value"].max() > 0
    assert set(scores.filter(metric="unjudged")["value"]) == {0.0}


def test_the_judge_is_asked_for_reward_and_score_and_never_sees_a_thought(ran):
    asked = ran[3]
    assert len(asked) == len(set(asked)) > 4
    assert any("Once upon a time" in question for question in asked)
    assert not any("think>" in question for question in asked)


def test_rollbacks_change_a_part_of_the_weights(ran):
    reports = [json.loads(path.read_text())["report"] for path in (ran[0] / "runs" / "store").glob("*/result.json")]
    rollbacks = {report["score"]: report for report in reports if "eligible_coordinates" in report}
    assert set(rollbacks) == {"fisher", "random"}
    for report in rollbacks.values():
        assert report["coordinates"] == round(0.05 * report["eligible_coordinates"])
