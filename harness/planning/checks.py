"""Checks of the machine before a run starts: requirements of plugins, write access and disk space."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness._util.disk import comes_of_full, format_bytes
from harness._util.flags import OFFLINE, is_on
from harness.errors import UsageError
from harness.planning.node import Node
from harness.planning.plan import Plan
from harness.protocol.plugin_ref import PluginRef

if TYPE_CHECKING:
    from harness.planning.disk_need import DiskNeed

SANDBOX = "sandbox"
"""The config key that selects where code is executed; see `harness.domains.sandbox.SandboxConfig`."""


def check_needs(nodes: Sequence[Node], plan: Plan, environment: Mapping[str, str]) -> None:
    """Raises UsageError if a plugin that `nodes` run needs a GPU, the network or a sandbox that is not available.

    Imports torch only if a plugin needs a GPU, and opens a sandbox only if a plugin executes code. Whether the protocol
    allows code execution was checked when it was read.
    """
    users: dict[str, dict[str, str]] = {}
    sandboxes: dict[str, tuple[PluginRef, Node]] = {}
    for node in nodes:
        for use in node.plugins(plan.domains):
            for need in use.needs:
                users.setdefault(need, {}).setdefault(f"{use.kind} {use.name!r}", node.label)
            if "executes-code" in use.needs and (tier := sandbox_tier(use)) is not None:
                sandboxes.setdefault(tier, (use, node))
    if "network" in users and is_on(OFFLINE, environment):
        raise UsageError(
            f"{_needing(users['network'])} the network, and {OFFLINE} is set",
            hint=f"unset {OFFLINE}, or select other methods with --methods",
        )
    if "gpu" in users and not _has_gpu():
        raise UsageError(
            f"{_needing(users['gpu'])} a GPU, and torch does not find one",
            hint="run on a machine with a GPU, or select other methods with --methods",
        )
    for use, node in sandboxes.values():
        _check_sandbox(use, node.label)


def sandbox_tier(use: PluginRef) -> str | None:
    """Returns the sandbox tier in a plugin's config, None if there is none."""
    sandbox: Any = use.config.get(SANDBOX)
    tier = sandbox.get("tier") if isinstance(sandbox, dict) else None
    return tier if isinstance(tier, str) else None


def _check_sandbox(use: PluginRef, label: str) -> None:
    """Opens the sandbox in a plugin's config, because an installed sandbox may lack the permission to run."""
    from harness.domains.sandbox import SandboxConfig, open_sandbox

    try:
        open_sandbox(SandboxConfig.model_validate(use.config[SANDBOX])).close()
    except UsageError as error:
        raise UsageError(error.message, where=f"{use.kind} {use.name} ({label})", hint=error.hint) from error


def _needing(users: Mapping[str, str]) -> str:
    named = ", ".join(f"{use} (in {label})" for use, label in users.items())
    return f"{named} {'needs' if len(users) == 1 else 'need'}"


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def check_writable(folder: Path) -> None:
    """Creates `folder` and writes a file to it. Raises UsageError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        full = comes_of_full(error)
        raise UsageError(
            "no space is left on its disk" if full else f"cannot be written to: {error.strerror}",
            where=str(folder),
            hint=f"{'free some' if full else 'make it writable'}, or use another folder with -o or HARNESS_RUNS",
        ) from error


def check_space(folder: Path, need: DiskNeed) -> None:
    """Raises UsageError if the disk of `folder` lacks space for checkpoints, resumable states and restored models."""
    free = shutil.disk_usage(folder).free
    if free < need.total_bytes:
        enough = need.restored_bytes and free >= need.total_bytes - need.restored_bytes
        raise UsageError(
            f"has {format_bytes(free)} free; {need.checkpoints} checkpoints need about"
            f" {format_bytes(need.total_bytes)}, with the states that a training resumes from"
            + (" and the models restored from deltas" if need.restored_bytes else ""),
            where=str(folder),
            hint="use --delta-checkpoints never, for which the space suffices"
            if enough
            else "free some space, or choose another folder with -o or HARNESS_RUNS",
        )
