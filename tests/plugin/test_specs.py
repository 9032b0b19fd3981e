"""Specs reject names and references that could not be looked up or loaded later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import DomainSpec, PluginError, RewardSpec
from harness.plugin.hookspecs import HOOKS_BY_KIND, RegistrationHooks
from harness.plugin.registered import INTERFACES, SPEC_TYPES


def reward(name: str = "mate", **fields) -> RewardSpec:
    return RewardSpec(**{"name": name, "summary": "Mate", "load": "chess.reward:Mate", **fields})


@given(st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True))
def test_lower_case_words_are_names(name):
    assert reward(name).name == name


@given(st.from_regex(r"[a-z]{0,5}[ /:@A-Z][a-z]{0,5}", fullmatch=True) | st.just(""))
def test_names_that_a_protocol_could_not_write_are_refused(name):
    with pytest.raises(PluginError, match="has the name"):
        reward(name)


@pytest.mark.parametrize("field", ["load", "config"])
@pytest.mark.parametrize("reference", ["chess.reward", "chess:reward:Mate", ""])
def test_references_name_a_module_and_an_attribute(field, reference):
    with pytest.raises(PluginError, match=field) as raised:
        reward(**{field: reference})
    assert "package.module:attribute" in raised.value.hint


def test_unknown_needs_are_refused_with_the_known_ones():
    with pytest.raises(PluginError, match="needs tpu") as raised:
        reward(needs=frozenset({"tpu", "gpu"}))
    assert "executes-code" in raised.value.hint


def test_specs_are_frozen():
    with pytest.raises(AttributeError):
        reward().name = "other"  # type: ignore[misc]


def test_a_domain_names_its_reward():
    with pytest.raises(TypeError, match="reward"):
        DomainSpec(name="chess", summary="Chess", load="chess:Chess")  # type: ignore[call-arg]


def test_every_kind_has_a_hook_a_spec_and_what_it_loads_into():
    hooks = {name for name in vars(RegistrationHooks) if name.startswith("harness_")}
    assert set(HOOKS_BY_KIND.values()) == hooks
    assert set(HOOKS_BY_KIND) == set(SPEC_TYPES) == {*INTERFACES, "protocol"}
