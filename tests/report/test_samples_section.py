"""The samples in the report: which are chosen, how many are left out, and that no text of a model becomes markup."""

import base64
import json
import re

import pytest
from fake_run import make_leaderboard, make_plan
from hypothesis import given
from hypothesis import strategies as st
from report_world import write_run
from sample_world import ITEMS, answered, sampled_run

from harness.api.runs import Run
from harness.report.samples import data as page_texts
from harness.report.samples import verdicts as page_verdicts
from harness.report.samples.choice import in_order, shares
from harness.report.samples.data import embedded
from harness.report.samples.section import samples_section
from harness.report.samples.verdicts import Place, RunVerdicts


def data_of(section):
    [text] = re.findall(r'<script type="application/json" id="samples-data">(.*?)</script>', section.html, re.DOTALL)
    return json.loads(text)


def verdicts_of(*steps):
    """Returns the verdicts of one method's steps, each a word of 1 (right), 0 (wrong) and - (not scored)."""
    places = tuple(Place(method="m", step=step, label="", key=str(step)) for step in range(len(steps)))
    signs = {"1": True, "0": False, "-": None}
    own = {str(step): {("t", n): signs[sign] for n, sign in enumerate(word)} for step, word in enumerate(steps)}
    return RunVerdicts(seed=0, places=places, by_domain={"d": own}, left_out=0)


def order(*steps):
    return [number for _, number in in_order(verdicts_of(*steps), "d")]


def test_items_that_flipped_come_first_and_the_oftener_the_earlier():
    # 0: always right. 1: never right. 2: lost once. 3: lost twice. 4: gained.
    assert order("10110", "10010", "10001", "10011", "10001") == [3, 1, 2, 4, 0]


def test_of_ten_items_three_were_never_right_and_one_never_wrong():
    lost, wrong, right = range(20), range(20, 40), range(40, 60)
    first = "".join("0" if n in wrong else "1" for n in range(60))
    then = "".join("1" if n in right else "0" for n in range(60))
    ten = order(first, then)[:10]
    assert [sum(n in kind for n in ten) for kind in (lost, wrong, right)] == [6, 3, 1]


@given(st.lists(st.text("10-", min_size=5, max_size=5), min_size=1, max_size=5))
def test_every_item_is_somewhere_in_the_order_once(steps):
    assert sorted(order(*steps)) == [0, 1, 2, 3, 4]
    assert order(*steps) == order(*steps)


def test_the_budget_is_shared_by_the_domains():
    assert shares({"a": [10] * 50, "b": [10] * 50}, 100, 60) == {"a": 5, "b": 5}
    assert shares({"a": [10] * 50, "b": [10] * 2}, 1000, 60) == {"a": 50, "b": 2}
    assert shares({"a": [10] * 50}, 1000, 7) == {"a": 7}
    assert shares({"a": [500, 1], "b": [1, 1]}, 100, 60) == {"a": 0, "b": 2}


def test_the_data_has_verdicts_of_all_items_and_the_texts_of_each_checkpoint(tmp_path):
    section = samples_section(sampled_run(tmp_path))
    told = data_of(section)
    assert [(place["method"], place["step"]) for place in told["places"]] == [
        *[("sequential", step) for step in range(4)],
        *[("re-math", step) for step in range(5)],
    ]
    math = next(one for one in told["domains"] if one["name"] == "math")
    for place in told["places"]:
        [bits] = base64.b64decode(math["right"][place["checkpoint"]])
        expected = [bool(answered("math", item, place["step"], 0)[1]) for item in range(ITEMS)]
        assert [bool(bits >> item & 1) for item in range(ITEMS)] == expected
        for one in math["texts"]:
            text, score = one["answers"][place["checkpoint"]]
            assert (one["completions"][text], score) == answered("math", one["item"], place["step"], 0)
    assert math["texts"][0]["item"] == 1  # the one that flipped from right to wrong
    assert section == samples_section(next(tmp_path.glob("fake-*")))


def test_what_does_not_fit_is_left_out_and_said(tmp_path, monkeypatch):
    folder = sampled_run(tmp_path, lambda domain, item, step, seed: (f"{item} {step} " * 800, 0.0))
    assert "6 of 6 items of each domain" in samples_section(folder).html
    monkeypatch.setattr(page_texts, "MOST_TEXT_BYTES", 60_000)
    section = samples_section(folder)
    told = data_of(section)
    assert sum(len(one["texts"]) for one in told["domains"]) < 3 * ITEMS
    assert len(json.dumps([one["texts"] for one in told["domains"]])) <= 60_000
    assert "more characters" in told["domains"][0]["texts"][0]["completions"][0]
    monkeypatch.setattr(page_verdicts, "MOST_VERDICTS", 3 * 3 * ITEMS)
    section = samples_section(folder)
    assert {place["step"] for place in data_of(section)["places"]} == {0, 1, 2}
    assert "2 checkpoints did not fit" in section.html


HOSTILE = "</script><script>document.title='broken'</script><!--<script>&lt;\x1b[2J\u202e\x00\u2028"


def test_no_text_ends_the_data_or_becomes_markup(tmp_path):
    section = samples_section(sampled_run(tmp_path, lambda *_: (HOSTILE, 0.0)))
    assert section.html.count("<script") == section.html.count("</script") == 1
    assert "<!--" not in section.html and "\x1b" not in section.html and "\x00" not in section.html
    [text] = data_of(section)["domains"][0]["texts"][0]["completions"]
    assert text == HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e").replace("\x00", "\\x00").replace(
        "\u2028", "\\u2028"
    )
    assert "innerHTML" not in section.script and "insertAdjacentHTML" not in section.script


@given(st.text())
def test_embedded_text_is_read_back_and_ends_no_script(text):
    shown = embedded({"text": text})
    assert json.loads(shown) == {"text": text}
    assert not re.search("[<>&]", shown)


def test_a_partial_run_shows_what_it_has_and_an_archive_nothing(tmp_path):
    assert samples_section(write_run(tmp_path / "without")) is None
    _, archived = make_leaderboard(tmp_path / "archive")
    assert samples_section(archived) is None
    folder = sampled_run(tmp_path / "partial")
    plan = make_plan()
    last = plan.evaluations[plan.methods[0].lineage[-1]]["math"]
    (tmp_path / "partial" / "store" / last / "DONE.json").unlink()
    math = next(one for one in data_of(samples_section(folder))["domains"] if one["name"] == "math")
    assert math["right"].count(None) == 1


def test_a_damaged_file_is_named_in_place_of_the_samples(tmp_path):
    folder = sampled_run(tmp_path)
    plan = make_plan()
    path = tmp_path / "store" / plan.evaluations[plan.base.key]["qa"] / "samples_fake_qa.jsonl"
    path.write_bytes(path.read_bytes().replace(b"answer", b"ANSWER"))
    assert "samples_fake_qa.jsonl has changed" in samples_section(folder).html


def test_the_report_of_a_run_has_the_browser(tmp_path):
    pytest.importorskip("altair")
    folder = sampled_run(tmp_path)
    Run(folder).write_report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert 'id="samples-browser"' in page and '<a href="#samples">' in page
