"""A weighted sum of rewards: rows whose parts fail or abstain, and the report of each part."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import DISTRIBUTION, PROTOCOL, SmallWorld

import harness_rewards
from harness import Config, PluginError, Reward, RewardBatch, RewardResult, RewardSpec, TrainingDomain, hookimpl
from harness.domains.data import HubSource
from harness.errors import ProtocolError
from harness.plugin.registry import Registry
from harness.protocol import instance_of, load_protocol
from harness.training import RewardRouter


class ColumnConfig(Config):
    column: str
    awaited: bool = False


class Column(Reward):
    """Gives what a column of the row says: a number, or another outcome."""

    def __init__(self, config):
        self.config = config
        self.fetched = 0

    def fingerprint(self):
        return f"column {self.config.column}"

    def hub_sources(self):
        return [HubSource(kind="model", name=self.config.column, revision=None)]

    def fetch(self):
        self.fetched += 1

    def score(self, batch):
        results = [self.result(row[self.config.column]) for row in batch.rows]
        return self.later(results) if self.config.awaited else results

    async def later(self, results):
        await asyncio.sleep(0)
        return results

    def result(self, said):
        if isinstance(said, str):
            return RewardResult(said, None, f"{self.config.column} says so")
        return RewardResult.ok(said)


class Columns:
    @hookimpl
    def harness_rewards(self):
        yield RewardSpec(name="column", summary="A column", load=Column, config=ColumnConfig)


REGISTRY = Registry.of([(DISTRIBUTION, SmallWorld()), ("columns", Columns()), ("ours", harness_rewards)])


def composite(abstaining="abstain", awaited=False, **weights):
    """Returns the composite of one `column` reward for each weight."""
    parts = {
        name: {"reward": {"use": "column", "column": name, "awaited": awaited}, "weight": weight}
        for name, weight in weights.items()
    }
    offer = REGISTRY.find("reward", "composite")
    return REGISTRY.build(offer, offer.config_type()(parts=parts, abstaining=abstaining))


def score(reward, **row):
    batch = RewardBatch(prompts=["p"], completions=["c"], rows=[row])
    results = reward.score(batch)
    [result] = results if isinstance(results, list) else asyncio.run(results)
    return result


values = st.floats(-100, 100)
weights = st.floats(-10, 10).filter(lambda weight: abs(weight) > 1e-3)


@given(st.tuples(weights, values), st.tuples(weights, values), st.booleans())
def test_the_whole_is_the_weighted_sum_and_holds_its_parts(first, second, awaited):
    result = score(composite(awaited=awaited, a=first[0], b=second[0]), a=first[1], b=second[1])
    assert result.value == pytest.approx(first[0] * first[1] + second[0] * second[1], abs=1e-6)
    assert {name: part.value for name, part in result.parts.items()} == {"a": first[1], "b": second[1]}


@pytest.mark.parametrize("outcome", ["error", "timeout"])
@pytest.mark.parametrize("abstaining", ["abstain", "leave-out"])
def test_a_part_that_fails_is_the_wholes_failure_and_named(outcome, abstaining):
    result = score(composite(abstaining, a=1.0, b=0.1, c=1.0), a=1.0, b=outcome, c="abstain")
    assert (result.outcome, result.value, result.detail) == (outcome, None, "b: b says so")
    assert [part.outcome for part in result.parts.values()] == ["ok", outcome, "abstain"]


def test_a_part_that_abstains_makes_the_whole_abstain_unless_it_is_left_out():
    result = score(composite(a=1.0, b=3.0), a=0.5, b="abstain")
    assert (result.outcome, result.detail) == ("abstain", "b: b says so")
    assert score(composite("leave-out", a=1.0, b=3.0), a=0.5, b="abstain").value == pytest.approx(2.0)


@given(values, weights, weights)
def test_parts_that_agree_score_the_same_with_one_left_out(value, first, second):
    both = composite("leave-out", a=abs(first), b=abs(second))
    whole = score(both, a=value, b=value).value
    assert score(both, a=value, b="abstain").value == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("abstaining", ["abstain", "leave-out"])
def test_where_nothing_that_weighs_has_a_value_the_whole_abstains(abstaining):
    assert score(composite(abstaining, a=1.0, b=2.0), a="abstain", b="abstain").outcome == "abstain"
    assert score(composite(abstaining, a=1.0, noted=0.0), a="abstain", noted=4.0).outcome == "abstain"


def test_a_weight_of_zero_is_noted_and_not_counted():
    result = score(composite(a=1.0, noted=0.0), a=0.5, noted=40.0)
    assert (result.value, result.parts["noted"].value) == (0.5, 40.0)


def test_the_parts_that_count_are_named_with_their_weights():
    assert composite(a=2.0, b=0.0, c=-1.0).part_weights == {"a": 2.0, "c": -1.0}


def test_a_sum_past_all_numbers_is_an_error():
    assert score(composite(a=1e308, b=1e308), a=1e10, b=-1e10).outcome == "error"
    assert not math.isfinite(1e308 * 1e10)


def test_fetch_reaches_every_part():
    made = composite(a=1.0, b=2.0)
    assert [source.name for source in made.hub_sources()] == ["a", "b"]
    made.fetch()
    assert [part.fetched for part in made._parts.values()] == [1, 1]


def test_the_router_logs_and_counts_each_part_also_of_a_composite_in_a_composite(tmp_path):
    text = PROTOCOL.replace(
        "go: {use: go}",
        """\
