"""Provenance of results: packages, plugins, revisions, hardware. Excludes home folders, user names and host names."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.planning.plan import Plan

if TYPE_CHECKING:
    from harness.plugin.registry import Registry

SCHEMA = 1
DISTRIBUTION = "mdrl-harness"


def gather_provenance(plan: Plan, registry: Registry) -> dict[str, Any]:
    """Returns the record as JSON data. Includes GPUs only if torch is already loaded; does not import it."""
    return {
        "schema": SCHEMA,
        "plan": plan.key,
        "seeds": list(plan.seeds),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": package_versions([DISTRIBUTION, *registry.distributions]),
        "plugins": dict(sorted(registry.distributions.items())),
        "failed_plugins": [failure.label for failure in registry.failures],
        "git": {"working_folder": git_state(Path.cwd()), "harness": git_state(Path(__file__).parent)},
        "hardware": hardware(),
    }


def package_versions(distributions: Sequence[str]) -> dict[str, str]:
    """Returns the versions of the given distributions and of their installed requirements."""
    wanted = set(distributions)
    for name in distributions:
        try:
            required = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted |= {match[0] for line in required if (match := re.match(r"[A-Za-z0-9._-]+", line))}
    found = {name: _installed(name) for name in sorted(wanted, key=str.lower)}
    return {name: version for name, version in found.items() if version is not None}


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def changed_versions(provenance: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Returns the recorded and the current version of each package whose version has changed since the record.

    The current version is None if the package is no longer installed.
    """
    recorded: Mapping[str, str] = provenance.get("packages", {})
    return {name: (before, now) for name, before in recorded.items() if (now := _installed(name)) != before}


def git_state(folder: Path) -> dict[str, Any] | None:
    """Returns the revision, whether tracked files differ from it, and how many are untracked, None without git."""
    revision = _git(folder, "rev-parse", "HEAD")
    status = _git(folder, "status", "--porcelain")
    if revision is None or status is None:
        return None
    lines = status.splitlines()
    untracked = sum(line.startswith("??") for line in lines)
    return {"revision": revision.strip(), "dirty": len(lines) > untracked, "untracked": untracked}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def hardware() -> dict[str, Any]:
    """Returns the processor's name, the available cores, memory in GiB, and GPUs if torch is loaded."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found: dict[str, Any] = {"processor": _processor(), "cores": cores, "memory_gib": _memory()}
    torch = sys.modules.get("torch")
    if torch is not None:
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        found["gpus"] = [torch.cuda.get_device_name(index) for index in range(count)]
        found["torch_threads"] = torch.get_num_threads()
    return found


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def portable_command(arguments: Sequence[str], folder: Path) -> list[str]:
    """Returns a command line for the record: paths in `folder` relative to it, other absolute ones as base names."""
    return [_portable_argument(argument, folder) for argument in arguments]


def _portable_argument(argument: str, folder: Path) -> str:
    option, separator, value = argument.partition("=")
    if separator and option.startswith("-"):
        return f"{option}={_portable_argument(value, folder)}"
    path = Path(argument)
    if not path.is_absolute() and not argument.startswith("~"):
        return argument
    if path.is_relative_to(folder):
        return str(path.relative_to(folder))
    return f"…/{path.name}"
