"""The instruction-following domain: columns, prompts, the reward on its rows, and unusable rows."""

import json
from importlib import import_module

import pytest
from ifollow_world import IFEVAL, IFEVAL_COLUMNS, MEETS_NONE, NEMOTRON, SAMPLES, meeting, write_sentence_data
from pydantic import ValidationError

from harness import NoConfig, RewardBatch, UsageError
from harness_domains.instruction_following.config import HeldOutTable, InstructionFollowingConfig, InstructionTable
from harness_domains.instruction_following.domain import InstructionFollowing
from harness_domains.instruction_following.reward import InstructionReward
from harness_domains.instruction_following.rows import load_rows


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def written(tmp_path):
    def write(rows, name="mine.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def training(**config):
    return InstructionFollowing(InstructionFollowingConfig(**{"data_files": NEMOTRON} | config)).training_data(0)


def rewards(rows, completions):
    rows = rows.to_list()
    batch = RewardBatch(prompts=[row["prompt"] for row in rows], completions=completions, rows=rows)
    return [result.value for result in InstructionReward(NoConfig()).score(batch)]


def row(identifier, arguments, prompt="Do it."):
    return {"prompt": prompt, "instruction_id_list": [identifier], "kwargs": [arguments]}


SOUND = row("punctuation:no_comma", {})


def test_texts_that_meet_the_constraints_score_1_those_that_meet_none_0_and_shuffled_ones_less():
    rows = training(format="plain")
    right = [meeting(prompt) for prompt in rows["prompt"]]
    assert rewards(rows, right) == [1.0] * 8
    assert rewards(rows, [MEETS_NONE] * 8) == [0.0] * 8
    shares = [rewards(rows, right[turn:] + right[:turn]) for turn in range(1, 8)]
    assert all(sum(share) / 8 < 0.5 for share in shares)


def test_prompts_are_messages_with_the_system_prompt_first_or_text():
    chat = training(system_prompt="Be exact.")[0]["prompt"]
    assert [message["role"] for message in chat] == ["system", "user"]
    assert training(format="plain")[0]["prompt"] == chat[1]["content"]
    assert training()[0]["prompt"] == chat[1:]


def test_rows_carry_what_the_reward_reads_and_nothing_of_other_rows():
    rows = {r["prompt"][-1]["content"][:5]: r for r in training(thinks=True).to_list()}
    assert rows["Name "]["instruction_id_list"] == ["detectable_format:number_bullet_lists"]
    assert json.loads(rows["Name "]["kwargs"]) == [{"num_bullets": 3}]
    assert {r["thinks"] for r in rows.values()} == {True}


def test_fewer_prompts_are_a_beginning_of_more_in_an_order_of_the_seed():
    texts = training(format="plain")["prompt"][:]
    assert training(format="plain", prompts=3)["prompt"][:] == texts[:3]
    other = training(format="plain", subset_seed=1)["prompt"][:]
    assert other != texts and sorted(other) == sorted(texts)


def test_ifevals_columns_and_columns_of_json_text_are_read_as_well(written):
    columns = {"data_files": IFEVAL, **IFEVAL_COLUMNS}
    with pytest.raises(UsageError, match="letter_frequency"):
        training(**columns)
    rows = training(**columns, faulty_rows="skip", format="plain")
    assert rewards(rows, [meeting(prompt) for prompt in rows["prompt"]]) == [1.0] * 5
    as_text = [r | {name: json.dumps(r[name]) for name in ("instruction_id_list", "kwargs")} for r in (SOUND, SOUND)]
    assert rewards(training(**IFEVAL_COLUMNS | {"data_files": written(as_text)}), ["a", "a, b"]) == [1.0, 0.0]


def test_missing_columns_are_named_with_those_wanted_and_how_to_name_others(written):
    with pytest.raises(UsageError, match="have no column input, args; they have key, prompt") as caught:
        training(data_files=IFEVAL)
    assert "input: the prompt" in caught.value.hint and "set `prompt`" in caught.value.hint
    assert "args: in its field instruction_id_list the list" in caught.value.hint
    with pytest.raises(UsageError, match="column args has no field instruction_kwargs") as caught:
        training(data_files=written([{"input": "Do it.", "args": {"instruction_id_list": ["a"]}}]))
    assert "instruction_kwargs the list of their arguments" in caught.value.hint


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (row("keywords:rhyme", {}), "lm-eval has no constraint keywords:rhyme; it has change_case:"),
        (row("length_constraints:number_words", {"num_words": 9}), "would draw the rest at random"),
        (row("keywords:existence", {"keywords": ["("]}), "keywords:existence cannot be checked with"),
        (SOUND | {"kwargs": []}, "it has 1 constraints, but the arguments"),
        (SOUND | {"instruction_id_list": []}, "not a list of names"),
        (SOUND | {"prompt": " "}, "the prompt is ' '"),
    ],
)
def test_a_faulty_row_is_refused_with_its_number_or_left_out(written, faulty, said):
    path = written([SOUND, faulty, SOUND, faulty])
    config = IFEVAL_COLUMNS | {"data_files": path}
    with pytest.raises(UsageError) as caught:
        training(**config)
    assert caught.value.message.startswith(f"2 of the 4 rows cannot be used, the first of them {path}:2: ")
    assert said in caught.value.message
    assert "mine.jsonl" in caught.value.where and "faulty_rows: skip" in caught.value.hint
    assert len(training(**config, faulty_rows="skip")) == 2
    with pytest.raises(UsageError, match="1 of the 1 rows"):
        training(**IFEVAL_COLUMNS, data_files=written([faulty]), faulty_rows="skip")


