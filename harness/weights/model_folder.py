"""Model folders as Hugging Face writes them: finds the weight files, checks that they are complete, hashes them.

Reads headers and bytes only; imports no torch.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from harness._util.json_reading import parse_json
from harness.errors import CheckpointError

CONFIG = "config.json"
SINGLE_FILE = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
DELTA = "delta.json"
_ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_READ_BELOW = (".py", ".jinja")
"""Endings of files in subfolders that loading reads: modules of a model's own code, and chat templates."""
_UNREAD = re.compile(
    r"\..*|(README|LICENSE|LICENCE|NOTICE|CHANGELOG|USE_POLICY)(\..*)?|.*\.(md|pdf|png|jpe?g|gif|svg|webp)"
    r"|.*\.(safetensors|pt|pth|ckpt|h5|msgpack|onnx|gguf|tflite|ot)|(pytorch_model|model|optimizer|training_args).*\.bin"
    r"|trainer_state\.json|(all|train|eval)_results\.json|events\.out\..*",
    re.IGNORECASE,
)
"""Names of files that loading does not read. The safetensors files that it reads are found by `weight_files`."""
_LONGEST_HEADER = 100_000_000  # the limit that safetensors itself sets


def weight_files(folder: Path) -> list[Path]:
    """Returns the safetensors files of the model in `folder`, in the order of their names.

    Raises CheckpointError if `folder` is not a model folder or lacks a file that its index names.
    """
    if not folder.is_dir():
        raise CheckpointError("there is no such folder", where=str(folder), hint="check the path of the model")
    if not (folder / CONFIG).is_file() and (folder / ADAPTER_CONFIG).is_file():
        raise _adapter_alone(folder)
    if not (folder / CONFIG).is_file() and (folder / DELTA).is_file():
        raise CheckpointError(
            "the folder holds a delta: only the difference of a step's model from the one before it",
            where=str(folder),
            hint="`harness export` writes the complete model of a step; name that folder",
        )
    if not (folder / CONFIG).is_file():
        raise CheckpointError(
            f"the folder has no {CONFIG}", where=str(folder), hint="a model folder is what save_pretrained writes"
        )
    if (folder / INDEX).is_file():
        names = sorted(set(_index(folder / INDEX).values()))
    elif (folder / SINGLE_FILE).is_file():
        names = [SINGLE_FILE]
    else:
        raise CheckpointError(
            f"the folder has neither {SINGLE_FILE} nor {INDEX}",
            where=str(folder),
            hint="save the model with save_pretrained(..., safe_serialization=True)",
        )
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(
            f"the index names files that are missing: {', '.join(missing)}", where=str(folder), hint="fetch them again"
        )
    return [folder / name for name in names]


def check_checkpoint(folder: Path) -> None:
    """Checks that every weight file of `folder` is complete. Raises CheckpointError for the first that is not."""
    for path in weight_files(folder):
        check_safetensors(path)


def hash_checkpoint(folder: Path) -> str:
    """Returns a sha256 over the weight files and the config, which is equal for folders with the same model.
    `fingerprint_folder` covers the other files that loading reads too."""
    digest = hashlib.sha256((folder / CONFIG).read_bytes())
    for path in weight_files(folder):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def fingerprint_folder(folder: Path) -> str:
    """Returns a sha256 over every file of a model folder that loading may read: weights, configs, tokenizer, templates,
    code, an adapter. Raises CheckpointError as `weight_files` does.

    Only files that loading is known not to read are left out: documents and pictures, weights in other formats, and
    files of a trainer.
    """
    weights = [
        *weight_files(folder),
        *(folder / name for name in _ADAPTER_WEIGHTS if (folder / ADAPTER_CONFIG).is_file()),
    ]
    others = [path for path in folder.iterdir() if path.is_file() and not _UNREAD.fullmatch(path.name)]
    below = [path for suffix in _READ_BELOW for path in folder.glob(f"*/**/*{suffix}")]
    digest = hashlib.sha256()
    for path in sorted({*weights, *others, *below}):
        if path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _index(path: Path) -> dict[str, str]:
    try:
        names: dict[str, str] = parse_json(path.read_bytes())["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError("the index of the weights cannot be read", where=str(path)) from error
    return names


def _adapter_alone(folder: Path) -> CheckpointError:
    """Returns the error for a folder with an adapter where a model is needed."""
    try:
        base = parse_json((folder / ADAPTER_CONFIG).read_bytes()).get("base_model_name_or_path")
    except (ValueError, AttributeError):
        base = None
    named = f"its base {base} is not in it" if base else "it does not name its base"
    return CheckpointError(
        f"the folder holds an adapter and no model: {named}",
        where=str(folder),
        hint="merge it into its base (peft's merge_and_unload, then save_pretrained) and name that folder; `harness"
        " export` writes the complete model of a step that the harness trained as an adapter",
    )


def check_safetensors(path: Path) -> None:
    """Raises CheckpointError if the file's size differs from the size in its header, as after a broken download."""
    size = path.stat().st_size
    hint = "the file is truncated or damaged; fetch or save it again"
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _LONGEST_HEADER):
            raise CheckpointError("the safetensors header is cut off", where=str(path), hint=hint)
        try:
            header = parse_json(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError("the safetensors header cannot be read", where=str(path), hint=hint) from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise CheckpointError(f"the file has {size} bytes, its header promises {expected}", where=str(path), hint=hint)
