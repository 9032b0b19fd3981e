"""Reward models with random weights, and the lab's reward model."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from reward_model_world import reward, save, scores
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)

import harness_lab
from harness import CheckpointError, RewardBatch, UsageError
from harness_lab.rewards import LearnedReward, LearnedRewardConfig
from harness_rewards.reward_model import RewardModel, RewardModelConfig

TEMPLATE = "{% for m in messages %}{{ m.role[0] }}{{ m.content }}{% endfor %}"
LAB = str(Path(harness_lab.__file__).parent / "models" / "cw-reward")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("reward") / "model", template=TEMPLATE)


def by_hand(folder, text):
    """The logit of one text by itself, without padding."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).logits.item()


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_texts_score_as_each_does_alone_whatever_the_batch(folder, batch_size):
    prompts, completions = ["Write: "] * 5, ["a", "a long story of a dog", "", "yes.", "no"]
    results = scores(reward(folder, batch_size=batch_size), prompts, completions)
    alone = [by_hand(folder, f"{p}{c}<eos>") for p, c in zip(prompts, completions, strict=True)]
    assert [result.value for result in results] == pytest.approx(alone, abs=1e-5)
    assert len(set(alone)) == 5


def test_messages_go_through_the_chat_template(folder):
    prompt = [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}]
    [result] = scores(reward(folder), [prompt], ["Hello"])
    assert result.value == pytest.approx(by_hand(folder, "sSuHiaHello"), abs=1e-5)
    [other] = scores(reward(folder, chat_template="{{ messages[-1].content }}"), [prompt], ["Hello"])
    assert other.value == pytest.approx(by_hand(folder, "Hello"), abs=1e-5)


def test_thinking_is_scored_only_where_asked(folder):
    completions = ["<think>dog</think>\nyes", "yes"]
    stripped = scores(reward(folder), ["p"] * 2, completions)
    assert stripped[0].value == pytest.approx(stripped[1].value, abs=1e-5)
    whole = scores(reward(folder, strip_thinking=False), ["p"] * 2, completions)
    assert abs(whole[0].value - whole[1].value) > 1e-4


def test_a_row_that_cannot_be_scored_is_an_error_and_leaves_the_others(tmp_path):
    plain = save(tmp_path / "plain")
    prompts = ["p", [{"role": "user", "content": "p"}], "p"]
    ok, no_template, long = scores(reward(plain, max_length=10), prompts, ["c", "c", "c" * 20])
    assert ok.outcome == "ok"
    assert (no_template.outcome, long.outcome) == ("error", "error")
    assert "chat template" in no_template.detail
    assert "22 tokens" in long.detail


def test_a_logit_that_is_no_number_is_an_error(tmp_path):
    model = LlamaForSequenceClassification.from_pretrained(save(tmp_path / "broken"))
    with torch.no_grad():
        model.score.weight.fill_(float("nan"))
    model.save_pretrained(tmp_path / "broken")
    [result] = scores(reward(str(tmp_path / "broken")), ["p"], ["c"])
    assert (result.outcome, result.value) == ("error", None)


@pytest.mark.parametrize(("kind", "labels", "message"), [(LlamaForCausalLM, 1, "score.weight"), (None, 3, "3 labels")])
def test_what_is_no_reward_model_is_told(tmp_path, kind, labels, message):
    model = save(tmp_path / "model", kind=kind or LlamaForSequenceClassification, labels=labels)
    with pytest.raises(CheckpointError, match=message):
        scores(reward(model), ["p"], ["c"])


