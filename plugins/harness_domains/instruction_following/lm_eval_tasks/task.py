"""IFEval's items, from the hub or from files, scored by lm-eval's `process_results`.

The harness passes the config as the task's metadata, as does `lm-eval --metadata '{"instruction_following": {…}}'`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from harness.domains import GenerationTask, answer_sampling
from harness_domains.instruction_following.answers import checked_text
from harness_domains.instruction_following.checkers import as_json, constraints_of, ifeval, ifeval_scores
from harness_domains.instruction_following.config import InstructionFollowingConfig
from harness_domains.instruction_following.rows import load_rows


def items(instruction_following: Mapping[str, Any] | None = None, **_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits: all items of the config's table `test`, in its order."""
    config = InstructionFollowingConfig(**(instruction_following or {}))
    # A few of IFEval's own items leave an argument to chance, and lm-eval scores them.
    rows = load_rows(config.test, single=True, chance=True)
    table = {
        "prompt": [row.text for row in rows],
        "instruction_id_list": [[one.identifier for one in row.constraints] for row in rows],
        "kwargs": [as_json(row.constraints) for row in rows],
        "thinks": [config.thinks] * len(rows),
    }
    return {"test": Dataset.from_dict(table)}


def scores(item: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """Returns lm-eval's four metrics of an item: two for the prompt, and two lists with an entry per instruction."""
    constraints = constraints_of(item["instruction_id_list"], item["kwargs"])
    return ifeval_scores(constraints, checked_text(results[0], thinks=item["thinks"]))


def share_of_instructions(lists: Sequence[Sequence[bool]]) -> float:
    """Returns the share of all items' instructions that are followed."""
    return float(ifeval().agg_inst_level_acc(lists))


class InstructionTask(GenerationTask):
    """A generation task that takes length, stop texts and temperature from the domain's config."""

    def sampling(self, task: Mapping[str, Any]) -> dict[str, Any]:
        domain = InstructionFollowingConfig(**task["metadata"].get("instruction_following", {}))
        return answer_sampling(domain, temperature=domain.temperature)
