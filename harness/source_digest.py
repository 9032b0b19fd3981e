"""Digests of source trees, for plugins installed editable: their version stays while their code moves."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution
from pathlib import Path

SUFFIXES = frozenset({".py", ".yaml", ".json", ".safetensors"})


def digest_of(root: Path, parts: Iterable[Path]) -> str:
    """Returns the sha256, as hex, over the source files under `parts`: paths relative to `root`, and bytes.

    A part is a file or a folder; parts that are not there count as empty. Only Python, YAML and JSON files are read.
    """
    files: set[Path] = set()
    for part in parts:
        candidates = part.rglob("*") if part.is_dir() else [part]
        files.update(file for file in candidates if file.suffix in SUFFIXES and file.is_file())
    total = hashlib.sha256()
    for file in sorted(files, key=lambda path: path.relative_to(root).as_posix()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(root).as_posix()}\0{content}\n".encode())
    return total.hexdigest()


def is_editable(distribution: Distribution, package: str) -> bool:
    """Tells whether `package` (as a path) runs from a source tree: PEP 610 says so, or its files were not installed."""
    record = distribution.read_text("direct_url.json")
    if record is not None and json.loads(record).get("dir_info", {}).get("editable", False):
        return True
    roots = (f"{package}.py", f"{package}/__init__.py")
    return not any(str(file).replace("\\", "/") in roots for file in distribution.files or ())


@cache
def _kept_digest(root: Path, part: Path) -> str:
    return digest_of(root, [part])


def package_digest(package: str) -> str | None:
    """Returns the digest of an import package's source tree (`a.b` in a namespace), or None where it has no files.

    Kept for the life of the process, whose imported code does not move either.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return _kept_digest(origin.parent, origin if spec.submodule_search_locations is None else origin.parent)


def source_package(module: str) -> str:
    """Returns the outermost package of `module` that is not a namespace: what holds the source of a plugin."""
    parts = module.split(".")
    for length in range(1, len(parts)):
        package = ".".join(parts[:length])
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            return package
    return module
