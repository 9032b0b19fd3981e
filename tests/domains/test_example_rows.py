"""Bounds and first rows of local files, without loading them as a data set."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import UsageError
from harness.domains import DataSource, example_rows, load_table, most_rows
from harness.domains.data.examples import EXAMPLES

ROWS = [{"prompt": f"number {index}", "answer": index} for index in range(EXAMPLES + 3)]
WRITERS = {
    "rows.jsonl": lambda path: path.write_text("\n\n".join(map(json.dumps, ROWS))),
    "rows.json": lambda path: path.write_text(json.dumps(ROWS)),
    "rows.csv": lambda path: pl.DataFrame(ROWS).write_csv(path),
    "rows.parquet": lambda path: pl.DataFrame(ROWS).write_parquet(path),
}


@pytest.fixture(params=WRITERS)
def source(request, tmp_path):
    WRITERS[request.param](tmp_path / request.param)
    return DataSource(data_files=tmp_path / request.param)


def test_the_first_rows_are_those_of_the_table(source):
    rows = example_rows(source, text=("prompt", "answer"))
    table = load_table(source, {}, text=("prompt", "answer")).remove_columns("source_row").to_list()
    assert rows == ([] if source.files()[0].suffix == ".parquet" else table[:EXAMPLES])


def test_no_file_has_more_rows_than_its_bound(source):
    bound = most_rows(source)
    assert bound is None if source.files()[0].suffix in (".json", ".parquet") else bound in (len(ROWS), len(ROWS) + 1)
    assert most_rows(source, 5, None) == 5


@given(st.lists(st.dictionaries(st.text(), st.text()), min_size=1), st.booleans())
def test_the_bound_holds_for_any_json(tmp_path_factory, rows, as_list):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text(json.dumps(rows) if as_list else "".join(json.dumps(row) + "\n" for row in rows))
    bound = most_rows(DataSource(data_files=path))
    assert bound is None if as_list else bound >= len(rows)


def test_the_hub_has_no_examples_and_only_limits_bound_it():
    hub = DataSource(dataset="some/data")
    assert (example_rows(hub), most_rows(hub), most_rows(hub, None, 7)) == ([], None, 7)


def test_an_unreadable_row_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "x"}\nno JSON\n')
    with pytest.raises(UsageError, match=r"rows.jsonl:2"):
        example_rows(DataSource(data_files=path))
