"""Published results: the included files, and rejected files."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.results.metrics import Score, recovery_ratio
from harness.results.published import read_published, read_published_folder

FOLDER = Path(__file__).parents[2] / "leaderboards" / "published"
GOOD = """
title: A paper
arxiv: "2601.00001"
url: https://arxiv.org/abs/2601.00001
source: Table 1
columns: [Math]
rows:
  - {model: m, method: a, cells: {Math: {value: 1.5, grade: P}}}
"""


def shipped(arxiv):
    return next(table for table in read_published_folder(FOLDER) if table.arxiv == arxiv)


def test_every_shipped_table_names_its_source():
    tables = read_published_folder(FOLDER)
    assert {table.arxiv for table in tables} == {"2606.02398", "2602.02301", "2602.12566", "2606.00609", "2606.30406"}
    assert all(table.url == f"https://arxiv.org/abs/{table.arxiv}" for table in tables)


def test_what_the_paper_does_not_say_is_null_and_secondary_numbers_are_marked():
    peak, damaged, recovered = shipped("2606.02398").rows
    assert (peak.cells["Code"], peak.cells["Math"].grade) == (None, "S")
    assert (damaged.cells["Math"].grade, damaged.cells["Average"].grade) == ("P", "S")
    assert {name: cell.grade for name, cell in recovered.cells.items()} == {
        "Code": "S", "Math": "P", "QA": "S", "CW": "S", "Average": "P",
    }  # fmt: skip
    values = [recovered.cells[name].value for name in ("Code", "Math", "QA", "CW")]
    assert sum(values) / 4 == pytest.approx(recovered.cells["Average"].value, abs=0.01)


def test_the_published_recovery_ratio_follows_from_the_rows():
    math = [Score(row.cells["Math"].value, None, 0) for row in shipped("2606.02398").rows]
    assert recovery_ratio(*math).value == pytest.approx(0.949, abs=5e-4)


def test_the_gain_over_naive_mixing_follows_from_the_rows():
    totals = {(row.model, row.method): row.cells["Total"].value for row in shipped("2602.02301").rows}
    assert len(totals) == 11
    for model, gain in (("Llama-3.1-8B", 4.3), ("Qwen-2.5-7B", 4.5)):
        assert totals[model, "MGS"] - totals[model, "Naive mixing"] == pytest.approx(gain)


def values_of(row):
    return {name: cell.value for name, cell in row.cells.items() if cell is not None}


def test_averages_and_costs_of_mixing_and_merging_follow_from_the_rows():
    rows = {row.method: values_of(row) for row in shipped("2602.12566").rows}
    for values in rows.values():
        benchmarks = [value for name, value in values.items() if name not in ("Average", "GPU hours")]
        assert len(benchmarks) == 9 and sum(benchmarks) / 9 == pytest.approx(values["Average"], abs=0.006)
    experts = [rows[f"RL on {name}"]["GPU hours"] for name in ("math", "coding", "science", "instruction following")]
    merges = [values["GPU hours"] for name, values in rows.items() if name.startswith("Merge of the four")]
    assert merges == [pytest.approx(sum(experts))] * 6
    assert rows["RL on all four domains, mixed"]["GPU hours"] / sum(experts) == pytest.approx(0.332, abs=5e-4)


def test_the_headroom_that_distillation_closed_follows_from_the_rows():
    def of_domains(values):
        return [
            (values["AIME25"] + values["AIME26"]) / 2,
            (values["IFBench"] + values["IFEval"]) / 2,
            values["SWE-bench Verified"],
        ]

    table = shipped("2606.30406")
    assert table.grades() == ["S"]
    start, teacher = (of_domains(values_of(row)) for row in table.rows[:2])
    for row in table.rows:
        shares = [(b - a) / (c - a) for a, b, c in zip(start, of_domains(values_of(row)), teacher, strict=True)]
        assert 100 * sum(shares) / 3 == pytest.approx(row.cells["Headroom closed (%)"].value, abs=0.006)


def test_of_a_paper_whose_tables_we_do_not_have_only_the_abstract_is_published():
    totals = {row.model: values_of(row) for row in shipped("2606.00609").rows}
    assert totals == {"Qwen2.5-7B": {"Total": 47.9}, "Qwen3-4B": {"Total": 50.7}}
    assert shipped("2606.00609").grades() == ["P"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("grade: P", "grade: Q"), "grade"),
        (GOOD.replace("grade: P", "grade: P, place: 1"), "place"),
        (GOOD.replace("columns: [Math]", "columns: [Math, Code]"), "does not have exactly the columns"),
        (GOOD.replace("url:", "link:"), "url"),
        ("title: [", "cannot be read"),
        ("", "malformed"),
    ],
)
def test_a_malformed_file_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "paper.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_published(path)
    assert caught.value.where == str(path)


def test_a_folder_without_tables_is_told(tmp_path):
    with pytest.raises(UsageError, match="no published results"):
        read_published_folder(tmp_path)
