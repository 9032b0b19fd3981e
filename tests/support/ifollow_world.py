"""One constraint of every kind, with a text that meets it and one that does not, and stand-ins for nltk's data."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ifollow"
NEMOTRON, IFEVAL = FIXTURES / "nemotron.jsonl", FIXTURES / "ifeval.jsonl"
IFEVAL_COLUMNS = {"prompt": "prompt", "instructions": "instruction_id_list", "arguments": "kwargs"}


class Sample(NamedTuple):
    identifier: str
    arguments: dict
    meets: str
    breaks: str


SAMPLES = [
    Sample("keywords:existence", {"keywords": ["moon", "sea"]}, "The Moon moves the sea.", "The moon moves it."),
    Sample("keywords:frequency", {"keyword": "so", "frequency": 2, "relation": "at least"}, "so, so", "so it is"),
    Sample("keywords:forbidden_words", {"forbidden_words": ["light"]}, "a lighthouse", "a Light on a hill"),
    Sample(
        "keywords:letter_frequency", {"letter": "z", "let_frequency": 2, "let_relation": "less than"}, "zoo", "pizza"
    ),
    Sample(
        "language:response_language",
        {"language": "de"},
        "Es regnet heute den ganzen Tag, und ich bleibe zu Hause.",
        "It will rain for the whole day, and I am going to stay at home.",
    ),
    Sample(
        "length_constraints:number_sentences",
        {"num_sentences": 3, "relation": "less than"},
        "One is here. Two is there.",
        "One is here. Two is there. Three is nowhere.",
    ),
    Sample("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "one\n***\ntwo", "one\n\ntwo"),
    Sample("length_constraints:number_words", {"num_words": 3, "relation": "at least"}, "one two three", "one two"),
    Sample(
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        "It rained.\n\nThen it stopped.",
        "It rained.\n\nAnd then it stopped.",
    ),
    Sample("detectable_content:number_placeholders", {"num_placeholders": 2}, "Dear [name] of [town]", "Dear [name]"),
    Sample(
        "detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\nP.S. Write soon.", "Bye. Write soon."
    ),
    Sample("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n* b", "* a\n* b\n* c"),
    Sample("detectable_format:constrained_response", {}, "My answer is no.", "No."),
    Sample("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "a *bright* day", "a bright day"),
    Sample(
        "detectable_format:multiple_sections",
        {"section_spliter": "Part", "num_sections": 2},
        "Part 1\nfirst\nPart 2\nsecond",
        "Part 1\nfirst and second",
    ),
    Sample("detectable_format:json_format", {}, '```json\n{"a": [1, 2]}\n```', "a: [1, 2]"),
    Sample("detectable_format:title", {}, "<<The Keeper>>\nThere was one.", "The Keeper\nThere was one."),
    Sample("combination:two_responses", {}, "Tom ****** Kit", "Tom and Kit"),
    Sample("combination:repeat_prompt", {"prompt_to_repeat": "When?"}, "When? At nine.", "At nine."),
    Sample("startend:end_checker", {"end_phrase": "the end."}, "And that was the end.", "The end. Or was it?"),
    Sample("startend:quotation", {}, '"Yes, it is."', '"Yes," it is.'),
    Sample(
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "STOP and LOOK",
        "STOP and look",
    ),
    Sample(
        "change_case:english_capital", {}, "THIS IS WHAT THE WEATHER WAS LIKE.", "This is what the weather was like."
    ),
    Sample(
        "change_case:english_lowercase",
        {},
        "this is what the weather was like yesterday.",
        "This is what the weather was like yesterday.",
    ),
    Sample("punctuation:no_comma", {}, "Yes and no.", "Yes, and no."),
]

MEETING = {
    "Describe a rainy street.": "Drops ran down the panes and the rain went on.",
    "Name three fruits": "* plum\n* fig\n* pear",
    "Explain tides.": "The moon pulls at the sea and so it rises twice on most days.",
    "Write a title": "<<The Keeper of the Rock>>",
    "Answer in German": "Das Wetter ist heute schön und warm, aber morgen regnet es.",
    "Give the numbers": "[1, 2, 3]",
    "Wrap your whole answer": '"It is done.\nP.S. Do write."',
    "Greet me": "GOOD MORNING TO YOU AND TO ALL OF YOUR FRIENDS, DEAR [NAME]!",
    "Write two paragraphs": "bread is made of flour and water.\n***\nit is baked in an oven for an hour.",
    "What is a canal?": "It is a *waterway* that people dug.",
    "Give two different": "Tom ****** Kit",
    "Repeat this request": "Say when the shop opens. It opens at nine.",
    "Use the hash sign": "# one # two",
    "Is it late?": "My answer is no.",
}
"""Texts that meet all constraints of the fixtures' prompts, by how these begin."""

MEETS_NONE = "Light, [1"
"""A text that meets no constraint of the training fixture."""


def meeting(prompt: str) -> str:
    return next(text for beginning, text in MEETING.items() if prompt.startswith(beginning))


def write_sentence_data(folder: Path) -> Path:
    """Returns a folder of nltk data whose sentence splitter has learnt nothing: it splits at every full stop."""
    english = folder / "tokenizers" / "punkt_tab" / "english"
    english.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (english / name).touch()
    return folder
