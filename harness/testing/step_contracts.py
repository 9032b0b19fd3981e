"""Contracts of what works on checkpoints: algorithms, recoveries, merges, probes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.plugin.interfaces import (
    Algorithm,
    Probe,
    ProbeContext,
    Recovery,
    RecoveryContext,
    StepResult,
    TrainingContext,
    TrainingDomain,
)
from harness.plugin.merge_interface import Expert, Merge, MergeContext
from harness.testing.requirement import require
from harness.testing.tiny_world import nudged_checkpoint, tiny_checkpoint, tiny_domains, tiny_lineage, tiny_training


def check_algorithm(
    algorithm: Algorithm, folder: Path, *, domains: Sequence[TrainingDomain] | None = None, replays: bool = False
) -> None:
    """Trains the tiny model twice, in subfolders of the empty `folder`, on `domains` (the tiny ones where not given).
    replays: what the algorithm's spec says; then all but the last of them are handed over as trained earlier.

    Checks that the output is a whole model folder that differs from the untouched start, that the report is JSON, that
    the cost counts the optimizer steps, and that the same seed gives the same weights. Raises PluginError naming what
    is broken.
    """
    start = tiny_checkpoint(folder / "start")
    given = list(tiny_domains().values()) if domains is None else list(domains)
    earlier, trained_on = (given[:-1], given[-1:]) if replays else ([], given)

    def once(places: _Places) -> StepResult:
        return algorithm.train(
            TrainingContext(
                checkpoint=start,
                output=places.output,
                scratch=places.scratch,
                metrics=places.metrics,
                domains=trained_on,
                seed=1,
                progress=_quiet,
                earlier=earlier,
            )
        )

    result = _check_twice(once, folder, start)
    require(result.cost.optimizer_steps > 0, "the cost of the training counts no optimizer step")


def check_recovery(recovery: Recovery, folder: Path, *, trains: bool = False) -> None:
    """Recovers the first domain of a tiny lineage twice, in subfolders of the empty `folder`; the same checks as for an
    algorithm. trains: what the recovery's spec says; only then is it handed a `train`.

    Raises PluginError naming what is broken.
    """
    lineage = tiny_lineage(folder / "lineage")

    def once(places: _Places) -> StepResult:
        def train(checkpoint: Path, names: Sequence[str]) -> StepResult:
            require(set(names) <= set(tiny_domains()), f"train was called with domains {names!r}")
            return tiny_training(places.output, checkpoint, seed=7)

        return recovery.recover(
            RecoveryContext(
                lineage=lineage,
                target="one",
                peak=1,
                domains=tiny_domains(),
                output=places.output,
                scratch=places.scratch,
                metrics=places.metrics,
                seed=1,
                progress=_quiet,
                train=train if trains else None,
            )
        )

    _check_twice(once, folder, lineage[-1].folder)


def check_merge(merge: Merge, folder: Path) -> None:
    """Merges two tiny experts of one base twice, in subfolders of the empty `folder`; the same checks as for an
    algorithm, and the experts stay as they were. Raises PluginError naming what is broken."""
    from harness.weights.model_folder import hash_checkpoint

    base = tiny_checkpoint(folder / "base")
    experts = [
        Expert(
            name=f"expert-{name}",
            weight=1.0,
            domains=(name,),
            folder=nudged_checkpoint(base, folder / f"expert-{name}", seed=seed),
        )
        for seed, name in enumerate(tiny_domains(), 1)
    ]
    before = [hash_checkpoint(expert.folder) for expert in experts]

    def once(places: _Places) -> StepResult:
        return merge.merge(
            MergeContext(
                base=base, experts=experts, output=places.output, scratch=places.scratch, seed=1, progress=_quiet
            )
        )

    _check_twice(once, folder, base)
    after = [hash_checkpoint(expert.folder) for expert in experts]
    require(after == before, "the merge changed an expert", "write to output only")


def check_probe(probe: Probe, folder: Path, *, scores: bool = False, keys: Collection[str] = ()) -> None:
    """Measures a tiny lineage twice: the same rows of JSON data, all with the same keys. Raises PluginError.

    scores: what the probe's spec says; only then is it handed a `score`. keys: columns that its spec names.
    """
    lineage = tiny_lineage(folder / "lineage")

    def once(name: str) -> list[Mapping[str, object]]:
        scratch = folder / name
        scratch.mkdir()
        context = ProbeContext(
            lineage=lineage,
            domains=tiny_domains(),
            scratch=scratch,
            seed=1,
            progress=_quiet,
            score=_score_by_bytes if scores else None,
        )
        return [dict(row) for row in probe.measure(context)]

    rows = once("first")
    require(bool(rows), "measure gave no row for a lineage of three checkpoints")
    require(len({frozenset(row) for row in rows}) == 1, "the rows differ in their keys")
    strangers = sorted(set(keys) - set(rows[0]))
    require(
        not strangers,
        f"the rows lack {', '.join(strangers)}",
        "`keys` and `repeat` of its spec name columns of its rows",
    )
    _require_json(rows, "the rows are")
    require(rows == once("second"), "two measurements of the same checkpoints differ", "draw from context.seed")


def _score_by_bytes(model: Path) -> Mapping[str, float]:
    """Stands for an evaluation: a number from 0 to 100 for each domain that depends on every weight."""
    from harness.weights.model_folder import hash_checkpoint

    digest = hash_checkpoint(model)
    return {name: int(digest[8 * index : 8 * index + 8], 16) % 101 for index, name in enumerate(tiny_domains())}


@dataclass(frozen=True)
class _Places:
    output: Path
    scratch: Path
    metrics: Path

    @classmethod
    def under(cls, folder: Path) -> _Places:
        places = cls(folder / "output", folder / "scratch", folder / "metrics.jsonl")
        places.output.mkdir(parents=True)
        places.scratch.mkdir()
        return places


def _check_twice(once: Callable[[_Places], StepResult], folder: Path, start: Path) -> StepResult:
    """Runs a step twice from `start` and returns its first result."""
    from harness.weights.model_folder import hash_checkpoint

    before = hash_checkpoint(start)
    first, second = _Places.under(folder / "first"), _Places.under(folder / "second")
    result = once(first)
    require(isinstance(result, StepResult), f"the step returned {result!r:.80}", "return a harness.StepResult")
    _require_json(dict(result.report), "the report is")
    _check_model_folder(first.output, start)
    require(hash_checkpoint(start) == before, "the step changed the checkpoint it started from", "write to output only")
    require(hash_checkpoint(first.output) != before, "the step left every weight as it was")
    for line in first.metrics.read_text(encoding="utf-8").splitlines() if first.metrics.exists() else ():
        require(
            isinstance(json.loads(line), dict), f"a line of metrics is {line!r:.80}", "write one JSON object a line"
        )
    once(second)
    require(
        hash_checkpoint(first.output) == hash_checkpoint(second.output),
        "the same step with the same seed gave other weights",
        "draw everything from context.seed",
    )
    return result


def _check_model_folder(output: Path, start: Path) -> None:
    from harness.weights import WeightFolder, check_same_tensors
    from harness.weights.model_folder import check_checkpoint

    check_checkpoint(output)
    check_same_tensors(WeightFolder(output), WeightFolder(start))
    require((output / "tokenizer_config.json").is_file(), "the output has no tokenizer", "save or copy it there too")


def _require_json(value: object, what: str) -> None:
    try:
        json.dumps(value, allow_nan=True)
    except (TypeError, ValueError) as error:
        require(False, f"{what} not JSON data: {error}", "give plain numbers, strings, lists and mappings")


def _quiet(done: int, total: int, metrics: Mapping[str, float]) -> None:
    """Hears a step's progress and checks that it makes sense."""
    require(0 <= done <= total, f"progress says {done} of {total}")
