"""The snippets of the documentation: every code block of every page, with its name, and the commands in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

from repository import mounted

ROOT = Path(__file__).parents[2]
_TITLE = re.compile(r'title="([^"]+)"')
_NAMED = re.compile(r"`([\w./-]+\.\w+)`(\s+–.*)?")


@dataclass(frozen=True)
class Snippet:
    """A code block. page: its path in the repository. title: the file that it shows, if it is one."""

    page: str
    line: int
    language: str
    title: str
    text: str

    @property
    def place(self) -> str:
        """Returns where the block begins, for messages and names of tests."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A shown command line, without its comment, and the output that is shown below it."""

    line: str
    output: str = ""
    snippet: Snippet = field(repr=False, kw_only=True)


def pages() -> list[Path]:
    """Returns every Markdown file that is a page of the site."""
    outside = [ROOT / source for source, place in mounted().items() if place.endswith(".md")]
    return [*outside, *sorted((ROOT / "docs").rglob("*.md"))]


def snippets(page: Path) -> list[Snippet]:
    """Returns the code blocks of a page; the language of an indented one is `indented`.

    The title of a block is that of its fence, or a path in backquotes that begins the line above it.
    """
    found = []
    lines = page.read_text(encoding="utf-8").splitlines()
    for token in MarkdownIt().parse("\n".join(lines)):
        if token.type not in ("fence", "code_block"):
            continue
        first = token.map[0]
        language = token.info.split(" ")[0] if token.type == "fence" else "indented"
        title = _TITLE.search(token.info)
        paragraph = "\n".join(lines[:first]).rpartition("\n\n")[2]
        named = _NAMED.match(paragraph)
        name = title[1] if title else named[1] if named else ""
        found.append(Snippet(str(page.relative_to(ROOT)), first + 1, language, name, token.content))
    return found


def commands(snippet: Snippet) -> list[Command]:
    """Returns the commands of a console block: each line after `$ `, with its continuations and its output."""
    found = []
    for part in re.split(r"^\$ ", snippet.text, flags=re.MULTILINE)[1:]:
        line, _, output = re.sub(r"\\\n\s*", "", part).partition("\n")
        found.append(Command(re.split(r"\s+# ", line)[0].strip(), output.strip("\n"), snippet=snippet))
    return found
