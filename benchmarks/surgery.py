"""A step of gradient surgery beside a step of plain mixed GRPO, on the lab's four domains.

    python benchmarks/surgery.py [--rounds 8] [--steps 6] [--algorithm mgs] [--json FILE]

The two take turns in this process: short trainings of the lab's base model from the same seed, with the lab's regime
(32 prompts × 8 completions a step). A step lasts from one log to the next, so generation, rewards and the optimizer are
in it; the first step of each training is left out. The target is a ratio of the median step times of at most 1.25.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

LIMIT = 1.25
SETTINGS = {"learning_rate": 6e-4, "prompts_per_step": 32, "generations": 8, "save_every": 0}


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where the target is missed."""
    parser = parser_of(__doc__)
    parser.add_argument("--algorithm", default="mgs", help="what is put beside grpo: mgs or pcgrad")
    arguments = parser.parse_args()
    sides = {name: {} for name in ("grpo", arguments.algorithm)}
    compare({name: partial(step_times, name, context) for name, context in sides.items()}, arguments, LIMIT)


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser of the options that comparisons of steps have in common."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8, help="how often each is trained")
    parser.add_argument("--steps", type=int, default=6, help="optimizer steps a training")
    parser.add_argument("--json", type=Path, help="write the result there too")
    return parser


def compare(trainings: dict[str, Callable[..., tuple[list[float], list[float]]]], arguments: Any, limit: float) -> None:
    """Trains the two sides by turns, prints the result as JSON, and exits with 1 where the ratio is above the limit.

    trainings: of each side, called with steps and seed; they return the wall and the process times of their steps.
    """
    sides = tuple(trainings)
    wall: dict[str, list[list[float]]] = {side: [] for side in sides}
    process: dict[str, list[list[float]]] = {side: [] for side in sides}
    for side in sides:  # imports and first-time work of both
        trainings[side](steps=2, seed=0)
    for number in range(arguments.rounds):
        for side in sides if number % 2 == 0 else sides[::-1]:
            seconds, cpu_seconds = trainings[side](steps=arguments.steps, seed=number)
            wall[side].append(seconds)
            process[side].append(cpu_seconds)
            print(f"round {number + 1}: {side} {statistics.median(seconds):.3f} s a step", file=sys.stderr)
    ratio = ratio_of_medians(wall, sides)
    result = {
        "algorithm": sides[1],
        "steps_of_each": arguments.rounds * (arguments.steps - 1),
        "cpus": os.cpu_count(),
        "threads": threads(),
        "median_step_seconds": {side: round(statistics.median(chain.from_iterable(wall[side])), 4) for side in sides},
        "ratio_of_medians": round(ratio, 4),
        "ratio_of_median_process_times": round(ratio_of_medians(process, sides), 4),
        "ratio_of_each_round": ratios(wall, sides),
        "process_time_ratio_of_each_round": ratios(process, sides),
        "limit": limit,
        "met": ratio <= limit,
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["met"] else 1)


def ratios(seconds: dict[str, list[list[float]]], sides: Sequence[str]) -> list[float]:
    """Returns, for each round, the median of the second side's steps by that of the first."""
    rounds = zip(seconds[sides[0]], seconds[sides[1]], strict=True)
    return [round(statistics.median(b) / statistics.median(a), 3) for a, b in rounds]


def ratio_of_medians(seconds: dict[str, list[list[float]]], sides: Sequence[str]) -> float:
    """Returns the median over all steps of the second side by that of the first."""
    first, second = (statistics.median(chain.from_iterable(seconds[side])) for side in sides)
    return second / first


def threads() -> int:
    """Returns how many threads torch uses."""
    import torch

    return torch.get_num_threads()


def step_times(
    side: str, further: Mapping[str, Any], steps: int, *, seed: int, **settings: Any
) -> tuple[list[float], list[float]]:
    """Trains once with the algorithm `side`; returns the wall and the process times of all steps but the first, in
    seconds. further: fields of the context. settings: in the place of those of the lab's regime."""
    from harness import TrainingContext

    ticks: list[tuple[float, float]] = []

    def progress(done: int, total: int, metrics: object) -> None:
        ticks.append((time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "output").mkdir()
        (folder / "scratch").mkdir()
        context = TrainingContext(
            checkpoint=base_model(),
            output=folder / "output",
            scratch=folder / "scratch",
            metrics=folder / "metrics.jsonl",
            domains=lab_domains(),
            seed=seed,
            progress=progress,
            **further,
        )
        algorithm(side, **SETTINGS | {"steps": steps} | settings).train(context)
    pairs = list(pairwise(ticks))
    return [after[0] - before[0] for before, after in pairs], [after[1] - before[1] for before, after in pairs]


def base_model() -> Path:
    """Returns the lab's base model."""
    from harness_lab.model import FOLDER

    return FOLDER


def lab_domains() -> list:
    """Returns the lab's four domains with their rewards."""
    from harness import NoConfig, TrainingDomain
    from harness_lab import domains, rewards

    chosen = {
        "code": (domains.CodeDomain, rewards.CodeReward),
        "math": (domains.MathDomain, rewards.MathReward),
        "qa": (domains.QADomain, rewards.QAReward),
        "cw": (domains.CWDomain, rewards.RubricReward),
    }
    return [
        TrainingDomain(name=name, domain=domain(domains.LabDomainConfig()), reward=reward(NoConfig()))
        for name, (domain, reward) in chosen.items()
    ]


def algorithm(name: str, **settings: object):
    """Returns an algorithm of the installed plugins with its config."""
    from harness.plugin.registry import Registry

    registry = Registry.discover()
    offer = registry.find("algorithm", name)
    return registry.build(offer, offer.config_type()(**settings))


if __name__ == "__main__":
    main()
