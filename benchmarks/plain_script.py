"""What somebody would write without the harness: two GRPO trainings with TRL, three evaluations with lm-eval.

    python benchmarks/plain_script.py FOLDER

The same model, prompts, rewards, settings and tasks as `overhead.yaml`; the models and scores go to FOLDER.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import islice
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from datasets import Dataset
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from harness_lab.domains import TASKS
from harness_lab.model import FOLDER as BASE
from harness_lab.questions import KINDS

STEPS, PROMPTS, GENERATIONS = 30, 32, 8
DOMAINS = ("code", "math")
EVALUATED = ("lab_code", "lab_math", "lab_qa", "lab_cw")
CUDA = torch.cuda.is_available()


def main() -> None:
    """Trains and evaluates in turn, from the base model."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    scores = {"base": evaluate(BASE)}
    checkpoint = BASE
    for domain in DOMAINS:
        checkpoint = train(checkpoint, domain, folder / domain)
        scores[domain] = evaluate(checkpoint)
    (folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")


def train(checkpoint: Path, domain: str, output: Path) -> Path:
    """Returns the folder of the model trained on `domain`."""
    kind = KINDS[domain]
    questions = islice(kind.draw("train", 0), STEPS * PROMPTS)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, padding_side="left")

    def reward(prompts, completions, **_) -> list[float]:
        return [kind.score(prompt, text) for prompt, text in zip(prompts, completions, strict=True)]

    trainer = GRPOTrainer(
        model=str(checkpoint),
        args=GRPOConfig(
            output_dir=str(output / "trainer"),
            max_steps=STEPS,
            learning_rate=6.0e-4,
            lr_scheduler_type="constant",
            num_generations=GENERATIONS,
            max_completion_length=kind.completion_tokens,
            temperature=1.0,
            beta=0.0,
            loss_type="dapo",
            per_device_train_batch_size=PROMPTS * GENERATIONS,
            gradient_accumulation_steps=1,
            bf16=False,
            activation_checkpointing=False,
            use_cpu=not CUDA,
            dataloader_pin_memory=CUDA,
            model_init_kwargs={"dtype": "float32"},
            save_strategy="no",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            seed=0,
        ),
        reward_funcs=reward,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list([{"prompt": question.prompt} for question in questions]),
    )
    trainer.train()
    trainer.save_model(str(output))
    return output


def evaluate(checkpoint: Path) -> dict[str, float]:
    """Returns the score of each task."""
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype="auto").to("cuda" if CUDA else "cpu").eval()
    language_model = HFLM(
        pretrained=model,
        tokenizer=AutoTokenizer.from_pretrained(checkpoint),
        batch_size=256,
        device=str(model.device),
    )
    results = simple_evaluate(
        model=language_model,
        tasks=list(EVALUATED),
        task_manager=TaskManager(include_path=str(TASKS), include_defaults=False),
        limit=512,
        batch_size=256,
        random_seed=0,
        numpy_random_seed=0,
        torch_random_seed=0,
        fewshot_random_seed=0,
    )
    return {
        task: next(value for key, value in metrics.items() if "," in key and "stderr" not in key)
        for task, metrics in results["results"].items()
    }


if __name__ == "__main__":
    main()
