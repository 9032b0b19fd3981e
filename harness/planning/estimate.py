"""Estimates a plan's tokens, GPU or CPU hours, and disk space before anything is downloaded.

Every completion is counted at its maximum length, so token counts are upper bounds. Hours are the floating-point
operations of these tokens divided by an assumed speed, and only accurate to the order of magnitude.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

from harness._util.processor import GPU_TERAFLOPS, Processor, processor_here
from harness.planning.counts import PluginWorkloads
from harness.planning.dependents import first_needed
from harness.planning.disk_need import DiskNeed, disk_need
from harness.planning.model_shape import ModelShape, shape_of
from harness.planning.node import Node
from harness.planning.nodes import EvaluateNode
from harness.planning.plan import Plan
from harness.planning.schedule import Schedule, schedule
from harness.planning.states import with_trained_again
from harness.plugin.capacity import Capacity
from harness.plugin.engine_interface import NodeRequest
from harness.plugin.registry import Registry
from harness.plugin.workload import Workload
from harness.protocol import instance_of

BACKWARD = 2
"""Operations of a backward pass per operation of a forward pass (Kaplan et al. 2020, arXiv 2001.08361, section 2.1)."""

TRAINED_COPIES = 4
"""Numbers in memory per parameter in a full training: the weight, its gradient, and AdamW's two moments."""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """The assumptions of an estimate. All can be set on the command line.

    prompt_tokens: per prompt; None for the estimate of each domain. unknown_prompt_tokens: per prompt of a domain
    without one (our assumption). gpu_teraflops: the peak speed of the GPU, or of the CPU if `processor` is `cpu`.
    generation_utilization, training_utilization: the share of the peak that is reached (our assumption).
    PaLM's training reached 0.46 (arXiv 2204.02311, table 3); generation is much lower.
    """

    prompt_tokens: int | None = None
    unknown_prompt_tokens: int = 1024
    gpu_teraflops: float = GPU_TERAFLOPS
    processor: Literal["gpu", "cpu"] = "gpu"
    generation_utilization: float = 0.1
    training_utilization: float = 0.4


@dataclass(frozen=True, kw_only=True)
class NodeEstimate:
    """The estimate of one node, None for unknown numbers. generated_tokens: an upper bound. prompt_tokens: about,
    counted once per completion. gpu_hours: on the assumed processor, with completions of maximum length."""

    generated_tokens: int | None = None
    prompt_tokens: int | None = None
    gpu_hours: float | None = None


@dataclass(frozen=True, kw_only=True)
class CostEstimate:
    """Sums over the known numbers of a plan's nodes. gpu_hours, disk, training_memory: None without the model's shape.
    training_memory: the bytes of weights, gradients and AdamW's moments in the largest training. not_counted: labels of
    nodes with unknown tokens, by the plugin that does not declare them."""

    generated_tokens: int
    training_generated_tokens: int
    evaluation_generated_tokens: int
    prompt_tokens: int
    gpu_hours: float | None
    disk: DiskNeed | None
    not_counted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    training_memory: int | None = None


class Estimator:
    """Estimates the nodes of one plan. Builds domains without reading their data."""

    def __init__(self, plan: Plan, registry: Registry, shape: ModelShape | None, assumed: Assumptions) -> None:
        self._plan = plan
        self._shape = shape
        self._assumed = assumed
        self._source = PluginWorkloads(plan, registry)
        self._workloads = {node.key: node.workload(self._source) for node in plan.results}
        self.nodes = {node.key: self._node(node) for node in plan.results}
        self.prompt_tokens = {name: self._source.prompt_tokens(name) for name in (*plan.domains, *plan.columns)}

    def total(self, without: Collection[str] = ()) -> CostEstimate:
        """Returns the estimate of the plan's nodes, except those whose keys are in `without`."""
        estimates = with_trained_again(self.nodes, self._plan, without)
        nodes = {key: estimate for key, estimate in estimates.items() if key not in without}
        scored = [one for key, one in nodes.items() if isinstance(self._plan.nodes[key], EvaluateNode)]
        generated = _sum(one.generated_tokens for one in nodes.values())
        of_scoring = _sum(one.generated_tokens for one in scored)
        unknown: dict[str, list[str]] = {}
        for key, one in nodes.items():
            if one.generated_tokens is None:
                unknown.setdefault(self._silent(self._plan.nodes[key]), []).append(self._plan.nodes[key].label)
        hours = [one.gpu_hours for one in nodes.values() if one.gpu_hours is not None]
        return CostEstimate(
            generated_tokens=generated,
            training_generated_tokens=generated - of_scoring,
            evaluation_generated_tokens=of_scoring,
            prompt_tokens=_sum(one.prompt_tokens for one in nodes.values()),
            gpu_hours=sum(hours) if self._shape is not None else None,
            disk=self._disk(without),
            not_counted={what: tuple(labels) for what, labels in unknown.items()},
            training_memory=self._training_memory(),
        )

    def _training_memory(self) -> int | None:
        if self._shape is None:
            return None
        trained = [work for work in self._workloads.values() if work is not None and work.optimizer_steps]
        dtypes = [work.dtype or self._shape.dtype for work in trained]
        widths = [2 if dtype in ("bfloat16", "float16") else 4 for dtype in dtypes]
        return TRAINED_COPIES * self._shape.parameters * max(widths, default=0)

    def _disk(self, without: Collection[str]) -> DiskNeed | None:
        if self._shape is None:
            return None
        dtype = self._shape.dtype or "float32"
        return disk_need(self._plan, self._workloads, parameters=self._shape.parameters, dtype=dtype, without=without)

    def _node(self, node: Node) -> NodeEstimate:
        work = self._workloads[node.key]
        names = (node.domain,) if isinstance(node, EvaluateNode) else node.sampled_domains
        if work is None:
            return NodeEstimate()
        if not work.completions:
            return NodeEstimate(generated_tokens=0, prompt_tokens=0, gpu_hours=0.0)
        longest = work.completion_tokens
        if longest is None:
            known = [length for name in names if (length := self._source.domain(name).completion_tokens) is not None]
            if len(known) < len(names) or not known:
                return NodeEstimate()
            longest = max(known)
        prompt = self._prompt_tokens(names, longest)
        return NodeEstimate(
            generated_tokens=work.completions * longest,
            prompt_tokens=work.completions * prompt,
            gpu_hours=self._hours(work, prompt + longest),
        )

    def _prompt_tokens(self, names: Collection[str], longest: int) -> int:
        """Returns the mean over the domains, at most what the model has room for before the completion."""
        length = self._assumed.prompt_tokens
        if length is None:
            known = [self._source.prompt_tokens(name) for name in names]
            unknown = self._assumed.unknown_prompt_tokens
            length = round(fmean(unknown if one is None else one for one in known))
        room = self._shape.positions if self._shape is not None else None
        return length if room is None else max(0, min(length, room - longest))

    def _hours(self, work: Workload, tokens: int) -> float | None:
        """Returns the GPU hours of a step whose sequences (prompt and completion) have `tokens` tokens."""
        if self._shape is None:
            return None
        forward = self._shape.forward_flops(tokens)
        trained = work.trained_completions * (1 + BACKWARD + int(work.recomputes))
        generation = work.completions * forward / self._assumed.generation_utilization
        training = (work.scored_completions + trained) * forward / self._assumed.training_utilization
        return (generation + training) / (self._assumed.gpu_teraflops * 1e12) / 3600

    def _silent(self, node: Node) -> str:
        """Returns the plugin that does not declare the tokens of a node."""
        use = node.plugins(self._plan.domains)[0]
        return f"scoring of {node.domain}" if isinstance(node, EvaluateNode) else f"{use.kind} {use.name}"


