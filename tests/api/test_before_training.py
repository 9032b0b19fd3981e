"""Preview, prefetch, reward scoring and prediction before a run, used from Python."""

from __future__ import annotations

import json

import pytest

import harness
from harness.errors import ProtocolError
from harness.testing.tiny_world import tiny_checkpoint


@pytest.fixture(scope="module")
def protocol(tmp_path_factory):
    """Returns a protocol with a domain that can be trained, and one whose prompts need a chat template."""
    folder = tmp_path_factory.mktemp("protocol")
    tiny_checkpoint(folder / "base")
    rows = [{"prompt": f"{n} + 1 =", "answer": str(n + 1)} for n in range(40)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    domain = {"use": "jsonl", "data_files": "rows.jsonl", "completion_tokens": 4}
    domains = {"plain": domain, "chat": {**domain, "format": "chat"}}
    content = {"schema": 1, "name": "p", "model": {"pretrained": "base"}, "domains": domains}
    (folder / "p.yaml").write_text(json.dumps(content))
    return folder / "p.yaml"


def test_a_preview_has_rewards_and_the_reasons_why_a_domain_cannot_be_trained(protocol):
    started, finished = [], []
    seen = harness.preview(
        protocol, prompts=3, generations=2, starting=started.append, finished=lambda one: finished.append(one.domain)
    )
    plain, chat = seen.domains
    assert [len(group.completions) for group in plain.groups] == [2, 2, 2]
    assert {result.outcome for group in plain.groups for result in group.rewards} == {"ok"}
    assert started == finished == ["plain", "chat"] and not chat.groups
    [problem] = seen.problems
    assert problem.key == "domains.chat" and "no chat template" in problem.message
    with pytest.raises(ProtocolError, match="no chat template"):
        seen.check()
    harness.preview(protocol, prompts=1, generations=2, domains=["plain"]).check()
    with pytest.raises(harness.UsageError, match="no domain chess"):
        harness.preview(protocol, domains=["chess"])


def test_a_prefetch_has_a_record_of_each_part(protocol):
    started = []
    parts = harness.prefetch(protocol, starting=started.append)
    assert [part.part for part in parts] == started
    assert started == ["base model", "domain plain", "reward of plain", "domain chat", "reward of chat"]
    assert parts[1].overlap is not None and parts[1].overlap.items > 0


def test_a_file_is_scored_row_by_row(tmp_path):
    file = tmp_path / "rows.jsonl"
    rows = [
        {"completion": "It is\n4", "truth": "4", "expected": 1},
        {"completion": "It is\n5", "truth": "4", "expected": 1},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scored = list(harness.score_file("exact-match", file, columns={"answer": "truth"}, config={"last_line": True}))
    tally = harness.RewardTally()
    for row in scored:
        tally.add(row)
    assert [one.row.line for one in scored] == [1, 2]
    assert tally.outcomes == {"ok": 2} and tally.differing == [2]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda file: harness.score_file("nothing", file), harness.PluginError, "no reward is called 'nothing'"),
        (lambda file: harness.score_file("regex", file, config={"patern": 1}), ProtocolError, "patern"),
        (lambda file: harness.score_file("regex", file, settings=["pattern"]), harness.UsageError, "KEY=VALUE"),
        (lambda file: harness.score_file("regex", file / "no", config={"pattern": "a"}), harness.UsageError, "read"),
    ],
)
def test_arguments_are_checked_before_the_first_row(call, error, message, tmp_path):
    with pytest.raises(error, match=message):
        call(tmp_path)


def test_a_prediction_has_every_pair_an_order_and_a_file_format(tmp_path):
    messages = []
    record = harness.predict("smoke", completions=32, progress=messages.append)
    [prediction] = record.predictions
    assert {(pair.trained, pair.harmed) for pair in prediction.pairs} == {("math", "cw"), ("cw", "math")}
    assert set(record.order) == {"math", "cw"} and messages
    assert json.loads(record.to_json())["check"] is None
    run = harness.Run(tmp_path)
    assert run.save_prediction(record).read_text() == record.to_json()
    with pytest.raises(harness.UsageError, match="exclude each other"):
        harness.predict("smoke", at=tmp_path, along="sequential")


def test_a_plan_is_estimated_before_anything_is_downloaded(tmp_path):
    planned = harness.plan("smoke", output=tmp_path)
    estimate = planned.estimate(prompt_tokens=10, slots=2)
    assert estimate.total == estimate.to_do and estimate.total.generated_tokens > 0
    assert set(estimate.nodes) == set(planned.nodes["key"])
    assert set(estimate.method_hours) == {method.name for method in planned.plan.methods}
    assert estimate.schedule is not None and estimate.schedule.makespan <= estimate.schedule.work
    assert planned.estimate(model_config=None).schedule is None
    assert planned.undamaged_targets == [] and planned.changed_versions == {} and planned.unpinned == []
    assert planned.title(planned.nodes["key"][0]).endswith("(seed 0)")
    assert json.loads(json.dumps(planned.to_json()))["done"] == sorted(planned.done)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(harness.UsageError, match="does not describe a dense decoder"):
        planned.estimate(model_config=tmp_path)
