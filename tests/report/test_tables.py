"""The table formats: found as plugins, the same numbers in each, names escaped, published rows apart."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import polars as pl
import pytest
from fake_run import make_leaderboard
from rich.console import Console

import harness.report.tables
from harness.cli.leaderboard_view import print_tables
from harness.plugin.registry import Registry
from harness.report.tables.all_tables import text_tables
from harness.report.tables.layout import leaderboard_table, number
from harness.report.tables.markdown import escape
from harness.results.frame import leaderboard_frame
from harness.results.leaderboard import Leaderboard, ModelSize
from harness.results.published import Cell, PublishedRow, PublishedTable
from harness.results.rebuild import rebuilt

NASTY = r"a_b & <i>50%</i> | $x$ #1 {z} \q ~^ [link]"
FORMATS = ("md", "csv", "latex", "html", "json")
PUBLISHED = PublishedTable(
    title="Paper <A>",
    arxiv="2601.00001",
    url="https://arxiv.org/abs/2601.00001",
    source="Table 1",
    columns=("Math", "CW"),
    rows=(PublishedRow(model="m_1", method="Theirs", cells={"Math": Cell(value=57.66, grade="S"), "CW": None}),),
)


def registry():
    return Registry.of([("mdrl-harness", harness.report.tables)])


def render(board, name):
    offer = registry().find("table-format", name)
    return offer.build(offer.config_type()()).render(board)


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    return make_leaderboard(tmp_path_factory.mktemp("runs"), seeds=(0, 1), shift=lambda seed: 0.01 * seed)[0]


@pytest.fixture(scope="module")
def nasty(board):
    rows = tuple(r.model_copy(update={"method": NASTY}) if r.method == "re-math" else r for r in board.rows)
    return board.model_copy(update={"rows": rows, "published": (PUBLISHED,)})


def test_the_formats_are_offered_by_a_plugin():
    assert sorted(offer.name for offer in registry().all("table-format")) == sorted(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_shows_every_method_and_number(board, name):
    text = render(board, name)
    for shown in ("re-math", "sequential", "93.5"):
        assert shown in text.replace("\\", "")


@pytest.mark.parametrize("name", FORMATS)
def test_a_partial_board_renders(board, name):
    empty = board.model_copy(update={"rows": tuple(r.model_copy(update={"scores": {}}) for r in board.rows)})
    assert "sequential" in render(empty, name)
    assert render(board.model_copy(update={"rows": ()}), name)


def cells_of(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_markdown_rows_have_as_many_cells_as_headers(nasty):
    for table in render(nasty, "md").split("\n## "):
        widths = {len(cells_of(line)) for line in table.splitlines() if line.startswith("|")}
        assert len(widths) == 1


def test_markdown_shows_names_as_they_are(nasty):
    assert escape(NASTY) in render(nasty, "md")
    assert "<i>" not in render(nasty, "md")
    assert escape("a\nb|c") == "a b\\|c"


def test_csv_reads_back_at_full_precision(board):
    frame = pl.read_csv(io.StringIO(render(board, "csv")))
    row = frame.row(by_predicate=pl.col("method") == "re-math", named=True)
    expected = board.row("re-math")
    assert row["score_math"] == expected.scores["math"].mean
    assert row["average_ci95_low"] == expected.average.ci95[0]
    assert (row["rank"], row["recovery_target"], row["score_math_n"]) == (1, "math", 512)
    assert frame.row(by_predicate=pl.col("method") == "base", named=True)["rank"] is None


def test_csv_quotes_what_it_must(board):
    name = 'a,"b"\nc'
    rows = (board.rows[0].model_copy(update={"method": name}),)
    frame = pl.read_csv(io.StringIO(render(board.model_copy(update={"rows": rows}), "csv")))
    assert frame["method"].to_list() == [name]


def test_json_reads_back_whole(nasty):
    assert Leaderboard.parse(render(nasty, "json"), "here") == nasty


class Page(HTMLParser):
    """Collects tags with their attributes, and the text of the row headers."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.row_headers, self._row_header = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._row_header = tag == "th" and dict(attrs).get("scope") == "row"

    def handle_data(self, data):
        if self._row_header and data.strip():
            self.row_headers.append(data.strip())


