"""A prediction stored with a run: read again unchanged, and drawn against the run's results."""

from dataclasses import replace

import pytest
from fake_run import make_leaderboard
from report_world import cells, kept_prediction, record_of, write_run

from harness.errors import UsageError
from harness.prediction.kept import read_prediction
from harness.prediction.predictors import PREDICTED
from harness.report.figure import Absent
from harness.report.figures.prediction import points_of, prediction
from harness.report.notices import notices
from harness.report.page import make_report
from harness.report.reading import read_run


def written(path, kept):
    path.write_text(kept.to_json())
    return path


@pytest.fixture
def board(tmp_path):
    return make_leaderboard(tmp_path, seeds=(0, 1))[0]


def test_what_was_written_is_read_back_as_it_was(tmp_path, board):
    kept = kept_prediction(board)
    assert read_prediction(written(tmp_path / "p.json", kept)) == kept
    bare = replace(kept, checked=(), agreed=())
    assert read_prediction(written(tmp_path / "p.json", bare)) == bare


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 1}', '{"schema": 2, "protocol": "p", "order": [], "predictions": [{}]}']
)
def test_a_file_that_holds_no_prediction_is_told(tmp_path, text):
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="not a prediction") as raised:
        read_prediction(path)
    assert raised.value.where == str(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_prediction(tmp_path / "nowhere.json")


def test_a_checked_prediction_is_drawn_for_every_predictor_where_its_checkpoint_is_in_the_run(board):
    kept = kept_prediction(board)
    points = list(points_of(record_of(board, prediction=kept)))
    assert list(dict.fromkeys(point.kind for point in points)) == [
        *(one.name for one in PREDICTED),
        "edit norm (known after training)",
        "KL (known after training)",
    ]
    first = [point for point in points if (point.kind, point.seed) == ("predicted damage", 1)]
    assert {(one.step, one.domain): one.measured for one in first} == {
        (pair.pair.trained, pair.pair.harmed): pytest.approx(pair.pair.damage)
        for pair in kept.checked
        if pair.pair.seed == 1
    }
    figure = prediction(record_of(board, prediction=kept))
    assert "predicted damage: " in figure.caption and f"n = {len(first) * 2}" in figure.caption
    strange = replace(kept, checked=tuple(replace(c, pair=replace(c.pair, after="f" * 64)) for c in kept.checked))
    assert isinstance(prediction(record_of(board, prediction=strange)), Absent)


def test_a_prediction_made_before_the_run_meets_the_trainings_from_the_base(board):
    kept = replace(kept_prediction(board), checked=(), agreed=())
    points = list(points_of(record_of(board, prediction=kept)))
    assert {point.kind for point in points} == {one.name for one in PREDICTED}
    assert {(point.step, point.domain) for point in points} == {("code", "math"), ("code", "qa")}
    elsewhere = replace(kept, predictions=tuple(replace(one, checkpoint="there") for one in kept.predictions))
    assert isinstance(prediction(record_of(board, prediction=elsewhere)), Absent)


def test_a_report_finds_the_prediction_in_the_runs_folder_or_where_it_is_told(tmp_path):
    folder = write_run(tmp_path)
    board = read_run(folder).leaderboard
    assert "harness predict PROTOCOL --check RUN" in prediction(read_run(folder)).reason
    kept = kept_prediction(board)
    elsewhere = written(tmp_path / "p.json", replace(kept, checked=(), agreed=()))
    assert not read_run(folder, elsewhere).prediction.checked
    written(folder / "prediction.json", kept)
    record = read_run(folder)
    assert record.prediction == kept and not notices(record)
    numbers = prediction(record).numbers
    assert numbers.rows[0][:4] == ("predicted damage", "code (sequential, step 1)", "0", "math")
    assert 'id="prediction"' in make_report(record).html
    (folder / "prediction.json").write_text("{")
    assert "prediction.json" in notices(read_run(folder))[0]
    with pytest.raises(UsageError):
        read_run(folder, folder / "prediction.json")


def test_a_kept_leaderboard_shows_the_prediction_that_is_kept_with_it(tmp_path, board):
    (tmp_path / "leaderboard.json").write_text(board.to_json())
    kept = kept_prediction(board)
    written(tmp_path / "prediction.json", kept)
    assert read_run(tmp_path).prediction == kept


def test_the_numbers_of_a_prediction_are_those_of_the_file(board):
    kept = kept_prediction(board)
    figure = prediction(record_of(board, prediction=kept))
    told = [row for row in figure.numbers.rows if row[0] == "negative gradient cosine"]
    pair = kept.predictions[0].pairs[0]
    assert told[0][4] == f"{-pair.gradient_cosine:.4g}".replace("-", "−")
    assert cells(figure)
