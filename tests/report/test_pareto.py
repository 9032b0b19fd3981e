"""The averages of methods against the completions that they sampled, and the axis that can show none."""

import json
import math

import pytest
from fake_run import make_leaderboard
from hypothesis import given
from hypothesis import strategies as st
from report_world import cells, random_control, record_of

from harness.report.drawing import draw
from harness.report.figure import Absent
from harness.report.figures.pareto import pareto
from harness.report.front import front_of
from harness.report.own_cost import recovery_completions
from harness.report.plots.chart import chart_of
from harness.report.plots.scales import count_axis
from harness.report.tables.recoveries import recovery_table
from harness.results.leaderboard import Leaderboard

REFRESHED = 3 * 256


def without_step_costs(leaderboard):
    """Returns the record as an older version wrote it."""
    rows = [
        row.model_copy(update={"trajectory": tuple(step.model_copy(update={"cost": None}) for step in row.trajectory)})
        for row in leaderboard.rows
    ]
    return leaderboard.model_copy(update={"rows": tuple(rows)})


def test_a_recovery_costs_what_follows_the_last_training(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path, seeds=(0, 1), shift=lambda seed: 0.01 * seed)
    assert recovery_completions(leaderboard.row("re-math")) == REFRESHED
    assert recovery_completions(leaderboard.row("sequential")) == 0
    numbers = cells(pareto(record_of(leaderboard)))
    assert numbers["re-math"][1:] == ("768", "yes", f"{180 * 256 + REFRESHED:,}", "yes")
    assert numbers["sequential"][1:] == ("0", "yes", f"{180 * 256:,}", "yes")


def test_a_record_without_costs_per_step_has_those_of_its_single_recoveries(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    assert cells(pareto(record_of(without_step_costs(leaderboard)))) == cells(pareto(record_of(leaderboard)))


def test_of_two_recoveries_in_a_row_both_count(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    row = leaderboard.row("re-math")
    last = row.trajectory[-1]
    again = last.model_copy(
        update={
            "step": last.step + 1,
            "checkpoints": ("again",),
            "cost": last.cost.model_copy(update={"completions": last.cost.completions + 100}),
        }
    )
    twice = row.model_copy(update={"trajectory": (*row.trajectory, again)})
    assert recovery_completions(twice) == REFRESHED + 100
    [older] = without_step_costs(leaderboard.model_copy(update={"rows": (twice,)})).rows
    assert recovery_completions(older) is None


def test_the_first_view_has_recoveries_and_what_they_start_from(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    data = json.loads(leaderboard.to_json())
    other = json.loads(json.dumps(next(row for row in data["rows"] if row["method"] == "sequential")))
    other["method"] = other["definition"] = "mixed"
    other["trajectory"][-1]["checkpoints"] = ["mixed"]
    data["rows"].insert(0, other)
    figure = pareto(record_of(Leaderboard.parse(json.dumps(data), "test")))
    drawn = {view.name: {one.name for one in view.panels[0].series} for view in figure.views}
    assert drawn == {
        "of the recovery": {"front", "re-math", "sequential"},
        "of the whole method": {"front", "re-math", "sequential", "mixed"},
    }
    assert cells(figure)["mixed"][1:3] == ("–", "–")


def test_marks_on_the_front_have_another_shape_and_their_name(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    figure = pareto(record_of(random_control(leaderboard)))
    numbers = cells(figure)
    [panel] = figure.views[0].panels
    line, *series = panel.series
    for one in series:
        [mark] = one.marks
        on_front = numbers[one.name][2] == "yes"
        assert (mark.shape, mark.label) == (("diamond", one.name) if on_front else ("circle", ""))
    assert len(line.marks) == sum(row[2] == "yes" for row in numbers.values())


def test_methods_of_the_same_cost_are_side_by_side_and_their_tips_have_the_cost(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    figure = pareto(record_of(random_control(leaderboard)))  # three recoveries of 768 completions
    marks = [one.marks[0] for one in figure.views[0].panels[0].series[1:]]
    assert len({mark.x for mark in marks}) == len(marks)
    at = [figure.views[0].panels[0].x.place(mark.x) for mark in marks if "768 completions" in mark.tip]
    assert len(at) == 3 and max(at) - min(at) == pytest.approx(1.6)


def test_without_recoveries_there_is_one_view_and_without_costs_no_figure(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    only = leaderboard.model_copy(update={"rows": (leaderboard.row("sequential"), leaderboard.row("base"))})
    assert [view.name for view in pareto(record_of(only)).views] == ["of the whole method"]
    unknown = only.row("sequential").model_copy(update={"cost": None})
    assert isinstance(pareto(record_of(only.model_copy(update={"rows": (unknown,)}))), Absent)


def test_the_table_of_recoveries_has_their_own_completions(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    table = recovery_table(leaderboard)
    [row] = table.rows
    assert row[table.columns.index("Completions")] == "768"
    assert any("of the recovery alone" in note for note in table.notes)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_the_front_is_what_no_other_point_surpasses(points):
    found = front_of(points)
    for place, (cost, gain) in enumerate(points):
        surpassed = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)
        first = points.index((cost, gain)) == place
        assert (place in found) == (not surpassed and first)
    assert found == sorted(found, key=lambda place: points[place][0])


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=10))
def test_an_axis_of_counts_has_its_values_in_order_and_within(values):
    axis = count_axis("completions", values)
    places = [axis.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert places[0] > 0 and places[-1] < 100
    for value, place in zip(sorted(values), places, strict=True):
        assert axis.at(place) == pytest.approx(value, rel=1e-6, abs=1e-6 * max(1, axis.high))
    ticks = [at for at, _ in axis.ticks]
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("values", "scale"),
    [([61440, 65280], "linear"), ([128, 61440], "log"), ([0, 128, 3840], "symlog"), ([0, 0], "linear")],
)
def test_the_scale_follows_from_the_values(values, scale):
    assert count_axis("", values).scale == scale


def test_an_axis_with_0_has_a_tick_there_and_is_logarithmic_far_above():
    axis = count_axis("", [0, 100, 10_000, 1_000_000])
    assert axis.ticks[0] == (0.0, "0") and (1000.0, "1000") in axis.ticks
    factors = [axis.place(10 * value) - axis.place(value) for value in (1e3, 1e4)]
    assert factors[0] == pytest.approx(factors[1], rel=0.05)
    assert math.isclose(axis.place(0) - 0, 100 - axis.place(1_000_000), rel_tol=1e-6)


def test_a_file_of_the_figure_has_the_names_of_the_front(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    svg = draw(chart_of(pareto(record_of(random_control(leaderboard))).views[0]))
    front = [name for name, row in cells(pareto(record_of(random_control(leaderboard)))).items() if row[2] == "yes"]
    assert front and all(svg.count(f">{name}<") == 2 for name in front)  # in the legend and at its point
