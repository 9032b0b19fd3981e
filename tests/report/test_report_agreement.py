"""The table and the figure of predictors, from a stored prediction: in the report, on the terminal and as Markdown."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from fake_run import make_leaderboard
from report_world import IMAGE, SCRIPT, cells, compared_prediction, kept_prediction, record_of, write_run
from typer.testing import CliRunner

from harness._util.console import safe_console
from harness.cli import app
from harness.cli.prediction_view import print_prediction
from harness.prediction.predictors import COMPLETION, PREDICTORS, REFERENCE, SAME_PAIR
from harness.report.drawing import draw
from harness.report.figure import Absent
from harness.report.figures.agreement import agreement
from harness.report.notices import notices
from harness.report.page import make_report
from harness.report.plots.chart import chart_of
from harness.report.reading import read_run
from harness.report.tables.agreement import HEADS, agreement_markdown, agreement_table


@pytest.fixture
def board(tmp_path):
    return make_leaderboard(tmp_path, seeds=(0, 1))[0]


@pytest.fixture
def kept(board):
    return compared_prediction(board)


def printed(kept, width):
    text = StringIO()
    print_prediction(safe_console(file=text, width=width), kept)
    return text.getvalue()


def test_each_predictor_has_its_numbers_in_the_order_of_the_file(board, kept):
    table = agreement(record_of(board, prediction=kept)).numbers
    assert table.columns == ("Predictor", "Known", "Cost (%)", "Spearman", "Signs (%)", "Lead", "Lead within seeds")
    assert [row[0] for row in table.rows] == [*PREDICTORS, IMAGE]
    rows = {row[0]: row[1:] for row in table.rows}
    # 3 domains with 64 completions each, of trainings with 60 · 256; the pilot has 3 of 60 steps.
    assert rows["predicted damage"] == (
        *("before", "1.2", "0.90 [0.60, 0.95]", "50"),
        *("0.30 [0.10, 0.40]", "0.29 [0.20, 0.50]"),
    )
    assert rows["pilot, reweighted"][:2] == ("during", "5.8")
    assert rows["edit norm"][:3] == ("after", "100", "0.13 [−0.17, 0.18]")
    assert rows[REFERENCE][4:] == ("–", "–")
    assert rows[SAME_PAIR][1:3] == ("–", "–")


def test_what_the_numbers_are_over_is_told(board, kept):
    told = (
        "2 pairs of a training and another domain: 1 training, held-out seed 1; fitted predictors are fitted to seed 0"
    )
    figure = agreement(record_of(board, prediction=kept))
    assert figure.numbers.subtitle == told and told in figure.caption
    assert f"Without a cost or a correlation: {SAME_PAIR}; {COMPLETION}." in figure.caption
    everything = agreement_table(replace(kept, fitted=())).subtitle
    assert everything == "4 pairs of a training and another domain: 2 trainings, seeds 0, 1"
    nothing = agreement_markdown(replace(kept, fitted=(), checked=(), agreed=()))
    assert nothing.splitlines()[2] == "No training was compared: none has scores"


@pytest.mark.parametrize("width", [60, 200])
def test_the_terminal_and_markdown_show_the_same_table(kept, width):
    table, text = agreement_table(kept), printed(kept, width)
    for word in (*HEADS, *(cell for row in table.rows[:-1] for cell in row[1:])):
        assert word in text
    assert " ".join(table.notes[0].split()) in " ".join(text.split())
    lines = agreement_markdown(kept).splitlines()
    assert lines[4].split(" | ")[1:3] == ["Known", "Cost (%)"]
    assert "| predicted damage | before | 1.2 | 0.90 \\[0.60, 0.95\\] | 50 |" in lines[6]


def test_predictors_are_drawn_by_cost_from_zero_and_side_by_side_if_it_is_the_same(board, kept):
    figure = agreement(record_of(board, prediction=kept))
    rows, points = (view.panels[0] for view in figure.views)
    assert [line.label for line in rows.lines][:2] == ["predicted damage", "first order"]
    assert "KL (known after training)" in [line.label for line in rows.lines]
    by_name = {series.name: series for series in points.series}
    for known in ("before", "during", "after"):
        priced = [one for one in PREDICTORS.values() if one.known == known and one.cost is not None]
        assert len(by_name[f"known {known} the training"].marks) == len(priced)
    assert points.x.low < 0 and points.x.high > 100 and points.x.ticks[0][0] == 0
    places = [points.x.place(mark.x) for mark in by_name["known before the training"].marks[:2]]
    assert places[1] - places[0] == pytest.approx(0.8)
    # The others cost more than these, or correlate less than one that costs no more.
    front = "prompts with an advantage; reward of the harmed domain; predicted damage"
    assert f"the same or a lower cost: {front}." in figure.caption
    assert [mark.y for mark in by_name["front"].marks] == pytest.approx([0.48, 0.55, 0.9])
    for view in figure.views:
        assert "predicted damage" in draw(chart_of(view))


def test_the_page_shows_the_table_without_a_click_and_hostile_names_as_text(board, kept):
    html = make_report(record_of(board, prediction=kept)).html
    section = html[html.index('<section aria-labelledby="agreement"') :]
    section = section[: section.index("</section>")]
    assert "<details open>" in section and '<th scope="col">Spearman</th>' in section
    assert '<th scope="row">predicted damage</th>' in section and "<caption>" in section
    assert SCRIPT not in html and IMAGE not in html and "&lt;img src=x onerror" in section


def test_a_prediction_of_an_older_version_is_reported_with_what_it_has(tmp_path):
    folder = write_run(tmp_path)
    data = json.loads(compared_prediction(read_run(folder).leaderboard).to_json())
    new = ("known", "cost", "signs", "lead", "lead_ci95", "seed_lead", "seed_lead_ci95")
    data["check"]["agreement"] = [
        {key: value for key, value in one.items() if key not in new} for one in data["check"]["agreement"]
    ]
    del data["check"]["fitted"]
    (folder / "prediction.json").write_text(json.dumps(data))
    record = read_run(folder)
    figure = agreement(record)
    assert cells(figure)["predicted damage"] == ("before", "–", "0.90 [0.60, 0.95]", "–", "–", "–")
    assert [view.name for view in figure.views] == ["one by one"]  # no cost is known
    assert not notices(record) and 'id="agreement"' in make_report(record).html
    (folder / "prediction.json").write_text(json.dumps(data | {"schema": 1}))
    assert "prediction.json" in notices(read_run(folder))[0]
    assert 'id="agreement"' not in make_report(read_run(folder)).html


def test_without_a_comparison_the_page_says_how_to_make_one(board, kept):
    missing = agreement(record_of(board, prediction=kept_prediction(board)))
    assert isinstance(missing, Absent) and "--check RUN" in missing.reason
    html = make_report(record_of(board)).html
    assert "Prediction before training, Agreement of predictions</dt>" in html


def test_an_archived_run_has_the_table_as_a_file_and_rebuilds_it(tmp_path):
    folder, archived = write_run(tmp_path), tmp_path / "archived"
    kept = compared_prediction(read_run(folder).leaderboard)
    (folder / "prediction.json").write_text(kept.to_json())
    for arguments in (["add", folder, "-d", archived], ["rebuild", archived]):
        result = CliRunner().invoke(app, ["leaderboard", *map(str, arguments)])
        assert result.exit_code == 0, result.output
        assert str(archived / "prediction.md") in result.stdout
        assert (archived / "prediction.md").read_text() == agreement_markdown(kept)
        (archived / "prediction.md").write_text("changed")
