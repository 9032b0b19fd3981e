"""The settings of a training step, checked against TRL's own fields without importing TRL."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from harness.training import PolicyGradientConfig
from harness.training.trl_fields import config_fields


def test_fields_read_from_the_source_are_those_of_the_class():
    import dataclasses

    from trl import GRPOConfig

    assert config_fields("GRPOConfig") == {f.name for f in dataclasses.fields(GRPOConfig) if f.init}


def test_reading_the_fields_imports_neither_trl_nor_torch():
    code = (
        "import sys; from harness.training.trl_fields import config_fields as f; assert 'epsilon' in f('GRPOConfig');"
        "print([m for m in ('torch', 'trl', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_any_field_of_trl_passes():
    assert PolicyGradientConfig(trl={"epsilon": 0.1, "use_vllm": True}).trl == {"epsilon": 0.1, "use_vllm": True}


@pytest.mark.parametrize(
    ("given", "says"),
    [({"epsilonn": 1}, "did you mean epsilon"), ({"max_steps": 3}, "use steps"), ({"seed": 1}, "the protocol's seeds")],
)
def test_unknown_and_reserved_fields_are_refused(given, says):
    with pytest.raises(ValidationError, match=says):
        PolicyGradientConfig(trl=given)


def test_unknown_trl_class():
    with pytest.raises(LookupError, match="NoSuchConfig"):
        config_fields("NoSuchConfig")


@pytest.mark.parametrize("name", ["eager", "sdpa", "flex_attention"])
def test_torchs_own_attention_needs_no_package(name):
    assert list(PolicyGradientConfig(attn_implementation=name).faults()) == []


@pytest.mark.parametrize(
    ("name", "package"),
    [("flash_attention_2", "flash_attn"), ("flash_attention_3", "flash_attn_interface"), ("org/attention", "kernels")],
)
def test_the_package_of_an_attention_is_asked_for(name, package, monkeypatch):
    monkeypatch.setattr("harness.plugin.config.find_spec", lambda _: None)
    [fault] = PolicyGradientConfig(attn_implementation=name).faults()
    assert (fault.key, package in fault.message) == ("attn_implementation", True)


def test_an_unknown_attention_is_refused():
    with pytest.raises(ValidationError, match="attn_implementation"):
        PolicyGradientConfig(attn_implementation="flash")


def test_without_an_attention_the_settings_of_a_key_are_as_before():
    assert "attn_implementation" not in PolicyGradientConfig().model_dump()
    assert PolicyGradientConfig(attn_implementation="eager").model_dump()["attn_implementation"] == "eager"
