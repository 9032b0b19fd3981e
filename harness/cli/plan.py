"""`harness plan`: the tree of what a protocol asks for, what of it the store holds, and what the rest costs."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import terminal
from harness.cli.selection import methods_from, seeds_from
from harness.cli.session import runs_folder, session_of

if TYPE_CHECKING:
    from rich.tree import Tree

    from harness.nodes import Node, Plan

SHORT_KEY = 12


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("plan")(plan)


def plan(
    context: typer.Context,
    protocol: str = typer.Argument(metavar="PROTOCOL", help="A path, or the name of a packaged protocol."),
    *,
    runs: Annotated[
        Path | None, typer.Option("-o", "--runs", metavar="RUNS", help="The folder of runs and store.")
    ] = None,
    seeds: str | None = typer.Option(None, "--seeds", metavar="0,1,2", help="These seeds in place of the protocol's."),
    methods: str | None = typer.Option(None, "--methods", metavar="A,B", help="Only these methods."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show what a run would make: the tree of steps, what is done and what is to do, and what that costs."""
    from harness.plan import make_plan, plan_to_json
    from harness.plan_cost import cost_of
    from harness.protocol import find_protocol, load_protocol
    from harness.provenance import changed_versions
    from harness.run_folder import RunFolder, run_folder_of

    registry = session_of(context).registry
    path = find_protocol(protocol, registry)
    read = load_protocol(path, registry, seeds=seeds_from(seeds), methods=methods_from(methods))
    made = make_plan(read, registry)
    done = done_keys(made, runs_folder(runs) / "store")
    changed = changed_versions(RunFolder(run_folder_of(runs_folder(runs), made)).provenance())
    if as_json:
        costs = {"cost": asdict(cost_of(made)), "to_do": asdict(cost_of(made, without=done))}
        told = {**plan_to_json(made), "done": sorted(done), **costs, "changed_versions": changed}
        typer.echo(json.dumps(told, indent=2))
        return
    console = terminal()
    console.print(tree_of(made, done))
    total, left = asdict(cost_of(made)), asdict(cost_of(made, without=done))
    for name, count in total.items():
        if count:
            console.print(f"{name.replace('_', ' ')}: {count:,}, {left[name]:,} to do")
    for name, (before, now) in changed.items():
        console.print(f"recorded with {name} {before}, now {now or 'not installed'}: no key depends on it")


def done_keys(made: Plan, store: Path) -> set[str]:
    """Returns the keys of a plan's nodes that the store holds whole; the base model counts as done, it is not made."""
    from harness.store import Store

    held = Store(store)
    return {key for key, node in made.nodes.items() if node.kind == "base" or held.has(key)}


def tree_of(made: Plan, done: Collection[str]) -> Tree:
    """Returns the plan's checkpoints as a tree, each with its short key, its scorings, and whether it is done."""
    from rich.markup import escape
    from rich.tree import Tree

    branches: dict[str, Tree] = {}
    tree = Tree(f"[bold]{escape(made.protocol)}[/] {made.key[:SHORT_KEY]}, model {escape(made.model)}")
    several = len(made.seeds) > 1
    for method in made.methods:
        above = tree
        for key in method.lineage:
            if key not in branches:
                branches[key] = above.add(_line(made, made.nodes[key], done, with_seed=several))
            above = branches[key]
        ending = f" [dim]seed {method.seed}[/]" if several else ""
        above.add(f"[bold cyan]= {escape(method.name)}[/]{ending}")
        for key in method.probes:
            above.add(_line(made, made.nodes[key], done, with_seed=several))
    return tree


def _line(made: Plan, node: Node, done: Collection[str], *, with_seed: bool) -> str:
    from rich.markup import escape

    parts = [escape(node.label), f"[dim]{node.key[:SHORT_KEY]}[/]"]
    if with_seed and node.kind != "base":
        parts.append(f"[dim]seed {node.seed}[/]")
    if node.kind != "base":
        parts.append("[green]done[/]" if node.key in done else "[yellow]to do[/]")
    scorings: list[Any] = list(made.evaluations.get(node.key, {}).values())
    if scorings:
        parts.append(f"[dim]{sum(key in done for key in scorings)} of {len(scorings)} scored[/]")
    return " ".join(parts)
