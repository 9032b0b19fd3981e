"""The included probes on weight deltas and policies with known results."""

import math

import pytest
import torch

from harness import LineageEntry, NoConfig, ProbeContext, StepFailed
from harness.testing.tiny_world import tiny_checkpoint, tiny_domains, tiny_lineage
from harness.training.policy_gradients import sample_policy
from harness.weights import WeightFolder, write_patched
from harness_probes.active_routes import ActiveRoutes
from harness_probes.channels import chance_jaccard, channel_deltas, top_channels
from harness_probes.config import DomainsConfig, OverlapConfig, RoutesConfig, SampledConfig
from harness_probes.direction_agreement import DirectionAgreement
from harness_probes.edit_sparsity import EditSparsity
from harness_probes.gradient_cosine import GradientCosine
from harness_probes.neuron_overlap import NeuronOverlap
from harness_probes.policy_kl import PolicyKL
from harness_probes.second_order_damage import SecondOrderDamage, concentration

CHANNELS = 64  # two layers of 32


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("probes") / "base")


@pytest.fixture
def context(tmp_path):
    def make(*folders, lineage=None):
        named = [("base", ()), ("one", ("one",)), ("two", ("two",))]
        entries = lineage or [
            LineageEntry(step=step, label=named[step][0], domains=named[step][1], folder=folder)
            for step, folder in enumerate(folders)
        ]
        return ProbeContext(
            lineage=entries, domains=tiny_domains(), scratch=tmp_path, seed=1, progress=lambda *told: None
        )

    return make


def edited(source, output, edit):
    output.mkdir()
    write_patched(WeightFolder(source), output, edit)
    return output


def channels_raised(source, output, channels, size=1.0):
    """Adds `size` to the rows and columns of some channels of the first layer's MLP."""

    def edit(name, tensor):
        if not name.startswith("model.layers.0.mlp"):
            return tensor
        tensor = tensor.clone()
        part = tensor.T if "down_proj" in name else tensor
        part[channels] += size
        return tensor

    return edited(source, output, edit)


def test_neurons_that_two_steps_both_changed_are_counted_once(base, context, tmp_path):
    one = channels_raised(base, tmp_path / "one", [0, 1, 2, 3])
    two = channels_raised(one, tmp_path / "two", [2, 3, 4, 5])
    [row] = NeuronOverlap(OverlapConfig(top_share=4 / CHANNELS)).measure(context(base, one, two))
    assert (row["neurons"], row["top_neurons"], row["shared_neurons"]) == (CHANNELS, 4, 2)
    assert row["jaccard"] == pytest.approx(2 / 6)
    assert row["label"], row["other_label"] == ("one", "two")


def test_a_method_of_one_step_has_no_pair(base, context, tmp_path):
    one = channels_raised(base, tmp_path / "one", [0])
    assert list(NeuronOverlap(OverlapConfig()).measure(context(base, one))) == []


def test_the_level_of_chance_is_what_random_sets_have():
    assert chance_jaccard(0.1) == pytest.approx(0.0526, abs=1e-4)
    draw = torch.Generator().manual_seed(0)
    first, second = (top_channels({"m": torch.rand(20000, generator=draw)}, 0.1) for _ in range(2))
    assert len(first & second) / len(first | second) == pytest.approx(chance_jaccard(0.1), abs=0.01)


def test_the_same_domain_twice_has_parallel_gradients_in_every_module(base, context):
    rows = GradientCosine(SampledConfig(completions=16)).measure(context(base))
    assert {row["module"] for row in rows} >= {"all", "layers.0.mlp", "layers.1.self_attn", "embed_tokens"}
    assert all(row["cosine"] is None or row["cosine"] == pytest.approx(1.0) for row in rows)
    [whole] = [row["gradient_norm"] for row in rows if row["module"] == "all"]
    parts = [row["gradient_norm"] for row in rows if row["module"] != "all"]
    assert whole > 0
    assert whole == pytest.approx(math.hypot(*parts))


def test_a_step_that_the_method_has_not_is_told_with_those_it_has(base, context):
    with pytest.raises(StepFailed) as raised:
        GradientCosine(SampledConfig(at=7)).measure(context(base))
    assert "0 (base)" in raised.value.hint


@pytest.mark.parametrize("measure", ["activation", "attribution"])
def test_channels_that_are_driven_harder_become_routes(base, context, tmp_path, measure):
    def louder(name, tensor):
        if not name.startswith("model.layers.0.mlp.up_proj"):
            return tensor
        return torch.cat([tensor[:3] * 1e4, tensor[3:]])

    loud = edited(base, tmp_path / "loud", louder)
    probe = ActiveRoutes(RoutesConfig(at="end", completions=8, top_share=3 / CHANNELS, measure=measure))
    [row] = probe.measure(context(base, loud))
    assert (row["active_channels"], row["shared_channels"], row["jaccard"]) == (3, 3, 1.0)
    from harness_probes.routes import channel_activity

    activity = channel_activity(loud, tiny_domains()["one"], probe.config, seed=1)
    assert top_channels(activity, 3 / CHANNELS) == {("model.layers.0.mlp", channel) for channel in range(3)}


def test_an_edit_taken_back_disagrees_everywhere(base, context, tmp_path):
    draw = torch.Generator().manual_seed(3)
    one = edited(base, tmp_path / "one", lambda name, tensor: tensor + torch.randn(tensor.shape, generator=draw))
    rows = DirectionAgreement(RoutesConfig(completions=8, top_share=0.5)).measure(context(base, one, base))
    assert [row["coordinates_of"] for row in rows] == ["shared-routes", "random", "all"]
    assert all(row["cosine"] == pytest.approx(-1.0) and row["same_sign_share"] == 0.0 for row in rows)
    routes, control, whole = (row["coordinates"] for row in rows)
    assert routes == control == 32 * 3 * 16  # half of the channels, three rows of 16 each
    assert whole > routes


