"""The words of the generated items. Training and test share none of the names, things and topics."""

from __future__ import annotations

PLAIN_WORDS = (
    "apple", "river", "garden", "yellow", "music", "eagle", "paper", "winter", "happy", "silver", "market", "animal",
    "bread", "city", "dance", "early", "forest", "green", "house", "island", "jelly", "kitchen", "lemon", "money",
    "night", "ocean", "party", "queen", "rabbit", "summer", "table", "uncle", "village", "water", "young", "zebra",
)  # fmt: skip

NAMES = {
    "train": (
        "Anna", "Ben", "Clara", "David", "Emma", "Frank", "Grace", "Henry", "Irene", "Jack", "Kate", "Leo", "Mary",
        "Nina", "Oscar", "Paula", "Ruth", "Sam", "Tina", "Victor",
    ),
    "test": ("Adam", "Bella", "Chris", "Diana", "Eric", "Fiona", "George", "Helen", "Ivan", "Julia"),
}  # fmt: skip
THINGS = {
    "train": (
        "apples", "books", "pens", "coins", "eggs", "stamps", "cards", "shells", "balls", "cookies", "flowers",
        "stickers", "tickets", "keys", "stones",
    ),
    "test": ("marbles", "oranges", "pencils", "buttons", "candles", "ribbons", "cups"),
}  # fmt: skip
PLACES = {
    "train": (
        "the old harbor", "the north station", "the city museum", "the village school", "the river bank",
        "the main library", "the small theater", "the green park",
    ),
    "test": ("the west gate", "the town hall", "the stone bridge", "the lake house"),
}  # fmt: skip
TOPICS = {
    "train": (
        "umbrella", "harbor", "kitten", "train", "mountain", "bakery", "letter", "storm", "bicycle", "lantern",
        "garden", "piano", "window", "market", "island", "teacher", "blanket", "compass", "forest", "robot",
        "clock", "bridge", "orchard", "painter",
    ),
    "test": (
        "lighthouse", "pumpkin", "violin", "desert", "parrot", "castle", "snowman", "fisherman", "library", "rocket",
        "meadow", "sailor", "candle", "tiger", "suitcase", "waterfall",
    ),
}  # fmt: skip
