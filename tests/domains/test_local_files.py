"""Local data files: values keep their text, and unreadable values are reported with their row."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import UsageError
from harness.domains.data import DataSource, load_table

TEXT = ("prompt", "answer")


@pytest.fixture
def table(tmp_path):
    """Writes a file and reads it."""

    def read(content, name="mine.jsonl", text=TEXT):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_table(DataSource(data_files=path), {}, text=text)

    return read


@pytest.mark.parametrize(
    "literals",
    [
        ["9", "0.5"],
        ["10000000000000000000000000", "1"],
        ["8.50", "-0", "1e3", "1E-2", "0.1000"],
        ["true", "9", "0.5"],
        ["3", '"three"', '"007"', '"2024-03-01"', '"NA"', '"null"', '"  padded "'],
    ],
)
def test_json_answers_keep_their_text(table, literals):
    expected = [literal.strip('"') for literal in literals]
    lines = [f'{{"prompt": "p", "answer": {literal}}}' for literal in literals]
    assert table("\n".join(lines))["answer"][:] == expected
    assert table(f"[{','.join(lines)}]", "mine.json")["answer"][:] == expected


def test_dates_stay_text_and_null_stays_null(table):
    rows = table('{"answer": "2024-03-01"}\n{"answer": null}\n{"prompt": "p"}')
    assert rows["answer"][:] == ["2024-03-01", None, None]


def test_one_list_makes_lists_of_all_and_keeps_the_text_of_each(table):
    rows = table('{"answer": [1, 0.50, "x"]}\n{"answer": 7.0}\n{"answer": null}')
    assert rows["answer"][:] == [["1", "0.50", "x"], ["7.0"], None]


def test_a_dotted_name_is_read_as_text_within_an_object(table):
    rows = table('{"extra": {"answer": 1.50, "level": 3}}', text=("extra.answer",))
    assert rows["extra"][:] == [{"answer": "1.50", "level": 3}]


def test_other_columns_have_their_own_types(table):
    rows = table('{"n": 1, "f": 0.5, "t": "x", "l": [{"a": 1}], "b": true}\n{"n": 2, "f": 1, "t": "y", "l": []}')
    first = {"n": 1, "f": 0.5, "t": "x", "l": [{"a": 1}], "b": True}
    assert {name: rows[0][name] for name in first} == first
    assert (rows[1]["n"], rows[1]["f"], rows[1]["b"]) == (2, 1.0, None)


@pytest.mark.parametrize(("name", "sign"), [("mine.csv", ","), ("mine.tsv", "\t")])
def test_separated_files_keep_the_text_of_every_field(table, name, sign):
    lines = [("prompt", "answer", "n", "f", "code"), ("a", "007", "1", "0.5", "01"), ('"b\nc"', "NA", "2", "3", "2")]
    rows = table("\r\n".join(sign.join(fields) for fields in lines), name)
    assert rows["prompt"][:] == ["a", "b\nc"]
    assert rows["answer"][:] == ["007", "NA"]
    assert (rows["n"][:], rows["f"][:], rows["code"][:]) == ([1, 2], [0.5, 3.0], ["01", "2"])


def test_parquet_values_are_written_out(tmp_path):
    path = tmp_path / "mine.parquet"
    columns = {"answer": [7, None], "day": [date(2024, 3, 1)] * 2, "price": [Decimal("8.50")] * 2, "yes": [True, False]}
    pl.DataFrame(columns).write_parquet(path)
    [first, second] = load_table(DataSource(data_files=path), {}, text=tuple(columns)).to_list()
    assert [first[name] for name in columns] == ["7", "2024-03-01", "8.50", "true"]
    assert (second["answer"], second["source_row"]) == (None, f"{path}, row 2")


def test_every_row_knows_its_place(table, tmp_path):
    rows = table('\n{"answer": 1}\n\n{"answer": 2}\n')
    assert rows["source_row"][:] == [f"{tmp_path / 'mine.jsonl'}:{line}" for line in (2, 4)]
    rows = table('answer\n"1\n1"\n\n2\n', "mine.csv")
    assert rows["source_row"][:] == [f"{tmp_path / 'mine.csv'}:{line}" for line in (2, 5)]
    assert table('[{"answer": 1}]', "mine.json")["source_row"][:] == [f"{tmp_path / 'mine.json'}, row 1"]


def test_a_byte_order_mark_is_no_part_of_the_first_column(table):
    assert "answer" in table("\ufeffanswer\n1\n", "mine.csv").column_names
    assert table('\ufeff{"answer": 1}')["answer"][:] == ["1"]


@pytest.mark.parametrize(
    ("name", "content", "place", "message"),
    [
        ("mine.jsonl", "", "", "is empty"),
        ("mine.jsonl", " \n\n", "", "is empty"),
        ("mine.csv", "\ufeff\n", "", "is empty"),
        ("mine.csv", "prompt,answer\n", "", "have no rows"),
        ("mine.jsonl", '{"answer": 1}\n{"answer": "\xe9"}'.encode("latin1"), ":2", "not text in UTF-8"),
        ("mine.csv", "answer\n\xe9\n".encode("latin1"), ":2", "not text in UTF-8"),
        ("mine.jsonl", '{"answer": 1}'.encode("utf-16"), "", "is text in UTF-16"),
        ("mine.csv", "prompt,answer\nred, or blue?,red\n", ":2", "has 3 fields, but the header has 2"),
        ("mine.csv", "prompt,answer\na,b\nc\n", ":3", "has 1 fields, but the header has 2"),
        ("mine.csv", 'prompt,answer\n"a"b,c\n', ":2", "cannot be read"),
        ("mine.csv", 'prompt,answer\nx,y\n"a,c\n', ":3", "cannot be read"),
        ("mine.csv", "answer,answer\na,b\n", ":1", "'answer' twice"),
        ("mine.jsonl", '{"answer": 1}\n{"answer": 1', ":2", "is not JSON"),
        ("mine.jsonl", '{"answer": 1}\n[1]', ":2", "is a list, not an object"),
        ("mine.jsonl", '{"answer": NaN}', ":1", "NaN is not a JSON number"),
        ("mine.jsonl", '{"answer": 1, "answer": 2}', ":1", "'answer' is written twice"),
        ("mine.jsonl", '{"answer": ' + "[" * 100_000, ":1", "nested too deeply"),
        ("mine.jsonl", '{"n": 1}\n{"n": "one"}', ":2", "the column n has 'one'"),
        ("mine.jsonl", '{"n": 1}\n{"n": ' + "1" * 30 + "}", ":2", "the column n has 1111"),
        ("mine.jsonl", '{"n": ' + "1" * 5000 + "}", ":1", "a number cannot be read"),
        ("mine.jsonl", '{"answer": "a"}\n{"answer": "\\ud83d"}', ":2", "the column answer has"),
        ("mine.jsonl", '{"answer": "a"}\n{"answer": {"b": 1}}', ":2", "the column answer has"),
        ("mine.json", '[{"answer": 1}, 2]', ", row 2", "is a number, not an object"),
        ("mine.parquet", "no parquet", "", "cannot be read"),
        ("mine.txt", "answer", "", "do not all have one known format"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_file_and_row(tmp_path, name, content, place, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=message) as raised:
        load_table(DataSource(data_files=path), {}, text=TEXT)
    assert raised.value.where == f"{path}{place}"


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_any_text_survives_json_and_csv(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("files")
    lines, cells = folder / "mine.jsonl", folder / "mine.csv"
    lines.write_text("".join(json.dumps({"prompt": a, "answer": b}) + "\n" for a, b in pairs))
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerows([TEXT, *pairs])
    cells.write_bytes(written.getvalue().encode())
    for path in (lines, cells):
        rows = load_table(DataSource(data_files=path), {}, text=TEXT)
        assert list(zip(rows["prompt"], rows["answer"], strict=True)) == pairs
