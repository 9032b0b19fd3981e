"""Plugin discovery: the entry points of the group `harness.plugins` and the user's selection among them.

No plugin is imported here; `harness.plugin.registry` loads them.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.utils import canonicalize_name

from harness.errors import PluginError, UsageError
from harness.plugin.source_digest import digest_of, plugin_files

DISTRIBUTION = "mdrl-harness"
GROUP = "harness.plugins"
SELECTION_VARIABLE = "HARNESS_PLUGINS"
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a plugin comes from.

    load: imports the plugin. files: returns its source files, given the modules it loads from; None if the plugin is
    not installed. modules: these modules. protocols: the protocol files it offers, on which no result depends.
    """

    distribution: str
    version: str
    entry_point: str
    load: Callable[[], object]
    files: Callable[[Collection[str]], Mapping[str, Path]] | None = None
    modules: tuple[str, ...] = ()
    protocols: tuple[Path, ...] = ()

    @cached_property
    def digest(self) -> str | None:
        """The digest of the plugin's source; None if it is not installed or belongs to the harness. Computed once."""
        files = self.digested_files()
        return digest_of(files) if files else None

    def digested_files(self) -> dict[str, Path]:
        """Returns the source files that results depend on."""
        if self.files is None:
            return {}
        protocols = {path.resolve() for path in self.protocols}
        return {name: path for name, path in self.files(self.modules).items() if path.resolve() not in protocols}

    @property
    def label(self) -> str:
        """The plugin in messages: distribution, version, entry point."""
        return f"{self.distribution} {self.version} ({self.entry_point})"


def installed_sources() -> list[Source]:
    """Returns all installed entry points of the group, sorted by distribution and name, without loading them."""
    entry_points = importlib.metadata.entry_points(group=GROUP)
    modules = {entry_point.module for entry_point in entry_points}
    sources = [_source(entry_point, modules) for entry_point in entry_points]
    return sorted(sources, key=lambda source: (canonicalize_name(source.distribution), source.entry_point))


def _source(entry_point: importlib.metadata.EntryPoint, plugins: Collection[str]) -> Source:
    distribution = entry_point.dist
    assert distribution is not None, "entry points of installed distributions know theirs"
    try:
        name, version = distribution.name, distribution.version
    except Exception:  # the exception for damaged metadata differs between Python versions
        name, version = None, None
    if not (name and version):
        return Source(
            distribution=UNKNOWN,
            version=UNKNOWN,
            entry_point=entry_point.name,
            load=lambda: _refuse_unnamed(entry_point),
        )
    # The harness's distribution contains many plugins; changing one must not affect the others.
    whole = canonicalize_name(name) != DISTRIBUTION
    return Source(
        distribution=name,
        version=version,
        entry_point=entry_point.name,
        load=entry_point.load,
        files=lambda modules: plugin_files(distribution, modules, plugins, whole=whole),
        modules=(entry_point.module,),
    )


def _refuse_unnamed(entry_point: importlib.metadata.EntryPoint) -> object:
    raise PluginError(
        f"the distribution of {entry_point.value} has no name or version in its metadata",
        hint="its installation is incomplete: remove its .dist-info folder or reinstall it",
    )


def wanted_distributions() -> tuple[str, ...] | None:
    """Returns the distributions named by `HARNESS_PLUGINS`, or None if it is unset or empty."""
    names = [name.strip() for name in os.environ.get(SELECTION_VARIABLE, "").split(",")]
    return tuple(name for name in names if name) or None


def select(sources: Iterable[Source], *, only: Collection[str] | None, without: Collection[str]) -> list[Source]:
    """Returns the sources of the distributions in `only` (None for all), except those in `without`.

    Raises UsageError if either names a distribution without plugins.
    """
    sources = list(sources)
    known = {canonicalize_name(source.distribution) for source in sources}
    for names, option in ((only or (), SELECTION_VARIABLE), (without, "--without")):
        for name in names:
            if canonicalize_name(name) not in known:
                near = difflib.get_close_matches(canonicalize_name(name), known, n=3)
                choice = f"did you mean {' or '.join(near)}?" if near else f"available: {', '.join(sorted(known))}"
                raise UsageError(f"no installed distribution {name!r} offers plugins", where=option, hint=choice)
    chosen = known if only is None else {canonicalize_name(name) for name in only}
    chosen = chosen - {canonicalize_name(name) for name in without}
    return [source for source in sources if canonicalize_name(source.distribution) in chosen]
