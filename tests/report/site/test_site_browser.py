"""The leaderboard site in headless Chromium, from files: sorting, filters, columns, method pages, and the keyboard."""

import json

import pytest
from axe import axe_findings
from chromium import CLIPPED, needs_chromium, show_page
from fake_run import make_leaderboard
from report_world import random_control
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from site_world import keep, keep_curves, keep_hostile

from harness import build_site
from harness.results.leaderboard import Leaderboard
from harness.results.rebuild import rebuilt

METHOD = "boards/fake/methods/rollback.html"
BOARD = "boards/fake/index.html"
PAGES = ("index.html", BOARD, METHOD, "published.html")
PUBLISHED = {
    "title": "A paper",
    "arxiv": "2402.03300",
    "url": "https://arxiv.org/abs/2402.03300",
    "source": "Table 1",
    "columns": ["Math"],
    "rows": [{"model": "m", "method": "Theirs", "cells": {"Math": {"value": 1.5, "grade": "S"}}}],
}
PROTOCOL = "name: fake\nsummary: Three domains in turn\nmethods: {rollback: [code, math, qa]}\n"

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    leaderboard, _ = make_leaderboard(root / "runs", seeds=(0, 1, 2), shift=lambda seed: 0.01 * seed)
    keep(root / "kept/fake", rebuilt(random_control(leaderboard)), protocol=PROTOCOL)
    keep_curves(root / "kept/fake", "rollback")
    (root / "kept/published").mkdir()
    (root / "kept/published/paper.yaml").write_text(json.dumps(PUBLISHED))
    keep_hostile(root / "hostile/nasty", root / "nasty-runs")
    build_site(root / "kept", root / "site", reports=False)
    build_site(root / "hostile", root / "hostile-site", reports=False)
    return root / "site"


@pytest.fixture
def board(browser, site):
    return show_page(browser, (site / PAGES[1]).as_uri())


def shown(page, css="#board tbody tr th"):
    return [one.text for one in page.find_elements(By.CSS_SELECTOR, css) if one.is_displayed()]


def header(page, key):
    return page.find_element(By.CSS_SELECTOR, f'#board th[data-key="{key}"]')


def numbers(page, key):
    """Returns the numbers of a column from top to bottom, without missing ones."""
    heads = page.find_elements(By.CSS_SELECTOR, "#board thead th")
    place = [one.get_attribute("data-key") for one in heads].index(key)
    cells = page.find_elements(By.CSS_SELECTOR, f"#board tbody tr > :nth-child({place + 1})[data-v]")
    return [float(cell.get_attribute("data-v")) for cell in cells]


def test_sorting_starts_with_the_better_end_and_turns(board, site):
    ranked = Leaderboard.read(site / "boards/fake/leaderboard.json").rows
    assert shown(board) == [*(row.method for row in ranked[:-1]), "base (reference)"]
    button = header(board, "forgetting").find_element(By.TAG_NAME, "button")
    button.click()
    assert header(board, "forgetting").get_attribute("aria-sort") == "ascending"
    values = numbers(board, "forgetting")
    assert values == sorted(values) and len(set(values)) > 1
    assert shown(board)[-1] == "base (reference)"  # it has no forgetting
    button.click()
    assert header(board, "forgetting").get_attribute("aria-sort") == "descending"
    assert numbers(board, "forgetting") == values[::-1] and shown(board)[-1] == "base (reference)"
    header(board, "method").find_element(By.TAG_NAME, "button").click()
    assert shown(board) == ["base (reference)", "random-rollback", "re-math", "rollback", "sequential"]


def test_search_and_filters_narrow_the_rows_and_say_how_many_are_left(board):
    board.find_element(By.ID, "search").send_keys("ROLL")
    assert sorted(shown(board)) == ["random-rollback", "rollback"]
    assert board.find_element(By.ID, "count").text == "2 of 5 rows"
    board.find_element(By.ID, "search").clear()
    board.find_element(By.ID, "search").send_keys("nothing like it")
    assert shown(board) == [] and board.find_element(By.ID, "nothing").is_displayed()
    board.find_element(By.ID, "all").click()
    assert len(shown(board)) == 5
    recovery = Select(board.find_element(By.ID, "recovery"))
    recovery.select_by_visible_text("refresh")
    assert shown(board) == ["re-math"]
    recovery.select_by_visible_text("none")
    assert shown(board) == ["sequential", "base (reference)"]


