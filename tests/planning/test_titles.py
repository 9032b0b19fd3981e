"""Titles on progress lines: recoveries with the same label are told apart by the settings in which they differ."""

import re

import pytest
from runnable_world import PROTOCOL, Bench

from harness.cli import _debug_first
from harness.planning.titles import titled, waited_for

METHODS = """\
methods:
  alone: [a, {recover: a, with: undo}]
  short: [a, b, {recover: a, with: repeat, steps: 1, temperature: 0.5}]
  long:  [a, b, {recover: a, with: repeat, steps: 2}]
  other: [a, b, {recover: a, with: repeat, algorithm: replaying, steps: 2}]
"""


def test_recoveries_of_one_label_are_told_apart_by_what_differs(tmp_path):
    plan = Bench(tmp_path, PROTOCOL[: PROTOCOL.index("methods:")] + METHODS).plan
    labels = {node.label for node in titled(plan).values() if node.kind == "recover"}
    assert labels == {
        "recover a (undo)",
        "recover a (repeat add steps=1 temperature=0.5)",
        "recover a (repeat add steps=2 temperature=1.0)",
        "recover a (repeat replaying steps=2 temperature=1.0)",
    }
    scored = {node.label for node in titled(plan).values() if node.kind == "evaluate" and "recover" in node.label}
    assert {re.sub(r"^\w+ after ", "", label) for label in scored} == labels
    assert {key: node.key for key, node in titled(plan).items()} == {key: key for key in plan.nodes}


def test_a_wait_is_for_a_result_of_the_plan_or_for_a_shared_measurement(tmp_path):
    plan = Bench(tmp_path, PROTOCOL[: PROTOCOL.index("methods:")] + METHODS).plan
    node = next(node for node in plan.nodes.values() if node.kind == "recover")
    assert waited_for(plan, node.key) == f"waiting: another process computes {node.label} ({node.key[:12]})"
    said = waited_for(plan, "0123456789abcdef" * 4)
    assert said == "waiting: another process computes a measurement that steps share (0123456789ab)"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("run lab", "run lab"),
        ("--debug run lab", "--debug run lab"),
        ("run lab --debug", "--debug run lab"),
        ("run --debug lab -o runs", "--debug run lab -o runs"),
        ("--debug run lab --debug", "--debug run lab"),
        ("show -- --debug", "show -- --debug"),
        ("show --debug -- --debug", "--debug show -- --debug"),
    ],
)
def test_debug_may_stand_anywhere_before_a_double_dash(words, expected):
    assert _debug_first(words.split()) == expected.split()