def test_conversations_are_trained_on_in_chat_and_refused_as_text(written):
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Go"},
    ]
    config = IFEVAL_COLUMNS | {"data_files": written([SOUND | {"prompt": turns}])}
    assert training(**config)[0]["prompt"] == turns
    with pytest.raises(UsageError, match="3 messages"):
        training(**config, format="plain")
    with pytest.raises(UsageError, match="end with the user's"):
        training(**IFEVAL_COLUMNS, data_files=written([SOUND | {"prompt": turns[:2]}]))


def test_nltks_data_are_wanted_before_anything_starts_and_only_where_a_row_needs_them(written, monkeypatch, tmp_path):
    nltk = import_module("nltk")
    monkeypatch.setattr(nltk.data, "path", [])
    sample = next(s for s in SAMPLES if s.identifier == "length_constraints:number_sentences")
    config = IFEVAL_COLUMNS | {"data_files": written([SOUND, row(sample.identifier, sample.arguments)])}
    assert len(training()) == 8
    with pytest.raises(UsageError, match="punkt_tab") as caught:
        training(**config)
    assert "harness prefetch" in caught.value.hint
    monkeypatch.setattr(nltk.data, "path", [str(write_sentence_data(tmp_path / "nltk_data"))])
    assert len(training(**config)) == 2


def test_scored_items_may_leave_an_argument_to_chance_as_ifevals_own_do():
    assert len(load_rows(HeldOutTable(data_files=IFEVAL), single=True, chance=True)) == 6


def test_the_fingerprint_moves_with_the_data_and_the_columns(written):
    def fingerprint(**config):
        return InstructionFollowing(InstructionFollowingConfig(**config)).fingerprint()

    one, other = written([SOUND], "one.jsonl"), written([SOUND, SOUND], "other.jsonl")
    found = [
        fingerprint(),
        fingerprint(revision="abc"),
        fingerprint(data_files=one),
        fingerprint(data_files=other),
        fingerprint(data_files=one, **IFEVAL_COLUMNS),
        fingerprint(data_files=one, test={"data_files": other}),
        fingerprint(data_files=one, faulty_rows="skip"),
    ]
    assert len(set(found)) == len(found)
    assert fingerprint(data_files=one) == fingerprint(data_files=written([SOUND], "copy.jsonl"))


def test_how_many_answers_are_scored_is_bounded_by_the_limit_the_data_set_or_the_file(written):
    def domain(**test):
        return InstructionFollowing(InstructionFollowingConfig(test=test))

    assert domain().scored_completions(None) == domain(revision="abc").scored_completions(1000) == 541
    assert domain().scored_completions(20) == 20
    file = written([SOUND, SOUND], "two.jsonl")
    assert (domain(data_files=file).scored_completions(None), domain(data_files=file).scored_completions(1)) == (2, 1)
    assert domain(dataset="some/other").scored_completions(20) == 20
    assert domain(dataset="some/other").scored_completions(None) is None


def test_a_system_prompt_wants_chat():
    with pytest.raises(ValidationError, match="system_prompt requires format: chat"):
        InstructionFollowingConfig(format="plain", system_prompt="Be exact.")


def test_the_tables_default_to_the_data_sets_that_the_readme_names():
    training_table, items = InstructionTable(), HeldOutTable()
    assert (training_table.dataset, training_table.subset, training_table.split) == (
        "nvidia/Llama-Nemotron-Post-Training-Dataset",
        "RL",
        "instruction_following",
    )
    assert (items.dataset, items.subset, items.split) == ("google/IFEval", None, "train")
    assert list(items.columns()) == list(IFEVAL_COLUMNS.values())


def test_what_is_taken_of_the_hub_is_named_so_that_it_can_be_pinned():
    taken = InstructionFollowing(InstructionFollowingConfig(revision="a" * 40)).hub_sources()
    assert [(source.name, source.pinned) for source in taken] == [
        ("nvidia/Llama-Nemotron-Post-Training-Dataset", True),
        ("google/IFEval", False),
    ]
    local = InstructionFollowingConfig(data_files=(NEMOTRON,), test=HeldOutTable(data_files=(IFEVAL,)))
    assert list(InstructionFollowing(local).hub_sources()) == []
