"""RLOO's settings are checked against TRL's RLOOConfig, not GRPO's."""

import pytest
from pydantic import ValidationError

from harness.training import PolicyGradientConfig
from harness_algorithms.grpo.config import RLOOConfig


def test_fields_of_rloo_pass():
    assert RLOOConfig(trl={"normalize_advantages": True}).trl == {"normalize_advantages": True}
    assert RLOOConfig().loss_fields() == {} and PolicyGradientConfig().loss_fields() == {"loss_type": "dapo"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"trl": {"loss_type": "dapo"}}, "RLOOConfig has no field loss_type"),
        ({"trl": {"scale_rewards": False}}, "RLOOConfig has no field scale_rewards"),
        ({"trl": {"beta": 0.1}}, "use beta"),
        ({"loss_type": "dapo"}, "Extra inputs"),
    ],
)
def test_what_only_grpo_has_is_refused(given, says):
    with pytest.raises(ValidationError, match=says):
        RLOOConfig(**given)
