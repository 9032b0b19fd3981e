"""The merge `moe`: a standard mixture-of-experts checkpoint, with one MLP per expert and routers from prompts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from harness import Merge, MergeContext, Problem, StartContext, StepResult
from harness.domains import parse_json
from harness.weights import CONFIG, WeightFolder, check_same_tensors, check_same_tokenizer, loaded_model
from harness_merges.config import MixtureConfig
from harness_merges.experts import opened
from harness_merges.gates import mean_states, router_weights
from harness_merges.mixture_layout import family_of, mixture_config, projection_of

_INDEX = "model.safetensors.index.json"


class Mixture(Merge):
    """One MLP per expert in every layer, and a router that sends a token to the experts whose prompts it is like. All
    other weights are the experts' weighted mean, or the base's."""

    def __init__(self, config: MixtureConfig) -> None:
        self.config = config

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Yields nothing. Raises StepFailed for an architecture that has no mixture."""
        family_of(parse_json((start.model / CONFIG).read_bytes()))
        return ()

    def merge(self, context: MergeContext) -> StepResult:
        """Raises StepFailed for an architecture that has no mixture."""
        from transformers import AutoTokenizer

        base, experts = opened(context)
        dense = parse_json((base.folder / CONFIG).read_bytes())
        family = family_of(dense)
        for _, folder in experts:
            check_same_tensors(base, folder, dtypes=True)
            check_same_tokenizer(base, folder)
        states = mean_states(
            loaded_model(base.folder, dtype=torch.float32),
            AutoTokenizer.from_pretrained(base.folder),
            context.domains,
            self.config.prompts,
            context.seed,
        )
        means = [torch.stack([states[name] for name in expert.domains]).mean(dim=0) for expert in context.experts]
        routers = router_weights(means, self.config.sharpness)
        written = _Writer(context.output)
        for layer, router in enumerate(routers):
            written.add({family.router(layer): router.to(base.dtype(_first_projection(base)))})
        count = sum(len(experts) if projection_of(name) else 1 for name in base.names())
        for done, (name, tensor) in enumerate(self._tensors(base, experts, family), 1):
            written.add({name: tensor})
            context.progress(done, count, {})
        written.finish()
        config = mixture_config(dense, [expert.domains for expert in context.experts], self.config.top_k)
        (context.output / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        _copy_others(base.folder, context.output)
        return StepResult()

    def _tensors(
        self, base: WeightFolder, experts: Sequence[tuple[float, WeightFolder]], family: Any
    ) -> Iterator[tuple[str, Tensor]]:
        total = sum(weight for weight, _ in experts)
        for name in base.names():
            place = projection_of(name)
            if place is not None:
                for number, (_, folder) in enumerate(experts):
                    yield family.projection(place[0], number, place[1]), folder.read(name)
            elif self.config.shared == "base":
                yield name, base.read(name)
            else:
                mean = sum(folder.read(name).double() * (weight / total) for weight, folder in experts)
                yield name, mean.to(base.dtype(name))  # type: ignore[union-attr]


class _Writer:
    """Writes tensors to files of about a gigabyte, with an index."""

    def __init__(self, folder: Path, most: int = 1 << 30) -> None:
        self._folder = folder
        self._most = most
        self._pending: dict[str, Tensor] = {}
        self._size = 0
        self._files: list[list[str]] = []
        self._total = 0

    def add(self, tensors: dict[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            size = tensor.numel() * tensor.element_size()
            if self._pending and self._size + size > self._most:
                self._flush()
            self._pending[name] = tensor.contiguous()
            self._size += size
            self._total += size

    def finish(self) -> None:
        self._flush()
        count = len(self._files)
        names = {}
        for number, held in enumerate(self._files, 1):
            name = f"model-{number:05}-of-{count:05}.safetensors"
            (self._folder / f"part-{number}").rename(self._folder / name)
            names |= dict.fromkeys(held, name)
        index = {"metadata": {"total_size": self._total}, "weight_map": dict(sorted(names.items()))}
        (self._folder / _INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")

    def _flush(self) -> None:
        self._files.append(list(self._pending))
        save_file(self._pending, self._folder / f"part-{len(self._files)}", metadata={"format": "pt"})
        self._pending, self._size = {}, 0


def _first_projection(base: WeightFolder) -> str:
    return next(name for name in base.names() if projection_of(name) is not None)


def _copy_others(source: Path, output: Path) -> None:
    """Copies the tokenizer and the generation config."""
    for path in source.iterdir():
        if path.is_file() and path.suffix != ".safetensors" and path.name not in (CONFIG, _INDEX):
            shutil.copy2(path, output / path.name)
