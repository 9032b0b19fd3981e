"""Plugins that run in no time on models with real tensors, of which a training changes a share of the values."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from planned_bench import Games, PlannedBench, registry_with
from safetensors.torch import load_file, save_file

from harness import (
    Algorithm,
    AlgorithmSpec,
    BaseModel,
    Config,
    Merge,
    MergeSpec,
    ModelSpec,
    Probe,
    ProbeSpec,
    Recovery,
    RecoverySpec,
    StepResult,
    hookimpl,
)
from harness.execution import Executor
from harness.plugin.registry import Registry
from harness.weights.model_folder import hash_checkpoint, weight_files
from harness.weights.storage_forms import Deltas

PROTOCOL = """\
schema: 1
name: edits
model: {use: drawn, folder: FOLDER}
domains: {a: {use: game}, b: {use: game, level: 2}, c: {use: game, level: 3}}
train: {with: edit}
methods:
  sequential: [a, b, c]
  back: [a, b, {recover: a, with: halfway}]
  other: [{train: [a, b], with: edit, share: 1.0}]
  merged: [{merge: [sequential, other], with: mean}]
probes: [{use: digest}]
"""


def write_model(folder: Path, tensors: dict[str, torch.Tensor], shards: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"kind": "drawn"}')
    (folder / "tokenizer.json").write_text('{"model": {}}')
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        return
    places = {}
    for shard in range(shards):
        inside = {name: tensors[name] for name in sorted(tensors)[shard::shards]}
        save_file(inside, folder / f"m-{shard}.safetensors", {"format": "pt"})
        places |= dict.fromkeys(inside, f"m-{shard}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def read_model(folder: Path) -> dict[str, torch.Tensor]:
    return {name: value for path in weight_files(folder) for name, value in load_file(path).items()}


class DrawnConfig(Config):
    folder: Path
    dtype: str = "bfloat16"
    shards: int = 1


class Drawn(BaseModel):
    def __init__(self, config):
        self.config = config

    def fingerprint(self):
        return "drawn"

    def folder(self):
        if not self.config.folder.exists():
            draw = torch.Generator().manual_seed(0)
            tensors = {f"layers.{index}.weight": torch.randn(48, 64, generator=draw) for index in range(4)}
            dtype = getattr(torch, self.config.dtype)
            write_model(self.config.folder, {k: v.to(dtype) for k, v in tensors.items()}, self.config.shards)
        return self.config.folder


class EditConfig(Config):
    share: float = 0.05
    dtype: str | None = None
    width: int = 64
    shards: int = 1


def edit(tensors: dict[str, torch.Tensor], config: EditConfig, seed: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    edited = {}
    for name, old in sorted(tensors.items()):
        mask = torch.rand(old.shape, generator=draw) < config.share
        new = torch.where(mask, torch.randn(old.shape, generator=draw), old.float())
        edited[name] = new[:, : config.width].to(getattr(torch, config.dtype) if config.dtype else old.dtype).clone()
    return edited


class World:
    """on_train: called in a training with its context."""

    def __init__(self) -> None:
        self.on_train = lambda context: None


def registry_of(world: World) -> Registry:
    class Edit(Algorithm):
        def __init__(self, config):
            self.config = config

        def train(self, context):
            world.on_train(context)
            write_model(
                context.output, edit(read_model(context.checkpoint), self.config, context.seed), self.config.shards
            )
            return StepResult()

    class Halfway(Recovery):
        def __init__(self, config):
            self.config = config

        def recover(self, context):
            peak, now = read_model(context.peak_checkpoint), read_model(context.checkpoint)
            draw = torch.Generator().manual_seed(context.seed)
            back = {k: torch.where(torch.rand(v.shape, generator=draw) < 0.5, peak[k], v) for k, v in now.items()}
            write_model(context.output, back)
            return StepResult()

    class Mean(Merge):
        def __init__(self, config):
            self.config = config

        def merge(self, context):
            one, two = (read_model(expert.folder) for expert in context.experts)
            write_model(context.output, {k: ((v.float() + two[k].float()) / 2).to(v.dtype) for k, v in one.items()})
            return StepResult()

    class Digest(Probe):
        def __init__(self, config):
            self.config = config

        def measure(self, context):
            return [{"step": entry.step, "digest": hash_checkpoint(entry.folder)} for entry in context.lineage]

    class Plugin(Games):
        @hookimpl
        def harness_models(self):
            yield ModelSpec(name="drawn", summary="-", load=Drawn, config=DrawnConfig)

        @hookimpl
        def harness_algorithms(self):
            yield AlgorithmSpec(name="edit", summary="-", load=Edit, config=EditConfig)

        @hookimpl
        def harness_recoveries(self):
            yield RecoverySpec(name="halfway", summary="-", load=Halfway)

        @hookimpl
        def harness_merges(self):
            yield MergeSpec(name="mean", summary="-", load=Mean)

        @hookimpl
        def harness_probes(self):
            yield ProbeSpec(name="digest", summary="-", load=Digest)

    return registry_with(("tensor-world", Plugin()))


class TensorBench(PlannedBench):
    """A protocol in `folder`, planned, with a store at `folder/RUNS/store`. A score is the sum of a model's values."""

    def __init__(self, folder: Path, text: str = PROTOCOL, runs: str = "runs") -> None:
        self.world = World()
        super().__init__(folder / "edits.yaml", text, registry_of(self.world), folder / runs)

    def value(self, folder):
        return sum(float(tensor.double().sum()) for tensor in read_model(folder).values())

    def executor(self, deltas: Deltas = Deltas.AUTO) -> Executor:
        return super().executor(deltas=deltas)

    def run(self, deltas: Deltas = Deltas.AUTO):
        return super().run(deltas=deltas)

    def make(self, *labels: str, deltas: Deltas = Deltas.AUTO) -> None:
        for label in labels:
            self.executor(deltas).execute(self.key(label))

    def model(self, label: str) -> Path:
        return self.store.path(self.key(label)) / "model"

    def restored(self) -> set[str]:
        """Returns the labels of the restored models that are there."""
        folder = self.store.root / ".restored"
        names = [path.name for path in folder.iterdir()] if folder.exists() else []
        return {self.plan.nodes[name].label if name in self.plan.nodes else name for name in names}
