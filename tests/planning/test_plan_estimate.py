"""Estimates of a small plan, compared with values computed by hand: tokens, GPU hours, disk, requirements."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ruamel.yaml import YAML
from small_llama import SMALL_LLAMA
from small_world import DISTRIBUTION, PROTOCOL, SmallWorld

from harness.planning.counts import workloads_of
from harness.planning.disk_need import DiskNeed, disk_need, size_of
from harness.planning.estimate import Assumptions, Estimator, NodeEstimate
from harness.planning.model_shape import shape_of
from harness.planning.planner import make_plan
from harness.planning.prompt_length import CHAT_TOKENS, tokens_of
from harness.planning.requirements import NeedOf, needs_of
from harness.plugin.registry import Registry
from harness.plugin.workload import Workload
from harness.protocol import load_protocol
from harness.testing import tiny_domains
from harness.training import PolicyGradientConfig
from harness.weights.storage_forms import Deltas
from harness_algorithms.anchored.config import AnchoredConfig
from harness_recoveries.rollback.config import RollbackConfig

REGISTRY = Registry.of([(DISTRIBUTION, SmallWorld())])
CONFIG = {**SMALL_LLAMA, "dtype": "bfloat16"}
SHAPE = shape_of(CONFIG)
ASSUMED = Assumptions(prompt_tokens=3, gpu_teraflops=1e-6, generation_utilization=0.5, training_utilization=1.0)


@pytest.fixture
def plan_of(tmp_path):
    def planned(**changed):
        path = tmp_path / "games.yaml"
        path.write_text(json.dumps(YAML(typ="safe", pure=True).load(PROTOCOL) | changed))
        return make_plan(load_protocol(path, REGISTRY), REGISTRY)

    return planned


@pytest.fixture(autouse=True)
def lengths(monkeypatch):
    """Completions of chess are two tokens long, of the other games seven."""
    monkeypatch.setattr(
        "small_world.Game.completion_tokens", property(lambda game: 2 if game.config.items == 2 else 7), raising=False
    )


def test_a_training_worked_by_hand(plan_of):
    plan = plan_of(domains={"chess": {"use": "chess", "items": 2}}, methods={"only": [{"train": "chess", "steps": 3}]})
    estimator = Estimator(plan, REGISTRY, SHAPE, ASSUMED)
    training = plan.methods[0].lineage[1]
    # 3 steps of 4 prompts of 2 completions: 24 completions of 2 tokens after prompts of 3. A sequence of 5 tokens takes
    # 11,600 operations forward; 24 of them at half of 1e6 a second generate in 0.5568 s, three times that forward and
    # backward at the whole of it trains in 0.8352 s.
    assert estimator.nodes[training] == NodeEstimate(
        generated_tokens=48, prompt_tokens=72, gpu_hours=pytest.approx((0.5568 + 0.8352) / 3600)
    )
    total = estimator.total()
    assert (total.generated_tokens, total.training_generated_tokens, total.prompt_tokens) == (48, 48, 72)
    assert total.gpu_hours == pytest.approx(1.392 / 3600)
    # One checkpoint in float32; two states of weights and two moments each; a delta of seven tenths beside the model.
    assert total.disk == DiskNeed(checkpoints=1, checkpoint_bytes=4640, scratch_bytes=27_840, restored_bytes=3248)
    assert total.disk.total_bytes == 35_728
    assert set(total.not_counted) == {"scoring of chess"}
    assert len(total.not_counted["scoring of chess"]) == 2


def test_activations_that_are_computed_again_cost_a_pass_forward(plan_of, monkeypatch):
    plan = plan_of(domains={"chess": {"use": "chess", "items": 2}}, methods={"only": [{"train": "chess", "steps": 3}]})
    work = Workload(completions=24, trained_completions=24, scored_completions=24, recomputes=True)
    monkeypatch.setattr("small_world.TrainingConfig.workload", lambda config: work)
    total = Estimator(plan, REGISTRY, SHAPE, ASSUMED).total()
    assert total.gpu_hours == pytest.approx((0.5568 + 5 * 0.2784) / 3600)
    # Such a step says nothing of its dtype: that of the base, and nothing to resume from.
    assert total.disk == DiskNeed(checkpoints=1, checkpoint_bytes=2320, restored_bytes=1624)


def test_the_longest_domain_of_a_step_counts_and_a_silent_one_makes_it_unknown(plan_of, monkeypatch):
    domains = {"chess": {"use": "chess", "items": 2}, "go": {"use": "go"}}
    plan = plan_of(domains=domains, methods={"mixed": [{"train": ["chess", "go"], "steps": 1}]})
    training = plan.methods[0].lineage[1]
    assert Estimator(plan, REGISTRY, SHAPE, ASSUMED).nodes[training].generated_tokens == 8 * 7
    monkeypatch.setattr("small_world.Game.completion_tokens", None)
    estimator = Estimator(plan, REGISTRY, SHAPE, ASSUMED)
    assert estimator.nodes[training] == NodeEstimate()
    assert estimator.total().not_counted["algorithm grpo"] == ("chess+go",)


def test_scorings_are_counted_where_the_domain_tells_how_many(plan_of, monkeypatch):
    monkeypatch.setattr("small_world.Game.scored_completions", lambda game, limit: min(20, limit))
    plan = plan_of(
        domains={"go": {"use": "go"}}, methods={"only": [{"train": "go", "steps": 1}]}, evaluate={"limit": 5}
    )
    total = Estimator(plan, REGISTRY, SHAPE, ASSUMED).total()
    assert total.evaluation_generated_tokens == 2 * 5 * 7
    assert total.training_generated_tokens == 8 * 7
    assert not total.not_counted


def test_what_is_done_is_not_estimated_again_and_keeps_its_dtype(plan_of):
    plan = plan_of(methods={"undone": ["chess", "go", {"recover": "chess", "with": "undo"}]})
    base, chess, go, undone = plan.methods[0].lineage
    estimator = Estimator(plan, REGISTRY, SHAPE, ASSUMED)
    left = estimator.total(without={base, chess, go})
    assert left.training_generated_tokens == 0
    # Written in its parent's float32; three of that size may lie restored.
    assert left.disk == DiskNeed(checkpoints=1, checkpoint_bytes=4640, restored_bytes=9744)
    assert estimator.total().disk.checkpoint_bytes == 3 * 4640
    assert "recovery undo" in left.not_counted
    assert estimator.nodes[undone] == NodeEstimate()


def test_deltas_take_the_disk_of_the_longest_lineage_and_two_more(plan_of):
    steps = ["chess", "go", "chess", "go", "chess", "go"]
    plan = plan_of(methods={"long": steps, "short": ["go", "chess"]})
    works = workloads_of(plan, REGISTRY)
    restored = {
        deltas: disk_need(plan, works, parameters=1000, dtype="bfloat16", deltas=deltas).restored_bytes
        for deltas in Deltas
    }
    # Eight steps of 4,000 bytes, six of them behind one another.
    assert restored == {Deltas.AUTO: 8 * 2800, Deltas.NEVER: 0, Deltas.ALWAYS: 8 * 4000}
    last = plan.methods[1].lineage[-1]
    left = disk_need(plan, works, parameters=1000, dtype="bfloat16", without=plan.nodes.keys() - {last})
    assert (left.checkpoint_bytes, left.restored_bytes) == (4000, 4 * 2800)
    assert disk_need(plan, works, parameters=1000, dtype="bfloat16", without=plan.nodes) == DiskNeed()


def test_gradients_that_are_kept_take_disk_whatever_the_dtype(plan_of, monkeypatch):
    work = Workload(dtype="bfloat16", resumable_states=1, cached_gradients=1, scratch_gradients=1)
    monkeypatch.setattr("small_world.TrainingConfig.workload", lambda config: work)
    plan = plan_of(methods={"two": ["chess", "go"]})
    need = disk_need(plan, workloads_of(plan, REGISTRY), parameters=1000, dtype="float32", deltas=Deltas.NEVER)
    # Two gradients of 4,000 bytes stay; one state of three times 2,000 and one gradient lie there at one time.
    assert need == DiskNeed(checkpoints=2, checkpoint_bytes=4000, scratch_bytes=10_000, gradient_bytes=8000)
    assert need.total_bytes == 22_000
    assert AnchoredConfig(anchor="ewc").workload().scratch_gradients == 1
    assert AnchoredConfig(anchor="l2").workload().scratch_gradients == 0
    assert RollbackConfig(score="fisher").workload().cached_gradients == 1
    assert RollbackConfig(score="magnitude").workload().cached_gradients == 0


def test_without_a_shape_tokens_are_told_and_hours_and_disk_are_not(plan_of):
    total = Estimator(plan_of(), REGISTRY, None, ASSUMED).total()
    assert total.generated_tokens == 363 * 8 * 7
    assert total.gpu_hours is None
    assert total.disk is None


def test_prompts_are_no_longer_than_the_model_has_room_for(plan_of):
    plan = plan_of(domains={"go": {"use": "go"}}, methods={"only": [{"train": "go", "steps": 1}]})
    narrow = shape_of({**CONFIG, "max_position_embeddings": 9})
    assert Estimator(plan, REGISTRY, narrow, ASSUMED).total().prompt_tokens == 8 * 2
    assert Estimator(plan, REGISTRY, SHAPE, ASSUMED).total().prompt_tokens == 8 * 3


def test_prompts_are_as_long_as_the_domains_examples(plan_of, monkeypatch):
    assumed = replace(ASSUMED, prompt_tokens=None)
    plan = plan_of(domains={"go": {"use": "go"}}, methods={"only": [{"train": "go", "steps": 1}]})
    assert Estimator(plan, REGISTRY, SHAPE, assumed).total().prompt_tokens == 8 * 1024
    monkeypatch.setattr("small_world.Game.example_prompts", lambda game: ["x" * 7, "x" * 21])
    estimator = Estimator(plan, REGISTRY, SHAPE, assumed)
    assert (estimator.prompt_tokens, estimator.total().prompt_tokens) == ({"go": 4}, 8 * 4)
    assert Estimator(plan, REGISTRY, SHAPE, ASSUMED).total().prompt_tokens == 8 * 3


def test_prompts_of_several_domains_count_with_their_mean(plan_of, monkeypatch):
    domains = {"chess": {"use": "chess", "items": 2}, "go": {"use": "go"}}
    plan = plan_of(domains=domains, methods={"mixed": [{"train": ["chess", "go"], "steps": 1}]})
    monkeypatch.setattr("small_world.Game.example_prompts", lambda game: ["x" * 35 * game.config.items])
    assert Estimator(plan, REGISTRY, SHAPE, replace(ASSUMED, prompt_tokens=None)).total().prompt_tokens == 8 * 60


def test_a_chat_prompt_has_its_template_and_system_prompt_and_an_unreadable_one_no_length():
    domain = tiny_domains()["one"].domain
    domain.example_prompts = lambda: ["x" * 35]
    assert tokens_of(domain) == 10
    domain.chat, domain.system_prompt = True, "y" * 35
    assert tokens_of(domain) == 20 + CHAT_TOKENS
    domain.example_prompts = lambda: [{}["no such column"]]
    assert tokens_of(domain) is None


def test_the_workload_of_policy_gradient_steps():
    plain = PolicyGradientConfig(steps=10, prompts_per_step=4, generations=2, save_every=4).workload()
    assert plain == Workload(
        optimizer_steps=10, completions=80, trained_completions=80, resumable_states=3, dtype="float32"
    )
    config = PolicyGradientConfig(
        steps=10,
        prompts_per_step=4,
        generations=2,
        completions_per_device=4,
        max_completion_length=9,
        beta=0.1,
        dtype="bfloat16",
        save_every=0,
        trl={"num_iterations": 3, "gradient_checkpointing": True},
    )
    # Two passes a step, six passes a round of 8 completions: 20 passes are 4 rounds. The old policy and the reference
    # score each of them once.
    assert config.workload() == Workload(
        optimizer_steps=10,
        completions=32,
        completion_tokens=9,
        scored_completions=64,
        trained_completions=80,
        recomputes=True,
        dtype="bfloat16",
    )


def test_a_base_folder_is_sized_by_its_config_or_by_its_files(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(bytes(400))
    assert size_of(tmp_path) == (100, "float32")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    assert size_of(tmp_path) == (1160, "bfloat16")


def test_what_executes_code_is_told_with_its_results(plan_of):
    plan = plan_of(
        domains={"chess": {"use": "chess", "reward": "run"}},
        methods={"only": ["chess", "chess"]},
        allow=["executes-code"],
    )
    assert needs_of(plan) == [NeedOf(need="executes-code", plugin="reward run", nodes=2)]
    done = {plan.methods[0].lineage[1]}
    assert needs_of(plan, without=done) == [NeedOf(need="executes-code", plugin="reward run", nodes=1)]
    assert needs_of(plan_of()) == []
