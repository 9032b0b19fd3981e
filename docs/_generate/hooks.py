"""The hooks that mkdocs calls: generated pages, pages from outside of docs/, their navigation, key tables, links."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from class_tables import class_table
from generated import config_schema, pages
from repository import CONTENT, ROOT, mounted, relinked
from schema_tables import key_table, keys_of

_KEYS = re.compile(r"<!-- keys: ([^>]+?) -->\n")
_CLASS = re.compile(r"<!-- class: (\w+) -->\n")


@cache
def _generated() -> dict[str, str]:
    return pages()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the pages of a folder in the place of its name in the navigation, such as `reference/api/`."""
    places = [*_generated(), *mounted().values()]

    def expanded(entry: Any) -> Any:
        if isinstance(entry, list):
            return [expanded(item) for item in entry]
        if isinstance(entry, dict):
            return {title: expanded(item) for title, item in entry.items()}
        if isinstance(entry, str) and entry.endswith("/"):
            return [place for place in places if place.startswith(entry) and place.endswith(".md")]
        return entry

    config.nav = expanded(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that do not lie in docs/."""
    for place, text in _generated().items():
        files.append(File.generated(config, place, content=text))
    for source, place in mounted().items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fills in the tables of a page, and turns its links into the site's."""
    place = page.file.src_uri
    if place in _generated():
        return markdown
    outside = {there: source for source, there in mounted().items()}
    source = outside.get(place, CONTENT + place)
    filled = _CLASS.sub(lambda found: class_table(found[1]), _KEYS.sub(_key_table, markdown))
    return relinked(filled, source, place, mounted())


def _key_table(found: re.Match[str]) -> str:
    """Returns the table for `<!-- keys: KIND NAME -->`, or `<!-- keys: protocol -->` and one of its sections."""
    words = found[1].split()
    if words[0] != "protocol":
        return key_table(keys_of(config_schema(*words)))
    keys = keys_of(_protocol_schema())
    if len(words) == 1:
        return key_table(key for key in keys if "." not in key.name)
    return key_table(key for key in keys if key.name.startswith(f"{words[1]}."))


@cache
def _protocol_schema() -> dict[str, Any]:
    command = [sys.executable, "-m", "harness", "schema"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