def test_columns_and_intervals_are_chosen_and_kept_in_the_address(board, browser):
    assert not header(board, "completions").is_displayed() and header(board, "score-math").is_displayed()
    board.find_element(By.CSS_SELECTOR, ".columns summary").click()
    for key in ("completions", "score-math"):
        board.find_element(By.CSS_SELECTOR, f'input[data-column="{key}"]').click()
    board.find_element(By.ID, "intervals").click()
    board.find_element(By.TAG_NAME, "h1").click()
    assert not board.find_element(By.CSS_SELECTOR, ".choices").is_displayed()
    board.find_element(By.ID, "search").send_keys("roll")
    header(board, "score-qa").find_element(By.TAG_NAME, "button").click()
    rows = shown(board)

    again = show_page(browser, board.current_url)
    assert header(again, "completions").is_displayed() and not header(again, "score-math").is_displayed()
    assert not [one for one in again.find_elements(By.CSS_SELECTOR, "#board .ci") if one.is_displayed()]
    assert shown(again) == rows and header(again, "score-qa").get_attribute("aria-sort") == "descending"
    again.find_element(By.ID, "reset").click()
    assert len(shown(again)) == 5 and header(again, "score-math").is_displayed()


def test_a_method_opens_and_leads_back(board):
    board.find_element(By.LINK_TEXT, "rollback").click()
    assert board.find_element(By.TAG_NAME, "h1").text == "rollback"
    assert len(board.find_elements(By.CSS_SELECTOR, ".trajectory svg")) == 4
    assert [one.text for one in board.find_elements(By.CSS_SELECTOR, ".drawing h3")] == ["reward", "KL"]
    board.find_element(By.LINK_TEXT, "fake").click()
    assert len(shown(board)) == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280, 1600])
def test_no_text_is_clipped_and_the_page_does_not_scroll_sideways(browser, site, width, scheme):
    for page in (site / name for name in PAGES):
        show_page(browser, page.as_uri(), width=width, scheme=scheme)
        browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true;")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert browser.execute_script(CLIPPED) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, site, scheme):
    for page in (site / name for name in PAGES):
        show_page(browser, page.as_uri(), width=400, scheme=scheme)
        browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true;")
        assert axe_findings(browser) == []


def test_long_names_and_markup_stay_within_the_page_and_do_nothing(browser, site):
    for page in sorted((site.parent / "hostile-site").rglob("*.html")):
        show_page(browser, page.as_uri(), width=400)
        assert "broken" not in browser.title.replace("document.title='broken'", "")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
        assert browser.execute_script("return [...document.scripts].length") <= 2
        assert browser.get_log("browser") == []


def test_pages_from_files_ask_for_nothing_but_their_own_files(browser, site):
    for name in PAGES:
        browser.get_log("performance")
        show_page(browser, (site / name).as_uri())
        asked = [
            json.loads(entry["message"])["message"]["params"]["request"]["url"]
            for entry in browser.get_log("performance")
            if '"Network.requestWillBeSent"' in entry["message"]
        ]
        assert {address.rpartition("/")[2] for address in asked if address.startswith("file:")} == {
            name.rpartition("/")[2],
            "site.css",
            "site.js",
            *(("plots.css", "plots.js") if name in (METHOD, BOARD) else ()),
        }
        assert not [address for address in asked if not address.startswith(("file:", "about:", "data:"))]
        assert browser.get_log("browser") == []


def test_the_keyboard_reaches_everything_and_opens_the_menu(board):
    # Of a choice, the keyboard reaches what is chosen.
    reachable = "a[href], button, input:not([type='radio']), input:checked, select, summary, [tabindex='0']"
    visible = [one for one in board.find_elements(By.CSS_SELECTOR, reachable) if one.is_displayed()]
    reached = []
    for _ in range(len(visible) + 5):
        board.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(board.switch_to.active_element)
    assert {one.id for one in visible} <= {one.id for one in reached}

    summary = board.find_element(By.CSS_SELECTOR, ".columns summary")
    board.execute_script("arguments[0].focus()", summary)
    summary.send_keys(Keys.ENTER)
    summary.send_keys(Keys.TAB)
    assert board.switch_to.active_element.get_attribute("id") == "intervals"
    board.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert board.switch_to.active_element == summary and not board.find_element(By.ID, "intervals").is_displayed()


def test_without_scripts_every_number_is_there(browser, site):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show_page(browser, (site / PAGES[1]).as_uri())
        assert len(shown(browser)) == 5 and header(browser, "completions").is_displayed()
        assert not browser.find_element(By.CSS_SELECTOR, ".controls").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
