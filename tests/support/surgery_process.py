"""One of the processes of test_surgery_processes.py: python surgery_process.py CHECKPOINT FOLDER LOSS…

Writes to FOLDER what this process ends with. Alone it sees the whole batch, one of two sees half of it.
"""

import os
import sys
from pathlib import Path

import torch
from datasets import Dataset
from trl import GRPOConfig

from harness_algorithms.surgery.trainer import Surgery, SurgeryTrainer

DOMAINS = ("code", "math", "qa")
ROWS, LENGTH = 8, 6
# The first half has no qa, the second no code, so each process meets a domain that it has no row of.
MIXED = [0, 1, 1, 0, 2, 2, 1, 2]


def whole_batch(seed):
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, LENGTH + 1, (ROWS,), generator=draw)
    mask = (torch.arange(LENGTH) < lengths[:, None]).long()
    return {
        "prompt_ids": torch.randint(2, 90, (ROWS, 4), generator=draw),
        "prompt_mask": torch.ones(ROWS, 4, dtype=torch.long),
        "completion_ids": torch.randint(2, 90, (ROWS, LENGTH), generator=draw),
        "completion_mask": mask,
        "advantages": torch.randn(ROWS, generator=draw),
        "num_items_in_batch": 2 * mask.sum(),  # of both passes of the step
        "domain": torch.tensor(MIXED),
    }


def measure(checkpoint, folder, loss_type):
    rank, processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    trainer = SurgeryTrainer(
        model=checkpoint,
        args=GRPOConfig(
            use_cpu=True, bf16=False, activation_checkpointing=False, report_to="none", disable_tqdm=True,
            per_device_train_batch_size=ROWS // processes, num_generations=4, max_completion_length=LENGTH,
            gradient_accumulation_steps=2, max_steps=2, loss_type=loss_type, output_dir=f"{folder}/state",
            model_init_kwargs={"dtype": "float32"}, save_strategy="no", learning_rate=1e-3, logging_steps=1,
        ),
        reward_funcs=lambda completions, **_: [float(len(text)) for text in completions],
        train_dataset=Dataset.from_list([{"prompt": "Q: 1? A:", "domain": name} for name in DOMAINS * 4]),
        surgery=Surgery(domains=DOMAINS, granularity="module", seed=0),
    )  # fmt: skip
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 2
    wrapped = trainer.accelerator.prepare_model(trainer.model)
    half = slice(rank * ROWS // processes, (rank + 1) * ROWS // processes)
    for number, seed in enumerate((1, 2)):
        trainer.accelerator.gradient_state._set_sync_gradients(number == 1)
        inputs = {key: value[half] if value.ndim else value for key, value in whole_batch(seed).items()}
        trainer.accelerator.backward(trainer.compute_loss(wrapped, inputs))
    found = {
        "wrapped": type(wrapped).__name__,
        "gradient": {name: parameter.grad.clone() for name, parameter in trainer.trained.items()},
        "entropy": trainer._metrics["train"]["entropy"],
        "surgery": {name: value for name, value in trainer._metrics["train"].items() if name.startswith("surgery")},
    }
    trainer.model.zero_grad()
    trainer._metrics["train"].clear()
    trainer.train()
    found["trained"] = {name: parameter.detach().clone() for name, parameter in trainer.trained.items()}
    found["steps"] = trainer.state.global_step
    torch.save(found, Path(folder) / f"{loss_type}-{processes}-{rank}.pt")


if __name__ == "__main__":
    for loss in sys.argv[3:]:
        measure(sys.argv[1], sys.argv[2], loss)
