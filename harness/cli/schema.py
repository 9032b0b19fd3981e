"""`harness schema`: prints the JSON Schema of protocols, for editors."""

from __future__ import annotations

import json

import typer

from harness.cli.session import session_of


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("schema")(schema)


def schema(context: typer.Context) -> None:
    """Print the JSON Schema of protocols, with the names of the installed plugins."""
    from harness.api import protocol_schema

    typer.echo(json.dumps(protocol_schema(session_of(context).registry), indent=2))
