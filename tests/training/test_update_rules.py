"""Update rules: frozen weights keep their bits, steps are scaled along earlier changes, averages are those by hand."""

import json
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from training_folder import Killed, training_in

from harness import LineageEntry, StepFailed
from harness.testing import tiny_checkpoint
from harness.testing.tiny_world import nudged_checkpoint, tiny_domains
from harness.training import PolicyGradientConfig, train_with_trl, write_mask
from harness.training.updates.mask_file import Mask, check_masked
from harness.training.updates.settings import SubspaceSettings
from harness.training.updates.subspace import SubspaceScaling, write_directions
from harness.weights import Scores, Stream, WeightFolder, select_highest

SMALL = {"steps": 3, "prompts_per_step": 2, "generations": 4, "learning_rate": 1e-2, "save_every": 2}


def context_in(folder, *, kill_at=None, **more):
    """A training of `two` after one of `one`, whose checkpoints lie beside it."""
    one, two = tiny_domains().values()
    base = folder / "base"
    if not base.exists():
        tiny_checkpoint(base)
        nudged_checkpoint(base, folder / "start", seed=1)
    lineage = [
        LineageEntry(step=0, label="base", domains=(), folder=base),
        LineageEntry(step=1, label="one", domains=("one",), folder=folder / "start"),
    ]
    return training_in(folder, folder / "start", [two], kill_at=kill_at, earlier=[one], lineage=lineage, **more)


def trained(folder, *, context=None, **settings):
    context = context or context_in(folder)
    result = train_with_trl(context, PolicyGradientConfig(**(SMALL | settings)))
    return load_file(context.output / "model.safetensors"), result


def start_of(folder):
    return load_file(folder / "start" / "model.safetensors")


def some_weights(folder, share, file):
    """Writes a mask of a random share of the weights of all parameters but the norms; returns it."""
    model = WeightFolder(folder)
    names = tuple(name for name in model.names() if "norm" not in name)

    def start():
        generator = torch.Generator().manual_seed(0)
        return lambda chunk, values, out: out.uniform_(generator=generator)

    scores = Scores(Stream([model], names), start, in_order=True)
    write_mask(file, model, names, select_highest(scores, round(share * scores.count)), {"note": "random"})
    return Mask(file)


HARSH = {"trl": {"weight_decay": 0.5, "optim": "adamw_torch"}, "learning_rate": 1e-2}


