"""Which Markdown files of the repository are pages of the site, and links between them.

Links in the sources are those of the repository, so that they work in a checkout; here they become the site's.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTENT = "docs/"
"""The folder of pages that are written for the site."""
_LINK = re.compile(r"(?<!`)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def mounted() -> dict[str, str]:
    """Returns the pages that lie outside of docs/: the place in the site by the path in the repository."""
    pages = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "benchmarks/README.md": "records/benchmarks.md"}
    for path in sorted((ROOT / "plugins").rglob("README.md")):
        pages[str(path.relative_to(ROOT))] = f"reference/notes/{path.parent.name.removeprefix('harness_')}.md"
    for path in sorted((ROOT / "leaderboards").rglob("*.md")):
        within = path.relative_to(ROOT / "leaderboards")
        pages[str(path.relative_to(ROOT))] = f"records/{within.with_name(within.name.replace('README', 'index'))}"
    for path in sorted((ROOT / "leaderboards").rglob("report.html")):
        pages[str(path.relative_to(ROOT))] = f"records/{path.relative_to(ROOT / 'leaderboards')}"
    return pages


def relinked(markdown: str, source: str, place: str, pages: dict[str, str]) -> str:
    """Returns a page's text with the repository's links turned into the site's.

    source: the page's path in the repository. place: its path in the site. pages: what `mounted` returns. A link to a
    file that is no page becomes plain text; one to a file that does not exist stays, for the build to report.
    """

    def replaced(found: re.Match[str]) -> str:
        target, mark, anchor = found["target"].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return found[0]
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        for path in (wanted, f"{wanted}/README.md"):
            if path in pages or (path.startswith(CONTENT) and (ROOT / path).is_file()):
                there = pages.get(path) or path.removeprefix(CONTENT)
                return f"[{found['text']}]({posixpath.relpath(there, posixpath.dirname(place) or '.')}{mark}{anchor})"
        return found["text"] if (ROOT / wanted).exists() else found[0]

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(replaced, part) for part in parts)
