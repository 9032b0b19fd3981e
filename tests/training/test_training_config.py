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
