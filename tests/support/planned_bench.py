"""A protocol of a test's own plugins, planned and ready to be run: what the worlds of the tests share."""

from __future__ import annotations

import json
from pathlib import Path

from harness import Config, Domain, DomainSpec, EvaluationTask, Reward, RewardSpec, hookimpl
from harness.execution import Executor
from harness.execution.engines.local import LocalConfig
from harness.execution.runner import Runner
from harness.execution.store import Store
from harness.planning.planner import make_plan
from harness.plugin.registry import Registry
from harness.protocol import load_protocol


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


class Games:
    """The part of a plugin that all worlds have: the domain `game` and its reward."""

    @hookimpl
    def harness_domains(self):
        yield DomainSpec(name="game", summary="-", reward="win", load=Game, config=GameConfig)

    @hookimpl
    def harness_rewards(self):
        yield RewardSpec(name="win", summary="-", load=Win)


def registry_with(*plugins: tuple[str, object]) -> Registry:
    """Returns a registry of the plugins, by distribution, and the engines."""
    import harness.execution.engines

    registry = Registry.of([*plugins, ("engines", harness.execution.engines)])
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


class PlannedBench:
    """The protocol at `path`, and a store at `runs/store`. A subclass says what a checkpoint's value is."""

    def __init__(self, path: Path, text: str, registry: Registry, runs: Path, methods=None) -> None:
        self.folder, self.path, self.registry, self.runs = path.parent, path, registry, runs
        text = text.replace("FOLDER", str(path.parent / "base"))
        if not path.is_file() or path.read_text() != text:  # other processes of a test may be reading it
            path.write_text(text)
        self.protocol = load_protocol(path, registry, methods=methods)
        self.plan = make_plan(self.protocol, registry)
        self.store = Store(runs / "store")
        self.reporter = Recorder()

    def value(self, folder: Path) -> float:
        """Returns the score of a checkpoint."""
        raise NotImplementedError

    def evaluate(self, folder, tasks, settings, output):
        """Scores a model by its `value`, as lm-eval would."""
        value = self.value(folder)
        rows = [
            {
                "task": task.task, "metric": task.metric, "filter": task.filter, "value": value, "stderr": 0.1,
                "n": 10, "higher_is_better": True, "percent": False, "primary": True, "task_hash": "h",
            }
            for task in tasks.tasks
        ]  # fmt: skip
        (output / "rows.json").write_text(json.dumps(rows))
        (output / "lm_eval.json").write_text("{}")

    def executor(self, **settings) -> Executor:
        return Executor(self.plan, self.registry, self.store, evaluator=self.evaluate, **settings)

    def runner(self, engine=None, **settings) -> Runner:
        return Runner(
            protocol=self.protocol,
            plan=self.plan,
            registry=self.registry,
            store=self.store,
            engine=engine or self.registry.find("engine", "local").build(LocalConfig(jobs=1)),
            run_root=self.runs,
            reporter=self.reporter,
            command=["harness", "run", self.path.name],
            evaluator=self.evaluate,
            faults=lambda *_: [],  # there are neither data nor tasks to look at
            **settings,
        )

    def run(self, **settings):
        return self.runner(**settings).run()

    def key(self, label: str) -> str:
        [key] = [key for key, node in self.plan.nodes.items() if node.label == label]
        return key
