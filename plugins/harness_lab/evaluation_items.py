"""The lab's held-out items: distinct test prompts, of which a smaller limit is a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_lab.questions import KINDS

if TYPE_CHECKING:
    from datasets import Dataset

ITEMS = 512
SEED = 2026


def evaluation_items(name: str) -> dict[str, Dataset]:
    """Returns `{"test": rows of prompt and answer}` for the domain `name`: 512 items, no prompt twice."""
    from datasets import Dataset

    questions = KINDS[name].distinct("test", SEED, ITEMS)
    return {"test": Dataset.from_list([{"prompt": q.prompt, "answer": q.answer} for q in questions])}
