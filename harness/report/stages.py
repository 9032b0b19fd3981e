"""The stages of a run, by which methods are compared: the n-th step of each method."""

from __future__ import annotations

from collections.abc import Sequence

from harness.results.leaderboard import Leaderboard, TrajectoryStep
from harness.results.metrics import targets_of

MOST_NAMES = 2
MOST_DOMAINS = 3
LONGEST = 28
LONGEST_PAIR = 40


def short_name(step: TrajectoryStep) -> str:
    """Returns a name for an axis: the trained domains, `recover math`, or `base`."""
    if targets := targets_of(step.recovered):
        name = f"recover {'+'.join(targets) if len(targets) <= MOST_DOMAINS else f'{len(targets)} domains'}"
    elif step.trained:
        name = "+".join(step.trained) if len(step.trained) <= MOST_DOMAINS else f"{len(step.trained)} domains"
    else:
        name = "base" if step.step == 0 else step.label
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def stage_names(leaderboard: Leaderboard) -> list[str]:
    """Returns a name for each stage, starting with the base model: that of the methods' steps if they agree, up to two
    names if they do not, otherwise its number."""
    found: list[dict[str, None]] = []
    for row in leaderboard.rows:
        for step in row.trajectory:
            while len(found) <= step.step:
                found.append({})
            found[step.step][short_name(step)] = None
    return [_joined(place, list(names)) for place, names in enumerate(found)]


def _joined(place: int, names: Sequence[str]) -> str:
    joined = " / ".join(names)
    return joined if 0 < len(names) <= MOST_NAMES and len(joined) <= LONGEST_PAIR else f"stage {place}"
