"""Previews the prompts, completions and rewards of a protocol's domains with the base model, before training.

Completions are sampled with the code and settings of the domain's first training, so they are what the training would
see.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.domains.contamination import Overlap
from harness.domains.judgeable import judgeable_of
from harness.domains.scoring import score_rewards
from harness.errors import HarnessError, PluginError, Problem
from harness.execution.plugin_instances import LazyDomains, PluginInstances
from harness.execution.prefetch import text_overlap
from harness.execution.readiness.model import BaseModelFacts
from harness.execution.readiness.prompts import prompt_faults, spread
from harness.execution.seeds import named_seed
from harness.planning.plan import Plan
from harness.plugin.interfaces import RewardBatch, RewardResult, TrainingDomain

if TYPE_CHECKING:
    from pathlib import Path

    from harness.plugin.registry import Registry
    from harness.training.base_samples import BaseSampler
    from harness.training.sampling import Sample

MANY_TRUNCATED = 0.25
FEW_GROUPS = 0.25
SOME_UNKNOWN = 0.05


@dataclass(frozen=True, kw_only=True)
class PreviewGroup:
    """A prompt as the model sees it, its completions, and their rewards."""

    prompt: str
    completions: tuple[str, ...]
    rewards: tuple[RewardResult, ...]

    @property
    def differs(self) -> bool:
        """Whether the completions have different rewards. If not, GRPO learns nothing from the prompt."""
        return len({result.value for result in self.rewards if result.value is not None}) > 1


@dataclass(frozen=True, kw_only=True)
class DomainPreview:
    """The preview of a domain. faults: reasons why its prompts or rewards cannot be used."""

    domain: str
    training_rows: int = 0
    groups: tuple[PreviewGroup, ...] = ()
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    longest_completion: int = 0
    truncated_share: float = 0.0
    unknown_share: float = 0.0
    overlap: Overlap | None = None
    faults: tuple[Problem, ...] = field(default=())

    @property
    def differing(self) -> int:
        """The number of groups with different rewards."""
        return sum(group.differs for group in self.groups)

    @property
    def values(self) -> list[float]:
        """Returns the rewards that did not fail."""
        return [result.value for group in self.groups for result in group.rewards if result.value is not None]

    @property
    def mean_reward(self) -> float | None:
        return statistics.fmean(self.values) if self.values else None

    def suggestions(self) -> Iterator[str]:
        """Yields suggestions based on the numbers."""
        if not self.groups:
            return
        count, values = len(self.groups), self.values
        failed = [r for group in self.groups for r in group.rewards if r.outcome in ("error", "timeout")]
        total = sum(len(group.rewards) for group in self.groups)
        if 0 < len(failed) < total:
            yield f"{len(failed)} of {total} rewards failed, the first with: {failed[0].detail}"
        if values and not self.differing:
            yield f"GRPO will learn nothing here: the rewards differ within 0 of {count} groups"
            if len(set(values)) == 1:
                yield (
                    f"every completion gets {values[0]:g}: the task may be too hard or too easy for the base model, or"
                    " the reward does not read its answers"
                )
        elif self.differing < FEW_GROUPS * count:
            yield (
                f"the rewards differ within {self.differing} of {count} groups only: raise generations, or choose"
                " prompts nearer to what the model can do"
            )
        if self.truncated_share >= MANY_TRUNCATED:
            yield (
                f"raise completion_tokens or max_completion_length: {self.truncated_share:.0%} of the completions are"
                f" cut off at {self.longest_completion} tokens"
            )
        if self.unknown_share > SOME_UNKNOWN:
            yield f"{self.unknown_share:.0%} of the prompts' tokens are unknown to the tokenizer: choose another model"
        if self.overlap is not None and self.overlap.overlapping:
            yield (
                f"{self.overlap.overlapping} of {self.overlap.items} test items share 13 words with a training prompt:"
                " the model may have seen them in training when it is scored"
            )


class Previewer:
    """Previews the domains of one plan with `prompts` prompts, `generations` completions of each."""

    def __init__(self, plan: Plan, registry: Registry, *, prompts: int, generations: int, seed: int) -> None:
        self._plan = plan
        self._prompts = prompts
        self._generations = generations
        self._seed = seed
        self._plugins = PluginInstances(registry)
        self._domains = LazyDomains(plan.domains, self._plugins, trained=plan.first_trainings())
        self._sampler: BaseSampler | None = None

    def previews(self, names: Sequence[str], starting: Callable[[str], None]) -> Iterator[DomainPreview]:
        """Yields the preview of each domain. `starting` is called with its name before.

        Raises CheckpointError if the base model is not available. A domain that cannot be previewed is yielded with its
        fault.
        """
        folder = self._plugins.usable_base_folder(self._plan.base)
        for name in names:
            starting(name)
            try:
                yield self._preview(name, folder)
            except HarnessError as error:
                message = f"{error.where}: {error.message}" if error.where else error.message
                fault = Problem(message=message, hint=error.hint)
                yield DomainPreview(domain=name, faults=(fault,))

    def _preview(self, name: str, folder: Path) -> DomainPreview:
        domain, facts = self._domains[name], BaseModelFacts(folder)
        seed = named_seed(self._seed, "preview", name)
        loaded = domain.domain.training_data(seed)
        data = judgeable_of(domain, loaded).rows
        rows = spread(data, self._prompts)
        prompts = [row["prompt"] for row in rows]
        sampling = domain.sampled_as()
        faults = tuple(
            prompt_faults(
                spread(loaded, self._prompts),
                facts,
                what="its training prompts",
                chat=bool(self._plan.settings_of(name).chat_template),
                completion_tokens=sampling.max_completion_length,
            )
        )
        overlap = text_overlap(domain.domain)
        if not facts.takes(prompts):
            return DomainPreview(domain=name, training_rows=len(data), overlap=overlap, faults=faults)
        ids = facts.ids(prompts)
        samples = self._samples(folder, domain, prompts, seed)
        groups = tuple(self._groups(domain, rows, samples, facts))
        results = [result for group in groups for result in group.rewards]
        if all(result.outcome in ("error", "timeout") for result in results):
            message = f"its reward could judge none of {len(results)} completions: {results[0].detail}"
            faults += (Problem(message=message, hint=f"the rows have the columns {', '.join(rows[0])}"),)
        return DomainPreview(
            domain=name,
            training_rows=len(data),
            groups=groups,
            prompt_tokens=statistics.fmean(map(len, ids)),
            completion_tokens=statistics.fmean(len(sample.ids) - sample.prompt_length for sample in samples),
            longest_completion=sampling.max_completion_length,
            truncated_share=statistics.fmean(sample.truncated for sample in samples),
            unknown_share=facts.unknown_share(ids),
            overlap=overlap,
            faults=faults,
        )

    def _samples(self, folder: Path, domain: TrainingDomain, prompts: Sequence[Any], seed: int) -> list[Sample]:
        from harness.training.base_samples import BaseSampler

        if self._sampler is None:
            self._sampler = BaseSampler(folder)
        return self._sampler.samples(domain, prompts, generations=self._generations, seed=seed)

    def _groups(
        self,
        domain: TrainingDomain,
        rows: Sequence[Mapping[str, Any]],
        samples: Sequence[Sample],
        facts: BaseModelFacts,
    ) -> Iterator[PreviewGroup]:
        each = [row for row in rows for _ in range(self._generations)]
        batch = RewardBatch(
            prompts=[row["prompt"] for row in each],
            completions=[sample.text for sample in samples],
            rows=[{key: value for key, value in row.items() if key != "prompt"} for row in each],
        )
        try:
            results = score_rewards(domain.reward, batch, label=domain.reward_label)
        except PluginError as error:
            results = [RewardResult.error(error.message)] * len(samples)
        for start in range(0, len(samples), self._generations):
            own = slice(start, start + self._generations)
            first = samples[start]
            yield PreviewGroup(
                prompt=str(facts.tokenizer.decode(first.ids[: first.prompt_length], skip_special_tokens=False)),
                completions=tuple(sample.text for sample in samples[own]),
                rewards=tuple(results[own]),
            )
