"""The pages of the reference that are made of the program itself: commands, plugins and their configs, Python API."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.plugin.registry import RegisteredPlugin, Registry
from repository import ROOT, mounted
from schema_tables import key_table, keys_of, table

API = {
    "harness": "What runs protocols, and what a plugin author imports",
    "harness.domains": "Toolkits for domains and rewards",
    "harness.training": "What algorithm plugins share",
    "harness.weights": "Arithmetic over checkpoints on disk",
    "harness.results": "Leaderboards, metrics and probe tables as data",
    "harness.testing": "Contract tests for plugin authors",
}
"""The public modules, each with an `__all__`, in the order of the navigation."""
SECTIONS = {"harness.plugin": "Write plugins", "harness.errors": "Errors"}
"""The sections of the page of `harness`, by the package that defines a name; all other names come first."""
HOOKS = "harness.plugin.hookspecs"
"""The module that declares the hooks."""

KINDS = {
    "model": "Base models",
    "domain": "Domains",
    "reward": "Rewards",
    "algorithm": "Algorithms",
    "recovery": "Recoveries",
    "merge": "Merges",
    "probe": "Probes",
    "metric": "Metrics",
    "engine": "Engines",
    "observer": "Observers",
    "table-format": "Table formats",
    "protocol": "Packaged protocols",
}


def pages() -> dict[str, str]:
    """Returns the Markdown of each generated page by its place in the site."""
    made = {"reference/commands.md": commands(), "reference/hooks.md": hooks()}
    made |= {f"reference/plugins/{kind}.md": plugins(kind) for kind in KINDS}
    return made | {f"reference/api/{module}.md": api(module) for module in API}


def commands() -> str:
    """Returns the reference of the command line, by Typer's own generator."""
    command = [
        sys.executable,
        "-m",
        "typer",
        "harness.cli",
        "utils",
        "docs",
        "--name",
        "harness",
        "--title",
        "Commands",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def hooks() -> str:
    """Returns the reference of the hooks, which mkdocstrings fills in."""
    return (
        "# Hooks\n\nA plugin is a module with functions of these names, marked `@hookimpl`. "
        "[Write a plugin](../how-to/plugins.md) shows how; the fields of the events are in "
        f"[Contexts, results and events](plugin-classes.md#observers).\n\n::: {HOOKS}\n"
        "    options: {members: [RegistrationHooks, ObserverHooks], show_bases: false}\n"
    )


def api(name: str) -> str:
    """Returns the reference of a public module: every name in its `__all__`, which mkdocstrings fills in."""
    module = importlib.import_module(name)
    if name == "harness":
        return _api_in_sections(module)
    members = json.dumps(sorted(module.__all__))
    return f"# {name}\n\n::: {name}\n    options: {{members: {members}}}\n"


def _api_in_sections(module: ModuleType) -> str:
    """Returns the reference of a module with a section for each entry of `SECTIONS`."""
    members: dict[str, list[str]] = {"Run protocols and read results": [], **{title: [] for title in SECTIONS.values()}}
    first = next(iter(members))
    for name in sorted(set(module.__all__) - {"__version__"}, key=lambda name: (name[0].isupper(), name)):
        defined = getattr(getattr(module, name), "__module__", "") or ""
        title = next((title for package, title in SECTIONS.items() if defined.startswith(package)), first)
        members[title].append(
            f"::: {module.__name__}.{name}\n    options: {{heading_level: 3, show_root_heading: true}}\n"
        )
    sections = "\n".join(f"## {title}\n\n" + "\n".join(each) for title, each in members.items())
    return f"# {module.__name__}\n\n{inspect.getdoc(module)}\n\n{sections}"


@cache
def registry() -> Registry:
    """Returns the plugins of this distribution."""
    return Registry.discover(only=["mdrl-harness"])


def plugins(kind: str) -> str:
    """Returns the page of a kind: what each plugin does, what it needs, and the keys of its config."""
    offers = registry().all(kind)
    overview = table(
        ("name", "", "needs"),
        [(f"[`{one.name}`](#{one.name})", one.spec.summary, ", ".join(sorted(_needs(one)))) for one in offers],
    )
    return f"# {KINDS[kind]}\n\n{overview}\n" + "\n".join(_plugin(one) for one in offers)


def config_schema(kind: str, name: str) -> dict[str, Any]:
    """Returns the JSON Schema of a plugin's config."""
    return registry().find(kind, name).config_schema()


def _plugin(offer: RegisteredPlugin) -> str:
    spec = offer.spec
    lines = [f"## `{offer.name}` {{ #{offer.name} }}", "", f"{spec.summary}."]
    if spec.cite:
        lines.append(f"After {spec.cite}.")
    if reward := getattr(spec, "reward", None):
        lines.append(f"Trained with the reward [`{reward}`](reward.md#{reward}) unless the protocol names another.")
    if note := _note(offer):
        lines.append(f"More in [its notes](../notes/{note}).")
    if offer.kind == "protocol":
        return "\n".join([*lines, "", "```yaml", spec.path.read_text().rstrip(), "```", ""])
    return "\n".join([*lines, "", key_table(keys_of(offer.config_schema()))])


def _needs(offer: RegisteredPlugin) -> frozenset[str]:
    return getattr(offer.spec, "needs", frozenset())


def _note(offer: RegisteredPlugin) -> str | None:
    """Returns the page of the README nearest to a plugin's code, if its package has one."""
    module = str(getattr(offer.spec, "load", "")).partition(":")[0]
    found = importlib.util.find_spec(module) if module else None
    if found is None or found.origin is None:
        return None
    notes = {ROOT / path: place for path, place in mounted().items() if place.startswith("reference/notes/")}
    places = (notes.get(folder / "README.md") for folder in Path(found.origin).parents)
    return next((place.rpartition("/")[2] for place in places if place), None)
