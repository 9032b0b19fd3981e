"""Compares two runs: the settings that differ, scores paired by seed, and the test items that flipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness._util.extras import require_extra
from harness.api.runs import Run, load_run
from harness.errors import HarnessError, UsageError
from harness.execution.run_folder import PLAN, PROTOCOL, RunFolder
from harness.execution.stored_samples import samples_of
from harness.planning.definitions import step_definition
from harness.planning.titles import step_label
from harness.results.run_comparison import ItemFlips, RunComparison, compared_runs
from harness.results.settings import NOT_SET, SettingDifference, differing, differing_in_places

if TYPE_CHECKING:
    from harness.planning.plan import MethodPlan

Items = Mapping[tuple[str, int], tuple[str, str | None, bool | None]]
"""The prompt, the target and whether the answer is right, by task and number of the test item."""
_ENVIRONMENT = ("python", "platform", "packages", "plugins", "git", "hardware")


def compare(
    first: Run | str | Path, second: Run | str | Path, *, items: bool = True, output: str | Path | None = None
) -> RunComparison:
    """Returns two runs beside each other. All differences are first minus second.

    first, second: runs, their folders, or names as for `load_run`; also folders of archived leaderboards, which have no
    plan and no samples. items: also count the test items that only one run answers right, where both have samples.
    output: the folder of runs. Raises UsageError if a run has no leaderboard, DamagedResult if a file of its store has
    changed.
    """
    runs = [one if isinstance(one, Run) else load_run(one, output=output, finished=True) for one in (first, second)]
    one, two = runs
    found = compared_runs((_name(one), _name(two)), one.record, two.record, tuple(_settings(one, two)))
    if not items or not (one.has_samples and two.has_samples):
        return found
    return found.model_copy(update={"flips": tuple(_flips(one, two))})


def _name(run: Run) -> str:
    return run.folder.resolve().name


def _settings(one: Run, two: Run) -> Iterator[SettingDifference]:
    yield from differing("protocol", _protocol(one), _protocol(two))
    if all((run.folder / PLAN).is_file() for run in (one, two)):
        yield from differing("plan", {"harness": one.plan.harness}, {"harness": two.plan.harness})
        yield from differing_in_places("plan", _steps(one), _steps(two))
    yield from differing("measurement", _measurement(one), _measurement(two))
    environment = differing("provenance", _environment(one), _environment(two))
    yield from sorted(environment, key=lambda found: NOT_SET in (found.first, found.second))


def _measurement(run: Run) -> dict[str, Any]:
    return {column: measured.model_dump() for column, measured in run.record.measurement.items()}


def _protocol(run: Run) -> Mapping[str, Any]:
    """Returns the run's protocol as written, empty if the folder has none that can be read."""
    from harness.protocol.source import read_source

    try:
        return read_source(run.folder / PROTOCOL).data
    except HarnessError:
        return {}


def _steps(run: Run) -> dict[str, Any]:
    """Returns the definition of every step by its method and number, with all defaults, without the seed."""
    lineages = {one.name: one.lineage for one in reversed(run.plan.methods)}
    return {
        f"{name} {step}": step_definition(run.plan.definition_of(lineage[step]))
        for name, lineage in lineages.items()
        for step in range(len(lineage))
    }


def _environment(run: Run) -> dict[str, Any]:
    found = RunFolder(run.folder).provenance() or run.record.provenance
    return {key: found[key] for key in _ENVIRONMENT if key in found}


def _flips(one: Run, two: Run) -> Iterator[ItemFlips]:
    """Yields the flips after each step that both runs have; steps that methods share come once."""
    mine, others = _by_method(one), _by_method(two)
    seen: set[tuple[str, str]] = set()
    for name in sorted(mine, key=lambda name: len(next(iter(mine[name].values())).lineage)):
        seeds = [seed for seed in mine[name] if seed in others.get(name, {})]
        if not seeds:
            continue
        pairs = [(mine[name][seed].lineage, others[name][seed].lineage) for seed in seeds]
        for step in range(min(len(lineage) for pair in pairs for lineage in pair)):
            checkpoints = list(dict.fromkeys((left[step], right[step]) for left, right in pairs))
            if checkpoints[0] in seen:
                continue
            seen.add(checkpoints[0])
            shared = seeds[: len(checkpoints)]
            label = step_label(one.plan.nodes[checkpoints[0][0]])
            for domain in one.plan.scored_names:
                counts = _domain_counts(one, two, domain, checkpoints)
                if counts is not None:
                    yield ItemFlips(method=name, step=step, label=label, domain=domain, seeds=tuple(shared), **counts)


def _by_method(run: Run) -> dict[str, dict[int, MethodPlan]]:
    found: dict[str, dict[int, MethodPlan]] = {}
    for method in run.plan.methods:
        found.setdefault(method.name, {})[method.seed] = method
    return found


def _domain_counts(one: Run, two: Run, domain: str, checkpoints: Sequence[tuple[str, str]]) -> dict[str, int] | None:
    """Returns the counts of `ItemFlips` over pairs of checkpoints, None if a run lacks the samples of one, or if both
    have the same results."""
    counts = dict.fromkeys(("items", "both", "neither", "first_only", "second_only", "unmatched"), 0)
    pairs = [
        (one.plan.evaluations.get(left, {}).get(domain), two.plan.evaluations.get(right, {}).get(domain))
        for left, right in checkpoints
    ]
    if all(left == right for left, right in pairs):
        return None
    for left, right in pairs:
        if left is None or right is None or not (one._store.has(left) and two._store.has(right)):
            return None
        for name, count in _counted(_items(one, left), _items(two, right)).items():
            counts[name] += count
    return counts


def _items(run: Run, key: str) -> Items:
    rows = samples_of(run._store, key)
    return {
        (row["task"], row["item"]): (row["prompt"], row["target"], row["right"]) for row in rows if not row["repeat"]
    }


def _counted(mine: Items, others: Items) -> dict[str, int]:
    kinds = {(True, True): "both", (False, False): "neither", (True, False): "first_only", (False, True): "second_only"}
    counts = dict.fromkeys((*kinds.values(), "items", "unmatched"), 0)
    for item in dict.fromkeys([*mine, *others]):
        one, two = mine.get(item), others.get(item)
        counts["items"] += 1
        if one is None or two is None or one[:2] != two[:2] or one[2] is None or two[2] is None:
            counts["unmatched"] += 1
        else:
            counts[kinds[one[2], two[2]]] += 1
    return counts


def write_comparison(comparison: RunComparison, file: str | Path) -> Path:
    """Writes a comparison as a page (`.html`), or its figure of the final scores (`.svg`). Returns the file.

    The figure needs the extra `report`. Raises UsageError for other endings, if the extra is not installed, if there is
    nothing to draw, or if the file cannot be written.
    """
    from harness._util.files import write_text

    path = Path(file)
    makers = {".html": _page, ".svg": _figure}
    if path.suffix not in makers:
        raise UsageError("a comparison is a page or a figure", where=str(path), hint="name a file .html or .svg")
    write_text(path, makers[path.suffix](comparison))
    return path


def _page(comparison: RunComparison) -> str:
    from harness.report.comparison.page import comparison_page

    return comparison_page(comparison)


def _figure(comparison: RunComparison) -> str:
    require_extra("report", "altair", "vl_convert", wanted_by="harness compare -o FILE.svg")
    from harness.report.comparison.figure import final_scores
    from harness.report.drawing import draw
    from harness.report.plots.chart import chart_of

    view = final_scores(comparison)
    if not view.panels:
        raise UsageError("the runs have no method and seed in common, so there is nothing to draw")
    return draw(chart_of(view))
