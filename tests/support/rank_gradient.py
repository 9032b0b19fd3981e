"""One of the processes of test_launch.py: python rank_gradient.py FOLDER.

One optimizer step through `train_with_trl` a loss, on completions that are a function of their prompt and place; rank 0
writes the step's gradient to FOLDER.
"""

import hashlib
import os
import sys
from collections import Counter
from pathlib import Path

import torch
from training_folder import training_in
from transformers import TrainerCallback
from trl import GRPOTrainer

from harness import NoConfig, TrainingDomain
from harness.training import PolicyGradientConfig
from harness.training.trl_run import train_with_trl
from harness_lab.domains import LabDomainConfig, MathDomain
from harness_lab.model import FOLDER
from harness_lab.rewards import MathReward


class KeepGradient(TrainerCallback):
    def __init__(self, file):
        self.file = file

    def on_pre_optimizer_step(self, args, state, control, model=None, **_):
        if state.is_world_process_zero:
            torch.save({name.removeprefix("module."): p.grad for name, p in model.named_parameters()}, self.file)


def fixed_completions(file):
    class Fixed(GRPOTrainer):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            self.add_callback(KeepGradient(file))

        def _generate_single_turn(self, prompt_ids, *_, **__):
            seen = Counter()
            completions = []
            for ids in prompt_ids:
                place = tuple(ids)
                digest = hashlib.sha256(repr((place, seen[place])).encode()).digest()
                seen[place] += 1
                completions.append([5 + byte % 60 for byte in digest[: 1 + digest[0] % 4]])
            return completions, None

    return Fixed


def main(folder):
    processes = os.environ.get("WORLD_SIZE", "1")
    for loss_type in ("dapo", "grpo"):
        place = folder / processes / loss_type
        config = PolicyGradientConfig(steps=1, prompts_per_step=4, generations=4, loss_type=loss_type)
        domain = MathDomain(LabDomainConfig(prompts=16))
        # Rewards that differ within a group, or there would be no gradient to compare.
        reward = MathReward(NoConfig())
        reward.score = lambda batch: [reward_of(text) for text in batch.completions]
        context = training_in(place, FOLDER, [TrainingDomain(name="math", domain=domain, reward=reward)])
        train_with_trl(context, config, trainer_class=fixed_completions(place / "gradient.pt"))


def reward_of(text):
    from harness import RewardResult

    return RewardResult.ok(hashlib.sha256(text.encode()).digest()[0] / 255)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
