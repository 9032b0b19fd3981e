"""The contract of `harness_metrics`."""

import random

import pytest
from shipped_offers import offers

from harness import Metric, MetricSpec, PluginError


def small(compute) -> MetricSpec:
    """A metric made of a function of the score matrix."""
    made = type("Small", (Metric,), {"__init__": lambda self, c: None, "compute": lambda self, scores: compute(scores)})
    return MetricSpec(name="small", summary="A small metric", load=made)


@offers("metric")
def test_shipped_metrics_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


def test_a_small_metric_keeps_it(check_small):
    check_small(small(lambda scores: max(scores.final.values())))


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda scores: "high", "returned 'high'"),
        (lambda scores: float("nan"), "returned nan"),
        (lambda scores: random.random(), "two numbers"),
    ],
)
def test_broken_metrics_are_told(check_small, compute, message):
    with pytest.raises(PluginError, match=message):
        check_small(small(compute))
