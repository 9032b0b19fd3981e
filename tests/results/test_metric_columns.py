"""Metric plugins: from a protocol's key to a column of the leaderboard."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_run import RECOVERED, SEQUENTIAL, make_leaderboard, use
from runnable_world import PROTOCOL, Bench
from typer.testing import CliRunner

import harness
import harness_probes
from harness.errors import ProtocolError
from harness.execution.metric_columns import with_metrics
from harness.plugin.registry import Registry
from harness.report.tables.comma_separated import CommaSeparatedTables
from harness.report.tables.markdown import MarkdownTables
from harness.results.check import inconsistencies
from harness.results.combine import combine
from harness.results.leaderboard import Leaderboard
from harness.results.rebuild import rebuilt


@harness.metric(name="final", decimals=0, higher_is_better=False)
def final(scores: harness.ScoreMatrix, *, domain: str = "math") -> float:
    return scores.final[domain]


@harness.metric(name="broken")
def broken(scores: harness.ScoreMatrix) -> float:
    return 1 / 0


@harness.metric(name="shape")
def shape(scores: harness.ScoreMatrix) -> float | None:
    last = scores.last_training("math")
    assert scores.recovered[-1] in ("math", None)
    return None if last is None else 100 * len(scores.scores) + last


OWN = SimpleNamespace(a=final, b=broken, c=shape)
REGISTRY = Registry.of([("metrics", OWN), ("probes", harness_probes)])


def measured(root: Path, metrics: dict[str, Any], **settings: Any) -> Leaderboard:
    return with_metrics(make_leaderboard(root, **settings)[0], metrics, REGISTRY)


def test_a_metric_is_the_mean_over_seeds_with_its_interval(tmp_path: Path) -> None:
    board = measured(tmp_path, {"last": use("metric", "final")}, seeds=(0, 1), shift=lambda seed: 0.01 * seed)
    one = board.row("re-math").metrics["last"]
    assert one.per_seed == pytest.approx([100 * RECOVERED["math"], 100 * RECOVERED["math"] + 1])
    assert one.interval == "seeds"
    assert one.ci95 is not None and one.ci95[0] < one.mean < one.ci95[1]
    assert board.row("base").metrics["last"].mean == pytest.approx(60)
    assert inconsistencies(board) == []
    assert Leaderboard.parse(board.to_json(), "here") == rebuilt(board) == board


def test_its_config_and_the_steps_reach_it(tmp_path: Path) -> None:
    board = measured(tmp_path, {"qa": use("metric", "final", domain="qa"), "shape": use("metric", "shape")})
    assert board.row("sequential").metrics["qa"].mean == pytest.approx(100 * SEQUENTIAL[-1]["qa"])
    assert board.row("sequential").metrics["shape"].mean == 402  # four checkpoints, math trained second
    assert board.row("re-math").metrics["shape"].mean == 502  # a recovery is no training
    assert board.row("base").metrics["shape"].mean is None
    assert board.metrics["qa"].config == {"domain": "qa"}


def test_a_method_that_lacks_a_score_has_none(tmp_path: Path) -> None:
    board, _ = make_leaderboard(tmp_path)
    row = board.row("sequential")
    step = row.trajectory[1]
    partial = step.model_copy(update={"scores": {name: one for name, one in step.scores.items() if name != "qa"}})
    row = row.model_copy(update={"trajectory": (row.trajectory[0], partial, *row.trajectory[2:])})
    board = with_metrics(board.model_copy(update={"rows": (row,)}), {"last": use("metric", "final")}, REGISTRY)
    assert board.rows[0].metrics["last"].mean is None


def test_a_metric_that_fails_leaves_the_leaderboard_and_a_note(tmp_path: Path) -> None:
    board = measured(tmp_path, {"bad": use("metric", "broken"), "last": use("metric", "final")})
    assert {row.metrics["bad"].mean for row in board.rows} == {None}
    assert board.row("sequential").metrics["last"].mean is not None
    [note] = board.notes
    assert "metric bad failed" in note and "ZeroDivisionError" in note
    assert "ZeroDivisionError" in MarkdownTables(harness.NoConfig()).render(board)


def test_the_shipped_metrics(tmp_path: Path) -> None:
    board = measured(tmp_path, {name: use("metric", name) for name in ("worst-domain", "learning-accuracy")})
    row = board.row("sequential").metrics
    assert row["worst-domain"].mean == pytest.approx(50)
    assert row["learning-accuracy"].mean == pytest.approx((90 + 95 + 50) / 3)
    assert board.row("base").metrics["learning-accuracy"].mean is None


def test_tables_show_it(tmp_path: Path) -> None:
    board = measured(tmp_path, {"last": use("metric", "final")})
    header, _, first = MarkdownTables(harness.NoConfig()).render(board).splitlines()[4:7]
    cells = dict(zip(header.split("|"), first.split("|"), strict=True))
    assert cells[" last ↓ "].strip() in ("93", "75")
    assert "metric_last," in CommaSeparatedTables(harness.NoConfig()).render(board)


def test_runs_are_combined_with_their_metrics(tmp_path: Path) -> None:
    metrics = {"last": use("metric", "final")}
    shift = {"shift": lambda seed: 0.01 * seed}
    boards = [measured(tmp_path / str(seed), metrics, seeds=(seed,), **shift) for seed in (0, 1)]
    both = combine(boards)
    assert both.row("sequential").metrics["last"].per_seed == pytest.approx([75, 76])
    assert both.metrics == boards[0].metrics
    other = measured(tmp_path / "2", {"last": use("metric", "final", domain="qa")}, seeds=(1,), **shift)
    with pytest.raises(harness.UsageError, match="metric last"):
        combine([boards[0], other])


# ------------------------------------------------------------------------------------------------------ in a protocol


def bench(folder: Path, metrics: str) -> Bench:
    return Bench(folder, PROTOCOL + metrics, plugins=[OWN])


def test_a_run_has_the_metrics_of_its_protocol_and_a_later_one_adds_them(tmp_path: Path) -> None:
    first = Bench(tmp_path).run()
    again = bench(tmp_path, "metrics: {last: {use: final, domain: a}}\n").run()
    assert (again.folder, again.executed) == (first.folder, 0)
    board = Leaderboard.read(again.folder / "leaderboard.json")
    assert board.row("sequential").metrics["last"].mean == board.row("sequential").scores["a"].mean
    third = bench(tmp_path, "metrics: {last: {use: final, domain: a}}\n")
    third.run()
    assert any("nothing to make" in note for note in third.reporter.notes)


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        ("metrics: {a: {use: final}}\n", "is also the name of a domain"),
        ("metrics: {last: {use: finale}}\n", "did you mean final?"),
        ("metrics: {last: {use: final, domian: a}}\n", "domian"),
        ("metrics: {last: {domain: a}}\n", "is missing"),
        ("metrics: [final]\n", "metrics"),
    ],
)
def test_what_is_wrong_with_metrics_is_told(tmp_path: Path, metrics: str, told: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        bench(tmp_path, metrics)
    assert told in str(raised.value)


def test_they_are_listed() -> None:
    from harness.cli import app

    listing = json.loads(CliRunner().invoke(app, ["plugins", "list", "--kind", "metric", "--json"]).stdout)
    assert {offer["name"] for offer in listing["plugins"]} == {
        "learning-accuracy",
        "untrained-forgetting",
        "worst-domain",
    }
