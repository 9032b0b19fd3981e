"""The trainer against TRL's own: the domains' gradients add up to the stock one for every loss, and metrics agree."""

import json
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from harness import StepFailed
from harness.testing.tiny_world import tiny_checkpoint
from harness_algorithms.surgery.config import LOSSES
from harness_algorithms.surgery.conflicts import cosines
from harness_algorithms.surgery.trainer import Surgery, SurgeryTrainer

DOMAINS = ("code", "math", "qa")
ROWS, PROMPT, COMPLETION = 12, 5, 7


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("surgery") / "model")


def trainer_on(checkpoint, folder, *, granularity="module", adapter=None, **settings):
    arguments = {
        "use_cpu": True, "bf16": False, "activation_checkpointing": False, "report_to": "none", "disable_tqdm": True,
        "per_device_train_batch_size": ROWS, "num_generations": 4, "max_completion_length": COMPLETION,
        "gradient_accumulation_steps": 1, "output_dir": str(folder), "model_init_kwargs": {"dtype": "float32"},
    } | settings  # fmt: skip
    made = SurgeryTrainer(
        model=str(checkpoint),
        args=GRPOConfig(**arguments),
        reward_funcs=lambda completions, **_: [float(len(text)) for text in completions],
        train_dataset=Dataset.from_list([{"prompt": "Q: 1? A:", "domain": name} for name in DOMAINS * 4]),
        surgery=Surgery(domains=DOMAINS, granularity=granularity, seed=0),
        peft_config=adapter,
    )
    made.model.train()
    made.current_gradient_accumulation_steps = made.args.gradient_accumulation_steps
    return made


def a_pass(seed, domains, *, longest=COMPLETION):
    """Inputs as TRL prepares them: prompts padded left, completions right, of all lengths; old and reference log
    probabilities near, but not at, the model's own."""
    draw = torch.Generator().manual_seed(seed)
    rows = len(domains)
    lengths = torch.randint(1, longest + 1, (rows,), generator=draw)
    lengths[0] = longest
    prompts = torch.randint(2, PROMPT + 1, (rows,), generator=draw)
    mask = (torch.arange(COMPLETION) < lengths[:, None]).long()
    noise = torch.randn(2, rows, COMPLETION, generator=draw)
    return {
        "prompt_ids": torch.randint(2, 90, (rows, PROMPT), generator=draw),
        "prompt_mask": (torch.arange(PROMPT) >= PROMPT - prompts[:, None]).long(),
        "completion_ids": torch.randint(2, 90, (rows, COMPLETION), generator=draw),
        "completion_mask": mask,
        "advantages": torch.randn(rows, generator=draw),
        "num_items_in_batch": mask.sum(),
        "old_per_token_logps": -4.6 + 0.3 * noise[0],
        "ref_per_token_logps": -4.6 + 0.3 * noise[1],
        "domain": torch.tensor(domains),
    }


MIXED = [0, 1, 2, 2, 1, 0, 0, 0, 2, 1, 0, 2]
WITHOUT_QA = [0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0]


def stock_gradient(trainer, passes):
    """The gradient, loss and metrics of TRL's own trainer."""
    trainer._metrics["train"].clear()
    trainer.accelerator.gradient_state._set_sync_gradients(False)
    total = 0.0
    for inputs in passes:
        loss = GRPOTrainer.compute_loss(trainer, trainer.model, inputs)
        trainer.accelerator.backward(loss)
        total += loss.item()
    gradient = torch.cat([p.grad.flatten() for p in trainer.trained.values()])
    trainer.model.zero_grad()
    metrics = {name: list(values) for name, values in trainer._metrics["train"].items()}
    trainer._metrics["train"].clear()
    return gradient, total, metrics


def surgery_losses(trainer, passes, *, sync):
    total = 0.0
    for number, inputs in enumerate(passes):
        trainer.accelerator.gradient_state._set_sync_gradients(sync and number == len(passes) - 1)
        loss = trainer.compute_loss(trainer.model, inputs)
        trainer.accelerator.backward(loss)
        total += loss.item()
    return total


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("loss_type", LOSSES)
@pytest.mark.parametrize("level", ["token", "sequence"])
def test_the_domains_gradients_add_up_to_the_stock_gradient(checkpoint, tmp_path, loss_type, level):
    trainer = trainer_on(
        checkpoint, tmp_path, loss_type=loss_type, importance_sampling_level=level, entropy_coef=0.05,
        gradient_accumulation_steps=2, per_device_train_batch_size=ROWS,
    )  # fmt: skip
    trainer.beta = 0.1
    passes = [a_pass(1, MIXED), a_pass(2, WITHOUT_QA, longest=4)]
    stock, stock_loss, stock_metrics = stock_gradient(trainer, passes)
    loss = surgery_losses(trainer, passes, sync=False)
    [buffer] = trainer.gradients.buffers
    assert stock.norm() > 1e-3
    assert all(gradient.norm() > 1e-4 for gradient in buffer)
    assert relative(buffer.sum(dim=0), stock) < 1e-5
    assert loss == pytest.approx(stock_loss, rel=1e-5, abs=1e-7)
    # TRL notes the metrics of a pass as if it had seen it whole; means of one value a row are the exception.
    a_row = {"vespo/phi_seq_mean"} | (
        {name for name in stock_metrics if "clip" in name} if level == "sequence" else set()
    )
    for name in stock_metrics.keys() - a_row:
        assert trainer._metrics["train"][name] == pytest.approx(stock_metrics[name], rel=1e-4, abs=1e-6), name
    assert trainer._metrics["train"].keys() == stock_metrics.keys()


