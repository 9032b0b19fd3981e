"""The recovery `distill` in a protocol: its algorithm, its targets, and what is refused."""

import pytest

from harness.errors import ProtocolError
from harness.plugin.registry import Registry
from harness.protocol import load_protocol

TEXT = """
schema: 1
name: distilled
model: {{use: lab-tiny}}
seeds: [0]
domains: {{math: {{use: lab-math}}, cw: {{use: lab-cw}}, qa: {{use: lab-qa}}}}
train: {{with: grpo, steps: 2, learning_rate: 1.0e-3, loss_type: grpo}}
evaluate: {{limit: 8}}
methods:
  distill: [math, cw, {step}]
"""


@pytest.fixture(scope="module")
def registry():
    return Registry.discover(only=["mdrl-harness"])


def last_step(tmp_path, registry, step):
    path = tmp_path / "distilled.yaml"
    path.write_text(TEXT.format(step=step))
    return load_protocol(path, registry).methods["distill"][-1]


def test_it_trains_all_targets_with_the_defaults_that_its_algorithm_knows(tmp_path, registry):
    step = last_step(tmp_path, registry, "{recover: [math, cw], with: distill, steps: 5, divergence: sampled}")
    assert step.targets == ("math", "cw")
    assert step.training.name == "distillation"
    config = step.training.config
    assert (config["steps"], config["learning_rate"], config["divergence"]) == (5, 1e-3, "sampled")
    assert "loss_type" not in config


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{recover: math, with: distill, algorithm: grpo}", "has teachers"),
        ("{recover: math, with: distill, extrapolation: 0}", "extrapolation"),
        ("{recover: math, with: distill, beta: 0.1}", "beta has no effect"),
        ("{recover: math, with: distill, budgets: {math: -1}}", "budgets.math"),
        ("{recover: math, with: distill, teachers: {math: -1}}", "teachers.math: should be the number of a step"),
        ("{recover: math, with: distill, teachers: {math: 3}}", "there is no step 3 before this one"),
        ("{recover: math, with: distill, teachers: {math: mth}}", "there is no method 'mth'"),
        ("{recover: math, with: distill, teachers: {cw: 1}}", "cw is no domain that this step trains"),
        ("{recover: qa, with: distill}", "'qa' is not trained before this step"),
        ("{recover: all, with: distill}", "'qa' is not trained before this step"),
        ("{train: qa, with: distillation}", "qa has no teacher"),
    ],
)
def test_what_it_cannot_train_with_is_refused(tmp_path, registry, step, message):
    with pytest.raises(ProtocolError, match=message):
        last_step(tmp_path, registry, step)
