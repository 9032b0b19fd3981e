"""`harness doctor`: reports on the machine and the installation."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness._util.console import terminal
from harness._util.disk import format_bytes
from harness.api.protocols import runs_folder
from harness.cli.session import session_of

if TYPE_CHECKING:
    from harness.plugin.registry import Registry

OFFLINE_VARIABLES = ("HARNESS_OFFLINE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("doctor")(doctor)


def doctor(
    context: typer.Context,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show versions, devices, plugins and settings. Exit code 3 if a plugin failed to load."""
    from harness.errors import ExitCode

    registry = session_of(context).registry
    findings = _findings(registry)
    if as_json:
        typer.echo(json.dumps(findings, indent=2))
    else:
        _print(findings)
    if registry.failures:
        raise typer.Exit(int(ExitCode.PLUGIN))


def _findings(registry: Registry) -> dict[str, Any]:
    return {
        "harness": registry.harness_identity(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": _libraries(),
        "generation": _generation(),
        "sandboxes": _sandboxes(),
        "device": _device(),
        "plugins": {
            "loaded": registry.distributions,
            "failed": [asdict(failure) for failure in registry.failures],
        },
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith("HARNESS_")},
        "offline": [name for name in OFFLINE_VARIABLES if os.environ.get(name, "0").lower() not in ("", "0", "false")],
        "runs": _runs(),
    }


def _libraries() -> list[dict[str, Any]]:
    """Returns the required libraries with their installed versions (or None) and whether these are compatible."""
    import importlib.metadata

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
    import importlib.metadata

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
    from typing import get_args

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
    import shutil

    folder = runs_folder().absolute()
    there: Path = next(place for place in (folder, *folder.parents) if place.exists())
    return {"folder": str(folder), "free_bytes": shutil.disk_usage(there).free, "writable": os.access(there, os.W_OK)}


def _print(findings: dict[str, Any]) -> None:
    from rich.markup import escape

    console = terminal()

    def line(label: str, text: str) -> None:
        console.print(f"[bold]{label:<12}[/] {escape(text)}")

    line("harness", findings["harness"])
    line("python", f"{findings['python']} on {findings['platform']}")
    for library in findings["libraries"]:
        version = library["version"] or "not installed"
        line(
            "library", f"{library['name']} {version}" + ("" if library["fits"] else f": {library['wanted']} is wanted")
        )
    vllm = findings["generation"]
    state = "" if vllm["fits"] else f"; {vllm['wanted']} is wanted by TRL for trl.use_vllm"
    line("generation", f"vllm {vllm['vllm'] or 'not installed'}{state}")
    for tier, fault in findings["sandboxes"].items():
        line("sandbox", f"{tier}: {fault or 'works'}")
    device = findings["device"]
    gpus = ", ".join(device.get("gpus", ())) or "none"
    line("device", device.get("error") or f"{device['cpus']} CPUs, {device['threads']} threads; GPUs: {gpus}")
    for distribution, version in findings["plugins"]["loaded"].items():
        line("plugins", f"{distribution} {version}")
    for failed in findings["plugins"]["failed"]:
        line("failed", f"{failed['distribution']} {failed['version']} ({failed['entry_point']}): {failed['error']}")
        line("", f"→ {failed['hint']}")
    for name, value in findings["environment"].items():
        line("environment", f"{name}={value}")
    line("offline", ", ".join(findings["offline"]) or "no")
    runs = findings["runs"]
    state = "" if runs["writable"] else ", not writable"
    line("runs", f"{runs['folder']}: {format_bytes(runs['free_bytes'])} free{state}")
