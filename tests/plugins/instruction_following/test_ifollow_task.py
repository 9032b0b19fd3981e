"""The lm-eval task instruction_following, run by lm-eval: its numbers are those of lm-eval's own ifeval."""

import json
from importlib.resources import files

import pytest
import yaml
from ifollow_world import IFEVAL, meeting
from lm_eval import evaluate
from lm_eval.api.model import LM

from harness.evaluation.lm_eval import load_tasks, measurements
from harness.plugin.interfaces import TaskSet
from harness_domains.instruction_following.checkers import ifeval
from harness_domains.instruction_following.config import InstructionFollowingConfig
from harness_domains.instruction_following.domain import InstructionFollowing

ITEMS = [json.loads(line) for line in IFEVAL.read_text().splitlines()]
METRICS = ("prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "inst_level_loose_acc")
BY_CHANCE = 5
"""The key of the item whose letter lm-eval draws at random, as it does for some of IFEval's."""


class Scripted(LM):
    """Answers every prompt as a script says."""

    def __init__(self, script) -> None:
        super().__init__()
        self.script, self.asked = script, []

    def generate_until(self, requests, disable_tqdm=False):
        self.asked += [request.args for request in requests]
        return [self.script(prompt) for prompt, _ in self.asked]

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def items_file(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in ITEMS if item["key"] != BY_CHANCE))
    return path


def scored(script, items, **config):
    """Returns the values of a scripted model by metric, the metric that counts, and what the model was asked."""
    domain = InstructionFollowing(InstructionFollowingConfig(test={"data_files": items}, **config))
    [task] = domain.evaluation_tasks()
    model = Scripted(script)
    results = evaluate(lm=model, task_dict=load_tasks(TaskSet.of(domain), 0), bootstrap_iters=0)
    rows = measurements(task, results)
    return (
        {row["metric"]: row["value"] for row in rows},
        [row["metric"] for row in rows if row["primary"]],
        model.asked,
    )


def test_texts_that_meet_all_score_1_and_those_that_meet_none_0(items_file):
    values, counted, _ = scored(meeting, items_file)
    assert values == dict.fromkeys(METRICS, 1.0)
    assert counted == ["prompt_level_strict_acc"]
    values, _, _ = scored(lambda prompt: "", items_file)
    assert values == dict.fromkeys(METRICS, 0.0)


def test_every_number_is_that_of_lm_evals_own_process_results(items_file):
    answers = {
        1: "Sure:\nbread is made of flour and water.\n***\nit is baked in an oven for an hour.",
        2: "It is a waterway.",
        3: "Tom",
        4: "Sure!\nSay when the shop opens. It opens at nine.",
        5: "",
        6: "My answer is no.",
    }
    script = {item["prompt"]: answers[item["key"]] for item in ITEMS}
    values, counted, asked = scored(script.get, items_file, metric="inst_level_loose_acc")
    own = [ifeval().process_results(item, [script[item["prompt"]]]) for item in ITEMS if item["key"] != BY_CHANCE]
    for name in METRICS:
        column = [result[name] for result in own]
        level = ifeval().agg_inst_level_acc(column) if name.startswith("inst") else sum(column) / len(column)
        assert values[name] == pytest.approx(level)
    assert [values[name] for name in METRICS] == pytest.approx([1 / 5, 3 / 7, 3 / 5, 5 / 7])
    assert counted == ["inst_level_loose_acc"]
    assert [prompt for prompt, _ in asked] == [item["prompt"] for item in ITEMS if item["key"] != BY_CHANCE]


def test_the_task_is_lm_evals_but_for_where_its_items_are(items_file):
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node).rpartition(".")[2])
    stock = yaml.load((files("lm_eval") / "tasks/ifeval/ifeval.yaml").read_text(), Loader)
    folder = InstructionFollowing(InstructionFollowingConfig()).task_folder()
    ours = yaml.load((folder / "instruction_following.yaml").read_text(), Loader)
    for key in ("output_type", "num_fewshot", "doc_to_text", "doc_to_target"):
        assert ours[key] == stock[key]
    own_name = {"agg_inst_level_acc": "share_of_instructions"}
    assert ours["metric_list"] == [
        metric | {"aggregation": own_name.get(metric["aggregation"], metric["aggregation"])}
        for metric in stock["metric_list"]
    ]
    _, _, asked = scored(meeting, items_file)
    assert {json.dumps(settings, sort_keys=True) for _, settings in asked} == {
        json.dumps(stock["generation_kwargs"], sort_keys=True)
    }


def test_length_stops_and_temperature_are_the_configs(items_file):
    _, _, asked = scored(meeting, items_file, completion_tokens=99, temperature=0.7, stop=("END",))
    settings = asked[0][1]
    assert settings["until"] == ["END"]
    assert (settings["max_gen_toks"], settings["do_sample"], settings["temperature"]) == (99, True, 0.7)


def test_a_model_that_thinks_is_scored_on_what_follows(items_file):
    values, _, _ = scored(lambda prompt: f"<think>ONE, two</think>\n\n{meeting(prompt)}", items_file, thinks=True)
    assert values == dict.fromkeys(METRICS, 1.0)
    values, _, _ = scored(meeting, items_file, thinks=True)
    assert values == dict.fromkeys(METRICS, 0.0)


def test_an_item_that_is_left_to_chance_is_scored_as_lm_eval_scores_it():
    values, _, asked = scored(meeting, IFEVAL)
    assert len(asked) == len(ITEMS)
    assert values["inst_level_strict_acc"] in (pytest.approx(8 / 9), 1.0)  # one letter is drawn at random
