"""The registry isolates plugins from one another and finds their offers."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    Config,
    DomainSpec,
    NoConfig,
    PluginError,
    ProtocolSpec,
    Reward,
    RewardBatch,
    RewardResult,
    RewardSpec,
    UsageError,
    hookimpl,
)
from harness.plugin.registry import Registry


class Mate(Reward):
    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def score(self, batch: RewardBatch) -> list[RewardResult]:
        return [RewardResult.ok(1.0) for _ in batch.completions]


def rewards(*names: str, **fields) -> SimpleNamespace:
    """A plugin that offers rewards of these names."""

    @hookimpl
    def harness_rewards():
        for name in names:
            yield RewardSpec(**{"name": name, "summary": "Mate", "load": Mate, **fields})

    return SimpleNamespace(harness_rewards=harness_rewards)


def broken(error: BaseException) -> SimpleNamespace:
    """A plugin whose generator yields one reward and then raises."""

    @hookimpl
    def harness_rewards():
        yield RewardSpec(name="lost", summary="Lost", load=Mate)
        raise error

    return SimpleNamespace(harness_rewards=harness_rewards)


def failure_of(plugin: object) -> str:
    """Loads a plugin beside a sound one; returns what is said of it."""
    registry = Registry.of([("bad", plugin), ("good", rewards("mate"))])
    assert [offer.qualified for offer in registry.all()] == ["good/mate"]
    [failure] = registry.failures
    assert failure.distribution == "bad"
    assert failure.hint
    return f"{failure.error} {failure.hint}"


# ---------------------------------------------------------------------------------------------- isolation


@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit("boom"), PluginError("boom"), RecursionError("boom")])
def test_a_generator_that_raises_takes_only_its_own_plugin_away(error):
    assert "boom" in failure_of(broken(error))


def test_where_a_plugin_raised_is_told():
    assert f"{Path(__file__).name}:" in failure_of(broken(ValueError("boom")))


def test_an_interrupt_is_not_a_fault_of_the_plugin():
    with pytest.raises(KeyboardInterrupt):
        Registry.of([("bad", broken(KeyboardInterrupt()))])


def test_a_misspelt_hook_gets_its_near_match():
    @hookimpl
    def harness_domain():
        return []

    said = failure_of(SimpleNamespace(harness_domain=harness_domain))
    assert "harness_domain," in said
    assert "did you mean harness_domains?" in said


def test_a_hook_without_its_mark_is_told():
    def harness_domains():
        return []

    assert "hookimpl" in failure_of(SimpleNamespace(harness_domains=harness_domains))


def test_a_plugin_without_hooks_is_told():
    assert "no hook" in failure_of(SimpleNamespace(something=1))


def test_a_hook_with_an_argument_that_is_not_there_is_told():
    @hookimpl
    def harness_run_started(occasion):
        return None

    assert "occasion" in failure_of(SimpleNamespace(harness_run_started=harness_run_started))


@pytest.mark.parametrize(
    "returned",
    [
        [RewardSpec(name="mate", summary="", load=Mate)],
        ["mate"],
        DomainSpec(name="chess", summary="", reward="mate", load=Mate),
        7,
    ],
)
def test_what_is_no_spec_of_the_hooks_kind_is_told(returned):
    @hookimpl
    def harness_domains():
        return returned

    assert "yield a" in failure_of(SimpleNamespace(harness_domains=harness_domains)).replace("each", "a")


def test_a_name_twice_in_one_plugin_is_told():
    assert "'mate' twice" in failure_of(rewards("mate", "mate"))


def test_a_packaged_protocol_that_is_not_there_is_told(tmp_path):
    @hookimpl
    def harness_protocols():
        yield ProtocolSpec(name="chess", summary="", path=tmp_path / "chess.yaml")

    assert "chess.yaml" in failure_of(SimpleNamespace(harness_protocols=harness_protocols))


def test_what_a_plugin_prints_while_it_loads_does_not_reach_standard_output(capsys):
    @hookimpl
    def harness_rewards():
        print("hello")
        return []

    Registry.of([("chatty", SimpleNamespace(harness_rewards=harness_rewards))])
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")


@given(st.lists(st.sampled_from(["sound", "raises", "misspelt", "twice"]), max_size=8))
def test_sound_plugins_are_all_there_whatever_their_neighbours(kinds):
    made = {
        "sound": lambda index: rewards(f"mate-{index}"),
        "raises": lambda index: broken(ValueError(str(index))),
        "misspelt": lambda index: SimpleNamespace(harness_reward=rewards("x").harness_rewards),
        "twice": lambda index: rewards("x", "x"),
    }
    registry = Registry.of([(f"d{index}", made[kind](index)) for index, kind in enumerate(kinds)])
    sound = {f"d{index}/mate-{index}" for index, kind in enumerate(kinds) if kind == "sound"}
    assert {offer.qualified for offer in registry.all()} == sound
    assert len(registry.failures) == len(kinds) - len(sound)
    assert set(registry.distributions) == {name.partition("/")[0] for name in sound}


# ------------------------------------------------------------------------------------------------- lookup


def test_what_is_found_carries_its_origin():
    offer = Registry.of([("good", rewards("mate"))]).find("reward", "mate")
    assert (offer.kind, offer.name, offer.qualified, offer.version) == ("reward", "mate", "good/mate", "0")
    assert offer.identity == "good:mate@0"


def test_an_unknown_name_gets_near_matches():
    with pytest.raises(PluginError, match="'maet'") as raised:
        Registry.of([("good", rewards("mate", "stalemate"))]).find("reward", "maet")
    assert "did you mean mate" in raised.value.hint
    assert raised.value.exit_code == 3


def test_a_name_of_another_kind_is_told():
    with pytest.raises(PluginError) as raised:
        Registry.of([("good", rewards("mate"))]).find("domain", "mate")
    assert "mate is the name of a reward" in raised.value.hint


def test_an_unknown_name_mentions_the_plugins_that_failed():
    registry = Registry.of([("good", rewards("mate")), ("bad", broken(ValueError("boom")))])
    with pytest.raises(PluginError) as raised:
        registry.find("reward", "lost")
    assert "bad 0" in raised.value.hint


def test_a_name_offered_twice_names_both_and_either_can_be_chosen():
    registry = Registry.of([("one", rewards("mate")), ("Two", rewards("mate"))])
    with pytest.raises(PluginError) as raised:
        registry.find("reward", "mate")
    assert "one 0" in raised.value.message
    assert "Two 0" in raised.value.message
    assert "Two/mate" in raised.value.hint
    assert registry.find("reward", "one/mate").distribution == "one"
    assert registry.find("reward", "two/mate").distribution == "Two"


def test_a_distribution_that_offers_a_name_twice_is_told_to_rename():
    registry = Registry.of([("one", rewards("mate")), ("one", rewards("mate"))])
    with pytest.raises(PluginError) as raised:
        registry.find("reward", "one/mate")
    assert "rename" in raised.value.hint


# ---------------------------------------------------------------------------------------- config and build


def build(**fields) -> object:
    offer = Registry.of([("good", rewards("mate", **fields))]).find("reward", "mate")
    return offer.build(offer.config_type()())


def test_build_gives_the_object_with_its_config():
    made = build()
    assert isinstance(made, Mate)
    assert made.config == NoConfig()


@pytest.mark.parametrize("reference", ["harness_that_is_not_there:Mate", "harness:Mate"])
@pytest.mark.parametrize("field", ["load", "config"])
def test_what_cannot_be_imported_names_plugin_and_reference(field, reference):
    with pytest.raises(PluginError) as raised:
        build(**{field: reference})
    assert raised.value.where == "good 0: reward 'mate'"
    assert reference in raised.value.message


class Takes(NoConfig, extra="ignore"):
    pass


@pytest.mark.parametrize("config", [Takes, dict, "harness:RewardResult"])
def test_a_config_has_to_forbid_unknown_keys(config):
    with pytest.raises(PluginError, match="config") as raised:
        build(config=config)
    assert "harness.Config" in raised.value.hint


class Unschemed(Config, arbitrary_types_allowed=True):
    value: Mate | None = None


def test_a_config_without_a_schema_is_told():
    offer = Registry.of([("good", rewards("mate", config=Unschemed))]).find("reward", "mate")
    with pytest.raises(PluginError, match="JSON Schema"):
        offer.config_schema()


def raising(error: Exception):
    def load(config):
        raise error

    return load


def test_a_constructor_that_raises_is_the_plugins_fault():
    with pytest.raises(PluginError, match="KeyError") as raised:
        build(load=raising(KeyError("queen")))
    assert raised.value.where.startswith("good 0")


def test_an_error_meant_for_a_person_passes():
    with pytest.raises(UsageError, match="no board"):
        build(load=raising(UsageError("no board")))


class Half(Reward):
    def __init__(self, config: NoConfig) -> None:
        pass


@pytest.mark.parametrize("load", [lambda config: object(), Half])
def test_what_is_no_reward_is_refused(load):
    with pytest.raises(PluginError, match=r"Reward|abstract"):
        build(load=load)


def test_nothing_is_imported_before_it_is_used():
    registry = Registry.of([("good", rewards("mate", load="not_there:Mate", config="not_there:Config"))])
    assert registry.failures == []
    assert registry.find("reward", "mate").name == "mate"


# ---------------------------------------------------------------------------------------------- observers


def test_an_observer_that_raises_is_reported_and_the_others_are_told():
    told = []

    @hookimpl(specname="harness_run_started")
    def good(event):
        told.append(event)

    @hookimpl(specname="harness_run_started")
    def bad(event):
        raise ValueError("boom")

    registry = Registry.of([("a", SimpleNamespace(bad=bad)), ("b", SimpleNamespace(good=good)), ("c", rewards("mate"))])
    [(label, error)] = registry.notify("harness_run_started", "the event").items()
    assert told == ["the event"]
    assert label.startswith("a 0")
    assert error == "ValueError: boom"
