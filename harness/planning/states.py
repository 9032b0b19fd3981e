"""Trainings that run again, because they are stored and the states within them that are to be scored are not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from harness.planning.nodes import StateNode
from harness.planning.plan import Plan

Value = TypeVar("Value")


def trained_again(plan: Plan, done: Collection[str]) -> dict[str, StateNode]:
    """Returns the first missing state of each training that runs again, by the state's key. It computes the others too.

    done: the keys of the stored nodes.
    """
    missing = {
        training: [state for state in states if state.key not in done]
        for training, states in plan.states.items()
        if training in done
    }
    return {states[0].key: states[0] for states in missing.values() if states}


def with_trained_again(values: Mapping[str, Value], plan: Plan, done: Collection[str]) -> dict[str, Value]:
    """Returns `values` by key, in which a state for which a training runs again has the value of the training."""
    return {**values, **{key: values[state.training.key] for key, state in trained_again(plan, done).items()}}
