"""`harness plugins`: lists, shows and checks plugins, and creates new ones."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from harness._util.console import terminal
from harness.api.plugin_project import DEFAULT_KIND, template_kinds
from harness.cli.session import session_of
from harness.errors import ExitCode, HarnessError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from harness import PluginCheck, RegisteredPlugin, Registry

EXIT_CODES = {"kept": ExitCode.DONE, "skipped": ExitCode.USAGE, "broken": ExitCode.PLUGIN}

commands = typer.Typer(no_args_is_help=True, help="List, show and check installed plugins; create a new one.")


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.add_typer(commands, name="plugins")


@commands.command("list")
def list_plugins(
    context: typer.Context,
    kind: str | None = typer.Option(None, "--kind", metavar="KIND", help="Only this kind, such as domain."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List all models, domains, rewards, … of the plugins, and the plugins that failed to load."""
    from harness.api import list_plugins

    registry = session_of(context).registry
    offers = list_plugins(kind, registry=registry)
    if as_json:
        failed = [asdict(failure) for failure in registry.failures]
        typer.echo(json.dumps({"plugins": [_summary(offer) for offer in offers], "failed": failed}, indent=2))
        return
    console = terminal()
    console.print(_table_of_offers(offers))
    _print_failures(console, registry)


@commands.command("show")
def show_plugin(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME", help="A name, or distribution/name."),
    kind: str | None = typer.Option(None, "--kind", metavar="KIND", help="Only this kind, such as domain."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show all plugins of a name, with the keys of their configs."""
    from harness.api import find_plugins

    offers = find_plugins(name, kind, registry=session_of(context).registry)
    if as_json:
        typer.echo(json.dumps([_details(offer) for offer in offers], indent=2))
        return
    console = terminal()
    for offer in offers:
        _print_details(console, offer)


@commands.command("check")
def check_plugin(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME", help="A name, or distribution/name."),
    kind: str | None = typer.Option(None, "--kind", metavar="KIND", help="Only this kind, such as domain."),
    config: str = typer.Option("{}", "--config", metavar="JSON", help="Keys of its config, as a JSON object."),
) -> None:
    """Check a plugin against the contract of its kind. Trainings and recoveries run on a tiny model.

    Exit code 3 if a contract is violated, 2 if something could not be checked, such as a domain without its data.
    """
    from harness.api import check_plugins

    session = session_of(context)

    def show(check: PluginCheck) -> None:
        label = f"{check.plugin.kind} {check.plugin.qualified}"
        if check.error is None:
            typer.echo(f"kept    {label}")
            return
        if session.debug:
            raise check.error
        error = check.error
        message = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        line = f"broken  {label}: " if check.outcome == "broken" else f"skipped {label}: could not be checked: "
        typer.echo(line + message, err=True)

    checks = check_plugins(name, kind, config=_json_object(config), finished=show, registry=session.registry)
    if worst := max(EXIT_CODES[check.outcome] for check in checks):
        raise typer.Exit(int(worst))


@commands.command("new")
def new_plugin(
    name: str = typer.Argument(metavar="NAME", help="The plugin's name, such as chess; the project is harness-chess."),
    kind: str = typer.Option(DEFAULT_KIND, "--kind", metavar="KIND", help=f"One of: {', '.join(template_kinds())}."),
    into: str = typer.Option(".", "--into", metavar="FOLDER", help="Where to put the project's folder."),
) -> None:
    """Create a plugin project: a working plugin of the kind, its tests, and a protocol that uses it."""
    from harness import api

    folder = api.new_plugin(name, kind, into)
    typer.echo(f"wrote {folder}; install it with: pip install --editable {folder}")


def _json_object(text: str) -> dict[str, Any]:
    from harness._util.json_reading import parse_json

    try:
        value = parse_json(text)
    except ValueError as error:
        raise UsageError(f"is not JSON: {error}", where="--config") from error
    if not isinstance(value, dict):
        raise UsageError("is not a JSON object", where="--config", hint='write it as {"key": value}')
    return value


def _summary(offer: RegisteredPlugin) -> dict[str, Any]:
    return {
        "kind": offer.kind,
        "name": offer.name,
        "qualified": offer.qualified,
        "distribution": offer.distribution,
        "version": offer.version,
        "entry_point": offer.entry_point,
        "needs": sorted(getattr(offer.spec, "needs", ())),
        "summary": offer.spec.summary,
        "cite": offer.spec.cite,
    }


def _details(offer: RegisteredPlugin) -> dict[str, Any]:
    """Returns the summary, the identity, the other fields of the spec and the schema of the config."""
    details = _summary(offer) | {"identity": offer.identity}
    further = {"path", "reward", "trains", "extension"}
    for field in sorted(further & set(vars(offer.spec))):
        value = getattr(offer.spec, field)
        details[field] = value if isinstance(value, bool) else str(value)
    if offer.kind != "protocol":
        details["config"] = offer.config_schema()
    return details


def _table_of_offers(offers: list[RegisteredPlugin]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("kind", "name", "distribution", "version", "needs", "summary"):
        table.add_column(column, overflow="fold")
    shared = {key for key, count in Counter((offer.kind, offer.name) for offer in offers).items() if count > 1}
    for offer in offers:
        name = offer.qualified if (offer.kind, offer.name) in shared else offer.name
        needs = ", ".join(sorted(getattr(offer.spec, "needs", ())))
        cells = (offer.kind, name, offer.distribution, offer.version, needs, offer.spec.summary)
        table.add_row(*(escape(cell) for cell in cells))
    return table


def _print_failures(console: Console, registry: Registry) -> None:
    from rich.markup import escape

    for failure in registry.failures:
        console.print(f"\n[bold red]failed[/] {escape(failure.label)}\n  {escape(failure.error)}")
        console.print(f"  → {escape(failure.hint)}")


def _print_details(console: Console, offer: RegisteredPlugin) -> None:
    from rich.markup import escape
    from rich.table import Table

    details = _details(offer)
    schema = details.pop("config", None)
    console.print(f"[bold]{escape(offer.kind)} {escape(offer.name)}[/]: {escape(offer.spec.summary)}")
    for label, value in details.items():
        text = ", ".join(value) if isinstance(value, list) else value
        if label not in ("kind", "name", "summary") and text not in ("", None):
            console.print(f"  {label}: {escape(str(text))}")
    if schema is not None and not schema.get("properties"):
        console.print("  config: nothing to set")
    elif schema is not None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("key", "type", "default", "description"):
            table.add_column(column, overflow="fold")
        required = set(schema.get("required", ()))
        for key, field in schema["properties"].items():
            default = "required" if key in required else json.dumps(field.get("default"))
            table.add_row(key, escape(_type_of(field)), escape(default), escape(field.get("description", "")))
        console.print(table)
    console.print()


def _type_of(field: dict[str, Any]) -> str:
    """Returns a short description of a JSON Schema type: `integer ≥ 1`, `one of "a", "b"`, `number or null`."""
    if "anyOf" in field:
        return " or ".join(_type_of(option) for option in field["anyOf"])
    if "enum" in field:
        return "one of " + ", ".join(json.dumps(value) for value in field["enum"])
    if "const" in field:
        return json.dumps(field["const"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    words = str(field.get("type", "any"))
    if words == "array" and "items" in field:
        words = f"list of {_type_of(field['items'])}"
    bounds = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
    return " ".join([words, *(f"{sign} {field[bound]}" for bound, sign in bounds if bound in field)])
