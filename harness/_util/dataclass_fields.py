"""Reads the fields of a library's config dataclasses from their source, because importing the library takes seconds.

Only annotated fields are read, which is how TRL, transformers and accelerate define their configs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def package_folder(name: str) -> Path:
    """Returns the folder of an installed package. Raises LookupError if it is not installed."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise LookupError(f"{name} is not installed")
    return Path(spec.origin).parent


@cache
def declared_fields(name: str, files: tuple[Path, ...]) -> frozenset[str]:
    """Returns the public fields of the class `name`, including those of base classes defined in `files`.

    Raises LookupError if none of the files defines the class.
    """
    classes = dict(_classes(files))
    if name not in classes:
        raise LookupError(f"no {name} is defined in {', '.join(path.name for path in files)}")
    return frozenset(field for field in _fields(name, classes) if not field.startswith("_"))


def _classes(files: Iterable[Path]) -> Iterable[tuple[str, ast.ClassDef]]:
    for path in files:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                yield node.name, node


def _fields(name: str, classes: Mapping[str, ast.ClassDef]) -> set[str]:
    if name not in classes:
        return set()
    node = classes[name]
    annotated = (item.target for item in node.body if isinstance(item, ast.AnnAssign))
    own = {target.id for target in annotated if isinstance(target, ast.Name)}
    return own.union(*(_fields(base.id, classes) for base in node.bases if isinstance(base, ast.Name)))
