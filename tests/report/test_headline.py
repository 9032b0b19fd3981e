"""The sentences at the top of a report: what came out, and what is not shown."""

import json

import pytest
from fake_run import make_leaderboard
from report_world import random_control, record_of

from harness.report.headline import headline
from harness.report.page import make_report
from harness.report.summary import protocol_summary
from harness.results.leaderboard import Leaderboard


def recovered(leaderboard, **changes):
    """Returns the leaderboard with changes to the recovery of `re-math`."""
    data = json.loads(leaderboard.to_json())
    row = next(row for row in data["rows"] if row["method"] == "re-math")
    for field, value in changes.items():
        row["recovery"][field] |= value
    return Leaderboard.parse(json.dumps(data), "test")


@pytest.fixture
def several(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.01 * seed)
    return leaderboard


def told(leaderboard, word):
    [sentence] = [one for one in headline(leaderboard) if word in one]
    return sentence


def test_a_damage_and_what_undid_it_are_one_sentence_with_intervals(several):
    shown = recovered(
        several,
        damage={"mean": 8.7, "ci95": [5.4, 11.8]},
        ratio={"mean": 1.08, "ci95": [0.8, 1.3], "interval": "fieller"},
    )
    assert told(shown, "fell") == "Math fell by 8.7 [5.4, 11.8] points after qa; re-math undid 1.08 [0.80, 1.30] of it."


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (
            {"mean": 0.91, "ci95": [-0.17, 1.61], "interval": "fieller"},
            "that re-math undid any of it is not shown, 0.91",
        ),
        (
            {"mean": 9.0, "ci95": None, "interval": "unbounded"},
            "that re-math undid any of it is not shown, 9.00 [not bounded]",
        ),
        ({"mean": None, "ci95": None, "interval": None}, "what re-math undid is not defined"),
    ],
)
def test_a_share_whose_interval_includes_0_is_not_shown(several, ratio, text):
    assert text in told(recovered(several, damage={"mean": 8.7, "ci95": [5.4, 11.8]}, ratio=ratio), "Math fell")


def test_a_damage_whose_interval_includes_0_is_not_shown_nor_what_undid_it(several):
    sentence = told(recovered(several, damage={"mean": 2.0, "ci95": [-1.0, 5.0]}), "is not shown (")
    assert (
        sentence == "That math fell after qa is not shown (2.0 [−1.0, 5.0] points), so neither is what re-math undid."
    )


def test_a_control_is_told_beside_its_recovery_and_the_difference_seed_by_seed(several):
    board = random_control(recovered(several, damage={"mean": 8.7, "ci95": [5.4, 11.8]}))
    sentence = told(board, "fell by")
    assert "rollback undid" in sentence and "(its random control random-rollback:" in sentence
    assert not [one for one in headline(board) if one.startswith("Math") and "; random-rollback" in one]
    assert told(board, "Seed by seed").endswith("points.")


def test_one_seed_shows_no_difference_between_methods(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    [first, *_] = headline(leaderboard)
    assert first.startswith("re-math has the highest average") and "with one seed" in first and "not shown" in first


def test_a_clear_first_place_is_told(several):
    rows = [row.model_copy(update={"rank_group": place + 1}) for place, row in enumerate(several.rows[:-1])]
    apart = several.model_copy(update={"rows": (*rows, several.rows[-1])})
    assert headline(apart)[0].endswith("significantly ahead of every other method.")
    level = several.model_copy(
        update={"rows": (*(r.model_copy(update={"rank_group": 1}) for r in rows), several.rows[-1])}
    )
    assert "sequential does not differ significantly from it" in headline(level)[0]


def test_without_scores_there_is_nothing_to_tell(several):
    assert headline(several.model_copy(update={"rows": ()})) == ["No method has all of its scores yet."]


def test_the_page_opens_with_the_sentences_and_the_protocols_summary(several):
    record = record_of(several)
    html = make_report(record).html
    places = [
        html.index(text) for text in ('class="headline"', 'class="facts"', 'id="trajectories"', 'id="leaderboard"')
    ]
    assert places == sorted(places)
    from dataclasses import replace

    told_of = replace(record, protocol="name: x\nsummary: 'Two domains'\ntrain: {with: grpo, steps: 6}\n")
    pairs = dict(protocol_summary(told_of))
    assert pairs["About"] == "Two domains" and pairs["Training"] == "with: grpo, steps: 6"
    assert pairs["Seeds"] == "0, 1, 2"
