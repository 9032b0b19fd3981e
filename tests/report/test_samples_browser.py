"""The browser of samples in headless Chromium: filters, side by side, keyboard, widths, and hostile texts."""

import pytest
from axe import axe_findings
from chromium import needs_chromium, show_page
from report_world import full_record
from sample_world import answered, sampled_run
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from harness.report.page import make_report
from harness.report.samples.section import samples_section

pytestmark = needs_chromium
HOSTILE = "</pre><img src=x onerror=\"document.title='broken'\"> \u202e " + "unbroken" * 80


def hostile(domain, item, step, seed):
    text, score = answered(domain, item, step, seed)
    return (HOSTILE, score) if domain == "qa" else (text, score)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    section = samples_section(sampled_run(folder / "runs", hostile))
    page = folder / "report.html"
    page.write_text(make_report(full_record(folder / "record"), sections=[section]).html, encoding="utf-8")
    return page.as_uri()


@pytest.fixture
def show(browser, address):
    return lambda **looks: show_page(browser, address, **looks)


def choose(page, name, text):
    Select(page.find_element(By.ID, f"samples-{name}")).select_by_visible_text(text)


def text_of(page, name):
    return page.find_element(By.ID, f"samples-{name}").text


def listed(page):
    return [one.text for one in Select(page.find_element(By.ID, "samples-items")).options]


def test_it_opens_at_the_step_that_lost_most_and_shows_what_flipped(show):
    page = show()
    choose(page, "domain", "math")
    assert text_of(page, "counts") == (
        "math: 3 of 6 wrong after sequential, step 3 (train qa); 1 flipped from right to wrong and 0 from wrong to "
        "right since sequential, step 2 (train math)."
    )
    assert listed(page) == ["1: right → wrong"]
    shown = text_of(page, "item")
    for text in ("prompt 1", "target 1", "answer 1 of step 2", "answer 1 of step 3", "right, 1", "wrong, 0"):
        assert text in shown


@pytest.mark.parametrize(
    ("filter_", "items"),
    [("wrong after", {1, 4, 5}), ("right after", {0, 2, 3}), ("all", set(range(6))), ("wrong → right", set())],
)
def test_filters_choose_items(show, filter_, items):
    page = show()
    choose(page, "domain", "math")
    choose(page, "filter", filter_)
    assert {int(text.partition(":")[0]) for text in listed(page)} == items


def test_any_two_checkpoints_stand_side_by_side(show):
    page = show()
    choose(page, "domain", "math")
    choose(page, "filter", "all")
    choose(page, "before", "sequential: base")
    choose(page, "after", "re-math: 4 recover math (refresh)")
    assert "0 flipped from right to wrong and 4 from wrong to right since base" in text_of(page, "counts")
    left, right = page.find_elements(By.CSS_SELECTOR, ".samples-pair > div")
    assert left.location["x"] < right.location["x"] and left.location["y"] == right.location["y"]
    assert "of step 0" in left.text and "of step 4" in right.text


def test_the_keyboard_reaches_the_list_and_moves_in_it(show):
    page = show()
    choose(page, "domain", "math")
    choose(page, "filter", "all")
    page.find_element(By.ID, "samples-filter").send_keys(Keys.TAB)
    at = page.switch_to.active_element
    assert at.get_attribute("id") == "samples-items"
    before = text_of(page, "item")
    at.send_keys(Keys.ARROW_DOWN)
    assert text_of(page, "item") != before


def test_an_item_without_texts_names_the_command_that_shows_it(show):
    page = show()
    page.execute_script(
        "const data = JSON.parse(document.getElementById('samples-data').textContent);"
        "for (const one of data.domains) one.texts = one.texts.slice(0, 1);"
        "document.getElementById('samples-data').textContent = JSON.stringify(data);"
        "for (const name of ['domain', 'before', 'after', 'filter', 'items'])"
        " document.getElementById(`samples-${name}`).replaceChildren();"
    )
    page.execute_script(samples_section_script())
    choose(page, "domain", "math")
    choose(page, "filter", "wrong after")
    assert listed(page)[1:] == ["4: wrong → wrong (no text)", "5: wrong → wrong (no text)"]
    page.find_element(By.ID, "samples-items").send_keys(Keys.ARROW_DOWN)
    command = page.find_element(By.CSS_SELECTOR, "#samples-item code").text
    assert command.endswith(
        "sequential --seed 0 --step 3 --domain math --item 4 --against sequential@2"
    ) and command.startswith("harness samples fake-")


def samples_section_script():
    from harness.report.samples.section import _file

    return _file("samples.js")


@pytest.mark.parametrize("width", [400, 1280, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_text_is_cut_off_even_if_it_is_hostile(show, width, scheme):
    page = show(width=width, scheme=scheme)
    choose(page, "domain", "qa")
    choose(page, "filter", "all")
    assert "</pre><img src=x" in text_of(page, "item")
    assert page.title == "fake: report"
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    outside = page.execute_script(
        "return [...document.querySelectorAll('.samples *')].filter((one) => one.checkVisibility()"
        " && !one.closest('select')).filter((one) => one.getBoundingClientRect().right > innerWidth"
        " || one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline').length"
    )
    assert outside == 0


def test_nothing_is_asked_for_and_nothing_is_logged(show):
    page = show()
    page.get_log("browser")
    page.get_log("performance")
    page.refresh()
    choose(page, "domain", "qa")
    assert page.get_log("browser") == []
    asked = [one["message"] for one in page.get_log("performance") if '"Network.requestWillBeSent"' in one["message"]]
    assert len(asked) == 1


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1280, "light")])
def test_axe_finds_nothing_serious_in_the_samples(show, width, scheme):
    page = show(width=width, scheme=scheme)
    choose(page, "domain", "math")
    assert [one for one in axe_findings(page) if "samples" in one or one.startswith(("serious", "critical"))] == []
