"""The estimated tokens, hours and disk space of a plan, and the shape of the model that they depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness._util.processor import Processor
    from harness.api.planned import PlannedRun
    from harness.planning.estimate import Assumptions, CostEstimate, NodeEstimate
    from harness.planning.model_shape import ModelShape
    from harness.planning.plan import Plan
    from harness.planning.schedule import Schedule
    from harness.plugin.capacity import Capacity
    from harness.plugin.engine_interface import NodeRequest
    from harness.plugin.registry import Registry

_SLOTS = "--slots N estimates the duration without the engine"


@dataclass(frozen=True, kw_only=True)
class PlanEstimate:
    """The estimate of a plan.

    total, to_do: sums over all nodes, and over the missing ones. nodes: by key. prompt_tokens: of a prompt of each
    domain and column, None if unknown. method_hours: by method, with shared nodes counted for each. model_shape: None
    if the model's config.json is not available. memory_bytes: of this machine; None if unknown. schedule: in hours;
    None unless a number of slots or an engine was given. engine: its name; empty if none was given. capacity: what this
    engine has.
    """

    total: CostEstimate
    to_do: CostEstimate
    nodes: Mapping[str, NodeEstimate]
    prompt_tokens: Mapping[str, int | None]
    method_hours: Mapping[str, float]
    assumptions: Assumptions
    model_shape: ModelShape | None
    memory_bytes: int | None
    schedule: Schedule | None
    engine: str = ""
    capacity: Capacity | None = None


def estimate_of(
    planned: PlannedRun,
    *,
    prompt_tokens: int | None,
    gpu_teraflops: float | None,
    generation_utilization: float,
    training_utilization: float,
    model_config: Path | None,
    slots: int | None,
    engine: str | None,
) -> PlanEstimate:
    """Returns the estimate of a plan; see `PlannedRun.estimate`."""
    from harness.planning.estimate import Assumptions, Estimator, hours_of_methods, schedule_of, schedule_on

    plan, registry = planned.plan, planned.registry
    shape = shape_for(plan, registry, model_config)
    requests = {} if engine is None else _requests_of(planned, shape)
    capacity = None if engine is None else _capacity_of(engine, planned, list(requests.values()))
    processor = _processor_of(capacity)
    assumptions = Assumptions(
        prompt_tokens=prompt_tokens,
        gpu_teraflops=processor.teraflops if gpu_teraflops is None else gpu_teraflops,
        processor=processor.kind if gpu_teraflops is None else "gpu",
        generation_utilization=generation_utilization,
        training_utilization=training_utilization,
    )
    estimator = Estimator(plan, registry, shape, assumptions)
    schedule = None
    if capacity is not None:
        schedule = schedule_on(capacity, plan, estimator.nodes, requests, processor=processor, slots=slots)
    elif slots is not None:
        schedule = schedule_of(plan, estimator.nodes, planned.done, slots)
    return PlanEstimate(
        total=estimator.total(),
        to_do=estimator.total(without=planned.done),
        nodes=estimator.nodes,
        prompt_tokens=estimator.prompt_tokens,
        method_hours=hours_of_methods(plan, estimator.nodes),
        assumptions=assumptions,
        model_shape=shape,
        memory_bytes=processor.memory_bytes,
        schedule=schedule,
        engine=engine or "",
        capacity=capacity,
    )


def shape_for(plan: Plan, registry: Registry, file: Path | None) -> ModelShape | None:
    """Returns the shape of the plan's model, from `file` or from the model's own config if it is available offline.

    Raises UsageError if `file` is not the config.json of a decoder.
    """
    from harness._util.json_reading import parse_json
    from harness.planning.model_shape import shape_of
    from harness.protocol import instance_of

    if file is None:
        values = instance_of(plan.base.model, registry).config_json()
        return None if values is None else shape_of(values)
    path = file / "config.json" if file.is_dir() else file
    try:
        values = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read config.json: {error}", where=str(path), hint="check --model-config") from error
    shape = shape_of(values) if isinstance(values, dict) else None
    if shape is None:
        raise UsageError(
            "it does not describe a dense decoder",
            where=str(path),
            hint="it must contain hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, vocab_size",
        )
    return shape


def _requests_of(planned: PlannedRun, shape: ModelShape | None) -> dict[str, NodeRequest]:
    """Returns what an engine would get for each missing node, by key in execution order; none can be executed."""
    from harness.execution.requests import request_of
    from harness.planning.estimate import expected_seconds

    def refuse() -> None:
        raise AssertionError("a plan executes nothing")

    seconds = expected_seconds(planned.plan, planned.registry, planned.done)
    return {
        node.key: request_of(
            node,
            planned.plan,
            planned.protocol,
            store=planned.store.root,
            run=planned.folder,
            arguments=(),
            execute=refuse,
            parameters=None if shape is None else shape.parameters,
            expected_seconds=seconds[node.key],
        )
        for node in planned.order
        if node.key not in planned.done
    }


def _capacity_of(name: str, planned: PlannedRun, requests: Sequence[NodeRequest]) -> Capacity:
    """Asks an engine what it has. Raises UsageError if it cannot tell, or if it has less than a node needs."""
    from harness.api.running import engine_of

    offer, config = engine_of(planned.protocol, planned.registry, name)
    try:
        engine = offer.build(config)
        try:
            capacity: Capacity | None = engine.capacity(requests)
        finally:
            engine.close(stop=False)
        if capacity is not None:
            capacity.check(requests)
    except UsageError as error:
        hint = f"{error.hint}; {_SLOTS}" if error.hint else _SLOTS
        raise UsageError(error.message, where=error.where, hint=hint) from error
    if capacity is None:
        raise UsageError("it cannot tell what machines it has", where=f"engine {offer.name}", hint=_SLOTS)
    return capacity


def _processor_of(capacity: Capacity | None) -> Processor:
    """Returns the processor that hours are estimated for: this machine's, or that of an engine's machines."""
    from harness._util.processor import processor_here

    here = processor_here()
    if capacity is None or not capacity.machines:
        return here
    return replace(
        here,
        kind="gpu" if any(machine.gpus for machine in capacity.machines) else "cpu",
        cores=max(machine.cpus for machine in capacity.machines),
    )
