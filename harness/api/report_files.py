"""Writes the report of a run: the page, and its figures as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness._util.extras import require_extra
from harness._util.files import write_together
from harness.errors import UsageError
from harness.execution.run_folder import REPORT

if TYPE_CHECKING:
    from harness.api.runs import Run
    from harness.results.probe_tables import ProbeRecord


@dataclass(frozen=True, kw_only=True)
class ReportFiles:
    """The files of a report. files: the page and the figures, in the order in which they were written. undrawn: the
    reasons why figures were not drawn, by their titles or file names."""

    files: tuple[Path, ...]
    undrawn: dict[str, str]


def write_report(run: Run, page: Path | None, *, figures: Path | None, prediction: Path | None) -> ReportFiles:
    """Writes the report of a run, as documented at `Run.write_report`."""
    if figures is not None:
        require_extra("report", "altair", "vl_convert", wanted_by="harness report --figures")
    from harness.report.page import make_report
    from harness.report.reading import read_run
    from harness.report.samples.section import samples_section

    samples = samples_section(run.folder)
    sections = [] if samples is None else [samples]
    built = make_report(read_run(run.folder, prediction), _probes(run), sections=sections)
    files = {page or run.folder / REPORT: built.html.encode()}
    undrawn = dict(built.undrawn)
    if figures is not None:
        from harness.report.figure_files import figure_files

        drawn, further = figure_files(built.figures)
        files |= {figures / name: content for name, content in drawn.items()}
        undrawn |= further
    write_together(files)
    return ReportFiles(files=tuple(files), undrawn=undrawn)


def _probes(run: Run) -> ProbeRecord | None:
    """Returns the probe results; None if there are none or they cannot be read, which the page mentions."""
    try:
        return run.probes
    except UsageError:
        return None
