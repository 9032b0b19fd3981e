"""Builds the plan of a protocol: a tree of nodes with content keys, in which methods share their common first steps.

See `harness.planning.nodes` for the content of keys. Labels, the text of the protocol and the versions of libraries
such as torch are not part of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from harness.errors import CheckpointError, HarnessError, PluginError
from harness.planning.definitions import key_of, run_key
from harness.planning.node import ColumnUse, DomainUse
from harness.planning.nodes import (
    AnyNode,
    BaseNode,
    CheckpointNode,
    EvaluateNode,
    MergeNode,
    ProbeNode,
    RecoverNode,
    StateNode,
    TrainNode,
)
from harness.planning.plan import MethodPlan, Plan
from harness.plugin.config import Config
from harness.plugin.nested_reward import reward_uses
from harness.plugin.registry import Registry
from harness.plugin.specs import AlgorithmSpec, ProbeSpec
from harness.protocol import (
    DeclaredColumn,
    DeclaredDomain,
    MergeStep,
    Protocol,
    RecoverStep,
    Step,
    TrainStep,
    config_of,
    instance_of,
)
from harness.protocol.data import ExpertMethod
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.source import key_text
from harness.protocol.states import optimizer_steps

SomeNode = TypeVar("SomeNode", bound=AnyNode)


def make_plan(protocol: Protocol, registry: Registry) -> Plan:
    """Returns the plan of a protocol. Calls plugins for the fingerprints of their data; trains and downloads nothing.

    Raises PluginError if a plugin cannot be built or has no fingerprint. A plugin's own HarnessError is passed on.
    """
    return _Planner(protocol, registry).plan()


class _Planner:
    """Builds one plan."""

    def __init__(self, protocol: Protocol, registry: Registry) -> None:
        self._protocol = protocol
        self._registry = registry
        self._harness = registry.harness_identity()
        self._nodes: dict[str, AnyNode] = {}
        self._evaluations: dict[str, dict[str, str]] = {}
        self._uses: dict[int, PluginRef] = {}
        self._domains = {name: self._domain(domain) for name, domain in protocol.domains.items()}
        self._columns = {name: self._column(column) for name, column in protocol.columns.items()}

    def plan(self) -> Plan:
        """Returns the plan, by seed and method, with the evaluations of each checkpoint directly after it."""
        protocol = self._protocol
        base = self._base()
        methods = [
            self._method(name, steps, seed, base) for seed in protocol.seeds for name, steps in protocol.methods.items()
        ]
        return Plan(
            protocol=protocol.name,
            key=run_key(
                protocol.name,
                domains=self._domains,
                results=self._nodes,
                methods=[(method.name, method.seed, method.lineage) for method in methods],
                columns={name: column.in_average for name, column in self._columns.items()},
            ),
            model=protocol.model_label,
            seeds=protocol.seeds,
            domains=self._domains,
            settings=protocol.settings,
            nodes=self._nodes,
            methods=tuple(methods),
            evaluations=self._evaluations,
            harness=self._harness,
            columns=self._columns,
        )

    def _column(self, column: DeclaredColumn) -> ColumnUse:
        return ColumnUse(
            name=column.name,
            plugin=self._use(column.plugin),
            fingerprint=_fingerprint(column.plugin, self._registry),
            in_average=column.in_average,
        )

    def _domain(self, domain: DeclaredDomain) -> DomainUse:
        return DomainUse(
            name=domain.name,
            plugin=self._use(domain.plugin),
            reward=self._use(domain.reward),
            fingerprint=_fingerprint(domain.plugin, self._registry),
            reward_fingerprint=_fingerprint(domain.reward, self._registry),
        )

    def _use(self, use: PluginRef) -> PluginRef:
        """Returns a plugin of the protocol with the fingerprints of its rewards. Fingerprints are computed once."""
        if id(use) not in self._uses:
            self._uses[id(use)] = _with_rewards(use, self._registry)
        return self._uses[id(use)]

    def _keyed(self, node: SomeNode) -> SomeNode:
        """Returns the node with its key."""
        return replace(node, key=key_of(node.definition(self._harness, self._domains)))

    def _add(self, node: SomeNode) -> SomeNode:
        """Adds the node to the plan and returns it. A node that already exists keeps its label."""
        self._nodes.setdefault(node.key, node)
        return node

    def _method(self, name: str, steps: Sequence[Step], seed: int, base: BaseNode) -> MethodPlan:
        keys = tuple(node.key for node in self._lineage(steps, seed, base, scored=True))
        probes = tuple(self._add(self._probe(probe, name, seed, keys)).key for probe in self._protocol.probes)
        return MethodPlan(name=name, seed=seed, lineage=keys, probes=probes)

    def _lineage(self, steps: Sequence[Step], seed: int, base: BaseNode, *, scored: bool) -> list[CheckpointNode]:
        """Returns the checkpoints of some steps, base first. scored: whether to evaluate each one, which is not needed
        for an expert that is only merged."""
        lineage: list[CheckpointNode] = [base]
        for step in steps:
            if isinstance(step, TrainStep):
                node: CheckpointNode = self._train(step, seed, lineage)
            elif isinstance(step, MergeStep):
                node = self._merge(step, seed, base)
            else:
                node = self._recover(step, seed, lineage)
            lineage.append(self._add(node))
            if scored:
                self._evaluate(node)
                if not isinstance(node, BaseNode):
                    self._states(node)
        return lineage

    def _states(self, training: TrainNode | RecoverNode | MergeNode) -> None:
        """Adds the states within a training that the protocol scores, with their evaluations."""
        for state in self._states_within(training, self._protocol.every):
            self._evaluate(state)

    def _states_within(self, training: TrainNode | RecoverNode | MergeNode, every: int | None) -> Iterator[StateNode]:
        """Adds and yields the states within a training after every `every` optimizer steps."""
        algorithm = training.trained_with
        if every is None or algorithm is None:
            return
        for step in range(every, optimizer_steps(algorithm, self._registry), every):
            state = StateNode(
                key="",
                label=f"{training.label}, optimizer step {step}",
                seed=training.seed,
                parents=(*training.parents, training.key),
                training=training,
                optimizer_step=step,
            )
            yield self._add(self._keyed(state))

    def _merge(self, step: MergeStep, seed: int, base: BaseNode) -> MergeNode:
        lineages = [self._lineage(expert.steps, seed, base, scored=False) for expert in step.experts]
        experts = tuple(lineage[-1].key for lineage in lineages)
        weights = tuple(expert.weight for expert in step.experts)
        node = MergeNode(
            key="",
            label=step.label,
            seed=seed,
            parents=(base.key, *experts),
            merge=self._use(step.merge),
            experts=tuple(expert.name for expert in step.experts),
            weights=weights,
            trained=tuple(sorted({name for lineage in lineages for node in lineage for name in node.trained_domains})),
            training=None if step.training is None else self._use(step.training),
            launch=self._protocol.launch if step.training is not None else None,
        )
        return self._keyed(node)

    def _last_checkpoints(self, experts: Sequence[ExpertMethod], seed: int, base: CheckpointNode) -> Iterator[str]:
        """Yields the keys of the last checkpoints of other methods, whose steps it adds."""
        assert isinstance(base, BaseNode)
        for expert in experts:
            yield self._lineage(expert.steps, seed, base, scored=False)[-1].key

    def _base(self) -> BaseNode:
        model = self._protocol.model
        fingerprint = _fingerprint(model, self._registry)
        node = self._keyed(BaseNode(key="", label="base", seed=0, model=self._use(model), fingerprint=fingerprint))
        self._add(node)
        self._evaluate(node)
        return node

    def _train(self, step: TrainStep, seed: int, lineage: Sequence[CheckpointNode]) -> TrainNode:
        reads = self._reads_lineage(step.algorithm)
        node = TrainNode(
            key="",
            label=step.label,
            seed=seed,
            parents=(
                *self._last_checkpoints(step.experts, seed, lineage[0]),
                *(node.key for node in (lineage if reads else lineage[-1:])),
            ),
            experts=tuple(expert.name for expert in step.experts),
            whole_lineage=reads,
            algorithm=self._use(step.algorithm),
            domains=step.domains,
            earlier=self._earlier(step.algorithm, lineage, step.domains),
            launch=self._protocol.launch,
        )
        return self._keyed(node)

    def _earlier(
        self, algorithm: PluginRef, lineage: Sequence[CheckpointNode], trained: Collection[str]
    ) -> tuple[str, ...]:
        """Returns the domains that the lineage trained, except those of the step, if the algorithm reads them."""
        spec = self._registry.find("algorithm", algorithm.name).spec
        if not (isinstance(spec, AlgorithmSpec) and spec.replays) and not self._reads_lineage(algorithm):
            return ()
        return tuple(sorted({name for node in lineage for name in node.trained_domains} - set(trained)))

    def _reads_lineage(self, algorithm: PluginRef) -> bool:
        config = config_of(algorithm, self._registry)
        return isinstance(config, Config) and config.reads_lineage()

    def _recover(self, step: RecoverStep, seed: int, lineage: Sequence[CheckpointNode]) -> RecoverNode:
        node = RecoverNode(
            key="",
            label=step.label,
            seed=seed,
            parents=(
                *self._last_checkpoints(step.experts, seed, lineage[0]),
                *(node.key for node in lineage),
            ),
            experts=tuple(expert.name for expert in step.experts),
            recovery=self._use(step.recovery),
            targets=step.targets,
            peaks=step.peaks,
            training=None if step.training is None else self._use(step.training),
            earlier=self._earlier(step.training, lineage, step.targets) if step.training is not None else (),
            launch=self._protocol.launch if step.training is not None else None,
        )
        return self._keyed(node)

    def _evaluate(self, checkpoint: CheckpointNode | StateNode) -> None:
        if checkpoint.key in self._evaluations:
            return
        by_domain = {}
        for name in (*self._domains, *self._columns):
            node = EvaluateNode(
                key="",
                label=f"{name} after {checkpoint.label}",
                seed=checkpoint.seed,
                parents=(checkpoint.key,),
                domain=name,
                settings=self._settings(name),
                column=self._columns.get(name),
            )
            by_domain[name] = self._add(self._keyed(node)).key
        self._evaluations[checkpoint.key] = by_domain

    def _settings(self, domain: str) -> EvaluationSettings:
        """Returns the evaluation settings of a domain or column: those of the protocol, with its own chat template."""
        own = self._protocol.columns.get(domain) or self._protocol.domains[domain]
        return replace(self._protocol.settings, chat_template=own.chat_template)

    def _probe(self, probe: PluginRef, method: str, seed: int, lineage: tuple[str, ...]) -> ProbeNode:
        spec = self._registry.find("probe", probe.name).spec
        scores = isinstance(spec, ProbeSpec) and spec.scores
        states = tuple(self._states_read(probe, lineage))
        node = ProbeNode(
            key="",
            label=f"{probe.name} of {method}",
            seed=seed,
            parents=(*lineage, *states),
            states=states,
            probe=self._use(probe),
            scored_with={name: self._settings(name) for name in self._domains} if scores else {},
        )
        return self._keyed(node)

    def _states_read(self, probe: PluginRef, lineage: Sequence[str]) -> Iterator[str]:
        """Adds the states that a probe reads, within the recoveries whose algorithms write states. Yields their
        keys."""
        config = config_of(probe, self._registry)
        every = config.reads_states() if isinstance(config, Config) else None
        for node in (self._nodes[key] for key in lineage):
            if isinstance(node, RecoverNode) and node.training is not None:
                spec = self._registry.find("algorithm", node.training.name).spec
                if isinstance(spec, AlgorithmSpec) and spec.states:
                    yield from (state.key for state in self._states_within(node, every))


def _fingerprint(use: PluginRef, registry: Registry) -> str:
    """Returns the fingerprint of a domain's data, a reward's or a model's weights."""
    return _asked(instance_of(use, registry).fingerprint, use, registry)


