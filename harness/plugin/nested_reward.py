"""A reward inside another plugin's config, written in a protocol as a reward is: by name, or with its own keys.

Reading a protocol finds the inner plugin, checks its config and fills in its defaults: the outer plugin's config
then says what the inner one is, and a plan adds the fingerprint of what it reads: the keys of all that the outer plugin
makes cover both. Building the outer one builds the inner one first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Field, PrivateAttr, model_validator

from harness.errors import PluginError
from harness.plugin.config import Config
from harness.plugin.interfaces import Reward

KeyPath = tuple[str | int, ...]


class RewardUse(Config):
    """A config field's type: a reward by name, `{use: name, …}` with its keys, or its resolved form.

    identity: the inner plugin's `distribution:name@version`, empty until a protocol was read.
    """

    use: str = Field(min_length=1, description="the reward's name")
    config: Mapping[str, Any] = Field(default_factory=dict, description="the reward's own keys")
    identity: str = Field(default="", description="filled in when a protocol is read")

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
        """Returns the reward. Raises PluginError where the config was not built through a registry."""
        return self._built()[0]

    def fingerprints(self) -> Iterator[tuple[KeyPath, Callable[[], object]]]:
        """Yields the fingerprint functions of this reward, at the empty path, and of the rewards in its own config, at
        their paths in it. Raises PluginError as `load` does."""
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
        """Makes `load` return the reward that `build` returns with its config. `build` is called once."""
        if self._bound is None:
            self._bound = build(self)


def reward_uses(value: Any, at: KeyPath = ()) -> Iterator[tuple[KeyPath, RewardUse]]:
    """Yields every reward in use in a config with its path, however deep in its models, lists and mappings."""
    if isinstance(value, RewardUse):
        yield at, value
        return
    if isinstance(value, BaseModel):
        parts: Iterable[tuple[str | int, Any]] = (
            (field.alias or name, getattr(value, name)) for name, field in type(value).model_fields.items()
        )
    elif isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    else:
        return
    for key, part in parts:
        yield from reward_uses(part, (*at, key))
