"""Plans a run without executing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.protocols import ProtocolName, installed_plugins, read_protocol, runs_folder

if TYPE_CHECKING:
    import polars as pl

    from harness.api.estimating import PlanEstimate
    from harness.execution.store import Store
    from harness.execution.undamaged import Undamaged
    from harness.planning.counts import PlanCost
    from harness.planning.node import Node
    from harness.planning.plan import Plan
    from harness.planning.requirements import NeedOf
    from harness.planning.why import Explanation
    from harness.plugin.hub_source import HubSource
    from harness.plugin.registry import Registry
    from harness.protocol import Protocol


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """The plan of a protocol and its state in the store.

    folder: the run folder, which may not exist yet. done: the keys of stored nodes, including the base model.
    """

    protocol: Protocol
    plan: Plan
    folder: Path
    store: Store
    done: frozenset[str]
    registry: Registry

    @property
    def order(self) -> list[Node]:
        """All nodes except the base model, in execution order."""
        from harness.execution.runner import walk_order

        return walk_order(self.plan)

    @property
    def nodes(self) -> pl.DataFrame:
        """A frame with one row per node, in execution order: `key`, `kind`, `label`, `seed`, `done`."""
        import polars as pl

        rows = [
            {"key": node.key, "kind": node.kind, "label": node.label, "seed": node.seed, "done": node.key in self.done}
            for node in self.order
        ]
        columns = {"key": pl.String, "kind": pl.String, "label": pl.String, "seed": pl.Int64, "done": pl.Boolean}
        return pl.DataFrame(rows, schema=columns)

    @property
    def titles(self) -> list[str]:
        """The titles of the nodes for messages, in execution order: kind, label and seed."""
        from harness.planning.titles import title_of

        return [title_of(node.kind, node.label, node.seed) for node in self.order]

    def cost(self, *, all_nodes: bool = False) -> PlanCost:
        """Returns the cost (optimizer steps, completions, …) of the missing nodes, or of the whole plan."""
        from harness.planning.counts import cost_of

        return cost_of(self.plan, self.registry, without=() if all_nodes else self.done)

    def estimate(
        self,
        *,
        prompt_tokens: int | None = None,
        gpu_teraflops: float | None = None,
        generation_utilization: float = 0.1,
        training_utilization: float = 0.4,
        model_config: str | Path | None = None,
        slots: int | None = None,
        engine: str | None = None,
    ) -> PlanEstimate:
        """Returns estimates of tokens, hours and disk space from the configs and the model's config.json. Nothing is
        downloaded.

        prompt_tokens: per prompt; default: estimated from the domains' local files, 1,024 for other data.
        gpu_teraflops: the peak of the GPU; default: that of an H100, or without a GPU that of the CPU.
        generation_utilization, training_utilization: the share of the peak that is reached. model_config: the model's
        config.json or its folder; default: that of the model if it is available offline.
        slots: also estimate the duration with this number of nodes computed in parallel. engine: also estimate the
        duration on the machines of this engine, with the protocol's `resources`, and with as many nodes in parallel as
        the engine computes, or `slots`.

        Raises UsageError if `model_config` does not describe a decoder, if the engine cannot tell what it has, or if a
        node needs more.
        """
        from harness.api.estimating import estimate_of

        return estimate_of(
            self,
            prompt_tokens=prompt_tokens,
            gpu_teraflops=gpu_teraflops,
            generation_utilization=generation_utilization,
            training_utilization=training_utilization,
            model_config=None if model_config is None else Path(model_config),
            slots=slots,
            engine=engine,
        )

    @property
    def needs(self) -> list[NeedOf]:
        """The requirements of the plan's plugins: code execution, network access, a GPU."""
        from harness.planning.requirements import needs_of

        return needs_of(self.plan)

    @property
    def unpinned(self) -> list[HubSource]:
        """The Hub models and data sets that the plan uses at a revision other than a commit."""
        from harness.planning.unpinned import unpinned_of, uses_of

        return unpinned_of(uses_of(self.plan), self.registry)

    @property
    def undamaged_targets(self) -> list[Undamaged]:
        """The missing recoveries whose target is not damaged, as far as the store has their scores."""
        from harness.execution.undamaged import undamaged_targets

        return list(undamaged_targets(self.plan, self.store, without=self.done))

    @property
    def changed_versions(self) -> dict[str, tuple[str, str | None]]:
        """The recorded and the installed version of each package that has changed since the run began; None for one
        that is no longer installed."""
        from harness.execution.provenance import changed_versions
        from harness.execution.run_folder import RunFolder

        return changed_versions(RunFolder(self.folder).provenance())

    def title(self, key: str) -> str:
        """Returns the title of a node: its kind, label and seed."""
        from harness.planning.titles import title_of

        node = self.plan.nodes[key]
        return title_of(node.kind, node.label, node.seed)

    def to_json(self) -> dict[str, Any]:
        """Returns the plan as JSON data, with the keys of the stored nodes under `done`."""
        from harness.planning.serialization import plan_to_json

        return {**plan_to_json(self.plan), "done": sorted(self.done)}

    def why(self) -> Explanation:
        """Returns why each missing node has to be computed: how its definition differs from the closest stored one."""
        from harness.planning.why import explain

        return explain(self.plan, self.store, self.done)


def plan(
    protocol: ProtocolName,
    *,
    seeds: Sequence[int] | None = None,
    methods: Sequence[str] | None = None,
    output: str | Path | None = None,
    registry: Registry | None = None,
) -> PlannedRun:
    """Returns the plan of a run. Nothing is downloaded, trained or written.

    protocol: a path, or the name of a packaged protocol. seeds: replaces the protocol's seeds. methods: selects some of
    its methods. output: the folder of runs and store; default: `HARNESS_RUNS` or `runs`. registry: the plugins to use;
    default: all installed ones. Raises ProtocolError with all problems of the protocol, UsageError if it does not
    exist.
    """
    plugins = installed_plugins(registry)
    return planned(read_protocol(protocol, plugins, seeds=seeds, methods=methods), plugins, runs_folder(output))


def planned(protocol: Protocol, registry: Registry, root: Path) -> PlannedRun:
    """Returns the plan of a loaded protocol. root: the folder of runs and store."""
    from harness.execution.run_folder import run_folder_of
    from harness.execution.store import Store
    from harness.planning.planner import make_plan

    plan, store = make_plan(protocol, registry), Store(root / "store")
    return PlannedRun(
        protocol=protocol,
        plan=plan,
        folder=run_folder_of(root, plan),
        store=store,
        done=frozenset({plan.base.key, *(node.key for node in plan.results if store.has(node.key))}),
        registry=registry,
    )
