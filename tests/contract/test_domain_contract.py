"""The contract of `harness_domains`."""

import random
import textwrap

import pytest
from datasets import Dataset
from shipped_offers import SHIPPED, offers, plugin_with

from harness import Domain, DomainSpec, EvaluationTask, NoConfig, PluginError, RewardSpec
from harness.plugin.registry import Registry
from harness.testing import check_offer
from harness.testing.tiny_world import CharacterReward

TASK = """
    task: counting
    custom_dataset: !function items.test
    output_type: generate_until
    test_split: test
    doc_to_text: "{{prompt}}"
    doc_to_target: "1"
    generation_kwargs: {max_gen_toks: 4, until: ["."]}
    metric_list:
      - metric: exact_match
        aggregation: mean
        higher_is_better: true
"""
ITEMS = """
    import datasets

    def test(**_):
        return {"test": datasets.Dataset.from_list([{"prompt": f"{number}?"} for number in range(100, 104)])}
"""


class Counting(Domain):
    prompts = tuple(f"{number}?" for number in range(8))
    task = EvaluationTask(task="counting", metric="exact_match")

    def __init__(self, config: NoConfig, folder=None) -> None:
        self.folder = folder

    def fingerprint(self):
        return "counting/1"

    def training_data(self, seed):
        return Dataset.from_list([{"prompt": prompt} for prompt in self.prompts])

    def evaluation_tasks(self):
        return [self.task]

    def task_folder(self):
        return self.folder


@pytest.fixture
def check(tmp_path):
    """Returns a function that checks a `Counting` of the given parts, with a task folder of its own."""
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "counting.yaml").write_text(textwrap.dedent(TASK))
    (tasks / "items.py").write_text(textwrap.dedent(ITEMS))

    def check_with(**parts):
        domain = type("Domain", (Counting,), parts)
        spec = DomainSpec(name="counting", summary="Count", reward="any", load=lambda config: domain(config, tasks))
        reward = RewardSpec(name="any", summary="Any", load=lambda config: CharacterReward())
        registry = Registry.of([("a", plugin_with("domain", spec)), ("b", plugin_with("reward", reward))])
        check_offer(registry.find("domain", "counting"), registry, tmp_path)

    return check_with


@offers("domain")
def test_shipped_domains_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


def test_the_rewards_of_shipped_domains_are_there():
    for offer in SHIPPED.all("domain"):
        assert SHIPPED.find("reward", offer.spec.reward)


def test_a_small_domain_keeps_it(check):
    check()


def messages(self, seed):
    return Dataset.from_list([{"prompt": [{"role": "user", "content": "1?"}]}])


def test_chat_prompts_keep_it(check):
    check(training_data=messages, chat=True)


GENERATOR = random.Random(0)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"prompts": ("1?", "101?")}, "1 of the 4 items of counting are training prompts"),
        ({"prompts": ()}, "is empty"),
        ({"training_data": lambda self, seed: Dataset.from_list([{"question": "1?"}])}, "a prompt is None"),
        (
            {"training_data": lambda self, seed: Dataset.from_list([{"prompt": str(GENERATOR.random())}])},
            "differs between two calls",
        ),
        ({"fingerprint": lambda self: ""}, "fingerprint"),
        ({"completion_tokens": 0}, "completion_tokens"),
        ({"training_data": messages}, "chat is None, but the training prompts are chat messages"),
        ({"chat": True}, "chat is True, but the training prompts are plain text"),
        ({"evaluation_tasks": lambda self: []}, "empty"),
        ({"evaluation_tasks": lambda self: ["counting"]}, "'counting'"),
        ({"task": EvaluationTask(task="countin", metric="exact_match")}, "no task 'countin'"),
        ({"task": EvaluationTask(task="counting", metric="accuracy")}, "no metric 'accuracy', but exact_match"),
        (
            {"task": EvaluationTask(task="counting", metric="exact_match", higher_is_better=False)},
            "disagree whether a higher exact_match is better",
        ),
        ({"task_folder": lambda self: "/not/there"}, "is not a folder"),
    ],
)
def test_what_breaks_it(check, parts, message):
    with pytest.raises(PluginError) as raised:
        check(**parts)
    assert message in raised.value.message
