"""`harness plan`: shows the tree of steps, which of them are in the store, and the cost of the rest."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness._util.console import terminal
from harness.cli.selection import MethodsOption, ProtocolArgument, RunsOption, SeedsOption, methods_from, seeds_from
from harness.cli.session import session_of

if TYPE_CHECKING:
    from rich.tree import Tree

    from harness.planning.model_shape import ModelShape
    from harness.planning.node import Node
    from harness.planning.plan import Plan
    from harness.planning.why import Explanation
    from harness.plugin.registry import Registry

SHORT_KEY = 12


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("plan")(plan)


def plan(
    context: typer.Context,
    protocol: ProtocolArgument,
    *,
    runs: RunsOption = None,
    seeds: SeedsOption = None,
    methods: MethodsOption = None,
    prompt_tokens: Annotated[
        int, typer.Option("--prompt-tokens", min=0, metavar="N", help="Estimates: tokens per prompt.")
    ] = 1024,
    gpu_teraflops: Annotated[
        float | None,
        typer.Option(
            "--gpu-teraflops",
            min=0.001,
            metavar="X",
            help="Estimates: peak of the GPU in TFLOP/s. Default: 989; without a GPU, 0.05 per CPU core.",
        ),
    ] = None,
    generation_utilization: Annotated[
        float,
        typer.Option(
            "--generation-utilization",
            min=1e-6,
            max=1,
            metavar="SHARE",
            help="Estimates: utilization of the peak in generation.",
        ),
    ] = 0.1,
    training_utilization: Annotated[
        float,
        typer.Option(
            "--training-utilization",
            min=1e-6,
            max=1,
            metavar="SHARE",
            help="Estimates: utilization of the peak in training.",
        ),
    ] = 0.4,
    model_config: Annotated[
        Path | None,
        typer.Option("--model-config", metavar="FILE", help="Estimates: the model's config.json, or its folder."),
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option("--slots", min=1, metavar="N", help="Estimate the duration with N results computed in parallel."),
    ] = None,
    why: Annotated[
        bool,
        typer.Option("--why", help="Print why results must be computed: the difference from the closest one."),
    ] = False,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show the plan of a run: the tree of steps, which of them are done, and the cost of the rest.

    Tokens, GPU hours (CPU hours without a GPU) and disk space are estimated from the configs and the model's
    config.json; nothing is downloaded.
    """
    from harness import api
    from harness._util.processor import processor_here
    from harness.cli.plan_summary import cost_lines, estimate_lines, estimate_to_json, need_lines, schedule_lines
    from harness.execution.provenance import changed_versions
    from harness.execution.run_folder import RunFolder
    from harness.execution.undamaged import undamaged_targets
    from harness.planning.estimate import Assumptions, Estimator, schedule_of
    from harness.planning.requirements import needs_of, sandboxes_here
    from harness.planning.serialization import plan_to_json
    from harness.planning.unpinned import unpinned_lines, unpinned_of, uses_of

    registry = session_of(context).registry
    planned = api.plan(protocol, seeds=seeds_from(seeds), methods=methods_from(methods), output=runs, registry=registry)
    read, made, done = planned.protocol, planned.plan, planned.done
    undamaged = list(undamaged_targets(made, planned.store, without=done))
    changed = changed_versions(RunFolder(planned.folder).provenance())
    here = processor_here()
    assumed = Assumptions(
        prompt_tokens=prompt_tokens,
        gpu_teraflops=here.teraflops if gpu_teraflops is None else gpu_teraflops,
        processor=here.kind if gpu_teraflops is None else "gpu",
        generation_utilization=generation_utilization,
        training_utilization=training_utilization,
    )
    shape = shape_for(made, registry, model_config)
    estimator = Estimator(made, registry, shape, assumed)
    cost, left = planned.cost(all_nodes=True), planned.cost()
    total, to_do = estimator.total(), estimator.total(without=done)
    unpinned = unpinned_of(uses_of(made), registry)
    needs, sandboxes = needs_of(made), sandboxes_here()
    explanation = planned.why() if why else None
    scheduled = None if slots is None else schedule_of(made, estimator.nodes, done, slots)
    if as_json:
        told = {
            **plan_to_json(made),
            "done": sorted(done),
            "cost": asdict(cost),
            "to_do": asdict(left),
            "estimate": {
                "total": estimate_to_json(total),
                "to_do": estimate_to_json(to_do),
                "nodes": {key: asdict(node) for key, node in estimator.nodes.items()},
                "assumptions": asdict(assumed),
                "model_shape": asdict(shape) if shape is not None else None,
            },
            "needs": [asdict(need) for need in needs],
            "allowed": sorted(read.allow),
            "sandboxes_installed": sandboxes,
            "changed_versions": changed,
            "undamaged_targets": [asdict(found) for found in undamaged],
            "unpinned": [asdict(source) for source in unpinned],
            **({} if explanation is None else {"why": asdict(explanation)}),
            **({} if scheduled is None else {"schedule": asdict(scheduled)}),
        }
        typer.echo(json.dumps(told, indent=2))
        return
    console = terminal()
    console.print(tree_of(made, done))
    for line in (
        *cost_lines(cost, left),
        *estimate_lines(total, to_do, shape, assumed, made.model, memory=here.memory_bytes),
        *schedule_lines(made, scheduled, estimator.nodes),
        *need_lines(needs, sandboxes),
        *unpinned_lines(unpinned),
        *(f"not here: {problem.key}: {problem.message}" for problem in read.unmet),
        *(f"warning: {found}" for found in undamaged),
    ):
        console.print(line, markup=False)
    if explanation is not None:
        for line in why_lines(explanation):
            console.print(line, markup=False)
    for name, (before, now) in changed.items():
        console.print(f"recorded with {name} {before}, now {now or 'not installed'}: no key depends on it")


