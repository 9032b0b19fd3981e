"""The lm-eval task, whose sampling follows the metadata."""

from collections.abc import Mapping
from typing import Any

from harness.domains import GenerationTask, answer_sampling
from harness_domains.code.config import Sampling


class ProgramTask(GenerationTask):
    """Samples the number of programs per item in the metadata, and passes all of them to `process_results`."""

    def sampling(self, task: Mapping[str, Any]) -> dict[str, Any]:
        chosen = Sampling.model_validate(task["metadata"].get("sampling", {}))
        if chosen.samples == 1:
            chosen = chosen.model_copy(update={"temperature": 0.0})
        until = [*task["generation_kwargs"]["until"], *chosen.stop]
        metrics = [f"pass@{k}" for k in chosen.counts()] + ["supported"]
        metric_list = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in metrics]
        return answer_sampling(chosen, samples=chosen.samples, until=until, top_k=None) | {"metric_list": metric_list}
