"""Which fields TRL's configs have, read from their source: importing TRL takes seconds, and `validate` must not.

Both TRL and transformers write their configs as dataclasses with annotated fields, which is all that is read here.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def config_fields(name: str) -> frozenset[str]:
    """Returns the names of all fields of TRL's config class `name`, those of its bases included.

    Raises LookupError where TRL is not installed or has no such class.
    """
    classes = {**_classes(_package("transformers") / "training_args.py")}
    for path in sorted((_package("trl") / "trainer").glob("*_config.py")):
        classes |= _classes(path)
    if name not in classes:
        raise LookupError(f"the installed TRL has no {name}")
    return frozenset(_fields(name, classes))


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise LookupError(f"{name} is not installed")
    return Path(spec.origin).parent


def _classes(path: Path) -> dict[str, ast.ClassDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _fields(name: str, classes: dict[str, ast.ClassDef]) -> set[str]:
    if name not in classes:
        return set()
    node = classes[name]
    own = {
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }
    for base in node.bases:
        if isinstance(base, ast.Name):
            own |= _fields(base.id, classes)
    return {field for field in own if not field.startswith("_")}
