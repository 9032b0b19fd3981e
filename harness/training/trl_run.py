"""Runs one training step with a TRL trainer and writes the model folder. A killed step can be resumed."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import trl
from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
from trl import GRPOTrainer

from harness._util.distributed import rank, world_size
from harness.domains.reward_limits import CallLimits
from harness.errors import StepFailed
from harness.plugin.interfaces import (
    TOKENS_PER_SECOND,
    WAITING_FOR,
    Cost,
    Progress,
    StepResult,
    TrainingContext,
    TrainingDomain,
)
from harness.training.config import OnPolicyConfig
from harness.training.endings import Endings, generation_settings
from harness.training.processes import gathered
from harness.training.prompts import OrderedPrompts, ordered_prompts
from harness.training.resume import CompleteCheckpoints, keep_metrics_until, newest_complete
from harness.training.reward_parts import NORMALIZES_EACH, reward_parts
from harness.training.reward_record import RewardRecord
from harness.training.rewards import TRUNCATED, RewardRouter
from harness.training.sampling import chat_opens_thinking
from harness.training.saving import ModelWriter, States
from harness.training.updates.of_config import update_rules
from harness.training.updates.rule import UpdateRule, attach


def train_with_trl(
    context: TrainingContext,
    config: OnPolicyConfig,
    *,
    trainer_class: Callable[..., Any] = GRPOTrainer,
    fields: Mapping[str, Any] | None = None,
    replay_share: float = 0.0,
    rules: Sequence[UpdateRule] = (),
) -> StepResult:
    """Trains `context.checkpoint` and writes the model and its tokenizer to `context.output`, and those within the
    training to `context.states`.

    trainer_class: the TRL trainer for the config's `trl_config`, or a subclass. fields: further fields of TRL's config;
    the user's fields override them. replay_share: the share (below 1) of prompts from the context's earlier domains.
    rules: further update rules, before those of the config and the context. Returns the step's cost and the outcomes of
    its rewards. Raises StepFailed if the rewards fail.
    """
    replayed = tuple(context.earlier) if replay_share else ()
    domains = (*context.domains, *replayed)
    passed = generation_settings(dict(fields or {}) | config.trl, config.stop)
    arguments = _arguments(config, domains, passed, scratch=context.scratch, seed=context.seed, processes=world_size())
    slow = _SlowRewards(context.progress, config.steps)
    router = RewardRouter(domains, config.max_error_rate, CallLimits(seconds=config.reward_timeout, slow=slow))
    tokenizer = AutoTokenizer.from_pretrained(context.checkpoint, padding_side="left")
    prompts = _prompts(context, config, arguments, replayed, replay_share)
    updates = update_rules(context, config)
    updates.rules[:0] = rules
    reward_functions: Sequence[Any] = [router]
    if getattr(arguments, "multi_objective_aggregation", None) == NORMALIZES_EACH:
        reward_functions, arguments.reward_weights = reward_parts(router)
    trainer = trainer_class(
        model=str(context.checkpoint),
        args=arguments,
        reward_funcs=reward_functions,
        processing_class=tokenizer,
        train_dataset=prompts.rows,
        **({} if config.lora is None else {"peft_config": config.lora.peft_config()}),
    )
    endings = Endings(tokenizer, trainer.eos_token_ids, config.stop)
    endings.apply_to(trainer)
    router.read_with(endings, chat_opens_thinking=chat_opens_thinking(tokenizer, arguments.chat_template_kwargs or {}))
    trainer.create_model_card = lambda *_, **__: None  # resumable states need no model card
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Metrics(context.metrics, context.progress, without=_UNTRUE_OF_STOPPED if config.stop else ()))
    trainer.add_callback(slow)
    weights = attach(trainer, updates.rules)
    writer = ModelWriter(trainer, tokenizer, context, config, rules=updates.rules, weights=weights)
    trainer.add_callback(States(context.states, writer.write_state))
    trainer.add_callback(CompleteCheckpoints(router))
    with trainer.accelerator.main_process_first():  # the main process deletes incomplete states
        resume = newest_complete(context.scratch)
    if resume is not None:
        router.go_on_from(resume.rewards)
        for rule in updates.rules:
            rule.load(resume.folder)
    if trainer.accelerator.is_main_process:
        keep_metrics_until(context.metrics, resume.step if resume else 0)
    trainer.train(resume_from_checkpoint=str(resume.folder) if resume else None)
    router.record = RewardRecord.of_ranks(list(router.domains), gathered(router.record.as_json()))
    router.check_any_scored()
    writer.write_output()
    rows = [json.loads(line) for line in context.metrics.read_text(encoding="utf-8").splitlines()]
    cost = _cost(rows, router.counts)
    return StepResult(
        cost=cost + updates.cost,
        report={
            **_tokens(rows, cost),
            **router.record.report(),
            **updates.report,
            "unjudgeable": prompts.unjudgeable,
            # The share of completions that reached max_completion_length. If it is large, the length limits the reward.
            "truncated_share": _mean(rows, TRUNCATED),
            "truncated_share_of": {name: _mean(rows, f"{TRUNCATED}/{name}") for name in router.counts},
        },
    )


def check_settings(config: OnPolicyConfig, domains: Sequence[TrainingDomain], *, processes: int) -> None:
    """Raises StepFailed if TRL refuses the settings of a step with this number of processes."""
    passed = generation_settings(config.trl, config.stop)
    _arguments(config, domains, passed, scratch=Path("unused"), seed=0, processes=processes)


def _arguments(
    config: OnPolicyConfig,
    domains: Sequence[TrainingDomain],
    passed: Mapping[str, Any],
    *,
    scratch: Path,
    seed: int,
    processes: int,
) -> Any:
    completions = config.prompts_per_step * config.generations
    share, rest = divmod(completions, processes)
    per_device = min(config.completions_per_device or share, share)
    if rest or not share or share % per_device:
        among = f" among {processes} processes" if processes > 1 else ""
        raise StepFailed(
            f"{completions} completions per step cannot be split{among} into passes of {per_device or 1}",
            hint="completions_per_device × processes has to divide prompts_per_step × generations",
        )
    accumulation = share // per_device
    generations = passed.get("steps_per_generation", accumulation) * passed.get("num_iterations", 1)
    cycle = max(1, math.ceil(generations / accumulation))
    cuda = torch.cuda.is_available()
    defaults: dict[str, Any] = {
        "bf16": False,
        "activation_checkpointing": False,
        "lr_scheduler_type": "constant",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": cuda,
        "use_cpu": not cuda,
        "ddp_find_unused_parameters": False,  # a policy uses all parameters; the search is expensive
    }
    ours: dict[str, Any] = {
        "output_dir": str(scratch),
        "max_steps": config.steps,
        "learning_rate": config.learning_rate,
        "num_generations": config.generations,
        "max_completion_length": config.max_completion_length or _longest(domains),
        "temperature": config.temperature,
        "beta": config.beta,
        **config.loss_fields(),
        "seed": seed,
        "logging_steps": 1,
        "per_device_train_batch_size": per_device,
        "gradient_accumulation_steps": accumulation,
        "shuffle_dataset": False,
        "model_init_kwargs": {"dtype": config.dtype, "attn_implementation": config.attn_implementation},
        "save_strategy": "steps" if config.save_every else "no",
        # TRL's state is only complete between two rounds of generation.
        "save_steps": math.ceil((config.save_every or 1) / cycle) * cycle,
        "save_total_limit": 2,
    }
    try:
        return getattr(trl, config.trl_config)(**(defaults | dict(passed) | ours))
    except (TypeError, ValueError) as error:
        raise StepFailed(f"TRL refuses the settings of this step: {error}") from error


def _longest(domains: Sequence[TrainingDomain]) -> int:
    lengths = [domain.domain.completion_tokens for domain in domains]
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths):
        raise StepFailed(
            "max_completion_length is not set, and not every domain of the step has a default",
            hint="set max_completion_length under train",
        )
    return max(known)


def _prompts(
    context: TrainingContext,
    config: OnPolicyConfig,
    arguments: Any,
    replayed: Sequence[TrainingDomain],
    replay_share: float,
) -> OrderedPrompts:
    # TRL only accepts whole rounds of generation, so the order is padded to a whole number of them.
    a_round = arguments.generation_batch_size // arguments.num_generations
    steps = math.ceil(math.ceil(config.steps * config.prompts_per_step / a_round) * a_round / config.prompts_per_step)
    return ordered_prompts(
        context.domains,
        steps=steps,
        prompts_per_step=config.prompts_per_step,
        seed=context.seed,
        size_exponent=config.size_exponent,
        replayed=replayed,
        replay_share=replay_share,
        unjudgeable=config.unjudgeable,
    )


_TOKENS = "num_tokens"
"""TRL's metric of the tokens of prompts and completions so far; a prompt counts once per completion."""

