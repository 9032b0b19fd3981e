"""Granularity, budget and `against` of a rollback; and gradients that are computed once."""

import json

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from harness import CheckpointError, LineageEntry, RecoveryContext, StepFailed
from harness.testing.tiny_world import tiny_domains, tiny_lineage, tiny_training
from harness_recoveries.consolidate.config import ConsolidateConfig
from harness_recoveries.consolidate.recovery import Consolidate
from harness_recoveries.refresh.config import RefreshConfig
from harness_recoveries.refresh.recovery import Refresh
from harness_recoveries.rollback.config import CurveConfig, RollbackConfig
from harness_recoveries.rollback.recovery import Rollback

SHAPES = {
    "model.embed_tokens.weight": (6, 4),
    "model.layers.0.self_attn.q_proj.weight": (4, 4),
    "model.layers.0.mlp.gate_proj.weight": (5, 4),
    "model.layers.0.mlp.up_proj.weight": (5, 4),
    "model.layers.0.mlp.down_proj.weight": (4, 5),
    "model.layers.0.input_layernorm.weight": (4,),
}
LAYER = "model.layers.0."


def checkpoint(folder, tensors):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file(tensors, folder / "model.safetensors")
    return folder


class World:
    """base → math (the peak) → qa → cw, whose edits are `edits[2]` and `edits[3]`."""

    def __init__(self, root, dtype=torch.float32, shapes=SHAPES):
        draw = torch.Generator().manual_seed(1)
        self.root, self.models = root, []
        weights = {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}
        for _ in range(4):
            weights = {name: w + 0.1 * torch.randn(w.shape, generator=draw) for name, w in weights.items()}
            self.models.append({name: value.to(dtype) for name, value in weights.items()})
        self.rewrite()

    def rewrite(self):
        labels = ("base", "math", "qa", "cw")
        self.lineage = [
            LineageEntry(step=i, label=label, domains=(label,) if i else (), folder=self.root / f"{label}")
            for i, label in enumerate(labels)
        ]
        for entry, tensors in zip(self.lineage, self.models, strict=True):
            if not entry.folder.exists():
                checkpoint(entry.folder, tensors)

    def recover(self, **config):
        output = self.root / f"out-{len(list(self.root.iterdir()))}"
        context = RecoveryContext(
            lineage=self.lineage, target="math", peak=1, domains={}, output=output, scratch=self.root,
            metrics=self.root / "m.jsonl", seed=3, progress=lambda done, total, metrics: None,
        )  # fmt: skip
        result = Rollback(RollbackConfig(**config)).recover(context)
        return load_file(output / "model.safetensors"), result.report

    def went_back(self, result):
        return {name: (result[name] != self.models[3][name]) for name in result}


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_neurons_go_back_whole_and_attention_by_coordinate(world):
    result, report = world.recover(score="magnitude", granularity="neuron", fraction=0.4)
    back = world.went_back(result)
    edit = {name: (world.models[3][name] - world.models[1][name]).abs() for name in SHAPES}
    mlp = LAYER + "mlp."
    sums = edit[mlp + "gate_proj.weight"].sum(1) + edit[mlp + "up_proj.weight"].sum(1)
    best = (sums + edit[mlp + "down_proj.weight"].sum(0)).sort(descending=True).indices[:2].sort().values.tolist()
    for part, rows in (("gate_proj", 1), ("up_proj", 1), ("down_proj", 0)):
        channels = back[f"{mlp}{part}.weight"]
        assert channels.all(rows).nonzero().flatten().tolist() == best
        assert channels.any(rows).nonzero().flatten().tolist() == best
    outside = back["model.embed_tokens.weight"].sum() + back[LAYER + "self_attn.q_proj.weight"].sum()
    assert int(outside) == round(0.4 * (24 + 16)) == report["coordinates_outside"]
    assert report["neurons"] == 2
    assert report["coordinates"] == 2 * 12 + 16
    assert not back[LAYER + "input_layernorm.weight"].any()


