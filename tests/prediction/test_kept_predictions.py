"""The kept predictions: the table of agreement follows from the pairs."""

import csv
import json
from pathlib import Path

import pytest

from harness.prediction.agreement import agreements
from harness.prediction.predictors import BOOSTED, BOOSTED_NEW, PREDICTORS, REFERENCE

FOLDER = Path(__file__).parents[2] / "leaderboards/lab/prediction"


@pytest.fixture(scope="module")
def kept():
    return json.loads((FOLDER / "agreement.json").read_text())


@pytest.fixture(scope="module")
def found(kept):
    """Returns the agreement of each predictor over the held-out seeds, from the pairs."""
    with (FOLDER / "pairs.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["seed"]) not in kept["fitted"]]
    keys = [(int(row["seed"]), row["trained"], row["harmed"], row["training"]) for row in rows]
    truth = {key: float(row["damage"]) for key, row in zip(keys, rows, strict=True)}
    said = {name: {key: float(row[name]) for key, row in zip(keys, rows, strict=True)} for name in PREDICTORS}
    return {one.predictor: one for one in agreements(truth, said, reference=REFERENCE)}


def test_the_table_follows_from_the_pairs(kept, found):
    assert [one["predictor"] for one in kept["agreement"]] == list(PREDICTORS)
    for one in kept["agreement"]:
        again = found[one["predictor"]]
        for part in ("spearman", "ci95", "signs", "lead", "lead_ci95", "seed_lead", "seed_lead_ci95"):
            expected = one[part]
            assert getattr(again, part) == (None if expected is None else pytest.approx(expected, abs=1e-9)), part


def test_the_trees_lead_the_cosine_over_other_pairs_and_seeds(found):
    assert all(found[name].lead_ci95[0] > 0 for name in (BOOSTED, BOOSTED_NEW))
