"""The command `harness`: one file a command, and the one place where an error is told to a person."""

from __future__ import annotations

import sys

import typer

from harness import __version__
from harness.cli import (
    doctor,
    exec_node,
    export,
    leaderboard,
    plan,
    plugins,
    run,
    schema,
    show,
    validate,
)
from harness.cli.session import Session
from harness.errors import ExitCode, HarnessError

app = typer.Typer(
    name="harness",
    help="Measure interference and recovery in multi-domain RL post-training of language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (run, plan, validate, show, export, leaderboard, plugins, doctor, schema, exec_node):
    command.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mdrl-harness {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks."),
    strict_plugins: bool = typer.Option(False, "--strict-plugins", help="Stop when any plugin fails to load."),
    without: list[str] = typer.Option([], "--without", metavar="DIST", help="Leave a distribution's plugins out."),
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Options that hold for every command."""
    context.obj = Session(debug=debug, strict_plugins=strict_plugins, without=tuple(without))


def main() -> None:
    """Runs the command line and exits with one of `ExitCode`'s values."""
    debug = "--debug" in sys.argv
    try:
        app(standalone_mode=True)
    except HarnessError as error:
        if debug:
            raise
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on where this one stopped", err=True)
        sys.exit(int(ExitCode.INTERRUPTED))
