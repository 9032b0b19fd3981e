"""The runner submits every node whose parents are stored, and accepts results in any order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runnable_world import PROTOCOL, Bench
from several_slots import Several, bytes_of

from harness import StepFailed, UsageError, WorkerLost
from harness._util.disk_errors import StoreFull
from harness.planning.dependents import first_needed


@pytest.mark.parametrize("slots", [2, 4, 20])
def test_any_number_of_slots_gives_the_same_bytes(tmp_path, slots):
    one, several = Bench(tmp_path), Bench(tmp_path)
    several.runs = tmp_path / "several"
    several.store = type(one.store)(several.runs / "store")
    one.run()
    engine = Several(slots, choose=lambda running: running[-1])
    outcome = several.runner(engine).run()
    assert outcome.executed == outcome.nodes
    assert engine.most <= slots
    assert engine.closed == [False]
    assert bytes_of(one) == bytes_of(several)


@pytest.mark.parametrize("last", [True, False])
def test_nothing_starts_before_what_it_needs(tmp_path, last):
    bench = Bench(tmp_path)
    ended = []
    engine = Several(3, choose=lambda running: running[-1 if last else 0])
    before = first_needed(bench.plan, [node.key for node in bench.plan.results])

    def check(request):
        missing = [key for key in before[request.key] if key in before and not bench.store.has(key)]
        ended.append((request.label, missing))

    engine._fails = check
    bench.runner(engine).run()
    assert [missing for _, missing in ended if missing] == []


def test_a_failed_node_stops_only_what_needs_it(tmp_path):
    bench = Bench(tmp_path)
    engine = Several(2, fails=lambda request: StepFailed("no luck") if request.label == "b" else None)
    outcome = bench.runner(engine).run()
    assert [failure.node.label for failure in outcome.failures] == ["b"]
    assert outcome.executed + len(outcome.left) + 1 == outcome.nodes
    assert all(bench.plan.nodes[node.key].label not in ("a", "a after a") for node in outcome.left)


def test_a_node_whose_worker_is_lost_is_submitted_once_more(tmp_path):
    bench = Bench(tmp_path)
    lost = iter([WorkerLost("its process was killed")])
    engine = Several(2, fails=lambda request: next(lost, None) if request.label == "a" else None)
    outcome = bench.runner(engine).run()
    assert not outcome.failures
    assert [request.label for request in engine.submitted].count("a") == 2
    assert any("it is started once more" in note for note in bench.reporter.notes)


def test_a_node_whose_workers_are_lost_twice_has_failed(tmp_path):
    bench = Bench(tmp_path)
    engine = Several(2, fails=lambda request: WorkerLost("killed") if request.label == "a" else None)
    outcome = bench.runner(engine).run()
    assert [failure.error.message for failure in outcome.failures] == ["killed"]
    assert [request.label for request in engine.submitted].count("a") == 2


def test_a_full_disk_ends_the_run_and_its_workers(tmp_path):
    bench = Bench(tmp_path)
    engine = Several(2, fails=lambda request: StoreFull("the disk is full") if request.label == "a" else None)
    with pytest.raises(StoreFull, match="a was not finished"):
        bench.runner(engine).run()
    assert engine.closed == [True]


def test_an_engine_that_cannot_do_the_work_is_reported_before_anything_starts(tmp_path):
    class Refusing(Several):
        def check(self, requests):
            raise UsageError("there are no 9 GPUs", where="resources")

    bench = Bench(tmp_path)
    engine = Refusing(2)
    with pytest.raises(UsageError, match="there are no 9 GPUs"):
        bench.runner(engine).run()
    assert not engine.submitted
    assert not bench.world.trained
    assert engine.closed == [True]


def test_what_an_engine_raises_by_mistake_fails_the_node(tmp_path):
    bench = Bench(tmp_path)
    engine = Several(2, fails=lambda request: ZeroDivisionError("oh") if request.label == "b" else None)
    [failure] = bench.runner(engine).run().failures
    assert "internal error: ZeroDivisionError: oh" in str(failure.error)


def test_a_result_that_the_engine_forgot_fails_the_node(tmp_path):
    class Forgetful(Several):
        def _serve(self):
            while self._queue.get() is None:
                self._running.pop(0)[1].set_result(None)

    outcome = Bench(tmp_path).runner(Forgetful(2)).run()
    assert "the store lacks what it was asked for" in str(outcome.failures[0].error)


def test_the_log_says_which_worker_computed_a_node(tmp_path):
    import json

    bench = Bench(tmp_path)
    outcome = bench.runner(Several(2)).run()
    events = [json.loads(line) for line in (outcome.folder / "events.jsonl").read_text().splitlines()]
    workers = {event["worker"] for event in events if event["event"] == "step_started"}
    assert workers <= {"worker 1", "worker 2"}
    assert next(event for event in events if event["event"] == "run_started")["slots"] == 2


@given(st.lists(st.integers(0, 5), min_size=40, max_size=40), st.integers(2, 5))
def test_in_whatever_order_nodes_end_every_node_is_computed_once(tmp_path_factory, picks, slots):
    bench = Bench(tmp_path_factory.mktemp("order"), PROTOCOL)
    picks = iter(picks)
    engine = Several(slots, choose=lambda running: running[next(picks, 0) % len(running)])
    outcome = bench.runner(engine).run()
    assert outcome.executed == outcome.nodes == len(engine.submitted)
    assert sorted(bench.world.trained) == ["a", "a", "b"]
