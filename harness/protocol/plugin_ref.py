"""A resolved reference to a plugin: its identity and its config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from typing import Annotated, Any

from pydantic import ConfigDict, PlainSerializer

from harness.plugin.paths import SeenPath


@dataclass(frozen=True, kw_only=True)
class PluginRef:
    """A resolved reference to a plugin in a protocol.

    name: as in the protocol (possibly `distribution/name`). identity: `distribution:name`, version and source digest; a
    part of keys. config: JSON data, with defaults. needs: the requirements of its spec and of the rewards in its
    config. unkeyed: the paths of config values that do not affect results. reward_fingerprints: the fingerprints of the
    rewards in its config, by path; set when a plan is made. methods: the names of methods in its config, by path.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    kind: str
    name: str
    identity: str
    config: Mapping[str, Any]
    needs: Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])] = frozenset()
    unkeyed: tuple[tuple[str | int, ...], ...] = ()
    reward_fingerprints: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)

    @property
    def named_methods(self) -> tuple[str, ...]:
        """The names of the methods in its config, in the order of their paths."""
        return tuple(dict.fromkeys(name for _, name in sorted(self.methods.items())))

    def definition(self, experts: Sequence[str] = ()) -> dict[str, Any]:
        """Returns the part of the plugin that keys cover. It contains the identity instead of the name.

        experts: the names of the methods that a merge names; by default those of `named_methods`. The config has their
        index here in the place of a name.
        """
        config, named = _without(self.config, frozenset(self.unkeyed)), list(experts or self.named_methods)
        for path, name in self.methods.items():
            *above, last = path.split(".")
            reduce(getitem, above, config)[last] = {"expert": named.index(name)}
        rewards = {"reward_fingerprints": dict(self.reward_fingerprints)} if self.reward_fingerprints else {}
        return {"kind": self.kind, "identity": self.identity, "config": config, **rewards}


def _without(value: Any, paths: frozenset[tuple[str | int, ...]], at: tuple[str | int, ...] = ()) -> Any:
    """Returns JSON data without the values at `paths`; file paths are as written in the protocol."""
    if isinstance(value, SeenPath):
        return value.written
    if isinstance(value, Mapping):
        return {key: _without(item, paths, (*at, key)) for key, item in value.items() if (*at, key) not in paths}
    if isinstance(value, list | tuple):
        return [_without(item, paths, (*at, index)) for index, item in enumerate(value)]
    return value
