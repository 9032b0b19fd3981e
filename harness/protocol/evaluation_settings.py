"""Evaluation settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import ConfigDict

from harness.protocol.backends import BACKENDS


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How checkpoints are scored.

    limit: items per task, None for all. seed: for sampling answers; independent of the run's seed. chat_template:
    whether to apply the model's chat template; None (each domain's own format) only in the settings of a protocol, not
    in those of a node. think_end: the text up to this mark is not scored. backend: what generates the answers; args:
    arguments of its lm-eval model class. serve: the command that starts a server for one checkpoint, for the backend
    `openai` without a `base_url`.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    limit: int | None = None
    batch_size: int = 16
    seed: int = 0
    chat_template: bool | None = None
    think_end: str | None = None
    backend: str = "hf"
    args: Mapping[str, Any] = field(default_factory=dict)
    serve: tuple[str, ...] = ()

    def definition(self) -> dict[str, Any]:
        """Returns the part of a key, as JSON data. Without the arguments that say where a server is and how long to
        wait for it; the backend `hf` without arguments is left out, because it is the default."""
        settings = asdict(self)
        backend, args, serve = (settings.pop(name) for name in ("backend", "args", "serve"))
        if backend == "hf" and not args:
            return settings
        keyed = {name: value for name, value in args.items() if name not in BACKENDS[backend].unkeyed}
        return settings | {"backend": backend, "args": keyed, "serve": list(serve)}

    def backend_text(self) -> str:
        """Returns the backend with the settings that results depend on, in one line."""
        keyed = self.definition()
        args = [f"{name}={value}" for name, value in keyed.get("args", {}).items()]
        serve = [" ".join(self.serve)] if self.serve else []
        return ", ".join([self.backend, *args, *serve])
