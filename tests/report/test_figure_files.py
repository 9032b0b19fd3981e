"""The figures of a report as SVG and PNG files."""

from xml.etree import ElementTree

import altair
import pytest
from fake_run import make_leaderboard
from report_world import SCRIPT, full_record, random_control, record_of, write_run
from typer.testing import CliRunner

from harness.cli import app
from harness.report.drawing import draw
from harness.report.figure_files import figure_files
from harness.report.figures.trajectories import trajectories
from harness.report.page import FIRST, FURTHER
from harness.report.plots.chart import chart_of

TEXT = "{http://www.w3.org/2000/svg}text"


def test_figures_are_written_as_files(tmp_path):
    folder = write_run(tmp_path)
    result = CliRunner().invoke(app, ["report", str(folder), "--figures", str(tmp_path / "figures")])
    assert result.exit_code == 0, result.output
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert {"trajectories", "trajectories-2", "plasticity", "recoveries", "recoveries-4", "differences"} <= names
    assert {"transfer", "forgetting", "change-by-step", "cost"} <= names
    for name in ("trajectories", "differences", "transfer"):
        root = ElementTree.fromstring((tmp_path / "figures" / f"{name}.svg").read_text())
        image = (tmp_path / "figures" / f"{name}.png").read_bytes()
        assert image.startswith(b"\x89PNG")
        width = int.from_bytes(image[16:20])
        assert width == pytest.approx(2 * float(root.get("width")), abs=2)


def test_every_kind_of_figure_can_be_drawn_with_hostile_names(tmp_path):
    figures = [make(full_record(tmp_path)) for make in (*FIRST, *FURTHER)]
    texts = []
    for figure in figures:
        root = ElementTree.fromstring(draw(chart_of(figure.views[-1])))
        assert not [one for one in root.iter() if one.tag.endswith(("script", "img", "foreignObject"))]
        texts += [one.text or "" for one in root.iter(TEXT)]
    assert any(SCRIPT[:10] in text for text in texts)


def test_the_stages_have_their_names_on_the_axis(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    svg = draw(chart_of(trajectories(record_of(leaderboard)).views[0]))
    words = [text.text for text in ElementTree.fromstring(svg).iter(TEXT)]
    assert {"base", "code", "math", "qa", "recover math", "score (%)", "re-math"} <= set(words)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({"error": "RangeError: Maximum call stack size exceeded"}, "Maximum call stack size exceeded"),
        (ConnectionError(), "the drawing library crashed"),
        (TimeoutError(), "took more than"),
    ],
)
def test_a_figure_that_the_drawing_library_cannot_draw_is_told(tmp_path, monkeypatch, reply, reason):
    leaderboard, _ = make_leaderboard(tmp_path)

    class Broken:
        def ask(self, request, seconds):
            if isinstance(reply, Exception):
                raise reply
            return reply

    monkeypatch.setattr("harness.report.drawing._PROCESS", Broken())
    files, undrawn = figure_files([FIRST[1](record_of(random_control(leaderboard)))])
    assert files == {} and list(undrawn) == ["plasticity.svg"]
    assert reason in undrawn["plasticity.svg"]


def test_control_characters_reach_no_drawing():
    chart = altair.Chart(altair.InlineData(values=[{"x": "a\x00\x1b"}]), title="t\x00\x08").mark_point().encode(x="x:N")
    svg = draw(chart)
    assert "\N{REPLACEMENT CHARACTER}" in svg
    assert not any(character in svg for character in "\x00\x08\x1b")
