"""Plugins that run in no time: a model is a small safetensors file of counts, training adds to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import (
    Algorithm,
    AlgorithmSpec,
    BaseModel,
    Config,
    Cost,
    Domain,
    DomainSpec,
    EvaluationTask,
    Merge,
    MergeSpec,
    ModelSpec,
    Probe,
    ProbeSpec,
    Recovery,
    RecoverySpec,
    Reward,
    RewardSpec,
    StepResult,
    hookimpl,
)
from harness.execution import Executor
from harness.execution.engines.local import LocalConfig
from harness.execution.runner import Runner
from harness.execution.store import Store
from harness.planning.planner import make_plan
from harness.plugin.registry import Registry
from harness.protocol import load_protocol

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


class GameConfig(Config):
    level: int = 1


class Game(Domain):
    def __init__(self, config):
        self.config = config
        self.completion_tokens = 10 * config.level

    def fingerprint(self):
        return "game"

    def training_data(self, seed):
        raise NotImplementedError

    def evaluation_tasks(self):
        return [EvaluationTask(task="wins", metric="acc", percent=False)]


class Win(Reward):
    def __init__(self, config):
        self.config = config

    def score(self, batch):
        raise NotImplementedError


class AddConfig(Config):
    steps: int = 1
    learning_rate: float = 1.0
    temperature: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass
class World:
    """What the plugins saw, and what they are to do. on_train: called before each optimizer step."""

    seeds: list[tuple[str, int]] = field(default_factory=list)
    earlier: list[tuple[str, list[str]]] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    evaluated: int = 0
    on_train: Callable | None = None
    leaves_model: bool = True
    sampled: list[tuple[str, dict]] = field(default_factory=list)
    observed: list = field(default_factory=list)


def registry_of(world: World, *plugins: object, **needs: frozenset[str]) -> Registry:
    """Returns a registry of this module's plugins, all of which tell `world`, and of further `plugins`."""

    class Add(Algorithm):
        def __init__(self, config):
            self.config = config

        def train(self, context):
            names = "+".join(domain.name for domain in context.domains)
            world.trained.append(names)
            world.seeds.append((names, context.seed))
            world.earlier.append((names, [domain.name for domain in context.earlier]))
            world.sampled.append((names, {domain.name: domain.sampled_as() for domain in context.earlier}))
            state = context.scratch / "done"
            done = int(state.read_text()) if state.exists() else 0
            for step in range(done + 1, self.config.steps + 1):
                if world.on_train is not None:
                    world.on_train(names, step, context)
                with context.metrics.open("a") as file:
                    file.write(json.dumps({"step": step}) + "\n")
                state.write_text(str(step))
                context.progress(step, self.config.steps, {"reward": step / 10})
            counts = read_model(context.checkpoint)
            for domain in context.domains:
                counts[domain.name] = counts.get(domain.name, 0) + self.config.steps
            if world.leaves_model:
                write_model(context.output, counts)
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

    class Count(Probe):
        def __init__(self, config):
            self.config = config

        def measure(self, context):
            world.sampled.append(("probe", {name: domain.sampled_as() for name, domain in context.domains.items()}))
            return [{"step": entry.step, "domains": list(entry.domains)} for entry in context.lineage]

    class Plugin:
        @hookimpl
        def harness_models(self):
            yield ModelSpec(name="counts", summary="-", load=Counts, config=CountsConfig)

        @hookimpl
        def harness_domains(self):
            yield DomainSpec(name="game", summary="-", reward="win", load=Game, config=GameConfig)

        @hookimpl
        def harness_rewards(self):
            yield RewardSpec(name="win", summary="-", load=Win)

        @hookimpl
        def harness_algorithms(self):
            yield AlgorithmSpec(
                name="add", summary="-", load=Add, config=AddConfig, needs=needs.get("add", frozenset())
            )
            yield AlgorithmSpec(name="replaying", summary="-", load=Add, config=AddConfig, replays=True)

        @hookimpl
        def harness_recoveries(self):
            yield RecoverySpec(name="repeat", summary="-", load=Repeat, trains=True)
            yield RecoverySpec(name="undo", summary="-", load=Undo)

        @hookimpl
        def harness_merges(self):
            yield MergeSpec(name="join", summary="-", load=Join)

        @hookimpl
        def harness_probes(self):
            yield ProbeSpec(name="count", summary="-", load=Count)

        @hookimpl
        def harness_step_finished(self, event):
            world.observed.append(event)

    import harness.execution.engines

    further = [(f"further-{index}", plugin) for index, plugin in enumerate(plugins)]
    registry = Registry.of([(DISTRIBUTION, Plugin()), ("engines", harness.execution.engines), *further])
    assert not registry.failures
    return registry


class Recorder:
    """A reporter that keeps what it was told."""

    def __init__(self):
        self.notes, self.finished = [], []

    def begin(self, nodes, done):
        self.notes.append(f"{done} of {nodes}")

    def node_started(self, node, index):
        """Nothing."""

    def progress(self, node, done, total, metrics):
        """Nothing."""

    def node_finished(self, node, seconds, error):
        self.finished.append((node.label, error))

    def note(self, text):
        self.notes.append(text)

    def end(self):
        """Nothing."""


class Bench:
    """A protocol in `folder`, planned, and ready to be run."""

    def __init__(self, folder: Path, text: str = PROTOCOL, methods=None, plugins=(), **needs) -> None:
        self.world = World()
        self.folder = folder
        self.registry = registry_of(self.world, *plugins, **needs)
        self.path = folder / "small.yaml"
        self.path.write_text(text.replace("FOLDER", str(folder / "base")))
        self.protocol = load_protocol(self.path, self.registry, methods=methods)
        self.plan = make_plan(self.protocol, self.registry)
        self.runs = folder / "runs"
        self.store = Store(self.runs / "store")
        self.reporter = Recorder()

    def evaluate(self, folder, tasks, settings, output):
        """Scores a model by its counts."""
        self.world.evaluated += 1
        counts = read_model(folder)
        rows = [
            {
                "task": task.task, "metric": task.metric, "filter": task.filter, "value": float(sum(counts.values())),
                "stderr": 0.1, "n": 10, "higher_is_better": True, "percent": False, "primary": True, "task_hash": "h",
            }
            for task in tasks.tasks
        ]  # fmt: skip
        (output / "rows.json").write_text(json.dumps(rows))
        (output / "lm_eval.json").write_text("{}")

    def executor(self) -> Executor:
        return Executor(self.plan, self.registry, self.store, evaluator=self.evaluate)

    def runner(self, engine=None) -> Runner:
        offer = self.registry.find("engine", "local")
        return Runner(
            protocol=self.protocol,
            plan=self.plan,
            registry=self.registry,
            store=self.store,
            engine=engine or offer.build(LocalConfig(jobs=1)),
            run_root=self.runs,
            reporter=self.reporter,
            command=["harness", "run", "small.yaml"],
            evaluator=self.evaluate,
            faults=lambda *_: [],  # there are neither data nor tasks to look at
        )

    def run(self):
        return self.runner().run()

    @property
    def plan_folder(self) -> str:
        return f"small-{self.plan.key[:12]}"

    def key(self, label: str) -> str:
        [key] = [key for key, node in self.plan.nodes.items() if node.label == label]
        return key
