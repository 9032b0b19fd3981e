"""lm-eval's checkers in the reward: all constraints, invalid constraints, and nltk's data."""

import json
import random
import subprocess
import sys
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ifollow_world import SAMPLES, write_sentence_data

from harness import NoConfig, RewardBatch, UsageError
from harness_domains.instruction_following import checkers, sentence_data
from harness_domains.instruction_following.answers import checked_text
from harness_domains.instruction_following.checkers import (
    Constraint,
    constraints_of,
    ifeval,
    ifeval_scores,
    known_identifiers,
    met,
)
from harness_domains.instruction_following.reward import InstructionReward

nltk = import_module("nltk")
SPLITTING = [sample for sample in SAMPLES if sample.identifier in sentence_data.SPLITTING]


@pytest.fixture
def no_sentence_data(monkeypatch):
    """nltk finds nothing, and has forgotten what it found."""
    monkeypatch.setattr(nltk.data, "path", [])
    nltk.tokenize._get_punkt_tokenizer.cache_clear()
    ifeval().instructions_registry.instructions.instructions_util._get_sentence_tokenizer.cache_clear()


@pytest.fixture
def own_sentence_data(no_sentence_data, monkeypatch, tmp_path):
    monkeypatch.setattr(nltk.data, "path", [str(write_sentence_data(tmp_path))])


def results(completions, rows):
    batch = RewardBatch(prompts=["?"] * len(rows), completions=completions, rows=rows)
    return InstructionReward(NoConfig()).score(batch)


def row_of(*samples, **more):
    return {"instruction_id_list": [s.identifier for s in samples], "kwargs": [s.arguments for s in samples]} | more


def test_there_is_a_sample_of_every_constraint_that_lm_eval_knows():
    assert sorted(sample.identifier for sample in SAMPLES) == list(known_identifiers())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.identifier)
def test_a_constraint_that_is_met_scores_1_and_another_0(sample, own_sentence_data):
    row = row_of(sample)
    assert [r.value for r in results([sample.meets, sample.breaks, ""], [row, row, row])] == [1.0, 0.0, 0.0]


def test_the_reward_is_the_fraction_that_is_met():
    comma, title, words = (
        next(s for s in SAMPLES if s.identifier.endswith(n)) for n in ("comma", "title", "number_words")
    )
    completions = ["<<A>> b c", "<<A>> b", "<<A>>, b", "b, c"]
    scored = results(completions, [row_of(comma, title, words)] * 4)
    assert [r.value for r in scored] == [1.0, 2 / 3, 1 / 3, 0.0]


def test_arguments_as_json_text_score_as_the_mappings_do():
    sample = SAMPLES[0]
    padded = [sample.arguments | {"num_words": None, "relation": None}]
    rows = [
        row_of(sample) | {"kwargs": kwargs} for kwargs in (padded, json.dumps(padded), json.dumps([sample.arguments]))
    ]
    assert [r.value for r in results([sample.meets] * 3, rows)] == [1.0] * 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([s for s in SAMPLES if s not in SPLITTING]), min_size=1, max_size=4),
    st.one_of(st.text(max_size=60), st.sampled_from([text for s in SAMPLES for text in (s.meets, s.breaks)])),
)
def test_reward_and_score_are_those_of_lm_evals_own_process_results(samples, response):
    constraints = constraints_of([s.identifier for s in samples], [s.arguments for s in samples])
    document = {"key": 1, "prompt": "?", **row_of(*samples)}
    own = ifeval().process_results(document, [response])
    assert ifeval_scores(constraints, response) == own
    assert met(constraints, response) == own["inst_level_strict_acc"]
    value = results([response], [row_of(*samples)])[0].value
    if "think>" not in response:
        assert value == sum(own["inst_level_strict_acc"]) / len(samples)


def test_what_a_model_thinks_is_not_checked():
    sample = next(s for s in SAMPLES if s.identifier == "punctuation:no_comma")
    completions = ["<think>a, b</think>\n\nyes", "a, b</think>yes", "<think>no end", "never began"]
    assert [r.value for r in results(completions, [row_of(sample)] * 4)] == [1.0, 1.0, 0.0, 1.0]
    assert [r.value for r in results(completions, [row_of(sample, thinks=True)] * 4)] == [1.0, 1.0, 0.0, 0.0]


@settings(max_examples=50, deadline=None)
@given(st.text(), st.text().filter(lambda text: "<think>" not in text))
def test_what_follows_the_thinking_is_what_lm_eval_would_keep(thought, answer):
    from lm_eval.models.utils import postprocess_generated_text

    text = f"{thought}</think>{answer}"
    assert checked_text(text) == postprocess_generated_text(text, None, "</think>")


@pytest.mark.parametrize(("text", "language"), [("radio", "hr"), ("video", "es"), ("la die en", "af")])
def test_a_text_has_one_language_however_often_it_is_asked(text, language):
    row = row_of(Constraint("language:response_language", {"language": language}))
    assert len({result.value for result in results([text] * 30, [row] * 30)}) == 1


