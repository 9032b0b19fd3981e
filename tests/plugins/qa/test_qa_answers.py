"""The letter and the short-answer rule, and their rewards."""

import json
from pathlib import Path

import pytest

from harness import NoConfig, RewardBatch
from harness_domains.qa.answers import LETTERS, answer_in_words, chosen_letter
from harness_domains.qa.config import MMLUProConfig, SuperGPQAConfig
from harness_domains.qa.questions import held_out_questions
from harness_domains.qa.rewards import LetterReward, ShortAnswerReward

FIXTURES = Path(__file__).parents[2] / "fixtures" / "qa"
CONFIGS = {
    "super_gpqa": SuperGPQAConfig(data_files=FIXTURES / "super_gpqa.jsonl", test_share=1.0),
    "mmlu_pro": MMLUProConfig(data_files=FIXTURES / "mmlu_pro.parquet", test_share=1.0),
}
GOLD = {"letter": lambda row: row["letter"], "short": lambda row: row["options"][LETTERS.index(row["letter"])]}
REWARDS = {"letter": LetterReward(NoConfig()), "short": ShortAnswerReward(NoConfig())}
FORMS = (
    "{}",
    "Answer: {}",
    "I weighed them all.\n\nAnswer: {}",
    "<think>A? No, B.</think>Answer: {}",
    "The answer is {}.",
)


def values(reward, rows, completions):
    results = reward.score(RewardBatch(prompts=[row["prompt"] for row in rows], completions=completions, rows=rows))
    assert {result.outcome for result in results} == {"ok"}
    return [result.value for result in results]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("answers", ["letter", "short"])
@pytest.mark.parametrize("data", CONFIGS)
def test_gold_answers_score_1_and_shuffled_ones_0(data, answers, form):
    rows = held_out_questions(CONFIGS[data]).to_list()
    assert len(rows) >= 30
    gold = [form.format(GOLD[answers](row)) for row in rows]
    assert values(REWARDS[answers], rows, gold) == [1.0] * len(rows)
    turned = [{**row, "letter": LETTERS[(LETTERS.index(row["letter"]) + 1) % len(row["options"])]} for row in rows]
    shuffled = [form.format(GOLD[answers](row)) for row in turned]
    assert values(REWARDS[answers], rows, shuffled) == [0.0] * len(rows)


@pytest.mark.parametrize(
    ("completion", "options", "letter"),
    [
        ("(J)", 10, "J"),
        ("J", 4, None),
        ("The correct option is B", 4, "B"),
        (r"\boxed{C} is what I said first. Answer: D", 4, "D"),
        (r"Answer: D, or rather \boxed{C}", 4, "C"),
        ("A kite flies. So D", 4, "D"),
        ("The answer is a kite", 4, None),
        ("I'd say B.", 10, "B"),
        ("<think>B", 4, None),
        ("", 4, None),
    ],
)
def test_the_letter_that_is_settled_on(completion, options, letter):
    assert chosen_letter(completion, options) == letter


@pytest.mark.parametrize(
    ("completion", "words"),
    [
        ("Answer: The Rope Bridge.", "rope bridge"),
        ("answer is **a rope bridge**", "rope bridge"),
        ("Let me see.\nrope  bridge", "rope bridge"),
        ("Answer: kite\nAnswer: rope bridge", "rope bridge"),
        ("", ""),
    ],
)
def test_the_answer_in_words(completion, words):
    assert answer_in_words(completion) == words


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "options"),
        ({"options": ["one"], "letter": "A"}, "options"),
        ({"options": ["one", "two"], "letter": "C"}, "letter"),
        ({"options": ["one", "two"], "letter": None}, "letter"),
        ({"options": ["one", "two"], "letter": ""}, "letter"),
    ],
)
@pytest.mark.parametrize("answers", REWARDS)
def test_a_row_that_is_no_question_is_an_error(answers, row, said):
    [result] = REWARDS[answers].score(RewardBatch(prompts=[""], completions=["A"], rows=[row]))
    assert (result.outcome, result.value) == ("error", None)
    assert said in result.detail


def test_the_fixture_has_the_columns_of_the_real_data():
    first = json.loads((FIXTURES / "super_gpqa.jsonl").read_text().splitlines()[0])
    assert first["options"][LETTERS.index(first["answer_letter"])] == first["answer"]
    assert set(SuperGPQAConfig().columns()) <= set(first)
