"""Looks at a protocol's domains before any training: prompts, completions of the base model, and their rewards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.protocols import ProtocolName, check_protocol, installed_plugins
from harness.errors import Problem, ProtocolError, UsageError

if TYPE_CHECKING:
    from harness.execution.preview import DomainPreview
    from harness.plugin.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Preview:
    """The previews of the domains of a protocol. file: the protocol. problems: why domains cannot be trained."""

    file: Path
    domains: tuple[DomainPreview, ...]
    problems: tuple[Problem, ...]

    def check(self) -> None:
        """Raises ProtocolError if a domain cannot be trained because of its data, its prompts or its reward."""
        if self.problems:
            raise ProtocolError(str(self.file), self.problems)


def preview(
    protocol: ProtocolName,
    *,
    prompts: int = 8,
    generations: int = 8,
    domains: Sequence[str] | None = None,
    seed: int = 0,
    starting: Callable[[str], None] | None = None,
    finished: Callable[[DomainPreview], None] | None = None,
    registry: Registry | None = None,
) -> Preview:
    """Returns formatted prompts, completions of the base model and their rewards, with suggestions.

    Completions are sampled as in the domain's first training. Nothing is trained or stored. protocol: a path, or the
    name of a packaged protocol. prompts: their number per domain. generations: completions per prompt. domains: only
    these. seed: of the sampled completions. starting, finished: called before and after each domain, with its name and
    its preview. registry: the plugins to use; default: all installed ones. Raises ProtocolError for a protocol that is
    not valid, UsageError if it has no such domain, CheckpointError if the base model is not available. A domain that
    cannot be trained has its reasons in `problems`.
    """
    from harness._util.environment import prepare_libraries
    from harness.execution.preview import Previewer
    from harness.planning.planner import make_plan

    prepare_libraries()
    plugins = installed_plugins(registry)
    read = check_protocol(protocol, plugins)
    plan = make_plan(read, plugins)
    names = _chosen(domains, list(plan.domains))
    previewer = Previewer(plan, plugins, prompts=prompts, generations=generations, seed=seed)
    found = []
    for one in previewer.previews(names, starting or (lambda name: None)):
        found.append(one)
        if finished is not None:
            finished(one)
    problems = [
        read.problem(("domains", one.domain), fault.message, fault.hint) for one in found for fault in one.faults
    ]
    return Preview(file=read.path, domains=tuple(found), problems=tuple(problems))


def _chosen(names: Sequence[str] | None, known: list[str]) -> list[str]:
    """Returns the chosen domains. Raises UsageError if there are none, or if one is not known."""
    chosen = known if names is None else list(names)
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise UsageError(
            f"the protocol has no domain {', '.join(unknown)}" if unknown else "no domain is chosen",
            where="--domains",
            hint=f"its domains are: {', '.join(known)}",
        )
    return chosen
