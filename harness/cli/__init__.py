"""The command `harness`: one module per command; reports errors and sets the exit code."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from harness._util.console import accept_any_text
from harness._util.environment import prepare_process
from harness._util.memory import OUT_OF_MEMORY, REMEDY, comes_of_memory
from harness._util.printable import printable
from harness._util.signals import catch_termination, interrupts_as_errors, raise_if_terminated
from harness._util.version import VERSION
from harness.cli import (
    compare,
    doctor,
    exec_node,
    export,
    leaderboard,
    plan,
    plugins,
    predict,
    prefetch,
    preview,
    report,
    reward,
    run,
    samples,
    schema,
    show,
    status,
    store,
    validate,
    watch,
)
from harness.cli.session import Session
from harness.cli.streams import finish_output, open_streams
from harness.errors import ExitCode, HarnessError

DEBUG = "--debug"


class _Commands(TyperGroup):
    """Accepts `--debug` anywhere on the command line, also after the command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _debug_first(args))


def _debug_first(words: Sequence[str]) -> list[str]:
    """Returns the words with `--debug`, where it stands among the options, in front of the command."""
    end = words.index("--") if "--" in words else len(words)
    others = [word for word in words[:end] if word != DEBUG]
    return [*([DEBUG] if len(others) < end else []), *others, *words[end:]]


app = typer.Typer(
    name="harness",
    cls=_Commands,
    help="Measure interference and recovery in multi-domain RL post-training of language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (
    run,
    plan,
    validate,
    preview,
    status,
    watch,
    show,
    samples,
    compare,
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


def _unwrap(commands: typer.Typer) -> None:
    """Joins the lines of each paragraph of the help texts, because typer keeps the line breaks of the docstring."""
    for command in commands.registered_commands:
        paragraphs = inspect.cleandoc(getattr(command.callback, "__doc__", None) or "").split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _unwrap(group.typer_instance)


_unwrap(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mdrl-harness {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    debug: bool = typer.Option(False, DEBUG, help="Show tracebacks. Also allowed after the command."),
    strict_plugins: bool = typer.Option(False, "--strict-plugins", help="Exit if any plugin fails to load."),
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="DIST", help="Skip this distribution's plugins."),
    ] = None,
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """The global options."""
    prepare_process(debug=debug)
    context.obj = Session(debug=debug, strict_plugins=strict_plugins, without=tuple(without or ()))


def main() -> None:
    """Runs the command line and exits with an `ExitCode`."""
    debug = DEBUG in _debug_first(sys.argv[1:])[:1]
    open_streams()
    accept_any_text()
    catch_termination()
    try:
        with interrupts_as_errors(resumable=False):
            _run_app()
    except HarnessError as error:
        if debug:
            traceback.print_exception(error)
        unfinished = error.exit_code in (ExitCode.STOPPED, ExitCode.INTERRUPTED)
        message = printable(str(error) if unfinished else f"error: {error}")
        coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and not unfinished
        typer.echo(typer.style(message, fg=typer.colors.RED) if coloured else message, err=True)
        sys.exit(int(error.exit_code))
    except Exception as error:
        if debug:
            raise
        lines = str(error).splitlines() or [""]
        message = f"internal error: {type(error).__name__}: {lines[0]}"
        hint = "run again with --debug for the traceback, and report it"
        if comes_of_memory(error):
            message, hint = OUT_OF_MEMORY, REMEDY
        typer.echo(printable(f"error: {message}\n  → {hint}"), err=True)
        sys.exit(int(ExitCode.STEP_FAILED))


def _run_app() -> None:
    """Runs the typer application, which prints usage errors and exits with 2; re-raises interrupts that it converts."""
    try:
        app()
    except SystemExit as end:
        raise_if_terminated()
        finish_output()
        if end.code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt from None
        raise
