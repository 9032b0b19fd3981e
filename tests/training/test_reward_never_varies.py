"""Rewards that never differ within a group are reported from the fifth round on."""

import json

import pytest

from harness import Reward, RewardResult, TrainingDomain
from harness.execution.progress import shown_metrics
from harness.plugin.interfaces import NEVER_VARIED
from harness.testing.tiny_world import Digits
from harness.training import RewardRouter
from harness.training.reward_record import FIRST_ROUNDS, RewardRecord


class Scripted(Reward):
    def score(self, batch):
        return [
            RewardResult.error("none") if text == "!" else RewardResult.ok(float(text)) for text in batch.completions
        ]


def router():
    return RewardRouter([TrainingDomain(name=name, domain=Digits(), reward=Scripted()) for name in "ab"], 1.0)


def one_round(routing, *groups, domain="a"):
    """Runs a round of groups, each a text of one character a completion; returns what was logged."""
    prompts = [str(index) for index, group in enumerate(groups) for _ in group]
    logged = {}
    routing(
        prompts=prompts,
        completions=list("".join(groups)),
        domain=[domain] * len(prompts),
        log_metric=lambda name, value: logged.update({name: value}),
    )
    return {name: value for name, value in logged.items() if name.startswith(NEVER_VARIED)}


def test_it_is_said_from_the_fifth_round_on():
    routing = router()
    logged = [one_round(routing, "000", "111") for _ in range(FIRST_ROUNDS + 1)]
    assert logged[: FIRST_ROUNDS - 1] == [{}] * (FIRST_ROUNDS - 1)
    assert logged[FIRST_ROUNDS - 1 :] == [{f"{NEVER_VARIED}a": FIRST_ROUNDS}, {f"{NEVER_VARIED}a": FIRST_ROUNDS + 1}]
    assert routing.record.report()["reward_never_varied"] == {"a": FIRST_ROUNDS + 1}
    assert "the rewards of a never differed in 5 rounds" in shown_metrics({"reward": 0.5, f"{NEVER_VARIED}a": 5.0})


@pytest.mark.parametrize("varied", range(FIRST_ROUNDS + 2))
def test_one_group_that_differs_ends_it_for_good(varied):
    routing = router()
    for index in range(FIRST_ROUNDS + 2):
        one_round(routing, "00", "01" if index == varied else "11")
    assert routing.record.never_varied() == {}


def test_failed_rewards_are_no_difference_and_rounds_without_any_do_not_count():
    routing = router()
    for _ in range(FIRST_ROUNDS):
        one_round(routing, "0!", "!1")
        one_round(routing, "!!", domain="b")
    assert routing.record.never_varied() == {"a": FIRST_ROUNDS}


def test_it_outlives_a_kill_and_is_known_over_all_ranks():
    routing = router()
    for _ in range(FIRST_ROUNDS):
        one_round(routing, "00")
    data = json.loads(json.dumps(routing.record.as_json()))
    assert RewardRecord.from_json("ab", data).never_varied() == {"a": FIRST_ROUNDS}
    assert RewardRecord.of_ranks("ab", [data, data]).never_varied() == {"a": FIRST_ROUNDS}
    one_round(routing, "01")
    assert RewardRecord.of_ranks("ab", [data, routing.record.as_json()]).never_varied() == {}
