"""Chat: prompts as messages, and a reward model that scores replies without their thinking."""

import json
from pathlib import Path

import pytest

import harness_lab
from harness import RewardBatch
from harness_domains.chat import harness_domains
from harness_domains.chat.config import ChatConfig
from harness_domains.chat.domain import Chat
from harness_rewards.reward_model import RewardModel, RewardModelConfig

FIXTURE = Path(__file__).parents[1] / "fixtures" / "chat" / "wildchat_if.jsonl"
LAB = str(Path(harness_lab.__file__).parent / "models" / "cw-reward")
JUDGE = {"model": "judge", "cache": None}


def domain(files=FIXTURE, **keys):
    return Chat(ChatConfig(**({"data_files": files, "test_items": 4, "judge": JUDGE} | keys)))


def test_prompts_are_messages_of_the_user():
    rows = domain().training_data(0)
    assert len(rows) == 8
    assert rows.column_names == ["prompt"]
    assert all([message["role"] for message in row["prompt"]] == ["user"] for row in rows)


def test_rows_of_several_turns_keep_them(tmp_path):
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    rows = [{"prompt": [*turns, {"role": "user", "content": f"Go on, {n}"}]} for n in range(3)]
    (tmp_path / "turns.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = domain(tmp_path / "turns.jsonl", test_items=1)
    assert [m["content"] for m in made.training_data(0)[0]["prompt"]][:2] == ["Hi", "Hello"]
    assert made.config.held_out()[0]["prompt"].startswith("user: Hi\n\nassistant: Hello\n\nuser: Go on")


def test_its_reward_takes_thinking_off():
    [spec] = harness_domains()
    assert spec.reward == "reward-model"
    template = "{% for m in messages %}{{ m.content }} {% endfor %}"
    reward = RewardModel(RewardModelConfig(model=LAB, chat_template=template, device="cpu"))
    prompt = domain().training_data(0)[0]["prompt"]
    replies = ["<think>which ones?</think>\nthe shy sun sat.", "the shy sun sat.", "a fun dog fell."]
    thought, plain, other = reward.score(RewardBatch(prompts=[prompt] * 3, completions=replies, rows=[{}] * 3))
    assert thought.value == pytest.approx(plain.value, abs=1e-4)
    assert other.value != pytest.approx(plain.value, abs=1e-4)


def test_the_fingerprint_follows_the_data(tmp_path):
    (tmp_path / "other.jsonl").write_text(FIXTURE.read_text() + "\n")
    assert domain().fingerprint() != domain(tmp_path / "other.jsonl").fingerprint()
    hub = domain(files=None)
    assert hub.fingerprint() == "chat/1 allenai/tulu-3-wildchat-if-on-policy-8b None None train"
