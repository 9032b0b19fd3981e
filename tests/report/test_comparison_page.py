"""The page of a comparison: what it shows, hostile names as text, no script, and no text that is cut off."""

import re
from xml.etree import ElementTree

import pytest
from axe import axe_findings
from chromium import CLIPPED, needs_chromium, show_page
from fake_run import make_leaderboard
from sample_world import answered, sampled_run

import harness
from harness import UsageError
from harness.report.comparison.figure import MOST_LINES, after_steps, final_scores
from harness.report.comparison.page import comparison_page
from harness.results.run_comparison import RunComparison

SEEDS = (0, 1, 2)
SCRIPT = "</style><script>document.title='broken'</script><img src=x onerror=alert(1)>"


def worse(domain, item, step, seed):
    text, score = answered(domain, item, step, seed)
    return text, 0.0 if step and item == seed else score


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return harness.compare(sampled_run(root, seeds=SEEDS), sampled_run(root, worse, seeds=SEEDS, steps=30))


def hostile(found):
    """Returns the comparison with markup in every name of runs, methods, steps, columns and settings."""
    text = found.to_json()
    for name in (found.first, found.second, "sequential", "train math", "qa", "train.config.steps"):
        text = text.replace(f'"{name}"', f'"{name} {SCRIPT}"'.replace("\\", "\\\\"))
    return RunComparison.model_validate_json(text)


def test_the_page_has_the_differences_settings_and_items(found):
    page = comparison_page(found)
    [sequential] = [one for one in found.methods if one.method == "sequential"]
    assert f"{sequential.average.mean:.2f} [" in page
    for text in ("Settings that differ", "train.config.steps", "Test items", "sequential 3 train qa", "p (Holm)"):
        assert text in page
    assert page == comparison_page(found)


def test_names_are_text_and_there_is_no_script(found):
    page = comparison_page(hostile(found))
    assert "<script" not in page and "<img" not in page and page.count("</style>") == 1
    assert "&lt;script&gt;" in page
    assert "script-src" not in page and "default-src 'none'" in page


def test_every_method_and_step_has_a_line_and_the_same_checkpoints_none(found):
    panels = final_scores(found).panels
    assert [panel.title for panel in panels] == ["average", "code", "math", "qa"]
    assert {line.label for panel in panels for line in panel.lines} == {"sequential", "re-math"}
    lines = [line.label for line in after_steps(found).panels[0].lines]
    assert lines == ["sequential 1 train code", "sequential 2 train math", "sequential 3 train qa",
                     "re-math 4 recover math (refresh)"]  # fmt: skip
    many = found.model_copy(update={"methods": found.methods * 50})
    assert all(len(panel.lines) == MOST_LINES for panel in final_scores(many).panels)


def test_runs_without_anything_in_common_have_a_page_too(tmp_path):
    _, one = make_leaderboard(tmp_path / "a", seeds=(0,), sequential="first")
    _, two = make_leaderboard(tmp_path / "b", seeds=(1,), sequential="second")
    nothing = harness.compare(one, two)
    page = comparison_page(nothing)
    assert "no method and seed in common" in page and "Methods only in" in page
    with pytest.raises(UsageError, match="nothing to draw"):
        harness.write_comparison(nothing, tmp_path / "figure.svg")
    assert not (tmp_path / "figure.svg").exists()


def test_the_ending_of_the_file_says_what_is_written(found, tmp_path):
    assert harness.write_comparison(found, tmp_path / "compare.html").read_text() == comparison_page(found)
    with pytest.raises(UsageError, match="a page or a figure"):
        harness.write_comparison(found, tmp_path / "compare.pdf")
    pytest.importorskip("altair")
    svg = harness.write_comparison(hostile(found), tmp_path / "compare.svg").read_text()
    ElementTree.fromstring(svg)
    assert not re.search(r"<(script|img)", svg)


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280, 1600])
def test_no_text_is_cut_off_and_nothing_is_asked_for(browser, found, tmp_path, width, scheme):
    page = tmp_path / "compare.html"
    page.write_text(comparison_page(hostile(found)), encoding="utf-8")
    shown = show_page(browser, page.as_uri(), width=width, scheme=scheme)
    assert shown.execute_script("return document.documentElement.scrollWidth") <= width
    assert shown.execute_script(CLIPPED) == []
    assert shown.get_log("browser") == []
    assert "broken" not in shown.title.partition("−")[0].partition("<")[0]
    asked = [one["message"] for one in shown.get_log("performance") if '"Network.requestWillBeSent"' in one["message"]]
    assert len([one for one in asked if page.as_uri() in one]) == 1  # others are those of the browser's own first page


@needs_chromium
def test_axe_finds_nothing(browser, found, tmp_path):
    page = tmp_path / "compare.html"
    page.write_text(comparison_page(found), encoding="utf-8")
    findings = axe_findings(show_page(browser, page.as_uri(), width=400, scheme="dark"))
    assert findings == []
