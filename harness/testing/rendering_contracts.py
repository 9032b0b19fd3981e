"""Contract checks of metrics and table formats."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from harness.plugin.metric_interface import Metric, ScoreMatrix
from harness.plugin.table_interface import TableFormat
from harness.testing.requirement import require

if TYPE_CHECKING:
    from harness.results.leaderboard import Leaderboard


def sample_leaderboard() -> Leaderboard:
    """Returns a leaderboard of the methods `sequential` and `recovered` on `code` and `math`; one score is missing."""
    from harness.results.leaderboard import Leaderboard

    def estimate(value: float | None, n: int = 64) -> dict[str, Any]:
        if value is None:
            return {}
        return {"mean": value, "ci95": (value - 2, value + 2), "per_seed": (value,), "stderr": (1.0,), "n": n}

    def measurement(task: str) -> dict[str, Any]:
        tasks = [{"task": task, "metric": "exact_match", "filter": "none", "task_hash": "0" * 64}]
        settings = {"limit": 64, "batch_size": 16, "seed": 0}
        return {"tasks": tasks, "higher_is_better": True, "percent": True, **settings}

    def row(method: str, rank: int, code: float, math: float | None) -> dict[str, Any]:
        scores = {"code": estimate(code), "math": estimate(math)}
        average = estimate(None if math is None else (code + math) / 2)
        return {
            "method": method,
            "definition": method,
            "seeds": (0,),
            "scores": scores,
            "average": average,
            "rank": rank if math is not None else None,
            "rank_group": 1 if math is not None else None,
            "forgetting": estimate(3.25),
            "forgetting_by_domain": {"code": estimate(3.25)},
            "backward_transfer": estimate(-3.25),
            "cost": {"optimizer_steps": 120.0, "completions": 1.0, "generated_tokens": 1.0, "train_seconds": 1.0},
            "trajectory": [],
        }

    record = {
        "schema": 2,
        "protocol": "sample",
        "model": "tiny",
        "seeds": [0],
        "columns": ["code", "math"],
        "measurement": {"code": measurement("code"), "math": measurement("math")},
        "rows": [row("recovered", 1, 61.5, 72.25), row("sequential", 2, 60.5, None)],
    }
    return Leaderboard.model_validate_json(json.dumps(record))


def check_table_format(table_format: TableFormat, leaderboard: Leaderboard | None = None) -> None:
    """Checks that a rendered table contains all methods and domains, and is reproducible. Raises PluginError."""
    shown = leaderboard or sample_leaderboard()
    text = table_format.render(shown)
    require(isinstance(text, str) and bool(text.strip()), f"render returned {text!r:.80}", "return the table as text")
    for word in (*shown.columns, *(row.method for row in shown.rows)):
        require(word in text, f"{word!r} is not in the rendered table")
    require(text == table_format.render(shown), "two renderings of one leaderboard differ")


def check_metric(metric: Metric) -> None:
    """Checks that a metric returns a finite number or None, reproducibly, for methods of several shapes: only the base,
    one domain, several domains, a recovery, and scores of 0. Raises PluginError."""
    for matrix in _matrices():
        shape = f"{len(matrix.scores) - 1} steps over {len(matrix.domains)} domains"
        value = metric.compute(matrix)
        require(
            value is None or (isinstance(value, int | float) and math.isfinite(value)),
            f"compute returned {value!r:.80} for {shape}",
            "return a finite number, or None if the metric is undefined",
        )
        require(value == metric.compute(matrix), f"compute returned two numbers for the same {shape}")


def _matrices() -> list[ScoreMatrix]:
    def matrix(steps: list[tuple[tuple[float, ...], tuple[str, ...], str | None]]) -> ScoreMatrix:
        domains = ("code", "math")[: len(steps[0][0])]
        return ScoreMatrix(
            domains=domains,
            scores=tuple(dict(zip(domains, values, strict=True)) for values, _, _ in steps),
            trained=tuple(trained for _, trained, _ in steps),
            recovered=tuple(recovered for _, _, recovered in steps),
            evaluation_only=tuple({"chat": 50.0 - step} for step in range(len(steps))),
        )

    code, math_, recovery = ((60.0, 30.0), ("code",), None), ((45.0, 70.0), ("math",), None), ((58.0, 66.0), (), "code")
    base = ((40.0, 30.0), (), None)
    return [
        matrix([base]),
        matrix([((0.0,), (), None), ((0.0,), ("code",), None)]),
        matrix([base, code, math_]),
        matrix([base, code, math_, recovery]),
        matrix([base, ((50.0, 50.0), ("code", "math"), None)]),
    ]
