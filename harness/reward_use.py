"""A reward inside another plugin's config, written in a protocol as a reward is: by name, or with its own keys.

Reading a protocol finds the inner plugin, checks its config and fills in its defaults: the outer plugin's config
then says all that the inner one depends on, and the key of what is trained with it covers that. Building the outer one
builds the inner one first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Field, PrivateAttr, model_validator

from harness.errors import PluginError
from harness.interfaces import Reward
from harness.plugin_config import Config


class RewardUse(Config):
    """A config field's type: a reward by name, `{use: name, …}` with its keys, or its resolved form.

    identity: the inner plugin's `distribution:name@version`, empty until a protocol was read.
    """

    use: str = Field(min_length=1, description="the reward's name")
    config: Mapping[str, Any] = Field(default_factory=dict, description="the reward's own keys")
    identity: str = Field(default="", description="filled in when a protocol is read")

    _reward: Reward | None = PrivateAttr(None)

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
        if self._reward is None:
            raise PluginError(f"the reward {self.use!r} was not built", hint="build plugins with Registry.build")
        return self._reward

    def bind(self, build: Callable[[RewardUse], Reward]) -> None:
        """Makes `load` return what `build` does, which is asked once."""
        if self._reward is None:
            self._reward = build(self)


def reward_uses(value: Any) -> Iterator[RewardUse]:
    """Yields every reward in use in a config, however deep in its models, lists and mappings."""
    if isinstance(value, RewardUse):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from reward_uses(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from reward_uses(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from reward_uses(item)
