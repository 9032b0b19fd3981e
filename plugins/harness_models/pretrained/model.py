"""A base model from the hub, pinned by its revision, or from a local folder, pinned by the hash of its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from harness import (
    BaseModel,
    CheckpointError,
    Config,
    FolderOrName,
    HubSource,
    Problem,
    Unkeyed,
    UsageError,
    looks_local,
    missing_package,
)
from harness.domains import fetch_model, parse_json
from harness.weights import (
    CONFIG,
    check_checkpoint,
    fingerprint_folder,
    gguf_config,
    gguf_digest,
    gguf_fingerprint,
)
from harness_models.pretrained.published import PUBLISHED

_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "LICENSE*")


class PretrainedConfig(Config):
    """Which model, and at which revision."""

    pretrained: Annotated[str, FolderOrName(), Unkeyed("the fingerprint covers the model")] = Field(
        min_length=1, description="a name on the hub, such as Qwen/Qwen3-4B, or a local folder"
    )
    revision: str | None = Field(
        default=None, description="a branch, tag or commit of the hub; pin a commit to publish"
    )

    gguf_file: Annotated[str | None, Unkeyed("the fingerprint covers the file")] = Field(
        default=None,
        min_length=1,
        description="the GGUF file in the local folder; it is dequantized to fp32 once, into the cache",
    )

    def faults(self) -> Iterable[Problem]:
        """Yields what is wrong with a local folder or its GGUF file."""
        folder = Path(self.pretrained).expanduser()
        if self.gguf_file is not None:
            yield from _faults_of_gguf(folder, self.gguf_file)
        elif looks_local(self.pretrained) or folder.is_dir():
            try:
                check_checkpoint(folder)
            except CheckpointError as error:
                yield Problem(key="pretrained", message=f"{error.where}: {error.message}", hint=error.hint)


class Pretrained(BaseModel):
    """A name that is an existing folder is that folder; anything else is asked of the hub, or of its cache offline."""

    def __init__(self, config: PretrainedConfig) -> None:
        self.config = config
        self.local = Path(config.pretrained).expanduser()
        self._gguf = None if config.gguf_file is None else self.local / config.gguf_file

    def fingerprint(self) -> str:
        if self._gguf is not None:
            return gguf_fingerprint(self._gguf)
        if self._is_local():
            check_checkpoint(self.local)
            return fingerprint_folder(self.local)
        return f"{self.config.pretrained}@{self.config.revision or 'main'}"

    def folder(self) -> Path:
        if self._gguf is not None:
            from harness.weights import dequantized  # imports torch

            return dequantized(self._gguf)
        if self._is_local():
            check_checkpoint(self.local)
            return self.local
        [source] = self.hub_sources()
        try:
            folder = fetch_model(source, _FILES)
        except UsageError as error:
            raise CheckpointError(error.message, where=error.where, hint=error.hint) from error
        try:
            check_checkpoint(folder)
        except CheckpointError as error:
            raise CheckpointError(
                error.message,
                where=error.where or str(folder),
                hint=f"remove {folder.parents[1]} and fetch the model again; if it stays so, the commit itself has no"
                " whole model: set `revision` to another",
            ) from error
        return folder

    def hub_sources(self) -> tuple[HubSource, ...]:
        if self._is_local():
            return ()
        return (HubSource(kind="model", name=self.config.pretrained, revision=self.config.revision),)

    def config_json(self) -> Mapping[str, Any] | None:
        """Returns the local folder's config.json, or that in the hub's cache, or what is published of a known model.
        For a GGUF file, the sizes in its metadata."""
        if self._gguf is not None:
            return gguf_config(self._gguf)
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
        return looks_local(self.config.pretrained) or self.local.is_dir()


def _faults_of_gguf(folder: Path, name: str) -> Iterable[Problem]:
    yield from missing_package("gguf", key="gguf_file", wanted_by="reading GGUF files", install="mdrl-harness[gguf]")
    if not folder.is_dir():
        message = f"{folder} is not a local folder"
        yield Problem(
            key="pretrained", message=message, hint="gguf_file names a file in a local folder: fetch it first"
        )
        return
    try:
        gguf_digest(folder / name)
    except CheckpointError as error:
        yield Problem(key="gguf_file", message=f"{error.where}: {error.message}", hint=error.hint)


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        values = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None
