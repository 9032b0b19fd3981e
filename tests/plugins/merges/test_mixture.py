"""The merge `moe`: a standard checkpoint whose experts are the merged models, and routers that know the domains."""

import json
from pathlib import Path

import pytest
import torch
from datasets import Dataset

from harness import (
    CheckpointError,
    Expert,
    LineageEntry,
    MergeContext,
    ProbeContext,
    StartContext,
    StepFailed,
    TrainingDomain,
)
from harness.testing.tiny_world import CharacterReward, Digits, tiny_checkpoint
from harness.weights import ParameterCounts, WeightFolder, count_parameters, write_patched
from harness_merges.config import GateAccuracyConfig, MixtureConfig
from harness_merges.gate_accuracy import GateAccuracy
from harness_merges.gates import router_weights
from harness_merges.mixture import Mixture


class Words(Digits):
    """Prompts of letters in the place of numbers."""

    def training_data(self, seed):
        words = ("frog", "toad", "newt", "eft")
        return Dataset.from_list([{"prompt": f"say {word}", "answer": word} for word in words])


class Numbers(Digits):
    """Prompts of digits alone."""

    def training_data(self, seed):
        return Dataset.from_list([{"prompt": f"{number}*{number}=", "answer": "?"} for number in range(11, 60, 7)])


DOMAINS = {
    name: TrainingDomain(name=name, domain=domain, reward=CharacterReward())
    for name, domain in (("words", Words()), ("numbers", Numbers()))
}


def qwen3_checkpoint(folder: Path) -> Path:
    from transformers import AutoConfig, Qwen3Config, Qwen3ForCausalLM

    tiny_checkpoint(folder)
    tiny = AutoConfig.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "head_dim": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64}
    tokens = {"pad_token_id": tiny.pad_token_id, "eos_token_id": tiny.eos_token_id, "bos_token_id": None}
    Qwen3ForCausalLM(Qwen3Config(vocab_size=tiny.vocab_size, **sizes, **heads, **tokens)).save_pretrained(folder)
    return folder


def of_mlps(base: Path, output: Path, seed: int) -> Path:
    """A copy of `base` with other MLPs."""
    generator = torch.Generator().manual_seed(seed)

    def other(name, tensor):
        return tensor + 0.3 * torch.randn(tensor.shape, generator=generator) if ".mlp." in name else tensor

    output.mkdir(parents=True)
    write_patched(WeightFolder(base), output, other)
    return output


@pytest.fixture(params=["llama", "qwen3"])
def world(request, tmp_path):
    """The base and two experts that differ from it in their MLPs."""
    base = {"llama": tiny_checkpoint, "qwen3": qwen3_checkpoint}[request.param](tmp_path / "base")
    return base, [of_mlps(base, tmp_path / f"expert-{seed}", seed) for seed in (1, 2)]


def merge(base, folders, output, *, domains=(("words",), ("numbers",)), **settings):
    output.mkdir()
    context = MergeContext(
        base=base,
        experts=[
            Expert(name=f"expert-{number}", weight=1.0, domains=own, folder=folder)
            for number, (own, folder) in enumerate(zip(domains, folders, strict=True))
        ],
        output=output, scratch=output.parent, seed=0, progress=lambda done, total, metrics: None, domains=DOMAINS,
    )  # fmt: skip
    return Mixture(MixtureConfig(**settings)).merge(context)


def loaded(folder):
    from transformers import AutoModelForCausalLM

    model, found = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    assert not found["missing_keys"] and not found["unexpected_keys"] and not found["mismatched_keys"]
    return model.eval()


IDS = torch.tensor([[5, 20, 33, 7, 41]])


@pytest.mark.parametrize("number", [0, 1])
def test_with_one_expert_forced_the_logits_are_those_of_the_expert(world, tmp_path, number):
    base, folders = world
    merge(base, folders, tmp_path / "moe")
    mixture, expert = loaded(tmp_path / "moe"), loaded(folders[number])
    for layer in mixture.model.layers:
        state = layer.mlp.gate.weight.data
        state.zero_()

        def forced(module, inputs, output, number=number):
            logits, scores, indices = output
            return logits, torch.ones_like(scores), torch.full_like(indices, number)

        layer.mlp.gate.register_forward_hook(forced)
    with torch.no_grad():
        assert torch.allclose(mixture(IDS).logits, expert(IDS).logits, atol=1e-5)


def test_all_experts_equal_to_the_base_give_the_base_whatever_the_router_says(world, tmp_path):
    base, _ = world
    merge(base, [base, base], tmp_path / "moe", top_k=2)
    with torch.no_grad():
        assert torch.allclose(loaded(tmp_path / "moe")(IDS).logits, loaded(base)(IDS).logits, atol=1e-5)


def test_prompts_of_a_domain_go_to_its_expert(world, tmp_path):
    from transformers import AutoTokenizer

    base, folders = world
    merge(base, folders, tmp_path / "moe")
    mixture, tokenizer = loaded(tmp_path / "moe"), AutoTokenizer.from_pretrained(tmp_path / "moe")
    assert share_to(mixture, 0, tokenizer("say newt")["input_ids"]) > 0.7
    assert share_to(mixture, 1, tokenizer("25*25=")["input_ids"]) > 0.7


