"""The lab's packaged protocols: what they share in one store."""

import pytest
from step_keys import step_keys

import harness_algorithms.distillation
import harness_algorithms.grpo
import harness_lab
import harness_probes
import harness_recoveries.distill
import harness_recoveries.refresh
import harness_recoveries.rollback
import harness_theory
from harness.planning.planner import make_plan
from harness.plugin.registry import Registry
from harness.protocol import find_protocol, load_protocol


@pytest.fixture(scope="module")
def keys_of():
    """Returns a function that gives the keys of a protocol's trainings and scorings, by method, for seed 0."""
    plugins = (
        harness_lab,
        harness_algorithms.distillation,
        harness_algorithms.grpo,
        harness_probes,
        harness_recoveries.distill,
        harness_recoveries.refresh,
        harness_recoveries.rollback,
        harness_theory,
    )
    registry = Registry.of([("mdrl-harness", plugin) for plugin in plugins])

    def keys(name):
        return step_keys(make_plan(load_protocol(find_protocol(name, registry), registry, seeds=[0]), registry))

    return keys


def test_the_mechanism_is_that_of_the_checkpoints_in_lab_and_lab_pairs(keys_of):
    mechanism, lab, pairs = (keys_of(name) for name in ("lab-mechanism", "lab", "lab-pairs"))
    assert mechanism.pop("sequential") == lab["sequential"]
    assert mechanism == pairs


def test_the_theory_is_tested_on_the_checkpoints_of_lab(keys_of):
    lab = keys_of("lab")
    assert keys_of("lab-theory") == {"sequential": lab["sequential"]}
    assert keys_of("lab-contraction")["re-math"] == lab["re-math"]
    assert keys_of("lab-rounding")["rate-6e-4"] <= keys_of("lab-pairs")["code"]  # which scores all domains
