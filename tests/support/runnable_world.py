"""Plugins that run in no time: a model is a small safetensors file of counts, training adds to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from planned_bench import Games, PlannedBench, registry_with
from pydantic import Field

from harness import (
    Algorithm,
    AlgorithmSpec,
    BaseModel,
    Config,
    Cost,
    Merge,
    MergeSpec,
    ModelSpec,
    Probe,
    ProbeSpec,
    Recovery,
    RecoverySpec,
    StepResult,
    Workload,
    hookimpl,
)
from harness.plugin.registry import Registry

DISTRIBUTION = "runnable-world"
PROTOCOL = """\
schema: 1
name: small
summary: A small world
model: {use: counts, folder: FOLDER}
seeds: [0]
domains: {a: {use: game}, b: {use: game, level: 2}}
train: {with: add, steps: 3}
methods:
  sequential: [a, b]
  again: [a, b, {recover: a, with: repeat}]
  back: [a, b, {recover: a, with: undo}]
probes: [{use: count}]
"""


def write_model(folder: Path, counts: dict[str, int]) -> None:
    """Writes a model folder: `counts` in the header of a safetensors file that holds no tensor."""
    header = json.dumps({"__metadata__": {name: str(count) for name, count in counts.items()}}).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


def read_model(folder: Path) -> dict[str, int]:
    metadata = json.loads((folder / "model.safetensors").read_bytes()[8:])["__metadata__"]
    return {name: int(count) for name, count in metadata.items()}


class CountsConfig(Config):
    folder: Path


class Counts(BaseModel):
    def __init__(self, config):
        self.config = config

    def fingerprint(self):
        return "counts"

    def folder(self):
        if not self.config.folder.exists():
            write_model(self.config.folder, {"base": 1})
        return self.config.folder


class AddConfig(Config):
    steps: int = 1
    learning_rate: float = 1.0
    temperature: float = 1.0
    stop: tuple[str, ...] = ()


class SteppingConfig(AddConfig):
    """An AddConfig that declares its optimizer steps."""

    def workload(self):
        return Workload(optimizer_steps=self.steps)


class LearnConfig(SteppingConfig):
    """A SteppingConfig of an algorithm that learns from experts. learn_from: methods by domain. wary: refuses experts
    of the same domains."""

    learn_from: Mapping[str, str] = Field(default_factory=dict)
    wary: bool = False

    def reads_experts(self):
        return True

    def reads_methods(self):
        return {f"learn_from.{domain}": name for domain, name in self.learn_from.items()}

    def fault_in_training(self, place):
        if self.wary and len(place.experts) > 1 and len(set(place.experts.values())) == 1:
            return "wary", f"experts of {'+'.join(place.domains)} after {place.labels[-1]}", "-"
        return None


@dataclass
class World:
    """What the plugins saw, and what they are to do. on_train: called before each optimizer step. drift: added to each
    trained model, as by a machine that computes other numbers."""

    seeds: list[tuple[str, int]] = field(default_factory=list)
    earlier: list[tuple[str, list[str]]] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    experts: list[list[tuple[str, float, tuple[str, ...]]]] = field(default_factory=list)
    evaluated: int = 0
    drift: int = 0
    on_train: Callable | None = None
    leaves_model: bool = True
    leaves_states: bool = True
    sampled: list[tuple[str, dict]] = field(default_factory=list)
    observed: list = field(default_factory=list)


def added(context, steps: int) -> dict[str, int]:
    """Returns the counts that a training has after some of its steps."""
    counts = read_model(context.checkpoint)
    return counts | {domain.name: counts.get(domain.name, 0) + steps for domain in context.domains}


def registry_of(world: World, *plugins: object, **needs: frozenset[str]) -> Registry:
    """Returns a registry of this module's plugins, all of which tell `world`, and of further `plugins`."""

    class Add(Algorithm):
        def __init__(self, config):
            self.config = config

        def train(self, context):
            names = "+".join(domain.name for domain in context.domains)
            world.trained.append(names)
            world.seeds.append((names, context.seed))
            world.experts.append([(expert.name, expert.weight, expert.domains) for expert in context.experts])
            world.earlier.append((names, [domain.name for domain in context.earlier]))
            world.sampled.append((names, {domain.name: domain.sampled_as() for domain in context.earlier}))
            state = context.scratch / "done"
            done = int(state.read_text()) if state.exists() else 0
            for step in range(done + 1, self.config.steps + 1):
                if world.on_train is not None:
                    world.on_train(names, step, context)
                with context.metrics.open("a") as file:
                    file.write(json.dumps({"step": step, "reward": step / 10}) + "\n")
                if step in context.states and world.leaves_states:
                    write_model(context.states[step], added(context, step))
                state.write_text(str(step))
                context.progress(step, self.config.steps, {"reward": step / 10})
            if world.leaves_model:
                write_model(context.output, added(context, self.config.steps + world.drift))
            return StepResult(cost=Cost(optimizer_steps=self.config.steps), report={"resumed_from": done})

    class Repeat(Recovery):
        def __init__(self, config):
            self.config = config

        def recover(self, context):
            world.seeds.append(("repeat", context.seed))
            return context.train(context.checkpoint, [context.target])

    class Undo(Recovery):
        def __init__(self, config):
            self.config = config

        def recover(self, context):
            assert context.train is None
            world.sampled.append(("undo", {name: domain.sampled_as() for name, domain in context.domains.items()}))
            write_model(context.output, read_model(context.peak_checkpoint))
            return StepResult(report={"lineage": [entry.label for entry in context.lineage], "loss": float("nan")})

    class Join(Merge):
        def __init__(self, config):
            self.config = config

        def merge(self, context):
            world.seeds.append(("join", context.seed))
            base = read_model(context.base)
            experts = [read_model(expert.folder) for expert in context.experts]
            names = sorted({name for counts in experts for name in counts})
            write_model(
                context.output, {n: base.get(n, 0) + sum(e.get(n, 0) - base.get(n, 0) for e in experts) for n in names}
            )
            told = [[expert.name, expert.weight, list(expert.domains)] for expert in context.experts]
            return StepResult(report={"experts": told})

    class Teach(Merge):
        def __init__(self, config):
            self.config = config

        def merge(self, context):
            return context.train(context.base, sorted(context.domains))

    class Count(Probe):
        def __init__(self, config):
            self.config = config

        def measure(self, context):
            world.sampled.append(("probe", {name: domain.sampled_as() for name, domain in context.domains.items()}))
            return [{"step": entry.step, "domains": list(entry.domains)} for entry in context.lineage]

    class Plugin(Games):
        @hookimpl
        def harness_models(self):
            yield ModelSpec(name="counts", summary="-", load=Counts, config=CountsConfig)

        @hookimpl
        def harness_algorithms(self):
            yield AlgorithmSpec(
                name="add", summary="-", load=Add, config=AddConfig, needs=needs.get("add", frozenset())
            )
            yield AlgorithmSpec(name="stepping", summary="-", load=Add, config=SteppingConfig, states=True)
            yield AlgorithmSpec(name="learn", summary="-", load=Add, config=LearnConfig, states=True)
            yield AlgorithmSpec(name="replaying", summary="-", load=Add, config=AddConfig, replays=True)

        @hookimpl
        def harness_recoveries(self):
            yield RecoverySpec(name="repeat", summary="-", load=Repeat, trains=True)
            yield RecoverySpec(name="undo", summary="-", load=Undo)

        @hookimpl
        def harness_merges(self):
            yield MergeSpec(name="join", summary="-", load=Join)
            yield MergeSpec(name="teach", summary="-", load=Teach, trains=True, algorithm="learn")

        @hookimpl
        def harness_probes(self):
            yield ProbeSpec(name="count", summary="-", load=Count)

        @hookimpl
        def harness_step_finished(self, event):
            world.observed.append(event)

    further = [(f"further-{index}", plugin) for index, plugin in enumerate(plugins)]
    return registry_with((DISTRIBUTION, Plugin()), *further)


class Bench(PlannedBench):
    """A protocol in `folder`, planned, and ready to be run. A model's score is the sum of its counts."""

    def __init__(self, folder: Path, text: str = PROTOCOL, methods=None, plugins=(), **needs) -> None:
        self.world = World()
        registry = registry_of(self.world, *plugins, **needs)
        super().__init__(folder / "small.yaml", text, registry, folder / "runs", methods)

    def value(self, folder):
        self.world.evaluated += 1
        return float(sum(read_model(folder).values()))

    @property
    def plan_folder(self) -> str:
        return f"small-{self.plan.key[:12]}"
