"""The browser of samples as a section of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from harness.execution.run_folder import PLAN
from harness.execution.store import Store
from harness.execution.store_marker import DamagedResult
from harness.planning.serialization import read_plan
from harness.report.page import Section
from harness.report.samples.data import embedded, page_data
from harness.report.samples.verdicts import read_verdicts


def samples_section(folder: Path) -> Section | None:
    """Returns the browser of a run's samples, None if the folder has none, as that of an archived leaderboard.

    The same run gives the same section. Raises UsageError if the plan cannot be read.
    """
    if not (folder / PLAN).is_file():
        return None
    plan, store = read_plan(folder / PLAN), Store(folder.resolve().parent / "store")
    try:
        verdicts = read_verdicts(plan, store)
        if verdicts is None:
            return None
        data = page_data(plan, store, verdicts)
    except DamagedResult as error:
        return Section(name="samples", title="Samples", html=markupsafe.Markup("<p>{}</p>").format(str(error)))
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(_file("samples.html"))
    html = template.render(
        seed=verdicts.seed,
        several_seeds=len(plan.seeds) > 1,
        shown=_shown(data["domains"]),
        left_out=verdicts.left_out,
        run=plan.run_name,
        data=markupsafe.Markup(embedded(data)),
    )
    return Section(
        name="samples",
        title="Samples",
        html=markupsafe.Markup(html),
        style=_file("samples.css"),
        script=_file("samples.js"),
    )


def _shown(domains: Sequence[Mapping[str, Any]]) -> str:
    """Returns how many items of each domain have texts: `60 of 512 items of math`, or of each domain if all agree."""
    counts = {one["name"]: f"{len(one['texts'])} of {_count(one['tasks'])} items" for one in domains}
    if len(set(counts.values())) == 1 and len(counts) > 1:
        return f"{next(iter(counts.values()))} of each domain"
    return ", ".join(f"{count} of {name}" for name, count in counts.items())


def _count(tasks: Sequence[Mapping[str, Any]]) -> int:
    return sum(one["items"] if isinstance(one["items"], int) else len(one["items"]) for one in tasks)


def _file(name: str) -> str:
    return files("harness.report.samples").joinpath(name).read_text(encoding="utf-8")
