"""The lm-eval task, whose sampling follows the metadata; YAML cannot express that."""

from typing import Any

from lm_eval.api.task import ConfigurableTask

from harness.domains import ReadsThinking
from harness_domains.math.config import MathConfig


class BoxedTask(ReadsThinking, ConfigurableTask):
    """Samples `repeats` answers per item, and passes all of them to `process_results`."""

    def __init__(self, config: dict[str, Any], **arguments: Any) -> None:
        settings = MathConfig.model_validate(config["metadata"].get("math", {}))
        repeats = settings.repeats.get(config["task"].removeprefix("boxed_"), 1)
        sampled = {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p}
        greedy = {"do_sample": False, "temperature": 0.0}
        generation = {"until": list(settings.stop), "max_gen_toks": settings.completion_tokens}
        kept = {key: value for key, value in config.items() if key != "class"}
        super().__init__(
            config=kept
            | {
                "generation_kwargs": generation | (sampled if settings.temperature > 0 else greedy),
                "repeats": repeats,
                "filter_list": [{"name": "none", "filter": [{"function": "take_first_k", "k": repeats}]}],
            },
            **arguments,
        )