def share_to(mixture, number, ids):
    """Returns the share of the tokens that the expert `number` gets, over all layers."""
    shares = []

    def note(module, inputs, output):
        shares.append((output[2] == number).float().mean().item())

    hooks = [layer.mlp.gate.register_forward_hook(note) for layer in mixture.model.layers]
    with torch.no_grad():
        mixture(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return sum(shares) / len(shares)


def test_the_probe_measures_where_tokens_go(world, tmp_path):
    base, folders = world
    merge(base, folders, tmp_path / "moe")
    lineage = [LineageEntry(step=0, label="base", domains=(), folder=base)]
    lineage.append(LineageEntry(step=1, label="moe", domains=("numbers", "words"), folder=tmp_path / "moe"))

    def measured(entries):
        context = ProbeContext(
            lineage=entries, domains=DOMAINS, scratch=tmp_path, seed=0, progress=lambda done, total, metrics: None
        )
        return GateAccuracy(GateAccuracyConfig(prompts=4)).measure(context)

    rows = measured(lineage)
    assert [(row["domain"], row["chance"]) for row in rows] == [("numbers", 0.5), ("words", 0.5)]
    assert all(row["accuracy"] > 0.7 for row in rows)
    assert {(row["accuracy"], row["chance"]) for row in measured(lineage[:1])} == {(1.0, 1.0)}


def test_its_parameters_are_counted_and_the_config_says_what_it_is(world, tmp_path):
    base, folders = world
    merge(base, folders, tmp_path / "moe")
    model = loaded(tmp_path / "moe")
    total = sum(parameter.numel() for parameter in model.parameters())
    mlps = 2 * 3 * 16 * 32
    assert count_parameters(tmp_path / "moe") == ParameterCounts(total=total, active=total - mlps)
    dense = sum(parameter.numel() for parameter in loaded(base).parameters())
    assert count_parameters(base) == ParameterCounts(total=dense, active=dense)
    config = json.loads((tmp_path / "moe" / "config.json").read_text())
    assert config["expert_domains"] == [["words"], ["numbers"]] and config["num_experts_per_tok"] == 1
    assert model.config.model_type in ("mixtral", "qwen3_moe")


def test_shared_weights_are_the_mean_or_the_bases(tmp_path):
    base = tiny_checkpoint(tmp_path / "base")
    other = tiny_checkpoint(tmp_path / "other", seed=1)
    name = "model.layers.0.self_attn.q_proj.weight"
    first, second = WeightFolder(base).read(name), WeightFolder(other).read(name)
    merge(base, [base, other], tmp_path / "mean")
    merge(base, [base, other], tmp_path / "of-base", shared="base")
    assert torch.allclose(WeightFolder(tmp_path / "mean").read(name), (first + second) / 2)
    assert torch.equal(WeightFolder(tmp_path / "of-base").read(name), first)


def test_router_logits_are_apart_by_the_sharpness_for_the_mean_states():
    draw = torch.Generator().manual_seed(0)
    means = [torch.randn(3, 32, generator=draw, dtype=torch.float64) + 5 for _ in range(4)]
    weights = router_weights(means, 4.0)
    assert weights.shape == (3, 4, 32)
    for layer in range(3):
        logits = torch.stack([weights[layer].double() @ mean[layer] for mean in means])
        assert (logits.argmax(dim=1) == torch.arange(4)).all()
        own = logits.diagonal()
        gaps = own - (logits.sum(dim=1) - own) / 3
        assert gaps.mean() == pytest.approx(4.0, rel=1e-4)


def test_impossible_settings_are_found_in_the_protocol():
    def fault(experts, **settings):
        return MixtureConfig(**settings).fault_with_experts(experts)

    both = {"one": ("words",), "two": ("numbers",)}
    assert fault(both, top_k=2) is None
    assert fault(both, top_k=3)[:2] == ("top_k", "is 3, and there are 2 experts")
    assert "two trained no domain" in fault(both | {"two": ()})[1]


def test_architectures_without_mixtures_are_found_before_the_first_step(tmp_path):
    base = tiny_checkpoint(tmp_path / "base")
    config = json.loads((base / "config.json").read_text())

    def faults(**changed):
        (base / "config.json").write_text(json.dumps(config | changed))
        return list(Mixture(MixtureConfig()).faults_at_start(StartContext(model=base)))

    assert faults() == []
    with pytest.raises(StepFailed, match="mixtures of llama and qwen3 models, and this one is gpt2"):
        faults(model_type="gpt2")
    with pytest.raises(StepFailed, match="mlp_bias"):
        faults(mlp_bias=True)


def test_an_expert_of_another_shape_is_refused(tmp_path):
    base = tiny_checkpoint(tmp_path / "base")
    with pytest.raises(CheckpointError):
        merge(base, [base, qwen3_checkpoint(tmp_path / "qwen")], tmp_path / "moe")
