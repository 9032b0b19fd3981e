"""The figures of `harness report`: what each one draws and omits."""

import json
import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from fake_run import make_leaderboard
from report_world import cells, conflicts, curve, predicted, random_control, record_of, write_run

from harness.prediction.agreement import agreements
from harness.report.figure import Absent
from harness.report.figures.conflicts import conflict_cosine, conflict_share
from harness.report.figures.cost import cost
from harness.report.figures.forgetting import change_by_step, forgetting
from harness.report.figures.paired_differences import paired_differences
from harness.report.figures.plasticity import plasticity_against_forgetting
from harness.report.figures.predicted_damage import predicted_damage, predictions
from harness.report.figures.recoveries import recoveries
from harness.report.figures.rollback_curve import rollback_curve
from harness.report.figures.trajectories import trajectories
from harness.report.figures.transfer import transfer
from harness.report.looks import paired
from harness.report.reading import read_run
from harness.report.record import StepReport
from harness.report.scatter import Point, correlations, scatter
from harness.report.stages import stage_names
from harness.report.tables.layout import number
from harness.report.theme import SERIES
from harness.results.probe_rows import ProbeRows

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


def panel_of(figure, title, view=0):
    return next(panel for panel in figure.views[view].panels if panel.title == title)


def test_lines_of_methods_begin_where_they_leave_one_another(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    figure = trajectories(record_of(leaderboard))
    lines = {series.method: series.marks for series in panel_of(figure, "math").series}
    assert {method: [mark.x for mark in marks] for method, marks in lines.items()} == {
        "sequential": [0, 1, 2, 3],
        "re-math": [3, 4],
    }
    assert [mark.drawn for mark in lines["re-math"]] == [False, True]  # the shared step is drawn once
    assert [mark.shape for mark in lines["sequential"]] == ["circle", "circle", "triangle", "circle"]
    assert lines["re-math"][-1].shape == "diamond"


def test_the_horizontal_axis_is_stages_or_optimizer_steps(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    figure = trajectories(record_of(leaderboard))
    assert [view.name for view in figure.views] == ["stages", "optimizer steps"]
    assert panel_of(figure, "math").x.names == ("base", "code", "math", "qa", "recover math")
    [ahead] = [one for one in panel_of(figure, "math", view=1).series if one.method == "sequential"]
    assert [mark.x for mark in ahead.marks] == [0, 60, 120, 180]
    older = [
        row.model_copy(update={"trajectory": tuple(step.model_copy(update={"cost": None}) for step in row.trajectory)})
        for row in leaderboard.rows
    ]
    without = trajectories(record_of(leaderboard.model_copy(update={"rows": tuple(older)})))
    assert [view.name for view in without.views] == ["stages"] and "are not known" in without.caption


def test_stages_that_differ_have_both_names_or_a_number(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)

    def other(trained):
        row = leaderboard.row("sequential")
        steps = [row.trajectory[0], row.trajectory[1].model_copy(update={"trained": trained}), *row.trajectory[2:]]
        return row.model_copy(update={"method": "+".join(trained), "trajectory": tuple(steps)})

    one, two = other(("math",)), other(("qa", "math"))
    both = leaderboard.model_copy(update={"rows": (*leaderboard.rows, one)})
    assert stage_names(both)[:2] == ["base", "code / math"]
    assert stage_names(both.model_copy(update={"rows": (*both.rows, two)}))[1] == "stage 1"


def test_of_very_many_methods_only_the_average_is_drawn(tmp_path, monkeypatch):
    leaderboard, _ = make_leaderboard(tmp_path)
    monkeypatch.setattr("harness.report.figures.trajectories.MOST_MARKS", 10)
    figure = trajectories(record_of(leaderboard))
    assert [panel.title for view in figure.views for panel in view.panels] == ["average", "average"]
    assert "only the average is drawn" in figure.caption


def test_plasticity_is_the_gain_of_the_trained_domain(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    numbers = cells(plasticity_against_forgetting(record_of(leaderboard)))
    steps = leaderboard.row("sequential").trajectory
    gains = [
        after.scores[domain].mean - before.scores[domain].mean
        for before, after in pairwise(steps)
        for domain in after.trained
    ]
    assert len(gains) == 3
    assert numbers["sequential"][0].startswith(f"{sum(gains) / 3:.1f} [")
    # A recovery is no training: it adds nothing.
    assert numbers["re-math"][0] == numbers["sequential"][0]


def test_transfer_is_the_mean_over_the_trainings_of_a_domain(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    [matrix] = transfer(record_of(leaderboard)).views[0].panels
    assert [line.label for line in matrix.lines] == ["code", "math", "qa"]  # without the recovery
    by_step = cells(change_by_step(record_of(leaderboard)))
    qa = {line.label: line.cells for line in matrix.lines}["qa"]
    assert number(qa[0].value, 1) == by_step["sequential 3: qa"][0].split(" ")[0]
    assert matrix.is_harm(qa[0]) and not matrix.is_harm(qa[2])


def test_differences_are_those_of_the_other_methods_to_the_best(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.01 * seed)
    figure = paired_differences(record_of(leaderboard))
    assert [view.name for view in figure.views] == ["average", "code", "math", "qa"]
    best, other = leaderboard.rows[0], leaderboard.rows[1]
    [line] = figure.views[0].panels[0].lines
    assert line.method == other.method
    assert line.value == pytest.approx(other.average.mean - best.average.mean)
    assert line.text.startswith(number(line.value, 1)) and line.tip.startswith(other.method)
    one_seed, _ = make_leaderboard(tmp_path / "one")
    assert "no difference can be tested" in paired_differences(record_of(one_seed)).caption


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
    ("ratio", "remark"),
    [
        ({"mean": None, "ci95": None, "interval": None}, "target not damaged"),
        ({"mean": 31.0, "ci95": None, "interval": "unbounded"}, "damage not shown"),
    ],
)
def test_a_target_without_a_shown_damage_has_no_point_and_is_remarked(tmp_path, ratio, remark):
    leaderboard, _ = make_leaderboard(tmp_path)
    data = json.loads(leaderboard.to_json())
    row = next(row for row in data["rows"] if row["recovery"])
    row["recovery"]["ratio"] |= ratio
    row["recovery"]["remark"] = remark
    figure = recoveries(record_of(type(leaderboard).parse(json.dumps(data), "test")))
    assert f"re-math: {remark}" in figure.caption
    assert [panel.title for panel in figure.views[0].panels] == ["collateral (points)"]


def test_the_front_has_the_recoveries_that_no_cheaper_one_surpasses(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    panel = recoveries(record_of(random_control(leaderboard))).views[0].panels[0]
    front, *points = panel.series
    assert (front.name, front.line) == ("front", True)
    known = {one.method: one for one in points}
    assert known["random-rollback"].look is None  # grey, and never on the front
    best = max((one.marks[0] for one in points if one.look is not None), key=lambda mark: mark.y)
    assert (front.marks[-1].x, front.marks[-1].y) == (best.x, best.y)


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
    [panel] = scatter(many)
    looks = {(one.look % len(SERIES), one.marks[0].shape) for one in panel.series}
    assert len(looks) == 9


def test_conflicts_are_laid_out_by_layer_and_module(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    steps = tuple(
        StepReport(methods=("a",), seed=seed, step=1, label="", report={"conflict_by_module": conflicts()})
        for seed in (0, 1)
    )
    record = record_of(leaderboard, steps=steps)
    figure = conflict_cosine(record)
    assert "Negative" in figure.caption and "n = 60 optimizer steps per seed" in figure.caption
    [matrix] = figure.views[0].panels
    assert [line.label for line in matrix.lines] == ["0", "1", "2", "outside the layers"]
    assert set(matrix.columns) == {"self_attn", "mlp", "embeddings", "norm"}
    first = dict(zip(matrix.columns, matrix.lines[0].cells, strict=True))
    assert first["self_attn"].text == "−0.30" and first["norm"] is None
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
    panel = panel_of(figure, "sequential: math, target")
    [random] = [one for one in panel.series if one.name == "random"]
    [band] = [mark for mark in random.marks if mark.x == 0.05]
    assert (band.low, band.y, band.high) == (75, 76, 77) and random.look is None
    assert {rule.at for rule in panel.rules} == {95, 75}


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
