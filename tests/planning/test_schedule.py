"""Schedules of random graphs satisfy the bounds of list scheduling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Demand, MachineResources
from harness.planning.schedule import Frontier, schedule


@st.composite
def graphs(draw):
    """Draws (parents, durations) of up to 12 results, each of which needs some of those before it."""
    count = draw(st.integers(1, 12))
    keys = [f"n{index}" for index in range(count)]
    parents = {
        key: draw(st.lists(st.sampled_from(keys[:index]), unique=True)) if index else []
        for index, key in enumerate(keys)
    }
    durations = {key: float(draw(st.integers(0, 9))) for key in keys}
    return parents, durations


@given(graphs(), st.integers(1, 5))
def test_a_schedule_keeps_grahams_bounds(graph, slots):
    parents, durations = graph
    found = schedule(parents, durations, slots)
    least = max(found.critical_length, found.work / slots)
    assert least <= found.makespan + 1e-9
    assert found.makespan <= found.work / slots + (1 - 1 / slots) * found.critical_length + 1e-9


@given(graphs())
def test_one_slot_takes_all_the_work_and_many_the_critical_path(graph):
    parents, durations = graph
    assert schedule(parents, durations, 1).makespan == sum(durations.values())
    many = schedule(parents, durations, len(parents))
    assert many.makespan == many.critical_length == sum(durations[key] for key in many.critical_path)
    for before, after in zip(many.critical_path, many.critical_path[1:], strict=False):
        assert before in parents[after]


@given(graphs())
def test_nothing_starts_before_what_it_needs_and_everything_starts_once(graph):
    parents, durations = graph
    frontier = Frontier(parents, durations)
    started = []
    while frontier:
        key = frontier.next()
        assert set(parents[key]) <= set(started)
        started.append(key)
        frontier.done(key)
    assert sorted(started) == sorted(parents)


def test_the_longest_remaining_path_goes_first():
    parents = {"short": [], "long": [], "after": ["long"]}
    frontier = Frontier(parents, {"short": 2.0, "long": 1.0, "after": 5.0})
    assert frontier.next() == "long"
    assert frontier.next() == "short"
    assert not frontier
    frontier.done("long")
    assert frontier.next() == "after"


def test_what_is_done_before_is_not_waited_for():
    assert schedule({"score": ["stored"]}, {"score": 3.0}, 2).makespan == 3.0


@given(graphs(), st.integers(1, 5))
def test_results_of_one_core_need_as_many_slots_as_there_are_cores(graph, cores):
    parents, durations = graph
    by_slots = schedule(parents, durations, cores)
    by_cores = schedule(parents, durations, None, machines=[MachineResources(cpus=cores)])
    assert by_cores.makespan == by_slots.makespan
    assert by_cores.at_once == by_slots.at_once <= cores


@st.composite
def placed(draw):
    """Draws a graph, up to three machines, and what each result takes, for which there is room somewhere."""
    parents, durations = draw(graphs())
    machines = draw(st.lists(st.builds(MachineResources, cpus=st.integers(2, 4), gpus=st.integers(1, 4)), min_size=1))
    demand = st.builds(Demand, cpus=st.integers(1, 2), gpus=st.integers(0, 1), machines=st.integers(1, len(machines)))
    return parents, durations, machines, {key: draw(demand) for key in parents}


@given(placed())
def test_machines_bound_a_schedule_from_below_and_one_at_a_time_from_above(drawn):
    parents, durations, machines, demands = drawn
    found = schedule(parents, durations, None, demands=demands, machines=machines)
    for each, total in (
        ({key: one.cpus * one.machines for key, one in demands.items()}, sum(one.cpus for one in machines)),
        ({key: one.gpus * one.machines for key, one in demands.items()}, sum(one.gpus for one in machines)),
    ):
        assert sum(each[key] * durations[key] for key in parents) <= found.makespan * total + 1e-9
    assert found.critical_length <= found.makespan <= found.work + 1e-9


def test_eight_gpus_run_four_results_of_two_and_what_fits_goes_first():
    eight = [MachineResources(cpus=64, gpus=8)]
    trainings = {f"train{number}": [] for number in range(8)}
    hours = dict.fromkeys(trainings, 1.0)
    takes = dict.fromkeys(trainings, Demand(gpus=2))
    found = schedule(trainings, hours, None, demands=takes, machines=eight)
    assert (found.at_once, found.makespan, found.slots) == (4, 2.0, None)
    assert schedule(trainings, hours, 3, demands=takes, machines=eight).at_once == 3
    # The first takes 6 GPUs for 2 hours; the second waits for 4; the third needs 2 and starts beside the first.
    parents = {"first": [], "second": [], "third": []}
    lasts = {"first": 2.0, "second": 1.5, "third": 1.0}
    asks = {"first": Demand(gpus=6), "second": Demand(gpus=4), "third": Demand(gpus=2)}
    assert schedule(parents, lasts, None, demands=asks, machines=eight).makespan == 3.5
    assert schedule(parents, lasts, None, demands=asks, machines=eight).at_once == 2


def test_a_result_for_which_no_machine_has_room_is_refused():
    with pytest.raises(ValueError, match="no room"):
        schedule({"a": []}, {"a": 1.0}, None, demands={"a": Demand(gpus=1)}, machines=[MachineResources(cpus=1)])


def test_a_circle_and_no_slots_are_refused():
    with pytest.raises(ValueError, match=r"depend on each other: \['a', 'b'\]"):
        schedule({"a": ["b"], "b": ["a"]}, {"a": 1.0, "b": 1.0}, 1)
    with pytest.raises(ValueError, match="0 slots"):
        schedule({}, {}, 0)
