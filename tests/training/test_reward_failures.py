"""Rewards that fail in a training step: the effect on other completions, and the messages."""

import math
import re
import statistics
from pathlib import Path

import pytest
from judge_server import SILENT, judge_server
from own_commands import commands_on
from safetensors.torch import load_file
from training_folder import training_in
from trl import GRPOTrainer

import harness.execution.engines
import harness_algorithms.grpo
import harness_rewards
from harness import (
    BaseModel,
    Config,
    DomainSpec,
    ModelSpec,
    PluginError,
    Reward,
    RewardResult,
    RewardSpec,
    StepFailed,
    TrainingDomain,
    hookimpl,
)
from harness.domains.judge import JudgeConfig, JudgeReward
from harness.execution.store import Store
from harness.plugin.registry import Registry
from harness.testing import tiny_checkpoint, tiny_domains
from harness.testing.tiny_world import CharacterReward, Digits
from harness.training import PolicyGradientConfig
from harness.training.trl_run import train_with_trl

LABEL = "some-rewards 1.0: reward 'some'"
NO, LATE, NONE = RewardResult.error("unreadable"), RewardResult.timeout("silent"), RewardResult.abstain("not mine")
GROUPS = [[1.0, 2.0, 4.0, NO], [NO, LATE, 5.0, NO], [LATE] * 4, [0.0, NONE, 1.0, NONE], [1.0, 0.0, 3.0, 0.0]]


class Scripted(Reward):
    """Gives the results of GROUPS, in order, or what `answer` makes of a batch."""

    def __init__(self, answer=None):
        self.answer = answer

    def score(self, batch):
        if self.answer is not None:
            return self.answer(batch)
        return [r if isinstance(r, RewardResult) else RewardResult.ok(r) for group in GROUPS for r in group]


class Watched(GRPOTrainer):
    advantages: list = []  # noqa: RUF012

    def _generate_and_score_completions(self, inputs):
        output = super()._generate_and_score_completions(inputs)
        Watched.advantages = output["advantages"].tolist()
        return output


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("model"))


def train(model, folder, reward, groups=5, size=4, **settings):
    domain = TrainingDomain(name="digits", domain=tiny_domains()["one"].domain, reward=reward, reward_label=LABEL)
    config = PolicyGradientConfig(
        **{"steps": 1, "prompts_per_step": groups, "generations": size, "learning_rate": 1e-3, "save_every": 0}
        | settings
    )
    return train_with_trl(training_in(folder, model, [domain]), config, trainer_class=Watched)


def expected(group, scale):
    """Returns the advantages of one group, by hand, from the rewards that are there; 0 for the others."""
    values = [value for value in group if isinstance(value, float)]
    mean = statistics.fmean(values) if values else 0.0
    if scale == "group":
        deviation = statistics.stdev(values) if len(values) > 1 else math.inf
    elif scale == "batch":
        deviation = statistics.stdev(value for group in GROUPS for value in group if isinstance(value, float))
    else:
        deviation = 1 - 1e-4
    return [(value - mean) / (deviation + 1e-4) if isinstance(value, float) else 0.0 for value in group]


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_a_failed_reward_has_no_advantage_and_leaves_those_of_its_group_as_without_it(model, tmp_path, scale):
    result = train(model, tmp_path, Scripted(), max_error_rate=1.0, trl={"scale_rewards": scale})
    by_hand = [advantage for group in GROUPS for advantage in expected(group, scale)]
    assert Watched.advantages == pytest.approx(by_hand, abs=1e-5)
    assert result.report["reward_outcomes"] == {"digits": {"ok": 10, "error": 3, "timeout": 5, "abstain": 2}}
    weights = load_file(tmp_path / "output" / "model.safetensors").values()
    assert all(tensor.isfinite().all() for tensor in weights)


def test_a_group_of_which_one_has_a_reward_teaches_nothing(model, tmp_path):
    train(model, tmp_path, Scripted(lambda batch: [NO, LATE, RewardResult.ok(5.0), NO]), groups=1, max_error_rate=1.0)
    after, before = (load_file(folder / "model.safetensors") for folder in (tmp_path / "output", model))
    assert Watched.advantages == [0.0] * 4
    assert all(after[name].equal(tensor) for name, tensor in before.items())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda batch: [RewardResult.ok(1)] * 3, "returned 3 results for 4 completions"),
        (lambda batch: [RewardResult.ok(math.nan)] * 4, "returned an ok result with the value nan"),
        (lambda batch: [RewardResult.ok(math.inf)] * 4, "returned an ok result with the value inf"),
        (lambda batch: ["good"] * 4, "returned 'good', not a RewardResult"),
        (lambda batch: [1.0] * 4, "returned 1.0, not a RewardResult"),
        (lambda batch: [RewardResult.ok(row["worth"]) for row in batch.rows], "score raised KeyError: 'worth'"),
    ],
)
def test_a_reward_that_breaks_its_contract_stops_the_step_and_is_named(model, tmp_path, answer, says):
    with pytest.raises(PluginError, match=says) as raised:
        train(model, tmp_path, Scripted(answer), groups=1)
    assert raised.value.where == f"{LABEL} (reward of digits)"
    assert not list((tmp_path / "output").iterdir())


