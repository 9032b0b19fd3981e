"""The score table: its content, partial runs, and how rows form the score of a domain."""

import math

import polars as pl
import pytest
from fake_run import BASE, DOMAINS, fill, make_plan, measurement, put, put_scores

from harness.errors import DiskFull, UsageError
from harness.execution.score_table import SCHEMA, collect_scores, domain_scores, read_scores, write_scores
from harness.execution.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_every_checkpoint_of_every_method_stands_in_the_table(store):
    plan = make_plan(seeds=(0, 1))
    fill(store, plan)
    frame = collect_scores(plan, store)
    assert dict(frame.schema) == SCHEMA
    assert len(frame) == 2 * (4 + 5) * len(DOMAINS)
    assert not frame.select("method", "seed", "step", "domain", "task").is_duplicated().any()
    last = frame.filter((pl.col("method") == "re-math") & (pl.col("seed") == 1) & (pl.col("step") == 4))
    assert set(last["parent"]) == {plan.methods[3].lineage[3]}
    assert (last["run"][0], last["limit"][0], last["batch_size"][0]) == (plan.run_name, 512, 64)


def test_a_checkpoint_shared_by_methods_stands_once_for_each(store):
    plan = make_plan()
    fill(store, plan)
    frame = collect_scores(plan, store).filter(pl.col("checkpoint") == plan.methods[0].lineage[2])
    assert frame.group_by("method").len().sort("method").rows() == [("re-math", 3), ("sequential", 3)]


def test_a_partial_run_gives_a_partial_table(store):
    plan = make_plan()
    assert collect_scores(plan, store).is_empty()
    put_scores(store, plan, plan.methods[0].lineage[0], BASE)
    frame = collect_scores(plan, store)
    assert set(frame["step"]) == {0}
    assert frame["parent"].null_count() == len(frame)


def test_numbers_that_are_not_finite_are_null(store):
    plan = make_plan()
    key = plan.evaluations[plan.methods[0].lineage[0]]["code"]
    put(store, key, {"rows.json": [measurement("a", math.nan, stderr="N/A"), measurement("b", 0.5)]})
    frame = collect_scores(plan, store)
    assert frame.filter(pl.col("task") == "a").select("value", "stderr").row(0) == (None, None)
    assert domain_scores(frame) == {}


def test_a_file_of_the_store_that_cannot_be_read_is_named(store):
    plan = make_plan()
    key = plan.evaluations[plan.methods[0].lineage[0]]["code"]
    put(store, key, {"rows.json": "[{]"})
    with pytest.raises(UsageError, match="cannot be read") as caught:
        collect_scores(plan, store)
    assert caught.value.where.endswith(f"{key}/rows.json")


def test_the_table_survives_being_written(store, tmp_path):
    plan = make_plan()
    fill(store, plan)
    frame = collect_scores(plan, store)
    write_scores(frame, tmp_path / "run" / "scores.parquet")
    assert read_scores(tmp_path / "run" / "scores.parquet").equals(frame)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["scores.parquet"]


def test_a_failed_write_leaves_the_old_table(store, tmp_path):
    plan = make_plan()
    write_scores(collect_scores(plan, store), tmp_path / "scores.parquet")
    before = (tmp_path / "scores.parquet").read_bytes()

    class Broken(pl.DataFrame):
        def write_parquet(self, file, **_):
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(DiskFull, match="no space is left"):
        write_scores(Broken(schema=SCHEMA), tmp_path / "scores.parquet")
    assert (tmp_path / "scores.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]


def test_what_is_no_score_table_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_scores(tmp_path / "absent.parquet")
    pl.DataFrame({"method": ["a"]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(UsageError, match="lacks run"):
        read_scores(tmp_path / "other.parquet")


def one_domain(store, *rows):
    plan = make_plan()
    put(store, plan.evaluations[plan.methods[0].lineage[0]]["code"], {"rows.json": list(rows)})
    return domain_scores(collect_scores(plan, store)).get(("sequential", 0, 0), {}).get("code")


def test_a_domains_score_is_the_mean_of_its_primary_rows_in_percent(store):
    score = one_domain(
        store,
        measurement("a", 0.5, stderr=0.03, n=100),
        measurement("b", 0.7, stderr=0.04, n=300),
        measurement("c", 0.1, primary=False),
    )
    assert score.value == pytest.approx(60.0)
    assert score.stderr == pytest.approx(5.0 / 2)
    assert score.n == 400


def test_a_score_that_is_no_percentage_is_shown_as_it_is(store):
    assert one_domain(store, measurement("a", 3.25, percent=False, stderr=None)).value == pytest.approx(3.25)


def test_tasks_of_both_directions_make_no_score(store):
    with pytest.raises(UsageError, match="higher is better and tasks where lower is better"):
        one_domain(store, measurement("a", 0.5), measurement("b", 0.5, higher_is_better=False))
