"""Source digests: the sha256 over the files of a plugin or of the harness.

A version does not identify code: a source tree, or a reinstalled package, can change without a new version. The digest
is over the files on disk.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Collection, Mapping
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, packages_distributions
from pathlib import Path, PurePosixPath

HARNESS = "harness"
MADE_BY_TOOLS = frozenset({"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".git", ".DS_Store"})
FOR_PEOPLE = re.compile(r"(README|CHANGELOG|LICENSE|NOTICE)(\.(md|rst|txt))?|py\.typed")
"""Names of files without code."""

_BY_THE_INSTALLER = re.compile(r"[^/]+\.(dist|egg)-info/.*|(.*/)?(bin|Scripts)/[^/]+|[^/]+\.pth|__editable__[^/]*")
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_IMPORT = re.compile(r"^[^\S\n]*(?:from\s+([\w.]+)\s+import\s+\(?([\w\s,]*)|import\s+([\w.]+[\w\s.,]*))", re.MULTILINE)


def digest_of(files: Mapping[str, Path]) -> str:
    """Returns the sha256 in hex over the names and contents of files."""
    total = hashlib.sha256()
    for name in sorted(files):
        with files[name].open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def package_files(package: str) -> dict[str, Path]:
    """Returns the files of an import package or module, by path relative to the folder it is imported from.

    Generated files and files such as a README are skipped. Empty if the package is not on disk.
    """
    spec = _spec_of(package)
    if spec is None or spec.origin is None:
        return {}
    origin, name = Path(spec.origin), PurePosixPath(*package.split("."))
    if spec.submodule_search_locations is None:
        return {name.with_name(origin.name).as_posix(): origin} if origin.is_file() else {}
    root = origin.parent
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {(name / inside).as_posix(): path for inside, path in found.items() if _counts(inside)}


def _counts(name: str) -> bool:
    path = PurePosixPath(name)
    generated = path.suffix == ".pyc" or not MADE_BY_TOOLS.isdisjoint(path.parts)
    return not generated and FOR_PEOPLE.fullmatch(path.name) is None


def plugin_files(
    distribution: Distribution, modules: Collection[str], plugins: Collection[str], *, whole: bool
) -> dict[str, Path]:
    """Returns the source files that a plugin's results depend on, by path relative to the folder they are imported
    from.

    These are the packages of its `modules` and, recursively, the packages that they import, if these belong to the same
    distribution, to one of the `plugins` (names of modules) or to a source tree. Other installed packages and the
    harness itself are excluded. whole: include all files of the distribution.
    """
    installed = _installed_files(distribution)
    own = {PurePosixPath(name).parts[0].removesuffix(".py") for name in installed}
    followed = own | {name.partition(".")[0] for name in plugins}
    followed.discard(HARNESS)
    # Without RECORD, a package that no other distribution records may belong to this one.
    recorded = None if installed else packages_distributions()
    left: set[str] = set()
    files: dict[str, Path] = dict(installed) if whole else {}
    top_level = (distribution.read_text("top_level.txt") or "").split() if whole else []
    waiting, seen = [source_package(module) for module in (*modules, *top_level)], set[str]()
    while waiting:
        package = waiting.pop()
        if package in seen or package == HARNESS:
            continue
        seen.add(package)
        found = package_files(package)
        files |= found
        imported = _imported_by(found.values())
        for top in {module.partition(".")[0] for module in imported} - sys.stdlib_module_names - left - {HARNESS}:
            if top in followed or (recorded is not None and top not in recorded) or _in_source_tree(top):
                followed.add(top)
            else:
                left.add(top)
        waiting += {source_package(module) for module in imported if module.partition(".")[0] in followed}
    return files


def _installed_files(distribution: Distribution) -> dict[str, Path]:
    """Returns the files in the distribution's RECORD that do not depend on the installer; empty without RECORD."""
    found = {}
    for file in distribution.files or ():
        name = re.sub(r"^(\.\./)+", "", file.as_posix())
        path = Path(str(file.locate()))
        if _counts(name) and not _BY_THE_INSTALLER.fullmatch(name) and path.is_file():
            found[name] = path
    return found


def _imported_by(files: Collection[Path]) -> set[str]:
    """Returns the modules that Python files import, including imports inside functions. `from a import b` gives `a` and
    `a.b`, as b may be a module. Relative imports are ignored: they stay in the package."""
    found: set[str] = set()
    for path in files:
        if path.suffix != ".py":
            continue
        for module, names, plain in _IMPORT.findall(path.read_text(encoding="utf-8", errors="replace")):
            found.update(re.findall(r"[\w.]+", plain) if plain else [module])
            found.update(f"{module}.{name}" for name in re.findall(r"\w+", names))
    return found


def _in_source_tree(package: str) -> bool:
    """Returns whether a package is neither in site-packages nor in another target folder of pip."""
    spec = _spec_of(package)
    if spec is None:
        return False
    places = spec.submodule_search_locations or ([] if spec.origin is None else [spec.origin])
    folders = [Path(place).parent for place in places if Path(place).exists()]
    return any(_INSTALLED.isdisjoint(folder.parts) and not any(folder.glob("*.dist-info")) for folder in folders)


def source_package(module: str) -> str:
    """Returns the outermost package of `module` that is not a namespace package."""
    parts = module.split(".")
    for length in range(1, len(parts)):
        package = ".".join(parts[:length])
        spec = _spec_of(package)
        if spec is not None and spec.origin is not None:
            return package
    return module


def _spec_of(module: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, AttributeError, ValueError):  # the parent is not a package, or is broken
        return None
