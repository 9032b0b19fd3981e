"""Archives the leaderboard of a run with its tables and report, and rebuilds archived ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness._util.files import write_text, write_together
from harness._util.untrusted_file import read_untrusted, refuse_special_files
from harness.api.leaderboards import rendered
from harness.api.protocols import installed_plugins
from harness.api.run_probes import read_probes
from harness.errors import UsageError
from harness.execution.run_folder import (
    LEADERBOARD,
    PLAN,
    PREDICTION,
    PROTOCOL,
    PROVENANCE,
    REPORT,
    SCORE_CURVES,
    SCORES,
)
from harness.plugin.specs import TableFormatSpec
from harness.results.probe_tables import FILE as PROBES
from harness.results.score_curves import FILE as SCORE_CURVE_RECORD
from harness.verification.kept_lines import DEFINITIONS, MANIFEST, SAMPLES

if TYPE_CHECKING:
    from harness.plugin.registry import Registry
    from harness.prediction.kept import PredictionRecord
    from harness.results.leaderboard import Leaderboard
    from harness.results.probe_tables import ProbeRecord

_COPIED = (PROVENANCE, PROTOCOL, SCORES, PREDICTION, SCORE_CURVES, SCORE_CURVE_RECORD)
PREDICTION_TABLE = "prediction.md"


def archive_run(
    folder: Path, leaderboard: Leaderboard, registry: Registry, directory: Path | None, samples_limit_mb: float
) -> list[Path]:
    """Archives the run folder `folder`, as documented at `Run.archive`."""
    from harness.report.kept_steps import FILE as STEPS
    from harness.report.kept_steps import steps_to_json
    from harness.report.reading import read_run
    from harness.report.training_curves import FILE as CURVES
    from harness.report.training_curves import curves_to_json

    _check_names(leaderboard, folder / LEADERBOARD)
    refuse_special_files(folder)
    target = directory or _place(leaderboard.protocol)
    texts = _tables(leaderboard, registry)
    if (probes := read_probes(folder, registry)) is not None:
        texts |= _probe_texts(probes)
    record = read_run(folder)
    kept = {STEPS: steps_to_json(record.steps), CURVES: curves_to_json(record.curves)}
    texts |= {name: text for name, text in kept.items() if text} | _prediction_texts(record.prediction)
    files = {target / name: read_untrusted(folder / name) for name in _COPIED if (folder / name).is_file()}
    files |= {target / name: text.encode() for name, text in texts.items()}
    files |= {target / name: content for name, content in _for_checks(folder, samples_limit_mb).items()}
    write_together(files)
    for path in (target / MANIFEST, target / DEFINITIONS, *(target / SAMPLES).glob("*.jsonl.xz")):
        if path not in files:
            path.unlink(missing_ok=True)  # of an earlier record in this folder
    # From the archived files, not the run, so that `harness report` reproduces the same page.
    return [*files, _write_page(target, registry)]


def _for_checks(folder: Path, samples_limit_mb: float) -> dict[str, bytes]:
    """Returns what `harness leaderboard verify` needs, by file name; nothing for a folder without a plan."""
    from harness.execution.store import Store
    from harness.planning.serialization import read_plan
    from harness.verification.keeping import kept_files

    if not (folder / PLAN).is_file():
        return {}
    scores = {SCORES: read_untrusted(folder / SCORES)} if (folder / SCORES).is_file() else {}
    store = Store(folder.resolve().parent / "store")
    return kept_files(read_plan(folder / PLAN), store, limit_mb=samples_limit_mb, others=scores).files


def rebuild_leaderboard(folder: str | Path, *, registry: Registry | None = None) -> list[Path]:
    """Recomputes intervals, metrics, ranks and rank groups of the leaderboard in a folder from its scores, for example
    those of an older version. Returns the written files: the record and the tables, probes and report in the folder.

    registry: the plugins to use; default: all installed ones. Raises UsageError if a record cannot be read.
    """
    from harness.prediction.kept import read_prediction
    from harness.results.leaderboard import Leaderboard
    from harness.results.probe_tables import ProbeRecord, recomputed
    from harness.results.rebuild import rebuilt

    folder, plugins = Path(folder), installed_plugins(registry)
    texts = _tables(rebuilt(Leaderboard.read(folder / LEADERBOARD)), plugins)
    if (folder / PROBES).is_file():
        texts |= _probe_texts(recomputed(ProbeRecord.read(folder / PROBES)))
    if (folder / PREDICTION_TABLE).is_file():
        texts |= _prediction_texts(read_prediction(folder / PREDICTION))
    files = {folder / name: text.encode() for name, text in texts.items() if (folder / name).is_file()}
    write_together(files)
    return [*files, *([_write_page(folder, plugins)] if (folder / REPORT).is_file() else [])]


def _write_page(folder: Path, registry: Registry) -> Path:
    """Writes the report of a folder into it and returns its file."""
    from harness.report.page import make_report
    from harness.report.reading import read_run

    write_text(folder / REPORT, make_report(read_run(folder), read_probes(folder, registry)).html)
    return folder / REPORT


def _probe_texts(probes: ProbeRecord) -> dict[str, str]:
    from harness.report.tables.probes import probe_page

    return {PROBES: probes.to_json(), "probes.md": probe_page(probes)}


def _prediction_texts(prediction: PredictionRecord | None) -> dict[str, str]:
    """Returns the table of predictors by its file name; nothing if none was compared with the run."""
    from harness.report.tables.agreement import agreement_markdown

    return {PREDICTION_TABLE: agreement_markdown(prediction)} if prediction is not None and prediction.agreed else {}


def _tables(leaderboard: Leaderboard, registry: Registry) -> dict[str, str]:
    """Returns texts by file name: the record, and one table per format. If formats share an extension, further ones get
    the full name of the format."""
    texts = {LEADERBOARD: leaderboard.to_json()}
    for plugin in registry.all("table-format"):
        text = rendered(plugin, leaderboard)
        assert isinstance(plugin.spec, TableFormatSpec)
        name = f"leaderboard.{plugin.spec.extension}"
        if texts.get(name, text) != text:
            name = f"leaderboard-{plugin.distribution}-{plugin.name}.{plugin.spec.extension}"
        texts[name] = text
    return texts


def _check_names(leaderboard: Leaderboard, where: Path) -> None:
    """Raises UsageError if the record contains a name that is not valid in a protocol."""
    from harness.protocol.shape import NAME_PATTERN

    methods = (row.method for row in leaderboard.rows if not row.reference)
    for name in (leaderboard.protocol, *leaderboard.columns, *methods):
        if not re.fullmatch(NAME_PATTERN, name):
            raise UsageError(
                f"{name[:80]!r} is not a valid name of a protocol, a domain or a method",
                where=str(where),
                hint="a name has up to 64 letters, digits, '-', '_' and '+', a letter or digit first",
            )


def _place(name: str) -> Path:
    """Returns the folder for the record of a protocol. Raises UsageError if it is a link, or if there is a folder whose
    name differs only in case."""
    root = Path("leaderboards")
    place = root / name
    if place.is_symlink():
        raise UsageError("this is a link", where=str(place), hint="choose another folder with --directory")
    others = [path.name for path in root.iterdir()] if root.is_dir() else []
    for other in others:
        if other != name and other.casefold() == name.casefold():
            raise UsageError(
                f"on a case-insensitive file system the record of {name} would replace {other}",
                where=str(place),
                hint="choose another folder with --directory",
            )
    return place