@pytest.mark.parametrize("loss_type", ["dapo", "grpo", "bnpo"])
def test_masked_completions_and_tool_results_count_for_no_domain(checkpoint, tmp_path, loss_type):
    trainer = trainer_on(checkpoint, tmp_path, loss_type=loss_type, entropy_coef=0.05)
    inputs = a_pass(3, MIXED)
    inputs["completion_mask"][torch.tensor(MIXED) == 2] = 0  # all of qa was truncated, and truncated ones are masked
    inputs["tool_mask"] = torch.ones_like(inputs["completion_mask"])
    inputs["tool_mask"][:, 1] = 0
    stock, _, _ = stock_gradient(trainer, [inputs])
    surgery_losses(trainer, [inputs], sync=False)
    [buffer] = trainer.gradients.buffers
    assert relative(buffer.sum(dim=0), stock) < 1e-5
    assert not buffer[2].any()


def test_adapters_have_gradients_by_domain_too(checkpoint, tmp_path):
    peft = pytest.importorskip("peft")
    adapter = peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = trainer_on(checkpoint, tmp_path, adapter=adapter)
    passes = [a_pass(1, MIXED)]
    stock, _, _ = stock_gradient(trainer, passes)
    surgery_losses(trainer, passes, sync=False)
    [buffer] = trainer.gradients.buffers
    assert all("lora" in name for name in trainer.trained)
    assert relative(buffer.sum(dim=0), stock) < 1e-5
    names, _ = trainer._grouping("module")
    assert names == ["layers.0.self_attn", "layers.0.mlp", "layers.1.self_attn", "layers.1.mlp"]


def test_a_domain_with_completions_of_one_token_counts_its_tokens(checkpoint, tmp_path):
    trainer = trainer_on(checkpoint, tmp_path)
    inputs = a_pass(3, MIXED)
    qa = torch.tensor(MIXED) == 2
    inputs["completion_mask"][qa] = 0
    inputs["completion_mask"][qa.nonzero()[1:, 0], 0] = 1
    _, _, metrics = stock_gradient(trainer, [inputs])
    surgery_losses(trainer, [inputs], sync=False)
    assert trainer._metrics["train"]["entropy"] == pytest.approx(metrics["entropy"], rel=1e-5)


def test_gradient_checkpointing_gives_the_same(checkpoint, tmp_path):
    passes = [a_pass(1, MIXED)]
    found = []
    for settings in ({}, {"activation_checkpointing": True}, {"activation_checkpointing": True, "reentrant": True}):
        how = {"use_reentrant": settings.pop("reentrant", False)}
        trainer = trainer_on(checkpoint, tmp_path, **settings, activation_checkpointing_kwargs=how)
        if trainer.args.activation_checkpointing:
            trainer.model.activation_checkpointing_enable(how)
            trainer.model.enable_input_require_grads()
        surgery_losses(trainer, passes, sync=False)
        found.append(trainer.gradients.buffers[0])
    assert relative(found[1], found[0]) < 1e-5
    assert relative(found[2], found[0]) < 1e-5


def test_half_precision_passes_add_up_too(checkpoint, tmp_path):
    trainer = trainer_on(checkpoint, tmp_path, bf16=True)
    passes = [a_pass(1, MIXED)]
    with trainer.compute_loss_context_manager():
        stock, _, _ = stock_gradient(trainer, passes)
        surgery_losses(trainer, passes, sync=False)
    [buffer] = trainer.gradients.buffers
    assert buffer.dtype == torch.float32
    assert relative(buffer.sum(dim=0), stock) < 2e-2


def by_parameter(trainer, gradient):
    return torch.split(gradient, [p.numel() for p in trainer.trained.values()], dim=-1)


