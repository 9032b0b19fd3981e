"""Evaluates the models that a probe creates, with the domains, tasks and settings of the protocol."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.planning.plan import Plan
from harness.plugin.interfaces import TaskSet
from harness.protocol.evaluation_settings import EvaluationSettings

if TYPE_CHECKING:
    from harness.execution.plugin_instances import PluginInstances


class ProbeScores:
    """`ProbeContext.score` of one node. scratch: a folder for lm-eval's output, deleted after each evaluation."""

    def __init__(
        self,
        plan: Plan,
        plugins: PluginInstances,
        evaluator: Callable[[Path, TaskSet, EvaluationSettings, Path], None],
        scratch: Path,
    ) -> None:
        self._plan = plan
        self._plugins = plugins
        self._evaluator = evaluator
        self._scratch = scratch

    def __call__(self, folder: Path) -> Mapping[str, float]:
        """Returns the score of the model in `folder` on each domain, in percent if the domain uses percent."""
        from harness.execution.score_table import scores_in

        try:
            files = {name: self._rows(name, folder) for name in self._plan.domains}
            return {name: score.value for name, score in scores_in(files).items()}
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _rows(self, name: str, folder: Path) -> Path:
        output = self._scratch / name
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        tasks = TaskSet.of(self._plugins.domain(self._plan.domains[name].plugin))
        self._evaluator(folder, tasks, self._plan.settings_of(name), output)
        return output / "rows.json"