def test_a_neuron_of_gpt2_is_a_column_a_bias_and_a_row_and_its_norms_stay(tmp_path):
    block = "transformer.h.0."
    shapes = {"mlp.c_fc.weight": (4, 5), "mlp.c_fc.bias": (5,), "mlp.c_proj.weight": (5, 4), "ln_1.weight": (4,)}
    world = World(tmp_path, shapes={block + name: shape for name, shape in shapes.items()})
    result, report = world.recover(score="magnitude", granularity="neuron", fraction=0.4)
    back = world.went_back(result)
    chosen = back[block + "mlp.c_fc.bias"]
    assert int(chosen.sum()) == report["neurons"] == 2
    assert torch.equal(back[block + "mlp.c_fc.weight"], chosen.expand(4, 5))
    assert torch.equal(back[block + "mlp.c_proj.weight"], chosen[:, None].expand(5, 4))
    assert not back[block + "ln_1.weight"].any()


def test_modules_go_back_whole_in_order_of_their_mean_score(world):
    world.models[3][LAYER + "self_attn.q_proj.weight"] += 5
    world.lineage[3].folder.joinpath("model.safetensors").unlink()
    save_file(world.models[3], world.lineage[3].folder / "model.safetensors")
    result, report = world.recover(score="magnitude", granularity="module", fraction=0.2)
    assert {name for name, changed in world.went_back(result).items() if changed.any()} == {
        LAYER + "self_attn.q_proj.weight"
    }
    assert (report["modules"], report["coordinates"]) == (1, 16)


@pytest.mark.parametrize("granularity", ["coordinate", "neuron", "module"])
@pytest.mark.parametrize("budget", [0.3, 0.9])
def test_a_budget_undoes_its_share_of_the_predicted_damage(world, granularity, budget):
    result, report = world.recover(score="magnitude", granularity=granularity, budget=budget)
    edit = {n: (world.models[3][n] - world.models[1][n]).double() for n in SHAPES if "norm" not in n}
    back = world.went_back(result)
    undone = sum(float(edit[name][back[name]].square().sum()) for name in edit)
    total = sum(float(values.square().sum()) for values in edit.values())
    assert undone >= budget * total * (1 - 1e-6)
    assert report["coordinates"] == sum(int(mask.sum()) for mask in back.values())
    if granularity == "coordinate":
        smallest = min(float(edit[name][back[name]].abs().min()) for name in edit if back[name].any())
        assert undone - smallest**2 < budget * total


@pytest.mark.parametrize("against", [2, "qa"])
def test_the_delta_of_one_harmful_step_is_undone(world, against):
    result, report = world.recover(score="magnitude", against=against, fraction=1.0, strength=0.5)
    for name in SHAPES:
        base, qa, cw = (world.models[step][name] for step in (1, 2, 3))
        expected = cw if "norm" in name else cw + 0.5 * (base - qa)
        assert torch.equal(result[name], expected)
    assert report["against"] == against


def test_the_last_step_as_the_harmful_one_goes_back_to_its_start(world):
    result, _ = world.recover(score="magnitude", against="cw", fraction=1.0)
    assert all(torch.equal(result[n], world.models[2][n]) for n in SHAPES if "norm" not in n)


def test_part_of_the_way_in_bf16_is_fp32_rounded(tmp_path):
    world = World(tmp_path, torch.bfloat16)
    result, _ = world.recover(score="magnitude", fraction=1.0, strength=0.3)
    for name in SHAPES:
        now, peak = world.models[3][name], world.models[1][name]
        moved = (now.float() + 0.3 * (peak.float() - now.float())).bfloat16()
        assert torch.equal(result[name], now if "norm" in name else moved)


