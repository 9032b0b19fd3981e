"""Checks a spec's `load`, `"module:attribute"`, without importing the module."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from harness.errors import PluginError


def check_reference(reference: str) -> None:
    """Checks that the module exists and, as far as its source shows, defines the attribute. Raises PluginError.

    The parent packages of the module are imported, the module itself is not.
    """
    name, _, attribute = reference.partition(":")
    first = attribute.partition(".")[0]
    if name in sys.modules:
        known: set[str] | None = set(dir(sys.modules[name]))
    else:
        known = _defined(name, reference)
    if known is not None and first not in known:
        near = get_close_matches(first, known, n=1)
        raise PluginError(
            f"load {reference!r}: the module {name} does not define {first}",
            hint=f"did you mean {near[0]}?" if near else "this is a bug in the plugin: report it to its authors",
        )


def _defined(name: str, reference: str) -> set[str] | None:
    """Returns the names that a module's source defines, or None if they cannot be determined."""
    try:
        spec = find_spec(name)
    except (Exception, SystemExit) as error:
        raise PluginError(f"load {reference!r}: {type(error).__name__}: {error}") from error
    if spec is None:
        raise PluginError(
            f"load {reference!r}: no module {name}", hint="this is a bug in the plugin: report it to its authors"
        )
    if not spec.origin or not spec.origin.endswith(".py"):
        return None
    try:
        names = set(_bound(ast.parse(Path(spec.origin).read_bytes()).body))
    except (OSError, SyntaxError, ValueError) as error:
        raise PluginError(f"load {reference!r}: {type(error).__name__}: {error}") from error
    return None if names & {"*", "__getattr__"} else names


def _bound(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yields the names that statements bind, including those in branches."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
            continue
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
        for branch in ("body", "orelse", "finalbody"):
            yield from _bound(getattr(statement, branch, ()))
        for handler in getattr(statement, "handlers", ()):
            yield from _bound(handler.body)
