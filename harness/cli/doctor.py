"""`harness doctor`: reports on the machine and the installation."""

from __future__ import annotations

import json
from typing import Any

import typer

from harness._util.console import terminal
from harness._util.disk import format_bytes
from harness.cli.session import session_of


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("doctor")(doctor)


def doctor(
    context: typer.Context,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show versions, devices, plugins and settings. Exit code 3 if a plugin failed to load."""
    from harness.api import diagnose
    from harness.errors import ExitCode

    registry = session_of(context).registry
    findings = diagnose(registry)
    if as_json:
        typer.echo(json.dumps(findings, indent=2))
    else:
        _print(findings)
    if registry.failures:
        raise typer.Exit(int(ExitCode.PLUGIN))


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
