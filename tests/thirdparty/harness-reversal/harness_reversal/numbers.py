"""The numbers of both splits: one in five is held out."""

import random

HELD_OUT_ONE_IN = 5


def prompt_of(number: int) -> str:
    """Returns the prompt in the lab's format."""
    return f"Q: {number}? A:"


def answer_to(prompt: str) -> str:
    """Returns the digits of the prompt's number, backwards. Raises ValueError where it has none."""
    digits = "".join(character for character in prompt if character.isdigit())
    if not digits:
        raise ValueError(f"no number in {prompt!r}")
    return digits[::-1]


def training_numbers(seed: int, count: int) -> list[int]:
    """Returns `count` three-digit numbers that are not held out, drawn with `seed`."""
    generator = random.Random(f"reversal/train/{seed}")
    return generator.choices([number for number in range(100, 1000) if number % HELD_OUT_ONE_IN], k=count)


def held_out_numbers() -> list[int]:
    """Returns the held-out numbers, shuffled once and for all."""
    numbers = list(range(100, 1000, HELD_OUT_ONE_IN))
    random.Random("reversal/test").shuffle(numbers)
    return numbers
