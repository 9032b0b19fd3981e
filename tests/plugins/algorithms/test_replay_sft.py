"""Supervised replay: which rollouts are kept, which are trained on when, and what that does to the gradient."""

import json
from collections import Counter
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from training_folder import Killed, training_in
from transformers import AutoModelForCausalLM

from harness import Cost
from harness.testing import tiny_checkpoint
from harness.testing.tiny_world import tiny_domains
from harness_algorithms.replay.algorithm import ReplaySFT
from harness_algorithms.replay.config import ReplaySFTConfig
from harness_algorithms.replay.rollouts import Example, Rollouts, good_enough, rollouts

SMALL = {"steps": 3, "prompts_per_step": 2, "generations": 4, "learning_rate": 1e-2, "save_every": 2, "rollouts": 16}


def context_in(folder, *, earlier=True, kill_at=None):
    if not (folder / "start").exists():
        tiny_checkpoint(folder / "start")
    one, two = tiny_domains().values()
    return training_in(folder, folder / "start", [two], kill_at=kill_at, earlier=[one] if earlier else [])


def trained(folder, *, context=None, **settings):
    context = context or context_in(folder)
    result = ReplaySFT(ReplaySFTConfig(**(SMALL | settings))).train(context)
    rows = [json.loads(line) for line in context.metrics.read_text().splitlines()]
    return load_file(context.output / "model.safetensors"), rows, result


@pytest.mark.parametrize(
    ("rewards", "least", "kept"),
    [
        ([1.0, 0.0, 1.0, None], None, [0, 2]),
        ([1.0, 1.0, None], None, [0, 1]),
        ([0.0, 0.0], None, []),
        ([-1.0, -3.0], None, [0]),
        ([0.4, 0.6, None], 0.5, [1]),
        ([None], None, []),
    ],
)
def test_the_rewards_decide_what_is_kept(rewards, least, kept):
    assert [place for place, good in enumerate(good_enough(rewards, least)) if good] == kept


def test_domains_take_turns_and_every_example_is_used_as_often():
    kept = {name: [Example(ids=(place,), prompt_length=0) for place in range(3)] for name in ("a", "b")}
    replayed = Rollouts(kept=kept, counts={}, cost=Cost())
    drawn = [example.ids for step in range(6) for example in replayed.of_step(step, 4, seed=0)]
    assert Counter(drawn) == {(0,): 8, (1,): 8, (2,): 8}
    assert replayed.of_step(5, 4, seed=0) == replayed.of_step(5, 4, seed=0)
    assert drawn != [example.ids for step in range(6) for example in replayed.of_step(step, 4, seed=1)]


def test_supervised_examples_become_likelier_and_the_loss_is_logged(tmp_path):
    _, rows, result = trained(tmp_path, share=0.9, steps=8)
    assert rows[-1]["replay_sft_loss"] < rows[0]["replay_sft_loss"]
    [counts] = result.report["replayed"].values()
    assert counts["sampled"] == 16
    assert 0 < counts["kept"] < 16
    assert result.cost.completions == 8 * 8 + 16


def test_the_gradient_is_that_of_grpo_and_the_weighted_loss(tmp_path):
    """With SGD and one step, the change beyond GRPO's is −rate · share/(1 − share) · the supervised gradient."""
    sgd = {"trl": {"optim": "sgd", "max_grad_norm": 1e9}, "steps": 1}
    context = context_in(tmp_path / "whole")
    whole, _, _ = trained(tmp_path / "whole", context=context, share=0.5, **sgd)
    split, _, _ = trained(tmp_path / "split", share=0.5, completions_per_device=4, **sgd)
    plain, _, _ = trained(tmp_path / "plain", context=context_in(tmp_path / "plain", earlier=False), **sgd)
    examples = rollouts(context, ReplaySFTConfig(**SMALL)).of_step(0, 4, seed=3)
    model = AutoModelForCausalLM.from_pretrained(context.checkpoint)
    loss = sum(log_loss(model, example) for example in examples) / sum(len(e.ids) - e.prompt_length for e in examples)
    loss.backward()
    for name in ("model.layers.0.mlp.down_proj.weight", "model.layers.1.self_attn.q_proj.weight"):
        assert torch.allclose(whole[name] - plain[name], -0.01 * model.get_parameter(name).grad, atol=1e-7)
        assert torch.allclose(split[name], whole[name], atol=1e-6)


def log_loss(model, example):
    logits = model(input_ids=torch.tensor([example.ids])).logits[0, example.prompt_length - 1 : -1]
    targets = torch.tensor(example.ids[example.prompt_length :])
    return -torch.log_softmax(logits, dim=-1).gather(1, targets[:, None]).sum()


def test_without_earlier_domains_it_is_grpo(tmp_path):
    from harness.training import PolicyGradientConfig
    from harness_algorithms.grpo.algorithm import GRPO

    weights, rows, result = trained(tmp_path / "sft", context=context_in(tmp_path / "sft", earlier=False))
    context = context_in(tmp_path / "grpo", earlier=False)
    GRPO(PolicyGradientConfig(**{k: v for k, v in SMALL.items() if k != "rollouts"})).train(context)
    plain = load_file(context.output / "model.safetensors")
    assert all(weights[name].equal(plain[name]) for name in plain)
    assert result.report["replayed"] == {}
    assert "replay_sft_loss" not in rows[0]


@pytest.mark.parametrize("more", [{}, {"lora": {"rank": 2}}], ids=["full", "lora"])
@pytest.mark.parametrize("kill_at", [1, 3])
def test_a_killed_step_ends_with_the_same_bytes(tmp_path, kill_at, more):
    weights, _, result = trained(tmp_path / "undisturbed", share=0.3, **more)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", context=context_in(tmp_path / "killed", kill_at=kill_at), share=0.3, **more)
    resumed, _, again = trained(tmp_path / "killed", share=0.3, **more)
    assert all(resumed[name].equal(value) for name, value in weights.items())
    assert replace(again.cost, train_seconds=0) == replace(result.cost, train_seconds=0)


@pytest.mark.parametrize("bad", [{"share": 0}, {"share": 1}, {"rollouts": 1}])
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValidationError):
        ReplaySFTConfig(**bad)
