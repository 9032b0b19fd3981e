"""TRL's GRPOTrainer with the divergence from teachers in the place of its loss.

TRL's own DistillationTrainer has one teacher and no weights of tokens. GRPOTrainer's sampling, order of prompts,
resumable states and log are those of every other training here, so a distillation and a refresh differ in the loss
alone. Rewards are computed and logged, and have no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from trl import GRPOTrainer

from harness.training import DOMAIN_COLUMN
from harness_algorithms.distillation.config import DistillationConfig
from harness_algorithms.distillation.loss import (
    importance_weights,
    reverse_kl,
    sampled_loss,
    target_log_probabilities,
    token_weights,
)
from harness_algorithms.distillation.teachers import Teachers

DOMAIN, WEIGHT = "distilled_domain", "token_weight"
DIVERGENCE = "divergence"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """folders: of the teachers by domain, in a fixed order. shares: of the loss by domain. base: of the base model."""

    config: DistillationConfig
    folders: Mapping[str, Path]
    shares: Mapping[str, float]
    base: Path


class OnPolicyDistillationTrainer(GRPOTrainer):  # type: ignore[misc]  # TRL is read without types
    """The mean over tokens of the reverse KL to the teacher of each token's domain, weighted by domain. Logs the
    divergence in nats per token, for each domain too."""

    def __init__(self, *args: Any, plan: Plan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plan = plan
        self._domains = list(plan.folders)
        self._teachers = Teachers(plan.config.dtype)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = dict(super()._generate_and_score_completions(inputs))
        mask = output["completion_mask"]
        own = torch.tensor([self._domains.index(row[DOMAIN_COLUMN]) for row in inputs], device=mask.device)
        tokens = torch.zeros(len(self._domains), dtype=torch.float64, device=mask.device)
        tokens.index_add_(0, own, mask.sum(dim=1).double())
        shares = [self._plan.shares[name] for name in self._domains]
        output[DOMAIN] = own
        output[WEIGHT] = token_weights(self.accelerator.reduce(tokens), shares)[own].float()
        return output

    def _compute_loss(self, model: Any, inputs: Mapping[str, Any]) -> Tensor:
        config, mask = self._plan.config, inputs["completion_mask"]
        student = self._log_probabilities(model, inputs)
        sampled = _at(student, inputs["completion_ids"])
        with torch.no_grad():
            target = self._target(inputs)
        divergence = reverse_kl(student, target)
        loss = (
            divergence
            if config.divergence == "vocabulary"
            else sampled_loss(sampled, _at(target, inputs["completion_ids"]))
        )
        sampler = inputs.get("sampling_per_token_logps", inputs.get("old_per_token_logps"))
        if sampler is not None:
            loss = loss * importance_weights(sampled, sampler, config.lowest_weight, config.highest_weight)
        # As in TRL's loss `dapo`: the number of tokens is that of all passes of the round.
        normalizer = inputs["num_items_in_batch"].clamp(min=1.0) / self.accelerator.num_processes
        normalizer = normalizer * self.current_gradient_accumulation_steps / self.args.steps_per_generation
        self._note(divergence.detach(), inputs[DOMAIN], mask)
        return (loss * mask * inputs[WEIGHT].unsqueeze(1)).sum() / normalizer

    def _target(self, inputs: Mapping[str, Any]) -> Tensor:
        """Returns the log probabilities of the policy to match, [B, T, V]."""
        folders = list(self._plan.folders.values())
        extrapolation = self._plan.config.extrapolation
        base = None if extrapolation == 1 else self._of(self._plan.base, inputs)
        teacher: Tensor | None = None
        for folder in dict.fromkeys(folders):
            taught = torch.tensor([folders[domain] == folder for domain in inputs[DOMAIN].tolist()])
            if not taught.any():
                continue
            rows = taught.nonzero().squeeze(1).to(inputs[DOMAIN].device)
            own = self._of(folder, {name: inputs[name][rows] for name in _READ})
            if teacher is None:
                teacher = own.new_zeros((len(inputs[DOMAIN]), *own.shape[1:]))
            teacher[rows] = own
        assert teacher is not None  # every row has a domain, and every domain a teacher
        return target_log_probabilities(teacher, base, extrapolation)

    def _of(self, folder: Path, inputs: Mapping[str, Any]) -> Tensor:
        with self._teachers.on(self.accelerator.device, folder) as model:
            return self._log_probabilities(model, inputs)

    def _log_probabilities(self, model: Any, inputs: Mapping[str, Any]) -> Tensor:
        """Returns the log probabilities of every token at each place of the completions, [B, T, V], in fp32, at the
        temperature of sampling."""
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        attention = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
        kept = inputs["completion_ids"].size(1)
        with self.accelerator.autocast():
            logits = model(input_ids=ids, attention_mask=attention, logits_to_keep=kept + 1).logits
        return torch.log_softmax(logits[:, -kept - 1 : -1].float() / self.temperature, dim=-1)

    def _note(self, divergence: Tensor, domains: Tensor, mask: Tensor) -> None:
        metrics = self._metrics["train"]
        sums = torch.stack([(divergence * mask).sum(dim=1), mask.sum(dim=1).float()], dim=1)
        sums = self.accelerator.gather(sums)
        owners = self.accelerator.gather(domains)
        metrics[DIVERGENCE].append(float(sums[:, 0].sum() / sums[:, 1].sum().clamp(min=1)))
        for number, name in enumerate(self._domains):
            own = sums[owners == number]
            if len(own):
                metrics[f"{DIVERGENCE}/{name}"].append(float(own[:, 0].sum() / own[:, 1].sum().clamp(min=1)))


_READ = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")


def _at(log_probabilities: Tensor, ids: Tensor) -> Tensor:
    """Returns the log probabilities of the tokens `ids`, [B, T]."""
    return log_probabilities.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
