"""What can be known before a run starts to be in its way: told at once, not hours later."""

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
"""The key of a config that says where code is executed, by `harness.domains.sandbox.SandboxConfig`."""


def check_needs(nodes: Sequence[Node], plan: Plan, environment: Mapping[str, str]) -> None:
    """Raises UsageError where a plugin that `nodes` run needs a GPU, the network or a sandbox and there is none.

    Only where one needs a GPU is torch imported, only where one executes code is its sandbox opened. That a protocol
    allows code to be executed was checked with it.
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
            f"{_told(users['network'])} the network, and {OFFLINE} forbids it",
            hint=f"unset {OFFLINE}, or choose other methods with --methods",
        )
    if "gpu" in users and not _has_gpu():
        raise UsageError(
            f"{_told(users['gpu'])} a GPU, and torch finds none here",
            hint="run on a machine that has one, or choose other methods with --methods",
        )
    for use, node in sandboxes.values():
        _check_sandbox(use, node.label)


def sandbox_tier(use: PluginRef) -> str | None:
    """Returns the tier of the sandbox that a plugin's config names, None where it names none."""
    sandbox: Any = use.config.get(SANDBOX)
    tier = sandbox.get("tier") if isinstance(sandbox, dict) else None
    return tier if isinstance(tier, str) else None


def _check_sandbox(use: PluginRef, label: str) -> None:
    """Opens the sandbox that a plugin's config names: it may be installed and yet not be allowed to work."""
    from harness.domains.sandbox import SandboxConfig, open_sandbox

    try:
        open_sandbox(SandboxConfig.model_validate(use.config[SANDBOX])).close()
    except UsageError as error:
        raise UsageError(error.message, where=f"{use.kind} {use.name} ({label})", hint=error.hint) from error


def _told(users: Mapping[str, str]) -> str:
    named = ", ".join(f"{use} (in {label})" for use, label in users.items())
    return f"{named} {'needs' if len(users) == 1 else 'need'}"


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def check_writable(folder: Path) -> None:
    """Makes `folder` and writes a file to it. Raises UsageError where either cannot be done."""
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
            hint=f"{'free some' if full else 'make it writable'}, or choose another folder with -o or HARNESS_RUNS",
        ) from error


def check_space(folder: Path, need: DiskNeed) -> None:
    """Raises UsageError where `folder` has no room for the checkpoints, states to resume from and restored models."""
    free = shutil.disk_usage(folder).free
    if free < need.total_bytes:
        enough = need.restored_bytes and free >= need.total_bytes - need.restored_bytes
        raise UsageError(
            f"has {format_bytes(free)} free; {need.checkpoints} checkpoints need about"
            f" {format_bytes(need.total_bytes)}, with the states that a training resumes from"
            + (" and the models restored from deltas" if need.restored_bytes else ""),
            where=str(folder),
            hint="it is enough with --delta-checkpoints never"
            if enough
            else "free some space, or choose another folder with -o or HARNESS_RUNS",
        )
