import pytest
from harness_NAME.algorithm import CenteredConfig
from pydantic import ValidationError


def test_the_config_has_the_settings_of_grpo_and_its_own():
    config = CenteredConfig(steps=3, scale=True)
    assert (config.steps, config.scale) == (3, True)
    with pytest.raises(ValidationError):
        CenteredConfig(scales=True)
