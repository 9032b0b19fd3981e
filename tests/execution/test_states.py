"""`evaluate.every`: models within trainings are stored and scored, and no training notices."""

import pytest
from runnable_world import PROTOCOL, Bench, read_model
from several_slots import Several, bytes_of

import harness
from harness.execution.runner import walk_order
from harness.execution.status import run_status
from harness.planning.counts import cost_of
from harness.planning.dependents import first_needed
from harness.planning.serialization import plan_from_json, plan_to_json
from harness.planning.states import trained_again
from harness.planning.why import explain

PLAIN = PROTOCOL.replace("with: add, steps: 3", "with: stepping, steps: 5")
EVERY = PLAIN.replace("probes:", "evaluate: {every: 2}\nprobes:")


def bench_at(folder, text=EVERY, runs="runs"):
    """Returns a bench with its results in `runs`."""
    bench = Bench(folder, text)
    bench.runs = folder / runs
    bench.store = type(bench.store)(bench.runs / "store")
    return bench


def trainings(plan):
    return {key for key, node in plan.nodes.items() if node.trained_with is not None and node.kind != "state"}


@pytest.fixture
def bench(tmp_path):
    return bench_at(tmp_path)


def test_no_key_depends_on_it(tmp_path):
    plain, every = Bench(tmp_path, PLAIN).plan, Bench(tmp_path, EVERY).plan
    assert set(plain.nodes) < set(every.nodes) and plain.key != every.key
    added = [every.nodes[key] for key in every.nodes.keys() - plain.nodes.keys()]
    assert {node.kind for node in added} == {"state", "evaluate"}
    assert every.states.keys() == trainings(plain)
    rarely = Bench(tmp_path, EVERY.replace("every: 2", "every: 4")).plan
    assert {key for key, node in rarely.nodes.items() if node.kind == "state"} < set(every.nodes)
    assert plan_from_json(plan_to_json(every)) == every


def test_a_training_stores_the_models_within_it(bench):
    outcome = bench.run()
    assert not outcome.failures and not outcome.left
    assert bench.world.trained == ["a", "b", "a"]  # as often as without
    assert all(bench.store.verify(node.key) == [] for node in walk_order(bench.plan))
    found = {}
    for states in bench.plan.states.values():
        for state in states:
            folder = bench.executor()._checkpoints.folder(state.key)
            found[state.label] = read_model(folder)
    assert found == {
        "a, optimizer step 2": {"base": 1, "a": 2},
        "a, optimizer step 4": {"base": 1, "a": 4},
        "b, optimizer step 2": {"base": 1, "a": 5, "b": 2},
        "b, optimizer step 4": {"base": 1, "a": 5, "b": 4},
        "recover a (repeat), optimizer step 2": {"base": 1, "a": 7, "b": 5},
        "recover a (repeat), optimizer step 4": {"base": 1, "a": 9, "b": 5},
    }
    assert run_status(outcome.folder, bench.store).counts["done"] == outcome.nodes
    assert bench.run().executed == 0


def test_curves_have_the_scores_within_and_after_every_step(bench):
    run = harness.load_run(bench.run().folder)
    curve = run.score_curves.filter(method="again", domain="a")
    shown = curve.select("step", "optimizer_step", "total_steps", "last", "value").rows()
    assert shown == [
        (0, 0, 0, True, 1.0),
        (1, 2, 2, False, 3.0),
        (1, 4, 4, False, 5.0),
        (1, 5, 5, True, 6.0),
        (2, 2, 7, False, 8.0),
        (2, 4, 9, False, 10.0),
        (2, 5, 10, True, 11.0),
        (3, 2, 12, False, 13.0),
        (3, 4, 14, False, 15.0),
        (3, 5, 15, True, 16.0),
    ]
    ends = run.score_curves.filter(last=True).select(run.scores.columns)
    assert ends.equals(run.scores)
    points = {curve.method: curve.points for curve in run.score_curve_record.methods}["back"]
    assert [(point.total_steps, point.scores["a"].mean) for point in points[-2:]] == [(10, 11.0), (10, 6.0)]
    assert points[-1].label == "recover a (undo)" and points[-1].optimizer_step == 0


def test_a_run_without_it_says_how_to_get_curves(tmp_path):
    run = harness.load_run(bench_at(tmp_path, PLAIN).run().folder)
    assert not (run.folder / "score_curves.json").exists()
    with pytest.raises(harness.UsageError, match="no scores within trainings"):
        _ = run.score_curves


