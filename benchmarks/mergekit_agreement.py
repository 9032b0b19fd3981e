"""Do merges give mergekit's numbers? Merges small checkpoints with both and compares every coordinate.

    python benchmarks/mergekit_agreement.py [--record FILE]

Needs `pip install mergekit` beside the harness. For every method, setting and dtype it prints the share of coordinates
with the same bits and the largest difference in units of the last place of the coordinate or its base, whichever is
larger, and exits 1 where any bit differs; with DARE's `l1`, whose sums mergekit takes in fp32 and the harness in fp64,
where one is above 16 in fp32. DARE's draws are the harness's: mergekit is handed the same masks. Of equal magnitudes at
TIES' cut it is made to keep the first. Everything else is its own.
--record writes inputs and mergekit's outputs of two tensors, as numbers: tests/fixtures/merge/mergekit.json.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.merge_methods import generalized_task_arithmetic
from mergekit.options import MergeOptions
from transformers import LlamaConfig, LlamaForCausalLM

from harness.weights import (
    DeltaMerge,
    LargestMagnitudes,
    RandomDrop,
    SelectCalculateErase,
    Stream,
    WeightFolder,
    merge_deltas,
    merge_linear,
)

MODELS = ("base", "code", "math", "qa")
RECORDED = ("model.layers.0.self_attn.q_proj.weight", "model.norm.weight")
SEED = 5
ULP = {torch.float32: 2.0**-23, torch.bfloat16: 2.0**-7}
ALLOWED_IN_SUMS = {torch.float32: 16.0, torch.bfloat16: 0.0}


@dataclass(frozen=True)
class Case:
    """One merge: ours by name and settings, mergekit's by its own."""

    method: str
    weights: tuple[float, ...]
    theirs: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)


CASES = (
    Case("linear", (1.0, 1.0), "linear"),
    Case("linear", (1.0, 0.5, 2.0), "linear"),
    Case("task-arithmetic", (1.0, 1.0, 1.0), "task_arithmetic"),
    Case("task-arithmetic", (0.5, 0.3), "task_arithmetic", {"scale": 0.7}, {"lambda": 0.7}),
    Case("task-arithmetic", (1.0, 3.0), "task_arithmetic", {"normalize": True}, {"normalize": True}),
    Case("ties", (1.0, 1.0, 1.0), "ties", {"density": 0.2}, {"density": 0.2}),
    Case("ties", (1.0, 0.4), "ties", {"density": 0.55, "scale": 1.5}, {"density": 0.55, "lambda": 1.5}),
    Case("ties", (1.0, 1.0), "ties", {"density": 1.0, "normalize": False}, {"density": 1.0, "normalize": False}),
    Case("ties", (1.0, 1.0), "ties", {"density": 0.001}, {"density": 0.001}),
    Case("dare", (1.0, 0.5), "dare_linear", {"density": 0.5, "rescale": "l1"}, {"density": 0.5}),
    Case("dare", (1.0, 0.5), "dare_linear", {"density": 0.25}, {"density": 0.25, "rescale": False, "lambda": 4.0}),
    Case("dare-ties", (1.0, 1.0, 1.0), "dare_ties", {"density": 0.5, "rescale": "l1"}, {"density": 0.5}),
    Case("sce", (1.0, 1.0, 1.0), "sce", {"density": 0.1}, {"select_topk": 0.1}),
    Case("sce", (1.0, 1.0), "sce", {"density": 1.0}, {"select_topk": 1.0}),
)


def main() -> int:
    """Returns the exit code: 1 where the two differ by more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path)
    arguments = parser.parse_args()
    worst = 0
    record: dict[str, Any] = {"mergekit": version("mergekit"), "seed": SEED, "dtypes": {}}
    with tempfile.TemporaryDirectory() as scratch:
        for dtype in ULP:
            folder = Path(scratch) / _named(dtype)
            models = {name: written(folder / name, name, dtype) for name in MODELS}
            outputs = []
            for index, case in enumerate(CASES):
                ours, theirs = folder / f"ours-{index}", folder / f"theirs-{index}"
                merge_here(case, models, ours)
                merge_there(case, models, theirs, dtype)
                worst += compared(case, dtype, WeightFolder(ours), WeightFolder(theirs), WeightFolder(models["base"]))
                told = {"method": case.method, "weights": case.weights, "settings": dict(case.settings)}
                outputs.append({**told, "output": numbers(theirs)})
            inputs = {name: numbers(path) for name, path in models.items()}
            record["dtypes"][_named(dtype)] = {"inputs": inputs, "cases": outputs}
    if arguments.record is not None:
        arguments.record.parent.mkdir(parents=True, exist_ok=True)
        arguments.record.write_text(json.dumps(record) + "\n", encoding="utf-8")
    print(f"mergekit {record['mergekit']}: {'agrees' if not worst else f'{worst} cases differ'}")
    return int(worst > 0)


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def written(folder: Path, name: str, dtype: torch.dtype) -> Path:
    """Writes a Llama of a few hundred weights: the base's, and for an expert an edit over them."""
    config = LlamaConfig(
        vocab_size=24,
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=16,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).to(dtype)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            values = drawn(f"base/{parameter_name}", parameter.numel(), 0.1)
            if name != "base":
                values = values.to(dtype).float() + drawn(f"{name}/{parameter_name}", parameter.numel(), 0.01)
            parameter.copy_(values.view(parameter.shape))
    model.save_pretrained(folder)
    return folder


