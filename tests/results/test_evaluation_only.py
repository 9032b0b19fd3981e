"""Columns that no method trains: what they count for, and how every format marks them."""

import pytest
from fake_run import make_leaderboard

import harness.report.tables
import harness_probes
from harness.errors import UsageError
from harness.execution.metric_columns import with_metrics
from harness.plugin.registry import Registry
from harness.protocol.plugin_ref import PluginRef
from harness.results.check import inconsistencies
from harness.results.combine import combine
from harness.results.leaderboard import Leaderboard
from harness.results.rebuild import rebuilt

REGISTRY = Registry.of([("tables", harness.report.tables), ("probes", harness_probes)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return make_leaderboard(tmp_path_factory.mktemp("runs"))[0]


def untrained(board, *, in_average=()):
    """Returns the leaderboard as if the protocol named code as an evaluation-only column."""
    rows = tuple(
        row.model_copy(
            update={
                "trajectory": tuple(
                    step.model_copy(update={"trained": tuple(one for one in step.trained if one != "code")})
                    for step in row.trajectory
                )
            }
        )
        for row in board.rows
    )
    return rebuilt(board.model_copy(update={"rows": rows, "evaluation_only": ("code",), "in_average": in_average}))


def test_it_is_in_the_average_only_where_asked(trained):
    row, counted = untrained(trained).row("re-math"), untrained(trained, in_average=("code",)).row("re-math")
    assert row.average.mean == pytest.approx((93 + 48) / 2)
    assert counted.average.mean == pytest.approx((72 + 93 + 48) / 3)
    assert row.recovery.net.mean == pytest.approx(48 - 50)  # the other domains, without code
    assert counted.recovery.net.mean == pytest.approx((48 - 50 + 72 - 70) / 2)


def test_its_forgetting_is_there_although_nothing_trained_it(trained):
    row = untrained(trained).row("re-math")
    assert row.forgetting_by_domain["code"].mean == pytest.approx(90 - 72)
    assert row.forgetting.mean == trained.row("re-math").forgetting_by_domain["math"].mean
    assert untrained(trained).row("base").forgetting_by_domain == {}


def test_a_missing_score_takes_no_rank(trained):
    def without(board):
        rows = tuple(
            row.model_copy(update={"scores": {"math": row.scores["math"], "qa": row.scores["qa"]}})
            for row in board.rows
        )
        return rebuilt(board.model_copy(update={"rows": tuple(_unscored(row) for row in rows)}))

    assert without(untrained(trained)).row("re-math").rank == 1
    assert without(untrained(trained, in_average=("code",))).row("re-math").rank is None


def _unscored(row):
    steps = tuple(
        step.model_copy(update={"scores": {name: one for name, one in step.scores.items() if name != "code"}})
        for step in row.trajectory
    )
    return row.model_copy(update={"trajectory": steps})


def test_the_record_keeps_it_and_is_consistent(trained):
    board = untrained(trained)
    assert Leaderboard.parse(board.to_json(), "here") == board and inconsistencies(board) == []
    strange = board.model_copy(update={"evaluation_only": ("code", "chess")})
    assert inconsistencies(strange)[0] == "evaluation-only columns chess, which are not columns"
    assert inconsistencies(board.model_copy(update={"in_average": ("code",)}))


@pytest.mark.parametrize(
    ("name", "mark", "note"),
    [
        ("md", "| code† |", "†: evaluation only; no method trains it. Not in the average."),
        ("latex", "code$\\dagger$", "evaluation only"),
        ("html", "code†", "evaluation only"),
        ("csv", ",evaluation_only", ",code,"),
        ("json", '"evaluation_only": [\n    "code"\n  ]', '"in_average": []'),
    ],
)
def test_every_format_marks_it(trained, name, mark, note):
    offer = REGISTRY.find("table-format", name)
    text = offer.build(offer.config_type()()).render(untrained(trained))
    assert mark in text and note in text
    assert mark not in offer.build(offer.config_type()()).render(trained)


def test_a_column_that_one_run_trains_and_another_does_not_is_not_combined(trained):
    with pytest.raises(UsageError, match="evaluation-only columns: none vs code"):
        combine([trained, untrained(trained)])
    again = combine([untrained(trained), untrained(trained)])
    assert again.evaluation_only == ("code",) and again.row("re-math").average.mean == pytest.approx((93 + 48) / 2)


def test_metrics_see_it_apart_from_the_domains(trained):
    metrics = {
        name: PluginRef(kind="metric", name=name, identity=name, config={})
        for name in ("worst-domain", "untrained-forgetting")
    }
    numbers = with_metrics(untrained(trained), metrics, REGISTRY).row("sequential").metrics
    assert numbers["worst-domain"].mean == pytest.approx(50)
    assert numbers["untrained-forgetting"].mean == pytest.approx(90 - 70)
    assert with_metrics(trained, metrics, REGISTRY).row("sequential").metrics["untrained-forgetting"].mean is None
