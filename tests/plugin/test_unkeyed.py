"""`Unkeyed`: settings that change no result do not affect keys, in configs of any structure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

import pytest
from pydantic import Field
from small_world import DISTRIBUTION, PROTOCOL, Game, SmallWorld, Trainer, Win

from harness import AlgorithmSpec, Config, DomainSpec, RewardSpec, RewardUse, Unkeyed, hookimpl
from harness.planning.planner import make_plan
from harness.planning.serialization import plan_from_json, plan_to_json
from harness.plugin.registry import Registry
from harness.protocol import instance_of, load_protocol

PLACE = Unkeyed("where it runs")


class Server(Config):
    name: str = "a"
    timeout: Annotated[float, PLACE] = 1.0


class GameConfig(Config):
    items: int = 10
    workers: Annotated[int, PLACE] = 2
    server: Server = Server()
    servers: tuple[Server, ...] = ()
    by_name: Mapping[str, Server] = Field(default_factory=dict)
    either: int | Server = 1
    free: Annotated[dict[str, object], Unkeyed("logging", {"report_to"}), Unkeyed("place", {"host"})] = Field(
        default_factory=dict
    )


class PanelConfig(Config):
    members: dict[str, RewardUse]
    chair: RewardUse | None = None


class JudgedConfig(Config):
    scale: float = 1.0
    retries: Annotated[int, PLACE] = 3


class Extra:
    @hookimpl
    def harness_domains(self):
        yield DomainSpec(name="marked", summary="A game", reward="judged", load=Game, config=GameConfig)

    @hookimpl
    def harness_rewards(self):
        yield RewardSpec(name="judged", summary="Asks", load=Win, config=JudgedConfig)
        yield RewardSpec(name="panel", summary="Several", load=Win, config=PanelConfig)

    @hookimpl
    def harness_algorithms(self):
        yield AlgorithmSpec(name="slow", summary="Trains", load=Trainer, config=GameConfig)


REGISTRY = Registry.of([(DISTRIBUTION, SmallWorld()), ("extra", Extra())])


@pytest.fixture
def plan_of(tmp_path):
    def planned(domain="", reward="judged", train=""):
        text = PROTOCOL.replace("go: {use: go}", f"go: {{use: marked, reward: {reward}, {domain}}}")
        if train:
            text = text.replace("{with: grpo, steps: 60, learning_rate: 6e-4}", f"{{with: slow, {train}}}")
            text = text.replace(", steps: 180}", "}").replace(", steps: 3}", "}")
        path = tmp_path / "games.yaml"
        path.write_text(text)
        return make_plan(load_protocol(path, REGISTRY), REGISTRY)

    return planned


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"domain": "workers: 8"}),
        ({}, {"domain": "server: {timeout: 9}"}),
        ({"domain": "servers: [{}, {}]"}, {"domain": "servers: [{}, {timeout: 9}]"}),
        ({"domain": "by_name: {x: {}}"}, {"domain": "by_name: {x: {timeout: 9}}"}),
        ({"domain": "either: {}"}, {"domain": "either: {timeout: 9}"}),
        ({}, {"domain": "free: {report_to: wandb, host: here}"}),
        ({"domain": "free: {a: 1}"}, {"domain": "free: {a: 1, report_to: [wandb]}"}),
        ({}, {"reward": "{use: judged, retries: 9}"}),
        ({}, {"reward": "extra/judged"}),
        (
            {"reward": "{use: panel, members: {a: judged}}"},
            {"reward": "{use: panel, members: {a: {use: extra/judged, retries: 9}}}"},
        ),
        (
            {"reward": "{use: panel, members: {}, chair: {use: panel, members: {a: judged}}}"},
            {"reward": "{use: panel, members: {}, chair: {use: panel, members: {a: {use: judged, retries: 9}}}}"},
        ),
        ({"train": "items: 1"}, {"train": "items: 1, workers: 8, free: {report_to: all}"}),
    ],
)
def test_a_marked_setting_changes_no_key(plan_of, before, after):
    one, other = plan_of(**before), plan_of(**after)
    assert json.dumps(plan_to_json(one)) != json.dumps(plan_to_json(other))  # the plan has the setting
    assert one.nodes.keys() == other.nodes.keys()
    assert one.key == other.key


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"domain": "items: 8"}),
        ({}, {"domain": "server: {name: b}"}),
        ({"domain": "servers: [{}, {}]"}, {"domain": "servers: [{}, {name: b}]"}),
        ({"domain": "servers: [{}, {}]"}, {"domain": "servers: [{}]"}),
        ({"domain": "by_name: {x: {}}"}, {"domain": "by_name: {y: {}}"}),
        ({"domain": "either: {}"}, {"domain": "either: {name: b}"}),
        ({}, {"domain": "free: {reports: wandb}"}),
        ({}, {"domain": "free: {inner: {report_to: wandb}}"}),
        ({}, {"reward": "{use: judged, scale: 2}"}),
        (
            {"reward": "{use: panel, members: {a: judged}}"},
            {"reward": "{use: panel, members: {a: {use: judged, scale: 2}}}"},
        ),
        ({"train": "items: 1"}, {"train": "items: 2"}),
    ],
)
def test_other_settings_of_the_same_config_change_keys(plan_of, before, after):
    assert plan_of(**before).nodes.keys() != plan_of(**after).nodes.keys()


def test_the_plugin_still_gets_the_setting_also_from_a_kept_plan(plan_of):
    plan = plan_of("workers: 8, server: {timeout: 9}")
    read = plan_from_json(json.loads(json.dumps(plan_to_json(plan))))
    assert read == plan
    config = instance_of(read.domains["go"].plugin, REGISTRY).config
    assert (config.workers, config.server.timeout) == (8, 9.0)


LAB = """\
schema: 1
name: marked
model: {use: lab-tiny}
seeds: [0]
allow: [executes-code]
domains:
  code: {use: lab-code, reward: {use: code-tests, SANDBOX}}
  cw: {use: lab-cw, reward: {use: judge, model: m, JUDGE}}
  qa: {use: lab-qa, reward: {use: composite, parts: {a: {reward: {use: reward-model, model: org/name, DEVICE}}}}}
