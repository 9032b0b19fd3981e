"""The report in headless Chromium: figures, two widths, two colour schemes, sorting by mouse and keyboard."""

import pytest
from chromium import needs_chromium, show_page
from report_world import full_record
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness.report.page import FIRST, FURTHER, make_report

A4 = 703
"""The width of the paper within its margins, in CSS pixels: 186 mm."""
LEAST_CONTRAST = 4.5
"""Of text on its background: WCAG 2.2, success criterion 1.4.3."""
CONTRASTS = """
const shade = (colour) => {
  const linear = colour.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const parts = (text) => text.match(/[\\d.]+/g).map((part) => part * (text.startsWith("color(srgb") ? 255 : 1));
const paper = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const colour = parts(getComputedStyle(one).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const found = {};
for (const element of document.querySelectorAll(arguments[0])) {
  if (!element.checkVisibility() || !element.textContent.trim()) continue;
  const svg = element instanceof SVGElement;
  const text = parts(getComputedStyle(element)[svg ? "fill" : "color"]);
  const under = svg ? paper(document.body) : paper(element);
  const [dark, light] = [shade(text), shade(under)].sort((a, b) => a - b);
  const name = `${element.tagName}.${element.className.baseVal ?? element.className}`;
  found[name] = Math.min(found[name] ?? 99, (light + 0.05) / (dark + 0.05));
}
return found;
"""

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def report_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    path = folder / "report.html"
    path.write_text(make_report(full_record(folder)).html, encoding="utf-8")
    return path


@pytest.fixture
def show(browser, report_file):
    """Returns a function that opens the report at a width and in a colour scheme."""

    def opened(width=1280, scheme="light"):
        return show_page(browser, report_file.as_uri(), width=width, scheme=scheme)

    return opened


@pytest.mark.parametrize("width", [400, 1280, 1600])
def test_every_figure_is_drawn_within_the_page_and_across_it(show, width):
    page = show(width)
    figures = page.execute_script(
        "return [...document.querySelectorAll('figure')].map((figure) => [...figure.querySelectorAll('.panel')]"
        ".filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect())"
        ".map((box) => [box.left, box.right, box.height]))"
    )
    assert len(figures) == len(FIRST) + len(FURTHER)
    for panels in figures:
        assert panels
        assert all(left >= 0 and right <= width and height > 50 for left, right, height in panels)
    first = figures[0]
    assert max(right for _, right, _ in first) > 0.9 * width - 32
    assert page.execute_script("return innerWidth") == width
    assert page.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 400])
def test_the_text_of_figures_is_large_enough_to_read(show, width):
    sizes = show(width).execute_script(
        "return [...document.querySelectorAll('figure span, figure p, figure td, figure li')].filter((text) =>"
        " text.checkVisibility() && text.textContent.trim()).map((text) => parseFloat(getComputedStyle(text).fontSize))"
    )
    assert len(sizes) > 50
    assert min(sizes) >= 11.5


