"""The contract of `harness_recoveries`."""

import pytest
from shipped_offers import offers

from harness import PluginError, Recovery, RecoverySpec, StepResult
from harness.weights import WeightFolder, write_patched


def small(recover, *, trains: bool = False) -> RecoverySpec:
    """A recovery made of a function of the context."""
    made = type("Small", (Recovery,), {"__init__": lambda self, c: None, "recover": lambda self, c: recover(c)})
    return RecoverySpec(name="small", summary="A small recovery", load=made, trains=trains)


def to_the_peak(context) -> StepResult:
    peak = WeightFolder(context.peak_checkpoint)
    write_patched(WeightFolder(context.checkpoint), context.output, lambda name, tensor: peak.read(name))
    return StepResult(report={"target": context.target})


@offers("recovery")
def test_shipped_recoveries_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


def test_a_training_free_recovery_keeps_it(check_small):
    check_small(small(to_the_peak))


def test_a_recovery_that_trains_keeps_it(check_small):
    check_small(small(lambda context: context.train(context.checkpoint, [context.target]), trains=True))


def test_only_a_spec_that_trains_is_handed_a_training(check_small):
    seen = []

    def recover(context):
        seen.append(context.train)
        return to_the_peak(context)

    check_small(small(recover))
    assert seen == [None, None]


def test_what_breaks_it(check_small):
    with pytest.raises(PluginError, match="with domains"):
        check_small(small(lambda context: context.train(context.checkpoint, ["chess"]), trains=True))
