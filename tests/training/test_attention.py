"""The attention that a training asks for is that of the trained model, and is not written to its config."""

import pytest
from training_folder import training_in
from trl import GRPOTrainer

from harness import Reward, RewardResult, TrainingDomain
from harness.testing import tiny_checkpoint, tiny_domains
from harness.training import PolicyGradientConfig
from harness.training.trl_run import train_with_trl


class Length(Reward):
    def score(self, batch):
        return [RewardResult.ok(len(text)) for text in batch.completions]


@pytest.mark.parametrize(("asked", "used"), [("eager", "eager"), ("sdpa", "sdpa"), (None, "sdpa")])
def test_the_trained_model_has_the_attention_that_is_asked_for(asked, used, tmp_path):
    seen = []

    class Watched(GRPOTrainer):
        def training_step(self, model, *arguments, **named):
            seen.append(model.config._attn_implementation)
            return super().training_step(model, *arguments, **named)

    model = tiny_checkpoint(tmp_path / "model")
    domain = TrainingDomain(name="digits", domain=tiny_domains()["one"].domain, reward=Length())
    settings = {"steps": 1, "prompts_per_step": 2, "generations": 2, "max_completion_length": 4, "save_every": 0}
    config = PolicyGradientConfig(**settings, attn_implementation=asked)
    train_with_trl(training_in(tmp_path, model, [domain]), config, trainer_class=Watched)
    assert set(seen) == {used}
    assert "attn_implementation" not in (tmp_path / "output" / "config.json").read_text()