def of_labels(folder, *names, **config):
    """Gives a saved model's labels their names."""
    config = json.loads((folder / "config.json").read_text()) | config
    config |= {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_of_several_labels_the_one_named_gives_its_logit_or_probability(tmp_path):
    save(tmp_path / "model", labels=3)
    model = of_labels(tmp_path / "model", "bad", "plain", "good")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
    read = AutoModelForSequenceClassification.from_pretrained(model).eval()
    with torch.inference_mode():
        logits = read(**tokenizer("pc<eos>", return_tensors="pt", return_token_type_ids=False)).logits[0]

    def score(**keys):
        [result] = scores(reward(model, **keys), ["p"], ["c"])
        return result.value

    assert score(label="good") == score(label=2) == pytest.approx(logits[2].item(), abs=1e-5)
    assert score(label="bad", output="probability") == pytest.approx(logits.softmax(0)[0].item(), abs=1e-5)
    of_labels(tmp_path / "model", "bad", "plain", "good", problem_type="multi_label_classification")
    assert score(label="bad", output="probability") == pytest.approx(logits.sigmoid()[0].item(), abs=1e-5)
    with pytest.raises(CheckpointError, match="no label 'best'") as raised:
        score(label="best")
    assert "bad, plain, good" in raised.value.hint


def test_one_label_alone_gives_a_probability_by_sigmoid(folder):
    [logit] = scores(reward(folder), ["p"], ["c"])
    [share] = scores(reward(folder, output="probability"), ["p"], ["c"])
    assert share.value == pytest.approx(1 / (1 + math.exp(-logit.value)), abs=1e-6)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """An encoder with two segments and eight positions, whose tokenizer closes each segment."""
    folder = tmp_path_factory.mktemp("bert")
    tokens = Tokenizer(models.WordLevel({"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "b": 4}, unk_token="[PAD]"))
    tokens.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokens.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    PreTrainedTokenizerFast(
        tokenizer_object=tokens,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=5, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=8, num_labels=1, initializer_range=1.0,
        )  # fmt: skip
        BertForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(("text", "read"), [("pair", ("a", "ab")), ("completion", ("ab",)), ("joined", ("aab",))])
def test_an_encoder_reads_pairs_completions_and_joined_texts(bert, text, read):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(bert)
    model = BertForSequenceClassification.from_pretrained(bert).eval()
    inputs = tokenizer(*read, return_tensors="pt")
    assert (inputs["token_type_ids"].sum() > 0) == (text == "pair")
    with torch.inference_mode():
        by_hand = model(**inputs).logits.item()
    results = scores(reward(bert, text=text), ["a", "b", "a"], ["ab", "", "b"])
    assert results[0].value == pytest.approx(by_hand, abs=1e-5)


def test_a_row_past_the_models_positions_is_an_error_and_leaves_the_others(bert):
    fits, long = scores(reward(bert), ["", ""], ["a" * 6, "a" * 7])
    assert (fits.outcome, long.outcome) == ("ok", "error")
    assert "9 tokens, more than the 8" in long.detail


def test_a_text_is_closed_once_also_where_the_tokenizer_closes_it_itself(folder, tmp_path):
    closing = shutil.copytree(folder, tmp_path / "closing")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", tokenizer.eos_token_id)]
    )
    tokenizer.save_pretrained(closing)
    [one] = scores(reward(folder), ["p"], ["c"])
    [other] = scores(reward(str(closing)), ["p"], ["c"])
    assert other.value == one.value


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_model_scores_in_its_own_dtype(folder, dtype):
    made = reward(folder, dtype=dtype)
    [result] = scores(made, ["p"], ["a long story"])
    assert {parameter.dtype for parameter in made._loaded.model.parameters()} == {getattr(torch, dtype)}
    read = AutoModelForSequenceClassification.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    ids = PreTrainedTokenizerFast.from_pretrained(folder)("pa long story<eos>", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        assert result.value == pytest.approx(read(input_ids=ids).logits.item(), abs=1e-3)


def test_the_fingerprint_follows_the_weights(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert reward(folder).fingerprint() == reward(str(copy)).fingerprint()
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert reward(folder).fingerprint() != reward(str(copy)).fingerprint()
    assert reward("someone/model", revision="abc").fingerprint() == "someone/model@abc"


def test_a_missing_folder_a_model_that_is_not_cached_and_an_unknown_device_are_told(folder, tmp_path, monkeypatch):
    with pytest.raises(CheckpointError, match="no such folder"):
        reward(str(tmp_path / "none")).fingerprint()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="cannot be had"):
        scores(reward("someone/no-such-model"), ["p"], ["c"])
    made = RewardModel(RewardModelConfig(model=folder, device="nowhere"))
    with pytest.raises(UsageError, match="nowhere"):
        scores(made, ["p"], ["c"])


def test_the_labs_reward_model_scores_as_the_lab_does():
    prompts, completions = ["Q: sun dog? A:"] * 3, [" the shy sun sat.", " a fun dog fell.", ""]
    lab = LearnedReward(LearnedRewardConfig()).score(
        RewardBatch(prompts=prompts, completions=completions, rows=[{}] * 3)
    )
    ours = scores(reward(LAB, dtype="float32"), prompts, completions)
    assert [result.value for result in ours] == pytest.approx([result.value for result in lab], abs=1e-4)
