"""`harness leaderboard verify`: what was changed in a record is found, and what cannot be checked is said."""

import contextlib
import functools
import json
import random
import shutil
from pathlib import Path

import polars as pl
import pytest
from answered_run import answered_run, edit, edit_lines, lab, seal

import harness
from harness import UsageError
from harness.execution.score_table import domain_scores
from harness.plugin.registry import Registry
from harness.results.leaderboard import Leaderboard
from harness.results.rebuild import rebuilt

ROOT = Path(__file__).parents[2]
KEPT = sorted(path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "leaderboards").rglob("leaderboard.json"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return answered_run(tmp_path_factory.mktemp("answered"))


@pytest.fixture(scope="module")
def original(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "record"
    harness.load_run(run, registry=lab()).archive(folder)
    return folder


@pytest.fixture
def record(original, tmp_path):
    shutil.copytree(original, tmp_path / "record")
    return tmp_path / "record"


def verify(folder, **options):
    return harness.verify_record(folder, registry=lab(), **options)


def places(folder):
    return [fault.where for fault in verify(folder).faults]


def answers_in(lines):
    return [line for line in lines if "answers" in line]


def row_of(data, method):
    return next(row for row in data["rows"] if row["method"] == method)


def rewrite(folder, change):
    """Changes the score table and computes a leaderboard from it that agrees with it in every number."""
    table = change(pl.read_parquet(folder / "scores.parquet"))
    table.write_parquet(folder / "scores.parquet")
    scores = domain_scores(table)
    leaderboard = Leaderboard.read(folder / "leaderboard.json")

    def again(row):
        trajectory = []
        for step in row.trajectory:
            each = [scores[(row.method if row.seeds else "sequential", seed, step.step)] for seed in row.seeds or (0,)]
            each = each[: len(step.checkpoints)]
            new = {
                column: one.model_copy(
                    update={
                        "per_seed": tuple(score[column].value for score in each),
                        "stderr": tuple(score[column].stderr for score in each),
                    }
                )
                for column, one in step.scores.items()
            }
            trajectory.append(step.model_copy(update={"scores": new}))
        recovery = row.recovery
        if recovery is not None and not recovery.targets:
            recovery = recovery.model_copy(update={"peak": trajectory[1].scores["math"]})
        return row.model_copy(update={"trajectory": tuple(trajectory), "recovery": recovery})

    rows = tuple(again(row) for row in leaderboard.rows)
    forged = rebuilt(leaderboard.model_copy(update={"rows": rows}))
    (folder / "leaderboard.json").write_text(forged.to_json())
    seal(folder)


def test_an_unchanged_record_passes_and_says_what_was_checked(record):
    found = verify(record)
    assert found.faults == () and found.passed
    assert "scores of math: 7 evaluations scored again from their answers" in found.checked
    assert any("keys of 21 results" in text for text in found.checked)
    assert found.unchecked == () and found.complete
    assert any("no model was run" in text for text in found.given)


def test_the_same_run_is_archived_to_the_same_bytes(run, original, tmp_path):
    harness.load_run(run, registry=lab()).archive(tmp_path)
    for path in original.rglob("*"):
        assert not path.is_file() or (tmp_path / path.relative_to(original)).read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize("folder", KEPT)
def test_every_kept_record_passes(folder):
    found = harness.verify_record(ROOT / folder)
    assert found.faults == ()
    if not (ROOT / folder / "manifest.json").exists():
        assert "samples are not kept: scores not recomputed" in found.unchecked
        assert "definitions are not kept: keys not recomputed" in found.unchecked


def test_a_changed_score_is_found(record):
    edit(
        record / "leaderboard.json", lambda data: row_of(data, "re-math")["scores"]["qa"].update(per_seed=[99.0, 98.0])
    )
    assert any(where.startswith("leaderboard.json: re-math") for where in places(record))


def test_a_score_that_was_changed_everywhere_but_in_the_samples_is_found(record):
    chosen = (pl.col("method") == "sequential") & (pl.col("seed") == 1) & (pl.col("step") == 2)
    higher = pl.when(chosen & (pl.col("domain") == "qa")).then(1.0).otherwise(pl.col("value")).alias("value")
    rewrite(record, lambda table: table.with_columns(higher))
    assert {where.partition(",")[0] for where in places(record)} & {"samples/qa.jsonl.xz: sequential"}
    assert all("qa" in where for where in places(record))


def test_a_changed_interval_is_found(record):
    def widen(data):
        row_of(data, "sequential")["scores"]["math"]["ci95"][0] -= 5.0

    edit(record / "leaderboard.json", widen)
    (fault,) = verify(record).faults
    assert fault.where == "leaderboard.json: sequential, scores.math.ci95.0"
    assert float(fault.expected) == pytest.approx(float(fault.found) + 5.0)


def test_a_changed_rank_is_found(record):
    edit(record / "leaderboard.json", lambda data: row_of(data, "re-math").update(rank=9))
    assert verify(record).faults


def test_a_changed_sample_is_found_by_its_digest_and_by_its_score(record):
    path = record / "samples" / "math.jsonl.xz"

    def other(lines):
        line = answers_in(lines)[2]
        wrong = line["scores"]["none"]["exact_answer"].index(0.0)
        line["answers"][wrong] = [[lines[line["items"][wrong]]["target"]]]

    edit_lines(path, other)
    assert "samples/math.jsonl.xz, sha256" in places(record)
    seal(record)
    faults = verify(record).faults
    assert any("exact_answer,none" in one.where and (one.expected, one.found) == ("1.0", "0.0") for one in faults)
    assert any(one.where.endswith("lab_math exact_answer,none, value") for one in faults)


def test_a_changed_prompt_is_found(record):
    path = record / "samples" / "qa.jsonl.xz"
    edit_lines(path, lambda lines: lines[3]["arguments"][0].__setitem__(0, "Q: 1 + 1? A:"))
    seal(record)
    assert any("item 3" in where and where.startswith("samples/qa.jsonl.xz") for where in places(record))


def test_swapped_seeds_are_found(record):
    def swap(data):
        for step in row_of(data, "sequential")["trajectory"][1:]:
            step["checkpoints"].reverse()

    edit(record / "leaderboard.json", swap)
    found = places(record)
    assert "leaderboard.json: sequential, seed 0, step 1, checkpoint" in found


def test_scores_of_swapped_seeds_are_found(record):
    own = pl.col("method") == "sequential"
    trained = own & (pl.col("step") > 0)
    rewrite(
        record,
        lambda table: table.with_columns(
            pl.when(trained).then(1 - pl.col("seed")).otherwise(pl.col("seed")).alias("seed")
        ),
    )
    assert any("sequential" in where for where in places(record))


def test_samples_of_swapped_seeds_are_found(record):
    def swap(lines):
        one, *others = answers_in(lines)
        right = sum(one["scores"]["none"]["exact_answer"])
        other = next(line for line in others if sum(line["scores"]["none"]["exact_answer"]) != right)
        one["evaluation"], other["evaluation"] = other["evaluation"], one["evaluation"]

    edit_lines(record / "samples" / "math.jsonl.xz", swap)
    seal(record)
    assert any(where.startswith("samples/math.jsonl.xz") for where in places(record))


@pytest.mark.parametrize("name", ["samples/math.jsonl.xz", "definitions.jsonl.xz", "scores.parquet"])
def test_a_missing_file_is_found(record, name):
    (record / name).unlink()
    faults = verify(record).faults
    assert (name, "a file", "nothing") in [
        (one.where, one.expected, one.found.replace("none", "nothing")) for one in faults
    ]


def test_a_missing_manifest_is_found(record):
    (record / "manifest.json").unlink()
    assert "manifest.json" in places(record)


def test_missing_samples_of_an_item_or_an_evaluation_are_found(record):
    path = record / "samples" / "math.jsonl.xz"

    def drop(lines):
        for part in ("items", "answers"):
            answers_in(lines)[0][part].pop()
        lines.remove(answers_in(lines)[-1])

    edit_lines(path, drop)
    seal(record)
    found = verify(record).faults
    assert any("no answer is stored for item 11" in one.found for one in found)
    assert any((one.expected, one.found) == ("samples", "none") for one in found)


def test_a_changed_definition_is_found(record):
    def cheaper(lines):
        step = next(line for line in lines if line["definition"]["kind"] == "train")
        step["definition"]["train"]["config"]["steps"] = 1

    edit_lines(record / "definitions.jsonl.xz", cheaper)
    seal(record)
    assert places(record) == ["definitions.jsonl.xz, a result's key"]


def test_another_definition_of_the_method_is_found(record):
    edit(record / "leaderboard.json", lambda data: row_of(data, "sequential").update(definition="0" * 64))
    assert places(record) == ["leaderboard.json: sequential, definition"]


def test_a_key_of_another_run_is_found(record):
    edit(record / "leaderboard.json", lambda data: data["provenance"].update(plan="0" * 64))
    assert places(record) == ["leaderboard.json: provenance.plan"]


def test_a_domain_that_is_not_installed_is_said(record):
    found = harness.verify_record(record, registry=Registry.of([]))
    assert found.passed and not found.complete
    assert "answers of math were not scored again: the plugin mdrl-harness:lab-math is not installed" in found.unchecked


def test_without_its_task_a_score_is_compared_with_the_mean_of_the_items(record):
    def higher(lines):
        answers_in(lines)[0]["scores"]["none"]["exact_answer"] = [1.0] * 12

    edit_lines(record / "samples" / "qa.jsonl.xz", higher)
    seal(record)
    faults = harness.verify_record(record, registry=Registry.of([])).faults
    assert any("mean of the items' scores" in one.where for one in faults)


def test_samples_above_the_limit_are_left_out(run, tmp_path):
    harness.load_run(run, registry=lab()).archive(tmp_path, samples_limit_mb=0.0001)
    assert not (tmp_path / "samples").exists()
    found = verify(tmp_path)
    assert found.passed
    assert any("samples of math are not kept (they take more than 0.0001 MB)" in text for text in found.unchecked)


def test_samples_of_an_earlier_record_do_not_stay(run, record):
    harness.load_run(run, registry=lab()).archive(record, samples_limit_mb=0)
    assert list((record / "samples").iterdir()) == []


def numbers_in(value, path=()):
    """Yields the path of each number in JSON data."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers_in(item, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def test_any_other_number_in_the_rows_is_found(record):
    path = record / "leaderboard.json"
    text = path.read_text()
    measured = {"cost", "seed_costs"}  # not results, but what the run took
    places = [place for place in numbers_in(json.loads(text)["rows"]) if not measured & set(place)]
    assert len(places) > 300
    for place in random.Random(0).sample(places, 60):
        data = json.loads(text)
        *above, last = place
        holder = functools.reduce(lambda held, key: held[key], above, data["rows"])
        if last == "n" and holder["mean"] is None:
            continue  # of a number that the row does not have
        holder[last] += 1
        path.write_text(json.dumps(data))
        assert harness.verify_record(record, registry=Registry.of([])).faults, place


def test_any_damage_to_the_leaderboard_is_a_fault_or_an_error_for_people(record):
    path = record / "leaderboard.json"
    text = path.read_text()
    draw = random.Random(1)
    for _ in range(60):
        data = json.loads(text)
        holder = data["rows"]
        for _ in range(draw.randint(1, 5)):
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            below = [key for key in keys if isinstance(holder[key], dict | list) and holder[key]]
            if not below:
                break
            place = draw.choice(below)
            last, holder = holder, holder[place]
        last[place] = draw.choice([[], None, holder[:1] if isinstance(holder, list) else {}])
        path.write_text(json.dumps(data))
        with contextlib.suppress(UsageError):
            harness.verify_record(record, registry=Registry.of([]))


def test_a_folder_without_a_record_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        verify(tmp_path)
    with pytest.raises(UsageError, match="not a folder"):
        verify(tmp_path / "none")
    with pytest.raises(UsageError, match="no need money"):
        verify(tmp_path, allow=["money"])