def test_html_is_one_page_with_named_tables_and_headers(nasty):
    page = Page(render(nasty, "html"))
    tags = [tag for tag, _ in page.tags]
    tables = [attributes for tag, attributes in page.tags if tag == "table"]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert (tags.count("html"), tags.count("title"), len(tables)) == (1, 1, 4)
    assert len(ids) == len(set(ids))
    assert all(table["aria-labelledby"] in ids for table in tables)
    assert {"col", "row"} <= {attributes.get("scope") for tag, attributes in page.tags if tag == "th"}
    assert ("html", {"lang": "en"}) in page.tags


def test_html_escapes_names_and_loads_nothing(nasty):
    page = Page(render(nasty, "html"))
    assert NASTY in page.row_headers
    assert not {"script", "link", "img", "i"} & {tag for tag, _ in page.tags}


def test_latex_leaves_no_special_character_of_a_name(nasty):
    text = render(nasty, "latex")
    row = next(line for line in text.splitlines() if line.startswith(r"a\_b"))
    name = row[: row.index(" & 1 & ")]
    assert name.startswith(r"a\_b \& \textless{}i\textgreater{}50\%")
    assert not re.search(r"(?<!\\)[&%#_]", name)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 4
    assert "−" not in text


def test_a_latex_row_never_begins_with_a_bracket(board):
    rows = (board.rows[0].model_copy(update={"method": "[x] y"}),)
    text = render(board.model_copy(update={"rows": rows}), "latex")
    assert "{}[x] y & 1 &" in text
    assert not re.search(r"^\[", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", ["md", "latex", "html"])
def test_published_rows_stand_apart_below_with_their_source(nasty, name):
    text = render(nasty, name)
    ours, theirs = (
        text[: text.index("Published results (not measured here)")],
        text[text.index("Published results (not measured here)") :],
    )
    assert "Theirs" not in ours
    assert "57.66" in theirs
    assert "2601.00001" in theirs
    assert "secondary source" in theirs


def test_csv_gives_published_rows_a_table_of_their_own(nasty):
    ours, theirs = render(nasty, "csv").split("\n\n")
    assert "Theirs" not in ours
    row = pl.read_csv(io.StringIO(theirs)).row(0, named=True)
    assert (row["Math"], row["Math_grade"], row["CW"], row["arxiv"]) == (57.66, "S", None, 2601.00001)


def test_steps_that_methods_share_are_shown_once(board):
    trajectories = next(table for table in text_tables(board) if table.title == "After each step")
    assert [row[0] for row in trajectories.rows] == [
        "base",
        "sequential: train code",
        "sequential: train math",
        "sequential: train qa",
        "re-math: recover math (refresh)",
    ]


def test_footnotes_are_marked_at_the_row_and_told_below(board):
    rows = (board.rows[0].model_copy(update={"footnotes": (1,)}),)
    text = render(board.model_copy(update={"rows": rows, "notes": ("measured differently",)}), "md")
    assert r"re-math \[1\]" in text
    assert r"- \[1\] measured differently." in text


def damaged_so(tmp_path, damaged):
    """Returns a leaderboard of two seeds whose math was damaged to these scores before the recovery."""
    board, _ = make_leaderboard(tmp_path, seeds=(0, 1), shift=lambda seed: 0.02 * seed)
    scores = {
        column: one.model_copy(update={"per_seed": damaged}) if column == "math" else one
        for column, one in board.row("re-math").trajectory[3].scores.items()
    }

    def changed(row):
        if len(row.trajectory) < 5:
            return row
        step = row.trajectory[3].model_copy(update={"scores": scores})
        return row.model_copy(update={"trajectory": (*row.trajectory[:3], step, *row.trajectory[4:])})

    return rebuilt(board.model_copy(update={"rows": tuple(map(changed, board.rows))}))


@pytest.mark.parametrize(
    ("damaged", "remark", "words"),
    [((96.0, 97.5), "target not damaged", []), ((75.0, 96.9), "damage not shown", ["[not bounded]"])],
)
@pytest.mark.parametrize("name", ["md", "csv", "latex", "html", "json"])
def test_a_recovery_of_what_was_not_shown_to_be_damaged_is_marked_in_every_format(
    tmp_path, name, damaged, remark, words
):
    text = render(damaged_so(tmp_path, damaged), name)
    assert remark in text
    if name in ("md", "latex", "html"):
        assert all(word.replace("[", "").replace("]", "") in text for word in words)
    elif words:
        assert "unbounded" in text


def test_the_terminal_marks_a_recovery_of_what_was_not_damaged(tmp_path):
    for width in (80, 200):
        console = Console(file=io.StringIO(), width=width)
        print_tables(damaged_so(tmp_path / str(width), (96.0, 97.5)), console)
        assert "* re-math: target not damaged." in console.file.getvalue()


@pytest.mark.parametrize("name", ["md", "csv", "latex", "html", "json"])
def test_every_format_tells_the_rank_group(board, name):
    text = render(board, name)
    if name == "json":
        assert [row["rank_group"] for row in json.loads(text)["rows"]] == [1, 1, None]
    elif name == "csv":
        assert [row["rank_group"] for row in csv.DictReader(io.StringIO(text))] == ["1", "1", ""]
    else:
        assert "Group a contains the best" in text


def test_several_seeds_and_one_are_told_apart(board, tmp_path):
    single, _ = make_leaderboard(tmp_path)
    assert "over seeds" in render(board, "md")
    assert "over its test items, without" in render(single, "md")


@pytest.mark.parametrize(("value", "text"), [(-0.04, "0.0"), (-1.25, "−1.2"), (None, "–"), (93.46, "93.5")])
def test_numbers_for_people(value, text):
    assert number(value, 1) == text


def test_the_json_format_is_the_record_of_the_run(board):
    assert json.loads(render(board, "json"))["schema"] == 2


def with_sizes(board, **sizes):
    """Returns the board with the number of total and active parameters of some methods."""
    rows = [
        row.model_copy(update={"parameters": ModelSize(total=sizes[row.method][0], active=sizes[row.method][1])})
        if row.method in sizes
        else row
        for row in board.rows
    ]
    return board.model_copy(update={"rows": tuple(rows)})


def test_the_cost_of_a_mixture_is_in_every_table(board):
    mixed = with_sizes(board, sequential=(1500, 1500), **{"re-math": (4321, 2100)})
    for name in FORMATS:
        text = render(mixed, name).replace("\\", "").replace(",", "").replace("{", "").replace("}", "")
        assert "4321" in text and "2100" in text
    head, *rows = csv.reader(io.StringIO(render(mixed, "csv")))
    cells = {
        row[head.index("method")]: [row[head.index(c)] for c in ("parameters", "active_parameters")] for row in rows
    }
    assert cells["sequential"] == ["1500", "1500"]
    assert cells["base"] == ["", ""]
    console = Console(width=200, record=True, file=io.StringIO())
    print_tables(mixed, console)
    assert "4,321" in console.export_text()
    assert Leaderboard.parse(mixed.to_json(), "-") == rebuilt(mixed)


def test_dense_models_have_no_columns_for_their_parameters(board):
    dense = with_sizes(board, sequential=(1500, 1500))
    assert "Parameters" not in leaderboard_table(dense).columns
    assert "parameters" not in leaderboard_frame(dense).columns
    assert '"parameters"' not in board.to_json()
