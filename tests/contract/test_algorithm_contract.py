"""The contract of `harness_algorithms`."""

from dataclasses import replace
from itertools import count

import pytest
from shipped_offers import offers

from harness import Algorithm, AlgorithmSpec, PluginError, StepResult
from harness.testing.tiny_world import nudged_checkpoint, tiny_training

SEEDS = count()


def small(train) -> AlgorithmSpec:
    """An algorithm made of a function of the context."""
    made = type(
        "Small", (Algorithm,), {"__init__": lambda self, c: None, "train": lambda self, context: train(context)}
    )
    return AlgorithmSpec(name="small", summary="A small algorithm", load=made)


def sound(context) -> StepResult:
    context.progress(1, 1, {"reward": 0.5})
    context.metrics.write_text('{"step": 1, "reward": 0.5}\n')
    return tiny_training(context.output, context.checkpoint, seed=context.seed)


@offers("algorithm")
def test_shipped_algorithms_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


def test_a_small_algorithm_keeps_it(check_small):
    check_small(small(sound))


@pytest.mark.parametrize(("replays", "handed"), [(True, (["one"], ["two"])), (False, ([], ["one", "two"]))])
def test_one_that_replays_is_handed_what_was_trained_before(check_small, replays, handed):
    seen = []

    def train(context):
        seen.append(([d.name for d in context.earlier], [d.name for d in context.domains]))
        return sound(context)

    check_small(replace(small(train), replays=replays))
    assert seen == [handed, handed]


def spoils_the_start(context) -> StepResult:
    result = sound(context)
    (context.checkpoint / "config.json").write_text("{}")
    return result


def without_tokenizer(context) -> StepResult:
    result = sound(context)
    (context.output / "tokenizer_config.json").unlink()
    return result


def copies(context) -> StepResult:
    nudged_checkpoint(context.checkpoint, context.output, seed=0, size=0.0)
    return StepResult()


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (lambda context: None, "returned None"),
        (copies, "changed no weight"),
        (spoils_the_start, "changed the checkpoint it started from"),
        (without_tokenizer, "no tokenizer"),
        (lambda context: tiny_training(context.output, context.checkpoint, seed=next(SEEDS)), "different weights"),
        (lambda context: StepResult(cost=sound(context).cost, report={"model": context}), "not JSON"),
        (lambda context: StepResult(report={"loss": 1.0 if sound(context) else 0.0}), "no optimizer step"),
        (lambda context: context.progress(2, 1, {}), "2 of 1"),
    ],
)
def test_what_breaks_it(check_small, train, message):
    with pytest.raises(PluginError) as raised:
        check_small(small(train))
    assert message in raised.value.message