def drawn(seed: str, count: int, size: float) -> torch.Tensor:
    """Returns normal numbers of the standard deviation `size`, the same everywhere."""
    draw = random.Random(f"mergekit-agreement/{seed}")
    return torch.tensor([draw.gauss(0.0, size) for _ in range(count)])


def merge_here(case: Case, models: Mapping[str, Path], output: Path) -> None:
    """Merges with the harness."""
    experts = list(zip(case.weights, (WeightFolder(models[name]) for name in MODELS[1:]), strict=False))
    if case.method == "linear":
        merge_linear(experts, output)
        return
    if case.method == "sce":
        merge_deltas(WeightFolder(models["base"]), experts, SelectCalculateErase(**case.settings), output)
        return
    settings = dict(case.settings)
    density = settings.pop("density", 1.0)
    sparsity: Any = None
    if case.method == "ties":
        sparsity = LargestMagnitudes(density)
    elif case.method.startswith("dare"):
        sparsity = RandomDrop(density, seed=SEED, rescale=settings.pop("rescale", "density"))
    elect = case.method.endswith("ties")
    settings.setdefault("normalize", case.method == "ties")
    merge_deltas(WeightFolder(models["base"]), experts, DeltaMerge(sparsity=sparsity, elect=elect, **settings), output)


def merge_there(case: Case, models: Mapping[str, Path], output: Path, dtype: torch.dtype) -> None:
    """Merges with mergekit, in fp32 and rounded once, as the harness does."""
    parameters = dict(case.parameters)
    each = {key: parameters.pop(key) for key in ("density",) if key in parameters}
    names = MODELS[1 : 1 + len(case.weights)]
    configuration = {
        "merge_method": case.theirs,
        "models": [
            {"model": str(models[name]), "parameters": {"weight": weight, **each}}
            for name, weight in zip(names, case.weights, strict=True)
        ],
        "parameters": parameters,
        "dtype": "float32",
        "out_dtype": _named(dtype),
    }
    if case.theirs != "linear":
        configuration["base_model"] = str(models["base"])
    options = MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True)
    with same_draws(case, [models[name] for name in ("base", *names)]), stable_sort():
        run_merge(MergeConfiguration.model_validate(configuration), str(output), options)


@contextmanager
def same_draws(case: Case, models: Sequence[Path]) -> Iterator[None]:
    """Hands mergekit's random sparsification the harness's masks, found by the edit that is to be made sparse."""
    if not case.theirs.startswith("dare"):
        yield
        return
    masks = masks_of(models, case.settings["density"])
    original = generalized_task_arithmetic.sparsify

    def sparsify(delta: torch.Tensor, **settings: Any) -> torch.Tensor:
        mask = masks[delta.contiguous().numpy().tobytes()].view(delta.shape)
        with patch("torch.bernoulli", return_value=mask):
            return original(delta, **settings)

    with patch.object(generalized_task_arithmetic, "sparsify", sparsify):
        yield


@contextmanager
def stable_sort() -> Iterator[None]:
    """Has mergekit's trim keep, of equal magnitudes, those with the lower index; torch's sort keeps any of them."""
    original = torch.argsort
    with patch("torch.argsort", lambda values, **settings: original(values, stable=True, **settings)):
        yield


def masks_of(models: Sequence[Path], density: float) -> dict[bytes, torch.Tensor]:
    """Returns the harness's mask of each tensor of each expert, by the bytes of the edit."""
    folders = [WeightFolder(path) for path in models]
    stream = Stream(folders, folders[0].names())
    masks = {}
    drop = RandomDrop(density, seed=SEED)
    for _, group in groupby(stream.chunks, key=lambda chunk: chunk.name):
        chunks = list(group)
        for index in range(1, len(folders)):
            part = drop.start(stream, index, chunks)
            edits, kept = [], []
            for chunk in chunks:
                edits.append(stream.values(index, chunk) - stream.values(0, chunk))
                kept.append(torch.ones(chunk.count))
                part.apply(kept[-1])
            masks[torch.cat(edits).numpy().tobytes()] = (torch.cat(kept) > 0).float()
    return masks


def compared(case: Case, dtype: torch.dtype, ours: WeightFolder, theirs: WeightFolder, base: WeightFolder) -> bool:
    """Prints how far the two are from one another; returns whether that is too far."""
    equal, count, furthest = 0, 0, 0.0
    for name, one in ours:
        other = theirs.read(name)
        assert other.dtype == one.dtype == dtype, (name, other.dtype, one.dtype)
        difference = (one.double() - other.double()).abs()
        size = torch.maximum(one.double().abs(), base.read(name).double().abs())
        unit = size.log2().floor().exp2() * ULP[dtype]
        equal += int((difference == 0).sum())
        count += one.numel()
        furthest = max(furthest, float((difference / unit).nan_to_num(0.0).max()))
    told = f"{case.method} {case.weights} {dict(case.settings)}"
    print(f"{_named(dtype):9} {told:75} same bits {equal / count:7.2%}  furthest {furthest:.0f} ulp", flush=True)
    sums = case.method == "sce" or case.settings.get("rescale") == "l1"  # mergekit's are in fp32, ours in fp64
    return furthest > (ALLOWED_IN_SUMS[dtype] if sums else 0.0)


def numbers(folder: Path) -> dict[str, list[float]]:
    """Returns the values of the recorded tensors."""
    read = WeightFolder(folder)
    return {name: read.read(name).flatten().tolist() for name in RECORDED}


if __name__ == "__main__":
    sys.exit(main())
