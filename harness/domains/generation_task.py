"""The base of lm-eval tasks that sample as the domain's config says, which the tasks' YAML cannot."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from lm_eval.api.task import ConfigurableTask

from harness.domains.completions import ReadsThinking


class GenerationTask(ReadsThinking, ConfigurableTask):  # type: ignore[misc]
    """A generation task whose sampling follows from its metadata, which the harness fills with the domain's config.

    The task's YAML names a subclass as its `class`.
    """

    def __init__(self, config: Mapping[str, Any], **arguments: Any) -> None:
        task = {key: value for key, value in config.items() if key != "class"}
        super().__init__(config=task | self.sampling(task), **arguments)

    @abstractmethod
    def sampling(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the keys that replace those of the task's YAML, usually with `answer_sampling`.

        task: the keys of the YAML, with the metadata. Called before the task is initialized.
        """


def answer_sampling(domain: Any, *, samples: int | None = None, **settings: Any) -> dict[str, Any]:
    """Returns lm-eval's keys for sampling answers as a domain's config says.

    domain: has `completion_tokens` and may have `stop`, `temperature` (0 is greedy, as is none) and `top_p`. samples:
    the number of answers per item, which `process_results` then gets as one list; None for one answer, which it gets as
    it is. settings: further fields of `generation_kwargs`, or other values of them; None leaves a field to the model.
    """
    temperature = getattr(domain, "temperature", 0.0)
    generation = {"until": list(getattr(domain, "stop", ())), "max_gen_toks": domain.completion_tokens}
    generation["do_sample"] = temperature > 0
    if temperature > 0:
        generation |= {"temperature": temperature, "top_k": 0, "top_p": getattr(domain, "top_p", 1.0)}
    generation = {name: value for name, value in (generation | settings).items() if value is not None}
    if samples is None:
        return {"generation_kwargs": generation}
    first = {"function": "take_first_k", "k": samples}
    return {
        "generation_kwargs": generation,
        "repeats": samples,
        "filter_list": [{"name": "none", "filter": [first]}],
    }
