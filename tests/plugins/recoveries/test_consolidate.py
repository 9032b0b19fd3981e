"""The recovery `consolidate`: the formula, its curvatures and their cost, and what it refuses."""

import json
import math
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM

from harness import CheckpointError, Cost, LineageEntry, RecoveryContext, StepFailed
from harness.errors import ProtocolError
from harness.planning.counts import cost_of
from harness.planning.planner import make_plan
from harness.plugin.registry import Registry
from harness.protocol import load_protocol
from harness.testing import tiny_domains, tiny_lineage
from harness.training import mean_squared_gradient, mean_squared_reward_gradient
from harness.weights import WeightFolder
from harness_recoveries.consolidate.config import ConsolidateConfig
from harness_recoveries.consolidate.recovery import Consolidate

MEASURES = {"policy-fisher": mean_squared_gradient, "reward-fisher": mean_squared_reward_gradient}


@pytest.fixture
def lineage(tmp_path):
    return tiny_lineage(tmp_path / "lineage")


@pytest.fixture
def recover(tmp_path, lineage):
    def recovered(entries=lineage, *, cache=None, **config):
        output = tmp_path / f"output-{len(list(tmp_path.glob('output-*')))}"
        output.mkdir()
        context = RecoveryContext(
            lineage=entries, target="one", peak=1, targets=("one", "two"), peaks={"one": 1, "two": 2},
            domains=tiny_domains(), output=output, scratch=tmp_path, metrics=tmp_path / "m.jsonl", seed=5,
            progress=lambda done, total, metrics: None, cache=cache,
        )  # fmt: skip
        result = Consolidate(ConsolidateConfig(**config)).recover(context)
        return WeightFolder(output), result

    return recovered


def naive(lineage, weights, factors=(1.0, 1.0)):
    """Returns the merge of the two stages with whole tensors in fp64. weights: by stage, fp64 by name."""
    stages = [WeightFolder(lineage[step].folder) for step in (1, 2)]
    merged = {}
    for name in stages[0].names():
        counts = [one[name] / total * factor for (one, total), factor in zip(weights, factors, strict=True)]
        empty = sum(counts) == 0  # tokens that no completion had
        counts = [torch.where(empty, factor, count) for count, factor in zip(counts, factors, strict=True)]
        total = sum(count * stage.read(name).double() for count, stage in zip(counts, stages, strict=True))
        merged[name] = (total / sum(counts)).to(stages[1].dtype(name))
    return merged


def same(folder, expected):
    return all(torch.equal(tensor, expected[name]) for name, tensor in folder)


@pytest.mark.parametrize("weights", ["policy-fisher", "reward-fisher"])
def test_it_is_the_mean_of_the_stages_weighted_by_each_domains_curvature(recover, lineage, weights):
    merged, result = recover(weights=weights, completions=16)
    curvatures = []
    for step, domain in ((1, "one"), (2, "two")):
        values = MEASURES[weights](lineage[step].folder, tiny_domains()[domain], count=16, seed=5).values
        total = math.fsum(float(value.double().sum()) for value in values.values())
        curvatures.append(({name: value.double() for name, value in values.items()}, total))
    assert same(merged, naive(lineage, curvatures))
    assert result.cost.completions == 32 and result.cost.generated_tokens > 0
    report = result.report
    assert report["completions"] == {"one": 16, "two": 16}
    assert report["stages"] == {"one": {"step": 1, "label": "one"}, "two": {"step": 2, "label": "two"}}
    assert sum(report["share"].values()) == pytest.approx(1)
    assert set(report["share_by_module"]) >= {"embed_tokens", "layers.0.mlp", "layers.1.self_attn", "lm_head"}
    assert report["norm"] > 0 and report["without_curvature"] == []
    json.dumps(report, allow_nan=False)


def test_the_uniform_merge_is_the_mean_and_costs_nothing(recover, lineage):
    merged, result = recover(weights="uniform")
    ones = {name: torch.ones(()).double() for name in merged.names()}
    assert same(merged, naive(lineage, [(ones, 1.0), (ones, 1.0)]))
    assert result.cost == Cost()
    assert result.report["share"] == {"one": pytest.approx(0.5), "two": pytest.approx(0.5)}


def test_a_stage_that_is_kept_counts_more(recover, lineage):
    merged, result = recover(weights="uniform", keep={"two": 3.0})
    ones = {name: torch.ones(()).double() for name in merged.names()}
    assert same(merged, naive(lineage, [(ones, 1.0), (ones, 1.0)], factors=(1.0, 3.0)))
    assert result.report["share"]["two"] == pytest.approx(0.75)


def test_curvature_over_the_whole_model_is_the_uniform_merge_unless_it_is_not_normalized(recover):
    uniform, _ = recover(weights="uniform")
    whole, result = recover(weights="policy-fisher", granularity="model", completions=8)
    assert all(torch.allclose(tensor, uniform.read(name), atol=1e-7) for name, tensor in whole)
    assert result.report["share"]["one"] == pytest.approx(0.5)
    _, other = recover(weights="policy-fisher", granularity="model", normalize=False, completions=8)
    assert other.report["share"]["one"] != pytest.approx(0.5)


def test_another_stage_may_be_named_by_its_place_or_its_label(recover, lineage):
    merged, result = recover(weights="uniform", stages={"one": "one", "two": 0})
    stages = [WeightFolder(lineage[step].folder) for step in (1, 0)]
    for name, tensor in merged:
        mean = sum(stage.read(name).double() for stage in stages) / 2
        assert torch.equal(tensor, mean.float())
    assert result.report["stages"]["two"] == {"step": 0, "label": "base"}


