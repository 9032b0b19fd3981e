"""Creates plugin projects: a working plugin of a kind, its tests and a protocol.

The templates are in `scaffold/`, one folder per kind, with shared files in `scaffold/common`. They are plain Python and
YAML files: `NAME` in a file or its path is replaced by the plugin's name, `harness_NAME` by its package.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import UsageError

TEMPLATES = Path(__file__).parent / "scaffold"
COMMON = "common"
DEFAULT_KIND = "reward"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RUN = {
    "engine": "harness run NAME.yaml --engine NAME",
    "table-format": "harness run NAME.yaml\nharness leaderboard export --format NAME",
}


def template_kinds() -> list[str]:
    """Returns the kinds of plugins that `new_plugin` can create."""
    return sorted(folder.name for folder in TEMPLATES.iterdir() if folder.is_dir() and folder.name != COMMON)


def new_plugin(name: str, kind: str = DEFAULT_KIND, into: str | Path = ".") -> Path:
    """Writes a plugin project, `harness-<name>`, and returns its folder: a working plugin of the kind, its tests, and a
    protocol that uses it.

    into: where to put the project's folder. Raises UsageError if there is no template of that kind, the name is not
    valid, or the folder exists or cannot be written.
    """
    if kind not in template_kinds():
        raise UsageError(
            f"there is no template for the kind {kind!r}", where="--kind", hint=f"one of {', '.join(template_kinds())}"
        )
    if not _NAME.fullmatch(name):
        hint = "use lower-case letters, digits and single hyphens, a letter first, such as chess"
        raise UsageError(f"{name!r} cannot name a plugin", hint=hint)
    folder = Path(into) / f"harness-{name}"
    if folder.exists():
        raise UsageError("the folder exists", where=str(folder), hint="give another name, or another --into")
    try:
        for path, text in _files(name, kind).items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror or error}", where=str(folder)) from error
    return folder


def _files(name: str, kind: str) -> dict[str, str]:
    """Returns the texts of the project by path; a file of the kind overrides the common one."""
    from harness._util.version import VERSION

    found: dict[str, str] = {}
    for root in (TEMPLATES / COMMON, TEMPLATES / kind):
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    words = {
        "@RUN@": _RUN.get(kind, "harness run NAME.yaml"),
        "@KIND@": kind,
        "@VERSION@": VERSION,
        "harness_NAME": f"harness_{name.replace('-', '_')}",
        "NAME": name,
    }

    def filled(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    return {filled(path): filled(text) for path, text in found.items()}
