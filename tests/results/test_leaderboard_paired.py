"""One method against another, seed by seed, and `harness leaderboard compare`."""

import json

import pytest
import scipy.stats
import typer
from cli_output import cli_output
from fake_run import RECOVERED, SEQUENTIAL, make_leaderboard

from harness.cli import leaderboard as leaderboard_command
from harness.errors import UsageError
from harness.results.compare import PairedDifferences, compared, paired_differences
from harness.results.estimates import estimate
from harness.results.metrics import Score

FORGOTTEN = {"re-math": (1.0, 0.5, 2.0), "sequential": (6.0, 7.0, 6.0), "third": (2.0, 4.0, 1.5)}


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Returns a function that runs `harness leaderboard` and gives its output; a HarnessError is raised as it is."""
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path))
    small = typer.Typer()
    leaderboard_command.register(small)

    def run(*arguments):
        return cli_output(small, *arguments)

    return run


def test_what_moves_both_methods_alike_is_not_in_the_difference(tmp_path):
    board, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.02 * seed)
    found = paired_differences(board, "re-math", "sequential")
    gain = 100 * (RECOVERED["math"] - SEQUENTIAL[-1]["math"])
    assert found.scores["math"].per_seed == pytest.approx((gain,) * 3)
    assert found.average.mean == pytest.approx(sum(100 * (RECOVERED[d] - SEQUENTIAL[-1][d]) for d in RECOVERED) / 3)
    # Nothing is left to spread, so that Student's t has nothing to tell; the signs of three seeds show little.
    assert found.scores["math"].ci95 is None
    assert found.p_values["math"] == 0.25
    assert board.row("re-math").scores["math"].interval == "seeds"


def with_gains(board, *gains):
    """Returns the board with re-math's average ahead of sequential's by these points, seed by seed."""
    behind = board.row("sequential").average.per_seed
    average = estimate([Score(a + b, None, 1) for a, b in zip(behind, gains, strict=True)])
    rows = [row.model_copy(update={"average": average}) if row.method == "re-math" else row for row in board.rows]
    return board.model_copy(update={"rows": tuple(rows)})


def test_the_difference_has_the_paired_t_of_its_seeds(tmp_path):
    board, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.02 * seed)
    gains = [2.0, 3.5, 2.5]
    found = paired_differences(with_gains(board, *gains), "re-math", "sequential")
    expected = scipy.stats.ttest_1samp(gains, 0)
    assert (found.average.mean, found.average.interval) == (pytest.approx(8 / 3), "seeds")
    assert found.average.ci95 == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.average_p_value == pytest.approx(expected.pvalue)


def test_differences_are_over_the_seeds_that_have_both_scores(tmp_path):
    board, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.02 * seed)
    board = with_gains(board, 2.0, 3.5, 2.5)
    average = board.row("sequential").average
    partly = average.model_copy(update={"per_seed": (*average.per_seed[:2], None)})
    rows = [row.model_copy(update={"average": partly}) if row.method == "sequential" else row for row in board.rows]
    found = paired_differences(board.model_copy(update={"rows": tuple(rows)}), "re-math", "sequential")
    assert found.average.per_seed == (pytest.approx(2.0), pytest.approx(3.5), None)
    assert found.average_p_value == pytest.approx(scipy.stats.ttest_1samp([2.0, 3.5], 0).pvalue)


def test_the_other_way_round_the_sign_turns(tmp_path):
    board, _ = make_leaderboard(tmp_path, seeds=(0, 1))
    one, two = (paired_differences(board, *pair) for pair in (("re-math", "sequential"), ("sequential", "re-math")))
    assert one.average.mean == pytest.approx(-two.average.mean)


def test_seeds_are_paired_by_number_and_not_by_place(tmp_path):
    board, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.02 * seed)

    def last_two(one):
        return one.model_copy(update={"per_seed": one.per_seed[:0:-1], "stderr": one.stderr[:0:-1]})

    def turned(row):
        scores = {column: last_two(one) for column, one in row.scores.items()}
        changes = {"average": last_two(row.average), "forgetting": last_two(row.forgetting)}
        return row.model_copy(update={"seeds": (2, 1), "scores": scores, **changes})

    rows = tuple(turned(row) if row.method == "sequential" else row for row in board.rows)
    before = paired_differences(board, "re-math", "sequential").scores["math"].per_seed
    after = paired_differences(board.model_copy(update={"rows": rows}), "re-math", "sequential")
    assert after.seeds == (1, 2)
    assert after.scores["math"].per_seed == pytest.approx(before[1:])


def test_every_seed_is_compared_with_the_one_base(tmp_path):
    board, _ = make_leaderboard(tmp_path, seeds=(0, 1), shift=lambda seed: 0.02 * seed)
    assert paired_differences(board, "sequential", "base").scores["math"].per_seed == pytest.approx((15.0, 17.0))
    assert paired_differences(board, "base", "sequential").scores["math"].per_seed == pytest.approx((-15.0, -17.0))


def test_rows_without_a_common_seed_are_refused(tmp_path):
    board, _ = make_leaderboard(tmp_path, seeds=(0, 1))
    rows = tuple(row.model_copy(update={"seeds": (7, 8)}) if row.method == "re-math" else row for row in board.rows)
    with pytest.raises(UsageError, match="no seed in common"):
        paired_differences(board.model_copy(update={"rows": rows}), "re-math", "sequential")


def test_compare_prints_a_line_a_column_and_every_seed(tmp_path, invoke):
    make_leaderboard(tmp_path, seeds=(0, 1))
    text = invoke("leaderboard", "compare", "re-math", "sequential")
    (line,) = [line for line in text.splitlines() if line.startswith("math")]
    assert line.split()[1] == "18.00"
    assert line.split()[-2:] == ["18.00", "18.00"]
    assert "over seeds" in text
    read = PairedDifferences.model_validate_json(invoke("leaderboard", "compare", "re-math", "sequential", "--json"))
    assert json.loads(read.model_dump_json())["scores"]["math"]["mean"] == pytest.approx(18.0)


def test_compare_with_one_seed_says_what_its_interval_is_of(tmp_path, invoke):
    make_leaderboard(tmp_path)
    text = invoke("leaderboard", "compare", "re-math", "sequential")
    assert "over its test items, without" in text
    assert "no difference between the methods is shown" in text


def test_several_others_are_compared_with_holms_correction(tmp_path, invoke):
    board, folder = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.02 * seed)
    board = with_gains(board, 2.0, 3.5, 2.5)
    third = board.row("sequential").model_copy(update={"method": "third"})
    (folder / "leaderboard.json").write_text(board.model_copy(update={"rows": (*board.rows, third)}).to_json())
    raw = scipy.stats.ttest_1samp([2.0, 3.5, 2.5], 0).pvalue
    found = json.loads(invoke("leaderboard", "compare", "re-math", "all", "--json"))
    assert [one["other"] for one in found] == ["sequential", "third"]
    assert [one["average_holm_p_value"] for one in found] == pytest.approx([2 * raw, 2 * raw])
    text = invoke("leaderboard", "compare", "re-math", "sequential,third")
    assert f"{2 * raw:.3f}" in text
    assert "corrected over the 2 methods" in " ".join(text.split())
    assert "3 of 3 seeds" in text


def test_forgetting_is_compared_with_its_own_correction(tmp_path):
    board, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.02 * seed)
    lost = {name: estimate([Score(value, None, 1) for value in values]) for name, values in FORGOTTEN.items()}
    rows = [row.model_copy(update={"forgetting": lost[row.method]}) for row in board.rows if row.method in lost]
    third = board.row("sequential").model_copy(update={"method": "third", "forgetting": lost["third"]})
    board = board.model_copy(update={"rows": (*rows, third)})
    one, two = compared(board, "re-math", ["sequential", "third"])
    raw = [scipy.stats.ttest_rel(FORGOTTEN["re-math"], FORGOTTEN[name]).pvalue for name in ("sequential", "third")]
    assert one.forgetting.per_seed == pytest.approx((-5.0, -6.5, -4.0))
    assert (one.forgetting_p_value, two.forgetting_p_value) == pytest.approx(raw)
    assert one.forgetting_holm_p_value == pytest.approx(2 * min(raw))
    assert two.forgetting_holm_p_value == pytest.approx(max(raw))


def test_every_score_is_printed_and_those_that_are_named(tmp_path, invoke):
    make_leaderboard(tmp_path, seeds=(0, 1), shift=lambda seed: 0.01 * seed)
    several = ("leaderboard", "compare", "re-math", "sequential,base")
    heads = [line.partition(": ")[2] for line in invoke(*several).splitlines() if line.startswith("re-math − each")]
    assert heads == ["average", "forgetting ↓", "code", "math", "qa"]
    text = invoke(*several, "--scores", "math,forgetting")
    heads = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("re-math − each")]
    assert heads == ["math", "forgetting ↓"] and "lower on" in text
    with pytest.raises(UsageError, match="not compared in 'chess'") as caught:
        invoke(*several, "--scores", "chess")
    assert "forgetting" in caught.value.hint


def test_markdown_has_a_row_per_method_or_per_score(tmp_path, invoke):
    make_leaderboard(tmp_path, seeds=(0, 1), shift=lambda seed: 0.01 * seed)
    command = ("leaderboard", "compare", "re-math")
    lines = invoke(*command, "sequential,base", "--scores", "average,forgetting", "--markdown").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert rows[0] == ["Compared with", "average", "p (Holm)", "better on", "forgetting ↓", "p (Holm)", "better on"]
    assert [row[0] for row in rows[2:]] == ["sequential", "base"]
    assert rows[2][3] == "2 of 2 seeds" and rows[3][4:] == ["–", "–", "–"]  # the base model forgets nothing
    single = invoke(*command, "sequential", "--markdown")
    assert "| math | 18.00 |" in single and "| Score | Difference | p | Seed 0 | Seed 1 |" in single


def test_a_method_that_is_not_there_is_told_with_those_that_are(tmp_path, invoke):
    make_leaderboard(tmp_path)
    with pytest.raises(UsageError, match="no method 'mixed'") as caught:
        invoke("leaderboard", "compare", "re-math", "mixed")
    assert "sequential" in caught.value.hint
