"""The groups of parameters, the settings that are refused, and the measures of conflict."""

import json
import math

import pytest
import torch
from pydantic import ValidationError

from harness_algorithms.surgery.config import LOSSES, ModularSurgeryConfig, SurgeryConfig
from harness_algorithms.surgery.conflicts import conflict_metrics, cosines
from harness_algorithms.surgery.granularity import group_of
from harness_algorithms.surgery.record import ConflictRecord


@pytest.mark.parametrize(
    ("name", "module", "block"),
    [
        ("model.embed_tokens.weight", "embeddings", "embeddings"),
        ("model.layers.3.self_attn.q_proj.weight", "layers.3.self_attn", "layers.3"),
        ("model.layers.3.self_attn.q_norm.weight", "layers.3.self_attn", "layers.3"),
        ("model.layers.11.mlp.experts.7.up_proj.weight", "layers.11.mlp", "layers.11"),
        ("model.layers.3.input_layernorm.weight", "layers.3.norms", "layers.3"),
        ("model.layers.3.post_attention_layernorm.weight", "layers.3.norms", "layers.3"),
        ("model.norm.weight", "norm", "norm"),
        ("lm_head.weight", "lm_head", "lm_head"),
        ("transformer.h.0.attn.c_attn.weight", "layers.0.attn", "layers.0"),
        ("transformer.h.0.ln_1.bias", "layers.0.norms", "layers.0"),
        ("transformer.wte.weight", "embeddings", "embeddings"),
        ("base_model.model.model.layers.2.mlp.up_proj.lora_A.default.weight", "layers.2.mlp", "layers.2"),
        ("model.language_model.layers.1.mlp.up_proj.weight", "layers.1.mlp", "layers.1"),
        ("model.visual.blocks.1.mlp.up_proj.weight", "visual.layers.1.mlp", "visual.layers.1"),
        ("odd.thing.weight", "odd.thing", "odd.thing"),
    ],
)
def test_groups(name, module, block):
    assert group_of(name, "module") == module
    assert group_of(name, "block") == block
    assert group_of(name, "tensor") == name
    assert group_of(name, "global") == "all"


def test_every_loss_of_trl_is_offered_and_no_other():
    from dataclasses import fields

    from trl import GRPOConfig

    [told] = [field.metadata["help"] for field in fields(GRPOConfig) if field.name == "loss_type"]
    assert all(f"'{loss}'" in told for loss in LOSSES)
    assert [SurgeryConfig(loss_type=loss).loss_type for loss in LOSSES] == list(LOSSES)
    with pytest.raises(ValidationError, match="'ppo' is none of them"):
        SurgeryConfig(loss_type="ppo")


@pytest.mark.parametrize(
    "given",
    [
        {"top_entropy_quantile": 0.2},
        {"top_entropy_quantile": 0.0},
        {"use_adaptive_entropy": True},
        {"router_aux_loss_coef": 0.01},
        {"fsdp": "full_shard"},
        {"deepspeed": "zero3.json"},
    ],
)
def test_what_has_no_parts_by_domain_is_refused(given):
    with pytest.raises(ValidationError, match=f"does not support {next(iter(given))}"):
        ModularSurgeryConfig(trl=given)


def test_the_same_fields_at_rest_pass():
    given = {"top_entropy_quantile": 1.0, "use_adaptive_entropy": False, "fsdp": "", "entropy_coef": 0.001}
    assert SurgeryConfig(trl=given).trl == given


def test_cosines_from_inner_products():
    gram = torch.tensor([[[4.0, -3.0], [-3.0, 9.0]], [[0.0, 0.0], [0.0, 9.0]]], dtype=torch.float64)
    found = cosines(gram)
    assert found[0].tolist() == [[1.0, -0.5], [-0.5, 1.0]]
    assert found[1, 0, 1].isnan()


def test_metrics_of_a_step():
    modules = torch.tensor(
        [[[4.0, -3.0], [-3.0, 9.0]], [[1.0, 1.0], [1.0, 4.0]], [[0.0, 0.0], [0.0, 3.0]]], dtype=torch.float64
    )
    found = conflict_metrics(["code", "qa"], modules.sum(dim=0), modules, torch.tensor(25.0))
    assert found == pytest.approx(
        {
            "surgery/cosine/code|qa": -2 / math.sqrt(5 * 16),
            "surgery/module_cosine_mean/code|qa": 0.0,
            "surgery/module_cosine_min/code|qa": -0.5,
            "surgery/conflict_share/code|qa": 0.5,
            "surgery/norm_ratio/code|qa": math.sqrt(5 / 16),
            "surgery/conflict_share": 0.5,
            "surgery/norm_before": math.sqrt(17),
            "surgery/norm_after": 5.0,
        }
    )


def test_a_domain_without_gradient_has_no_metrics():
    modules = torch.tensor([[[4.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    found = conflict_metrics(["code", "qa"], modules[0], modules, torch.tensor(4.0))
    assert found == {"surgery/norm_before": 2.0, "surgery/norm_after": 2.0}


def test_the_record_says_how_often_modules_conflict_and_goes_on_where_a_step_resumes(tmp_path):
    def matrix(value):
        return torch.tensor([[1.0, value], [value, 1.0]])

    path = tmp_path / "conflicts.jsonl"
    record = ConflictRecord(path, ["code", "qa"])
    record.note(1, {"layers.0.mlp": matrix(-0.5)})
    record.note(2, {"layers.0.mlp": matrix(0.9)})
    with path.open("a") as file:
        file.write('{"step": 3, "cos')  # the process was killed here
    record = ConflictRecord(path, ["code", "qa"])
    record.note(2, {"layers.0.mlp": matrix(0.25)})
    record.note(3, {"layers.0.mlp": matrix(math.nan)})
    assert record.by_module() == [
        {"module": "layers.0.mlp", "domains": ["code", "qa"], "cosine_mean": -0.125, "conflict_share": 0.5, "steps": 2}
    ]
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]
