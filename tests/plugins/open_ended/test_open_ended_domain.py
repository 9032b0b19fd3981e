"""Open-ended domains: prompts held out of training, references, presets and their fingerprints."""

import json
import random
from pathlib import Path

import pytest
from pydantic import ValidationError

import harness_lab
from harness import RewardBatch, UsageError
from harness.domains.judge import JudgeReward
from harness.plugin.registry import Registry
from harness_domains.open_ended import harness_domains
from harness_domains.open_ended.chat import ChatConfig
from harness_domains.open_ended.config import OpenEndedConfig
from harness_domains.open_ended.creative_writing import (
    REWARD_RUBRIC,
    TEST_RUBRIC,
    CreativeWritingConfig,
    WritingJudgeConfig,
)
from harness_domains.open_ended.domain import OpenEndedDomain
from harness_domains.open_ended.prompts import held_out
from harness_rewards.reward_model import RewardModel, RewardModelConfig

FIXTURES = Path(__file__).parents[2] / "fixtures" / "open_ended"
WRITING, CHAT = FIXTURES / "creative_writing.jsonl", FIXTURES / "wildchat_if.jsonl"
PROMPTS = [json.loads(line)["prompt"] for line in WRITING.read_text().splitlines()]
LAB = str(Path(harness_lab.__file__).parent / "models" / "cw-reward")
JUDGE = {"model": "judge", "cache": None}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def domain(files=WRITING, config=CreativeWritingConfig, **keys):
    return OpenEndedDomain(config(**({"data_files": files, "test_items": 4, "judge": JUDGE} | keys)))


def trained(made):
    return made.training_data(0)["prompt"][:]


def scored(made):
    return held_out(made.config)["prompt"][:]


def test_training_prompts_and_held_out_ones_are_all_prompts_and_never_meet():
    made = domain(format="plain")
    assert len(scored(made)) == 4
    assert sorted([*trained(made), *scored(made)]) == sorted(PROMPTS)


def test_fewer_prompts_are_a_prefix_and_hold_the_same_out():
    whole, some = domain(format="plain"), domain(format="plain", prompts=3)
    assert some.training_data(1)["prompt"][:] == trained(whole)[:3]
    assert scored(some) == scored(whole)


def test_the_order_of_the_rows_and_repeats_do_not_matter(tmp_path):
    rows = WRITING.read_text().splitlines()
    random.Random(0).shuffle(rows)
    (tmp_path / "other.jsonl").write_text("\n".join([*rows, *rows[:5]]))
    other = domain(tmp_path / "other.jsonl", format="plain")
    assert trained(other) == trained(domain(format="plain"))
    assert other.fingerprint() != domain().fingerprint()


def test_prompts_of_the_chat_format_are_messages_with_the_system_prompt():
    made = domain(system_prompt="You are a poet.")
    system, user = trained(made)[0]
    assert system == {"role": "system", "content": "You are a poet."}
    assert user["role"] == "user"
    assert user["content"] in PROMPTS
    assert made.system_prompt == "You are a poet."
    assert [message["role"] for message in trained(domain())[0]] == ["user"]


