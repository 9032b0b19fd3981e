"""The domain `jsonl`: columns, prompts, held-out items, and errors for unusable rows."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness import UsageError
from harness_domains.jsonl.config import JsonlConfig
from harness_domains.jsonl.domain import JsonlDomain
from harness_domains.jsonl.rows import _held_out, test_items, training_rows

test_items.__test__ = False
SUMS = [{"prompt": f"{a}+{b}", "answer": a + b} for a in range(10) for b in range(10)]


@pytest.fixture
def written(tmp_path):
    def write(rows, name="mine.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def test_prompts_come_from_the_template_and_answers_are_text(written):
    rows = [{"q": "2+2", "hint": "even", "a": 4, "id": 7}, {"q": "{x}", "hint": "odd", "a": 5, "id": 8}]
    config = JsonlConfig(
        data_files=written(rows), prompt="q", answer="a", template="{{Q}} {q} ({hint})", keep=("id",), test_share=1e-9
    )
    place = str(config.data_files)
    assert sorted(training_rows(config).to_list(), key=lambda row: row["id"]) == [
        {"id": 7, "source_row": f"{place}:1", "prompt": "{Q} 2+2 (even)", "answer": "4", "source_text": "2+2\neven"},
        {"id": 8, "source_row": f"{place}:2", "prompt": "{Q} {x} (odd)", "answer": "5", "source_text": "{x}\nodd"},
    ]


def test_chat_prompts_are_messages_with_the_system_prompt_first(written):
    domain = JsonlDomain(JsonlConfig(data_files=written(SUMS), format="chat", system_prompt="Be brief."))
    prompt = domain.training_data(0)[0]["prompt"]
    assert [message["role"] for message in prompt] == ["system", "user"]
    assert prompt[0]["content"] == domain.system_prompt == "Be brief."


def test_a_share_is_held_out_and_no_prompt_is_on_both_sides(written):
    config = JsonlConfig(data_files=written(SUMS * 2), test_share=0.3)
    train, test = training_rows(config)["prompt"][:], test_items(config)["prompt"][:]
    assert not set(train) & set(test)
    assert set(train) | set(test) == {row["prompt"] for row in SUMS}
    assert len(set(test)) == len(test)
    assert 15 <= len(test) <= 45


@settings(max_examples=50)
@given(st.text(), st.floats(0.01, 0.5), st.floats(0.5, 0.99))
def test_a_larger_share_holds_out_what_a_smaller_one_does(prompt, small, large):
    assert _held_out(prompt, large) or not _held_out(prompt, small)


def test_a_test_file_is_the_test_and_its_prompts_are_not_trained_on(written):
    config = JsonlConfig(data_files=written(SUMS), test_files=written(SUMS[:20], "test.jsonl"))
    assert sorted(test_items(config)["prompt"]) == sorted(row["prompt"] for row in SUMS[:20])
    assert sorted(training_rows(config)["prompt"]) == sorted(row["prompt"] for row in SUMS[20:])


def test_fewer_prompts_and_items_are_beginnings_of_more(written):
    path = written(SUMS)
    whole = JsonlConfig(data_files=path)
    part = JsonlConfig(data_files=path, prompts=10, test_items=3)
    assert training_rows(part)["prompt"][:] == training_rows(whole)["prompt"][:10]
    assert test_items(part)["prompt"][:] == test_items(whole)["prompt"][:3]


def test_the_fingerprint_follows_both_files(written):
    def fingerprint():
        config = JsonlConfig(data_files=written(rows), test_files=written(tests, "test.jsonl"))
        return JsonlDomain(config).fingerprint()

    rows, tests = SUMS[:4], SUMS[4:6]
    first = fingerprint()
    assert fingerprint() == first
    tests = SUMS[5:7]
    second = fingerprint()
    rows = SUMS[:3]
    assert len({first, second, fingerprint()}) == 3


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ([{"question": "2+2", "answer": 4}], {}, "no column prompt; they have question, answer"),
        ([{"prompt": "2+2", "answer": 4}], {"template": "{topic}: {prompt}"}, "no column topic"),
        ([{"prompt": [{"role": "user"}], "answer": 4}], {}, "the row has .* in the column prompt"),
        ([{"prompt": "", "answer": 4}], {}, "the row has '' in the column prompt"),
        ([{"prompt": "a", "t": None, "answer": 4}], {"template": "{t} {prompt}"}, "has None in the column t"),
        ([{"prompt": "2+2", "answer": {"value": 4}}], {}, "the row has .* in the column answer"),
        ([{"prompt": "2+2", "answer": [[4]]}], {}, r"the row has \['4'\] in the column answer"),
    ],
)
def test_rows_that_will_not_do_are_named(written, rows, options, said):
    with pytest.raises(UsageError, match=said) as caught:
        training_rows(JsonlConfig(data_files=written(rows), **options))
    assert "mine.jsonl" in caught.value.where
    assert caught.value.hint


def test_a_file_cut_short_and_a_file_that_is_not_there_are_named(tmp_path):
    (tmp_path / "cut.jsonl").write_text('{"prompt": "2+2", "answer": 4}\n{"prompt": "2+')
    for name, said in (("cut.jsonl", "is not JSON"), ("none.jsonl", "does not exist")):
        with pytest.raises(UsageError, match=said) as caught:
            training_rows(JsonlConfig(data_files=tmp_path / name))
        assert name in caught.value.where


def test_nothing_left_to_train_on_is_said(written):
    path = written(SUMS)
    with pytest.raises(UsageError, match="no training rows are left"):
        training_rows(JsonlConfig(data_files=path, test_files=path))


def test_rows_without_a_usable_answer_are_left_to_the_reward(written):
    rows = [*SUMS, {"prompt": "none?", "answer": None}, {"prompt": "blank?", "answer": ""}]
    config = JsonlConfig(data_files=written(rows), test_share=1e-9)
    answers = {row["prompt"]: row["answer"] for row in training_rows(config)}
    assert (answers["none?"], answers["blank?"], answers["3+4"]) == (None, "", "7")


def test_test_items_none_of_which_can_be_judged_are_refused(written):
    config = JsonlConfig(data_files=written(SUMS), score="choice-letter")
    with pytest.raises(
        UsageError, match=r"no test item can be judged: the row's answer is '.*', not one of the letters"
    ):
        test_items(config)


@pytest.mark.parametrize(
    "options",
    [
        {"score": "exact"},
        {"score": {"use": "regex"}},
        {"template": "Q: A:"},
        {"template": "{prompt.text}"},
        {"template": "{prompt"},
        {"template": "{0}"},
        {"system_prompt": "Be brief."},
        {"keep": ("answer",)},
        {"test_files": "a.jsonl", "test_split": "test"},
        {"test_share": 1.0},
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(options):
    with pytest.raises(ValidationError):
        JsonlConfig(data_files="mine.jsonl", **options)


def test_one_row_with_several_answers_makes_lists_of_all(written):
    rows = [{"prompt": f"{i}", "answer": ["6", "six"] if i == 3 else i} for i in range(6)]
    config = JsonlConfig(data_files=written(rows), test_share=1e-9)
    answers = {row["prompt"]: row["answer"] for row in training_rows(config)}
    assert answers == {str(i): ["6", "six"] if i == 3 else [str(i)] for i in range(6)}
