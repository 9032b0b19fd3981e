"""Contract checks of algorithms, recoveries, merges and probes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.plugin.config import Config
from harness.plugin.interfaces import (
    Algorithm,
    Expert,
    LineageEntry,
    StepResult,
    TrainingCall,
    TrainingContext,
    TrainingDomain,
)
from harness.plugin.merge_interface import Merge, MergeContext
from harness.plugin.probe_interface import Probe, ProbeContext
from harness.plugin.recovery_interface import Recovery, RecoveryContext
from harness.testing.requirement import require
from harness.testing.tiny_world import nudged_checkpoint, tiny_checkpoint, tiny_domains, tiny_lineage, tiny_training


def check_algorithm(
    algorithm: Algorithm,
    folder: Path,
    *,
    domains: Sequence[TrainingDomain] | None = None,
    replays: bool = False,
    states: bool = False,
) -> None:
    """Checks an algorithm by training the tiny model twice, in subfolders of the empty `folder`.

    domains: default: the tiny domains. replays: as in the algorithm's spec; if True, all domains except the last are
    passed as trained earlier. states: as in the algorithm's spec; if True, the second training is also asked for the
    model after its first optimizer step. Checks that the output is a complete model folder with other weights, that the
    input is unchanged, that the report is JSON, that the cost counts optimizer steps, and that the same seed gives the
    same weights. An algorithm whose config reads the lineage gets a tiny one. Raises PluginError for a violation.
    """
    config = getattr(algorithm, "config", None)
    lineage = tiny_lineage(folder / "lineage") if isinstance(config, Config) and config.reads_lineage() else []
    start = lineage[-1].folder if lineage else tiny_checkpoint(folder / "start")
    given = list(tiny_domains().values()) if domains is None else list(domains)
    earlier, trained_on = (given[:-1], given[-1:]) if replays else ([], given)
    state = folder / "states" / "1"

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
                lineage=lineage,
                states={1: state} if states and places.output.parent.name == "second" else {},
            )
        )

    result = _check_twice(once, folder, start)
    if states:
        require(state.is_dir(), "the training did not write the model that context.states asks for")
        _check_model_folder(state, start)
    require(result.cost.optimizer_steps > 0, "the cost of the training has no optimizer steps")


def check_recovery(recovery: Recovery, folder: Path, *, trains: bool = False, several: bool = False) -> None:
    """Checks a recovery by recovering the first domain of a tiny lineage twice, in subfolders of the empty `folder`.

    trains: as in the recovery's spec; if True, the context has a `train`. several: as in the spec; if True, both
    domains are recovered too, in the subfolder `several`. Performs the same checks as `check_algorithm`. Raises
    PluginError for a violation.
    """
    _check_targets(recovery, folder, ["one"], trains=trains)
    if several:
        _check_targets(recovery, folder / "several", ["one", "two"], trains=trains)


def _check_targets(recovery: Recovery, folder: Path, targets: Sequence[str], *, trains: bool) -> None:
    lineage = tiny_lineage(folder / "lineage")

    def once(places: _Places) -> StepResult:
        return recovery.recover(
            RecoveryContext(
                lineage=lineage,
                target=targets[0],
                peak=1,
                targets=targets,
                peaks={"one": 1, "two": 2},
                domains=tiny_domains(),
                output=places.output,
                scratch=places.scratch,
                metrics=places.metrics,
                seed=1,
                progress=_quiet,
                train=_tiny_training_call(places.output) if trains else None,
            )
        )

    _check_twice(once, folder, lineage[-1].folder)


def _tiny_training_call(output: Path) -> TrainingCall:
    """Returns a `train` for contexts that simulates a training into `output`."""

    def train(checkpoint: Path, domains: Sequence[str], *, mask: Path | None = None) -> StepResult:
        require(set(domains) <= set(tiny_domains()), f"train was called with domains {domains!r}")
        return tiny_training(output, checkpoint, seed=7, mask=mask)

    return train


def check_merge(merge: Merge, folder: Path, *, trains: bool = False) -> None:
    """Checks a merge by merging two tiny experts twice, in subfolders of the empty `folder`.

    trains: as in the merge's spec; if True, the context has a `train`. Performs the same checks as `check_algorithm`,
    and checks that the experts are unchanged. Raises PluginError for a violation.
    """
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
                base=base,
                experts=experts,
                output=places.output,
                scratch=places.scratch,
                seed=1,
                progress=_quiet,
                domains=tiny_domains(),
                train=_tiny_training_call(places.output) if trains else None,
            )
        )

    _check_twice(once, folder, base)
    after = [hash_checkpoint(expert.folder) for expert in experts]
    require(after == before, "the merge changed an expert", "write to output only")


def check_probe(probe: Probe, folder: Path, *, scores: bool = False, keys: Collection[str] = ()) -> None:
    """Checks a probe by measuring a tiny lineage twice: reproducible rows of JSON data, all with the same keys.

    scores: as in the probe's spec; if True, the context has a `score`. keys: the columns named by its spec. A probe
    whose config reads states gets a recovery with one. Raises PluginError for a violation.
    """
    lineage = tiny_lineage(folder / "lineage")
    config = getattr(probe, "config", None)
    states: dict[int, dict[int, Path]] = {}
    if isinstance(config, Config) and (every := config.reads_states()) is not None:
        within = nudged_checkpoint(lineage[-1].folder, folder / "lineage" / "within", seed=4)
        recovered = nudged_checkpoint(within, folder / "lineage" / "recovered", seed=5)
        lineage.append(LineageEntry(step=3, label="recover one", domains=("one",), folder=recovered))
        states[3] = {every: within}

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
            states=states,
        )
        return [dict(row) for row in probe.measure(context)]

    rows = once("first")
    require(bool(rows), "measure returned no row for a lineage of three checkpoints")
    require(len({frozenset(row) for row in rows}) == 1, "the rows differ in their keys")
    missing = sorted(set(keys) - set(rows[0]))
    require(
        not missing,
        f"the rows lack {', '.join(missing)}",
        "`keys` and `repeat` of the spec must be columns of the rows",
    )
    _require_json(rows, "the rows are")
    require(rows == once("second"), "two measurements of the same checkpoints differ", "draw from context.seed")


def _score_by_bytes(model: Path) -> Mapping[str, float]:
    """Simulates an evaluation: returns a number from 0 to 100 per domain that depends on all weights."""
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
    require(hash_checkpoint(first.output) != before, "the step changed no weight")
    for line in first.metrics.read_text(encoding="utf-8").splitlines() if first.metrics.exists() else ():
        require(
            isinstance(json.loads(line), dict), f"a line of metrics is {line!r:.80}", "write one JSON object per line"
        )
    once(second)
    require(
        hash_checkpoint(first.output) == hash_checkpoint(second.output),
        "the same step with the same seed produced different weights",
        "use context.seed for all random numbers",
    )
    return result


def _check_model_folder(output: Path, start: Path) -> None:
    from harness.weights import WeightFolder, check_same_tensors
    from harness.weights.model_folder import CONFIG, check_checkpoint

    check_checkpoint(output)
    kinds = {json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("model_type") for folder in (output, start)}
    if len(kinds) == 1:  # a merge may make a model of another architecture
        check_same_tensors(WeightFolder(output), WeightFolder(start))
    require((output / "tokenizer_config.json").is_file(), "the output has no tokenizer", "save or copy it there too")


def _require_json(value: object, what: str) -> None:
    try:
        json.dumps(value, allow_nan=True)
    except (TypeError, ValueError) as error:
        require(False, f"{what} not JSON data: {error}", "use plain numbers, strings, lists and mappings")


def _quiet(done: int, total: int, metrics: Mapping[str, float]) -> None:
    """Checks that progress calls are consistent."""
    require(0 <= done <= total, f"progress says {done} of {total}")
