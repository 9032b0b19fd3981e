"""Every type that a public name's signature shows is public too."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("harness", "harness.domains", "harness.results", "harness.testing", "harness.training", "harness.weights")
PUBLIC = {
    name: getattr(importlib.import_module(package), name)
    for package in PACKAGES
    for name in importlib.import_module(package).__all__
    if not name.startswith("__")
}
INTERNAL = {
    "Array": "an alias of numpy",
    "PathEntries": "a checked dictionary",
    "Plan": "the graph behind PlannedRun.nodes",
    "Node": "the graph behind PlannedRun.nodes",
    "Endings": "made by the training that owns the router",
    "Protocol": "a parsed protocol file; PlannedRun hands it to the command line",
    "Runner": "a process of the sandbox",
    "Source": "how a registry is made from installed plugins",
    "State": "a choice of three words",
    "Store": "read through Run",
}
"""Types that a reader need not know, and why."""


def annotations(tree: ast.AST) -> Iterator[ast.expr]:
    """Yields the annotations of public functions, methods and fields, and the bases of classes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_") and node.name != "__init__":
                continue
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            yield from (one.annotation for one in every if one is not None and one.annotation is not None)
            if node.returns is not None:
                yield node.returns
        elif isinstance(node, ast.AnnAssign) and not getattr(node.target, "id", "_").startswith("_"):
            yield node.annotation


def imported_types(module: str) -> dict[str, str]:
    """Returns the modules of the harness that a module imports names from, by the name."""
    tree = ast.parse(Path(inspect.getsourcefile(importlib.import_module(module)) or "").read_text(encoding="utf-8"))
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness"):
            found |= {alias.asname or alias.name: node.module or "" for alias in node.names}
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    return found | dict.fromkeys(defined, module)


def shown_types(value: object) -> set[str]:
    """Returns the names of the harness's own types in the signature of a public class or function."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(value)))  # type: ignore[arg-type]
    known = imported_types(value.__module__)  # type: ignore[attr-defined]
    inside = tree.body[0] if inspect.isclass(value) else tree
    names = {
        node.id
        for annotation in annotations(inside)
        for node in ast.walk(
            ast.parse(annotation.value) if isinstance(getattr(annotation, "value", None), str) else annotation
        )
        if isinstance(node, ast.Name)
    }
    return {name for name in names & set(known) if name[0].isupper() and not name.isupper()}


SIGNED = [
    name
    for name, value in PUBLIC.items()
    if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__.startswith("harness")
]


@pytest.mark.parametrize("name", SIGNED)
def test_the_types_of_a_public_signature_are_public(name):
    assert shown_types(PUBLIC[name]) - set(PUBLIC) - set(INTERNAL) == set()


def test_types_are_found():
    assert {"Score", "TrainingContext", "Config"} <= set(PUBLIC)
    assert "RewardBatch" in shown_types(PUBLIC["score_rewards"])
