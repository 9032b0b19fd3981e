"""Probes in `harness show`, `harness leaderboard add` and `validate`, and `harness report`."""

import io
import json
from dataclasses import replace

import pytest
import typer
from cli_output import cli_output
from fake_run import fill, key_of, make_plan, put, use
from report_world import curve
from rich.console import Console

import harness.report.tables
import harness_recoveries.rollback
from harness.cli import leaderboard as leaderboard_command
from harness.cli import show as show_command
from harness.cli.probe_view import print_probes
from harness.cli.session import Session
from harness.errors import UsageError
from harness.execution.leaderboard import build_leaderboard
from harness.execution.score_table import collect_scores
from harness.execution.store import Store
from harness.planning.nodes import ProbeNode
from harness.planning.serialization import plan_to_json
from harness.plugin.registry import Registry
from harness.report.reading import read_run
from harness.report.rollback_rows import curve_points
from harness.results.probe_tables import ProbeRecord


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Returns a function that runs a command and gives its output; a HarnessError is raised as it is."""
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))
    small = typer.Typer()

    @small.callback()
    def options(context: typer.Context) -> None:
        context.obj = Session()
        plugins = [("mdrl-harness", harness.report.tables), ("mdrl-harness", harness_recoveries.rollback)]
        context.obj.__dict__["registry"] = Registry.of(plugins)

    show_command.register(small)
    leaderboard_command.register(small)

    def run(*arguments):
        return cli_output(small, *arguments)

    return run


@pytest.fixture
def run_of(tmp_path):
    """Returns a function that writes a run of two seeds whose probes measured `rows(seed)`, by the probe's name."""

    def write(*, seeds=(0, 1), finished=True, **rows):
        plan = make_plan(seeds=seeds)
        nodes, methods = dict(plan.nodes), []
        for method in plan.methods:
            keys = []
            for name in rows:
                probe = name.replace("_", "-")
                key = key_of("probe", probe, method.name, method.seed)
                keys.append(key)
                nodes[key] = ProbeNode(
                    key=key,
                    kind="probe",
                    label=f"{probe} of {method.name}",
                    seed=method.seed,
                    parents=method.lineage,
                    probe=use("probe", probe, target="math"),
                )
            methods.append(replace(method, probes=tuple(keys)))
        plan = replace(plan, nodes=nodes, methods=tuple(methods))
        store = Store(tmp_path / "runs" / "store")
        fill(store, plan, shift=lambda seed: 0.01 * seed)
        for method in plan.methods:
            for key, make in zip(method.probes, rows.values(), strict=True):
                put(store, key, {"rows.json": make(method.seed)})
        folder = tmp_path / "runs" / f"{plan.protocol}-{plan.key[:12]}"
        folder.mkdir()
        (folder / "plan.json").write_text(json.dumps(plan_to_json(plan)))
        if finished:
            board = build_leaderboard(collect_scores(plan, store), plan, store, {})
            (folder / "leaderboard.json").write_text(board.to_json())
        return folder

    return write


def moved_curve(seed):
    return [row | {"target_score": row["target_score"] + seed, "damaged": "cw"} for row in curve()]


def test_probes_are_shown_over_seeds_with_random_draws_as_one_row(run_of, invoke):
    run_of(rollback_curve=moved_curve)
    text = invoke("show", "--probes")
    assert "Means over seeds 0, 1" in text
    lines = [line for line in text.splitlines() if line.startswith(("fisher · 0.05", "random · 0.05"))]
    fisher, random = lines[:2]
    assert fisher.split()[3] == "80.5"
    assert random.split()[3] == "76.5"
    assert random.split()[-1] == "3"


def test_a_narrow_terminal_shows_every_number(run_of, invoke, tmp_path):
    run_of(rollback_curve=moved_curve)
    (tmp_path / "probes.json").write_text(invoke("show", "--probes", "--json"))
    console = Console(file=io.StringIO(), width=60)
    print_probes(ProbeRecord.read(tmp_path / "probes.json"), console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 60
    assert "…" not in text
    for row in moved_curve(0.5):
        if row["score"] != "random":
            assert f"{row['target_score']:.1f}" in text


def test_a_probe_is_chosen_by_name_and_an_unknown_one_is_told(run_of, invoke):
    run_of(rollback_curve=moved_curve, other=lambda seed: [{"module": "mlp", "cosine": 0.5}])
    text = invoke("show", "--probe", "other")
    assert "cosine" in text.lower()
    assert "fisher" not in text
    with pytest.raises(UsageError, match="no probe 'others'"):
        invoke("show", "--probe", "others")


def test_json_and_markdown_hold_the_same_means(run_of, invoke, tmp_path):
    run_of(rollback_curve=moved_curve)
    (tmp_path / "probes.json").write_text(invoke("show", "--probes", "--json"))
    record = ProbeRecord.read(tmp_path / "probes.json")
    peak = record.tables[0].means[0]
    assert (peak.of["score"], peak.values["target_score"].per_seed) == ("peak", (95.0, 96.0))
    assert f"| peak | – | {peak.values['target_score'].mean:.1f} " in invoke("show", "--probes", "--markdown")


def test_a_run_that_is_not_finished_shows_what_there_is(run_of, invoke):
    folder = run_of(rollback_curve=moved_curve, finished=False)
    assert "fisher" in invoke("show", folder, "--probes")


def test_a_run_without_probes_and_markdown_without_probes_are_refused(run_of, invoke):
    run_of()
    with pytest.raises(UsageError, match="no probe results"):
        invoke("show", "--probes")
    with pytest.raises(UsageError, match="add --probes"):
        invoke("show", "--markdown")


def test_a_result_that_cannot_be_read_is_told_and_not_left_out(run_of, invoke):
    run_of(rollback_curve=lambda seed: {"no": "rows"})
    with pytest.raises(UsageError, match=r"rows\.json"):
        invoke("show", "--probes")


def test_a_kept_leaderboard_holds_its_probes_for_show_validate_and_report(run_of, invoke, tmp_path):
    run_of(rollback_curve=moved_curve)
    kept = tmp_path / "kept"
    invoke("leaderboard", "add", "fake", "-d", kept)
    assert (kept / "probes.md").read_text() == invoke("show", "fake", "--probes", "--markdown")
    assert invoke("show", kept, "--probes") == invoke("show", "fake", "--probes")
    assert "1 probes, consistent" in invoke("leaderboard", "validate", kept / "leaderboard.json")
    points = list(curve_points(read_run(kept)))
    assert len(points) == 2 * len(curve())


def test_validate_tells_means_that_are_not_those_of_the_rows(run_of, invoke, tmp_path):
    run_of(rollback_curve=moved_curve)
    kept = tmp_path / "kept"
    invoke("leaderboard", "add", "fake", "-d", kept)
    data = json.loads((kept / "probes.json").read_text())
    data["tables"][0]["means"][0]["values"]["target_score"]["mean"] += 1
    (kept / "probes.json").write_text(json.dumps(data))
    with pytest.raises(UsageError, match="is inconsistent"):
        invoke("leaderboard", "validate", kept / "leaderboard.json")


def test_a_run_without_probes_keeps_none(run_of, invoke, tmp_path):
    run_of()
    invoke("leaderboard", "add", "fake", "-d", tmp_path / "kept")
    assert not [path.name for path in (tmp_path / "kept").iterdir() if "probes" in path.name]
