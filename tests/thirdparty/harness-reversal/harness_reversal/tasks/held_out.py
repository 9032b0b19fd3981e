"""What the task's YAML names: its items and its metric, called with one reference and one prediction at a time."""

import datasets
from harness_reversal import numbers, reward


def items(**_):
    """Returns lm-eval's mapping of splits."""
    prompts = [numbers.prompt_of(number) for number in numbers.held_out_numbers()]
    rows = [{"prompt": prompt, "answer": numbers.answer_to(prompt)} for prompt in prompts]
    return {"test": datasets.Dataset.from_list(rows)}


def digits_in_place(references, predictions):
    """Returns the share of digits in place for the one prediction."""
    return reward.digits_in_place(predictions[0], references[0])
