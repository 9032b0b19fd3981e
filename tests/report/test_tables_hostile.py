"""Names and texts that are markup or formulas are shown as text in every table format."""

import csv
import io
import json
import re

import pytest
from fake_run import make_leaderboard
from markdown_it import MarkdownIt
from site_world import Page

from harness.plugin.config import NoConfig
from harness.report.tables.comma_separated import CommaSeparatedTables
from harness.report.tables.latex import LatexTables
from harness.report.tables.markdown import MarkdownTables, escape
from harness.report.tables.web_page import WebPage
from harness.results.leaderboard import Leaderboard
from harness.results.published import Cell, PublishedRow, PublishedTable

TEXTS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[link](javascript:alert(1))",
    "![image](x)",
    "<javascript:alert(1)>",
    "`code` **bold** _it_ ~~gone~~ a | b",
    "&lt;b&gt; &amp;",
    "# head",
    "- item",
    "+ item",
    "12) item",
    "1. item",
    "---",
    "===",
    "```",
    "> quote",
    "    indented",
    "two\n\nlines",
    r"\input{/etc/passwd} $x$ #1 % & _ ^ ~ {z} \\",
    "*star",
    "[bracket",
    "=1+1",
    "\n=1+1",
    " @SUM(1)",
    "＝1+1",
    "a\x1b[31m\u202eb",
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return make_leaderboard(tmp_path_factory.mktemp("runs"), seeds=(0, 1))[0].to_json()


@pytest.fixture(scope="module", params=TEXTS)
def hostile(request, plain):
    """Returns a text, and a leaderboard with it in every name, note and published row."""
    text = request.param
    for name in ("re-math", "qa", "tiny", "fake", "refresh", "recover math (refresh)"):
        plain = plain.replace(json.dumps(name), json.dumps(text + name))
    board = Leaderboard.parse(plain, "test")
    row = PublishedRow(model=text, method=text, cells={text: Cell(value=1.0, grade="S")}, note=text)
    table = PublishedTable(title=text, arxiv=text, url=text, source=text, note=text, columns=(text,), rows=(row,))
    rows = tuple(one.model_copy(update={"footnotes": (1,)}) for one in board.rows)
    return text, board.model_copy(update={"rows": rows, "notes": (text,), "published": (table,)})


def test_markdown(hostile):
    _, board = hostile
    tokens = MarkdownIt("commonmark").enable("table").parse(MarkdownTables(NoConfig()).render(board))
    kinds = {token.type for token in tokens}
    inline = {child.type for token in tokens if token.type == "inline" for child in token.children}
    assert not kinds & {"html_block", "fence", "code_block", "blockquote_open", "hr", "ordered_list_open"}
    assert inline <= {"text", "text_special"}
    assert max(token.level for token in tokens if token.type == "list_item_open") == 1
    assert len([token for token in tokens if token.type == "heading_open"]) == 4


@pytest.mark.parametrize("text", TEXTS)
def test_markdown_shows_the_text_itself(text):
    [inline] = MarkdownIt("commonmark").parseInline(escape(text))
    shown = "".join(child.content for child in inline.children)
    assert shown == " ".join(text.split()).replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")


def test_html(hostile):
    text, board = hostile
    page = Page(WebPage(NoConfig()).render(board))
    assert not {tag for tag, _ in page.tags} & {"script", "img", "a", "b", "link", "iframe", "svg"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert " ".join(text.split()) in " ".join(page.text.split())


def test_csv(hostile):
    _, board = hostile
    cells = [cell for row in csv.reader(io.StringIO(CommaSeparatedTables(NoConfig()).render(board))) for cell in row]
    assert not [cell for cell in cells if re.match(r"[\t\r\n]|\s*[=+@＝＋＠－]|\s*-(?![\d.])", cell)]


def test_latex(hostile):
    _, board = hostile
    text = LatexTables(NoConfig()).render(board)
    commands = set(re.findall(r"\\[a-zA-Z]+", text))
    assert not commands & {r"\input", r"\z", r"\script"}
    special = r"\\[&%$#_{}]|\$(?:-|\\\w+)\$"  # escaped characters, and the signs that are set as mathematics
    assert not re.search("[$#~^]", re.sub(special, "", text).replace("{@{\\extracolsep{\\fill}}}", ""))
    assert "\n\n" not in "".join(re.findall(r"\\begin\{tabular.*?\\end\{tabular\*?\}", text, flags=re.DOTALL))
    assert not re.search(r"^[*\[]", text, flags=re.MULTILINE)
    assert "--" not in text and not re.search("[\x00-\x08\x0b-\x1f\u202e]", text)
