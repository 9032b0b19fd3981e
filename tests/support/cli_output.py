"""Runs commands of a small app in this process."""

from typer.testing import CliRunner

from harness import HarnessError


def cli_output(app, *arguments):
    """Returns what a command printed; a HarnessError is raised as it is, and any other end but a good one fails."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, HarnessError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout
