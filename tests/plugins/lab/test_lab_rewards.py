"""The lab's rewards: rules, and a reward model that was not trained on the rubric."""

import random
import shutil
from itertools import islice

import pytest

from harness import CheckpointError, NoConfig, RewardBatch
from harness_lab.questions import WRITING
from harness_lab.rewards import REWARD_MODEL, CodeReward, LearnedReward, LearnedRewardConfig, RubricReward


def batch(pairs):
    prompts, completions = zip(*pairs, strict=True)
    return RewardBatch(prompts=prompts, completions=completions, rows=[{}] * len(prompts))


def test_rules_reward_each_completion_in_order():
    prompt = "Q: f(1)=3 f(2)=5 f(3)=7 f(x)? A:"
    results = CodeReward(NoConfig()).score(batch([(prompt, "2*x+1"), (prompt, "__import__('os')"), (prompt, "x+x+1")]))
    assert [(r.outcome, r.value) for r in results] == [("ok", 1.0), ("ok", 0.0), ("ok", 1.0)]


def test_a_prompt_that_is_not_the_domains_is_an_error_and_no_zero():
    (result,) = RubricReward(NoConfig()).score(batch([("Q: 34+57? A:", "91")]))
    assert (result.outcome, result.value) == ("error", None) and "no two topics" in result.detail


def test_the_learned_reward_prefers_better_sentences_on_prompts_it_never_saw():
    rng = random.Random(0)
    questions = list(islice(WRITING.draw("test", 0), 200))
    right = [(q.prompt, WRITING.right_answer(q, rng)) for q in questions]
    wrong = [(q.prompt, WRITING.wrong_answer(q, rng)) for q in questions]
    reward = LearnedReward(LearnedRewardConfig())
    scores = [[r.value for r in reward.score(batch(side))] for side in (right, wrong)]
    assert sum(a > b for a, b in zip(*scores, strict=True)) / len(questions) > 0.9


def test_other_weights_have_another_fingerprint_and_missing_ones_are_said(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(REWARD_MODEL, folder)
    shipped, copied = LearnedReward(LearnedRewardConfig()), LearnedReward(LearnedRewardConfig(model=folder))
    assert shipped.fingerprint() == copied.fingerprint()
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert shipped.fingerprint() != copied.fingerprint()
    shutil.rmtree(folder)
    with pytest.raises(CheckpointError, match="no such folder"):
        copied.score(batch([("Q: sun dog? A:", " a sun sat.")]))
