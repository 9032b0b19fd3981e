"""Sequences of thirteen words that test items share with training prompts."""

from hypothesis import given
from hypothesis import strategies as st

from harness.domains.contamination import WORDS, overlap

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
WORD = st.sampled_from(["a", "b", "c", "d"])


def test_a_shared_run_is_found_wherever_it_stands_and_however_it_is_written():
    found = overlap([f"Before. {LONG.upper()}!"], [f"{LONG} and after", "nothing of the sort"])
    assert (found.items, found.overlapping, found.share) == (2, 1, 0.5)
    assert found.example == f"{LONG} and after"


def test_twelve_shared_words_are_not_enough():
    twelve = " ".join(LONG.split()[:12])
    assert overlap([f"{twelve} x y z"], [f"{twelve} u v w"]).overlapping == 0


def test_short_texts_overlap_with_their_equals_only():
    assert overlap(["2 + 2?"], ["2+2?", "2+3?"]).overlapping == 1


def test_nothing_to_compare():
    assert overlap([], []).share == 0.0


@given(st.lists(st.lists(WORD, max_size=20), max_size=4), st.lists(WORD, min_size=1, max_size=20))
def test_a_text_always_overlaps_with_itself_and_never_with_foreign_words(others, text):
    prompts = [" ".join(words) for words in others]
    assert overlap([*prompts, " ".join(text)], [" ".join(text)]).overlapping == 1
    assert overlap(prompts, [" ".join(f"{word}x" for word in text)]).overlapping == 0
    assert WORDS == 13