def test_a_judge_that_never_answers_stops_the_step_and_says_so(model, tmp_path):
    with judge_server(lambda question, tries: SILENT) as server:
        config = JudgeConfig(
            model="j", endpoint=server.endpoint, timeout_s=0.05, attempts=1, give_up_after=8, cache=None
        )
        with pytest.raises(StepFailed) as raised:
            train(model, tmp_path, JudgeReward(config), groups=8)
    told = str(raised.value)
    assert "32 of the latest 32 rewards of digits failed, more than the 5% allowed" in told
    assert "the judge did not answer within 0.05 s" in told
    assert LABEL in told


def test_few_completions_that_all_fail_are_no_training(model, tmp_path):
    with pytest.raises(StepFailed, match=r"all 4 rewards of digits failed \(4 errors, 0 timeouts\): unreadable"):
        train(model, tmp_path, Scripted(lambda batch: [NO] * 4), groups=1)


# ------------------------------------------------------------------------------------------- from the command line


class FolderConfig(Config):
    folder: str


class Folder(BaseModel):
    def __init__(self, config):
        self.config = config

    def fingerprint(self):
        return "tiny"

    def folder(self):
        return Path(self.config.folder)


class Raising(Reward):
    def __init__(self, config):
        pass

    def score(self, batch):
        raise ZeroDivisionError("no completions of length 0")


class Places:
    @hookimpl
    def harness_models(self):
        yield ModelSpec(name="tiny", summary="-", load=Folder, config=FolderConfig)

    @hookimpl
    def harness_domains(self):
        yield DomainSpec(name="digits", summary="-", reward="place", load=lambda config: Digits())

    @hookimpl
    def harness_rewards(self):
        yield RewardSpec(name="place", summary="-", load=lambda config: CharacterReward())
        yield RewardSpec(name="raising", summary="-", load=Raising)


PROTOCOL = """\
schema: 1
name: failing
summary: One reward of two fails
model: {use: tiny, folder: FOLDER}
domains: {a: {use: digits}, b: {use: digits, reward: REWARD}}
train: {with: grpo, steps: 1, prompts_per_step: 8, generations: 4, save_every: 0}
methods: {sequential: [a, b]}
"""


def evaluate(folder, tasks, settings, output):
    (output / "lm_eval.json").write_text("{}")
    (output / "rows.json").write_text(
        '[{"task": "digits", "metric": "exact_match", "filter": "none", "value": 1.0, "stderr": 0.1, "n": 10, '
        '"higher_is_better": true, "percent": false, "primary": true, "task_hash": "h"}]'
    )


@pytest.mark.parametrize(
    ("reward", "says"),
    [
        (
            "raising",
            r"broken-places 0: reward 'raising' \(reward of b\): score raised ZeroDivisionError: no completions",
        ),
        (
            "{use: composite, parts: {one: {reward: place}, two: {reward: raising}}}",
            r"broken-places:raising@0 \(part two of a composite reward\): score raised ZeroDivisionError",
        ),
        (
            "{use: judge, model: j, endpoint: ENDPOINT, timeout_s: 0.05, attempts: 1, cache: null}",
            r"our-rewards 0: reward 'judge' \(reward of b\): 32 of the latest 32 rewards of b failed.*did not answer",
        ),
    ],
)
def test_a_run_names_the_plugin_and_keeps_what_was_made_before(model, tmp_path, monkeypatch, reward, says):
    plugins = {
        "broken-places": Places(),
        "our-rewards": harness_rewards,
        "grpo": harness_algorithms.grpo,
        "e": harness.execution.engines,
    }
    registry = Registry.of(plugins.items())
    assert registry.failures == []
    command = commands_on(monkeypatch, registry, evaluate)  # faults before a start would be what fails here
    path = tmp_path / "failing.yaml"
    with judge_server(lambda question, tries: SILENT) as server:
        text = PROTOCOL.replace("FOLDER", str(model)).replace("REWARD", reward).replace("ENDPOINT", server.endpoint)
        path.write_text(text)
        result = command("run", path, "-o", tmp_path / "runs")
    error = result.exception
    assert isinstance(error, StepFailed), result.output
    assert error.exit_code == 1
    assert "1 step failed" in str(error)
    assert re.search(says, str(error)), str(error)
    assert "algorithm" not in str(error)
    assert "Traceback" not in result.output + str(error)
    store = Store(tmp_path / "runs" / "store")
    assert len(list(store.root.glob("*/model"))) == 1