go:
    use: go
    reward:
      use: composite
      abstaining: leave-out
      parts:
        right: {reward: {use: column, column: a}}
        style:
          weight: 0.5
          reward:
            use: composite
            parts:
              short: {reward: {use: column, column: b, awaited: true}}
              kind: {reward: {use: column, column: c}, weight: 2.0}
""",
    )
    (tmp_path / "games.yaml").write_text(text)
    reward = instance_of(load_protocol(tmp_path / "games.yaml", REGISTRY).domains["go"].reward, REGISTRY)
    route = RewardRouter([TrainingDomain(name="go", domain=None, reward=reward)], 0.05)
    logged = {}
    scores = route(
        prompts=["p"] * 3, completions=["x", "y", "z"], domain=["go"] * 3, log_metric=logged.__setitem__,
        a=[1.0, 0.0, 0.5], b=[1.0, "abstain", 0.0], c=[0.5, 0.5, "timeout"],
    )  # fmt: skip
    assert scores == [1.0 + 0.5 * (1.0 + 2 * 0.5), 0.0, None]
    assert logged["reward/go/right"] == 0.5
    assert logged["reward/go/style/short"] == 0.5
    assert logged["reward/go/style/kind"] == 0.5
    report = route.record.report()
    assert report["reward_outcomes"] == {"go": {"ok": 2, "timeout": 1}}
    assert report["reward_outcomes_of_parts"]["go"] == {
        "right": {"ok": 3},
        "style": {"ok": 1, "abstain": 1, "timeout": 1},
        "style/short": {"ok": 2, "abstain": 1},
        "style/kind": {"ok": 2, "timeout": 1},
    }
    names = {"go", "go/right", "go/style", "go/style/short", "go/style/kind"}
    assert set(report["reward_seconds"]) == names
    assert {f"reward_seconds/{name}" for name in names} <= set(logged)


def test_a_part_that_breaks_its_contract_is_named_with_its_distribution(tmp_path):
    text = PROTOCOL.replace(
        "go: {use: go}", "go: {use: go, reward: {use: composite, parts: {good: {reward: {use: column, column: a}}}}}"
    )
    (tmp_path / "games.yaml").write_text(text)
    reward = instance_of(load_protocol(tmp_path / "games.yaml", REGISTRY).domains["go"].reward, REGISTRY)
    with pytest.raises(PluginError, match=r"columns:column@0 \(part good of a composite reward\).*value nan"):
        score(reward, a=math.nan)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ("{}", "at least 1"),
        ("{a: {reward: {use: column, column: a}, weight: 0.0}}", "weight of every part is 0"),
        ("{a/b: {reward: {use: column, column: a}}}", "pattern"),
        ("{a: {reward: {use: colum, column: a}}}", "did you mean column"),
        ("{a: {reward: {use: column}}}", "column"),
    ],
)
def test_faults_of_the_parts_are_told_before_a_run(tmp_path, parts, says):
    path = tmp_path / "games.yaml"
    path.write_text(PROTOCOL.replace("go: {use: go}", f"go: {{use: go, reward: {{use: composite, parts: {parts}}}}}"))
    with pytest.raises(ProtocolError, match=says):
        load_protocol(path, REGISTRY)
