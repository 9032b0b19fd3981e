"""What to cite: the works that the plugins of a protocol name, and papers with published rows, as BibTeX."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import PluginError
from harness.plugin.registry import Registry
from harness.protocol.shape import DEFAULT_ALGORITHM, DEFAULT_COLUMN, DEFAULT_MODEL
from harness.report.site.names import arxiv_link
from harness.report.site.records import Board
from harness.results.published import PublishedTable

_WORK = re.compile(
    r"(?:(?P<authors>[^\d;]+?) (?P<year>\d{4})(?:, |$))?(?P<title>.*?)"
    r"(?:(?:, |^|(?<=, ))arXiv[: ](?P<arxiv>\d{4}\.\d{4,5}))?",
    re.IGNORECASE,
)
_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",  # BibTeX counts escaped braces too
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "$&#%_"},
}
_STEP_KINDS = {"train": "algorithm", "recover": "recovery", "merge": "merge"}


@dataclass(frozen=True, kw_only=True)
class Work:
    """A work to cite. text: as its plugin or paper names it. by: what names it, such as `recovery rollback`. arxiv: its
    identifier, empty if unknown. bibtex: its entry."""

    text: str
    by: tuple[str, ...]
    arxiv: str
    link: str
    bibtex: str


def works_of(board: Board, registry: Registry, published: Sequence[PublishedTable] = ()) -> list[Work]:
    """Returns the works that the installed plugins of a board name, and the papers of `published`, sorted by text."""
    named: dict[str, list[str]] = {}
    for kind, name in used_plugins(board):
        try:
            cite = registry.find(kind, name).spec.cite
        except PluginError:
            continue  # not installed here
        for text in (cite or "").split(";"):
            if text.strip():
                named.setdefault(" ".join(text.split()), []).append(f"{kind} {name}")
    works = [_work(text, by) for text, by in named.items()]
    known = {work.arxiv for work in works}
    for table in published:
        if table.arxiv not in known:
            works.append(_work(f"{table.title}, arXiv {table.arxiv}", ["published results"]))
    return sorted(works, key=lambda work: work.text)


def cited_tables(works: Iterable[Work], published: Sequence[PublishedTable]) -> list[PublishedTable]:
    """Returns the published tables of papers that are among `works`."""
    cited = {work.arxiv for work in works} - {""}
    return [table for table in published if table.arxiv in cited]


def used_plugins(board: Board) -> list[tuple[str, str]]:
    """Returns (kind, name) of the plugins that a board's protocols and recoveries name, sorted. A malformed section is
    skipped, because records may be of other versions."""
    found = [("recovery", one.plugin) for row in board.leaderboard.rows for one in row.recoveries]
    named = (pair for record in board.records if record.settings for pair in _named(record.settings))
    return sorted({*found, *((kind, name) for kind, name in named if isinstance(name, str))})


def _named(data: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    yield "model", _mapping(data.get("model")).get("use", DEFAULT_MODEL)
    for domain in _mapping(data.get("domains")).values():
        yield "domain", _use(domain)
        yield "reward", _use(_mapping(domain).get("reward"))
    for column in _mapping(_mapping(data.get("evaluate")).get("columns")).values():
        yield "domain", _mapping(column).get("use", DEFAULT_COLUMN)
    algorithm = _mapping(data.get("train")).get("with", DEFAULT_ALGORITHM)
    for steps in _mapping(data.get("methods")).values():
        for step in _list(steps):
            kind = next((_STEP_KINDS[key] for key in _STEP_KINDS if key in _mapping(step)), "algorithm")
            yield kind, _mapping(step).get("with", algorithm if kind == "algorithm" else None)
    for kind, section in (("probe", _list(data.get("probes"))), ("metric", _mapping(data.get("metrics")).values())):
        for one in section:
            yield kind, _use(one)


def _use(value: Any) -> Any:
    return value if isinstance(value, str) else _mapping(value).get("use")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def bibliography(works: Iterable[Work]) -> str:
    """Returns the entries of a BibTeX file, empty if there are no works."""
    return "\n".join(f"{work.bibtex}\n" for work in works)


def _work(text: str, by: Sequence[str]) -> Work:
    parts = _WORK.fullmatch(text)
    authors, year, title, arxiv = (
        (parts[name] or "" for name in ("authors", "year", "title", "arxiv")) if parts else [""] * 4
    )
    fields = {"author": _authors(authors), "title": title, "year": year, "eprint": arxiv}
    if arxiv:
        fields |= {"archiveprefix": "arXiv", "url": arxiv_link(arxiv)}
    if not (title or arxiv):
        fields = {"note": text}
    lines = [f"  {name} = {{{_tex(value)}}}," for name, value in fields.items() if value]
    return Work(
        text=text,
        by=tuple(dict.fromkeys(by)),
        arxiv=arxiv,
        link=arxiv_link(arxiv),
        bibtex="\n".join([f"@misc{{{_key(authors, year, arxiv, text)},", *lines, "}"]),
    )


def _authors(text: str) -> str:
    """Returns authors as BibTeX separates them: `Yang and Ding and others` for `Yang, Ding et al.`"""
    names = re.split(r", | and ", re.sub(r",? et al\.?$", " and others", text))
    return " and ".join(name.strip() for name in names if name.strip())


def _key(authors: str, year: str, arxiv: str, text: str) -> str:
    first = re.sub(r"[^a-z]", "", re.split(r"[ ,]", authors)[0].lower())
    last = arxiv or hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return "-".join(part for part in (f"{first}{year}", last) if part)


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character if character.isprintable() else " ") for character in text)