def test_nothing_is_reported_to_the_console_and_nothing_is_asked_for(show):
    page = show()
    page.get_log("browser")
    page.get_log("performance")
    page.refresh()
    assert page.get_log("browser") == []
    asked = [
        entry["message"] for entry in page.get_log("performance") if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert len(asked) == 1 and "report.html" in asked[0]
    assert page.title == "fake: report"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(show, scheme):
    page = show(scheme=scheme)
    places = (
        "h1, h2, h3, p, figcaption, li, a, th, td, th button, caption, caption span, summary, code, legend, label, dt,"
        " dd,"
        " .ticks span, .levels span, .names span, .row span, .methods button, .stage"
    )
    found = page.execute_script(CONTRASTS, places)
    assert len(found) > 10
    assert {name: contrast for name, contrast in found.items() if contrast < LEAST_CONTRAST} == {}
    brightness = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (brightness == "rgb(255, 255, 255)") == (scheme == "light")


def test_on_paper_nothing_is_cut_off_and_what_is_folded_away_is_left_out(show):
    page = show(width=A4)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        boxes = page.execute_script(
            "return [...document.querySelectorAll('table, figure svg.area, figure svg.strip, pre')]"
            ".map((one) => one.getBoundingClientRect())"
            ".filter((box) => box.width > 0).map((box) => box.right - document.documentElement.clientWidth)"
        )
        assert len(boxes) > len(FIRST) + len(FURTHER) and max(boxes) <= 0
        assert page.find_elements(By.CSS_SELECTOR, "details:not([open])") and page.find_elements(By.TAG_NAME, "nav")
        for hidden in ("nav", "details:not([open])", "summary", ".skip", ".methods", ".choice"):
            assert not any(one.is_displayed() for one in page.find_elements(By.CSS_SELECTOR, hidden))
        assert page.find_element(By.CSS_SELECTOR, "details[open] table").is_displayed()
        stuck = "return [...document.querySelectorAll('th')].filter((th) => getComputedStyle(th).position !== 'static')"
        assert page.execute_script(stuck) == []
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_no_header_of_a_table_breaks_within_a_short_word(show):
    page = show(400)
    heights = page.execute_script(
        "return [...document.querySelectorAll('thead th')].filter((th) => th.checkVisibility()"
        " && /^\\w{1,12}$/.test(th.textContent.trim())).map((th) => th.querySelector('button') ?? th)"
        ".map((one) => { const range = document.createRange(); range.selectNodeContents(one);"
        " return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size; })"
    )
    assert len(heights) > 20 and set(heights) == {1}


def column(page, index):
    table = page.find_element(By.CSS_SELECTOR, "[aria-labelledby=leaderboard-table] table")
    rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
    return [row.find_elements(By.CSS_SELECTOR, "th, td")[index].text for row in rows]


def header(page, index):
    return page.find_elements(By.CSS_SELECTOR, "[aria-labelledby=leaderboard-table] thead th")[index]


def test_a_click_sorts_by_numbers_and_a_second_one_turns_the_order(show):
    page = show()
    forgetting = next(i for i in range(9) if header(page, i).text.startswith("Forgetting"))
    button = header(page, forgetting).find_element(By.TAG_NAME, "button")
    button.click()
    assert header(page, forgetting).get_attribute("aria-sort") == "ascending"
    shown = column(page, forgetting)
    values = [float(text.split()[0].replace("−", "-")) for text in shown if text != "–"]
    assert values == sorted(values) and len(set(values)) > 1
    assert shown[-1] == "–"
    button.click()
    assert header(page, forgetting).get_attribute("aria-sort") == "descending"
    turned = column(page, forgetting)
    assert [float(text.split()[0].replace("−", "-")) for text in turned if text != "–"] == sorted(values, reverse=True)
    assert turned[-1] == "–"


def test_numbers_with_exponents_sort_by_their_size(show):
    page = show()
    table = page.find_element(By.CSS_SELECTOR, "[aria-labelledby=leaderboard-table] table")
    page.execute_script(
        "const texts = ['4.86e−06 [1e−06, 9e−06]', '0.0000519', '−2.1e−05', '3e−07', '1,000'];"
        "[...arguments[0].tBodies[0].rows].forEach((row, place) => { row.cells[2].textContent = texts[place]; })",
        table,
    )
    header(page, 2).find_element(By.TAG_NAME, "button").click()
    shown = [text.split()[0] for text in column(page, 2)]
    assert shown == ["−2.1e−05", "3e−07", "4.86e−06", "0.0000519", "1,000"]


@pytest.mark.parametrize("key", [Keys.ENTER, Keys.SPACE])
def test_the_keyboard_sorts_too(show, key):
    page = show()
    before = column(page, 0)
    button = header(page, 0).find_element(By.TAG_NAME, "button")
    page.execute_script("arguments[0].focus()", button)
    page.switch_to.active_element.send_keys(key)
    assert header(page, 0).get_attribute("aria-sort") == "ascending"
    assert column(page, 0) == sorted(before, key=str.lower) != before
    page.switch_to.active_element.send_keys(key)
    assert column(page, 0) == sorted(before, key=str.lower, reverse=True)
    header(page, 1).find_element(By.TAG_NAME, "button").click()
    assert header(page, 0).get_attribute("aria-sort") is None


def test_the_first_stop_of_the_keyboard_skips_to_the_content(show):
    page = show()
    page.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    link = page.switch_to.active_element
    assert link.text == "Skip to the content"
    outline = page.execute_script("return getComputedStyle(arguments[0]).outlineStyle", link)
    assert outline == "solid"
    link.send_keys(Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("id") == "content"


def test_wide_tables_scroll_by_themselves(show):
    page = show(400)
    overflowing = page.execute_script(
        "return [...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth)"
        ".map((box) => [box.tabIndex, getComputedStyle(box).overflowX])"
    )
    assert overflowing
    assert set(map(tuple, overflowing)) == {(0, "auto")}
