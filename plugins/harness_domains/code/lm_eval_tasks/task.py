"""The lm-eval task, whose sampling follows the metadata; YAML cannot express that."""

from typing import Any

from lm_eval.api.task import ConfigurableTask

from harness.domains import ReadsThinking
from harness_domains.code.config import Sampling


class ProgramTask(ReadsThinking, ConfigurableTask):
    """Samples the number of programs per item in the metadata, and passes all of them to `process_results`."""

    def __init__(self, config: dict[str, Any], **arguments: Any) -> None:
        sampling = Sampling.model_validate(config["metadata"].get("sampling", {}))
        until = [*config["generation_kwargs"]["until"], *sampling.stop]
        generation: dict[str, Any] = {"until": until, "do_sample": sampling.samples > 1}
        generation["max_gen_toks"] = sampling.completion_tokens
        if sampling.samples > 1:
            generation |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
        metrics = [f"pass@{k}" for k in sampling.counts()] + ["supported"]
        kept = {key: value for key, value in config.items() if key != "class"}
        changed = {
            "generation_kwargs": generation,
            "repeats": sampling.samples,
            "filter_list": [{"name": "none", "filter": [{"function": "take_first_k", "k": sampling.samples}]}],
            "metric_list": [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in metrics],
        }
        super().__init__(config=kept | changed, **arguments)
