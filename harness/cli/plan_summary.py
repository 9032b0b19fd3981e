"""The summary of `harness plan`: counts, tokens, hours, memory, disk space and requirements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness._util.disk import format_bytes

if TYPE_CHECKING:
    from harness import CostEstimate, HubSource, ModelShape, NeedOf, PlanCost, PlanEstimate, PlannedRun

COUNTS = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
EXECUTES_CODE = "executes-code"


def cost_lines(total: PlanCost, left: PlanCost) -> Iterator[str]:
    """Yields the nonzero counts, in total and for missing results."""
    to_do = asdict(left)
    for name, count in asdict(total).items():
        if count:
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
    yield (
        f"prompt tokens: about {_short(total.prompt_tokens)}, {_short(left.prompt_tokens)} to do,"
        f" at {assumed.prompt_tokens:,} a prompt (--prompt-tokens)"
    )
    if shape is None or total.gpu_hours is None or left.gpu_hours is None:
        yield f"{processor} hours, disk: unknown, for the size of {model} is not known here without fetching it"
        yield "  its config.json alone is enough: `hf download NAME config.json`, or --model-config FILE"
    else:
        hours = f"{_hours(total.gpu_hours)}, {_hours(left.gpu_hours)} to do"
        yield f"{processor} hours: about {hours}, with every completion at its longest"
        gpu = assumed.processor == "gpu"
        told = "989 is an H100's peak in bf16" if gpu else "0.05 a core is ours; no GPU was found"
        peak = f"{assumed.gpu_teraflops:g} TFLOP/s (--gpu-teraflops; {told})"
        yield f"  on a {processor} with a peak of {peak}, of which"
        yield f"  {assumed.generation_utilization:.3g} is reached in generation (--generation-utilization) and"
        yield f"  {assumed.training_utilization:.3g} in training (--training-utilization); an order of magnitude only"
        yield f"model: {_shape_line(shape)}"
        if total.training_memory and assumed.processor == "cpu":
            here = f", of {format_bytes(memory)} here" if memory is not None else ""
            yield f"memory to train all parameters: at least {format_bytes(total.training_memory)}{here},"
            yield "  for weights, gradients and AdamW's moments; activations need more"
    if total.disk is not None and left.disk is not None:
        disk = left.disk
        yield (
            f"disk to do: at most about {format_bytes(disk.total_bytes)}: {format_bytes(disk.checkpoint_bytes)} for"
            f" {disk.checkpoints} checkpoints, all whole, {format_bytes(disk.gradient_bytes)} for gradients;"
        )
        yield (
            f"  at one time {format_bytes(disk.scratch_bytes)} to resume from,"
            f" {format_bytes(disk.restored_bytes)} for deltas beside restored models"
        )
    for what, labels in total.not_counted.items():
        yield f"tokens not counted: {what}, {len(labels)} of them"


def schedule_lines(planned: PlannedRun, estimate: PlanEstimate) -> Iterator[str]:
    """Yields the duration of the rest with several results in parallel, its critical path, and the hours per method."""
    scheduled = estimate.schedule
    if scheduled is None:
        return
    yield (
        f"{scheduled.slots} results at a time: about {_hours(scheduled.makespan)} hours of"
        f" {_hours(scheduled.work)}; never below {_hours(scheduled.critical_length)}, the longest chain:"
    )
    yield f"  {' → '.join(map(planned.title, scheduled.critical_path)) or 'nothing is to do'}"
    methods = ", ".join(f"{name} {_hours(hours)}" for name, hours in estimate.method_hours.items())
    yield f"hours of each method, shared steps counted in each: {methods}"


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
        yield "executes code that a model wrote, which the protocol allows (`allow: [executes-code]`):"
        for need in code:
            tier = f", sandbox: {', '.join(need.sandboxes)}" if need.sandboxes else ", sandbox: its own affair"
            yield f"  {need.plugin}: in {need.nodes} results{tier}"
        here = ", ".join(f"{name} {'installed' if there else 'not installed'}" for name, there in sandboxes.items())
        yield f"  sandboxes here, none of them tried: {here}"
    for need in needs:
        if need.need != EXECUTES_CODE:
            yield f"needs {need.need}: {need.plugin}: in {need.nodes} results"


def estimate_to_json(estimate: CostEstimate) -> dict[str, Any]:
    """Returns an estimate as JSON data; the keys carry the units."""
    told = asdict(estimate)
    told["not_counted"] = {what: list(labels) for what, labels in estimate.not_counted.items()}
    if estimate.disk is not None:
        told["disk"]["total_bytes"] = estimate.disk.total_bytes
    return told


def _shape_line(shape: ModelShape) -> str:
    told = f"{_short(shape.parameters)} parameters"
    told += f", published in {shape.dtype}" if shape.dtype else ""
    return told if shape.exact else f"{told}; counted as if it were a Llama, whose family it is not"


def _short(count: int) -> str:
    for size, word in COUNTS:
        if count >= size:
            return f"{count / size:.3g} {word}"
    return str(count)


def _hours(hours: float) -> str:
    if 0 < hours < 0.01:
        return "0.01 or less"
    return f"{float(f'{hours:.2g}'):,g}" if hours < 1e6 else _short(round(hours))