# TRL counts completions that end at a stop text as truncated. The router counts them correctly.
_UNTRUE_OF_STOPPED = (
    "completions/clipped_ratio",
    *(f"completions/{m}_terminated_length" for m in ("mean", "min", "max")),
)


class _Metrics(TrainerCallback):  # type: ignore[misc]  # transformers is read without types
    """Appends the metrics of each step, except `without`, to a JSON lines file and reports them as progress."""

    def __init__(self, path: Path, progress: Progress, *, without: Sequence[str] = ()) -> None:
        self.path = path
        self.progress = progress
        self.without = without
        self.tokens_before = 0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.tokens_before = state.num_input_tokens_seen

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        numbers = {
            key: float(value)
            for key, value in (logs or {}).items()
            if isinstance(value, (int, float)) and key not in self.without and not _of_no_row(key, value)
        }
        if "loss" not in numbers or not state.is_world_process_zero:  # Trainer's final log entry has no loss
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step} | numbers) + "\n")
        seconds, tokens = numbers.get("step_time", 0.0), numbers.get(_TOKENS, 0.0) - self.tokens_before
        speed = {TOKENS_PER_SECOND: tokens / seconds} if seconds > 0 and tokens > 0 else {}
        self.progress(state.global_step, state.max_steps, numbers | speed)