@pytest.mark.parametrize("granularity", ["tensor", "module", "block", "global"])
def test_the_step_takes_the_projected_sum(checkpoint, tmp_path, granularity):
    """With two domains there is one order only, so what must come out can be said for each group."""
    trainer = trainer_on(checkpoint, tmp_path, granularity=granularity)
    domains = [0, 1] * 6
    inputs = a_pass(5, domains)
    del inputs["old_per_token_logps"]
    # The second domain's rows are the first one's with the opposite advantages, one excepted: they conflict.
    for key in ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask"):
        inputs[key][1::2] = inputs[key][::2]
    inputs["advantages"][1::2] = -inputs["advantages"][::2]
    inputs["advantages"][1] += 1.0
    surgery_losses(trainer, [inputs], sync=False)
    first, second = (by_parameter(trainer, g.clone()) for g in trainer.gradients.buffers[0][:2])
    surgery_losses(trainer, [inputs], sync=True)  # the same pass again: the gradients have doubled
    names, members = trainer._grouping(granularity)
    conflicts = 0
    for group in range(len(names)):
        inside = [i for i, member in enumerate(members.tolist()) if member == group]
        a = torch.cat([2 * first[i].flatten() for i in inside]).double()
        b = torch.cat([2 * second[i].flatten() for i in inside]).double()
        if a @ b < 0:
            conflicts += 1
            expected = a - (a @ b) / (b @ b) * b + b - (a @ b) / (a @ a) * a
        else:
            expected = a + b
        parameters = list(trainer.trained.values())
        found = torch.cat([parameters[i].grad.flatten() for i in inside]).double()
        assert relative(found, expected) < 1e-4
        assert found @ a >= -1e-5 * found.norm() * a.norm()
        assert found @ b >= -1e-5 * found.norm() * b.norm()
    assert conflicts > 0
    metrics = trainer._metrics["train"]
    total = torch.cat([p.grad.flatten() for p in trainer.trained.values()]).norm().item()
    assert metrics["surgery/norm_after"] == [pytest.approx(total, rel=1e-4)]
    assert metrics["surgery/conflict_share/code|math"][0] > 0


def test_the_next_step_starts_from_nothing(checkpoint, tmp_path):
    trainer = trainer_on(checkpoint, tmp_path)
    surgery_losses(trainer, [a_pass(1, MIXED)], sync=True)
    first = [p.grad.clone() for p in trainer.trained.values()]
    surgery_losses(trainer, [a_pass(2, MIXED)], sync=True)
    surgery_losses(trainer, [a_pass(1, MIXED)], sync=True)
    assert all(p.grad.equal(g) for p, g in zip(trainer.trained.values(), first, strict=True))


def test_noted_cosines_are_those_of_the_gradients(checkpoint, tmp_path):
    trainer = trainer_on(checkpoint, tmp_path)
    noted = []
    trainer.surgery = Surgery(
        domains=DOMAINS, granularity="global", seed=0,
        record=SimpleNamespace(note=lambda step, table: noted.append((step, table))),
    )  # fmt: skip
    inputs = a_pass(1, MIXED)
    surgery_losses(trainer, [inputs], sync=False)
    whole = trainer.gradients.buffers[0].double()
    expected = cosines((whole @ whole.T).unsqueeze(0))[0]
    trainer._in_step = False
    surgery_losses(trainer, [inputs], sync=True)
    assert trainer._metrics["train"]["surgery/cosine/code|math"] == [pytest.approx(float(expected[0, 1]), abs=1e-6)]
    assert trainer._metrics["train"]["surgery/cosine/math|qa"] == [pytest.approx(float(expected[1, 2]), abs=1e-6)]
    [(step, table)] = noted
    assert step == 1
    assert {"embeddings", "layers.0.self_attn", "layers.1.mlp", "layers.1.norms", "norm"} <= table.keys()
    json.dumps(list(table))


def test_evaluation_is_trls(checkpoint, tmp_path):
    trainer = trainer_on(checkpoint, tmp_path)
    trainer.model.eval()
    loss = trainer.compute_loss(trainer.model, a_pass(1, MIXED))
    assert loss.item() == GRPOTrainer.compute_loss(trainer, trainer.model, a_pass(1, MIXED)).item()
    assert "gradients" not in vars(trainer)


def test_images_are_refused(checkpoint, tmp_path):
    trainer = trainer_on(checkpoint, tmp_path)
    with pytest.raises(StepFailed, match="images"):
        trainer.compute_loss(trainer.model, a_pass(1, MIXED) | {"pixel_values": torch.zeros(3, 2)})


def test_sharded_gradients_are_refused(checkpoint, tmp_path, monkeypatch):
    from accelerate import Accelerator, DistributedType

    monkeypatch.setattr(Accelerator, "distributed_type", DistributedType.FSDP)
    with pytest.raises(StepFailed, match="does not run under FSDP"):
        trainer_on(checkpoint, tmp_path)