def test_tied_and_half_precision_models(recover, lineage, tmp_path):
    entries = []
    for entry in lineage:
        model = AutoModelForCausalLM.from_pretrained(entry.folder, dtype=torch.bfloat16)
        model.config.tie_word_embeddings = True
        model.tie_weights()
        folder = tmp_path / "tied" / str(entry.step)
        shutil.copytree(entry.folder, folder)
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size="4KB")
        entries.append(LineageEntry(step=entry.step, label=entry.label, domains=entry.domains, folder=folder))
    merged, _ = recover(entries, weights="policy-fisher", completions=8)
    assert len(merged.files) > 1 and "lm_head.weight" not in merged.names()
    assert {merged.dtype(name) for name in merged.names()} == {torch.bfloat16}
    curvatures = []
    for step, domain in ((1, "one"), (2, "two")):
        values = mean_squared_gradient(entries[step].folder, tiny_domains()[domain], count=8, seed=5).values
        total = math.fsum(float(value.double().sum()) for value in values.values())
        curvatures.append(({name: value.double() for name, value in values.items()}, total))
    assert same(merged, naive(entries, curvatures))
    loaded = AutoModelForCausalLM.from_pretrained(merged.folder)
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight


def test_merges_of_one_curvature_measure_it_once(recover, tmp_path):
    kept = {}

    def cache(name, make, *, checkpoint, domain, settings):
        key = (name, checkpoint.step, domain, json.dumps(settings, sort_keys=True))
        if key not in kept:
            kept[key] = tmp_path / f"kept-{len(kept)}"
            kept[key].mkdir()
            make(kept[key])
        return kept[key]

    cache.seed = 9
    first, one = recover(cache=cache, weights="policy-fisher", completions=8)
    other, two = recover(cache=cache, weights="policy-fisher", completions=8, power=0.5)
    assert sorted(key[:3] for key in kept) == [("fisher", 1, "one"), ("fisher", 2, "two")]
    assert one.cost == two.cost
    assert not same(first, dict(other))


def test_a_stage_whose_weights_are_missing_is_named(recover, lineage):
    (lineage[1].folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError) as caught:
        recover(weights="uniform")
    assert caught.value.where.startswith("stage one (step 1, one), ")


def test_stages_of_other_shapes_are_refused(recover, lineage, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(lineage[1].folder)
    model.resize_token_embeddings(model.config.vocab_size + 1)
    model.save_pretrained(lineage[1].folder)
    with pytest.raises(CheckpointError, match=r"has the shape .* in one checkpoint and .* in the other"):
        recover(weights="uniform")


def test_stages_that_the_method_does_not_have_stop_the_step(recover):
    with pytest.raises(StepFailed, match="'three' is not trained before this step"):
        recover(weights="uniform", stages={"one": 1, "three": 2})


TEXT = """schema: 1
name: stages
model: {use: lab-tiny}
domains: {math: {use: lab-math}, qa: {use: lab-qa}}
methods:
  a: STEPS
"""


@pytest.fixture
def load(tmp_path):
    def loaded(steps):
        path = tmp_path / "stages.yaml"
        path.write_text(TEXT.replace("STEPS", steps))
        return load_protocol(path, Registry.discover())

    return loaded


@pytest.mark.parametrize(
    ("recovery", "key", "message", "hint"),
    [
        ("stages: {math: 1, cw: 2}", "stages.cw", "'cw' is not trained", "math, qa"),
        ("stages: {math: 1, qa: 4}", "stages.qa", "no step 4", "2 (qa)"),
        ("stages: {math: x, qa: 2}", "stages.math", "called 'x'", "1 (math)"),
        ("keep: {cw: 2}", "keep.cw", "'cw' is no stage", "math, qa"),
        ("keep: {qa: 0}", "keep.qa", "greater than 0, not 0", ""),
        ("weights: uniform, power: 0.5", "with", "power is about a curvature", ""),
    ],
)
def test_what_cannot_be_merged_is_refused_when_the_protocol_is_read(load, recovery, key, message, hint):
    with pytest.raises(ProtocolError) as caught:
        load(f"[math, qa, {{recover: all, with: consolidate, {recovery}}}]")
    [problem] = caught.value.problems
    assert problem.key == f"methods.a[2].{key}"
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("[math, {recover: all, with: consolidate}]", "'qa' is not trained before this step"),
        ("[math, {recover: math, with: consolidate}]", "the only stage is math, so there is nothing to merge"),
        ("[{train: [math, qa]}, {recover: all, with: consolidate}]", "the only stage is math+qa"),
        ("[math, qa, {recover: all, with: rollback}]", "rollback recovers one domain"),
    ],
)
def test_a_method_without_stages_to_merge_is_refused(load, steps, message):
    with pytest.raises(ProtocolError) as caught:
        load(steps)
    [problem] = caught.value.problems
    assert problem.key.endswith("].recover")
    assert message in problem.message


@pytest.mark.parametrize("recover", ["all", "math", "[math, qa]"])
def test_the_plan_counts_the_completions_of_every_stage(load, recover):
    registry = Registry.discover()

    def completions(keys):
        plan = make_plan(load(f"[math, qa, {{recover: {recover}, with: consolidate, {keys}}}]"), registry)
        trainings = [key for key, node in plan.nodes.items() if node.kind == "train"]
        return cost_of(plan, registry, without=trainings).completions

    assert completions("completions: 64") == 128
    assert completions("completions: 64, stages: {math: 1, qa: 0}") == 128
    assert completions("weights: uniform") == 0