def why_lines(explanation: Explanation) -> list[str]:
    """Returns one line per missing result, and one for stored results that cannot be compared."""
    lines = [str(reason) for reason in explanation.reasons]
    if explanation.undefined:
        lines.append(f"{explanation.undefined} stored results have no definition (of an earlier version): not compared")
    return lines


def shape_for(made: Plan, registry: Registry, file: Path | None) -> ModelShape | None:
    """Returns the shape of the plan's model, from `file` or from the model's own config if it is available offline.

    Raises UsageError if `file` is not the config.json of a decoder.
    """
    from harness._util.json_reading import parse_json
    from harness.errors import UsageError
    from harness.planning.model_shape import shape_of
    from harness.protocol import instance_of

    if file is None:
        values = instance_of(made.base.model, registry).config_json()
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


def tree_of(made: Plan, done: Collection[str]) -> Tree:
    """Returns the checkpoints of the plan as a tree, each with its short key, its evaluations and its state.

    A merge is below the base, after its experts, which are shown even if they are not methods of the run.
    """
    from rich.markup import escape
    from rich.tree import Tree

    branches: dict[str, Tree] = {}
    tree = Tree(f"[bold]{escape(made.protocol)}[/] {made.key[:SHORT_KEY]}, model {escape(made.model)}")
    several = len(made.seeds) > 1

    def branch_of(lineage: Sequence[str]) -> Tree:
        above = tree
        for key in lineage:
            if key not in branches:
                node = made.nodes[key]
                for expert in node.merged_checkpoints:
                    branch_of(made.lineage_of(expert))
                branches[key] = above.add(_line(made, node, done, with_seed=several))
            above = branches[key]
        return above

    for method in made.methods:
        above = branch_of(method.lineage)
        ending = f" [dim]seed {method.seed}[/]" if several else ""
        above.add(f"[bold cyan]= {escape(method.name)}[/]{ending}")
        for key in method.probes:
            above.add(_line(made, made.nodes[key], done, with_seed=several))
    return tree


def _line(made: Plan, node: Node, done: Collection[str], *, with_seed: bool) -> str:
    from rich.markup import escape

    parts = [escape(node.label), f"[dim]{node.key[:SHORT_KEY]}[/]"]
    if with_seed and node is not made.base:
        parts.append(f"[dim]seed {node.seed}[/]")
    if node is not made.base:
        parts.append("[green]done[/]" if node.key in done else "[yellow]to do[/]")
    scorings: list[Any] = list(made.evaluations.get(node.key, {}).values())
    if scorings:
        parts.append(f"[dim]{sum(key in done for key in scorings)} of {len(scorings)} scored[/]")
    return " ".join(parts)
