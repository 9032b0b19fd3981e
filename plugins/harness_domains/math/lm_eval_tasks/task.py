"""The lm-eval task, whose sampling follows the metadata."""

from collections.abc import Mapping
from typing import Any

from harness.domains import GenerationTask, answer_sampling
from harness_domains.math.config import MathConfig


class BoxedTask(GenerationTask):
    """Samples `repeats` answers per item, and passes all of them to `process_results`."""

    def sampling(self, task: Mapping[str, Any]) -> dict[str, Any]:
        settings = MathConfig.model_validate(task["metadata"].get("math", {}))
        repeats = settings.repeats.get(task["task"].removeprefix("boxed_"), 1)
        return answer_sampling(settings, samples=repeats, temperature=settings.temperature, top_k=None)
