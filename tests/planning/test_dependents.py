"""Steps that a run skips because a domain has no base score, and warnings about recoveries."""

import json

import pytest
from runnable_world import PROTOCOL, Bench, read_model

from harness import StepFailed
from harness.execution.undamaged import undamaged_targets

ALONE = PROTOCOL.replace(
    "sequential: [a, b]", "sequential: [a, b]\n  only-b: [b]\n  joined: [{merge: [only-b, sequential], with: join}]"
)


def failing_on(bench, domain, *, when=lambda counts: True):
    """Makes the scoring of checkpoints on a domain fail, for those whose counts are as `when` says."""
    score = bench.evaluate
    level = {"a": 1, "b": 2}[domain]

    def evaluate(folder, tasks, settings, output):
        if evaluate.level == level and when(read_model(folder)):
            raise StepFailed("no score")
        score(folder, tasks, settings, output)

    find = bench.registry.find("domain", "game").build
    evaluate.level = None

    def build(config):
        built = find(config)
        tasks = built.evaluation_tasks

        def noting():
            evaluate.level = config.level
            return tasks()

        built.evaluation_tasks = noting
        return built

    object.__setattr__(bench.registry.find("domain", "game"), "build", build)
    bench.evaluate = evaluate


def test_no_training_starts_whose_domain_has_no_base_score(tmp_path):
    bench = Bench(tmp_path, ALONE)
    failing_on(bench, "a")
    outcome = bench.run()
    assert [failure.node.label for failure in outcome.failures] == ["a after base"]
    assert bench.world.trained == ["b"]
    assert {node.label for node in outcome.left} >= {"a", "a after b", "b", "recover a (undo)", "count of sequential"}
    assert bench.store.has(bench.key("count of only-b"))
    [note] = [note for note in bench.reporter.notes if "the base model has no score" in note]
    assert note.startswith("a: ")


def test_another_failed_scoring_stops_no_training(tmp_path):
    bench = Bench(tmp_path)
    failing_on(bench, "a", when=lambda counts: counts.get("a", 0) > 0)
    outcome = bench.run()
    assert bench.world.trained == ["a", "b", "a"]
    assert outcome.left == ()


def test_a_recovery_of_an_undamaged_target_is_warned_of_before_it_runs(tmp_path):
    bench = Bench(tmp_path)
    assert list(undamaged_targets(bench.plan, bench.store)) == []  # no score is known
    outcome = bench.run()
    warnings = [note for note in bench.reporter.notes if note.startswith("warning: recover a")]
    assert len(warnings) == 2
    assert "the score of a is 7 and not below its peak, 4" in warnings[0]
    events = [json.loads(line) for line in (outcome.folder / "events.jsonl").read_text().splitlines()]
    kinds = [(event["event"], event.get("label")) for event in events]
    told = kinds.index(("undamaged_target", "recover a (repeat)"))
    assert told < kinds.index(("step_finished", "recover a (repeat)"))
    reports = {event.label: event.report for event in bench.world.observed if event.kind == "recover"}
    assert reports["recover a (undo)"]["undamaged_target"]["peak"] == 4.0
    assert {found.label for found in undamaged_targets(bench.plan, bench.store)} == set(reports)


@pytest.mark.parametrize("higher", [True, False])
def test_a_damaged_target_is_not_warned_of(tmp_path, higher):
    bench = Bench(tmp_path)
    score = bench.evaluate

    def evaluate(folder, tasks, settings, output):
        score(folder, tasks, settings, output)
        rows = json.loads((output / "rows.json").read_text())
        sign = -1 if higher else 1
        changed = [row | {"value": sign * row["value"], "higher_is_better": higher} for row in rows]
        (output / "rows.json").write_text(json.dumps(changed))

    bench.evaluate = evaluate
    bench.run()
    assert not [note for note in bench.reporter.notes if note.startswith("warning")]
