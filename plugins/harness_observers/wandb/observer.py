"""Writes Weights & Biases runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import wandb
from harness import Curve, ObservedRun, Observer, Points
from harness_observers.wandb.config import WandbConfig

STEP = "step"
"""The x axis. wandb's own step must not decrease, and the scores of a step come at different times."""


class Wandb(Observer):
    """Each curve is a wandb run, in a group per run of the harness. The rest of a curve that was stopped is a further
    offline run with the same id, which `wandb sync` adds to the first.

    Offline files are written when a curve is complete, because wandb writes its last points only as a run is finished.
    """

    def __init__(self, config: WandbConfig) -> None:
        self.live = config.mode == "online"
        self._config = config
        self._runs: dict[str, Any] = {}
        self._folder, self._group, self._project = Path(), "", ""

    def start(self, run: ObservedRun) -> None:
        os.environ.setdefault("WANDB_CACHE_DIR", str(run.folder / "cache"))
        self._folder, self._group = run.folder, run.name
        self._project = self._config.project or run.protocol

    def log(self, curve: Curve, points: Points) -> None:
        if curve.key not in self._runs:
            self._runs[curve.key] = self._begun(curve)
        for step, values in points:
            self._runs[curve.key].log({STEP: step, **values})
        if not self.live:
            self.finish(curve)

    def _begun(self, curve: Curve) -> Any:

        settings = wandb.Settings(
            mode=self._config.mode,
            silent=True,
            console="off",
            save_code=False,
            disable_code=True,
            disable_git=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
        )
        online = {"resume": "allow"} if self._config.mode == "online" else {}
        run = wandb.init(
            project=self._project,
            entity=self._config.entity,
            group=self._group,
            job_type=curve.kind,
            name=curve.name,
            id=f"{self._group[-12:]}-{curve.key}",
            config={"seed": curve.seed, **curve.labels},
            dir=str(self._folder.parent),  # wandb adds a folder wandb/, which is this observer's
            reinit="create_new",
            settings=settings,
            **online,
        )
        run.define_metric("*", step_metric=STEP)
        return run

    def finish(self, curve: Curve) -> None:
        if curve.key in self._runs:
            self._runs.pop(curve.key).finish()

    def close(self) -> None:
        while self._runs:
            self._runs.popitem()[1].finish()
