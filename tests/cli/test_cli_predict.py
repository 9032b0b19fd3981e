"""`harness predict`: the matrix and the order for a packaged protocol, and the check against a run."""

import json
import shutil
from itertools import permutations

import pytest
from fake_run import put_scores
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import UsageError
from harness.execution.run_folder import LEADERBOARD, PLAN, SCORES
from harness.execution.score_table import SCHEMA, write_scores
from harness.execution.store import Store
from harness.planning.planner import make_plan
from harness.planning.serialization import plan_to_json, read_plan
from harness.plugin.registry import Registry
from harness.prediction.order import advised_order
from harness.protocol import find_protocol, load_protocol
from harness.testing.tiny_world import nudged_checkpoint


def invoke(*arguments):
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    if isinstance(result.exception, UsageError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def score_rows(plan, values):
    """One row a domain and checkpoint: `values` by step of the first method."""
    import polars as pl

    method = plan.methods[0]
    filled = {"run": "r", "method": method.name, "seed": 0, "metric": "acc", "filter": "none", "stderr": 0.01, "n": 8}
    flags = {"higher_is_better": True, "primary": True, "percent": True, "batch_size": 1, "limit": 8, "eval_seed": 0}
    rows = [
        {"step": step, "checkpoint": key, "domain": domain, "task": domain, "task_hash": "h", "value": values[step]}
        | {"parent": None}
        | filled
        | flags
        for step, key in enumerate(method.lineage)
        for domain in plan.domains
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def test_every_ordered_pair_and_the_order_that_they_advise_are_told():
    told = json.loads(invoke("smoke", "--completions", 32, "--json"))
    [prediction] = told["predictions"]
    damage = {(pair["trained"], pair["harmed"]): pair["damage"] for pair in prediction["pairs"]}
    assert set(damage) == set(permutations(("math", "cw"), 2))
    assert tuple(told["order"]) == advised_order(("math", "cw"), damage)
    assert told["check"] is None
    assert (prediction["seed"], prediction["checkpoint"], prediction["completions"]) == (0, "base", 64)


@pytest.fixture(scope="module")
def run(registry, tmp_path_factory):
    """The folder of a run of the first method of `smoke`, whose steps moved the weights at random."""
    root = tmp_path_factory.mktemp("runs")
    plan = make_plan(load_protocol(find_protocol("smoke", registry), registry), registry)
    folder, store = root / "smoke-run", Store(root / "store")
    folder.mkdir()
    parent = load_base(plan, registry)
    for seed, key in enumerate(plan.methods[0].lineage[1:]):
        with store.writing(key) as writing:
            nudged_checkpoint(parent, writing / "model", seed=seed, size=0.001)
        parent = store.path(key) / "model"
    (folder / PLAN).write_text(json.dumps(plan_to_json(plan)))
    (folder / LEADERBOARD).write_text("{}")
    write_scores(score_rows(plan, [0.5, 0.4, 0.1]), folder / SCORES)
    return folder


def test_a_check_stands_beside_what_the_run_shows(run):
    told = json.loads(invoke("smoke", "--completions", 32, "--json", "--check", run))
    [pair] = told["check"]["pairs"]  # only the first step starts from the base
    assert (pair["trained"], pair["harmed"], pair["damage"]) == ("math", "cw", pytest.approx(10.0))
    assert pair["predicted"]["edit norm"] > 0
    assert pair["predicted"]["predicted damage"] == next(
        one["damage"] for one in told["predictions"][0]["pairs"] if one["trained"] == "math"
    )
    assert {one["predictor"] for one in told["check"]["agreement"]} == set(pair["predicted"])
    with pytest.raises(UsageError) as raised:
        invoke("smoke", "--seeds", 5, "--check", run)
    assert "--seeds" in raised.value.hint


def test_a_checkpoint_is_checked_against_the_trainings_that_start_there(run, tmp_path):
    plan = json.loads((run / PLAN).read_text())
    first, second = (run.parent / "store" / key / "model" for key in plan["methods"][0]["lineage"][1:])
    copied = shutil.copytree(first, tmp_path / "exported")  # known by its weights, wherever it lies
    told = json.loads(invoke("smoke", "--completions", 32, "--json", "--check", run, "--at", copied))
    [pair] = told["check"]["pairs"]
    assert (pair["trained"], pair["harmed"], pair["damage"]) == ("cw", "math", pytest.approx(30.0))
    assert told["predictions"][0]["checkpoint"] == str(copied)
    with pytest.raises(UsageError, match="no training on a single domain from"):
        invoke("smoke", "--completions", 32, "--check", run, "--at", second)


def test_along_a_method_each_training_is_predicted_where_it_starts(run):
    told = json.loads(invoke("smoke", "--completions", 32, "--json", "--check", run, "--along", "sequential"))
    assert [one["checkpoint"] for one in told["predictions"]] == ["base", "sequential after math (step 1)"]
    assert [[(p["trained"], p["harmed"]) for p in one["pairs"]] for one in told["predictions"]] == [
        [("math", "cw")],
        [("cw", "math")],
    ]
    assert [pair["damage"] for pair in told["check"]["pairs"]] == [pytest.approx(10.0), pytest.approx(30.0)]
    assert told["order"] == []
    first, second = (pair["predicted"] for pair in told["check"]["pairs"])
    assert [first["predicted damage"], second["predicted damage"]] == [
        one["pairs"][0]["damage"] for one in told["predictions"]
    ]
    assert first["edit norm"] > 0 and second["edit norm"] > 0 and first["KL"] != second["KL"]


def test_a_pilot_is_trained_once_and_what_was_measured_is_kept_in_the_store(run, monkeypatch):
    arguments = ["smoke", "--completions", 32, "--check", run, "--along", "sequential", "--pilot", 1]
    first = json.loads(invoke(*arguments, "--json"))
    told = [pair["predicted"] for pair in first["check"]["pairs"]]
    assert all({"pilot", "pilot, reweighted"} <= set(one) for one in told)
    known = {one["predictor"]: one["known"] for one in first["check"]["agreement"]}
    assert (known["pilot"], known["KL on the trained domain"], known["first order"]) == ("during", "after", "before")
    monkeypatch.setattr("harness.prediction.work.predict", lambda *_, **__: pytest.fail("measured again"))
    assert json.loads(invoke(*arguments, "--json")) == first
    table = invoke(*arguments)
    assert "pilot, reweighted" in table and "during" in table
    assert "| pilot, reweighted | during |" in invoke(*arguments, "--markdown")


def test_a_run_that_is_not_finished_is_compared_as_far_as_it_is_scored(run, tmp_path):
    begun = shutil.copytree(run, tmp_path / run.name, ignore=shutil.ignore_patterns("leaderboard*", "scores*"))
    shutil.copytree(run.parent / "store", tmp_path / "store")
    plan, store = read_plan(begun / PLAN), Store(tmp_path / "store")
    arguments = ["smoke", "--completions", 32, "--json", "--check", begun, "--along", "sequential"]
    before = json.loads(invoke(*arguments))
    assert before["check"] is None and len(before["predictions"]) == 2
    base, first = plan.methods[0].lineage[:2]
    for key, value in ((base, 0.5), (first, 0.25)):
        put_scores(store, plan, key, dict.fromkeys(plan.domains, value))
    told = json.loads(invoke(*arguments))
    assert told["predictions"] == before["predictions"]
    assert [(pair["trained"], pair["damage"]) for pair in told["check"]["pairs"]] == [("math", pytest.approx(25.0))]


def test_several_runs_are_compared_as_one_and_a_training_that_they_share_counts_once(run):
    other = shutil.copytree(run, run.parent / "other")
    plan = json.loads((other / PLAN).read_text())
    plan["protocol"] = "other"
    plan["methods"] = [first | {"lineage": first["lineage"][:2]} for first in plan["methods"][:1]]
    (other / PLAN).write_text(json.dumps(plan))
    arguments = ["smoke", "--completions", 32, "--json", "--along", "sequential", "--check", run]
    told = json.loads(invoke(*arguments, "--check", other))["check"]
    assert told == json.loads(invoke(*arguments))["check"]
    assert [pair["place"] for pair in told["pairs"]] == ["smoke: sequential, step 1", "smoke: sequential, step 2"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--along", "nothing"], "no method 'nothing'"),
        (["--along", "sequential", "--along", "nothing"], "no method 'nothing'"),
        (["--along", "sequential", "--fit", "0,1"], "fitted to 2 seeds"),
        (["--along", "sequential", "--pilot", 2], "not longer than 2 steps"),
        (["--along", "mixed"], "no training on a single domain"),
        (["--along", "sequential", "--at", "."], "exclude each other"),
    ],
)
def test_a_start_that_is_none_is_refused_before_anything_is_sampled(run, arguments, told):
    with pytest.raises(UsageError, match=told):
        invoke("smoke", "--check", run, *arguments)


@pytest.mark.parametrize("arguments", [["--along", "sequential"], ["--pilot", "3"], ["--markdown"]])
def test_what_is_about_a_run_needs_one(arguments):
    with pytest.raises(UsageError, match="needs the run"):
        invoke("smoke", *arguments)


def load_base(plan, registry):
    from harness.execution.plugin_instances import PluginInstances

    return PluginInstances(registry).base_folder(plan.base)
