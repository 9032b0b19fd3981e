"""The summary of `harness plan`: counts, tokens, hours, memory, disk space and requirements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness._util.disk import format_bytes

if TYPE_CHECKING:
    from harness import Capacity, CostEstimate, HubSource, ModelShape, NeedOf, PlanCost, PlanEstimate, PlannedRun

COUNTS = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
EXECUTES_CODE = "executes-code"


def cost_lines(total: PlanCost, left: PlanCost) -> Iterator[str]:
    """Yields the nonzero counts, in total and for missing results."""
    to_do = asdict(left)
    for name, count in asdict(total).items():
        if count or to_do[name]:
            yield f"{name.replace('_', ' ')}: {count:,}, {to_do[name]:,} to do"


def estimate_lines(estimate: PlanEstimate, model: str) -> Iterator[str]:
    """Yields the estimate as text: bounds, assumptions, and what is not counted."""
    total, left, shape, assumed = estimate.total, estimate.to_do, estimate.model_shape, estimate.assumptions
    memory = estimate.memory_bytes
    processor = assumed.processor.upper()
    yield f"generated tokens: at most {_short(total.generated_tokens)}, {_short(left.generated_tokens)} to do"
    yield (
        f"  {_short(total.training_generated_tokens)} of them to train and recover,"
        f" {_short(total.evaluation_generated_tokens)} to score"
    )
    yield f"prompt tokens: about {_short(total.prompt_tokens)}, {_short(left.prompt_tokens)} to do"
    yield f"  {_prompt_lengths(estimate)} per prompt (--prompt-tokens)"
    if shape is None or total.gpu_hours is None or left.gpu_hours is None:
        yield f"{processor} hours, disk: unknown, because the config of {model} is not on this machine"
        yield "  download only its config (`hf download NAME config.json`) or pass it as --model-config FILE"
    else:
        hours = f"{_hours(total.gpu_hours)}, {_hours(left.gpu_hours)} to do"
        yield f"{processor} hours: about {hours}, if every completion has the maximum length"
        gpu = assumed.processor == "gpu"
        source = "989 is an H100's peak in bf16" if gpu else "an assumed 0.2 per core; no GPU was found"
        peak = f"{assumed.gpu_teraflops:g} TFLOP/s (--gpu-teraflops; {source})"
        yield f"  on a {processor} with a peak of {peak}, of which"
        yield f"  {assumed.generation_utilization:.3g} is reached in generation (--generation-utilization) and"
        yield f"  {assumed.training_utilization:.3g} in training (--training-utilization);"
        yield "  only the order of magnitude is meaningful"
        yield f"model: {_shape_line(shape)}"
        if total.training_memory and assumed.processor == "cpu":
            available = f" of this machine's {format_bytes(memory)}" if memory is not None else ""
            yield f"memory to train all parameters: at least {format_bytes(total.training_memory)}{available},"
            yield "  for weights, gradients and AdamW's moments; activations need more"
    if total.disk is not None and left.disk is not None:
        disk = left.disk
        yield (
            f"disk to do: at most about {format_bytes(disk.total_bytes)}: {format_bytes(disk.checkpoint_bytes)} for"
            f" {disk.checkpoints} full checkpoints, {format_bytes(disk.gradient_bytes)} for gradients;"
        )
        yield (
            f"  at a time {format_bytes(disk.scratch_bytes)} for resumable states,"
            f" {format_bytes(disk.restored_bytes)} for models restored from deltas"
        )
    for what, labels in total.not_counted.items():
        yield f"tokens not counted: {what} ({len(labels)})"


def _prompt_lengths(estimate: PlanEstimate) -> str:
    assumed, lengths = estimate.assumptions, estimate.prompt_tokens
    if assumed.prompt_tokens is not None:
        return f"assuming {assumed.prompt_tokens:,}"
    known = [f"{name} {length:,}" for name, length in lengths.items() if length is not None]
    unknown = ", ".join(name for name, length in lengths.items() if length is None)
    guessed = f"{unknown} an assumed {assumed.unknown_prompt_tokens:,}" if unknown else ""
    return "; ".join(filter(None, [", ".join(known), guessed]))


def schedule_lines(planned: PlannedRun, estimate: PlanEstimate) -> Iterator[str]:
    """Yields the duration of the rest with several results in parallel, its critical path, and the hours per method."""
    scheduled = estimate.schedule
    if scheduled is None:
        return
    if estimate.model_shape is None:
        yield "duration: unknown, as the hours"
        return
    place = f"{_counted(scheduled.slots or 0, 'result')} at a time"
    if estimate.capacity is not None:
        at_once = _counted(scheduled.at_once, "result")
        place = f"engine {estimate.engine}, {_machines(estimate.capacity)}, up to {at_once} at a time"
    yield (
        f"{place}: about {_hours(scheduled.makespan)} hours of"
        f" {_hours(scheduled.work)}; at least {_hours(scheduled.critical_length)}, the longest chain:"
    )
    yield f"  {' → '.join(map(planned.title, scheduled.critical_path)) or 'nothing to do'}"
    methods = ", ".join(f"{name} {_hours(hours)}" for name, hours in estimate.method_hours.items())
    yield f"hours per method, including shared steps: {methods}"


def schedule_to_json(estimate: PlanEstimate) -> dict[str, Any]:
    """Returns the schedule as JSON data, with the hours of each method and what the engine has."""
    assert estimate.schedule is not None
    fields = {**asdict(estimate.schedule), "method_hours": dict(estimate.method_hours)}
    if estimate.capacity is None:
        return fields
    machines = [
        {"name": machine.name, "cpus": machine.cpus, "gpus": machine.gpus} for machine in estimate.capacity.machines
    ]
    return {**fields, "engine": {"name": estimate.engine, "machines": machines, "slots": estimate.capacity.slots}}


def _machines(capacity: Capacity) -> str:
    cores = sum(machine.cpus for machine in capacity.machines)
    gpus = sum(machine.gpus for machine in capacity.machines)
    found = [_counted(len(capacity.machines), "machine"), _counted(cores, "core")]
    return ", ".join([*found, *([_counted(gpus, "GPU")] if gpus else [])])


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def unpinned_lines(sources: Sequence[HubSource]) -> Iterator[str]:
    """Yields the lines of the warning: one per source, and a hint."""
    for source in sources:
        yield f"warning: not pinned to a commit: {source.noun} {source}"
    if sources:
        yield "  → their content may change without a change of keys; `harness prefetch` prints the commits to pin"


def need_lines(needs: Sequence[NeedOf], sandboxes: Mapping[str, bool]) -> Iterator[str]:
    """Yields the needs of plugins, code execution first, with the installed sandboxes."""
    code = [need for need in needs if need.need == EXECUTES_CODE]
    if code:
        yield "executes code written by a model, which the protocol allows (`allow: [executes-code]`):"
        for need in code:
            tier = f", sandbox: {', '.join(need.sandboxes)}" if need.sandboxes else ", sandbox: chosen by the plugin"
            yield f"  {need.plugin}: in {need.nodes} results{tier}"
        found = ", ".join(f"{name} {'installed' if there else 'not installed'}" for name, there in sandboxes.items())
        yield f"  sandboxes on this machine (not tested): {found}"
    for need in needs:
        if need.need != EXECUTES_CODE:
            yield f"needs {need.need}: {need.plugin}: in {need.nodes} results"


def estimate_to_json(estimate: CostEstimate) -> dict[str, Any]:
    """Returns an estimate as JSON data; the keys carry the units."""
    fields = asdict(estimate)
    fields["not_counted"] = {what: list(labels) for what, labels in estimate.not_counted.items()}
    if estimate.disk is not None:
        fields["disk"]["total_bytes"] = estimate.disk.total_bytes
    return fields


def _shape_line(shape: ModelShape) -> str:
    text = f"{_short(shape.parameters)} parameters"
    text += f", published in {shape.dtype}" if shape.dtype else ""
    return text if shape.exact else f"{text}; estimated as for a Llama, although it is of another family"


def _short(count: int) -> str:
    for size, word in COUNTS:
        if count >= size:
            return f"{count / size:.3g} {word}"
    return str(count)


def _hours(hours: float) -> str:
    if 0 < hours < 0.01:
        return "0.01 or less"
    return f"{float(f'{hours:.2g}'):,g}" if hours < 1e6 else _short(round(hours))
