"""`harness predict`: the matrix and the order of a packaged protocol, and its check against a run that it fits."""

import json
from itertools import permutations

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import UsageError
from harness.plan import make_plan, plan_to_json
from harness.prediction.order import advised_order
from harness.protocol import find_protocol, load_protocol
from harness.registry import Registry
from harness.run_folder import LEADERBOARD, PLAN, SCORES
from harness.scores import SCHEMA, write_scores
from harness.store import Store
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


def test_a_check_stands_beside_what_the_run_shows(registry, tmp_path):
    plan = make_plan(load_protocol(find_protocol("smoke", registry), registry), registry)
    run, store = tmp_path / "smoke-run", Store(tmp_path / "store")
    run.mkdir()
    base = load_base(plan, registry)
    for key in plan.methods[0].lineage[1:]:
        with store.writing(key) as folder:
            nudged_checkpoint(base, folder / "model", seed=1, size=0.001)
    (run / PLAN).write_text(json.dumps(plan_to_json(plan)))
    (run / LEADERBOARD).write_text("{}")
    write_scores(score_rows(plan, [0.5, 0.4, 0.1]), run / SCORES)
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


def load_base(plan, registry):
    from harness.execution.parts import Parts
    from harness.nodes import BaseNode

    return Parts(registry).base_folder(next(node for node in plan.nodes.values() if isinstance(node, BaseNode)))