def log_probabilities(model, samples):
    values = []
    for sample in samples:
        with torch.no_grad():
            logits = model(input_ids=sample.ids[None]).logits[0, sample.prompt_length - 1 : -1].double()
        targets = sample.ids[sample.prompt_length :]
        values.append(torch.log_softmax(logits, -1).gather(1, targets[:, None]).sum())
    return torch.stack(values)


def test_full_damage_is_the_mean_square_of_the_slope_along_the_edit(base, context, tmp_path):
    draw = torch.Generator().manual_seed(3)

    def moved(name, tensor):  # the embedding of a sampled <pad> has no gradient
        return tensor if "embed" in name else tensor + 0.01 * torch.randn(tensor.shape, generator=draw)

    one = edited(base, tmp_path / "one", moved)
    entries = [
        LineageEntry(step=0, label="base", domains=(), folder=base),
        LineageEntry(step=1, label="one", domains=("one",), folder=one),
    ]
    [row] = SecondOrderDamage(DomainsConfig(completions=8)).measure(context(lineage=entries))
    assert row["harmed_domain"] == "two"  # the step trained `one`
    model, samples, _ = sample_policy(base, tiny_domains()["two"], count=8, seed=1)
    new = WeightFolder(one)
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    sides = []
    for step in (0.05, -0.05):
        for name, parameter in model.named_parameters():
            parameter.data = start[name] + step * (new.read(name) - start[name])
        sides.append(log_probabilities(model, samples))
    slope = (sides[0] - sides[1]) / 0.1
    assert row["full_damage"] == pytest.approx(0.5 * float(slope.square().mean()), rel=0.02)


def test_damage_grows_with_the_square_of_the_edit(base, context, tmp_path):
    def moved(name, size):
        return edited(base, tmp_path / name, lambda _, tensor: tensor + size * tensor.sign())

    rows = [
        SecondOrderDamage(DomainsConfig(completions=8, domains=("two",))).measure(context(base, moved(name, size)))[0]
        for name, size in (("small", 0.001), ("large", 0.002))
    ]
    for key in ("diagonal_damage", "full_damage"):
        assert rows[0][key] > 0
        assert rows[1][key] == pytest.approx(4 * rows[0][key], rel=1e-2)
    assert rows[0]["top_1_percent_share"] < rows[0]["top_5_percent_share"] < 1


def test_concentration_of_terms_that_are_known():
    even = concentration(torch.ones(200))
    assert even == {
        "top_1_percent_share": pytest.approx(0.01),
        "top_5_percent_share": pytest.approx(0.05),
        "effective_dimension": pytest.approx(200),
    }
    one = concentration(torch.nn.functional.one_hot(torch.tensor(7), 200).float())
    assert set(one.values()) == {1.0}
    assert set(concentration(torch.zeros(200)).values()) == {None}


def test_a_policy_has_no_kl_to_itself_and_some_to_another(context, tmp_path):
    lineage = tiny_lineage(tmp_path / "lineage")
    rows = PolicyKL(DomainsConfig(completions=32)).measure(context(lineage=lineage))
    assert [(row["step"], row["domain"], row["trained"]) for row in rows] == [
        (1, "one", True),
        (1, "two", False),
        (2, "one", False),
        (2, "two", True),
    ]
    assert all(row["kl_nats_per_completion"] != 0 for row in rows)
    base = lineage[0].folder
    for row in PolicyKL(DomainsConfig(completions=8)).measure(context(base, base)):
        assert row["kl_nats_per_completion"] == row["kl_nats_per_token"] == 0


def test_an_unknown_domain_is_told_with_those_there_are(base, context):
    with pytest.raises(StepFailed, match="three"):
        PolicyKL(DomainsConfig(domains=("three",))).measure(context(base, base))


def test_edit_sparsity_counts_the_coordinates_that_moved(base, context, tmp_path):
    one = channels_raised(base, tmp_path / "one", [5])
    [row] = EditSparsity(NoConfig()).measure(context(base, one))
    assert row["unchanged_share"] == pytest.approx(1 - 48 / row["parameters"])
    assert row["edit_norm"] == pytest.approx(math.sqrt(48), rel=1e-4)


def test_gpt2_has_channels_and_modules_too(base, context, tmp_path):
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    old, new = tmp_path / "old", tmp_path / "new"
    tokenizer = AutoTokenizer.from_pretrained(base)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=2, n_head=2, n_inner=32, n_positions=64)
    config.pad_token_id, config.eos_token_id = tokenizer.pad_token_id, tokenizer.eos_token_id
    GPT2LMHeadModel(config).save_pretrained(old)
    tokenizer.save_pretrained(old)

    def raised(name, tensor):
        return tensor + (torch.arange(32) == 5) if name.startswith("transformer.h.1.mlp.c_fc.") else tensor

    edited(old, new, raised)
    assert top_channels(channel_deltas(WeightFolder(old), WeightFolder(new)), 1 / 64) == {("transformer.h.1.mlp", 5)}
    [row] = ActiveRoutes(RoutesConfig(completions=8)).measure(context(new))
    assert (row["channels"], row["active_channels"]) == (64, 6)
    rows = GradientCosine(SampledConfig(completions=8)).measure(context(new))
    assert {row["module"] for row in rows} >= {"all", "wte", "layers.0.attn", "layers.1.mlp", "ln_f"}
