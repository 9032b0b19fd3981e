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
from harness.errors import HarnessError

if TYPE_CHECKING:
    from rich.tree import Tree

    from harness import Explanation, PlanEstimate, PlannedRun
    from harness.planning.node import Node
    from harness.planning.plan import Plan

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
        int | None,
        typer.Option(
            "--prompt-tokens",
            min=0,
            metavar="N",
            help="Estimates: tokens per prompt. Default: as in the domains' local files; 1,024 for other data.",
        ),
    ] = None,
    gpu_teraflops: Annotated[
        float | None,
        typer.Option(
            "--gpu-teraflops",
            min=0.001,
            metavar="X",
            help="Estimates: peak of the GPU in TFLOP/s. Default: 989; without a GPU, 0.2 per CPU core.",
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
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="Estimate the duration on what this engine has. Default: the protocol's engine, if it states one.",
        ),
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
    from harness.cli.plan_summary import (
        cost_lines,
        estimate_lines,
        estimate_to_json,
        need_lines,
        schedule_lines,
        schedule_to_json,
        unpinned_lines,
    )

    registry = session_of(context).registry
    planned = api.plan(protocol, seeds=seeds_from(seeds), methods=methods_from(methods), output=runs, registry=registry)
    estimate, unscheduled = _estimate(
        planned,
        slots=slots,
        engine=engine,
        prompt_tokens=prompt_tokens,
        gpu_teraflops=gpu_teraflops,
        generation_utilization=generation_utilization,
        training_utilization=training_utilization,
        model_config=model_config,
    )
    cost, left = planned.cost(all_nodes=True), planned.cost()
    undamaged, changed, unpinned = planned.undamaged_targets, planned.changed_versions, planned.unpinned
    needs, sandboxes = planned.needs, api.installed_sandboxes()
    explanation = planned.why() if why else None
    if as_json:
        report = {
            **planned.to_json(),
            "cost": asdict(cost),
            "to_do": asdict(left),
            "estimate": {
                "total": estimate_to_json(estimate.total),
                "to_do": estimate_to_json(estimate.to_do),
                "prompt_tokens": dict(estimate.prompt_tokens),
                "nodes": {key: asdict(node) for key, node in estimate.nodes.items()},
                "assumptions": asdict(estimate.assumptions),
                "model_shape": asdict(estimate.model_shape) if estimate.model_shape is not None else None,
            },
            "needs": [asdict(need) for need in needs],
            "allowed": sorted(planned.protocol.allow),
            "sandboxes_installed": sandboxes,
            "changed_versions": changed,
            "undamaged_targets": [asdict(found) for found in undamaged],
            "unpinned": [asdict(source) for source in unpinned],
            **({} if explanation is None else {"why": asdict(explanation)}),
            **({} if estimate.schedule is None else {"schedule": schedule_to_json(estimate)}),
            **({} if unscheduled is None else {"not_scheduled": unscheduled}),
        }
        typer.echo(json.dumps(report, indent=2))
        return
    console = terminal()
    console.print(tree_of(planned.plan, planned.done))
    for line in (
        *cost_lines(cost, left),
        *estimate_lines(estimate, planned.plan.model),
        *schedule_lines(planned, estimate),
        *(() if unscheduled is None else (f"duration unknown: {unscheduled}",)),
        *need_lines(needs, sandboxes),
        *unpinned_lines(unpinned),
        *(f"not here: {problem.key}: {problem.message}" for problem in planned.protocol.unmet),
        *(f"warning: {found}" for found in undamaged),
    ):
        console.print(line, markup=False)
    if explanation is not None:
        for line in why_lines(explanation):
            console.print(line, markup=False)
    for name, (before, now) in changed.items():
        console.print(f"recorded with {name} {before}, now {now or 'not installed'}: no key depends on it")


def _estimate(
    planned: PlannedRun, *, slots: int | None, engine: str | None, **assumed: Any
) -> tuple[PlanEstimate, str | None]:
    """Returns the estimate, and why it has no duration if the protocol's own engine cannot be asked."""
    stated = planned.protocol.engine
    if engine is not None or slots is not None or stated is None:
        return planned.estimate(slots=slots, engine=engine, **assumed), None
    try:
        return planned.estimate(engine=stated.name, **assumed), None
    except HarnessError as error:
        return planned.estimate(**assumed), str(error)


def why_lines(explanation: Explanation) -> list[str]:
    """Returns one line per missing result, and one for stored results that cannot be compared."""
    lines = [str(reason) for reason in explanation.reasons]
    if explanation.undefined:
        lines.append(f"{explanation.undefined} stored results have no definition (of an earlier version): not compared")
    return lines


def tree_of(graph: Plan, done: Collection[str]) -> Tree:
    """Returns the checkpoints of the plan as a tree, each with its short key, its evaluations and its state.

    A merge is below the base, after its experts, which are shown even if they are not methods of the run.
    """
    from rich.markup import escape
    from rich.tree import Tree

    branches: dict[str, Tree] = {}
    tree = Tree(f"[bold]{escape(graph.protocol)}[/] {graph.key[:SHORT_KEY]}, model {escape(graph.model)}")
    several = len(graph.seeds) > 1

    def branch_of(lineage: Sequence[str]) -> Tree:
        above = tree
        for key in lineage:
            if key not in branches:
                node = graph.nodes[key]
                for expert in node.merged_checkpoints:
                    branch_of(graph.lineage_of(expert))
                branches[key] = above.add(_line(graph, node, done, with_seed=several))
            above = branches[key]
        return above

    for method in graph.methods:
        above = branch_of(method.lineage)
        ending = f" [dim]seed {method.seed}[/]" if several else ""
        above.add(f"[bold cyan]= {escape(method.name)}[/]{ending}")
        for key in method.probes:
            above.add(_line(graph, graph.nodes[key], done, with_seed=several))
    return tree


def _line(graph: Plan, node: Node, done: Collection[str], *, with_seed: bool) -> str:
    from rich.markup import escape

    parts = [escape(node.label), f"[dim]{node.key[:SHORT_KEY]}[/]"]
    if with_seed and node is not graph.base:
        parts.append(f"[dim]seed {node.seed}[/]")
    if node is not graph.base:
        parts.append("[green]done[/]" if node.key in done else "[yellow]to do[/]")
    states = graph.states.get(node.key, ())
    if states:
        stored = sum(state.key in done for state in states)
        steps = ", ".join(str(state.optimizer_step) for state in states)
        parts.append(f"[dim]{stored} of {len(states)} states ({steps})[/]")
    checkpoints = (node.key, *(state.key for state in states))
    scorings: list[Any] = [one for key in checkpoints for one in graph.evaluations.get(key, {}).values()]
    if scorings:
        parts.append(f"[dim]{sum(key in done for key in scorings)} of {len(scorings)} scored[/]")
    return " ".join(parts)
