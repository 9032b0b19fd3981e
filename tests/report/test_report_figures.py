"""The figures of `harness report`: what each one draws and omits."""

import json
import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from fake_run import make_leaderboard
from report_world import cells, conflicts, curve, predicted, random_control, record_of, write_run

from harness.prediction.agreement import agreements
from harness.report.drawing import draw
from harness.report.figure import Absent
from harness.report.figures.conflicts import conflict_cosine, conflict_share
from harness.report.figures.cost import cost
from harness.report.figures.forgetting import change_by_step, forgetting
from harness.report.figures.predicted_damage import predicted_damage, predictions
from harness.report.figures.recoveries import paired, recoveries
from harness.report.figures.rollback_curve import rollback_curve
from harness.report.figures.scores_by_step import scores_by_step
from harness.report.reading import read_run
from harness.report.record import StepReport
from harness.report.scatter import Point, correlations, scatter
from harness.results.probe_rows import ProbeRows

TEXT = "{http://www.w3.org/2000/svg}text"

# ------------------------------------------------------------------------------------------------- the page


def test_forgetting_is_that_of_the_leaderboard(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    numbers = cells(forgetting(record_of(leaderboard)))
    assert numbers["sequential"][0].startswith("20.0 [")  # code: 90 at its best, 70 at the end
    assert numbers["re-math"][1].startswith("2.0 [")


def test_change_by_step_shows_a_shared_step_once_and_compares_seed_by_seed(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.1 * seed)
    numbers = cells(change_by_step(record_of(leaderboard)))
    assert list(numbers) == [
        "sequential 1: code",
        "sequential 2: math",
        "sequential 3: qa",
        "re-math 4: recover math (refresh)",
    ]
    # Seeds differ by 10 points and the step's effect does not: there is no spread for an interval.
    assert numbers["sequential 3: qa"][0] == "−18.0"


def test_a_fall_where_lower_is_better_is_a_gain(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path, changes={"higher_is_better": False})
    numbers = cells(change_by_step(record_of(leaderboard)))
    assert numbers["sequential 3: qa"][0].startswith("18.0 [")


def test_lines_of_methods_begin_where_they_leave_one_another(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    chart = scores_by_step(record_of(leaderboard)).chart("wide").to_dict()
    values = chart["data"]["values"] if "values" in chart["data"] else chart["datasets"][chart["data"]["name"]]
    steps = {
        method: sorted({row["step"] for row in values if row["method"] == method and row["domain"] == "code"})
        for method in ("sequential", "re-math")
    }
    assert steps == {"sequential": [0, 1, 2, 3], "re-math": [3, 4]}
    roles = {row["step"]: row["role"] for row in values if row["domain"] == "math" and row["own"]}
    assert (roles[2], roles[3], roles[4]) == ("trains the domain", "another domain's step", "recovers the domain")


def test_many_methods_are_panels_of_their_own(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    first = leaderboard.row("sequential")
    many = [
        first.model_copy(
            update={
                "method": f"order {index}",
                "trajectory": tuple(
                    step.model_copy(update={"checkpoints": (f"{index}-{step.step}",)}) for step in first.trajectory
                ),
            }
        )
        for index in range(9)
    ]
    figure = scores_by_step(record_of(leaderboard.model_copy(update={"rows": tuple(many)})))
    chart = figure.chart("wide").to_dict()
    assert chart["facet"]["field"] == "method"


def test_a_method_in_a_panel_of_its_own_is_drawn_from_the_base_on(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    rows = [*leaderboard.rows, *(leaderboard.rows[0].model_copy(update={"method": f"m{i}"}) for i in range(7))]
    figure = scores_by_step(record_of(leaderboard.model_copy(update={"rows": tuple(rows)})))
    chart = figure.chart("wide").to_dict()
    values = chart["data"]["values"] if "values" in chart["data"] else chart["datasets"][chart["data"]["name"]]
    first = {row["method"]: 99 for row in values}
    for row in values:
        first[row["method"]] = min(first[row["method"]], row["step"])
    assert set(first.values()) == {0}
    assert "that methods share" not in figure.caption


def test_a_control_stands_beside_the_recovery_that_it_is_drawn_for(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    pairs = {pair.method: pair.control and pair.control[0] for pair in paired(random_control(leaderboard))}
    assert pairs == {"re-math": None, "rollback": "random-rollback"}
    figure = recoveries(record_of(random_control(leaderboard)))
    assert "Without a random control: re-math." in figure.caption
    assert "random-rollback (random control)" in figure.description


def test_a_control_of_another_size_is_no_control(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    data = json.loads(random_control(leaderboard).to_json())
    next(row for row in data["rows"] if row["method"] == "random-rollback")["recovery"]["config"]["fraction"] = 0.5
    pairs = paired(type(leaderboard).parse(json.dumps(data), "test"))
    assert [pair.control for pair in pairs] == [None, None, None]


@pytest.mark.parametrize(
    ("ratio", "remark", "word"),
    [
        ({"mean": None, "ci95": None, "interval": None}, "target not damaged", "undefined"),
        ({"mean": 31.0, "ci95": None, "interval": "unbounded"}, "damage not shown", "not bounded"),
    ],
)
def test_a_target_without_a_shown_damage_has_no_bar_and_is_remarked(tmp_path, ratio, remark, word):
    leaderboard, _ = make_leaderboard(tmp_path)
    data = json.loads(leaderboard.to_json())
    row = next(row for row in data["rows"] if row["recovery"])
    row["recovery"]["ratio"] |= ratio
    row["recovery"]["remark"] = remark
    figure = recoveries(record_of(type(leaderboard).parse(json.dumps(data), "test")))
    assert f"re-math: {remark}" in figure.caption
    words = [text.text for text in ElementTree.fromstring(draw(figure.chart("wide"), "wide")).iter(TEXT)]
    assert words.count(word) == 1
    assert not any(text and text.startswith("31") for text in words)


def test_a_prediction_meets_the_points_that_its_step_took(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    probes = tuple(ProbeRows(probe="p", method=m, seed=0, rows=predicted()) for m in ("sequential", "re-math"))
    found = list(predictions(record_of(leaderboard, probes=probes)))
    assert len(found) == 9  # the second method shares these steps
    one = next(point for point in found if (point.place, point.domain) == ("sequential, step 3", "code"))
    assert (one.kind, one.predicted) == ("p: first order", pytest.approx(0.3))
    assert one.measured == pytest.approx(18.0)
    rows = [{"step": 3, "label": "qa", "harmed_domain": "math", "full_damage": 0.5, "coordinates": 7}]
    other = (ProbeRows(probe="second", method="sequential", seed=0, rows=rows),)
    (point,) = predictions(record_of(leaderboard, probes=other))
    assert (point.kind, point.domain, point.measured) == ("second: full damage", "math", pytest.approx(20.0))
    assert "n = 9" in predicted_damage(record_of(leaderboard, probes=probes)).caption


def test_rows_that_are_no_predictions_are_left_alone(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    rows = [
        {"step": 3, "domain": "code", "predicted_damage": math.nan},
        {"step": 3, "domain": "nowhere", "predicted_damage": 1.0},
        {"step": "3", "domain": "code", "predicted_damage": 1.0},
        {"step": 99, "domain": "code", "predicted_damage": 1.0},
        {"step": 3, "domain": "code", "predicted_damage": True},
        {"step": 3, "domain": "code", "damage": 1.0},
        {"step": 3, "harmed_domain": None, "full_damage": 1.0},
    ]
    probes = (ProbeRows(probe="p", method="sequential", seed=0, rows=rows),)
    assert not list(predictions(record_of(leaderboard, probes=probes)))


def points(pairs, kind="k", seeds=(0,)):
    return [
        Point(kind=kind, seed=seed, step=f"step {i}", place="", domain="math", predicted=a, measured=b)
        for seed in seeds
        for i, (a, b) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([(1, 1), (2, 4), (3, 9)], "k: 1.00 [1.00, 1.00], n = 3"),
        ([(1, 9), (2, 4), (3, 1)], "k: −1.00 [−1.00, −1.00], n = 3"),
        ([(1, 1), (2, 2)], "k: none (too few different points), n = 2"),
        ([(1, 1), (1, 2), (1, 3)], "k: none (too few different points), n = 3"),
    ],
)
def test_the_rank_correlation_is_told_with_its_interval(pairs, told):
    assert correlations(points(pairs)) == [told]


def test_the_interval_of_a_correlation_is_that_of_the_check_of_a_prediction():
    pairs = [(1, 3), (2, 1), (3, 5), (4, 2), (5, 8), (6, 4)]
    keys = {(seed, f"step {i}", "math"): pair for seed in (0, 1) for i, pair in enumerate(pairs)}
    [one] = agreements({key: b for key, (_, b) in keys.items()}, {"k": {key: a for key, (a, _) in keys.items()}})
    low, high = one.ci95
    told = f"k: {one.spearman:.2f} [{low:.2f}, {high:.2f}], n = 12".replace("-", "−")
    assert correlations(points(pairs, seeds=(0, 1))) == [told]


def test_domains_past_the_seventh_differ_by_shape_where_colours_come_again():
    many = [replace(one, domain=f"d{i}") for i, one in enumerate(points([(i, i) for i in range(9)]))]
    marks = scatter(many, "wide").to_dict()["spec"]["layer"][1]["encoding"]
    looks = list(zip(marks["color"]["scale"]["range"], marks["shape"]["scale"]["range"], strict=True))
    assert len(set(looks)) == 9


def test_conflicts_are_laid_out_by_layer_and_module(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    steps = tuple(
        StepReport(methods=("a",), seed=seed, step=1, label="", report={"conflict_by_module": conflicts()})
        for seed in (0, 1)
    )
    record = record_of(leaderboard, steps=steps)
    figure = conflict_cosine(record)
    assert "Negative" in figure.caption and "n = 60 optimizer steps per seed" in figure.caption
    chart = figure.chart("wide").to_dict()
    values = chart["data"]["values"] if "values" in chart["data"] else chart["datasets"][chart["data"]["name"]]
    assert {(row["row"], row["column"]) for row in values} >= {
        ("0", "self_attn"),
        ("2", "mlp"),
        ("outside the layers", "norm"),
    }
    assert list(dict.fromkeys(row["row"] for row in values)) == ["0", "1", "2", "outside the layers"]
    assert "layers.0.self_attn: −0.300" in figure.description
    shares = {row[1]: row[2] for row in conflict_share(record).numbers.rows}
    assert shares["norm"].startswith("0.875")


@pytest.mark.parametrize("report", [{}, {"conflict_by_module": "?"}, {"conflict_by_module": [3, {"domains": "ab"}]}])
def test_a_report_without_conflicts_gives_no_map(tmp_path, report):
    leaderboard, _ = make_leaderboard(tmp_path)
    steps = (StepReport(methods=("a",), seed=0, step=1, label="", report=report),)
    assert isinstance(conflict_cosine(record_of(leaderboard, steps=steps)), Absent)


def test_the_curve_holds_random_draws_as_a_band_and_counts_a_shared_measurement_once(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    probes = tuple(ProbeRows(probe="p", method=m, seed=0, rows=curve()) for m in ("sequential", "re-math"))
    figure = rollback_curve(record_of(leaderboard, probes=probes))
    assert "9 random selections" in figure.caption and "the peak and the damaged checkpoint" in figure.caption
    rows = {row[:4]: row[4:] for row in figure.numbers.rows}
    assert rows["sequential: math", "random", "0.05", "target"][1] == "3"
    assert rows["sequential: math", "fisher", "0.2", "target"] == ("95.00", "1")
    assert not [place for place in rows if place[0].startswith("re-math")]
    chart = figure.chart("wide").to_dict()
    values = chart["data"]["values"] if "values" in chart["data"] else chart["datasets"][chart["data"]["name"]]
    band = next(row for row in values if (row["kind"], row["fraction"], row["measure"]) == ("random", 0.05, "target"))
    assert (band["low"], band["score"], band["high"]) == (75, 76, 77)


def test_the_curves_intervals_are_over_seeds_however_many_draws_a_seed_has(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    same = tuple(ProbeRows(probe="p", method="sequential", seed=seed, rows=curve()) for seed in (0, 1))
    rows = {row[:4]: row[4:] for row in rollback_curve(record_of(leaderboard, probes=same)).numbers.rows}
    # Both seeds measured the same, so there is no spread between them, though there is between their draws.
    assert rows["sequential: math", "random", "0.05", "target"] == ("76.00", "6")


def test_cost_is_told_of_the_methods_that_are_whole(tmp_path):
    folder = write_run(tmp_path, without=("re-math",))
    figure = cost(read_run(folder))
    assert cells(figure)["sequential"][:2] == ("180", "46,080")
    assert cells(figure)["re-math"] == ("–",) * 4
    assert "Not known yet: re-math." in figure.caption


def test_cost_has_an_interval_over_seeds_where_they_differ(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2))

    def spread(row):
        costs = tuple(one.model_copy(update={"train_seconds": 80.0 + 10 * i}) for i, one in enumerate(row.seed_costs))
        return row.model_copy(update={"seed_costs": costs})

    rows = [spread(row) for row in leaderboard.rows]
    figure = cost(record_of(leaderboard.model_copy(update={"rows": tuple(rows)})))
    steps, _, _, seconds = cells(figure)["sequential"]
    assert steps == "180"
    low, high = re.fullmatch(r"90\.0 \[(\S+), (\S+)\]", seconds).groups()
    assert float(low) < 85 and float(high) > 95
    assert "intervals over seeds" in figure.caption
    assert "intervals" not in cost(record_of(leaderboard)).caption
