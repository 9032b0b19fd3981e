from harness_NAME import digits_in_place
from harness_NAME.domain import HELD_OUT, TRAINING, question


def test_the_reward_counts_digits_in_place():
    assert digits_in_place(" 284", question(482)["answer"]) == 1
    assert digits_in_place("2", "284") == digits_in_place("999", "249") == 1 / 3


def test_no_number_is_in_both_splits():
    assert not set(HELD_OUT) & set(TRAINING)
