"""The command `harness`: one file a command, and the one place where an error is told to a person."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from harness import __version__
from harness.cli import (
    doctor,
    exec_node,
    export,
    leaderboard,
    plan,
    plugins,
    predict,
    prefetch,
    report,
    reward,
    run,
    schema,
    show,
    store,
    validate,
)
from harness.cli.console import accept_any_text
from harness.cli.session import Session
from harness.errors import ExitCode, HarnessError
from harness.interruption import catch_termination, raise_if_terminated, told_to_a_person
from harness.process_environment import prepare_process

app = typer.Typer(
    name="harness",
    help="Measure interference and recovery in multi-domain RL post-training of language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (
    run,
    plan,
    validate,
    show,
    report,
    export,
    leaderboard,
    predict,
    store,
    plugins,
    prefetch,
    reward,
    doctor,
    schema,
    exec_node,
):
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
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="DIST", help="Leave a distribution's plugins out.")
    ] = None,
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Options that hold for every command."""
    prepare_process(debug=debug)
    context.obj = Session(debug=debug, strict_plugins=strict_plugins, without=tuple(without or ()))


def main() -> None:
    """Runs the command line and exits with one of `ExitCode`'s values."""
    debug = "--debug" in sys.argv
    accept_any_text()
    catch_termination()
    try:
        with told_to_a_person():
            _run_app()
    except HarnessError as error:
        if debug:
            traceback.print_exception(error)
        red = typer.colors.RED if sys.stderr.isatty() else None
        unfinished = error.exit_code in (ExitCode.STOPPED, ExitCode.INTERRUPTED)
        typer.secho(str(error) if unfinished else f"error: {error}", err=True, fg=None if unfinished else red)
        sys.exit(int(error.exit_code))
    except Exception as error:
        if debug:
            raise
        lines = str(error).splitlines() or [""]
        message = f"error: internal error: {type(error).__name__}: {lines[0]}"
        typer.echo(f"{message}\n  → run again with --debug for the traceback, and report it", err=True)
        sys.exit(int(ExitCode.STEP_FAILED))


def _run_app() -> None:
    """Runs typer's application; what it turns an interrupt into is turned back, usage errors it prints and exits 2."""
    try:
        app()
    except SystemExit as end:
        raise_if_terminated()
        if end.code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt from None
        raise