@pytest.mark.parametrize("optimizer", ["adamw_torch", "sgd"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_outside_the_mask_keep_their_bits(tmp_path, optimizer, dtype):
    context = context_in(tmp_path)
    start = tmp_path / "start"
    if dtype == "bfloat16":
        from transformers import AutoModelForCausalLM

        AutoModelForCausalLM.from_pretrained(start, dtype=torch.bfloat16).save_pretrained(start)
    mask = some_weights(start, 0.1, tmp_path / "mask.safetensors")
    settings = {"trl": {"weight_decay": 0.5, "optim": optimizer}, "dtype": dtype, "learning_rate": 0.1}
    weights, _ = trained(tmp_path, context=replace(context, mask=tmp_path / "mask.safetensors"), **settings)
    before = start_of(tmp_path)
    moved = {name: before[name].view(torch.uint8).ne(weights[name].view(torch.uint8)) for name in before}
    moved = {name: bits.view(*before[name].shape, -1).any(-1) for name, bits in moved.items()}
    allowed = {name: mask.changeable(name, before[name].shape) for name in before}
    assert not any((moved[name] & ~allowed[name]).any() for name in before)
    assert sum(int(bits.sum()) for bits in moved.values()) > 0.3 * sum(int(bits.sum()) for bits in allowed.values())
    check_masked(tmp_path / "mask.safetensors", WeightFolder(start), WeightFolder(context.output), "it")


def test_a_mask_of_all_weights_is_plain_training(tmp_path):
    context = context_in(tmp_path / "masked")
    model = WeightFolder(context.checkpoint)
    names = tuple(model.names())
    scores = Scores(Stream([model], names), lambda: lambda chunk, values, out: out.zero_())
    file = tmp_path / "all.safetensors"
    write_mask(file, model, names, select_highest(scores, scores.count), {})
    masked, _ = trained(tmp_path / "masked", context=replace(context, mask=file))
    plain, _ = trained(tmp_path / "plain")
    assert all(masked[name].equal(plain[name]) for name in plain)


def test_a_dtype_that_rounds_frozen_weights_is_refused(tmp_path):
    context = context_in(tmp_path)
    some_weights(context.checkpoint, 0.1, tmp_path / "mask.safetensors")
    with pytest.raises(StepFailed, match="would round those of the checkpoint, which are float32"):
        trained(tmp_path, context=replace(context, mask=tmp_path / "mask.safetensors"), dtype="bfloat16")


def test_a_training_that_ignored_the_mask_is_found(tmp_path):
    context = context_in(tmp_path)
    some_weights(context.checkpoint, 0.1, tmp_path / "mask.safetensors")
    other = nudged_checkpoint(context.checkpoint, tmp_path / "other", seed=5)
    with pytest.raises(StepFailed, match="outside the mask"):
        check_masked(
            tmp_path / "mask.safetensors", WeightFolder(context.checkpoint), WeightFolder(other), "the algorithm"
        )


def test_freeze_keeps_the_weights_that_the_earlier_domain_needs_most(tmp_path):
    from harness.training import mean_squared_gradient

    weights, result = trained(tmp_path, freeze={"fraction": 0.25, "completions": 8})
    before = start_of(tmp_path)
    [one] = context_in(tmp_path).earlier
    fisher = mean_squared_gradient(tmp_path / "start", one, count=8, seed=3).values
    flat = torch.cat([fisher[name].flatten() for name in sorted(before)])
    same = torch.cat([weights[name].eq(before[name]).flatten() for name in sorted(before)])
    count = round(0.25 * len(flat))
    assert result.report["freeze"] == {"frozen": count, "domains": ["one"]}
    assert same[flat.sort(descending=True, stable=True).indices[:count]].all()
    assert same.float().mean() < 0.5
    assert result.cost.completions == 24 + 8


def test_nothing_is_frozen_before_the_first_training_and_the_report_says_so(tmp_path):
    context = replace(context_in(tmp_path / "first"), earlier=[], lineage=[])
    weights, result = trained(tmp_path / "first", context=context, freeze={"fraction": 0.5})
    plain, _ = trained(tmp_path / "plain", context=replace(context_in(tmp_path / "plain"), earlier=[]))
    assert all(weights[name].equal(plain[name]) for name in plain)
    assert result.report["freeze"] == {"frozen": 0, "domains": [], "reason": "no domain was trained before"}


def test_steps_are_scaled_along_the_main_directions_of_the_earlier_change(tmp_path):
    context = context_in(tmp_path)
    file = tmp_path / "directions.safetensors"
    assert write_directions(context.lineage, 2, file) == 1
    rule = SubspaceScaling(SubspaceSettings(rank=2, amplify=0.5, shrink=1.0), file)
    parameters = {name: torch.nn.Parameter(value) for name, value in start_of(tmp_path).items()}
    rule.start(None, parameters)
    name = "model.layers.0.mlp.gate_proj.weight"
    change = start_of(tmp_path)[name] - load_file(tmp_path / "base" / "model.safetensors")[name]
    left, _, right = torch.linalg.svd(change, full_matrices=False)
    first, third = (torch.outer(left[:, k], right[k]) for k in (0, 2))
    before = parameters[name].detach().clone()
    for step, expected in (
        (first, 1.5 * first),
        (-first, 0 * first),
        (third, third),
        (first - third, 1.5 * first - third),
    ):
        rule.before_step(parameters)
        with torch.no_grad():
            parameters[name].copy_(before + step)
        rule.after_step(parameters)
        assert torch.allclose(parameters[name] - before, expected, atol=1e-5)
        with torch.no_grad():
            parameters[name].copy_(before)


def test_shrinking_all_of_a_matrix_stops_what_goes_back_on_the_earlier_training(tmp_path):
    settings = {"subspace": {"rank": 64, "amplify": 0.0, "shrink": 1.0}}
    weights, result = trained(tmp_path, **settings)
    before, base = start_of(tmp_path), load_file(tmp_path / "base" / "model.safetensors")
    assert result.report["subspace"] == {"stages": 1}
    for name in before:
        if before[name].ndim == 2:
            left, _, right = torch.linalg.svd(before[name] - base[name], full_matrices=False)
            along = torch.einsum("mk,mn,kn->k", left, weights[name] - before[name], right)
            assert along.min() > -1e-5


def test_the_average_is_that_by_hand(tmp_path):
    final, _ = trained(tmp_path / "average", steps=1, ema={"decay": 0.75, "use": "final"})
    plain, _ = trained(tmp_path / "plain", steps=1)
    start = start_of(tmp_path / "plain")
    for name, value in final.items():
        assert torch.allclose(value, 0.75 * start[name] + 0.25 * plain[name], atol=1e-7)


def test_the_anchor_is_the_average(tmp_path):
    """With a decay near 0 the anchor follows the policy, so that the KL vanishes."""
    rows = {}
    for decay in (1e-6, 0.999999):
        folder = tmp_path / str(decay)
        trained(folder, beta=0.1, ema={"decay": decay, "use": "anchor"})
        rows[decay] = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert rows[0.999999][-1]["kl"] > 1e-4
    assert abs(rows[1e-6][-1]["kl"]) < 1e-6


RULES = {
    "freeze": {"freeze": {"fraction": 0.25, "completions": 8}},
    "subspace": {"subspace": {"rank": 2}},
    "ema": {"beta": 0.1, "ema": {"decay": 0.5, "use": "both"}},
    "all": {
        "beta": 0.1, "freeze": {"fraction": 0.25, "completions": 8}, "subspace": {"rank": 2},
        "ema": {"decay": 0.5, "use": "both"},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kill_at", [1, 3])
def test_a_killed_training_ends_with_the_same_bytes(tmp_path, name, kill_at):
    weights, result = trained(tmp_path / "undisturbed", **RULES[name])
    with pytest.raises(Killed):
        trained(tmp_path / "killed", context=context_in(tmp_path / "killed", kill_at=kill_at), **RULES[name])
    resumed, again = trained(tmp_path / "killed", **RULES[name])
    assert all(resumed[name].equal(value) for name, value in weights.items())
    assert (again.cost.completions, again.report["reward_outcomes"]) == (
        result.cost.completions, result.report["reward_outcomes"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"freeze": {"fraction": 0}}, "greater than 0"),
        ({"freeze": {"fraction": 1}}, "less than 1"),
        ({"freeze": {"fraction": 0.1, "of": "all"}}, "trained"),
        ({"freeze": {"fraction": 0.1}, "lora": {"rank": 2}}, "lora trains others"),
        ({"subspace": {"shrink": 2}}, "less than or equal to 1"),
        ({"subspace": {}, "trl": {"fsdp": "full_shard"}}, "leave out subspace or trl.fsdp"),
        ({"ema": {"use": "anchor"}}, "set beta, or ema.use: final"),
        ({"ema": {}, "beta": 0.1, "trl": {"sync_ref_model": True}}, "both move the KL's anchor"),
    ],
)
def test_settings_that_make_no_sense_are_refused(bad, message):
    with pytest.raises(ValidationError, match=message):
        PolicyGradientConfig(**bad)


def test_rules_that_are_off_leave_no_trace_in_a_key():
    assert not {"freeze", "subspace", "ema"} & set(PolicyGradientConfig().model_dump())
    assert PolicyGradientConfig(ema={"use": "final"}).model_dump()["ema"] == {"decay": 0.99, "use": "final"}
