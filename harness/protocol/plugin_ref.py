"""A plugin as a protocol uses it, resolved: which one, and with which config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import ConfigDict, PlainSerializer

from harness.plugin.paths import SeenPath


@dataclass(frozen=True, kw_only=True)
class PluginRef:
    """A plugin as a protocol uses it.

    name: as looked up in the registry (may be `distribution/name`). identity: `distribution:name`, version, and
    the digest of its code; it goes into keys. config: JSON data after defaults.
    needs: what the spec says it needs to run. unkeyed: the paths of the config's values that change no result.
    reward_fingerprints: those of the rewards in its config, by path, which a plan fills in.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    kind: str
    name: str
    identity: str
    config: Mapping[str, Any]
    needs: Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])] = frozenset()
    unkeyed: tuple[tuple[str | int, ...], ...] = ()
    reward_fingerprints: Mapping[str, str] = field(default_factory=dict)

    def definition(self) -> dict[str, Any]:
        """Returns what a key covers of the plugin. The identity stands for the name it was looked up by."""
        config = _without(self.config, frozenset(self.unkeyed))
        rewards = {"reward_fingerprints": dict(self.reward_fingerprints)} if self.reward_fingerprints else {}
        return {"kind": self.kind, "identity": self.identity, "config": config, **rewards}


def _without(value: Any, paths: frozenset[tuple[str | int, ...]], at: tuple[str | int, ...] = ()) -> Any:
    """Returns JSON data without the values at `paths`, and paths in it as the protocol has them."""
    if isinstance(value, SeenPath):
        return value.written
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if (*at, key) not in paths}
        return {key: _without(item, paths, (*at, key)) for key, item in kept.items()}
    if isinstance(value, list | tuple):
        return [_without(item, paths, (*at, index)) for index, item in enumerate(value)]
    return value