def _of_no_row(name: str, value: float) -> bool:
    """Whether the metric is that of a reward function of which the round has no row."""
    return name.startswith("rewards/") and math.isnan(value)


class _SlowRewards(TrainerCallback):  # type: ignore[misc]  # transformers is read without types
    """Shows a slow reward on the progress display, next to the step that waits for it."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self.progress = progress
        self.steps = steps
        self.done = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.done = state.global_step

    def __call__(self, label: str, seconds: float) -> None:
        if rank() == 0:
            self.progress(self.done, self.steps, {f"{WAITING_FOR}{label}": seconds})


def _cost(rows: Sequence[Mapping[str, float]], outcomes: Mapping[str, Counter[str]]) -> Cost:
    """Returns the step's cost from its metrics and reward counts, which are complete even after a resume.

    Tokens: the mean completion length of each round, as logged by TRL, times the number of scored completions.
    """
    completions = sum(counts.total() for counts in outcomes.values())
    return Cost(
        optimizer_steps=len(rows),
        completions=completions,
        generated_tokens=round(completions * _mean(rows, "completions/mean_length")),
        train_seconds=round(sum(row.get("step_time", 0.0) for row in rows), 3),
    )


def _tokens(rows: Sequence[Mapping[str, float]], cost: Cost) -> dict[str, float]:
    """Returns the tokens of the prompts, once per completion, and the tokens of both per second of training."""
    tokens = max((row.get(_TOKENS, 0.0) for row in rows), default=0.0)
    if not tokens or not cost.train_seconds:
        return {}
    return {
        "prompt_tokens": round(tokens - cost.generated_tokens),
        TOKENS_PER_SECOND: round(tokens / cost.train_seconds, 1),
    }


def _mean(rows: Sequence[Mapping[str, float]], name: str) -> float:
    """Returns the mean of a metric over the steps that have it, which are those that generated completions."""
    values = [row[name] for row in rows if name in row]
    return sum(values) / len(values) if values else 0.0
