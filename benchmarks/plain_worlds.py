"""What `plain_script.py` trains and scores, by the name of the protocol that does the same with the harness."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A domain. prompts: the rows of the data set. reward: of a completion for a row's other columns and its prompt.
    tokens: the longest completion. task: lm-eval's name. metadata: the task's."""

    prompts: Sequence[Mapping[str, Any]]
    reward: Callable[..., float]
    tokens: int
    task: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class World:
    """A base model, settings, and domains. trained: the domains in order. tasks: the folder of lm-eval's tasks."""

    base: Path
    train: Mapping[str, Any]
    evaluate: Mapping[str, Any]
    domains: Mapping[str, Plain]
    trained: Sequence[str]
    tasks: Path
    chat: bool = False


def world(name: str) -> World:
    """Returns the world of `overhead` (the lab) or `overhead-smollm`."""
    protocol = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return (_smollm if name == "overhead-smollm" else _lab)(protocol)


def _lab(protocol: Mapping[str, Any]) -> World:
    from harness_lab.domains import TASKS
    from harness_lab.model import FOLDER
    from harness_lab.questions import KINDS

    train = protocol["train"]

    def domain(name: str) -> Plain:
        kind = KINDS[name]
        drawn = islice(kind.draw("train", 0), train["steps"] * train["prompts_per_step"])
        return Plain(
            prompts=[{"prompt": question.prompt} for question in drawn],
            reward=lambda text, prompt, **_: kind.score(prompt, text),
            tokens=kind.completion_tokens,
            task=f"lab_{name}",
        )

    [trained] = protocol["methods"].values()
    domains = {name: domain(name) for name in protocol["domains"]}
    return World(base=FOLDER, train=train, evaluate=protocol["evaluate"], domains=domains, trained=trained, tasks=TASKS)


def _smollm(protocol: Mapping[str, Any]) -> World:
    import harness_domains.jsonl
    from harness import NoConfig
    from harness_models.smollm2.model import SmolLM2

    train = protocol["train"]

    def domain(given: Mapping[str, Any]) -> Plain:
        config = {key: value for key, value in given.items() if key not in ("use", "reward")}
        config |= {key: str((HERE / config[key]).resolve()) for key in ("data_files", "test_files")}
        lines = Path(config["data_files"]).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines[: train["steps"] * train["prompts_per_step"]]]
        prompts = [[{"role": "user", "content": config["template"].format(**row)}] for row in rows]
        return Plain(
            prompts=[{"prompt": asked, "answer": row["answer"]} for asked, row in zip(prompts, rows, strict=True)],
            reward=_last_number if given["reward"]["use"] == "regex" else _short_answer,
            tokens=config["completion_tokens"],
            task="jsonl",
            metadata={"jsonl": config},
        )

    [trained] = protocol["methods"].values()
    return World(
        base=SmolLM2(NoConfig()).folder(),
        train=train,
        evaluate=protocol["evaluate"],
        domains={name: domain(given) for name, given in protocol["domains"].items()},
        trained=trained,
        tasks=Path(harness_domains.jsonl.__file__).parent / "lm_eval_tasks",
        chat=True,
    )


def _last_number(text: str, answer: str, **_: Any) -> float:
    return float(re.findall(r"-?\d+", text)[-1:] == [answer])


def _short_answer(text: str, answer: str, **_: Any) -> float:
    found = re.search(rf"\b{re.escape(answer)}\b", text, re.IGNORECASE)
    return float(found is not None and len(text.split()) <= 8)
