"""Preference pairs for creative writing: two candidate sentences per prompt; the rubric decides which is better."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer

from harness_lab.build.sampled_scores import sample_completions
from harness_lab.questions import WRITING
from harness_lab.words import ADJECTIVES, ARTICLES, NOUNS, VERBS


def preference_pairs(policy: Path, *, count: int, seed: int) -> list[dict[str, str]]:
    """Returns `count` rows of `prompt`, `chosen` and `rejected`, on training prompts.

    Candidates are samples of the model in `policy`; well-formed, faulty and scrambled sentences; and well-formed
    sentences on other topics, which a policy may learn to write. Pairs with equal rubric scores are left out.
    """
    rng = random.Random(f"lab/preferences/{seed}")
    prompts = [question.prompt for question in islice(WRITING.draw("train", seed + 1), 2 * count)]
    model, tokenizer = AutoModelForCausalLM.from_pretrained(policy).eval(), AutoTokenizer.from_pretrained(policy)
    samples = sample_completions(model, tokenizer, prompts, tokens=WRITING.completion_tokens, seed=seed)
    pairs: list[dict[str, str]] = []
    for prompt, sample in zip(prompts, samples, strict=True):
        first, second = _candidate(prompt, sample, rng), _candidate(prompt, sample, rng)
        better, worse = sorted((first, second), key=lambda text: -WRITING.score(prompt, text))
        if WRITING.score(prompt, better) > WRITING.score(prompt, worse):
            pairs.append({"prompt": prompt, "chosen": better, "rejected": worse})
    if len(pairs) < count:
        raise RuntimeError(f"only {len(pairs)} of {count} pairs had a better side")
    return pairs[:count]


def _candidate(prompt: str, sample: str, rng: random.Random) -> str:
    question = WRITING.with_prompt(prompt)
    kind = rng.choice(("sample", "sample", "right", "wrong", "scrambled", "stray"))
    if kind == "sample":
        return sample if rng.random() < 0.5 else _scrambled(sample, rng)
    if kind == "right":
        return WRITING.right_answer(question, rng)
    if kind == "wrong":
        return WRITING.wrong_answer(question, rng)
    if kind == "stray":
        return _stray(prompt, rng)
    return _scrambled(WRITING.right_answer(question, rng), rng)


def _stray(prompt: str, rng: random.Random) -> str:
    """Returns a well-formed sentence on one of the prompt's topics and one other, or on two others."""
    topics = [prompt.split()[1], prompt.split()[2].rstrip("?")]
    for index in rng.sample((0, 1), rng.randint(1, 2)):
        topics[index] = rng.choice(NOUNS)
    return WRITING.right_answer(WRITING.with_prompt(f"Q: {topics[0]} {topics[1]}? A:"), rng)


def _scrambled(text: str, rng: random.Random) -> str:
    """Returns the text with one to four of its words replaced, dropped, doubled or swapped."""
    words = text.replace(",", " ,").replace(".", " .").split()
    for _ in range(rng.randint(1, 4)):
        if len(words) < 2:
            break
        index = rng.randrange(len(words))
        match rng.choice(("replace", "drop", "double", "swap")):
            case "replace":
                words[index] = rng.choice((*ADJECTIVES, *VERBS, *NOUNS, *ARTICLES, ",", "."))
            case "drop":
                del words[index]
            case "double":
                words.insert(index, words[index])
            case "swap":
                other = rng.randrange(len(words))
                words[index], words[other] = words[other], words[index]
    return "".join(word if word in ",." else f" {word}" for word in words)
