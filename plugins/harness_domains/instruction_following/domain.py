"""The domain of instruction following."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Domain, EvaluationTask, HubSource
from harness.domains import example_rows, most_rows
from harness_domains.instruction_following.config import HeldOutTable, InstructionFollowingConfig

if TYPE_CHECKING:
    from datasets import Dataset

ITEMS = 541
"""Of google/IFEval; README.md names the source."""
METADATA = "instruction_following"
SCORING = {"thinks", "completion_tokens", "stop", "temperature"}


class InstructionFollowing(Domain):
    """Requests with constraints that a program checks, scored on IFEval."""

    reads_thinking = True

    def __init__(self, config: InstructionFollowingConfig) -> None:
        self.config = config
        self.completion_tokens = config.completion_tokens
        self.chat = config.format == "chat"
        self.system_prompt = config.system_prompt

    def fingerprint(self) -> str:
        return f"instruction-following/1 {self.config.fingerprint()} | {self.config.test.fingerprint()}"

    def hub_sources(self) -> Sequence[HubSource]:
        return [*self.config.hub_sources(), *self.config.test.hub_sources()]

    def training_data(self, seed: int) -> Dataset:
        """Returns `prompt`, `instruction_id_list`, `kwargs` (JSON text), `thinks` and `source_row`; the same for every
        seed."""
        from datasets import Dataset

        from harness.domains import SOURCE_ROW, nested_subset
        from harness_domains.instruction_following.checkers import as_json
        from harness_domains.instruction_following.rows import load_rows

        config = self.config
        plain = config.format == "plain"
        rows = load_rows(config, single=plain)
        system = [{"role": "system", "content": config.system_prompt}] if config.system_prompt else []
        table = Dataset.from_dict(
            {
                "text": [row.text for row in rows],
                "prompt": [row.text if plain else [*system, *row.messages] for row in rows],
                "instruction_id_list": [[one.identifier for one in row.constraints] for row in rows],
                "kwargs": [as_json(row.constraints) for row in rows],
                "thinks": [config.thinks] * len(rows),
                SOURCE_ROW: [row.place for row in rows],
            }
        )
        return nested_subset(table, config.prompts, config.subset_seed, column="text").remove_columns("text")

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        return (EvaluationTask(task="instruction_following", metric=self.config.metric),)

    def task_folder(self) -> Path:
        return Path(__file__).parent / "lm_eval_tasks"

    def scored_completions(self, limit: int | None) -> int | None:
        test = self.config.test
        known = ITEMS if test == HeldOutTable(revision=test.revision) else None
        return most_rows(test, limit, known)

    def example_prompts(self) -> Sequence[str]:
        prompts = [row[self.config.prompt] for row in example_rows(self.config)]
        return [text for text in prompts if isinstance(text, str)]

    def task_metadata(self) -> Mapping[str, Any]:
        """Returns the source of the scored items with absolute paths, and the generation settings."""
        settings = self.config.model_dump(mode="json", include=SCORING, exclude_defaults=True)
        items = self.config.test.absolute().model_dump(mode="json", exclude_defaults=True)
        return {METADATA: settings | ({"test": items} if items else {})}
