"""lm-eval tasks that sample as the domain's config says."""

from types import SimpleNamespace

import pytest
from datasets import Dataset

from harness.domains import GenerationTask, answer_sampling

YAML = {
    "task": "sums",
    "class": "replaced",
    "custom_dataset": lambda **_: {"test": Dataset.from_list([{"prompt": "1 + 1 ="}])},
    "output_type": "generate_until",
    "test_split": "test",
    "doc_to_text": "{{prompt}}",
    "doc_to_target": "2",
    "generation_kwargs": {"until": ["#"]},
    "metadata": {"version": 1.0, "sums": {"completion_tokens": 8, "stop": ("\n",)}},
}


class Sums(GenerationTask):
    def sampling(self, task):
        return answer_sampling(SimpleNamespace(**task["metadata"]["sums"]), samples=3)


def test_the_config_replaces_what_the_yaml_says():
    task = Sums(config=YAML)
    assert task.config.generation_kwargs == {"until": ["\n"], "max_gen_toks": 8, "do_sample": False}
    task.build_all_requests()
    [request] = task.instances
    assert request.repeats == 3
    request.resps = ["2", "3", "4"]
    task.apply_filters()
    assert request.filtered_resps == {"none": ["2", "3", "4"]}


def test_a_task_without_sampling_cannot_be_made():
    with pytest.raises(TypeError, match="sampling"):
        GenerationTask(config=YAML)


@pytest.mark.parametrize(
    ("domain", "settings", "generation"),
    [
        ({}, {}, {"until": [], "do_sample": False}),
        ({"temperature": 0.0, "top_p": 0.9}, {}, {"until": [], "do_sample": False}),
        (
            {"temperature": 0.7, "stop": ("a", "b")},
            {},
            {"until": ["a", "b"], "do_sample": True, "temperature": 0.7, "top_k": 0, "top_p": 1.0},
        ),
        (
            {"temperature": 0.7, "top_p": 0.9},
            {"top_k": None, "min_p": 0.1},
            {"until": [], "do_sample": True, "temperature": 0.7, "top_p": 0.9, "min_p": 0.1},
        ),
    ],
)
def test_how_answers_are_sampled(domain, settings, generation):
    found = answer_sampling(SimpleNamespace(completion_tokens=8, **domain), **settings)
    assert found == {"generation_kwargs": generation | {"max_gen_toks": 8}}
