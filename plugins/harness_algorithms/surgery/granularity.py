"""Which group of parameters a parameter belongs to, by its name alone."""

from __future__ import annotations

import re
from typing import Literal

Granularity = Literal["tensor", "module", "block", "global"]

_LAYER = re.compile(r"^(?:(?P<stack>.+?)\.)?(?:layers|layer|blocks|block|h)\.(?P<index>\d+)\.(?P<rest>.+)$")
# Containers that say nothing of what a parameter does: model classes, PEFT, DDP and torch.compile.
_WRAPPERS = ("base_model", "model", "module", "transformer", "language_model", "gpt_neox", "_orig_mod")
_EMBEDDINGS = ("wte", "wpe")
_HEADS = ("lm_head", "embed_out")


def group_of(name: str, granularity: Granularity) -> str:
    """Returns the group of the parameter `name`.

    tensor: the parameter itself. module: `layers.3.self_attn`, `layers.3.mlp`, `layers.3.norms` for the norms that
    stand between a layer's modules (those inside attention belong to it), `embeddings`, `norm`, `lm_head`. block:
    `layers.3`; what is in no layer as under module. global: one group. A stack of layers beside the main one, such as
    an encoder, keeps its name in front: `encoder.layers.3.mlp`.
    """
    if granularity == "global":
        return "all"
    if granularity == "tensor":
        return name
    layer = _LAYER.match(name)
    if layer is None:
        return _outside_layers(name)
    stack = _without_wrappers((layer["stack"] or "").split("."))
    block = ".".join([*stack, "layers", layer["index"]])
    return block if granularity == "block" else f"{block}.{_kind(layer['rest'].split('.')[0])}"


def _kind(part: str) -> str:
    return "norms" if "norm" in part.lower() or part.startswith("ln_") else part


def _outside_layers(name: str) -> str:
    parts = _without_wrappers(name.split("."))
    if any(part in _HEADS for part in parts):
        return "lm_head"
    if any("embed" in part or part in _EMBEDDINGS for part in parts):
        return "embeddings"
    if any("norm" in part.lower() or part.startswith("ln_") for part in parts):
        return "norm"
    return ".".join(parts[:-1]) or name


def _without_wrappers(parts: list[str]) -> list[str]:
    return [part for part in parts if part and part not in _WRAPPERS]
