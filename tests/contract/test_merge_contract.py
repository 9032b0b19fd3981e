"""The contract of `harness_merges`."""

import pytest
import torch
from shipped_offers import offers

from harness import Merge, MergeSpec, PluginError, StepResult
from harness.weights import WeightFolder, merge_linear, write_patched


def small(merge) -> MergeSpec:
    """A merge made of a function of the context."""
    made = type("Small", (Merge,), {"__init__": lambda self, c: None, "merge": lambda self, c: merge(c)})
    return MergeSpec(name="small", summary="A small merge", load=made)


def mean(context) -> StepResult:
    merge_linear([(expert.weight, WeightFolder(expert.folder)) for expert in context.experts], context.output)
    return StepResult(report={"experts": [expert.name for expert in context.experts]})


@offers("merge")
def test_shipped_merges_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


def test_a_small_merge_keeps_it(check_small):
    check_small(small(mean))


def noise(context) -> StepResult:
    first = WeightFolder(context.experts[0].folder)
    write_patched(first, context.output, lambda name, tensor: tensor + torch.rand_like(tensor))
    return StepResult()


def over_an_expert(context) -> StepResult:
    (context.experts[1].folder / "model.safetensors").write_bytes(
        (context.experts[0].folder / "model.safetensors").read_bytes()
    )
    return mean(context)


def the_base(context) -> StepResult:
    write_patched(WeightFolder(context.base), context.output, lambda name, tensor: tensor)
    return StepResult()


@pytest.mark.parametrize(
    ("merge", "message"),
    [
        (noise, "the same seed produced different weights"),
        (over_an_expert, "changed an expert"),
        (the_base, "changed no weight"),
    ],
)
def test_what_breaks_it(check_small, merge, message):
    with pytest.raises(PluginError, match=message):
        check_small(small(merge))