def _with_rewards(use: PluginRef, registry: Registry) -> PluginRef:
    """Returns `use` with the fingerprints of the rewards in its config. Builds only these rewards."""
    config = config_of(use, registry)
    registry.bind_rewards(config)
    found = {
        key_text((*path, *below)): _asked(ask, use, registry)
        for path, inner in reward_uses(config)
        for below, ask in inner.fingerprints()
        if not any(path[: len(unkeyed)] == unkeyed for unkeyed in use.unkeyed)
    }
    return replace(use, reward_fingerprints=found)


def _asked(ask: Callable[[], object], use: PluginRef, registry: Registry) -> str:
    """Returns the fingerprint of a plugin, or of a reward in its config."""
    try:
        fingerprint = ask()
    except CheckpointError as error:  # it names a folder but not the plugin
        offer = registry.find(use.kind, use.name)
        raise error.met_by(f"{offer.distribution} {offer.version}: {use.kind} {use.name!r}") from error
    except HarnessError:
        raise
    except Exception as error:
        raise PluginError(
            f"its fingerprint failed: {type(error).__name__}: {error}",
            where=f"{use.identity}: {use.kind} {use.name!r}",
            hint="this is a bug in the plugin or a problem with its files; report it to its authors",
        ) from error
    if not isinstance(fingerprint, str) or not fingerprint:
        raise PluginError(
            f"its fingerprint is {fingerprint!r}, not a text",
            where=f"{use.identity}: {use.kind} {use.name!r}",
            hint="this is a bug in the plugin; report it to its authors",
        )
    return fingerprint
