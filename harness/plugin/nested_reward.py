"""A reward inside the config of another plugin, written by name or with its own keys.

When a protocol is loaded, the inner plugin is resolved, its config validated and its defaults filled in, so the config
of the outer plugin identifies it. A plan adds the fingerprint of the inner reward, so that keys cover both. The inner
reward is built before the outer plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Field, PrivateAttr, model_validator

from harness.errors import PluginError
from harness.plugin.config import Config, parts_of
from harness.plugin.interfaces import Reward

KeyPath = tuple[str | int, ...]


class RewardUse(Config):
    """The type of a config field: a reward by name, `{use: name, …}` with its keys, or its resolved form.

    identity: the inner plugin's `distribution:name@version`, empty until the protocol is loaded.
    """

    use: str = Field(min_length=1, description="name of the reward")
    config: Mapping[str, Any] = Field(default_factory=dict, description="keys of the reward")
    identity: str = Field(default="", description="filled in when the protocol is loaded")

    _bound: tuple[Reward, BaseModel] | None = PrivateAttr(None)

    @model_validator(mode="before")
    @classmethod
    def _from_protocol(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"use": value}
        if isinstance(value, Mapping) and "use" in value and "identity" not in value:
            return {"use": value["use"], "config": {key: item for key, item in value.items() if key != "use"}}
        return value

    def load(self) -> Reward:
        """Returns the reward. Raises PluginError if the config was not built through a registry."""
        return self._built()[0]

    def fingerprints(self) -> Iterator[tuple[KeyPath, Callable[[], object]]]:
        """Yields (path, fingerprint function) of this reward, at the empty path, and of the rewards nested in its
        config. Raises PluginError as `load` does."""
        reward, config = self._built()
        yield (), reward.fingerprint
        for path, inner in reward_uses(config):
            for below, fingerprint in inner.fingerprints():
                yield (*path, *below), fingerprint

    def _built(self) -> tuple[Reward, BaseModel]:
        if self._bound is None:
            raise PluginError(f"the reward {self.use!r} was not built", hint="build plugins with Registry.build")
        return self._bound

    def bind(self, build: Callable[[RewardUse], tuple[Reward, BaseModel]]) -> None:
        """Sets the reward that `load` returns to that of `build`, which is called at most once."""
        if self._bound is None:
            self._bound = build(self)


def reward_uses(value: Any, at: KeyPath = ()) -> Iterator[tuple[KeyPath, RewardUse]]:
    """Yields all rewards in a config with their paths, including those in nested models, lists and mappings."""
    if isinstance(value, RewardUse):
        yield at, value
        return
    for key, part in parts_of(value):
        yield from reward_uses(part, (*at, key))
