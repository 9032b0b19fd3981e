"""What somebody would write without the harness: two GRPO trainings with TRL, three evaluations with lm-eval.

    python benchmarks/plain_script.py FOLDER [overhead | overhead-smollm]

The same model, prompts, rewards, settings and tasks as the protocol of this name; the models, the scores and the
seconds of each part go to FOLDER.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from datasets import Dataset
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from peft import LoraConfig
from plain_worlds import Plain, World, world
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

CUDA = torch.cuda.is_available()
SEEDS = ("random_seed", "numpy_random_seed", "torch_random_seed", "fewshot_random_seed")


def main() -> None:
    """Trains and evaluates in turn, from the base model."""
    folder, name = Path(sys.argv[1]), (sys.argv[2:] or ["overhead"])[0]
    folder.mkdir(parents=True, exist_ok=True)
    chosen = world(name)
    seconds: dict[str, list[float]] = {"train": [], "evaluate": []}
    scores = {"base": timed(seconds["evaluate"], evaluate, chosen, chosen.base)}
    checkpoint = chosen.base
    for domain in chosen.trained:
        checkpoint = timed(seconds["train"], train, chosen.train, chosen.domains[domain], checkpoint, folder / domain)
        scores[domain] = timed(seconds["evaluate"], evaluate, chosen, checkpoint)
    (folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    (folder / "seconds.json").write_text(json.dumps(seconds, indent=1) + "\n")


def timed(seconds: list[float], work: Callable[..., Any], *arguments: Any) -> Any:
    """Returns what `work` returns, and adds how long it took to `seconds`."""
    started = time.perf_counter()
    result = work(*arguments)
    seconds.append(time.perf_counter() - started)
    return result


def train(settings: Any, domain: Plain, checkpoint: Path, output: Path) -> Path:
    """Returns the folder of the model trained on a domain."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, padding_side="left")

    names = domain.prompts[0].keys() - {"prompt"}

    def reward(prompts, completions, **given) -> list[float]:
        texts = [one if isinstance(one, str) else one[0]["content"] for one in completions]
        rows = [{name: given[name][index] for name in names} for index in range(len(texts))]
        return [
            domain.reward(text, prompt=prompt, **row) for text, prompt, row in zip(texts, prompts, rows, strict=True)
        ]

    lora = settings.get("lora")
    completions = settings["prompts_per_step"] * settings["generations"]
    per_pass = settings.get("completions_per_device", completions)
    trainer = GRPOTrainer(
        model=str(checkpoint),
        args=GRPOConfig(
            output_dir=str(output / "trainer"),
            max_steps=settings["steps"],
            learning_rate=settings["learning_rate"],
            lr_scheduler_type="constant",
            num_generations=settings["generations"],
            max_completion_length=domain.tokens,
            temperature=settings.get("temperature", 1.0),
            beta=0.0,
            loss_type="dapo",
            per_device_train_batch_size=per_pass,
            gradient_accumulation_steps=completions // per_pass,
            bf16=settings.get("trl", {}).get("bf16", False),
            activation_checkpointing=False,
            use_cpu=not CUDA,
            dataloader_pin_memory=CUDA,
            model_init_kwargs={
                "dtype": settings.get("dtype", "float32"),
                "attn_implementation": settings.get("attn_implementation"),
            },
            save_strategy="no",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            seed=0,
        ),
        reward_funcs=reward,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list([dict(row) for row in domain.prompts]),
        peft_config=lora
        and LoraConfig(r=lora["rank"], lora_alpha=lora["alpha"], target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.train()
    if lora:
        trainer.model.merge_and_unload().save_pretrained(output)
        tokenizer.save_pretrained(output)
    else:
        trainer.save_model(str(output))
    return output


def evaluate(chosen: World, checkpoint: Path) -> dict[str, float]:
    """Returns the score of each domain."""
    loaded = {"dtype": "auto", **chosen.evaluate.get("args", {})}
    model = AutoModelForCausalLM.from_pretrained(checkpoint, **loaded).to("cuda" if CUDA else "cpu").eval()
    batch_size = chosen.evaluate["batch_size"]
    language_model = HFLM(
        pretrained=model,
        tokenizer=AutoTokenizer.from_pretrained(checkpoint),
        batch_size=batch_size,
        device=str(model.device),
    )
    scores = {}
    for name, domain in chosen.domains.items():
        results = simple_evaluate(
            model=language_model,
            tasks=[domain.task],
            task_manager=TaskManager(
                include_path=str(chosen.tasks), include_defaults=False, metadata=dict(domain.metadata) or None
            ),
            limit=chosen.evaluate["limit"],
            batch_size=batch_size,
            apply_chat_template=chosen.chat,
            **dict.fromkeys(SEEDS, 0),
        )
        metrics = results["results"][domain.task]
        scores[name] = next(value for key, value in metrics.items() if "," in key and "stderr" not in key)
    return scores


if __name__ == "__main__":
    main()
