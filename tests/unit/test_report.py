"""`harness report`: what the page says, of which runs, and that no name of a run becomes markup."""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
import typer
from fake_run import make_leaderboard, make_plan
from report_world import IMAGE, SCRIPT, conflicts, curve, full_record, predicted, random_control, write_run
from typer.testing import CliRunner

from harness.cli import report as report_command
from harness.errors import HarnessError, UsageError
from harness.plan import plan_to_json
from harness.plan_record import plan_from_json
from harness.report.captions import over_seeds
from harness.report.drawing import draw, inline, printable
from harness.report.figure import Absent, Figure
from harness.report.figures.conflicts import conflict_cosine, conflict_share
from harness.report.figures.cost import cost
from harness.report.figures.forgetting import change_by_step, forgetting
from harness.report.figures.predicted_damage import predicted_damage, predictions, rank_correlation
from harness.report.figures.recoveries import paired, recoveries
from harness.report.figures.rollback_curve import rollback_curve
from harness.report.figures.scores_by_step import scores_by_step
from harness.report.page import FIGURES, make_report, notices
from harness.report.reading import read_run
from harness.report.record import ProbeRows, RunRecord, RunState, StepReport


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
    app = typer.Typer()
    report_command.register(app)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, HarnessError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def record_of(leaderboard, **changes):
    return RunRecord(leaderboard=leaderboard, protocol="", provenance={}, **changes)


def cells(figure):
    """Returns the rows of a figure's numbers by their first cell."""
    assert isinstance(figure, Figure)
    return {row[0]: row[1:] for row in figure.numbers.rows}


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
    drawn = [make(record) for make in FIGURES]
    assert all(isinstance(one, Figure) for one in drawn)
    pictures = [attributes for attributes in page.all("div") if attributes.get("role") == "img"]
    assert [one["aria-label"] for one in pictures] == [one.description for one in drawn]
    assert len(page.all("figcaption")) == len(drawn)
    assert len(page.all("svg")) == 2 * len(drawn)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_tables_have_captions_and_scopes(page):
    assert len(page.all("table")) == len(page.all("caption")) > len(FIGURES)
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
    assert len(make_report(record_of(empty)).absent) == len(FIGURES)


def test_the_figures_take_their_paper_and_ink_from_the_page(record):
    svg = draw(scores_by_step(record).chart("narrow"), "narrow")
    shown = inline(svg, "some-")
    assert "#1b1f24" in svg
    assert "var(--ink)" in shown and "#1b1f24" not in shown and "#ffffff" not in shown
    titles = [one.text for one in ElementTree.fromstring(shown).iter("{http://www.w3.org/2000/svg}title")]
    assert any("step 3" in title and "95 % interval" in title for title in titles)


# ------------------------------------------------------------------------------------------------- the figures


