"""Completions end at the stop texts in training, rewards and counts."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_folder import training_in
from transformers import AutoTokenizer
from trl import GRPOTrainer, RLOOTrainer

from harness import Reward, RewardResult, TrainingDomain
from harness.testing import tiny_checkpoint, tiny_domains
from harness.training import PolicyGradientConfig
from harness.training.endings import Endings, generation_settings
from harness.training.trl_run import train_with_trl
from harness_algorithms.grpo.config import RLOOConfig

SPECIAL = re.compile("<eos>|<pad>")  # a random model samples its padding too
STOP = ("k", "7", "-", "QQ", "tt")


class Seen(Reward):
    def __init__(self):
        self.texts = []

    def score(self, batch):
        self.texts += batch.completions
        return [RewardResult.ok(len(text)) for text in batch.completions]


def watched(trainer_class, trained_on):
    class Watched(trainer_class):
        def _generate_and_score_completions(self, inputs):
            batch = super()._generate_and_score_completions(inputs)
            rows = zip(batch["completion_ids"], batch["completion_mask"], strict=True)
            trained_on.extend(ids[mask.bool()].tolist() for ids, mask in rows)
            return batch

    return Watched


@pytest.fixture(scope="module", params=["own padding", "padding is the end"])
def model(request, tmp_path_factory):
    folder = tiny_checkpoint(tmp_path_factory.mktemp("model"))
    if request.param == "padding is the end":
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"pad_token": "<eos>"}))
    return folder


@pytest.fixture(scope="module", params=[(GRPOTrainer, PolicyGradientConfig), (RLOOTrainer, RLOOConfig)])
def step(request, model, tmp_path_factory):
    """Returns what a step's reward saw, the text of the tokens it trained on, its report and its metrics."""
    folder = tmp_path_factory.mktemp("step")
    reward, trained_on = Seen(), []
    trainer_class, config_class = request.param
    domain = TrainingDomain(name="digits", domain=tiny_domains()["one"].domain, reward=reward)
    context = training_in(folder, model, [domain])
    config = config_class(steps=1, prompts_per_step=8, generations=8, max_completion_length=24, stop=STOP, save_every=0)
    result = train_with_trl(context, config, trainer_class=watched(trainer_class, trained_on))
    tokenizer = AutoTokenizer.from_pretrained(model)
    texts = [tokenizer.decode(ids) for ids in trained_on]
    return reward.texts, texts, result.report, json.loads(context.metrics.read_text())


def before_stop(text):
    return text[: min((place for stop in STOP if (place := text.find(stop)) >= 0), default=len(text))]


def test_nothing_after_a_stop_text_is_trained_on(step):
    _, trained, _, _ = step
    stopped = [text for text in trained if before_stop(text) != text]
    assert len(stopped) > 10
    assert {text.removeprefix(before_stop(text)) for text in stopped} <= set(STOP)


def test_the_reward_sees_what_stands_before_the_stop_text(step):
    rewarded, trained, _, _ = step
    assert rewarded == [SPECIAL.sub("", before_stop(text)) for text in trained]


def test_a_completion_that_stops_is_not_truncated(step):
    _, trained, report, metrics = step
    whole = [text for text in trained if before_stop(text) == text and not text.endswith("<eos>")]
    assert len(whole) > 10
    assert report["truncated_share"] == pytest.approx(len(whole) / len(trained))
    assert report["truncated_share_of"] == {"digits": report["truncated_share"]}
    assert metrics["truncated/digits"] == metrics["truncated"]
    assert "completions/clipped_ratio" not in metrics


def test_the_report_has_the_tokens_of_the_prompts_once_per_completion_and_the_speed(step):
    _, _, report, metrics = step
    generated = round(64 * metrics["completions/mean_length"])
    assert report["prompt_tokens"] == metrics["num_tokens"] - generated > 64
    assert report["tokens_per_second"] == pytest.approx(metrics["num_tokens"] / metrics["step_time"], rel=0.05)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return AutoTokenizer.from_pretrained(tiny_checkpoint(tmp_path_factory.mktemp("tokenizer")))


@settings(max_examples=60)
@given(text=st.text("abc", min_size=1, max_size=30), stop=st.text("abc", min_size=1, max_size=3))
def test_ids_are_cut_where_the_stop_text_is_complete(tokenizer, text, stop):
    endings = Endings(tokenizer, [tokenizer.eos_token_id], [stop])
    ids = tokenizer(text)["input_ids"]
    place = text.find(stop)
    expected = ids if place < 0 else ids[: place + len(stop)]
    assert endings.cut([*ids, *[tokenizer.pad_token_id] * 3]) == expected
    assert endings.truncated(expected) == (place < 0)
    assert endings.text(text) == (text if place < 0 else text[:place])


def test_each_backend_is_told_by_its_own_name():
    passed = {"use_vllm": True, "generation_kwargs": {"seed": 1}}
    assert generation_settings(passed, ["\nQ"])["generation_kwargs"] == {"seed": 1, "stop": ["\nQ"]}
    assert generation_settings({}, ["\nQ"]) == {"generation_kwargs": {"stop_strings": ["\nQ"]}}
    assert generation_settings(passed, []) == passed


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"stop": [""]}, "empty"),
        ({"trl": {"generation_kwargs": {"stop_strings": ["x"]}}}, "use stop"),
        ({"stop": ["x"], "trl": {"mask_truncated_completions": True}}, "mask_truncated_completions"),
    ],
)
def test_what_cannot_be_is_refused_before_the_run(given, says):
    with pytest.raises(ValueError, match=says):
        PolicyGradientConfig(**given)


def test_without_stop_texts_the_trainer_is_left_alone(tokenizer):
    trainer = object()
    Endings(tokenizer, [1], ()).apply_to(trainer)
    assert Endings(tokenizer, [1], ()).cut([5, 6, 1]) == [5, 6, 1]
