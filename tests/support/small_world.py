"""Plugins of a small world for the tests of protocols and plans: nothing in it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from harness import (
    Algorithm,
    AlgorithmSpec,
    BaseModel,
    Config,
    Domain,
    DomainSpec,
    ModelSpec,
    NoConfig,
    Probe,
    ProbeSpec,
    ProtocolSpec,
    Recovery,
    RecoverySpec,
    Reward,
    RewardSpec,
    Workload,
    hookimpl,
)
from harness.plugin.registry import Registry

DISTRIBUTION = "small-world"


class ModelConfig(Config):
    size: int = Field(1, ge=1)


class Model(BaseModel):
    def __init__(self, config):
        self.config = config

    def fingerprint(self):
        return f"weights of size {self.config.size}"

    def folder(self):
        raise NotImplementedError


class HubConfig(Config):
    pretrained: str


class Hub(Model):
    def fingerprint(self):
        return self.config.pretrained


class DomainConfig(Config):
    items: int = Field(10, ge=1)
    folder: Path | None = None
    topics: frozenset[str] = frozenset()


class Game(Domain):
    data = "rules 1"

    def __init__(self, config):
        self.config = config

    def fingerprint(self):
        return f"{self.data}, {self.config.items} items"

    def training_data(self, seed):
        raise NotImplementedError

    def evaluation_tasks(self):
        raise NotImplementedError


class RewardConfig(Config):
    scale: float = Field(1.0, gt=0)


class Win(Reward):
    def __init__(self, config):
        self.config = config

    def score(self, batch):
        raise NotImplementedError


class TrainingConfig(Config):
    steps: int = Field(60, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    prompts_per_step: int = Field(4, ge=1)
    generations: int = Field(2, ge=2)

    def workload(self):
        completions = self.steps * self.prompts_per_step * self.generations
        return Workload(
            optimizer_steps=self.steps,
            completions=completions,
            trained_completions=completions,
            resumable_states=2,
            dtype="float32",
        )


class PlainConfig(Config):
    steps: int = Field(5, ge=1)
    momentum: float = 0.9

    def workload(self):
        return Workload(optimizer_steps=self.steps)


class NeedyConfig(Config):
    goal: str


class Trainer(Algorithm):
    def __init__(self, config):
        self.config = config

    def train(self, context):
        raise NotImplementedError


class UndoConfig(Config):
    fraction: float = Field(0.05, gt=0, le=1)
    score: Literal["fisher", "random"] = "fisher"


class RepeatConfig(Config):
    note: str = ""


class Undo(Recovery):
    def __init__(self, config):
        self.config = config

    def recover(self, context):
        raise NotImplementedError


class Distance(Probe):
    def __init__(self, config):
        self.config = config

    def measure(self, context):
        raise NotImplementedError


class SmallWorld:
    """A plugin object; `packaged` is the path of a protocol that it ships, if any."""

    def __init__(self, packaged: Path | None = None) -> None:
        self.packaged = packaged

    @hookimpl
    def harness_models(self):
        yield ModelSpec(name="tiny", summary="A model", load=Model, config=ModelConfig)
        yield ModelSpec(name="pretrained", summary="Any model", load=Hub, config=HubConfig)

    @hookimpl
    def harness_domains(self):
        for name in ("chess", "go", "shogi", "draughts"):
            yield DomainSpec(name=name, summary="A game", reward="win", load=Game, config=DomainConfig)
        yield DomainSpec(
            name="programs", summary="Runs them", reward="run", load=Game, needs=frozenset({"executes-code"})
        )

    @hookimpl
    def harness_rewards(self):
        yield RewardSpec(name="win", summary="1 for a win", load=Win, config=RewardConfig)
        yield RewardSpec(name="run", summary="Runs them", load=Win, needs=frozenset({"executes-code"}))

    @hookimpl
    def harness_algorithms(self):
        yield AlgorithmSpec(name="grpo", summary="Trains", load=Trainer, config=TrainingConfig)
        yield AlgorithmSpec(name="plain", summary="Trains plainly", load=Trainer, config=PlainConfig)
        yield AlgorithmSpec(name="needy", summary="Wants a goal", load=Trainer, config=NeedyConfig)

    @hookimpl
    def harness_recoveries(self):
        yield RecoverySpec(name="undo", summary="Goes back", load=Undo, config=UndoConfig)
        yield RecoverySpec(name="repeat", summary="Trains again", load=Undo, config=RepeatConfig, trains=True)
        yield RecoverySpec(name="lost", summary="Is not there", load="no_such_package:Undo", config="no_such:Config")

    @hookimpl
    def harness_probes(self):
        yield ProbeSpec(name="distance", summary="Measures", load=Distance, config=NoConfig)

    @hookimpl
    def harness_protocols(self):
        if self.packaged is not None:
            yield ProtocolSpec(name="games", summary="A packaged protocol", path=self.packaged)


def small_world(packaged: Path | None = None) -> Registry:
    """Returns a registry with this world's plugins and no others."""
    return Registry.of([(DISTRIBUTION, SmallWorld(packaged))])


PROTOCOL = """\
schema: 1
name: games
summary: Games in turn
model: {use: tiny}
seeds: [0]
domains:
  chess: {use: chess}
  go: {use: go}
  shogi: {use: shogi}
train: {with: grpo, steps: 60, learning_rate: 6e-4}
evaluate: {limit: 512, batch_size: 256}
methods:
  sequential: [chess, go, shogi]
  again: [chess, go, shogi, {recover: go, with: repeat, steps: 3}]
  undone: [chess, go, shogi, {recover: go, with: undo, fraction: 0.1, score: fisher}]
  mixed: [{train: [chess, go, shogi], steps: 180}]
"""
