"""The files of the leaderboard site: the same for the same records, replaced together, of any version."""

import json

import pytest
from fake_run import make_leaderboard
from hypothesis import example, given
from hypothesis import strategies as st
from report_world import SCRIPT
from site_world import keep, keep_hostile, keep_run, pages_of

from harness import UsageError, build_site
from harness.report.site.citations import _work
from harness.report.site.names import file_name, folder_name, web_link


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_records_give_the_same_bytes(tmp_path):
    keep_hostile(tmp_path / "kept/nasty", tmp_path / "runs")
    for name in ("one", "two"):
        build_site(tmp_path / "kept", tmp_path / name, reports=False)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_later_build_removes_what_is_gone_and_leaves_other_files(tmp_path):
    keep_run(tmp_path / "kept/a", tmp_path / "runs")
    keep_run(tmp_path / "kept/b", tmp_path / "runs", steps=30)
    build_site(tmp_path / "kept", tmp_path / "site", reports=False)
    (tmp_path / "site/CNAME").write_text("example.org")
    (tmp_path / "kept/b/leaderboard.json").unlink()
    built = build_site(tmp_path / "kept", tmp_path / "site", reports=False)
    assert not (tmp_path / "site/boards/b").exists() and (tmp_path / "site/CNAME").is_file()
    assert set(contents(tmp_path / "site")) == {
        *(path.relative_to(tmp_path / "site").as_posix() for path in built.files),
        "CNAME",
        "site.json",
    }
    assert built.size == sum(path.stat().st_size for path in built.files)


@pytest.mark.parametrize("listed", ["", '{"files": ["../../kept"]}', '{"files": 3}', "[]"])
def test_a_folder_with_other_files_is_not_touched(tmp_path, listed):
    keep_run(tmp_path / "kept", tmp_path / "runs")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/site.json").write_text(listed)
    with pytest.raises(UsageError, match="has files, but no site"):
        build_site(tmp_path / "kept", tmp_path / "site", reports=False)
    assert set(contents(tmp_path / "site")) == {"site.json"}


def test_a_site_within_the_folder_is_not_taken_for_records(tmp_path):
    keep_run(tmp_path / "kept/a", tmp_path / "runs")
    for _ in range(2):
        assert build_site(tmp_path / "kept", tmp_path / "kept/site", reports=False).records == 1


def test_comparable_records_of_a_protocol_share_a_table_and_others_do_not(tmp_path):
    for seed in (0, 1):
        keep_run(tmp_path / f"kept/{seed}", tmp_path / "runs", seeds=(seed,))
    keep_run(tmp_path / "kept/longer", tmp_path / "runs", steps=90)
    keep_run(tmp_path / "kept/other", tmp_path / "runs", protocol="name: other")
    built = build_site(tmp_path / "kept", tmp_path / "site", reports=False)
    assert (built.records, built.boards) == (4, 2)
    shared = pages_of(tmp_path / "site")["boards/0/index.html"].text
    assert "Mean over 2 seeds" in shared and "0, 1, other" in shared


def test_a_record_of_an_older_version_is_recomputed_and_says_so(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path / "run", seeds=(0, 1), shift=lambda seed: 0.01 * seed)
    data = json.loads(leaderboard.to_json()) | {"schema": 1}
    for row in data["rows"]:
        row["average"]["ci95"] = [1.0, 2.0]
    folder = keep(tmp_path / "kept/old", leaderboard)
    (folder / "leaderboard.json").write_text(json.dumps(data))
    build_site(tmp_path / "kept", tmp_path / "site", reports=False)
    text = pages_of(tmp_path / "site")["boards/old/index.html"].text
    assert "harness leaderboard rebuild" in text and "[1.0, 2.0]" not in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "reads up to"),
        ({"columns": []}, "inconsistent"),
        ({"seeds": "x"}, "malformed"),
    ],
)
def test_a_record_that_cannot_be_shown_is_named_before_anything_is_written(tmp_path, change, message):
    leaderboard, _ = make_leaderboard(tmp_path / "run")
    folder = keep(tmp_path / "kept/bad", leaderboard)
    (folder / "leaderboard.json").write_text(json.dumps(json.loads(leaderboard.to_json()) | change))
    with pytest.raises(UsageError, match=message) as error:
        build_site(tmp_path / "kept", tmp_path / "site", reports=False)
    assert "bad" in str(error.value) and not (tmp_path / "site").exists()


def test_without_records_it_says_how_to_keep_one(tmp_path):
    with pytest.raises(UsageError, match="leaderboard add"):
        build_site(tmp_path, tmp_path / "site", reports=False)


def test_the_report_of_each_record_is_part_of_the_site(tmp_path):
    pytest.importorskip("altair")
    keep_run(tmp_path / "kept/a", tmp_path / "runs")
    build_site(tmp_path / "kept", tmp_path / "site")
    pages = pages_of(tmp_path / "site")
    assert pages["boards/a/report.html"].all("svg")
    assert {"href": "report.html"} in pages["boards/a/index.html"].all("a")


NAMES = st.text(max_size=40) | st.sampled_from(["a", "A", "a/b", "..", "", "index", "CON", "é", "\ud800"])


@given(NAMES, NAMES)
@example("foo", file_name("FOO"))
def test_different_names_have_different_safe_files(one, other):
    names = [file_name(one), file_name(other)]
    assert all(name.isascii() and name == name.lower() and not {"/", "\\", ".", "%"} & set(name) for name in names)
    assert all(0 < len(name) <= 64 for name in names)
    assert (names[0] == names[1]) == (one == other)


def test_a_plain_place_is_readable_in_the_address():
    assert folder_name("lab/recoveries") == "lab.recoveries"
    assert folder_name("a.b") != folder_name("a/b")


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://arxiv.org/abs/1", True),
        ("http://localhost/a?b=c", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("data:text/html,x", False),
        ("//localhost", False),
        ("https://", False),
        ("http://[", False),
        ("https://localhost/ a", False),
        ("", False),
    ],
)
def test_only_addresses_of_the_web_become_links(url, linked):
    assert bool(web_link(url)) == linked


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Kirkpatrick et al. 2017, arXiv 1612.00796", ["author = {Kirkpatrick and others}", "eprint = {1612.00796}"]),
        ("Modular Gradient Surgery, arXiv 2602.02301", ["title = {Modular Gradient Surgery}", "eprint = {2602.02301}"]),
        (
            "Doe 2020, A {nasty} 100% \\x",
            [r"title = {A \textbraceleft{}nasty\textbraceright{} 100\% \textbackslash{}x}"],
        ),
        (f"{SCRIPT}", ["@misc{"]),
    ],
)
def test_a_citation_becomes_an_entry_with_balanced_braces(text, lines):
    entry = _work(text, ["probe x"]).bibtex
    assert all(line in entry for line in lines)
    assert entry.count("{") == entry.count("}") and entry.endswith("\n}")
