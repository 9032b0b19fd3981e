"""How far a recovery that trains moved the weights."""

from __future__ import annotations

from dataclasses import asdict

from harness.plugin.interfaces import StepResult
from harness.plugin.recovery_interface import RecoveryContext
from harness.weights import WeightFolder, delta_summary


def with_movement(context: RecoveryContext, result: StepResult) -> StepResult:
    """Returns the result with the number of changed weights, the norm of the change and its summary in the report.

    Reads the damaged checkpoint and the output.
    """
    delta = delta_summary(WeightFolder(context.checkpoint), WeightFolder(context.output))
    moved = {"coordinates": delta.differing, "norm": delta.norm, "edit": asdict(delta)}
    return StepResult(cost=result.cost, report={**result.report, **moved, "seconds": result.cost.train_seconds})
