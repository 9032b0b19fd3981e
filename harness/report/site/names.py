"""File names of pages, and links, from names that a record can bring."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import urlsplit

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_WITH_DIGEST = re.compile(r".*-[0-9a-f]{12}")
_OTHERS = re.compile(r"[^a-z0-9_]+")
_CONTROL_OR_SPACE = re.compile(r"[\x00-\x20\x7f]")
_ARXIV = re.compile(r"\d{4}\.\d{4,5}(v\d+)?|[a-z-]+/\d{7}")


def file_name(name: str) -> str:
    """Returns a file name without an extension for a page. Different names have different file names, on
    case-insensitive file systems too. Plain lower-case names are unchanged; others get a digest."""
    if _PLAIN.fullmatch(name) and not _WITH_DIGEST.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    readable = _OTHERS.sub("-", name.lower()).strip("-_")[:40]
    return f"{readable or 'x'}-{digest}"


def folder_name(place: str) -> str:
    """Returns the name of the folder of a board's pages, `lab.recoveries` for `lab/recoveries`."""
    return ".".join(file_name(part) for part in place.split("/"))


def web_link(url: str) -> str:
    """Returns a URL that a page may link to: one of http or https with a host. Otherwise returns an empty text."""
    if _CONTROL_OR_SPACE.search(url):
        return ""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and host else ""


def arxiv_link(identifier: str) -> str:
    """Returns the address of a paper on arXiv, empty if this is not an arXiv identifier."""
    return f"https://arxiv.org/abs/{identifier}" if _ARXIV.fullmatch(identifier) else ""
