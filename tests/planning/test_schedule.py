"""Schedules of random graphs satisfy the bounds of list scheduling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_a_circle_and_no_slots_are_refused():
    with pytest.raises(ValueError, match=r"depend on each other: \['a', 'b'\]"):
        schedule({"a": ["b"], "b": ["a"]}, {"a": 1.0, "b": 1.0}, 1)
    with pytest.raises(ValueError, match="0 slots"):
        schedule({}, {}, 0)
