"""`harness preview`: shows prompts, completions and rewards of the base model, before any training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.selection import ProtocolArgument, methods_from
from harness.cli.session import session_of

if TYPE_CHECKING:
    from harness import DomainPreview, PreviewGroup

SHOWN_GROUPS = 2
SHOWN_COMPLETIONS = 3
SHOWN_CHARACTERS = 400


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("preview")(preview)


def preview(
    context: typer.Context,
    protocol: ProtocolArgument,
    *,
    prompts: Annotated[int, typer.Option("--prompts", min=1, metavar="N", help="Prompts per domain.")] = 8,
    generations: Annotated[int, typer.Option("--generations", min=2, metavar="G", help="Completions per prompt.")] = 8,
    domains: Annotated[str | None, typer.Option("--domains", metavar="A,B", help="Only these domains.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the sampled completions.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show formatted prompts, completions of the base model and their rewards, with suggestions.

    Completions are sampled as in the domain's first training. Nothing is trained or stored.

    Exit code 2 if a domain cannot be trained because of its data, its prompts or its reward.
    """
    from harness import api

    def show(found: DomainPreview) -> None:
        for line in _lines(found):
            typer.echo(line)

    seen = api.preview(
        protocol,
        prompts=prompts,
        generations=generations,
        domains=methods_from(domains),
        seed=seed,
        starting=lambda name: typer.echo(f"{name} …", err=True),
        finished=None if as_json else show,
        registry=session_of(context).registry,
    )
    if as_json:
        typer.echo(json.dumps([_as_json(found) for found in seen.domains], indent=2))
    seen.check()


def _lines(found: DomainPreview) -> Iterator[str]:
    yield f"domain {found.domain}: {found.training_rows} training prompts"
    for group in found.groups[:SHOWN_GROUPS]:
        yield from _group_lines(group)
    if found.groups:
        mean = "none" if found.mean_reward is None else f"{found.mean_reward:.3g}"
        yield f"  mean reward: {mean}; rewards differ within {found.differing} of {len(found.groups)} groups"
        yield (
            f"  tokens: {found.prompt_tokens:.0f} a prompt, {found.completion_tokens:.0f} a completion"
            f" (at most {found.longest_completion}); truncated: {found.truncated_share:.0%};"
            f" unknown: {found.unknown_share:.0%}"
        )
    if found.overlap is not None:
        yield f"  test items: {found.overlap.items}, {found.overlap.overlapping} share 13 words with a training prompt"
    for suggestion in found.suggestions():
        yield f"  → {suggestion}"


def _group_lines(group: PreviewGroup) -> Iterator[str]:
    yield f"  prompt: {_shown(group.prompt)}"
    for completion, result in list(zip(group.completions, group.rewards, strict=True))[:SHOWN_COMPLETIONS]:
        reward = f"{result.value:g}" if result.value is not None else f"{result.outcome}: {result.detail}"
        yield f"    {_shown(completion)} → {reward}"


def _shown(text: str) -> str:
    """Returns a text as one line, with control characters escaped."""
    half = SHOWN_CHARACTERS // 2
    short = text if len(text) <= SHOWN_CHARACTERS else f"{text[:half]}…{text[-half:]}"
    return repr(short)


def _as_json(found: DomainPreview) -> dict[str, Any]:
    groups = [
        {
            "prompt": group.prompt,
            "completions": list(group.completions),
            "rewards": [result.value for result in group.rewards],
            "outcomes": [result.outcome for result in group.rewards],
        }
        for group in found.groups
    ]
    return {
        "domain": found.domain,
        "training_rows": found.training_rows,
        "groups": groups,
        "differing_groups": found.differing,
        "differing_share": found.differing / len(groups) if groups else None,
        "mean_reward": found.mean_reward,
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
        "longest_completion": found.longest_completion,
        "truncated_share": found.truncated_share,
        "unknown_share": found.unknown_share,
        "overlap": None if found.overlap is None else asdict(found.overlap),
        "faults": [asdict(fault) for fault in found.faults],
        "suggestions": list(found.suggestions()),
    }