def test_a_finished_run_trains_again_and_gets_the_same_bytes(tmp_path, bench):
    bench.run()
    bench_at(tmp_path, PLAIN, "later").run()
    later = bench_at(tmp_path, EVERY, "later")
    done = {key for key in later.plan.nodes if key == later.plan.base.key or later.store.has(key)}
    cost = cost_of(later.plan, later.registry, without=done)
    assert (cost.trainings, cost.recoveries, cost.repeated_trainings, cost.states) == (0, 0, 3, 6)
    assert cost.optimizer_steps == 15
    reasons = [str(reason) for reason in explain(later.plan, later.store, done).reasons]
    assert "state a, optimizer step 2 (seed 0): its training was stored without it and runs again" in reasons
    outcome = later.run()
    assert not outcome.failures and later.world.trained == ["a", "b", "a"]
    assert bytes_of(later) == bytes_of(bench)
    assert not list((later.store.root / ".scratch").iterdir())


def test_a_smaller_number_keeps_what_there_is(tmp_path):
    bench_at(tmp_path, EVERY.replace("every: 2", "every: 4")).run()
    finer = bench_at(tmp_path)
    missing = {node.label for states in finer.plan.states.values() for node in states if not finer.store.has(node.key)}
    assert missing == {f"{name}, optimizer step 2" for name in ("a", "b", "recover a (repeat)")}
    assert not finer.run().failures


@pytest.mark.parametrize("slots", [1, 3])
def test_states_of_a_training_wait_for_the_first_one(tmp_path, slots):
    bench_at(tmp_path, PLAIN).run()
    bench = bench_at(tmp_path)
    engine = Several(slots, choose=lambda running: running[-1])
    outcome = bench.runner(engine).run()
    assert not outcome.failures
    assert [request.label for request in engine.submitted if request.kind == "state"] == [
        "a, optimizer step 2",
        "b, optimizer step 2",
        "recover a (repeat), optimizer step 2",
    ]
    states = bench.plan.states[bench.key("a")]
    assert set(first_needed(bench.plan, [state.key for state in states])[states[1].key]) > {states[0].key}


def test_a_training_that_ends_elsewhere_has_no_states(tmp_path):
    bench_at(tmp_path, PLAIN).run()
    bench = bench_at(tmp_path)
    bench.world.drift = 1
    outcome = bench.run()
    assert {failure.node.label for failure in outcome.failures} == {
        f"{name}, optimizer step 2" for name in ("a", "b", "recover a (repeat)")
    }
    assert "ended with other weights than the stored ones" in str(outcome.failures[0].error)
    assert len(outcome.left) == 3 + 2 * 6
    assert not any(bench.store.has(state.key) for states in bench.plan.states.values() for state in states)


def test_an_algorithm_that_writes_no_state_is_told(bench):
    bench.world.leaves_states = False
    outcome = bench.run()
    assert "algorithm 'stepping'" in str(outcome.failures[0].error)
    assert "did not write the model of a, optimizer step 2" in str(outcome.failures[0].error)
    assert bench.store.has(bench.key("recover a (repeat)"))


@pytest.mark.parametrize("begun", [EVERY, PLAIN])
@pytest.mark.parametrize("at", [2, 3, 5])
def test_a_killed_training_goes_on(tmp_path, bench, begun, at):
    """`begun`: the protocol of the killed run. One without `every` has left no state to go on with."""
    bench.run()

    def kill(names, step, context):
        if (names, step) == ("b", at):
            raise KeyboardInterrupt

    killed = bench_at(tmp_path, begun, "killed")
    killed.world.on_train = kill
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    again = bench_at(tmp_path, EVERY, "killed")
    assert not again.run().failures
    results = {name: content for name, content in bytes_of(again).items() if "result.json" not in name}
    assert results == {name: content for name, content in bytes_of(bench).items() if "result.json" not in name}


def test_a_killed_repetition_goes_on_where_it_was(tmp_path):
    bench_at(tmp_path, PLAIN).run()
    bench = bench_at(tmp_path)

    def kill(names, step, context):
        if (names, step) == ("a", 4):
            raise KeyboardInterrupt

    bench.world.on_train = kill
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    seen = []
    bench.world.on_train = lambda names, step, context: seen.append((names, step))
    assert not bench.run().failures
    assert seen[0] == ("a", 4)


def test_a_failed_training_skips_its_states(bench):
    def fail(names, step, context):
        if names == "b":
            raise RuntimeError("out of luck")

    bench.world.on_train = fail
    outcome = bench.run()
    assert [failure.node.label for failure in outcome.failures] == ["b"]
    assert {"b, optimizer step 2", "a after b, optimizer step 4"} <= {node.label for node in outcome.left}
    run = harness.load_run(outcome.folder)
    assert run.score_curves.filter(method="again")["total_steps"].max() == 5


def test_only_stored_trainings_run_again(bench):
    assert trained_again(bench.plan, ()) == {}
    key = bench.key("a")
    [(first, state)] = trained_again(bench.plan, {key}).items()
    assert (state.training.key, state.optimizer_step, first) == (key, 2, state.key)
