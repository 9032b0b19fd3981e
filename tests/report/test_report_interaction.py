"""What a reader does with the report in headless Chromium: point, highlight, hide, filter and choose, also by keys."""

import pytest
from axe import axe_findings
from chromium import needs_chromium, show_page
from report_world import full_record
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness.report.page import make_report

pytestmark = needs_chromium
SEEN = (
    "return [...document.querySelectorAll(arguments[0])].filter((one) => one.getBoundingClientRect().height > 0).length"
)
CLEAR = "return [...document.querySelectorAll(arguments[0])].map((one) => getComputedStyle(one).opacity)"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    path = folder / "report.html"
    path.write_text(make_report(full_record(folder)).html, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser, address):
    show_page(browser, address)
    browser.execute_script(
        "document.head.insertAdjacentHTML('beforeend', '<style>* { transition: none !important }</style>')"
    )
    return browser


def button(page, name):
    return next(one for one in page.find_elements(By.CSS_SELECTOR, ".methods button") if one.text == name)


def test_pointing_at_a_mark_shows_its_numbers(page):
    mark = page.find_element(By.CSS_SELECTOR, "svg.area [data-tip]")
    page.execute_script("arguments[0].dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))", mark)
    assert page.find_element(By.ID, "tip").text == mark.get_attribute("data-tip")
    assert "95 % interval" in mark.get_attribute("data-tip")


def test_the_arrow_keys_go_from_mark_to_mark(page):
    drawing = page.find_element(By.CSS_SELECTOR, ".drawing")
    marks = [one for one in drawing.find_elements(By.CSS_SELECTOR, "[data-tip]") if one.is_displayed()]
    texts = [one.get_attribute("data-tip") for one in marks]
    shown = []
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_LEFT, Keys.END, Keys.HOME):
        drawing.send_keys(key)
        shown.append(page.find_element(By.ID, "tip").text)
    assert shown == [texts[0], texts[1], texts[0], texts[-1], texts[0]]
    assert page.find_element(By.ID, "tip").get_attribute("role") == "status"
    drawing.send_keys(Keys.ESCAPE)
    assert page.find_element(By.ID, "tip").text == ""


def test_the_focus_on_a_method_highlights_it_everywhere(page):
    method = button(page, "re-math")
    number = method.get_attribute("data-m")
    page.find_element(By.CSS_SELECTOR, ".filter input").click()
    while page.switch_to.active_element != method:
        page.switch_to.active_element.send_keys(Keys.TAB)
    assert set(page.execute_script(CLEAR, f'main [data-m="{number}"]')) == {"1"}
    others = page.execute_script(CLEAR, f'main [data-m]:not([data-m="{number}"]):not(button)')
    assert len(others) > 20 and set(others) == {"0.18"}
    page.find_element(By.CSS_SELECTOR, ".filter input").click()
    assert set(page.execute_script(CLEAR, "main [data-m]")) == {"1"}


@pytest.mark.parametrize("press", [lambda one: one.click(), lambda one: one.send_keys(Keys.ENTER)])
def test_a_method_is_hidden_and_shown_everywhere(page, press):
    method = button(page, "re-math")
    parts = f'main [data-m="{method.get_attribute("data-m")}"]:not(button)'
    before = page.execute_script(SEEN, parts)
    press(method)
    assert before > 10 and page.execute_script(SEEN, parts) == 0
    assert method.get_attribute("aria-pressed") == "false"
    press(method)
    assert page.execute_script(SEEN, parts) == before


def test_the_filter_shows_the_methods_with_its_text(page):
    page.find_element(By.CSS_SELECTOR, ".filter input").send_keys("ROLLBACK")
    pressed = {
        one.text: one.get_attribute("aria-pressed") for one in page.find_elements(By.CSS_SELECTOR, ".methods button")
    }
    assert {name for name, shown in pressed.items() if shown == "true"} == {"rollback", "random-rollback"}


def test_the_horizontal_axis_is_chosen_by_keyboard(page):
    choice = page.find_element(By.CSS_SELECTOR, "input[name=trajectories-view]")
    views = page.find_elements(By.CSS_SELECTOR, "[aria-labelledby=trajectories] .view")
    assert [one.is_displayed() for one in views] == [True, False]
    choice.send_keys(Keys.ARROW_RIGHT)
    assert [one.is_displayed() for one in views] == [False, True]
    assert "optimizer steps" in views[1].text


def test_everything_that_can_be_used_is_reached_by_tab(page):
    wanted = page.execute_script(
        "const stops = 'a, button, summary, [tabindex=\"0\"], input[type=search], input:checked';"
        "return [...document.querySelectorAll(stops)]"
        ".filter((one) => one.checkVisibility()).map((one, place) => { one.dataset.stop = place; return place; })"
    )
    reached = set()
    for _ in range(len(wanted) + 5):
        page.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(page.execute_script("return document.activeElement.dataset.stop"))
    assert {str(place) for place in wanted} <= reached


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (1280, "dark")])
def test_axe_finds_nothing_serious(browser, address, width, scheme):
    show_page(browser, address, width=width, scheme=scheme)
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.set_script_timeout(300)
    assert axe_findings(browser) == []
