"""Not written yet."""

import typer


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
