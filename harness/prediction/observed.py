"""The observed damage in a finished run: how each training step changed the domains that it did not train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness._util.json_reading import parse_json
from harness.errors import UsageError
from harness.execution.run_folder import PLAN, SCORES
from harness.execution.score_table import domain_scores, read_scores

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, kw_only=True)
class ObservedPair:
    """damage: points that `harmed` lost in a training step on `trained` alone, positive for harm. before, after: keys
    of the checkpoints before and after the step. from_base: whether the step starts from the base model. place: the
    protocol, method and step, the same for all seeds; the first one if methods share the step."""

    seed: int
    trained: str
    harmed: str
    damage: float
    before: str
    after: str
    from_base: bool
    place: str = ""


def observed_pairs(run: Path, scored: Callable[[], pl.DataFrame] | None = None) -> list[ObservedPair]:
    """Returns each training step on a single domain, paired with every other domain. Shared steps are returned once.

    A step without scores before and after it is left out. scored: returns the score table of a run that is not finished
    and has no file of it. Raises UsageError if the folder has no readable run.
    """
    plan = _plan(run)
    frame = read_scores(run / SCORES) if scored is None or (run / SCORES).is_file() else scored()
    scores = domain_scores(frame)
    higher = dict(frame.filter(frame["primary"]).select("domain", "higher_is_better").iter_rows())
    nodes = {node["key"]: node for node in plan["nodes"]}
    pairs: dict[tuple[str, str], ObservedPair] = {}
    for method in plan["methods"]:
        for step in range(1, len(method["lineage"])):
            before, after = method["lineage"][step - 1], method["lineage"][step]
            node = nodes[after]
            if node["kind"] != "train" or len(node["domains"]) != 1:
                continue
            [trained] = node["domains"]
            earlier = scores.get((method["name"], method["seed"], step - 1), {})
            later = scores.get((method["name"], method["seed"], step), {})
            for harmed in plan["domains"]:
                if harmed == trained or harmed not in earlier or harmed not in later:
                    continue
                lost = earlier[harmed].value - later[harmed].value
                one = ObservedPair(
                    seed=method["seed"],
                    trained=trained,
                    harmed=harmed,
                    damage=lost if higher[harmed] else -lost,
                    before=before,
                    after=after,
                    from_base=step == 1,
                    place=f"{plan['protocol']}: {method['name']}, step {step}",
                )
                pairs.setdefault((after, harmed), one)
    return list(pairs.values())


def _plan(run: Path) -> dict[str, Any]:
    try:
        plan = parse_json((run / PLAN).read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"its plan cannot be read: {error}", where=str(run / PLAN)) from error
    if not isinstance(plan, dict):
        raise UsageError("this is not a plan", where=str(run / PLAN))
    return plan
