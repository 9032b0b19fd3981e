"""Two runs of the same methods beside each other: settings, scores paired by seed, and test items that flipped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.results.compare import PairedDifferences, row_differences, with_holm
from harness.results.estimates import Estimate, estimate
from harness.results.intervals import holm, paired_p_value
from harness.results.leaderboard import Leaderboard, Record, Row, TrajectoryStep
from harness.results.metrics import difference
from harness.results.numbers import at_seed
from harness.results.settings import SettingDifference


class AfterStep(Record):
    """A step of a method. label: both labels if those of the runs differ."""

    method: str
    step: int
    label: str

    @property
    def place(self) -> str:
        """The step as text, such as `sequential 2 train math`, or `base`."""
        return f"{self.method} {self.step} {self.label}" if self.step else self.label


class StepDifference(AfterStep):
    """The difference of a score after a step, first run minus second run.

    seeds: those that both runs have. holm_p_value: the p-value of the paired t test with Holm's correction over all
    steps and columns, None with fewer than two seeds. same: whether both runs have the same checkpoints, so that
    nothing but the measurement can differ; they are not tested.
    """

    column: str
    seeds: tuple[int, ...]
    score: Estimate
    p_value: float | None
    holm_p_value: float | None
    same: bool


class ItemFlips(AfterStep):
    """The test items of a domain after a step, over all seeds that both runs have samples of.

    first_only: right in the first run only. second_only: right in the second run only. unmatched: items that one run
    lacks, that were not scored, or whose prompts or targets differ.
    """

    domain: str
    seeds: tuple[int, ...]
    items: int
    both: int
    neither: int
    first_only: int
    second_only: int
    unmatched: int


class RunComparison(Record):
    """Two runs beside each other. All differences are first minus second.

    first, second: the names of the runs. settings: those that differ. only_first, only_second: methods that one run
    has. unpaired: methods without a common seed. methods: the final scores of each method that both have, with Holm's
    correction over the methods. steps: the scores after each step; steps that methods share come once. flips: the test
    items after each step, empty if a run has no samples. columns: those that both have. lower: those where lower is
    better. percent: those in percent.
    """

    first: str
    second: str
    settings: tuple[SettingDifference, ...]
    columns: tuple[str, ...]
    lower: tuple[str, ...]
    percent: tuple[str, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    unpaired: tuple[str, ...]
    methods: tuple[PairedDifferences, ...]
    steps: tuple[StepDifference, ...]
    flips: tuple[ItemFlips, ...] = ()

    @property
    def all_percent(self) -> bool:
        """Whether all scores are percentages."""
        return set(self.columns) <= set(self.percent)

    @property
    def decimals(self) -> int:
        """The number of decimals of differences: 2 for percentages, otherwise 4."""
        return 2 if self.all_percent else 4

    def to_json(self) -> str:
        """Returns the comparison as indented JSON with a final newline."""
        return self.model_dump_json(indent=2) + "\n"


def compared_runs(
    names: tuple[str, str], first: Leaderboard, second: Leaderboard, settings: tuple[SettingDifference, ...]
) -> RunComparison:
    """Returns the comparison of two leaderboards, without test items. Methods are matched by name, steps by number."""
    columns = tuple(column for column in first.columns if column in second.columns)
    pairs, unpaired = [], []
    for row in first.rows:
        other = next((one for one in second.rows if one.method == row.method and not one.reference), None)
        if other is None or row.reference:
            continue
        if set(row.seeds) & set(other.seeds):
            pairs.append((row, other))
        else:
            unpaired.append(row.method)
    mine, others = ([row.method for row in one.rows if not row.reference] for one in (first, second))
    return RunComparison(
        first=names[0],
        second=names[1],
        settings=settings,
        columns=columns,
        lower=tuple(column for column in columns if not first.higher_is_better(column)),
        percent=tuple(
            column for column in columns if column in first.measurement and first.measurement[column].percent
        ),
        only_first=tuple(name for name in mine if name not in others),
        only_second=tuple(name for name in others if name not in mine),
        unpaired=tuple(unpaired),
        methods=tuple(with_holm([row_differences(one, two, columns) for one, two in pairs], columns)),
        steps=tuple(_tested(pairs, columns)),
    )


def _tested(pairs: Sequence[tuple[Row, Row]], columns: tuple[str, ...]) -> Iterator[StepDifference]:
    """Yields the differences after each step, those of steps that methods share once, with corrected p-values."""
    once: dict[tuple[tuple[str, ...], tuple[str, ...], str], StepDifference] = {}
    for one, two in sorted(pairs, key=lambda pair: len(pair[0].trajectory)):
        for mine, other in zip(one.trajectory, two.trajectory, strict=False):
            for step in _step(one, mine, two, other, columns):
                once.setdefault((mine.checkpoints, other.checkpoints, step.column), step)
    found = list(once.values())
    corrected = holm([one.p_value for one in found])
    for step, p_value in zip(found, corrected, strict=True):
        yield step.model_copy(update={"holm_p_value": p_value})


def _step(
    one: Row, mine: TrajectoryStep, two: Row, other: TrajectoryStep, columns: tuple[str, ...]
) -> Iterator[StepDifference]:
    seeds = tuple(seed for seed in one.seeds if seed in two.seeds)
    same = bool(mine.checkpoints) and mine.checkpoints == other.checkpoints
    for column in columns:
        if column in mine.scores and column in other.scores:
            score = _paired((one, two), (mine, other), column, seeds)
            known = [value for value in score.per_seed if value is not None]
            yield StepDifference(
                method=one.method,
                step=mine.step,
                label=mine.label if mine.label == other.label else f"{mine.label} | {other.label}",
                column=column,
                seeds=seeds,
                score=score,
                p_value=None if same else paired_p_value(known),
                holm_p_value=None,
                same=same,
            )


def _paired(
    rows: tuple[Row, Row], steps: tuple[TrajectoryStep, TrajectoryStep], column: str, seeds: tuple[int, ...]
) -> Estimate:
    if all(len(step.checkpoints) == 1 for step in steps):
        seeds = seeds[:1]  # one checkpoint for all seeds is one measurement
    pairs = [
        [at_seed(step.scores[column], row.seeds.index(seed)) for row, step in zip(rows, steps, strict=True)]
        for seed in seeds
    ]
    return estimate([None if a is None or b is None else difference(a, b) for a, b in pairs])
