"""The documentation site: its navigation, generated tables, links between repository and site, and its build."""

import dataclasses
import importlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal

import pytest
import yaml
from pydantic import BaseModel, Field

import harness
from class_tables import split_docstring
from generated import API, KINDS, pages, registry
from repository import mounted, relinked
from schema_tables import Key, key_table, keys_of

ROOT = Path(__file__).parents[2]


def navigation() -> list[str]:
    """Returns every entry of the navigation, in order."""

    def entries(node):
        if isinstance(node, str):
            yield node
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from entries(child)

    return list(entries(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))


def test_every_page_is_in_the_navigation_once():
    found = navigation()
    assert len(found) == len(set(found))
    written = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    elsewhere = {*pages(), *(place for place in mounted().values() if place.endswith(".md"))}
    covered = {place for place in elsewhere if any(place.startswith(entry) for entry in found if entry.endswith("/"))}
    named = {entry for entry in found if not entry.endswith("/")}
    assert named == written | (elsewhere - covered)


class Inner(BaseModel):
    """Settings of the inner part."""

    depth: int = Field(default=2, gt=0, description="how deep")


class Outer(BaseModel):
    name: str = Field(description="a | b")
    mode: Literal["fast", "slow"] = Field(default="fast", description="which way")
    parts: list[int] | None = Field(default=None, description="which ones")
    inner: Inner = Inner(depth=5)


def test_keys_of_a_schema_have_types_defaults_and_nested_names():
    assert keys_of(Outer.model_json_schema()) == [
        Key(name="name", type="text", default="required", description="a | b"),
        Key(name="mode", type="`fast` or `slow`", default="fast", description="which way"),
        Key(name="parts", type="list of integer or null", default="null", description="which ones"),
        Key(name="inner", type="mapping", default="", description="Settings of the inner part."),
        Key(name="inner.depth", type="integer > 0", default="5", description="how deep"),
    ]


def test_a_bar_in_a_description_does_not_end_a_cell():
    shown = key_table(keys_of(Outer.model_json_schema()))
    assert "| `name` | text | required | a \\| b |\n" in shown


def test_a_section_without_keys_says_so():
    assert key_table([]) == "No keys.\n"


@pytest.mark.parametrize("module", API)
def test_a_public_module_lists_names_that_it_has(module):
    loaded = importlib.import_module(module)
    assert loaded.__all__
    assert not [name for name in loaded.__all__ if not hasattr(loaded, name)]


def test_every_shipped_plugin_has_a_place_in_the_reference():
    made = pages()
    for offer in registry().all():
        assert f"{{ #{offer.name} }}" in made[f"reference/plugins/{offer.kind}.md"]
    assert {offer.kind for offer in registry().all()} <= set(KINDS)


def test_every_key_of_a_shipped_plugin_is_described():
    bare = [
        f"{offer.kind} {offer.name}: {key.name}"
        for offer in registry().all()
        if offer.kind != "protocol"
        for key in keys_of(offer.config_schema())
        if not key.description
    ]
    assert not bare


CLASSES = re.findall(r"<!-- class: (\w+) -->", (ROOT / "docs" / "reference" / "plugin-classes.md").read_text())


@pytest.mark.parametrize("name", CLASSES)
def test_every_field_of_a_listed_class_is_described(name):
    described = getattr(harness, name)
    summary, descriptions = split_docstring(described)
    assert summary.endswith(".")
    assert set(descriptions) == {field.name for field in dataclasses.fields(described)}
    assert all(descriptions.values())


def test_every_context_and_event_is_listed():
    endings = ("Context", "Started", "StepProgress", "Finished", "Scored")
    wanted = {name for name in harness.__all__ if name.endswith(endings)}
    assert wanted <= set(CLASSES)


PAGES = {"README.md": "index.md", "plugins/harness_domains/math/README.md": "reference/notes/math.md"}


@pytest.mark.parametrize(
    ("source", "place", "link", "wanted"),
    [
        ("README.md", "index.md", "[a](docs/how-to/store.md#damage)", "[a](how-to/store.md#damage)"),
        ("docs/how-to/store.md", "how-to/store.md", "[a](../../README.md)", "[a](../index.md)"),
        (
            "docs/how-to/store.md",
            "how-to/store.md",
            "[a](../../plugins/harness_domains/math)",
            "[a](../reference/notes/math.md)",
        ),
        (
            "plugins/harness_domains/math/README.md",
            PAGES["plugins/harness_domains/math/README.md"],
            "[a](__init__.py)",
            "a",
        ),
        ("README.md", "index.md", "[`a[0]`](LICENSE), [b](https://arxiv.org)", "`a[0]`, [b](https://arxiv.org)"),
        ("README.md", "index.md", "[a](nowhere.md)", "[a](nowhere.md)"),
        ("README.md", "index.md", "[a](#here)", "[a](#here)"),
        ("README.md", "index.md", "```\n[a](LICENSE)\n```\n", "```\n[a](LICENSE)\n```\n"),
    ],
)
def test_a_link_of_the_repository_becomes_the_sites(source, place, link, wanted):
    assert relinked(link, source, place, PAGES) == wanted


def test_plugins_of_every_package_link_their_notes():
    made = pages()
    assert "[its notes](../notes/math.md)" in made["reference/plugins/domain.md"]
    assert "[its notes](../notes/rollback.md)" in made["reference/plugins/recovery.md"]


def test_the_figures_are_those_of_the_kept_leaderboard(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "figures.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    kept = ROOT / "docs" / "figures"
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert drawn["leaderboard.svg"] == (kept / "leaderboard.svg").read_text(), "run `make figures`"
    told = re.compile(r'aria-label="([^"]*)"')
    for name, text in drawn.items():  # coordinates may differ by the drawing library's version
        assert told.search(text)[1] == told.search((kept / name).read_text())[1], "run `make figures`"
        assert len(text) < 50_000
        assert not re.search(r"(href|src)=|url\((?!#)|@import", text)


class Loaded(HTMLParser):
    """Collects what a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "link" and given.get("rel") == "canonical":
            return
        name = "href" if tag in ("link", "use", "image") else "src"
        if tag != "a" and given.get(name):
            self.urls.append(given[name])


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("mkdocs", reason="`make docs` installs it")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = os.environ | {
        "NO_MKDOCS_2_WARNING": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "WARNING" not in built.stderr
    made = list(tmp_path.rglob("*.html"))
    assert len(made) > 20
    for page in made:
        found = Loaded()
        found.feed(page.read_text())
        assert not [url for url in found.urls if re.match(r"(https?:)?//", url)], page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.findall(r"url\([\"']?https?:|@import", sheet.read_text()), sheet
