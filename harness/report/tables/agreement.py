"""The table of predictors: how well each agrees with the observed damage. The terminal, the report and Markdown share
it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.report.tables.layout import TextTable, interval, number
from harness.results.estimates import Estimate

if TYPE_CHECKING:
    from harness.prediction.agreement import Agreement
    from harness.prediction.kept import PredictionRecord

TITLE = "Agreement of predictions"
HEADS = ("predictor", "known", "cost (%)", "Spearman", "signs (%)", "lead", "lead within seeds")
NOTES = (
    "Known: before, during or after the training that is predicted. Cost: completions, in percent of those of the "
    "training; a dash for predictors that need whole trainings of other seeds.",
    "Spearman: rank correlation of the prediction with the observed damage. Signs: pairs whose sign is predicted, in "
    "percent.",
    "Lead: Spearman minus that of the negative gradient cosine, over all pairs; within seeds: the mean over the seeds.",
    "Brackets: 95 % percentiles of bootstrap draws of pairs and of seeds; within seeds: Student's t over the seeds.",
)


def agreement_table(record: PredictionRecord) -> TextTable:
    """Returns one row per predictor, in the order of the record. There are no rows if nothing was compared."""
    return TextTable(
        title=TITLE,
        subtitle=compared_pairs(record),
        columns=tuple(head[:1].upper() + head[1:] for head in HEADS),
        rows=tuple(map(_cells, record.agreed)),
        notes=NOTES,
        names=2,
    )


def agreement_markdown(record: PredictionRecord) -> str:
    """Returns `agreement_table` as Markdown."""
    from harness.report.tables.markdown import markdown_table

    return markdown_table(agreement_table(record))


def correlation(one: Agreement) -> Estimate:
    """Returns Spearman's correlation of a predictor with its interval."""
    return Estimate(mean=one.spearman, ci95=one.ci95)


def cost_text(one: Agreement) -> str:
    """Returns the cost of a predictor in percent, with a decimal below 10."""
    return number(None if one.cost is None else 100 * one.cost, 1 if one.cost is not None and one.cost < 0.0995 else 0)


def compared_pairs(record: PredictionRecord) -> str:
    """Returns the pairs, trainings and seeds that the agreement is over, and the seeds of the fitted predictors."""
    pairs = [one.pair for one in record.checked if one.pair.seed not in record.fitted]
    if not pairs:
        return "No training was compared: none has scores"
    trainings = len({pair.after for pair in pairs})
    seeds = _seeds(pair.seed for pair in pairs)
    text = f"{_counted(len(pairs), 'pair')} of a training and another domain: {_counted(trainings, 'training')}, "
    if not record.fitted:
        return f"{text}{seeds}"
    return f"{text}held-out {seeds}; fitted predictors are fitted to {_seeds(record.fitted)}"


def _seeds(seeds: Iterable[int]) -> str:
    each = sorted(set(seeds))
    return f"{'seed' if len(each) == 1 else 'seeds'} {', '.join(map(str, each))}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _cells(one: Agreement) -> tuple[str, ...]:
    return (
        one.predictor,
        one.known,
        cost_text(one),
        interval(correlation(one), 2),
        number(None if one.signs is None else 100 * one.signs, 0),
        interval(Estimate(mean=one.lead, ci95=one.lead_ci95), 2),
        interval(Estimate(mean=one.seed_lead, ci95=one.seed_lead_ci95), 2),
    )
