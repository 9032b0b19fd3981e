"""The record of a run's probes: grouping of rows, averages, and tables."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import ProbeSpec
from harness.errors import UsageError
from harness.report.tables.probes import probe_page, probe_tables
from harness.results.estimates import estimate
from harness.results.metrics import Score
from harness.results.probe_rows import ProbeRows
from harness.results.probe_tables import ProbeRecord, build_probe_record, inconsistencies

KEYED = ProbeSpec(name="keyed", summary="", load="a:b", keys=("step", "score", "fraction"), repeat="draw")


def record_of(*probes, spec=None, methods=("one", "two")):
    return build_probe_record("fake", methods, probes, lambda _: spec)


def rows_of(*rows, method="one", seed=0, probe="keyed", config=None):
    return ProbeRows(probe=probe, method=method, seed=seed, rows=rows, config=config or {})


def point(value, *, fraction=0.1, draw=0, score="random", **more):
    return {"step": 1, "score": score, "fraction": fraction, "draw": draw, "value": value} | more


def test_seeds_are_put_together_by_the_keys_whatever_their_order():
    record = record_of(
        rows_of(point(1.0), point(5.0, fraction=0.2), seed=0),
        rows_of(point(7.0, fraction=0.2), point(3.0), seed=1),
        spec=KEYED,
    )
    (table,) = record.tables
    assert table.seeds == (0, 1)
    means = {row.of["fraction"]: row.values["value"] for row in table.means}
    assert means == {
        0.1: estimate([Score(1.0, None, 1), Score(3.0, None, 1)]),
        0.2: estimate([Score(5.0, None, 1), Score(7.0, None, 1)]),
    }


def test_repeats_of_a_seed_count_once_with_the_error_of_their_mean():
    record = record_of(rows_of(*(point(value, draw=draw) for draw, value in enumerate((1.0, 2.0, 6.0)))), spec=KEYED)
    (row,) = record.tables[0].means
    assert row.repeats == 3
    assert set(row.values) == {"value"}
    one = row.values["value"]
    assert one.per_seed == (3.0,)
    assert one.stderr == (pytest.approx((14 / 2 / 3) ** 0.5),)
    assert one.interval == "sampling"


def test_a_null_key_is_a_place_of_its_own_and_a_null_number_is_missing():
    record = record_of(
        rows_of(point(9.0, fraction=None, score="peak"), point(None), seed=0), rows_of(point(2.0), seed=1), spec=KEYED
    )
    peak, other = record.tables[0].means
    assert peak.of["fraction"] is None
    assert other.values["value"].per_seed == (None, 2.0)
    (table,) = probe_tables(record)
    assert "–" in table.rows[0]
    assert any("lack up to 1" in note for note in table.notes)


def test_methods_that_measured_the_same_share_a_row_and_others_do_not():
    record = record_of(
        rows_of(point(1.0), point(2.0, fraction=0.2), method="one"),
        rows_of(point(1.0), point(4.0, fraction=0.2), method="two"),
        spec=KEYED,
    )
    assert [row.methods for row in record.tables[0].means] == [("one", "two"), ("one",), ("two",)]
    (table,) = probe_tables(record)
    assert [row[0] for row in table.rows] == ["all", "one", "two"]


def test_a_probe_without_keys_is_paired_by_its_texts_and_its_order():
    def measured(seed):
        return rows_of(
            {"module": "mlp", "n": seed}, {"module": "mlp", "n": 10 + seed}, {"module": "attn", "n": 5}, seed=seed
        )

    record = record_of(measured(0), measured(2))
    assert [(row.of["module"], row.values["n"].mean) for row in record.tables[0].means] == [
        ("mlp", 1.0),
        ("mlp", 11.0),
        ("attn", 5.0),
    ]


def test_a_probe_used_twice_has_a_table_for_each_of_its_settings():
    record = record_of(
        rows_of(point(1.0), config={"at": "base"}), rows_of(point(2.0), config={"at": "end"}), spec=KEYED
    )
    assert [table.config for table in record.tables] == [{"at": "base"}, {"at": "end"}]
    assert [table.subtitle for table in probe_tables(record)] == ["at base", "at end"]


def test_what_is_the_same_in_all_rows_is_said_once():
    record = record_of(rows_of(point(1.5, size=8), point(2.5, fraction=0.2, size=8)), spec=KEYED, methods=("one",))
    (table,) = probe_tables(record)
    assert table.columns == ("Fraction", "Value")
    assert table.rows == (("0.1", "1.50"), ("0.2", "2.50"))
    assert "Methods: one." in table.notes
    assert any("size 8" in note and "score random" in note for note in table.notes)


def test_a_setting_that_the_rows_repeat_is_said_once():
    record = record_of(rows_of(point(1.5, size=8), point(2.5, fraction=0.2, size=8), config={"size": 8}), spec=KEYED)
    (table,) = probe_tables(record)
    assert table.subtitle == "size 8"
    assert not any("size" in note for note in table.notes)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((2.0, 2.0), "2"),
        ((0.25, 0.25), "0.250"),
        ((79.6875, 79.6875), "79.7"),
        ((-0.004, -0.004), "−0.00400"),
        ((792704, 792704), "792,704"),
        ((0.00000131, 0.00000131), "1.31e−06"),
    ],
)
def test_numbers_have_three_digits_and_a_true_minus(values, text):
    record = record_of(*(rows_of(point(value), seed=seed) for seed, value in enumerate(values)), spec=KEYED)
    assert probe_tables(record)[0].rows[0][-1] == text


def test_a_markdown_page_names_the_seeds_and_shows_intervals():
    record = record_of(rows_of(point(1.0), seed=0), rows_of(point(3.0), seed=1), spec=KEYED)
    page = probe_page(record)
    low, high = record.tables[0].means[0].values["value"].ci95
    assert "seeds 0, 1" in page
    assert rf"2.0 \[−{-low:.1f}, {high:.1f}\]" in page


CELLS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(-9, 9), st.sampled_from(["a", "b"]))
ROWS = st.lists(st.fixed_dictionaries({"step": st.integers(0, 2), "x": CELLS, "y": CELLS}), max_size=4)


@given(st.lists(ROWS, min_size=1, max_size=3), st.booleans())
def test_a_record_is_read_back_as_it_was_and_loses_no_row(tmp_path_factory, by_seed, keyed):
    spec = ProbeSpec(name="keyed", summary="", load="a:b", keys=("step",)) if keyed else None
    given_rows = [rows_of(*rows, seed=seed) for seed, rows in enumerate(by_seed)]
    record = record_of(*given_rows, spec=spec)
    path = tmp_path_factory.mktemp("kept") / "probes.json"
    path.write_text(record.to_json())
    assert ProbeRecord.read(path) == record
    assert inconsistencies(record) == []
    back = {one.seed: [dict(row) for row in one.rows] for one in record.rows()}
    assert back == {one.seed: [dict(row) for row in one.rows] for one in given_rows if one.rows}
    assert all(len(table.columns) == len(row) for table in probe_tables(record) for row in table.rows)


def test_a_row_has_a_line_of_its_own_in_the_file():
    record = record_of(rows_of(point(1.25, name="here"), point(2.5, fraction=0.2, name="here")), spec=KEYED)
    lines = [line.strip().rstrip(",") for line in record.to_json().splitlines()]
    assert [json.loads(line)["value"] for line in lines if '"name"' in line and '"value"' in line] == [1.25, 2.5]


def test_means_that_are_not_those_of_the_rows_are_told():
    record = record_of(rows_of(point(1.0), seed=0), rows_of(point(3.0), seed=1), spec=KEYED)
    data = json.loads(record.to_json())
    data["tables"][0]["measured"][0]["rows"][0]["value"] = 2.0
    (told,) = inconsistencies(ProbeRecord.model_validate_json(json.dumps(data)))
    assert "keyed" in told


def test_a_probe_that_was_not_measured_is_refused_with_those_that_were():
    record = record_of(rows_of(point(1.0)), rows_of({"n": 1}, probe="other"), spec=KEYED)
    assert [table.probe for table in record.only(["other"]).tables] == ["other"]
    with pytest.raises(UsageError, match="no probe 'othr'") as caught:
        record.only(["othr"])
    assert "keyed, other" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "told"), [("{", "cannot be read"), ('{"schema": 9}', "schema 9"), ('{"schema": 1}', "malformed")]
)
def test_a_file_that_is_no_record_is_refused(tmp_path, text, told):
    path = tmp_path / "probes.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        ProbeRecord.read(path)
