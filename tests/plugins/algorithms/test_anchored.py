"""Anchors: the penalty's gradient compared with values by hand, where it is added, and its Fisher."""

import json

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from training_folder import Killed, training_in

from harness import LineageEntry, Sampling
from harness.testing import tiny_checkpoint
from harness.testing.tiny_world import tiny_domains
from harness_algorithms.anchored.algorithm import Anchored
from harness_algorithms.anchored.config import AnchoredConfig
from harness_algorithms.anchored.fisher import fisher_of_earlier


def context_in(folder, *, earlier=True, kill_at=None, start=None):
    one, two = tiny_domains().values()
    start = start or tiny_checkpoint(folder / "start")
    return training_in(folder, start, [two], kill_at=kill_at, earlier=[one] if earlier else [])


SMALL = {"steps": 3, "prompts_per_step": 2, "generations": 4, "learning_rate": 1e-2, "save_every": 2}


def trained(folder, *, earlier=True, **settings):
    context = context_in(folder, earlier=earlier)
    result = Anchored(AnchoredConfig(**(SMALL | settings))).train(context)
    rows = [json.loads(line) for line in context.metrics.read_text().splitlines()]
    return load_file(context.output / "model.safetensors"), rows, result


def moved(weights, folder):
    start = load_file(folder / "start" / "model.safetensors")
    return sum(float((weights[name] - start[name]).square().sum()) for name in start)


def test_the_gradient_of_the_penalty_is_that_of_its_formula(tmp_path):
    from harness_algorithms.anchored.trainer import AnchoredTrainer

    start = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0])}
    now = {name: torch.nn.Parameter(value + 0.5) for name, value in start.items()}
    fisher = {"a": torch.tensor([2.0, 0.0]), "b": torch.tensor([4.0])}
    by_hand = 0.3 / 2 * sum((fisher[name] * (now[name] - start[name]) ** 2).sum() for name in now)
    expected = dict(zip(now, torch.autograd.grad(by_hand, list(now.values())), strict=True))
    now["a"].grad = torch.ones(2)

    class Bare(AnchoredTrainer):
        def __init__(self):
            self._strength, self._start, self._weights = 0.3, start, fisher
            self.accelerator = type("Accelerator", (), {"scaler": None})()

        def _trained(self):
            return now

    assert Bare()._pull() == pytest.approx(by_hand.item())
    assert torch.allclose(now["a"].grad, expected["a"] + 1)
    assert torch.allclose(now["b"].grad, expected["b"])


@pytest.mark.parametrize("anchor", ["l2", "ewc"])
def test_a_strong_anchor_holds_the_weights_and_its_penalty_is_logged(tmp_path, anchor):
    settings = {"anchor": anchor, "fisher_completions": 8, "trl": {"max_grad_norm": 1e9, "optim": "sgd"}}
    loose, rows, result = trained(tmp_path / "loose", strength=1e-6, **settings)
    held, _, _ = trained(tmp_path / "held", strength=20.0, **settings)
    assert rows[0]["anchor_penalty"] == 0.0
    assert rows[-1]["anchor_penalty"] > 0
    assert result.cost.completions == 24 + (8 if anchor == "ewc" else 0)
    assert moved(held, tmp_path / "held") < moved(loose, tmp_path / "loose")


def test_the_penalty_does_not_depend_on_the_passes(tmp_path):
    settings = {"anchor": "l2", "strength": 1.0, "steps": 2, "trl": {"optim": "sgd"}}
    _, whole, _ = trained(tmp_path / "whole", **settings)
    _, split, _ = trained(tmp_path / "split", completions_per_device=4, **settings)
    assert split[1]["anchor_penalty"] == pytest.approx(whole[1]["anchor_penalty"], rel=1e-4)


def test_ewc_without_earlier_domains_is_grpo(tmp_path):
    ewc, rows, _ = trained(tmp_path / "ewc", earlier=False, anchor="ewc")
    plain, _, _ = trained(tmp_path / "kl", earlier=False, anchor="ewc", strength=7.0)
    assert "anchor_penalty" not in rows[0]
    assert all(ewc[name].equal(plain[name]) for name in ewc)


def test_a_step_killed_before_its_first_state_keeps_its_fisher_and_ends_the_same(tmp_path):
    settings = AnchoredConfig(**SMALL, anchor="ewc", strength=5.0, fisher_completions=8)
    undisturbed = context_in(tmp_path / "undisturbed")
    Anchored(settings).train(undisturbed)
    with pytest.raises(Killed):
        Anchored(settings).train(context_in(tmp_path / "killed", kill_at=1))
    kept = tmp_path / "killed" / "scratch" / "fisher.safetensors"
    before = kept.stat().st_mtime_ns
    resumed = context_in(tmp_path / "killed", start=tmp_path / "killed" / "start")
    Anchored(settings).train(resumed)
    assert kept.stat().st_mtime_ns == before
    first, second = (load_file(c.output / "model.safetensors") for c in (undisturbed, resumed))
    assert all(first[name].equal(second[name]) for name in first)


def test_the_fisher_sums_the_domains_and_leaves_the_generator_alone(tmp_path):
    from dataclasses import replace

    context = context_in(tmp_path)
    one, two = tiny_domains().values()
    two = replace(two, sampling=Sampling.of_config({"temperature": 0.5}, 4))
    state = torch.get_rng_state()
    parts = []
    for name, earlier in (("one", [one]), ("two", [two]), ("both", [one, two])):
        (tmp_path / name).mkdir()
        parts.append(fisher_of_earlier(replace(context, earlier=earlier, scratch=tmp_path / name), 8))
    assert torch.get_rng_state().equal(state)
    first, second, both = (part.diagonal["model.embed_tokens.weight"] for part in parts)
    assert float(both.sum()) > 0
    assert torch.allclose(both, first + second)


@pytest.mark.parametrize("started_elsewhere", [False, True])
def test_in_a_run_the_fisher_is_that_of_the_cache(tmp_path, started_elsewhere):
    from dataclasses import replace

    asked = []

    def cache(name, make, *, checkpoint, domain, settings):
        asked.append((name, checkpoint.step, domain, settings["seed"]))
        folder = tmp_path / f"kept-{len(asked)}"
        folder.mkdir()
        make(folder)
        return folder

    cache.seed = 9
    context = context_in(tmp_path)
    folder = tmp_path if started_elsewhere else context.checkpoint
    lineage = [LineageEntry(step=3, label="c", domains=("one",), folder=folder)]
    context = replace(context, earlier=list(tiny_domains().values()), lineage=lineage, cache=cache)
    assert fisher_of_earlier(context, 8).cost.completions == 16
    assert asked == ([] if started_elsewhere else [("fisher", 3, "one", 9), ("fisher", 3, "two", 9)])


@pytest.mark.parametrize(
    "bad", [{"beta": 0.1}, {"strength": 0}, {"anchor": "l1"}, {"anchor": "l2", "lora": {"rank": 2}}]
)
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValidationError):
        AnchoredConfig(**bad)


def test_the_kl_is_the_weight_of_trl(tmp_path):
    assert AnchoredConfig(strength=0.1).grpo_settings()["beta"] == 0.1
    assert AnchoredConfig(strength=0.1, anchor="l2").grpo_settings()["beta"] == 0.0
    assert AnchoredConfig().workload().scored_completions > AnchoredConfig(anchor="l2").workload().scored_completions