def test_rows_of_several_turns_keep_them(tmp_path):
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    rows = [{"prompt": [*turns, {"role": "user", "content": f"Go on, {n}"}]} for n in range(3)]
    (tmp_path / "turns.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = domain(tmp_path / "turns.jsonl", test_items=1)
    assert [message["content"] for message in trained(made)[0]][:2] == ["Hi", "Hello"]
    assert scored(made)[0].startswith("user: Hi\n\nassistant: Hello\n\nuser: Go on")


@pytest.mark.parametrize(
    ("name", "fingerprint", "tasks"),
    [
        ("open-ended", "open_ended/1 None None None train", ("open_ended", "open_ended_pairwise")),
        ("chat", "chat/1 allenai/tulu-3-wildchat-if-on-policy-8b None None train", ("chat", "chat_pairwise")),
        (
            "creative-writing",
            "creative_writing/1 Crownelius/Creative-Writing-Gemini3Pro-2700x None None train",
            ("creative_writing", "creative_writing_pairwise"),
        ),
    ],
)
def test_what_keys_cover_and_results_name_of_each_domain(name, fingerprint, tasks):
    registry = Registry.discover(only=["mdrl-harness"])
    offer = registry.find("domain", name)
    own = {"dataset": "a/b"} if name == "open-ended" else {}
    made = registry.build(offer, offer.config_type()(judge=JUDGE, **own))
    pairs = registry.build(offer, offer.config_type()(judge=JUDGE, scoring="pairwise", reference="r", **own))
    assert made.fingerprint() == fingerprint.replace("1 None", "1 a/b")
    assert (made.evaluation_tasks()[0].task, pairs.evaluation_tasks()[0].task) == tasks


def test_the_fingerprint_follows_the_files(tmp_path):
    expected = "files 7f730c123aa5a342aa6a369d16660d529d709e4c0ed963d4888da7eeadce874a"
    assert domain(CHAT, ChatConfig).fingerprint() == f"chat/1 {expected}"
    references = domain(CHAT, ChatConfig, reference_file=WRITING, reference="response")
    assert references.fingerprint().startswith(f"chat/1 {expected} | files df688edc914bab")
    (tmp_path / "other.jsonl").write_text(CHAT.read_text() + "\n")
    assert domain(tmp_path / "other.jsonl", ChatConfig).fingerprint() != f"chat/1 {expected}"


def test_a_reward_model_scores_replies_without_their_thinking():
    assert {spec.name: spec.reward for spec in harness_domains()}["chat"] == "reward-model"
    template = "{% for m in messages %}{{ m.content }} {% endfor %}"
    reward = RewardModel(RewardModelConfig(model=LAB, chat_template=template, device="cpu"))
    prompt = trained(domain(CHAT, ChatConfig))[0]
    replies = ["<think>which ones?</think>\nthe shy sun sat.", "the shy sun sat.", "a fun dog fell."]
    thought, plain, other = reward.score(RewardBatch(prompts=[prompt] * 3, completions=replies, rows=[{}] * 3))
    assert thought.value == pytest.approx(plain.value, abs=1e-4)
    assert other.value != pytest.approx(plain.value, abs=1e-4)


def test_the_reward_asks_by_its_own_rubric():
    assert domain().config.judge.rubric == TEST_RUBRIC
    assert JudgeReward(WritingJudgeConfig(model="judge")).client.config.rubric == REWARD_RUBRIC != TEST_RUBRIC


def test_relative_files_reach_the_task_as_absolute_ones(monkeypatch):
    monkeypatch.chdir(FIXTURES)
    metadata = domain(Path(WRITING.name), reference_file=Path(CHAT.name)).task_metadata()["open_ended"]
    assert metadata["data_files"] == [str(WRITING)]
    assert metadata["reference_file"] == str(CHAT)


def test_several_data_sets_are_read_as_one():
    config = domain(None, dataset="a/b", revision="c", more_datasets=["d/e"]).config
    assert [(source.dataset, source.revision) for source in config.sources()] == [("a/b", "c"), ("d/e", None)]


@pytest.mark.parametrize(
    ("config", "keys", "message"),
    [
        (CreativeWritingConfig, {"judge": None}, "judge"),
        (CreativeWritingConfig, {"system_prompt": "You are a poet.", "format": "plain"}, "requires format: chat"),
        (CreativeWritingConfig, {"pair_rubric": "{prompt} {first}"}, r"no \{second\}"),
        (ChatConfig, {"scoring": "pairwise"}, "requires `reference`"),
        (OpenEndedConfig, {"data_files": None}, "give `data_files`"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(config, keys, message):
    with pytest.raises(ValidationError, match=message):
        domain(config=config, **keys)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a"}], "no column prompt"),
        ([{"prompt": "a"}, {"prompt": ""}], "the column prompt holds ''"),
        ([{"prompt": "a"}] * 9, "1 distinct prompts are too few to hold out 4"),
        ([{"prompt": [{"role": "assistant", "content": "a"}]}], "the column prompt holds [{"),
    ],
)
def test_unusable_data_are_refused_with_their_place(tmp_path, rows, message):
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(UsageError) as raised:
        domain(tmp_path / "rows.jsonl").training_data(0)
    assert message in raised.value.message
    assert raised.value.where.startswith(str(tmp_path / "rows.jsonl"))


def test_a_file_of_references_replaces_those_of_the_data(tmp_path):
    path = tmp_path / "references.jsonl"
    own = [{"prompt": prompt, "piece": f"My own on {prompt}"} for prompt in PROMPTS]
    path.write_text("\n".join(map(json.dumps, own)))
    made = domain(scoring="pairwise", reference="piece", reference_file=path)
    rows = held_out(made.config)
    assert [row["reference"] for row in rows] == [f"My own on {row['prompt']}" for row in rows]
    assert made.fingerprint() != domain().fingerprint()
    path.write_text(json.dumps(own[0]))
    with pytest.raises(UsageError) as raised:
        held_out(made.config)
    assert "held-out prompts have no reference" in raised.value.message
    assert str(path) in raised.value.where


def test_a_missing_column_of_references_is_reported_with_those_that_exist():
    with pytest.raises(UsageError) as raised:
        held_out(domain(scoring="pairwise", reference="completion").config)
    assert "no column completion; they have prompt, response, metadata" in raised.value.message


def test_a_reference_may_be_the_assistants_last_message():
    made = domain(CHAT, ChatConfig, scoring="pairwise", reference="chosen")
    assert set(held_out(made.config)["reference"]) == {"A made-up good reply."}


def test_scoring_changes_neither_held_out_nor_training_prompts():
    one, other = domain(format="plain", scoring="pairwise"), domain(format="plain")
    assert scored(one) == scored(other)
    assert trained(one) == trained(other)
