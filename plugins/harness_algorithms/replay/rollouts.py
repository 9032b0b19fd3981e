"""The examples of `replay-sft`: rollouts of the step's start on earlier domains, filtered by their rewards."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from harness import Cost, TrainingContext, TrainingDomain
from harness.training import rewards_of, sample_policy
from harness_algorithms.replay.config import ReplaySFTConfig

_FILE = "rollouts.json"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A completion to train on. ids: the tokens of prompt and completion. prompt_length: how many are the prompt's."""

    ids: tuple[int, ...]
    prompt_length: int


@dataclass(frozen=True, kw_only=True)
class Rollouts:
    """kept: the examples of each domain that has some. counts: how many completions were sampled and kept, by domain.
    cost: of the sampling."""

    kept: Mapping[str, Sequence[Example]]
    counts: Mapping[str, Mapping[str, int]]
    cost: Cost

    def of_step(self, step: int, count: int, seed: int) -> list[Example]:
        """Returns the examples of an optimizer step: the domains in turn, each in an order that is shuffled again when
        all have been used. Depends on the arguments alone, so a resumed training continues with the same examples."""
        names = sorted(self.kept)
        places = range(step * count, (step + 1) * count)
        return [self._at(names[place % len(names)], place // len(names), seed) for place in places]

    def _at(self, domain: str, place: int, seed: int) -> Example:
        own = self.kept[domain]
        order = random.Random(f"{seed}/{domain}/{place // len(own)}").sample(range(len(own)), len(own))
        return own[order[place % len(own)]]


def rollouts(context: TrainingContext, config: ReplaySFTConfig) -> Rollouts:
    """Returns the rollouts of a step. They are sampled once: a resumed step reads those of the killed one."""
    file = context.scratch / _FILE
    if not file.exists():
        sampled = {domain.name: _sampled(context, config, domain) for domain in context.earlier}
        temporary = file.with_suffix(f".{os.getpid()}.tmp")  # each rank samples
        temporary.write_text(json.dumps(sampled), encoding="utf-8")
        temporary.replace(file)
    stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    kept = {name: [Example(ids=tuple(e["ids"]), prompt_length=e["prompt_length"]) for e in own["kept"]]
            for name, own in stored.items()}  # fmt: skip
    return Rollouts(
        kept={name: examples for name, examples in kept.items() if examples},
        counts={name: {"sampled": own["sampled"], "kept": len(own["kept"])} for name, own in stored.items()},
        cost=Cost(
            completions=sum(own["sampled"] for own in stored.values()),
            generated_tokens=sum(own["tokens"] for own in stored.values()),
        ),
    )


def _sampled(context: TrainingContext, config: ReplaySFTConfig, domain: TrainingDomain) -> dict[str, Any]:
    seed = random.Random(f"{context.seed}/rollouts/{domain.name}").getrandbits(31)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        _, samples, rows = sample_policy(context.checkpoint, domain, count=config.rollouts, seed=seed)
    rewards = rewards_of(samples, rows, domain)
    good = good_enough(rewards, config.min_reward)
    examples = [
        Example(ids=tuple(sample.ids.tolist()), prompt_length=sample.prompt_length)
        for sample, chosen in zip(samples, good, strict=True)
        if chosen
    ]
    return {
        "sampled": len(samples),
        "tokens": sum(len(sample.ids) - sample.prompt_length for sample in samples),
        "kept": [asdict(example) for example in examples],
    }


def good_enough(rewards: Sequence[float | None], least: float | None) -> list[bool]:
    """Returns which completions to train on. least: their lowest reward; None: above the mean, or all where all have
    the same reward above 0. A completion whose reward failed is left out."""
    known = [reward for reward in rewards if reward is not None]
    if least is not None:
        return [reward is not None and reward >= least for reward in rewards]
    if not known or min(known) == max(known):
        return [reward is not None and reward > 0 for reward in rewards]
    mean = sum(known) / len(known)
    return [reward is not None and reward > mean for reward in rewards]
