"""The layout of the report at every width and in every font: no text is cut off, or on another one."""

import pytest
from chromium import misplaced_texts, needs_chromium, open_chromium, show_page
from report_world import full_record

from harness.report.page import make_report
from harness.report.reading import read_run

pytestmark = needs_chromium
WIDTHS = (400, 640, 800, 1280, 1600)


@pytest.fixture(scope="module")
def pages(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("pages")
    records = {
        "hostile": full_record(folder),
        "kept": read_run(request.config.rootpath / "leaderboards/lab/recoveries"),
    }
    for name, record in records.items():
        (folder / f"{name}.html").write_text(make_report(record).html, encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=[None, "Liberation", "DejaVu"], ids=["any font", "Liberation", "DejaVu"])
def browser(request, tmp_path_factory):
    driver = open_chromium(tmp_path_factory.mktemp("chromium"), request.param)
    yield driver
    driver.quit()


@pytest.mark.parametrize("name", ["hostile", "kept"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_is_cut_off_or_on_another(browser, pages, name, width):
    page = show_page(browser, (pages / f"{name}.html").as_uri(), width=width)
    for choice in (0, -1):
        page.execute_script(
            "for (const one of document.querySelectorAll('.choice'))"
            " [...one.querySelectorAll('input')].at(arguments[0]).click();",
            choice,
        )
        count, wrong = misplaced_texts(page)
        assert count > 200
        assert not wrong, "\n".join(wrong)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width


def test_the_measure_finds_what_is_wrong(browser, tmp_path):
    path = tmp_path / "wrong.html"
    path.write_text(
        "<style>.panel{width:9rem;position:relative} span{position:absolute;left:0;top:0;white-space:nowrap}"
        "p{width:4rem;overflow:hidden;white-space:nowrap}</style>"
        "<div class=panel><span>one two</span><span>three four</span></div>"
        "<div class=panel><span>a text that is wider than its panel</span></div><br><p>cut off at the end</p>"
    )
    _, wrong = misplaced_texts(show_page(browser, path.as_uri(), width=800))
    assert {text.split(":")[0] for text in wrong} == {"on one another", "outside of its box", "cut off"}
