"""The sampler equals TRL's sampling in training: prompt tokens, completions, texts and masks."""

import json
from dataclasses import replace

import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from training_folder import training_in
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOTrainer, RLOOTrainer

from harness import Domain, Reward, RewardResult, TrainingDomain
from harness.plugin.interfaces import EvaluationTask
from harness.plugin.sampling import Sampling
from harness.testing import tiny_checkpoint
from harness.training import PolicyGradientConfig
from harness.training.policy_gradients import log_probability, mean_policy_gradient, sample_policy
from harness.training.sampling import Sampler
from harness.training.trl_run import train_with_trl
from harness_algorithms.grpo.config import RLOOConfig

BOS = "~"  # an ordinary character of the tiny tokenizer, which nothing else here writes
TEMPLATE = (
    "{{ '~' }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '>' if not open else '<think>' }}{% endif %}"
)


class Prompts(Domain):
    completion_tokens = 6

    def __init__(self, *, chat):
        self.chat = chat

    def fingerprint(self):
        return f"prompts/{self.chat}"

    def training_data(self, seed):
        texts = [f"Q: {'9' * (1 + index % 3)}? A:" for index in range(8)]
        return Dataset.from_list(
            [{"prompt": [{"role": "user", "content": text}] if self.chat else text} for text in texts]
        )

    def evaluation_tasks(self):
        return (EvaluationTask(task="none", metric="exact_match"),)


class Seen(Reward):
    def __init__(self):
        self.texts = []

    def score(self, batch):
        self.texts += batch.completions
        return [RewardResult.ok(len(text)) for text in batch.completions]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model with several end tokens whose tokenizer and chat template both write <bos>."""
    folder = tiny_checkpoint(tmp_path_factory.mktemp("sampling") / "model")
    words = Tokenizer.from_file(str(folder / "tokenizer.json"))
    mark = words.token_to_id(BOS)
    words.post_processor = TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, mark)])
    words.save(str(folder / "tokenizer.json"))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"bos_token": BOS, "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    ends = [words.token_to_id(token) for token in ("<eos>", "e", "7")]
    generation = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(
        json.dumps(generation | {"eos_token_id": ends, "top_k": 3, "do_sample": True})
    )
    return folder


def recorded(trainer_class, seen):
    class Recorded(trainer_class):
        def _generate_and_score_completions(self, inputs):
            seen["prompts"] = [row["prompt"] for row in inputs]
            seen["state"] = torch.get_rng_state()
            batch = super()._generate_and_score_completions(inputs)
            for name in ("prompt", "completion"):
                rows = zip(batch[f"{name}_ids"], batch[f"{name}_mask"], strict=True)
                seen[name] = [ids[mask.bool()].tolist() for ids, mask in rows]
            return batch

    return Recorded


@pytest.mark.parametrize("chat", [False, True], ids=["texts", "chat"])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("grpo", {}),
        ("rloo", {}),
        ("grpo", {"stop": ["k", "QQ", "-"]}),
        ("grpo", {"temperature": 0.3, "trl": {"top_p": 0.8, "top_k": 9, "min_p": 0.01, "repetition_penalty": 1.3}}),
        ("grpo", {"trl": {"mask_truncated_completions": True, "chat_template_kwargs": {"open": True}}}),
        ("grpo", {"max_completion_length": 9, "trl": {"generation_kwargs": {"bad_words_ids": [[20], [21]]}}}),
    ],
    ids=["plain", "rloo", "stop", "settings", "masked", "generation_kwargs"],
)
def test_completions_are_those_of_trl(kind, settings, chat, model, tmp_path):
    trainer_class, config_class = (GRPOTrainer, PolicyGradientConfig) if kind == "grpo" else (RLOOTrainer, RLOOConfig)
    config = config_class(steps=1, prompts_per_step=8, generations=4, save_every=0, **settings)
    seen, reward = {}, Seen()
    domain = TrainingDomain(name="x", domain=Prompts(chat=chat), reward=reward)
    train_with_trl(training_in(tmp_path, model, [domain]), config, trainer_class=recorded(trainer_class, seen))

    sampling = Sampling.of_config(config.model_dump(mode="json"), domain.domain.completion_tokens)
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    sampler = Sampler(AutoModelForCausalLM.from_pretrained(model).eval(), tokenizer, sampling)
    torch.set_rng_state(seen["state"])
    samples = sampler.sample(seen["prompts"][::4], generations=4)

    assert [sample.ids[: sample.prompt_length].tolist() for sample in samples] == seen["prompt"]
    assert [tokenizer.decode(sample.ids[:1]) for sample in samples] == [BOS] * len(samples)
    assert all(BOS not in tokenizer.decode(ids[1:]) for ids in seen["prompt"])
    masked = [not ids for ids in seen["completion"]]
    assert [sample.masked for sample in samples] == masked
    assert any(masked) == ("mask_truncated_completions" in settings.get("trl", {}))
    completions = [sample.ids[sample.prompt_length :].tolist() for sample in samples]
    assert [[] if sample.masked else ids for sample, ids in zip(samples, completions, strict=True)] == seen[
        "completion"
    ]
    assert [sample.text for sample in samples] == reward.texts
    if not sampling.stop:  # with stop texts, padding that the model has sampled at the end is cut off
        lengths = {len(ids) for sample, ids in zip(samples, completions, strict=True) if sample.truncated}
        assert lengths == {sampling.max_completion_length}
    assert len({len(ids) for ids in completions}) > 1  # some ended of themselves


def test_gradients_are_of_the_policy_at_the_temperature_that_was_sampled_at(model):
    domain = TrainingDomain(
        name="x", domain=Prompts(chat=True), reward=Seen(), sampling=Sampling(max_completion_length=6, temperature=0.5)
    )
    hot, samples, _ = sample_policy(model, domain, count=8, seed=1)
    assert {sample.temperature for sample in samples} == {0.5}
    sample = samples[0]
    cold = replace(sample, temperature=1.0)
    logits = hot(input_ids=sample.ids[None]).logits[0, sample.prompt_length - 1 : -1] / 0.5
    targets = sample.ids[sample.prompt_length :]
    expected = torch.log_softmax(logits, -1).gather(1, targets[:, None]).sum()
    torch.testing.assert_close(log_probability(hot, sample).float(), expected)
    assert log_probability(hot, cold) != log_probability(hot, sample)


def test_completions_that_training_masks_have_no_part_in_the_policy_gradient(model):
    domain = TrainingDomain(name="x", domain=Prompts(chat=False), reward=Seen())
    one_token = Sampling(max_completion_length=1, trl={"mask_truncated_completions": True, "top_k": 1})
    measured = mean_policy_gradient(model, replace(domain, sampling=one_token), count=8, seed=1)
    assert all(not value.any() for value in measured.values.values())


def test_sampling_needs_no_reward(model):
    _, samples, _ = sample_policy(
        model, TrainingDomain(name="x", domain=Prompts(chat=True), reward=None), count=2, seed=0
    )
    assert len(samples) == 2
