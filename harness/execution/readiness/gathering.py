"""Collects the errors of several checks, so that one error reports all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.errors import HarnessError, Problem, ProtocolError


@dataclass
class Gathered:
    """The errors and problems found so far."""

    errors: list[HarnessError] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Records a HarnessError raised in the context and suppresses it."""
        try:
            yield
        except HarnessError as error:
            self.errors.append(error)


@contextmanager
def gathered_faults(source: str) -> Iterator[Gathered]:
    """Raises the recorded errors on exit: a single error unchanged, several as one ProtocolError of `source`."""
    gathered = Gathered()
    yield gathered
    if len(gathered.errors) == 1 and not gathered.problems:
        raise gathered.errors[0]
    if gathered.errors or gathered.problems:
        raise ProtocolError(source, [*map(_problem, gathered.errors), *gathered.problems])


def _problem(error: HarnessError) -> Problem:
    return Problem(message=f"{error.where}: {error.message}" if error.where else error.message, hint=error.hint)
