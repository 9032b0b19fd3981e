"""The kinds of nodes: what each computes, with which plugins and domains, and the content of its key.

A node's key is a sha256 over its definition, which is everything that its result depends on, so a key is a name for the
result itself: the same key, the same bytes. `definition` of each class of nodes is the one place that says what a key
covers. `harness.planning.planner` makes nodes, `harness.execution.computation` computes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.planning.node import Calls, ColumnUse, Domains, Node, StepNode, TrainingNode, WorkloadSource
from harness.plugin.workload import Workload
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.protocol.plugin_ref import PluginRef


@dataclass(frozen=True, kw_only=True)
class BaseNode(Node):
    """The base model. It is not stored; `fingerprint` identifies its weights."""

    kind: Literal["base"] = "base"
    model: PluginRef
    fingerprint: str

    def definition(self, harness: str, domains: Domains) -> dict[str, Any]:
        """The model's plugin, its config and the fingerprint of its files. The node is the same for all seeds."""
        return {"kind": self.kind, "model": self.model.definition(), "fingerprint": self.fingerprint}

    def plugins(self, domains: Domains) -> list[PluginRef]:
        return [self.model]


@dataclass(frozen=True, kw_only=True)
class TrainNode(TrainingNode):
    """A training of `parents[-1]` on `domains` (weights by name, ordered by name) with `algorithm`.

    whole_lineage: whether `lineage` is the whole one from the base, for an algorithm that reads it; otherwise it is the
    checkpoint to start from. The key covers the lineage in both cases.
    """

    kind: Literal["train"] = "train"
    algorithm: PluginRef
    domains: Mapping[str, float]
    whole_lineage: bool = False

    def definition(self, harness: str, domains: Domains) -> dict[str, Any]:
        """The harness, the seed, the parent, the algorithm, the experts' checkpoints, and each domain with its reward
        and weight, sorted by name as the algorithm sees them. Replayed domains are part of the parent's key.
        """
        return {
            "kind": self.kind,
            "harness": harness,
            "seed": self.seed,
            "parent": self.parents[-1],
            "train": self.algorithm.definition(),
            "domains": [domains[name].definition() | {"weight": weight} for name, weight in self.domains.items()],
            **self._experts_definition(),
            **self._launch_definition(),
        }

    @property
    def trained_domains(self) -> tuple[str, ...]:
        return tuple(self.domains)

    @property
    def trained_with(self) -> PluginRef:
        return self.algorithm

    @property
    def sampled_domains(self) -> tuple[str, ...]:
        return (*self.domains, *self.earlier)

    def calls(self, domains: Domains) -> Calls:
        return [(self.algorithm, self.sampled_domains)]

    def workload(self, source: WorkloadSource) -> Workload | None:
        return source.of_config(self.algorithm)


@dataclass(frozen=True, kw_only=True)
class RecoverNode(TrainingNode):
    """A recovery of `targets` on `parents[-1]`; `lineage` is the whole one from the base.

    peaks: the index into `lineage` of the last training of each domain trained before; they follow from the parents.
    training: the resolved algorithm of a recovery that trains, None for training-free recoveries.
    """

    kind: Literal["recover"] = "recover"
    recovery: PluginRef
    targets: tuple[str, ...]
    peaks: Mapping[str, int]
    training: PluginRef | None = None

    def definition(self, harness: str, domains: Domains) -> dict[str, Any]:
        """The harness, the seed, the lineage, the recovery, its training, the experts' checkpoints, the target and its
        peak, or several of them sorted by name. The other domains that a recovery may read are part of the lineage's
        keys."""
        targets = sorted(self.targets)
        return {
            "kind": self.kind,
            "harness": harness,
            "seed": self.seed,
            "lineage": list(self.lineage),
            "recover": self.recovery.definition(),
            "train": None if self.training is None else self.training.definition(),
            **self._experts_definition(),
            **(
                {"target": domains[targets[0]].definition(), "peak": self.peaks[targets[0]]}
                if len(targets) == 1
                else {
                    "targets": [domains[name].definition() for name in targets],
                    "peaks": [self.peaks[name] for name in targets],
                }
            ),
            **self._launch_definition(),
        }

    @property
    def trained_domains(self) -> tuple[str, ...]:
        return () if self.training is None else self.targets

    @property
    def trained_with(self) -> PluginRef | None:
        return self.training

    @property
    def recovered_domains(self) -> tuple[str, ...]:
        return self.targets

    @property
    def sampled_domains(self) -> tuple[str, ...]:
        return (*self.targets, *self.earlier)

    def calls(self, domains: Domains) -> Calls:
        training = [] if self.training is None else [(self.training, self.sampled_domains)]
        return [(self.recovery, self.targets), *training]

    def workload(self, source: WorkloadSource) -> Workload | None:
        own = source.of_recovery(self.recovery, len(self.peaks))
        training = None if self.training is None else source.of_config(self.training)
        return own if self.training is None or training is None else training.after(own)


