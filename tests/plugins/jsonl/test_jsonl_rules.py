"""The rule rewards: what counts as the answer in a completion."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness import RewardBatch
from harness_domains.jsonl.rewards import RuleReward
from harness_domains.jsonl.rules import ChoiceLetter, Contains, ExactMatch, Pattern, rule_named


def value(rule, completion, answer):
    result = rule.judge(completion, {"answer": answer})
    assert result.outcome == "ok", result.detail
    return result.value


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("<think>It is 4. No, 5.</think> 5", "5"),
        ("<think>first</think> no <think>second</think>\n5\n", "5"),
        ("the thought began in the prompt</think>5", "5"),
        ("<think>cut short before an answer: 5", ""),
        (" 5 ", "5"),
    ],
)
def test_only_what_follows_the_thinking_is_the_answer(completion, answer):
    assert bool(value(ExactMatch(), completion, "5")) == (answer == "5")


@pytest.mark.parametrize(
    ("options", "completion", "answer", "right"),
    [
        ({}, " Paris ", "Paris", 1),
        ({}, "paris", "Paris", 0),
        ({"ignore_case": True}, "PARIS", "Paris", 1),
        ({}, "Paris.", "Paris", 0),
        ({"ignore_punctuation": True}, "Paris.", "Paris", 1),
        ({"ignore_punctuation": True}, "“Paris”。", "Paris", 1),
        ({"ignore_punctuation": True}, "3.5", "35", 0),
        ({"ignore_punctuation": True}, "3/4", "34", 0),
        ({"ignore_punctuation": True}, "-5", "5", 0),
        ({"ignore_punctuation": True}, "-$5", "5", 0),
        ({"ignore_punctuation": True}, "1,500.", "1500", 1),
        ({"ignore_punctuation": True}, "5%.", "5", 1),
        ({}, "New   York", "New York", 1),
        ({"ignore_space": False}, "New   York", "New York", 0),
        ({}, "I think so.\nParis", "Paris", 0),
        ({"last_line": True}, "I think so.\nParis", "Paris", 1),
        ({"last_line": True}, "", "Paris", 0),
        ({}, "55", 55, 1),
        ({}, "b", ["a", "b"], 1),
        ({}, "c", ["a", "b"], 0),
    ],
)
def test_exact_match(options, completion, answer, right):
    assert value(ExactMatch(**options), completion, answer) == right


@pytest.mark.parametrize(
    ("completion", "answer", "right"),
    [
        ("It is 55 in all", "55", 1),
        ("It is 155", "55", 0),
        ("", "55", 0),
        ("<think>55</think>56", "55", 0),
        ("a+b", "a+b", 1),
        ("Use C++.", "C++", 1),
        ("1 3/4 cups", "3/4", 0),
        ("3/4 cups", "3/4", 1),
        ("2^5", "5", 0),
        ("2^5", "2", 0),
        ("-.5", ".5", 0),
        ("a loss of -$5", "5", 0),
        ("a loss of -$5", "$5", 0),
        ("No.5", "5", 1),
        ("v1.5", "5", 0),
        ("是－5", "5", 0),
        ("It is 3.5 km.", "5", 0),
        ("It is 3.5 km.", "3", 0),
        ("It is 3.5 km.", "3.5", 1),
        ("It is 3.", "3", 1),
        ("It is .5", "5", 0),
        ("It is 0.5", ".5", 0),
        ("It costs 1,500.", "500", 0),
        ("It costs 1,500.", "1", 0),
        ("It costs 1,500.", "1,500", 1),
        ("1'500", "500", 0),
        ("one of 1, 5, 7", "5", 1),
        ("It is 5/6", "5", 0),
        ("at 12:30", "30", 0),
        ("at 12:30", "12:30", 1),
        ("It is -5", "5", 0),
        ("It is $-5$", "5", 0),
        ("It is \u22125", "5", 0),
        ("It is \u22125", "-5", 1),
        ("3-5", "-5", 0),
        ("(2)-5", "-5", 0),
        ("3-5", "5", 1),
        ("from 3 to -5, or 5", "5", 1),
        ("55 and 5", "5", 1),
        ("$5", "5", 1),
        ("5%", "5", 1),
        ("5km", "5", 0),
        ("the Danube's", "Danube", 1),
        ("Danubes", "Danube", 0),
        ("snake_case", "case", 0),
        ("答えは東京です。", "東京", 1),
        ("答えは5です", "5", 1),
        ("答えは15です", "5", 0),
        ("答えはTokyoです", "Tokyo", 1),
        ("คำตอบคือกรุงเทพครับ", "กรุงเทพ", 1),
        ("답은 서울입니다", "서울", 1),
        ("1\u00a0500 km", "500", 0),
        ("1\u202f500 km", "500", 0),
        ("1\u2009500\u2009000 km", "500", 0),
        ("1\u202f500 km", "1", 0),
        ("1\u202f500 km", "1 500", 1),
        ("1\u202f500 km", "1\u00a0500", 1),
        ("1 500 km", "1\u202f500", 1),
        ("in 2020\u00a0500 people", "500", 0),
        ("page\u00a0500", "500", 1),
        ("3\u00a0km", "3", 1),
        ("on 2024-03-01", "2024", 0),
        ("on 2024-03-01", "03", 0),
        ("on 2024-03-01", "2024-03", 0),
        ("on 2024-03-01", "2024-03-01", 1),
        ("on 1-3-2024.", "3", 0),
        ("the years 2024-2025", "2024", 1),
        ("I don't", "don", 0),
        ("I don\u2019t", "don", 0),
        ("I don't", "t", 0),
        ("I don't", "don't", 1),
        ("O'Brien", "Brien", 0),
        ("the Danube\u2019s", "Danube", 1),
        ("de l'eau", "eau", 1),
        ("'don' it is", "don", 1),
        ("the dogs' bone", "dogs", 1),
        ("x.5", ".5", 0),
        ("x .5", ".5", 1),
        ("It is ...5", "5", 1),
        ("It is ...5", ".5", 0),
        ("the x\u0302 axis", "x", 0),
        ("Caf\u00e9 noir", "Cafe\u0301", 1),
        ("Cafe\u0301", "Cafe", 0),
    ],
)
def test_contains_finds_whole_words_and_numbers(completion, answer, right):
    assert value(Contains(), completion, answer) == right


@pytest.mark.parametrize(
    ("rule", "completion"),
    [
        (ExactMatch(), "Caf\u00e9"),
        (ExactMatch(last_line=True), "so\nCaf\u00e9"),
        (ExactMatch(ignore_case=True), "CAF\u00c9"),
        (Contains(), "it is Caf\u00e9."),
        (Pattern(pattern="is (Caf\u00e9)"), "it is Cafe\u0301"),
    ],
)
def test_composed_and_decomposed_letters_are_equal(rule, completion):
    for form in ("NFC", "NFD"):
        for answer_form in ("NFC", "NFD"):
            answer = unicodedata.normalize(answer_form, "Caf\u00e9")
            assert value(rule, unicodedata.normalize(form, completion), answer) == 1
            assert value(rule, unicodedata.normalize(form, completion), "Cafe") == 0


@given(st.text("ab 5.,-'東é\u0301", max_size=12), st.text("ab 5.,-'東é\u0301", min_size=1, max_size=3))
def test_a_text_between_spaces_is_always_found(text, answer):
    if Contains().unusable(answer) is None:
        assert value(Contains(), f"{text} {answer} {text}", answer) == 1


def test_a_pattern_takes_what_it_finds_last():
    rule = Pattern(pattern=r"#### (\d+)")
    assert value(rule, "#### 4\nwait\n#### 5", "5") == 1
    assert value(rule, "#### 5\nwait\n#### 4", "5") == 0
    assert value(rule, "5", "5") == 0
    assert value(Pattern(pattern=r"\d+"), "4 and 5", "5") == 1


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(ValidationError, match="not a regular expression"):
        Pattern(pattern="(")


@pytest.mark.parametrize(
    ("completion", "letter"),
    [
        ("The answer is (C).", "C"),
        ("the answer is B, not D", "B"),
        ("Answer: A\nNo. Answer: D", "D"),
        (r"so \boxed{E}", "E"),
        (r"The answer is $\boxed{\text{F}}$", "F"),
        ("**Answer: G**", "G"),
        ("B", "B"),
        ("(B) A kite is a toy.", "B"),
        ("Either A or D", "D"),
    ],
)
def test_the_letter_that_a_completion_settles_on(completion, letter):
    assert value(ChoiceLetter(), completion, letter) == 1
    other = "H" if letter != "H" else "A"
    assert value(ChoiceLetter(), completion, other) == 0


@pytest.mark.parametrize("completion", ["", "no idea", "K", "The answer is a kite.", "ABCDEFGHIJ", "<think>B"])
def test_a_completion_may_settle_on_no_letter(completion):
    assert [value(ChoiceLetter(), completion, letter) for letter in "ABCDEFGHIJ"] == [0] * 10


@given(st.text(), st.sampled_from("ABCD"))
def test_a_last_line_with_the_letter_decides_whatever_came_before(text, letter):
    assert value(ChoiceLetter(letters="ABCD"), f"{text}</think>\nAnswer: {letter}", letter) == 1


@pytest.mark.parametrize(
    ("rule", "row"),
    [
        (ExactMatch(), {}),
        (ExactMatch(), {"answer": None}),
        (ExactMatch(), {"answer": []}),
        (ExactMatch(), {"answer": " "}),
        (ExactMatch(answer_column="gold"), {"answer": "5"}),
        (ChoiceLetter(), {"answer": "yes"}),
        (ChoiceLetter(letters="ABCD"), {"answer": "E"}),
    ],
)
def test_a_row_without_a_usable_answer_is_an_error_never_a_zero(rule, row):
    result = rule.judge("5", row)
    assert (result.outcome, result.value) == ("error", None)
    assert "answer" in result.detail


def test_a_reward_scores_row_by_row():
    rows = [{"answer": "4"}, {"answer": "5"}, {}]
    results = RuleReward(ExactMatch()).score(RewardBatch(prompts=["", "", ""], completions=["5", "5", "5"], rows=rows))
    assert [result.value for result in results] == [0, 1, None]


def test_a_rule_is_named_with_its_keys():
    assert rule_named("contains") == Contains()
    assert rule_named({"use": "choice-letter", "letters": "AB"}) == ChoiceLetter(letters="AB")
    with pytest.raises(ValueError, match="there are exact-match"):
        rule_named("exact")


def test_a_wrong_answer_says_what_it_is_and_what_it_should_be():
    assert ExactMatch().judge("6", {"answer": ["4", "5"]}).detail == "6 does not give 4 or 5"
    assert ExactMatch().judge("5", {"answer": "5"}).detail == ""
