"""The split of questions: proportional strata, no overlap, and errors for unusable data."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import NoConfig, UsageError
from harness_domains.qa.config import MMLUProConfig, QAConfig, SuperGPQAConfig
from harness_domains.qa.domain import MMLUProDomain, QADomain, SuperGPQADomain
from harness_domains.qa.lm_eval_tasks.task import right
from harness_domains.qa.questions import held_out_questions, training_questions
from harness_domains.qa.rewards import LetterReward
from harness_domains.qa.strata import stratified_order

FIXTURES = Path(__file__).parents[2] / "fixtures" / "qa"
SUPER, PRO = FIXTURES / "super_gpqa.jsonl", FIXTURES / "mmlu_pro.parquet"


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.floats(0, 1), st.integers(0, 5))
def test_every_beginning_holds_the_strata_by_their_shares(sizes, part, seed):
    strata = [stratum for stratum, size in enumerate(sizes) for _ in range(size)]
    texts = [str(index) for index in range(len(strata))]
    order = stratified_order(texts, strata, str(seed))
    assert sorted(order) == list(range(len(texts)))
    taken = Counter(strata[index] for index in order[: round(part * len(order))])
    reached = sum(taken.values()) / len(order)
    for stratum, size in enumerate(sizes):
        assert abs(taken[stratum] - reached * size) < 2


@given(st.permutations(range(24)))
def test_the_order_does_not_hang_on_how_the_rows_came(shuffled):
    texts, strata = [f"question {i}" for i in range(24)], [i % 5 for i in range(24)]
    plain = [texts[i] for i in stratified_order(texts, strata, "seed")]
    moved = [texts[i] for i in shuffled]
    order = stratified_order(moved, [strata[i] for i in shuffled], "seed")
    assert [moved[i] for i in order] == plain


def test_another_seed_is_another_order():
    texts = [f"question {i}" for i in range(24)]
    assert stratified_order(texts, [0] * 24, "1") != stratified_order(texts, [0] * 24, "2")


@pytest.mark.parametrize("answers", ["letter", "short"])
def test_no_question_is_trained_on_and_held_out(answers):
    config = SuperGPQAConfig(data_files=SUPER, test_share=0.4, answers=answers)
    train, test = training_questions(config)["prompt"][:], held_out_questions(config)["prompt"][:]
    assert not set(train) & set(test)
    assert (len(train), len(test)) == (27, 18)


def test_both_sides_have_every_subfield_and_difficulty():
    config = SuperGPQAConfig(data_files=SUPER, test_share=0.5)
    rows = [json.loads(line) for line in SUPER.read_text().splitlines()]
    sizes = Counter(f"{row['subfield']} / {row['difficulty']}" for row in rows)
    for side in (training_questions(config), held_out_questions(config)):
        taken = Counter(side["stratum"])
        assert set(taken) == set(sizes)
        assert all(abs(taken[stratum] - size / 2) <= 1 for stratum, size in sizes.items())


@pytest.mark.parametrize("limit", [1, 7, 20])
def test_fewer_questions_are_a_beginning_of_more(limit):
    whole = MMLUProConfig(data_files=PRO, test_share=0.3)
    part = whole.model_copy(update={"prompts": limit, "test_items": limit})
    assert training_questions(part)["prompt"][:] == training_questions(whole)["prompt"][:limit]
    assert held_out_questions(part)["prompt"][:] == held_out_questions(whole)["prompt"][:limit]


def test_a_question_asked_twice_counts_once(tmp_path):
    twice = tmp_path / "twice.jsonl"
    twice.write_text(SUPER.read_text() * 2)
    config = SuperGPQAConfig(data_files=twice, test_share=0.4)
    assert len(training_questions(config)) + len(held_out_questions(config)) == 45


def test_a_prompt_lists_the_options_by_letter_and_a_short_one_leaves_them_out(tmp_path):
    path = tmp_path / "one.jsonl"
    row = {"question": " Which flies?", "options": ["a stone", "a kite "], "answer_letter": "B"}
    path.write_text(json.dumps(row))
    [letter] = held_out_questions(QAConfig(data_files=path, test_share=1.0))["prompt"]
    assert letter.startswith("Question: Which flies?\n\nOptions:\nA. a stone\nB. a kite\n\n")
    [short] = held_out_questions(QAConfig(data_files=path, test_share=1.0, answers="short"))["prompt"]
    assert "kite" not in short


def test_chat_prompts_are_messages():
    domain = MMLUProDomain(MMLUProConfig(data_files=PRO, format="chat", system_prompt="Be brief."))
    roles = [[message["role"] for message in prompt] for prompt in domain.training_data(0)["prompt"]]
    assert set(map(tuple, roles)) == {("system", "user")}
    assert domain.system_prompt == "Be brief."


def test_mmlu_pro_is_scored_beside_super_gpqa_where_asked_for():
    alone = SuperGPQADomain(SuperGPQAConfig(data_files=SUPER))
    both = SuperGPQADomain(SuperGPQAConfig(data_files=SUPER, mmlu_pro={"data_files": PRO}))
    assert [task.task for task in alone.evaluation_tasks()] == ["harness_super_gpqa"]
    assert [task.task for task in both.evaluation_tasks()] == ["harness_super_gpqa", "harness_mmlu_pro"]
    assert json.loads(json.dumps(both.task_metadata()))["mmlu_pro"] == {"data_files": str(PRO)}
    assert alone.fingerprint() != both.fingerprint()


def test_a_missing_column_is_named_with_all_that_are_wanted(tmp_path):
    path = tmp_path / "old.jsonl"
    path.write_text(SUPER.read_text().replace('"difficulty"', '"level"'))
    with pytest.raises(UsageError, match="no column difficulty") as caught:
        training_questions(SuperGPQAConfig(data_files=path))
    assert all(column in caught.value.hint for column in ("question", "options", "answer_letter", "subfield"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"options": ["one"]}, "the row's options"),
        ({"options": ["one", None]}, "not texts"),
        ({"question": None}, "the question is None"),
    ],
)
def test_a_row_that_will_not_do_is_named(tmp_path, change, said):
    first, second, *_ = map(json.loads, SUPER.read_text().splitlines())
    path = tmp_path / "odd.jsonl"
    path.write_text(json.dumps(first) + "\n" + json.dumps(second | change) + "\n")
    with pytest.raises(UsageError, match=said) as caught:
        held_out_questions(SuperGPQAConfig(data_files=path))
    assert caught.value.where == f"{path}:2"


def test_a_question_without_a_right_letter_is_left_to_the_reward_and_counts_zero(tmp_path):
    lines = SUPER.read_text().splitlines()
    path = tmp_path / "odd.jsonl"
    path.write_text("\n".join([json.dumps(json.loads(lines[0]) | {"answer_letter": "K"}), *lines[1:]]))
    config = SuperGPQAConfig(data_files=path, test_share=0.5)
    rows = [*training_questions(config).to_list(), *held_out_questions(config).to_list()]
    reasons = LetterReward(NoConfig()).unjudgeable([row["prompt"] for row in rows], rows)
    [at] = [index for index, reason in enumerate(reasons) if reason is not None]
    assert reasons[at].startswith("the row's letter is 'K'")
    assert rows[at]["source_row"] == f"{path}:1"
    assert right(rows[at] | {"rule": "letter"}, ["Answer: A"]) == {"right": 0.0, "unjudged": 1.0}


def test_where_no_question_has_a_right_letter_the_data_are_refused():
    columns = {"letter": "difficulty"}
    with pytest.raises(UsageError, match="no question can be judged: the row's letter is"):
        held_out_questions(SuperGPQAConfig(data_files=SUPER, **columns))


def test_a_corrupt_file_is_named(tmp_path):
    path = tmp_path / "cut.parquet"
    path.write_bytes(PRO.read_bytes()[:3000])
    with pytest.raises(UsageError, match="cannot be read") as caught:
        training_questions(MMLUProConfig(data_files=path))
    assert "cut.parquet" in caught.value.where


def test_nothing_to_train_on_is_said():
    domain = QADomain(QAConfig(data_files=SUPER, test_share=1.0))
    with pytest.raises(UsageError, match="all questions are held out"):
        domain.training_data(0)
