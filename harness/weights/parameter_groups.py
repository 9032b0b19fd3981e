"""The groups that parameters belong to, by their names: layer, module, norms, MLP channels.

Rollback, gradient surgery and the probes all use this definition. It covers the names of GPT-2, GPT-NeoX, Llama,
Mistral, Qwen2, Qwen3, Mixtral and Qwen's mixtures of experts as transformers stores them. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.errors import CheckpointError

Granularity = Literal["coordinate", "neuron", "module"]
"""What is selected as a unit: a weight, an MLP neuron, or a module of a layer."""

LAYER = re.compile(r"^(?:(?P<stack>.+?)\.)?(?:layers|layer|blocks|block|h)\.(?P<index>\d+)(?:\.(?P<part>.+))?$")
"""Matches the name of a parameter or group in a numbered layer."""

# Containers whose names do not tell what a parameter does: model classes, PEFT, DDP, torch.compile.
_WRAPPERS = frozenset({"base_model", "model", "module", "transformer", "language_model", "gpt_neox", "_orig_mod"})
_EMBEDDINGS = ("wte", "wpe")
_HEADS = ("lm_head", "embed_out")

_ROWS, _COLUMNS = -2, -1
_PROJECTIONS = {
    **dict.fromkeys(("gate_proj", "up_proj", "w1", "w3", "dense_h_to_4h"), (_ROWS, False)),
    **dict.fromkeys(("down_proj", "w2", "dense_4h_to_h"), (_COLUMNS, True)),
    # GPT-2's Conv1D stores the transpose of what a linear layer does.
    "c_fc": (_COLUMNS, False),
    "c_proj": (_ROWS, True),
}
"""By the name of an MLP's projection: the axis of its channels, and whether the projection leads out of them."""
_PROJECTION = re.compile(
    rf"^(?P<mlp>.*?(?P<module>\w+))\.(?P<projection>{'|'.join(_PROJECTIONS)})\.(?P<kind>weight|bias)$"
)
_IN_MLP = re.compile(r"\.(?:mlp|experts|feed_forward|block_sparse_moe)\.(?P<part>\w+)")
_ROUTERS = frozenset({"gate", "router", "shared_expert_gate"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterGroup:
    """The position of a parameter in the network.

    layer: `layers.3`, or None outside the layers. A stack of layers beside the main one keeps its name, as in
    `encoder.layers.3`. module: `layers.3.mlp`; outside the layers the parameter's own module, such as `embed_tokens`.
    function: as module, but the norms between a layer's modules are one group, `layers.3.norms`, and outside the layers
    the groups are called `embeddings`, `norm` and `lm_head` in every architecture.
    """

    layer: str | None
    module: str
    function: str


def parameter_group(name: str) -> ParameterGroup:
    """Returns the group of the parameter `name`. Norms inside a module, such as `self_attn.q_norm`, belong to it."""
    match = LAYER.match(name)
    if match is None or match["part"] is None:
        parts = _without_wrappers(name)
        module = ".".join(parts[:-1]) or name
        return ParameterGroup(layer=None, module=module, function=_function_outside(parts, module))
    layer = ".".join([*_without_wrappers(match["stack"] or ""), "layers", match["index"]])
    part = match["part"].split(".")[0]
    return ParameterGroup(
        layer=layer, module=f"{layer}.{part}", function=f"{layer}.{'norms' if is_norm(part) else part}"
    )


def group_parameters(names: Iterable[str]) -> dict[str, ParameterGroup]:
    """Returns the group of each parameter of a model, by name.

    Raises CheckpointError if no parameter is in a numbered layer, because the architecture is unknown.
    """
    groups = {name: parameter_group(name) for name in names}
    if not any(group.layer for group in groups.values()):
        raise CheckpointError(
            f"no parameter lies in a numbered layer, such as {next(iter(groups), 'none')}",
            hint="layers are found by names such as model.layers.3.mlp.up_proj.weight or h.3.mlp.c_fc.weight",
        )
    return groups


def is_norm(name: str) -> bool:
    """Returns whether a parameter, or a module, is part of a norm: by `norm` in its name, or GPT-2's `ln_`."""
    return any("norm" in part.lower() or part.startswith("ln_") for part in name.split("."))


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelAxis:
    """How the intermediate channels of an MLP lie in one of its parameters.

    mlp: the name of the MLP, or of one expert. axis: of the parameter, from the end: -2 where a channel is a row, -1
    where it is a column or a value of a bias. channels: how many there are. output: whether the parameter belongs to
    the projection that reads the channels and not to one that writes them.
    """

    mlp: str
    axis: int
    channels: int
    output: bool


def mlp_channels(shapes: Mapping[str, Sequence[int]]) -> dict[str, ChannelAxis]:
    """Returns the axis of the MLP channels in each parameter that has one, by name, in the order of `shapes`.

    A channel, or neuron, is a row of each projection into the MLP with its bias, and a column of the projection out of
    it. shapes: of all parameters of a model. Raises CheckpointError if there is no MLP, if a matrix of
    an MLP is unknown, or if the parameters of an MLP differ in their number of channels.
    """
    found: dict[str, ChannelAxis] = {}
    for name, shape in shapes.items():
        match = _PROJECTION.match(name)
        if match and "att" not in match["module"]:  # GPT-2's attention has a c_proj too
            axis, output = _PROJECTIONS[match["projection"]]
            if match["kind"] == "bias":
                axis = _COLUMNS
            if match["kind"] == "weight" or not output:
                found[name] = ChannelAxis(mlp=match["mlp"], axis=axis, channels=shape[axis], output=output)
        elif len(shape) > 1 and _is_unknown(name):
            raise _unknown_mlp(f"{name} of shape {tuple(shape)} is no MLP projection whose channels are known")
    if not found:
        raise _unknown_mlp("no parameter is a projection of an MLP, so there are no neurons")
    widths: dict[str, int] = {}
    for one in found.values():
        if widths.setdefault(one.mlp, one.channels) != one.channels:
            raise _unknown_mlp(f"the projections of {one.mlp} differ in their number of channels")
    return found


def _is_unknown(name: str) -> bool:
    match = _IN_MLP.search(name)
    return match is not None and match["part"] not in _ROUTERS and not is_norm(name)


def _unknown_mlp(message: str) -> CheckpointError:
    return CheckpointError(
        message,
        hint="neurons are known of GPT-2, GPT-NeoX, Llama, Qwen and Mixtral as save_pretrained stores them, with one"
        " tensor per projection and expert",
    )


def _function_outside(parts: Sequence[str], module: str) -> str:
    if any(part in _HEADS for part in parts):
        return "lm_head"
    if any("embed" in part or part in _EMBEDDINGS for part in parts):
        return "embeddings"
    return "norm" if any(map(is_norm, parts)) else module


def _without_wrappers(name: str) -> list[str]:
    return [part for part in name.split(".") if part and part not in _WRAPPERS]