def test_text_nested_too_deeply_is_not_json_and_stops_nothing():
    samples = [
        next(s for s in SAMPLES if s.identifier == name)
        for name in ("detectable_format:json_format", "punctuation:no_comma")
    ]
    deep = "[" * 100_000
    with pytest.raises(RecursionError):
        ifeval().process_results({"key": 1, "prompt": "", **row_of(*samples)}, [deep])
    constraints = constraints_of(*row_of(*samples).values())
    assert ifeval_scores(constraints, deep) == {
        "prompt_level_strict_acc": False,
        "inst_level_strict_acc": [False, True],
        "prompt_level_loose_acc": False,
        "inst_level_loose_acc": [False, True],
    }
    assert results([deep], [row_of(*samples)])[0].value == 0.5


@pytest.mark.parametrize(
    ("identifier", "arguments", "fault"),
    [
        ("keywords:rhyme", {}, "has no constraint keywords:rhyme; it has change_case:capital_word_frequency"),
        ("length_constraints:number_words", {"num_words": 9}, "needs num_words, relation"),
        ("length_constraints:number_words", {"num_words": 0, "relation": "at least"}, "at random"),
        ("length_constraints:number_words", {"num_words": "many", "relation": "at least"}, "TypeError"),
        ("length_constraints:number_words", {"num_words": 9, "relation": "about"}, "about"),
        ("length_constraints:number_words", {"n": 9}, "TypeError"),
        ("keywords:letter_frequency", {"letter": "#", "let_frequency": 2, "let_relation": "at least"}, "at random"),
        ("keywords:existence", {"keywords": "moon"}, "list of words"),
        ("keywords:existence", {"keywords": ["c++("]}, "cannot be checked"),
        ("language:response_language", {"language": "klingon"}, "KeyError"),
        ("combination:repeat_prompt", {}, "prompt_to_repeat"),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 5, "first_word": "a"},
            "random",
        ),
    ],
)
def test_a_constraint_that_cannot_be_checked_is_an_error_that_says_why(identifier, arguments, fault):
    state = random.getstate()
    [result] = results(["anything"], [row_of(Constraint(identifier, arguments))])
    assert (result.outcome, result.value) == ("error", None)
    assert fault in result.detail
    assert random.getstate() == state


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"instruction_id_list": ["punctuation:no_comma"]},
        {"instruction_id_list": [], "kwargs": []},
        {"instruction_id_list": ["punctuation:no_comma"], "kwargs": []},
        {"instruction_id_list": ["punctuation:no_comma"], "kwargs": ["x"]},
        {"instruction_id_list": "no JSON", "kwargs": [{}]},
        {"instruction_id_list": [7], "kwargs": [{}]},
        {"instruction_id_list": 7, "kwargs": 7},
    ],
)
def test_a_row_without_constraints_is_an_error_and_its_neighbour_is_not(row):
    sound = row_of(SAMPLES[0])
    assert [r.outcome for r in results(["x", "x"], [row, sound])] == ["error", "ok"]


def test_only_the_constraints_that_are_said_to_need_nltks_data_do(no_sentence_data):
    needing = set()
    for sample in SAMPLES:
        document = {"key": 1, "prompt": "", **row_of(sample)}
        try:
            ifeval().process_results(document, [sample.meets])
        except LookupError:
            needing.add(sample.identifier)
    assert needing == sentence_data.SPLITTING


def test_without_nltks_data_their_constraints_are_errors_and_the_others_are_not(no_sentence_data):
    rows = [row_of(sample) for sample in (*SPLITTING, SAMPLES[0])]
    scored = results(["x"] * 3, rows)
    assert [r.outcome for r in scored] == ["error", "error", "ok"]
    assert "harness prefetch" in scored[0].detail


def test_nltks_data_are_fetched_once_and_never_offline(no_sentence_data, monkeypatch, tmp_path):
    asked = []

    def download(name, **options):
        asked.append(name)
        write_sentence_data(tmp_path)

    monkeypatch.setattr(nltk, "download", download)
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="switched off"):
        sentence_data.fetch_sentence_data()
    InstructionReward(NoConfig()).fetch()  # no reason to stop: which rows there are is not known here
    assert asked == []
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    InstructionReward(NoConfig()).fetch()
    InstructionReward(NoConfig()).fetch()
    assert asked == ["punkt_tab"]


def test_a_download_that_fails_says_what_to_do(no_sentence_data, monkeypatch):
    def download(name, **options):
        raise ValueError("no route to the host\nand more")

    monkeypatch.setattr(nltk, "download", download)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(UsageError, match="downloaded: no route to the host\n") as caught:
        sentence_data.fetch_sentence_data()
    assert "python -m nltk.downloader punkt_tab" in caught.value.hint


def test_loading_the_checkers_asks_nothing_of_the_network_and_leaves_nltk_as_it_was():
    code = (
        "import nltk\n"
        "def download(*a, **k): raise SystemExit('a download')\n"
        "nltk.download, nltk.data.path, find = download, [], nltk.data.find\n"
        "from harness_domains.instruction_following.checkers import known_identifiers\n"
        "print(len(known_identifiers()), nltk.data.find is find)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(len(SAMPLES)), "True"]


def test_missing_packages_are_named_with_what_to_install(monkeypatch):
    checkers.ifeval.cache_clear()
    monkeypatch.setitem(sys.modules, "langdetect", None)
    with pytest.raises(UsageError, match="langdetect") as caught:
        InstructionReward(NoConfig()).score(RewardBatch(prompts=["?"], completions=["x"], rows=[row_of(SAMPLES[0])]))
    assert "mdrl-harness[ifollow]" in caught.value.hint
