"""`harness report`: the content of the page, supported runs, and escaping of names."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from fake_run import fill, make_leaderboard, make_plan
from report_world import IMAGE, SCRIPT, conflicts, full_record, kept_prediction, record_of, write_run
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import HarnessError, UsageError
from harness.execution.leaderboard import build_leaderboard
from harness.execution.score_table import collect_scores
from harness.execution.store import Store
from harness.planning.serialization import plan_from_json, plan_to_json
from harness.report.captions import over_seeds
from harness.report.figure import Absent, Figure
from harness.report.figures.predicted_damage import predicted_damage
from harness.report.figures.trajectories import trajectories
from harness.report.notices import notices
from harness.report.page import FIRST, FURTHER, make_report, text_columns, unbroken_range
from harness.report.plots.printable import printable
from harness.report.reading import read_run
from harness.report.record import RunState
from harness.report.tables.layout import TextTable
from harness.results.probe_rows import ProbeRows
from harness.results.probe_tables import build_probe_record

MAKERS = (*FIRST, *FURTHER)


class Page(HTMLParser):
    """The page's elements with their attributes, and its text outside style and script."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self.within = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.within.append(tag)

    def handle_endtag(self, tag):
        while self.within and self.within.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"style", "script"} & set(self.within):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return "".join(self.words)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return full_record(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def html(record):
    return make_report(record).html


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def invoke(*arguments):
    """Runs the command and returns what it prints; a HarnessError is raised as it is."""
    result = CliRunner().invoke(app, ["report", *map(str, arguments)])
    if isinstance(result.exception, HarnessError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


# ------------------------------------------------------------------------------------------------- the page


def test_hostile_names_stay_text(record, page):
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert SCRIPT in page.text
    assert IMAGE in page.text
    assert "49" not in re.findall(r"<img src=x[^\n]{0,80}", page.text)[0]


def test_characters_that_no_page_can_hold_are_replaced(html, page):
    assert "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}" in page.text
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", html)
    assert printable({"a\x00": ["\x1b", 3]}) == {"a\ufffd": ["\ufffd", 3]}


def test_the_page_asks_for_nothing(html, page):
    for _, attributes in page.elements:
        for name in ("src", "href", "data", "action", "poster", "srcset", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.elements}
    assert not re.search(r"@import|url\((?!#)", html)


def test_the_same_run_gives_the_same_bytes_in_another_process(tmp_path):
    folder = write_run(tmp_path, report={"conflict_by_module": conflicts()})
    invoke(folder, "-o", tmp_path / "here.html")
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-m", "harness", "report", str(folder), "-o", str(tmp_path / "there.html")]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    assert (tmp_path / "here.html").read_bytes() == (tmp_path / "there.html").read_bytes()


def test_every_figure_has_a_name_a_caption_and_its_numbers(record, page):
    drawn = [make(record) for make in MAKERS]
    assert [one for one in drawn if not isinstance(one, Figure)] == []
    pictures = [attributes for attributes in page.all("div") if attributes.get("class") == "drawing"]
    assert [one["aria-label"] for one in pictures] == [printable(one.description) for one in drawn]
    assert len(page.all("figcaption")) == len(drawn)
    views = [attributes for attributes in page.all("div") if attributes.get("class") == "view"]
    assert len(views) == sum(len(one.views) for one in drawn) > len(drawn)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_tables_have_captions_and_scopes(page):
    tables = page.all("table")
    matrices = [one for one in tables if one.get("class") == "matrix"]
    assert len(tables) - len(matrices) == len(page.all("caption")) > len(MAKERS)
    assert matrices and all(one["aria-label"] for one in matrices)
    assert {attributes.get("scope") for attributes in page.all("th")} == {"col", "row"}


def test_figures_without_data_are_told_with_what_would_produce_them(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    page = Page(make_report(record_of(leaderboard)).html)
    for word in ("conflict_by_module", "predicted_", "target_score"):
        assert any(word in text for text in page.words)
    assert "Gradient cosines, Gradient conflicts" in page.text
    assert isinstance(predicted_damage(record_of(leaderboard)), Absent)


def test_a_leaderboard_with_nothing_in_it_is_a_page_too(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    empty = leaderboard.model_copy(update={"rows": (), "measurement": {}})
    assert len(make_report(record_of(empty)).absent) == len(MAKERS)


# ------------------------------------------------------------------------------------------------- the figures


def test_one_seed_says_so():
    assert "not include the variation between seeds" in over_seeds((3,))
    assert "Mean over 2 seeds (0, 1)" in over_seeds((0, 1))


# ------------------------------------------------------------------------------------------------- runs and records


def test_seeds_without_scores_yet_are_not_among_those_of_a_mean(tmp_path):
    plan, store = make_plan(seeds=(0, 1, 2)), Store(tmp_path / "store")
    fill(store, replace(plan, methods=tuple(method for method in plan.methods if method.seed == 1)))
    board = build_leaderboard(collect_scores(plan, store), plan, store, {})
    caption = trajectories(record_of(board)).caption
    assert "One seed (1): 95 % intervals over the test items" in caption
    assert "Not scored yet: seeds 0, 2." in caption
    whole, _ = make_leaderboard(tmp_path / "whole", seeds=(0, 1, 2))
    assert "Mean over 3 seeds (0, 1, 2)" in trajectories(record_of(whole)).caption


def test_a_plan_is_read_back_as_it_was():
    plan = make_plan(seeds=(0, 1))
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_a_whole_run_has_no_notice(tmp_path):
    record = read_run(write_run(tmp_path, report={"conflict_by_module": conflicts()}))
    assert notices(record) == []
    assert record.protocol == "name: fake\n"
    first = record.steps[0]
    assert (first.methods, first.step) == (("sequential", "re-math"), 1)
    assert first.report["conflict_by_module"][0]["module"] == "layers.0.self_attn"


def test_a_run_that_has_not_ended_shows_what_is_there(tmp_path):
    folder = write_run(tmp_path, without=("re-math",), finished=False)
    assert not (folder / "leaderboard.json").exists()
    printed = invoke(folder)
    assert printed == f"{folder / 'report.html'}\n"
    page = Page((folder / "report.html").read_text())
    assert "still running or was killed" in page.text and "15 of 19 results are available" in page.text
    assert "90.0" in page.text
    assert not (folder / "leaderboard.json").exists()


def test_a_run_that_went_on_since_its_tables_shows_the_newer_scores(tmp_path):
    folder = write_run(tmp_path, without=("re-math",))
    assert read_run(folder).leaderboard.row("re-math").rank is None
    from fake_run import fill

    from harness.execution.store import Store

    fill(Store(tmp_path / "store"), make_plan())
    assert read_run(folder).leaderboard.row("re-math").rank == 1


def test_a_stopped_run_says_why(tmp_path):
    told = notices(read_run(write_run(tmp_path, without=("re-math",), stopped="interrupted")))
    assert told == [
        "This run is not complete (stopped: interrupted): 15 of 19 results are available. "
        "Run it again to compute the missing results."
    ]


def test_a_run_without_its_store_shows_its_leaderboard(tmp_path):
    folder = write_run(tmp_path)
    alone = tmp_path / "elsewhere" / folder.name
    alone.parent.mkdir()
    folder.rename(alone)
    record = read_run(alone)
    assert record.leaderboard.row("re-math").rank == 1
    assert "was not found" in notices(record)[0]
    assert {path.name for path in alone.parent.iterdir()} == {alone.name}


def test_a_result_that_cannot_be_read_is_left_out_and_told(tmp_path):
    folder = write_run(tmp_path, report=["no mapping"])
    record = read_run(folder)
    assert len(record.steps) == 3
    assert "cannot be read" in notices(record)[0] and "of code" in notices(record)[0]


def test_a_kept_leaderboard_is_reported(tmp_path):
    _, folder = make_leaderboard(tmp_path)
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "leaderboard.json").write_bytes((folder / "leaderboard.json").read_bytes())
    invoke(kept, "-o", tmp_path / "new" / "page.html")
    assert "re-math" in (tmp_path / "new" / "page.html").read_text()
    assert [path.name for path in kept.iterdir()] == ["leaderboard.json"]


def test_a_kept_runs_report_lies_beside_it_and_is_made_again_to_the_same_bytes(tmp_path):
    folder = write_run(tmp_path, report={"conflict_by_module": conflicts(), "much_more": list(range(1000))})
    board = read_run(folder).leaderboard
    (folder / "prediction.json").write_text(replace(kept_prediction(board), order=(), checked=()).to_json())
    kept = tmp_path / "kept"
    result = CliRunner().invoke(app, ["leaderboard", "add", str(folder), "-d", str(kept)])
    assert result.exit_code == 0, result.output
    assert str(kept / "report.html") in result.stdout
    html = (kept / "report.html").read_bytes()
    assert b'id="conflict-cosine"' in html and b'id="prediction"' in html
    assert "much_more" not in (kept / "steps.json").read_text()
    invoke(kept)
    assert (kept / "report.html").read_bytes() == html
    (kept / "steps.json").write_text("[3]")
    with pytest.raises(UsageError, match="cannot be read") as raised:
        invoke(kept)
    assert raised.value.where == str(kept / "steps.json")


def test_what_probes_measured_stands_in_tables_as_text(tmp_path):
    rows = tuple(
        ProbeRows(
            probe=SCRIPT, method="a", seed=seed, rows=[{"step": 1, "domain": IMAGE, "tiny": 4e-6 * (1 + seed / 100)}]
        )
        for seed in (0, 1)
    )
    measured = build_probe_record("fake", ["a"], rows, lambda name: None)
    leaderboard, _ = make_leaderboard(tmp_path)
    page = Page(make_report(record_of(leaderboard, probes=rows), measured).html)
    assert len(page.all("script")) == 1 and not page.all("img")
    assert SCRIPT in page.text and IMAGE in page.text
    assert "4.02e−06 [" in page.text and "Means over seeds 0, 1" in page.text
    assert {"href": "#probes"} in page.all("a")
    without = Page(make_report(record_of(leaderboard)).html)
    assert {"href": "#probes"} not in without.all("a")


def test_a_small_number_with_its_interval_is_a_number():
    table = TextTable(title="", subtitle="", columns=("a", "b"), rows=(("x", "4.86e−06 [2.20e−06, 9e−06]"), ("y", "–")))
    assert text_columns(table) == [True, False]


def test_an_interval_is_held_together_and_what_looks_like_one_stays_text():
    assert unbroken_range("61.5 [54.1, 68.5]") == '61.5 <span class="range">[54.1, 68.5]</span>'
    assert unbroken_range("<b> [<i>]") == '&lt;b&gt; <span class="range">[&lt;i&gt;]</span>'
    assert unbroken_range("[a] {0}") == "[a] {0}"
    assert unbroken_range("\x00") == "\N{REPLACEMENT CHARACTER}"


def test_what_is_no_run_is_told_and_nothing_is_written(tmp_path):
    with pytest.raises(UsageError, match=r"no leaderboard\.json") as caught:
        invoke(tmp_path)
    assert "harness run" in caught.value.hint
    assert caught.value.exit_code == 2
    with pytest.raises(UsageError, match="no run 'nothing'"):
        invoke("nothing", "--runs", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_is_none_is_told(tmp_path):
    folder = write_run(tmp_path)
    (folder / "plan.json").write_text('{"nodes": [{"kind": "dream"}]}')
    with pytest.raises(UsageError, match="plan cannot be read") as caught:
        read_run(folder)
    assert "plan.json" in caught.value.where


def test_a_state_tells_only_what_it_is(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    record = record_of(leaderboard, state=RunState(done=2, nodes=2, running=True))
    assert notices(record) == []
    assert "ended with 1 failed" in notices(replace(record, state=RunState(done=1, nodes=2, failed=1)))[0]


def test_a_figure_that_cannot_be_made_is_left_out_with_its_reason(tmp_path, monkeypatch):
    def forgetting(record):
        raise RuntimeError("no such layer")

    monkeypatch.setattr("harness.report.page.FIRST", (forgetting, *FIRST[:1]))
    monkeypatch.setattr("harness.report.page.FURTHER", ())
    report = make_report(full_record(tmp_path))
    assert [(one.title, one.reason) for one in report.absent] == [
        ("Forgetting", "An error occurred: RuntimeError: no such layer")
    ]
    assert "no such layer" in report.html
    assert [one.name for one in report.figures] == ["trajectories"]


def test_a_figure_of_too_many_numbers_is_not_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.report.page.FIRST", FIRST[:1])
    monkeypatch.setattr("harness.report.page.FURTHER", ())
    monkeypatch.setattr("harness.report.page.MOST_DRAWN_MARKS", 20)
    report = make_report(full_record(tmp_path))
    [reason] = report.undrawn.values()
    assert "the limit is 20" in reason
    assert reason in report.html
