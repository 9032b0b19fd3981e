"""The contract of `harness_rewards`."""

from itertools import count

import pytest
from shipped_offers import offers

from harness import PluginError, Reward, RewardResult, RewardSpec

NUMBERS = count()


def small(score) -> RewardSpec:
    """A reward made of a function of one prompt and completion."""

    class Small(Reward):
        def __init__(self, config) -> None:
            pass

        def score(self, batch):
            return [score(*row) for row in zip(batch.prompts, batch.completions, strict=True)]

    return RewardSpec(name="small", summary="A small reward", load=Small)


def whole(score) -> RewardSpec:
    """A reward made of a function of a whole batch."""
    return RewardSpec(
        name="small",
        summary="A small reward",
        load=type("Whole", (Reward,), {"__init__": lambda self, c: None, "score": lambda self, batch: score(batch)}),
    )


@offers("reward")
def test_shipped_rewards_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


def test_every_outcome_keeps_it(check_small):
    made = (
        RewardResult.ok(0.5),
        RewardResult.abstain("no answer"),
        RewardResult.error("fault"),
        RewardResult.timeout("5 s"),
    )
    check_small(small(lambda prompt, completion: made[len(completion) % 4]))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (small(lambda prompt, completion: 0.5), "returned 0.5"),
        (small(lambda prompt, completion: RewardResult.ok(float("nan"))), "nan"),
        (small(lambda prompt, completion: RewardResult("ok")), "None"),
        (small(lambda prompt, completion: RewardResult("error", 0.0, "fault")), "the value 0.0"),
        (small(lambda prompt, completion: RewardResult.abstain("")), "no detail"),
        (small(lambda prompt, completion: RewardResult("wrong", None, "fault")), "outcome 'wrong'"),
        (small(lambda prompt, completion: RewardResult.ok(float(completion))), "score raised ValueError"),
        (small(lambda prompt, completion: RewardResult.ok(next(NUMBERS))), "two calls"),
        (whole(lambda batch: [RewardResult.ok(1)]), "1 results for"),
        (whole(lambda batch: [RewardResult.ok(row) for row in range(len(batch.prompts))]), "another order"),
    ],
)
def test_what_breaks_it(check_small, spec, message):
    with pytest.raises(PluginError) as raised:
        check_small(spec)
    assert message in raised.value.message


def test_a_reward_may_be_awaited(check_small):
    async def score(self, batch):
        return [RewardResult.ok(len(completion)) for completion in batch.completions]

    made = type("Awaited", (Reward,), {"__init__": lambda self, c: None, "score": score})
    check_small(RewardSpec(name="small", summary="A small reward", load=made))