@pytest.mark.parametrize(
    ("against", "message"),
    [
        (4, "no step 4"),
        (0, "no step 0"),
        (1, "step 1 is not after"),
        ("code", "called 'code'"),
        ("math", "after the target"),
    ],
)
def test_a_step_that_cannot_be_the_harmful_one(world, against, message):
    with pytest.raises(StepFailed, match=message):
        world.recover(score="magnitude", against=against)
    labels = ["base", "math", "qa", "cw"]
    key, told, hint = RollbackConfig(against=against).fault_in_method(labels, 1)
    assert key == "against" and message in told and "2 (qa), 3 (cw)" in hint
    assert RollbackConfig(against=2).fault_in_method(labels, 1) is None


def test_neurons_need_an_mlp_and_a_budget_some_damage(world, tmp_path):
    for name in [name for name in SHAPES if ".mlp." in name]:
        for tensors in world.models:
            tensors.pop(name)
    for entry, tensors in zip(world.lineage, world.models, strict=True):
        save_file(tensors, entry.folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="no neurons"):
        world.recover(score="magnitude", granularity="neuron")
    save_file(world.models[1], world.lineage[3].folder / "model.safetensors")
    with pytest.raises(StepFailed, match="all scores are 0"):
        world.recover(score="magnitude", budget=0.5)


@pytest.mark.parametrize(
    "bad",
    [{"budget": 0.5, "score": "random"}, {"budget": 0.5, "fraction": 0.1}, {"budget": 0}, {"granularity": "head"}],
)
def test_settings_that_contradict_each_other(bad):
    with pytest.raises(ValidationError):
        RollbackConfig(**bad)


def test_the_curve_has_its_fractions_on_a_logarithmic_scale():
    assert CurveConfig(smallest=0.001, largest=0.1, points=3).fractions() == (0.001, 0.01, 0.1)
    with pytest.raises(ValidationError):
        CurveConfig(smallest=0.3, largest=0.1)


@pytest.fixture
def recovered(tmp_path):
    """Returns a function that runs recoveries of `one` on one lineage and one cache, with what they measured."""
    lineage, kept, made = tiny_lineage(tmp_path / "lineage"), {}, []

    def cache(name, make, *, checkpoint, domain, settings):
        key = (name, checkpoint.step, domain, json.dumps(settings, sort_keys=True))
        if key not in kept:
            kept[key] = tmp_path / f"kept-{len(kept)}"
            kept[key].mkdir()
            make(kept[key])
            made.append(key[:3])
        return kept[key]

    cache.seed = 1

    def run(*recoveries):
        results = []
        for number, recovery in enumerate(recoveries):
            output, scratch = tmp_path / f"out-{number}", tmp_path / f"scratch-{number}"
            scratch.mkdir()
            context = RecoveryContext(
                lineage=lineage, target="one", peak=1, targets=["one"], peaks={"one": 1, "two": 2},
                domains=tiny_domains(), output=output, scratch=scratch, metrics=tmp_path / "m", seed=1,
                progress=lambda done, total, metrics: None, cache=cache,
                train=lambda checkpoint, domains, *, mask=None, output=output: tiny_training(
                    output, checkpoint, seed=7, mask=mask
                ),
            )  # fmt: skip
            results.append(recovery.recover(context))
        return results, made

    return run


def test_a_rollback_of_another_size_takes_the_gradients_that_are_there(recovered):
    sizes = [Rollback(RollbackConfig(fraction=fraction, completions=8)) for fraction in (0.05, 0.2)]
    (one, two), made = recovered(*sizes)
    assert made == [("fisher", 1, "one")]
    assert one.cost == two.cost and one.cost.completions == 8


def test_rollbacks_masks_and_merges_share_the_curvature_of_the_reward(recovered):
    settings = {"score": "reward-fisher", "completions": 8}
    results, made = recovered(
        Rollback(RollbackConfig(**settings)),
        Refresh(RefreshConfig(mask=settings)),
        Consolidate(ConsolidateConfig(completions=8)),
    )
    assert made == [("reward-fisher", 1, "one"), ("reward-fisher", 2, "two")]
    assert results[0].report["coordinates"] == results[1].report["mask"]["coordinates"]
