"""A run on disk: its tables, samples, training curves and checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.protocols import installed_plugins
from harness.errors import UsageError
from harness.execution.run_folder import LEADERBOARD, PLAN, SCORE_CURVES, SCORES
from harness.planning.plan import Plan
from harness.results.flips import RIGHT_FROM

if TYPE_CHECKING:
    import polars as pl

    from harness.api.report_files import ReportFiles
    from harness.execution.dispatch import Failure
    from harness.execution.runner import RunOutcome
    from harness.execution.status import RunStatus
    from harness.execution.store import Store
    from harness.plugin.registry import Registry
    from harness.prediction.kept import PredictionRecord
    from harness.results.compare import PairedDifferences
    from harness.results.leaderboard import Leaderboard
    from harness.results.probe_tables import ProbeRecord
    from harness.results.score_curves import ScoreCurves


BASE = "base"
"""The name of the base model where a method is expected, unless a method has this name."""


class Run:
    """A run folder and its store.

    registry: the plugins to use; default: all installed ones. They are needed only for the base model's folder, deltas
    and the keys of probes. outcome: the outcome of the `harness.run` call that returned this object.
    """

    def __init__(self, folder: Path, *, registry: Registry | None = None, outcome: RunOutcome | None = None) -> None:
        self.folder = Path(folder)
        self.outcome = outcome
        self._registry = registry

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The steps that failed in the `harness.run` call that returned this object."""
        return () if self.outcome is None else self.outcome.failures

    @cached_property
    def record(self) -> Leaderboard:
        """The leaderboard as a typed object. Raises UsageError if it cannot be read."""
        from harness.results.leaderboard import Leaderboard

        return Leaderboard.read(self.folder / LEADERBOARD)

    @property
    def leaderboard(self) -> pl.DataFrame:
        """The leaderboard as a frame, one row per method.

        Scores have the units of the leaderboard, mostly percent. `score_<domain>`, `average`, `forgetting`,
        `backward_transfer` and `recovery_*` are means over seeds, each with the bounds of its 95 % confidence interval
        (`*_ci95_low`, `*_ci95_high`), the sampling unit of the interval (`*_interval`: seeds or items) and their number
        (`*_n`).
        """
        from harness.results.frame import leaderboard_frame

        return leaderboard_frame(self.record)

    @property
    def scores(self) -> pl.DataFrame:
        """All measurements, one row per method, seed, step, domain, task and metric.

        `value` and `stderr` are lm-eval's numbers; `percent` marks those shown multiplied by 100. Step 0 is the base
        model. Raises UsageError if the table cannot be read.
        """
        from harness.execution.score_table import read_scores

        return read_scores(self.folder / SCORES)

    @property
    def score_curves(self) -> pl.DataFrame:
        """The measurements by optimizer steps, of a protocol with `evaluate.every`: those within each training and
        those after each step.

        The columns are those of `scores`, with `optimizer_step` (within the step), `total_steps` (since the base model)
        and `last` (whether the step ends here, so that the row is also in `scores`). Raises UsageError if the protocol
        has no `evaluate.every` or the table cannot be read.
        """
        from harness.execution.score_curves import SCHEMA
        from harness.execution.score_table import read_scores

        self._check_curves()
        return read_scores(self.folder / SCORE_CURVES, tuple(SCHEMA))

    @property
    def score_curve_record(self) -> ScoreCurves:
        """The curves as a typed object: the score of each method and domain by optimizer steps, as means over seeds.
        Raises UsageError as `score_curves`."""
        from harness.results.score_curves import FILE, ScoreCurves

        self._check_curves()
        return ScoreCurves.read(self.folder / FILE)

    def _check_curves(self) -> None:
        if not (self.folder / SCORE_CURVES).is_file():
            raise UsageError(
                "this run has no scores within trainings",
                where=str(self.folder),
                hint="set `evaluate: {every: N}` in the protocol, N optimizer steps, and run it",
            )

    @cached_property
    def plan(self) -> Plan:
        """The plan of the run. Raises UsageError if it cannot be read."""
        from harness.planning.serialization import read_plan

        return read_plan(self.folder / PLAN)

    @property
    def probes(self) -> ProbeRecord | None:
        """The results of the probes, or None if there are none."""
        from harness.api.run_probes import read_probes

        return read_probes(self.folder, self._plugins)

    def checkpoint(self, method: str, *, step: int = -1, seed: int | None = None) -> Path:
        """Returns the folder of a method's checkpoint in Hugging Face format. Do not modify it.

        step: 0 is the base model; negative steps count from the end. seed: default: the method's first seed. A
        checkpoint stored as a delta or an adapter is restored as a full model to `checkpoints/` in the run folder.
        Raises UsageError if the run has no such method, seed or step, the store lacks the checkpoint, or the base model
        that it depends on has changed since the run; DamagedResult if a file has changed since it was stored.
        """
        from harness.api.checkpoints import whole_checkpoint

        key = self.checkpoint_key(method, step=step, seed=seed)
        return whole_checkpoint(self.folder, key, self._plugins, base=key == self.plan.base.key)

    def checkpoint_key(self, method: str, *, step: int = -1, seed: int | None = None) -> str:
        """Returns the key of a method's checkpoint. Arguments and errors: as for `checkpoint`."""
        _, lineage = self._lineage(method, seed)
        if not -len(lineage) <= step < len(lineage):
            steps = ", ".join(f"{number} ({self.plan.nodes[key].label})" for number, key in enumerate(lineage))
            raise UsageError(f"{method!r} has no step {step}", hint=f"it has {steps}")
        return lineage[step]

    def _lineage(self, method: str, seed: int | None) -> tuple[int, tuple[str, ...]]:
        """Returns the seed, by default the method's first, and the keys of the method's checkpoints for it. The base
        model is a method with one checkpoint for every seed. Raises UsageError if there is no such method or seed."""
        lineages = {one.seed: one.lineage for one in self.plan.methods if one.name == method}
        if not lineages and method == BASE:
            lineages = dict.fromkeys(self.plan.seeds, (self.plan.base.key,))
        if not lineages:
            names = ", ".join(dict.fromkeys(one.name for one in self.plan.methods))
            raise UsageError(
                f"there is no method {method!r} in this run", where=str(self.folder), hint=f"one of {names}"
            )
        chosen = next(iter(lineages)) if seed is None else seed
        if chosen not in lineages:
            raise UsageError(f"{method!r} has no seed {seed}", hint=f"it has {', '.join(map(str, lineages))}")
        return chosen, lineages[chosen]

    def samples(
        self,
        method: str,
        *,
        step: int = -1,
        domain: str | None = None,
        seed: int | None = None,
        against: int | str | None = None,
        right_from: float = RIGHT_FROM,
    ) -> pl.DataFrame:
        """Returns the scored samples of a checkpoint, one row per test item and completion.

        Columns: `domain`, `task`, `item` (lm-eval's `doc_id`), `repeat`, `prompt`, `completion`, `target`, `score` (the
        task's primary metric for the item, in lm-eval's units), `metric`, `right` (null without a score). step, seed:
        as for `checkpoint`; the method `base` is the base model. domain: default: all. right_from: the lowest score
        that is right, or the highest if lower is better.

        against: another checkpoint for the same seed: a step of this method, a method (its last step), or
        `METHOD@STEP`. It adds `completion_before`, `score_before`, `right_before` and `change`: `right to wrong`,
        `wrong to right`, `still wrong`, `still right`, or null.

        Raises UsageError if there is no such checkpoint or domain, or it was not scored.
        """
        from harness.api.samples import checkpoint_samples

        return checkpoint_samples(
            self, method, step=step, domain=domain, seed=seed, against=against, right_from=right_from
        ).frame

    @property
    def has_samples(self) -> bool:
        """Whether the samples of the run can be read: it has a plan and a store, which an archived leaderboard
        lacks."""
        return (self.folder / PLAN).is_file() and self._store.root.is_dir()

    def metrics(self, method: str, *, step: int = -1, seed: int | None = None) -> pl.DataFrame:
        """Returns the training metrics of a step, one row per optimizer step: `step`, `reward`, `loss`, `grad_norm` and
        others, depending on the algorithm.

        step, seed: as for `checkpoint`. Empty for a step that logs nothing. Raises UsageError for the base model and
        for a step that does not exist.
        """
        import polars as pl

        key = self.checkpoint_key(method, step=step, seed=seed)
        if key == self.plan.base.key:
            raise UsageError("step 0 is the base model, which this run did not train", hint="name a later step")
        return pl.DataFrame(list(_json_lines(self._stored(key).read(key, "metrics.jsonl"))), infer_schema_length=None)

    def status(self) -> RunStatus:
        """Returns the status at this moment: nodes by state, progress and last metrics of each, slots, time left.

        Works while another process runs the protocol, and after it was killed. Raises UsageError if the plan cannot be
        read.
        """
        from harness.execution.status import run_status

        return run_status(self.folder, self._store, plan=self.plan)

    @contextmanager
    def observed(self, observers: Sequence[str], warn: Callable[[str], None]) -> Iterator[Callable[[], None]]:
        """Passes the curves of the run to observers: what there is at the end of the block, and in between at each call
        of the function that it yields.

        observers: names of observer plugins. warn: receives the message of an observer that fails. Points that an
        observer received before are not passed again. Raises PluginError if there is no such observer, UsageError if it
        lacks a package or the plan cannot be read.
        """
        from harness.execution.observing.chosen import builders, chosen_observers
        from harness.execution.observing.following import Following

        build = builders(chosen_observers((), observers, self._plugins, {}), self._plugins)
        following = Following(self.folder, self._store, self.plan, build, warn)
        try:
            yield following.update
        finally:
            following.update()
            following.close()

    def compare(self, method: str, others: Sequence[str] | None = None) -> list[PairedDifferences]:
        """Returns by how much a method is ahead of each of `others`, seed by seed, with the paired t test.

        others: default: every other method that has a seed in common with it. With several, the p-values are corrected
        over them by Holm's method. Raises UsageError if a method does not exist or two methods have no seed in common.
        """
        from harness.results.compare import comparable_methods, compared

        return compared(self.record, method, comparable_methods(self.record, method) if others is None else others)

    def export(self, method: str, directory: str | Path, *, step: int | None = None, seed: int | None = None) -> Path:
        """Copies a checkpoint to a Hugging Face folder, with a model card and its evaluation results. Returns the
        folder.

        Evaluation results are in the card's model index, and in `.eval_results/` for items from a data set of the hub.

        directory: a new or empty folder. step: 0 is the base model; default: the last. seed: default: the method's
        first seed. Raises UsageError if `directory` is in use, if there is no such method, seed or step, or as
        `checkpoint`; DiskFull if the disk is full.
        """
        from harness.api.export import check_new_folder, copy_export, exported

        target = Path(directory)
        check_new_folder(target)
        with exported(self.folder, self.record, self._plugins, method=method, seed=seed, step=step) as export:
            copy_export(export, target)
        return target

    def push(
        self, method: str, repository: str, *, step: int | None = None, seed: int | None = None, private: bool = False
    ) -> str:
        """Pushes a checkpoint to the Hugging Face Hub, with what `export` writes. Returns the address of the commit.

        repository: `ORG/NAME`, created if necessary. A push is one commit: an interrupted one publishes nothing, and
        the same one again adds none. The token is that of `hf auth login` or `HF_TOKEN`. private: of a new repository.
        step, seed, errors: as for `export`; also raises UsageError if there is no token, the hub refuses it or the
        name, or the hub cannot be reached.
        """
        from harness.api.export import exported, push_export
        from harness.api.hub_upload import repository_of

        repository_of(repository, "model")  # tell before the checkpoint is read
        with exported(self.folder, self.record, self._plugins, method=method, seed=seed, step=step) as export:
            return push_export(export, repository, private=private)

    def write_report(
        self,
        page: str | Path | None = None,
        *,
        figures: str | Path | None = None,
        prediction: str | Path | None = None,
    ) -> ReportFiles:
        """Writes the report of the run, one HTML file with figures and tables, and returns the written files.

        page: the file; default: `report.html` in the run folder. figures: also write the figures to this folder, as SVG
        and PNG. prediction: a file with the output of `harness predict --json`; default: the one in the run folder.
        `figures` needs the extra `report`. Raises UsageError if it is not installed or the run or the prediction cannot
        be read.
        """
        from harness.api.report_files import write_report

        paths = [None if path is None else Path(path) for path in (page, figures, prediction)]
        return write_report(self, paths[0], figures=paths[1], prediction=paths[2])

    def save_prediction(self, prediction: PredictionRecord) -> Path:
        """Writes a prediction to the run folder, where reports find it. Returns the file. Raises OSError if it cannot
        be written."""
        from harness._util.files import write_text
        from harness.execution.run_folder import PREDICTION

        write_text(self.folder / PREDICTION, prediction.to_json())
        return self.folder / PREDICTION

    def archive(self, directory: str | Path | None = None, *, samples_limit_mb: float = 20.0) -> list[Path]:
        """Copies the leaderboard, score table, provenance, probe results and prediction of the run to a folder, with
        tables and a report generated from them, and with the definitions and samples that `harness.verify_record`
        checks. Returns the written files.

        directory: default: `leaderboards/<protocol>` in the current folder. samples_limit_mb: the samples of a domain
        are left out if they take more megabytes when compressed. Needs the extra `report`. Raises UsageError if a file
        of the run cannot be read or contains an invalid name, PluginError if a table format fails, DamagedResult if a
        result has changed since it was stored.
        """
        from harness.api.archives import archive_run

        target = None if directory is None else Path(directory)
        return archive_run(self.folder, self.record, self._plugins, target, samples_limit_mb)

    @cached_property
    def _store(self) -> Store:
        from harness.execution.store import Store

        return Store(self.folder.resolve().parent / "store")

    def _stored(self, key: str) -> Store:
        """Returns the store. Raises UsageError if it does not contain the result `key`."""
        if not self._store.has(key):
            raise UsageError(
                f"the store lacks the result of {self.plan.nodes[key].label}",
                where=str(self._store.path(key)),
                hint="run the protocol again: it computes what is missing",
            )
        return self._store

    @cached_property
    def _plugins(self) -> Registry:
        return installed_plugins(self._registry)


def load_run(
    run: str | Path | None = None,
    *,
    output: str | Path | None = None,
    finished: bool = False,
    registry: Registry | None = None,
) -> Run:
    """Loads an existing run.

    run: a run folder, its name in the folder of runs, or the name or file of a protocol for its latest run; default:
    the latest run. output: the folder of runs; default: `HARNESS_RUNS` or `runs`. finished: accept only runs with a
    leaderboard; by default, a folder with a plan is also accepted. registry: as for `Run`. Raises UsageError with the
    available runs if there is no such run.
    """
    from harness.api.find_run import find_begun_folder, find_run_folder
    from harness.api.protocols import runs_folder

    find = find_run_folder if finished else find_begun_folder
    return Run(find(None if run is None else str(run), runs_folder(output)), registry=registry)


def _json_lines(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.splitlines():
        yield json.loads(line)
