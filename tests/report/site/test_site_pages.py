"""The pages of the leaderboard site: what they show, that they are whole, and that names cannot break out of them."""

import csv
import io
import re

import pytest
from fake_run import make_leaderboard
from report_world import IMAGE, SCRIPT
from site_world import FORMULA, keep, keep_hostile, keep_run, pages_of

from harness import build_site
from harness.report.best import column_standings
from harness.results.leaderboard import Leaderboard

PROTOCOL = "name: fake\nsummary: Three domains in turn\nmethods:\n  re-math: [code, {recover: math, with: refresh}]\n"


def written(root, folder):
    return build_site(folder, root / "site", reports=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    keep_run(root / "kept/fake", root / "runs", protocol=PROTOCOL, seeds=(0, 1, 2), shift=lambda seed: 0.01 * seed)
    written(root, root / "kept")
    return root / "site"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    keep_hostile(root / "kept/nasty", root / "runs")
    written(root, root / "kept")
    return root / "site"


def test_there_is_a_page_per_method_with_its_numbers_settings_and_lineage(site):
    pages = pages_of(site)
    assert {"boards/fake/index.html", "boards/fake/methods/re-math.html", "index.html"} <= set(pages)
    text = pages["boards/fake/methods/re-math.html"].text
    for shown in (
        "Recovery ratio",
        "Seed 2",
        "Lineage",
        "Optimizer steps",
        "with: refresh",
        "Compared with sequential",
    ):
        assert shown in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Three domains in turn" in pages["index.html"].text


def test_a_board_has_the_averages_against_completions_and_what_they_need(site):
    page = pages_of(site)["boards/fake/index.html"]
    assert "Average against completions" in page.text and "One point per method" in str(page.all("div"))
    assert [one["href"] for one in page.all("link")][1:] == ["../../site.css", "../../plots.css"]
    assert [one["src"] for one in page.all("script")] == ["../../site.js", "../../plots.js"]
    used = {one["href"].removeprefix("#") for one in page.all("use")}
    assert used and used <= {one.get("id") for _, one in page.tags}
    assert "768" in page.text  # completions of the refresh


def test_every_link_leads_to_a_file_of_the_site_or_to_a_paper(site, hostile):
    for root in (site, hostile):
        for place, page in pages_of(root).items():
            ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
            for link in (*page.all("a"), *page.all("link")):
                target, _, fragment = link["href"].partition("#")
                if target.startswith("https://arxiv.org/abs/"):
                    continue
                assert (
                    (not target and fragment in ids)
                    or target == "data:,"
                    or (root / place).parent.joinpath(target).is_file()
                )


def test_ids_are_unique_and_tables_are_named(site, hostile):
    for root in (site, hostile):
        for page in pages_of(root).values():
            ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
            assert len(ids) == len(set(ids))
            regions = [attributes for _, attributes in page.tags if attributes.get("role") == "region"]
            assert all(one.get("aria-label") or one.get("aria-labelledby") in ids for one in regions)


def test_markup_in_names_texts_and_addresses_is_shown_as_text(hostile):
    pages = pages_of(hostile)
    assert len(pages) > 5
    for page in pages.values():
        assert [attributes.get("src", "").rpartition("/")[2] for attributes in page.all("script")] in (
            ["site.js"],
            ["site.js", "plots.js"],
        )
        assert not page.all("img") and not page.all("base")
        assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
        assert not [link for link in page.all("a") if link["href"].startswith(("javascript:", "data:"))]
    board = next(page for place, page in pages.items() if place.startswith("boards/") and place.endswith("/index.html"))
    assert SCRIPT in board.text and IMAGE in board.text and FORMULA in board.text
    assert "javascript:alert(1)" in pages["published.html"].text


def test_control_and_direction_characters_are_escaped(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path / "run")
    keep(tmp_path / "kept", leaderboard.model_copy(update={"model": "a\u202eb\x00c"}))
    written(tmp_path, tmp_path / "kept")
    text = (tmp_path / "site/index.html").read_text()
    assert "\\u202e" in text and "\u202e" not in text and "\x00" not in text


def test_no_cell_of_the_csv_is_a_formula(hostile):
    [file] = hostile.rglob("leaderboard.csv")
    cells = [cell for row in csv.reader(io.StringIO(file.read_text())) for cell in row]
    assert f"'{FORMULA}" in cells
    assert not [cell for cell in cells if re.match(r"[=+@\t\r\n]|-(?![\d.])", cell)]


def test_the_downloads_are_the_record_and_the_citations(site, hostile):
    assert Leaderboard.read(site / "boards/fake/leaderboard.json").row("re-math").rank == 1
    entry = (site / "boards/fake/citations.bib").read_text()
    assert "author = {Yang and Ding and Xiong}" in entry and "eprint = {2606.02398}" in entry
    [file] = hostile.rglob("citations.bib")
    assert file.read_text().count("{") == file.read_text().count("}")


def test_published_rows_stand_apart_with_the_protocol_that_cites_their_paper(tmp_path, hostile):
    pages = pages_of(hostile)
    board = next(page for place, page in pages.items() if place.startswith("boards/") and place.endswith("/index.html"))
    assert "+theirs" in board.text  # grpo, which the protocol uses, cites this paper
    rows = [attributes for tag, attributes in board.tags if tag == "tr" and "data-words" in attributes]
    assert not [row for row in rows if "+theirs" in row["data-words"]]


def test_the_best_of_each_column_is_marked_and_what_does_not_differ_from_it(site):
    html = (site / "boards/fake/index.html").read_text()
    marked = re.findall(r'<td[^>]*><span class="best">([^<]+)</span>', html)
    assert marked == ["72.0", "73.0", "94.0", "10.0", "−10.0", "51.0"]
    standings = column_standings(Leaderboard.read(site / "boards/fake/leaderboard.json"))
    level = re.findall(r'<td[^>]*><span class="level">', html)
    assert len(level) == sum(row.count("level") for row in standings) > 0