def schedule_of(plan: Plan, nodes: Mapping[str, NodeEstimate], done: Collection[str], slots: int) -> Schedule:
    """Returns the schedule, in hours, of the nodes that are not `done` on `slots` slots. Unknown hours count as 0."""
    parents = first_needed(plan, [node.key for node in plan.results if node.key not in done])
    nodes = with_trained_again(nodes, plan, done)
    return schedule(parents, {key: nodes[key].gpu_hours or 0.0 for key in parents}, slots)


def schedule_on(
    capacity: Capacity,
    plan: Plan,
    nodes: Mapping[str, NodeEstimate],
    requests: Mapping[str, NodeRequest],
    *,
    processor: Processor,
    slots: int | None = None,
) -> Schedule:
    """Returns the schedule, in hours, of the requested nodes on what an engine has. Unknown hours count as 0.

    processor: the one that the estimates assume. The processes of a training share its work evenly. On the CPU, a node
    has only its share of the cores. slots: nodes at a time, in the place of the engine's.
    """
    nodes = with_trained_again(nodes, plan, plan.nodes.keys() - requests.keys())
    demands = {key: capacity.demand(request) for key, request in requests.items()}

    def hours(key: str) -> float:
        demand, resources = demands[key], requests[key].resources
        alone = (nodes[key].gpu_hours or 0.0) / demand.machines
        if processor.kind == "cpu":
            return alone * processor.cores / demand.cpus
        return alone / resources.processes

    return schedule(
        first_needed(plan, list(requests)),
        {key: hours(key) for key in requests},
        slots or capacity.slots,
        demands=demands,
        machines=capacity.machines,
    )


def expected_seconds(plan: Plan, registry: Registry, done: Collection[str] = ()) -> dict[str, float | None]:
    """Returns an estimate of the duration of each result by key, None if unknown, on a processor like this one. done:
    the keys of stored nodes."""
    values = instance_of(plan.base.model, registry).config_json()
    shape, here = None if values is None else shape_of(values), processor_here()
    assumed = Assumptions(gpu_teraflops=here.teraflops, processor=here.kind)
    estimates = with_trained_again(Estimator(plan, registry, shape, assumed).nodes, plan, done)
    return {key: None if (hours := one.gpu_hours) is None else hours * 3600 for key, one in estimates.items()}


def hours_of_methods(plan: Plan, nodes: Mapping[str, NodeEstimate]) -> dict[str, float]:
    """Returns the hours of each method over all seeds: its steps, those of merged experts, and the evaluations and
    probes of its checkpoints and states. Shared nodes count for each method. Unknown hours count as 0."""
    found: dict[str, float] = {}
    for method in plan.methods:
        steps = {*plan.steps_behind(method.lineage[-1]), *method.probes}
        states = [state.key for key in method.lineage for state in plan.states.get(key, ())]
        keys = steps | {node.key for key in (*method.lineage, *states) for node in plan.scorings(key).values()}
        hours = sum(nodes[key].gpu_hours or 0.0 for key in keys)
        found[method.name] = found.get(method.name, 0.0) + hours
    return found


def _sum(counts: Iterable[int | None]) -> int:
    return sum(count for count in counts if count is not None)