def test_forgetting_is_that_of_the_leaderboard(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    numbers = cells(forgetting(record_of(leaderboard)))
    assert numbers["sequential"][0].startswith("20.0 [")  # code: 90 at its best, 70 at the end
    assert numbers["re-math"][1].startswith("2.0 [")


def test_change_by_step_shows_a_shared_step_once_and_compares_seed_by_seed(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.1 * seed)
    numbers = cells(change_by_step(record_of(leaderboard)))
    assert list(numbers) == [
        "sequential 1: code",
        "sequential 2: math",
        "sequential 3: qa",
        "re-math 4: recover math (refresh)",
    ]
    change = re.match(r"−18\.0 \[(\S+), (\S+)\]", numbers["sequential 3: qa"][0])
    # Seeds differ by 10 points and the step's effect does not: the interval is that of the sampling errors.
    assert float(change[1].replace("−", "-")) > -21 and float(change[2].replace("−", "-")) < -15


def test_a_fall_where_lower_is_better_is_a_gain(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path, changes={"higher_is_better": False})
    numbers = cells(change_by_step(record_of(leaderboard)))
    assert numbers["sequential 3: qa"][0].startswith("18.0 [")


def test_lines_of_methods_begin_where_they_leave_one_another(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    chart = scores_by_step(record_of(leaderboard)).chart("wide").to_dict()
    values = chart["data"]["values"] if "values" in chart["data"] else chart["datasets"][chart["data"]["name"]]
    steps = {
        method: sorted({row["step"] for row in values if row["method"] == method and row["domain"] == "code"})
        for method in ("sequential", "re-math")
    }
    assert steps == {"sequential": [0, 1, 2, 3], "re-math": [3, 4]}
    roles = {row["step"]: row["role"] for row in values if row["domain"] == "math" and row["own"]}
    assert (roles[2], roles[3], roles[4]) == ("trains the domain", "another domain's step", "recovers the domain")


def test_many_methods_are_panels_of_their_own(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    first = leaderboard.row("sequential")
    many = [
        first.model_copy(
            update={
                "method": f"order {index}",
                "trajectory": tuple(
                    step.model_copy(update={"checkpoints": (f"{index}-{step.step}",)}) for step in first.trajectory
                ),
            }
        )
        for index in range(9)
    ]
    figure = scores_by_step(record_of(leaderboard.model_copy(update={"rows": tuple(many)})))
    assert figure.chart("wide").to_dict()["facet"]["field"] == "method"


def test_a_control_stands_beside_the_recovery_that_it_is_drawn_for(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    pairs = {pair.method: pair.control and pair.control[0] for pair in paired(random_control(leaderboard))}
    assert pairs == {"re-math": None, "rollback": "random-rollback"}
    figure = recoveries(record_of(random_control(leaderboard)))
    assert "Without a random control: re-math." in figure.caption
    assert "random-rollback (random control)" in figure.description


def test_a_control_of_another_size_is_no_control(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    data = json.loads(random_control(leaderboard).to_json())
    next(row for row in data["rows"] if row["method"] == "random-rollback")["recovery"]["config"]["fraction"] = 0.5
    pairs = paired(type(leaderboard).parse(json.dumps(data), "test"))
    assert [pair.control for pair in pairs] == [None, None, None]


def test_damage_within_noise_has_no_bar_and_is_told(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    data = json.loads(leaderboard.to_json())
    row = next(row for row in data["rows"] if row["recovery"])
    row["recovery"]["ratio"] |= {"mean": None, "ci95": None, "interval": None}
    figure = recoveries(record_of(type(leaderboard).parse(json.dumps(data), "test")))
    assert "within noise, so there is no share: re-math: math" in figure.caption
    assert ElementTree.fromstring(draw(figure.chart("wide"), "wide")) is not None


def test_a_prediction_meets_the_points_that_its_step_took(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    probes = tuple(ProbeRows(probe="p", method=m, seed=0, rows=predicted()) for m in ("sequential", "re-math"))
    found = list(predictions(record_of(leaderboard, probes=probes)))
    assert len(found) == 9  # the second method shares these steps
    one = next(point for point in found if (point.step, point.domain) == (3, "code"))
    assert (one.kind, one.predicted) == ("p: first order", pytest.approx(0.3))
    assert one.measured == pytest.approx(18.0)
    rows = [{"step": 3, "label": "qa", "harmed_domain": "math", "full_damage": 0.5, "coordinates": 7}]
    other = (ProbeRows(probe="second", method="sequential", seed=0, rows=rows),)
    (point,) = predictions(record_of(leaderboard, probes=other))
    assert (point.kind, point.domain, point.measured) == ("second: full damage", "math", pytest.approx(20.0))
    assert "n = 9" in predicted_damage(record_of(leaderboard, probes=probes)).caption


def test_rows_that_are_no_predictions_are_left_alone(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    rows = [
        {"step": 3, "domain": "code", "predicted_damage": math.nan},
        {"step": 3, "domain": "nowhere", "predicted_damage": 1.0},
        {"step": "3", "domain": "code", "predicted_damage": 1.0},
        {"step": 99, "domain": "code", "predicted_damage": 1.0},
        {"step": 3, "domain": "code", "predicted_damage": True},
        {"step": 3, "domain": "code", "damage": 1.0},
        {"step": 3, "harmed_domain": None, "full_damage": 1.0},
    ]
    probes = (ProbeRows(probe="p", method="sequential", seed=0, rows=rows),)
    assert not list(predictions(record_of(leaderboard, probes=probes)))


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([(1, 1), (2, 4), (3, 9)], "1.00"),
        ([(1, 9), (2, 4), (3, 1)], "−1.00"),
        ([(1, 1), (2, 3), (2, 2), (3, 4)], "0.95"),  # 3 / sqrt(2 · 5): a tie shares its ranks
        ([(1, 1), (2, 2)], "none, too few different points"),
        ([(1, 1), (1, 2), (1, 3)], "none, too few different points"),
    ],
)
def test_the_rank_correlation(pairs, told):
    assert rank_correlation([a for a, _ in pairs], [b for _, b in pairs]) == told


def test_conflicts_are_laid_out_by_layer_and_module(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    steps = tuple(
        StepReport(methods=("a",), seed=seed, step=1, label="", report={"conflict_by_module": conflicts()})
        for seed in (0, 1)
    )
    record = record_of(leaderboard, steps=steps)
    figure = conflict_cosine(record)
    assert "negative" in figure.caption and "n = 60 optimizer steps a seed" in figure.caption
    chart = figure.chart("wide").to_dict()
    values = chart["data"]["values"] if "values" in chart["data"] else chart["datasets"][chart["data"]["name"]]
    assert {(row["row"], row["column"]) for row in values} >= {
        ("0", "self_attn"),
        ("2", "mlp"),
        ("outside the layers", "norm"),
    }
    assert list(dict.fromkeys(row["row"] for row in values)) == ["0", "1", "2", "outside the layers"]
    assert "layers.0.self_attn: −0.300" in figure.description
    shares = {row[1]: row[2] for row in conflict_share(record).numbers.rows}
    assert shares["norm"].startswith("0.875")


@pytest.mark.parametrize("report", [{}, {"conflict_by_module": "?"}, {"conflict_by_module": [3, {"domains": "ab"}]}])
def test_a_report_without_conflicts_gives_no_map(tmp_path, report):
    leaderboard, _ = make_leaderboard(tmp_path)
    steps = (StepReport(methods=("a",), seed=0, step=1, label="", report=report),)
    assert isinstance(conflict_cosine(record_of(leaderboard, steps=steps)), Absent)


def test_the_curve_holds_random_draws_as_a_band_and_counts_a_shared_measurement_once(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    probes = tuple(ProbeRows(probe="p", method=m, seed=0, rows=curve()) for m in ("sequential", "re-math"))
    figure = rollback_curve(record_of(leaderboard, probes=probes))
    assert "9 in all" in figure.caption and "the peak and the damaged checkpoint" in figure.caption
    rows = {row[:4]: row[4:] for row in figure.numbers.rows}
    assert rows["sequential: math", "random", "0.05", "target"][1] == "3"
    assert rows["sequential: math", "fisher", "0.2", "target"] == ("95.00", "1")
    assert not [place for place in rows if place[0].startswith("re-math")]
    chart = figure.chart("wide").to_dict()
    values = chart["data"]["values"] if "values" in chart["data"] else chart["datasets"][chart["data"]["name"]]
    band = next(row for row in values if (row["kind"], row["fraction"], row["measure"]) == ("random", 0.05, "target"))
    assert (band["low"], band["score"], band["high"]) == (75, 76, 77)


def test_cost_is_told_of_the_methods_that_are_whole(tmp_path):
    folder = write_run(tmp_path, without=("re-math",))
    figure = cost(read_run(folder))
    assert cells(figure)["sequential"][:2] == ("180", "46,080")
    assert cells(figure)["re-math"] == ("–",) * 4
    assert "Not known yet: re-math." in figure.caption


def test_one_seed_says_so():
    assert "not the spread of seeds" in over_seeds((3,))
    assert "Mean over 2 seeds (0, 1)" in over_seeds((0, 1))


# ------------------------------------------------------------------------------------------------- runs and records


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
    assert "has not ended" in page.text and "15 of 19 results are there" in page.text
    assert "90.0" in page.text
    assert not (folder / "leaderboard.json").exists()


def test_a_run_that_went_on_since_its_tables_shows_the_newer_scores(tmp_path):
    folder = write_run(tmp_path, without=("re-math",))
    assert read_run(folder).leaderboard.row("re-math").rank is None
    from fake_run import fill

    from harness.store import Store

    fill(Store(tmp_path / "store"), make_plan())
    assert read_run(folder).leaderboard.row("re-math").rank == 1


def test_a_stopped_run_says_why(tmp_path):
    told = notices(read_run(write_run(tmp_path, without=("re-math",), stopped="interrupted")))
    assert told == [
        "This run is not complete (stopped: interrupted): 15 of 19 results are there. "
        "Running it again makes what is missing."
    ]


def test_a_run_without_its_store_shows_its_leaderboard(tmp_path):
    folder = write_run(tmp_path)
    alone = tmp_path / "elsewhere" / folder.name
    alone.parent.mkdir()
    folder.rename(alone)
    record = read_run(alone)
    assert record.leaderboard.row("re-math").rank == 1
    assert "was not found beside it" in notices(record)[0]
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


def test_figures_are_written_as_files(tmp_path):
    folder = write_run(tmp_path)
    invoke(folder, "--figures", tmp_path / "figures")
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert names == {"scores-by-step", "forgetting", "change-by-step", "recoveries", "cost"}
    for name in names:
        root = ElementTree.fromstring((tmp_path / "figures" / f"{name}.svg").read_text())
        image = (tmp_path / "figures" / f"{name}.png").read_bytes()
        assert image.startswith(b"\x89PNG")
        width = int.from_bytes(image[16:20])
        assert width == pytest.approx(2 * float(root.get("width")), abs=2)


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