@dataclass(frozen=True, kw_only=True)
class MergeNode(TrainingNode):
    """A merge of experts. `parents` is the base, then the last checkpoint of each expert in the protocol's order.

    weights: of the experts, in the same order. trained: the domains that the experts trained, by name. They count as
    trained by the merge. training: the resolved algorithm of a merge that trains, else None.
    """

    kind: Literal["merge"] = "merge"
    merge: PluginRef
    weights: tuple[float, ...]
    trained: tuple[str, ...]
    training: PluginRef | None = None

    def definition(self, harness: str, domains: Domains) -> dict[str, Any]:
        """The harness, the seed, the base, the experts' checkpoints and weights in order, the merge, and its training.
        Domains are part of the experts' keys. The names of their methods are in no key."""
        return {
            "kind": self.kind,
            "harness": harness,
            "seed": self.seed,
            "base": self.start,
            **self._experts_definition(),
            "weights": list(self.weights),
            "merge": self.merge.definition(),
            **({} if self.training is None else {"train": self.training.definition(self.experts)}),
            **self._launch_definition(),
        }

    @property
    def start(self) -> str:
        return self.parents[0]

    @property
    def lineage(self) -> tuple[str, ...]:
        return self.parents[:1]

    @property
    def merged_checkpoints(self) -> tuple[str, ...]:
        return self.parents[1:]

    @property
    def trained_domains(self) -> tuple[str, ...]:
        return self.trained

    @property
    def trained_with(self) -> PluginRef | None:
        return self.training

    @property
    def sampled_domains(self) -> tuple[str, ...]:
        return () if self.training is None else self.trained

    def calls(self, domains: Domains) -> Calls:
        training = [] if self.training is None else [(self.training, self.trained)]
        return [(self.merge, self.trained), *training]

    def workload(self, source: WorkloadSource) -> Workload | None:
        return Workload() if self.training is None else source.of_config(self.training)


@dataclass(frozen=True, kw_only=True)
class StateNode(StepNode):
    """The model that `training` has after `optimizer_step` of its optimizer steps. `parents` is the parents of the
    training, then the training.

    The training writes it while it runs, which is no part of the training's key. If it did not, it is trained again.
    """

    kind: Literal["state"] = "state"
    training: Annotated[TrainNode | RecoverNode | MergeNode, Field(discriminator="kind")]
    optimizer_step: int

    def definition(self, harness: str, domains: Domains) -> dict[str, Any]:
        """The checkpoint that the training starts from, the training, whose key covers everything else, and the number
        of its optimizer steps."""
        return {
            "kind": self.kind,
            "parent": self.start,
            "training": self.training.key,
            "optimizer_step": self.optimizer_step,
        }

    @property
    def start(self) -> str:
        """The key of the checkpoint that the training starts from."""
        return self.training.start

    @property
    def launch(self) -> Mapping[str, Any] | None:
        """That of the training."""
        return self.training.launch

    @property
    def trained_with(self) -> PluginRef | None:
        return self.training.trained_with

    @property
    def sampled_domains(self) -> tuple[str, ...]:
        return self.training.sampled_domains

    def calls(self, domains: Domains) -> Calls:
        return self.training.calls(domains)

    def workload(self, source: WorkloadSource) -> Workload:
        """None of its own: the training does the work."""
        work = self.training.workload(source)
        return Workload(dtype=None if work is None else work.dtype)


@dataclass(frozen=True, kw_only=True)
class EvaluateNode(Node):
    """The evaluation of checkpoint `parents[0]` on one domain, or on the evaluation-only column `column`.

    domain: the name of either.
    """

    kind: Literal["evaluate"] = "evaluate"
    domain: str
    settings: EvaluationSettings
    column: ColumnUse | None = None

    def definition(self, harness: str, domains: Domains) -> dict[str, Any]:
        """The harness, the checkpoint, the domain's plugin, config and data, and the settings. Excludes the domain's
        name and reward, because scores do not depend on them."""
        domain = self.column or domains[self.domain]
        return {
            "kind": self.kind,
            "harness": harness,
            "checkpoint": self.parents[0],
            "domain": domain.plugin.definition(),
            "fingerprint": domain.fingerprint,
            "evaluate": self.settings.definition(),
        }

    def works_on(self, domain: str) -> bool:
        return domain == self.domain

    @property
    def sampled_domains(self) -> tuple[str, ...]:
        return (self.domain,) if self.column is None else ()

    def plugins(self, domains: Domains) -> list[PluginRef]:
        return [(self.column or domains[self.domain]).plugin]

    def workload(self, source: WorkloadSource) -> Workload | None:
        count = source.domain(self.domain).scored_completions(self.settings.limit)
        return None if count is None else Workload(completions=count)


@dataclass(frozen=True, kw_only=True)
class ProbeNode(Node):
    """A probe over a method's lineage, base first, and the models within its recoveries that the probe reads.

    parents: the lineage, then `states`. scored_with: the settings of each domain, for a probe that evaluates models.
    """

    kind: Literal["probe"] = "probe"
    probe: PluginRef
    states: tuple[str, ...] = ()
    scored_with: Mapping[str, EvaluationSettings] = field(default_factory=dict)

    @property
    def lineage(self) -> tuple[str, ...]:
        """The keys of the method's checkpoints, base first."""
        return self.parents[: len(self.parents) - len(self.states)]

    @property
    def start(self) -> str:
        return self.lineage[-1]

    def definition(self, harness: str, domains: Domains) -> dict[str, Any]:
        """The harness, the seed, the lineage, the probe, every domain of the protocol in order, and the settings. The
        states follow from the lineage and the probe's config."""
        return {
            "kind": self.kind,
            "harness": harness,
            "seed": self.seed,
            "lineage": list(self.lineage),
            "probe": self.probe.definition(),
            "domains": [domain.definition() for domain in domains.values()],
            "evaluate": {name: settings.definition() for name, settings in self.scored_with.items()},
        }

    def calls(self, domains: Domains) -> Calls:
        return [(self.probe, tuple(domains))]


CheckpointNode = BaseNode | TrainNode | RecoverNode | MergeNode

AnyNode = Annotated[CheckpointNode | StateNode | EvaluateNode | ProbeNode, Field(discriminator="kind")]
"""Every kind of node."""
