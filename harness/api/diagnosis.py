"""Finds out what the machine and the installation offer."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from harness.api.protocols import installed_plugins, runs_folder

if TYPE_CHECKING:
    from harness.plugin.registry import Registry

OFFLINE_VARIABLES = ("HARNESS_OFFLINE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")


def diagnose(registry: Registry | None = None) -> dict[str, Any]:
    """Returns the state of the machine and the installation: versions of the harness and its libraries, sandboxes,
    devices, loaded and failed plugins, settings, and the folder of runs.

    registry: the plugins to use; default: all installed ones.
    """
    plugins = installed_plugins(registry)
    return {
        "harness": plugins.harness_identity(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": _libraries(),
        "generation": _generation(),
        "sandboxes": _sandboxes(),
        "device": _device(),
        "plugins": {
            "loaded": plugins.distributions,
            "failed": [asdict(failure) for failure in plugins.failures],
        },
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith("HARNESS_")},
        "offline": [name for name in OFFLINE_VARIABLES if os.environ.get(name, "0").lower() not in ("", "0", "false")],
        "runs": _runs(),
    }


def installed_sandboxes() -> dict[str, bool]:
    """Returns for each isolating sandbox whether its software is installed. Does not start it."""
    from harness.planning.requirements import sandboxes_here

    return sandboxes_here()


def _libraries() -> list[dict[str, Any]]:
    """Returns the required libraries with their installed versions (or None) and whether these are compatible."""
    from packaging.requirements import Requirement

    from harness.plugin.discovery import DISTRIBUTION

    found = []
    for requirement in map(Requirement, importlib.metadata.requires(DISTRIBUTION) or ()):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        fits = version is not None and requirement.specifier.contains(version, prereleases=True)
        wanted = str(requirement.specifier)
        found.append({"name": requirement.name, "version": version, "wanted": wanted, "fits": fits})
    return found


def _generation() -> dict[str, Any]:
    """Returns the vLLM that `trl: {use_vllm: true}` would generate with: its version, None without one, what the
    installed TRL wants of it, and whether that fits. Its own metadata say what TRL wants; neither is imported."""
    from packaging.requirements import Requirement

    wanted = ""
    for requirement in map(Requirement, importlib.metadata.requires("trl") or ()):
        if requirement.name == "vllm" and (
            requirement.marker is None or requirement.marker.evaluate({"extra": "vllm"})
        ):
            wanted = str(requirement.specifier)
    try:
        version = importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        version = None
    fits = version is not None and Requirement(f"vllm{wanted}").specifier.contains(version, prereleases=True)
    return {"vllm": version, "wanted": wanted, "fits": fits}


def _sandboxes() -> dict[str, str | None]:
    """Returns, for each isolating sandbox tier, why it does not start here, or None if it works."""
    from harness.domains.sandbox import SandboxConfig, Tier, open_sandbox
    from harness.errors import UsageError

    found: dict[str, str | None] = {}
    for tier in sorted(set(get_args(Tier)) - {"auto", "subprocess"}):
        try:
            open_sandbox(SandboxConfig(tier=tier, workers=1)).close()
            found[tier] = None
        except UsageError as error:
            found[tier] = error.message
    return found


def _device() -> dict[str, Any]:
    """Returns the devices of torch, or the error if they cannot be determined."""
    found: dict[str, Any] = {"cpus": os.cpu_count()}
    try:
        import torch
    except (ImportError, OSError) as error:
        return found | {"error": f"torch cannot be imported: {error}"}
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    return found | {"threads": torch.get_num_threads(), "gpus": [torch.cuda.get_device_name(gpu) for gpu in gpus]}


def _runs() -> dict[str, Any]:
    """Returns the folder of runs, and the free bytes of its disk."""
    folder = runs_folder().absolute()
    there: Path = next(place for place in (folder, *folder.parents) if place.exists())
    return {"folder": str(folder), "free_bytes": shutil.disk_usage(there).free, "writable": os.access(there, os.W_OK)}
