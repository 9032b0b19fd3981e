"""A base model from the hub, pinned by its revision, or from a local folder, pinned by the hash of its files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from harness import BaseModel, CheckpointError, Config
from harness.checkpoint import CONFIG, check_checkpoint, hash_checkpoint
from harness_pretrained.published import PUBLISHED

_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "LICENSE*")


class PretrainedConfig(Config):
    """Which model, and at which revision."""

    pretrained: str = Field(min_length=1, description="a name on the hub, such as Qwen/Qwen3-4B, or a local folder")
    revision: str | None = Field(
        default=None, description="a branch, tag or commit of the hub; pin a commit to publish"
    )


class Pretrained(BaseModel):
    """A name that is an existing folder is that folder; anything else is asked of the hub, or of its cache offline."""

    def __init__(self, config: PretrainedConfig) -> None:
        self.config = config
        self.local = Path(config.pretrained).expanduser()

    def fingerprint(self) -> str:
        if self._is_local():
            check_checkpoint(self.local)
            return hash_checkpoint(self.local)
        return f"{self.config.pretrained}@{self.config.revision or 'main'}"

    def folder(self) -> Path:
        if self._is_local():
            check_checkpoint(self.local)
            return self.local
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

        try:
            fetched = snapshot_download(
                self.config.pretrained, revision=self.config.revision, allow_patterns=list(_FILES)
            )
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            offline = os.environ.get("HF_HUB_OFFLINE") == "1"
            raise CheckpointError(
                f"the model {self.config.pretrained} cannot be had: {_first_line(error)}",
                hint="unset HARNESS_OFFLINE and HF_HUB_OFFLINE to fetch it"
                if offline
                else "check the name, the revision, your access to it and the network; or give a local folder",
            ) from error
        folder = Path(fetched)
        check_checkpoint(folder)
        return folder

    def config_json(self) -> Mapping[str, Any] | None:
        """Returns the local folder's config.json, or that in the hub's cache, or what is published of a known model."""
        if self._is_local():
            return _read(self.local / CONFIG)
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            cached = try_to_load_from_cache(self.config.pretrained, CONFIG, revision=self.config.revision)
        except HFValidationError:
            return None
        read = _read(Path(cached)) if isinstance(cached, str) else None
        return PUBLISHED.get(self.config.pretrained) if read is None else read

    def _is_local(self) -> bool:
        looks_local = self.config.pretrained.startswith((".", "/", "~"))
        return looks_local or self.local.is_dir()


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