train: {with: grpo, steps: 2, TRAIN}
launch: {accelerate: {num_processes: 1, LAUNCH}}
methods: {sequential: [code, cw, qa]}
"""
PLACES = {
    "SANDBOX": "sandbox: {}",
    "JUDGE": "temperature: 0.0",
    "DEVICE": "batch_size: 16",
    "TRAIN": "trl: {}",
    "LAUNCH": "debug: false",
}
FREE = [
    ("TRAIN", "trl: {report_to: [wandb], run_name: mine, log_completions: true, disable_tqdm: false}"),
    ("TRAIN", "trl: {dataloader_num_workers: 2, save_total_limit: 1, ddp_timeout: 60, use_cpu: true}"),
    ("TRAIN", "save_every: 5"),
    ("SANDBOX", "sandbox: {workers: 1}"),
    ("JUDGE", "concurrency: 2, timeout_s: 5, attempts: 1, backoff_s: 0, longest_wait_s: 1, give_up_after: 1"),
    ("JUDGE", "cache: null, api_key_variable: KEY"),
    ("DEVICE", "device: 'cuda:1'"),
    ("LAUNCH", "main_process_port: 29501, gpu_ids: '1'"),
]
COUNTED = [
    ("TRAIN", "trl: {num_iterations: 2}"),
    ("TRAIN", "trl: {logging_nan_inf_filter: false}"),
    ("TRAIN", "completions_per_device: 8"),
    ("SANDBOX", "sandbox: {limits: {seconds: 1}}"),
    ("SANDBOX", "sandbox: {tier: bubblewrap}"),
    ("JUDGE", "max_tokens: 3"),
    ("DEVICE", "dtype: float32"),
    ("LAUNCH", "mixed_precision: bf16"),
]


@pytest.fixture(scope="module")
def lab_keys(tmp_path_factory):
    registry = Registry.discover()
    path = tmp_path_factory.mktemp("lab") / "marked.yaml"

    def keys(place="", value=""):
        text = LAB
        for name, default in PLACES.items():
            text = text.replace(name, value if name == place else default)
        path.write_text(text)
        return make_plan(load_protocol(path, registry), registry).nodes.keys()

    return keys


@pytest.mark.parametrize(("place", "value"), FREE)
def test_logging_patience_and_places_of_our_own_plugins_change_no_key(lab_keys, place, value):
    assert lab_keys(place, value) == lab_keys()


@pytest.mark.parametrize(("place", "value"), COUNTED)
def test_what_changes_results_is_not_marked(lab_keys, place, value):
    assert lab_keys(place, value) != lab_keys()
