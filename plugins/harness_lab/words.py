"""The closed vocabulary of the lab: all words and characters of its four domains.

Forty nouns give 1,560 ordered topic pairs for creative writing, enough to hold out a third of them. The domains share
names, nouns and digits on purpose, so that they interfere.
"""

NAMES = ("Kim", "Bob", "Ann", "Sam", "Joe", "Eve", "Max", "Lee", "Ida", "Tom")
NOUNS = (
    "sun", "dog", "hat", "map", "cat", "cup", "fox", "box", "pen", "bus",
    "key", "bag", "car", "egg", "jar", "net", "pot", "rug", "toy", "van",
    "owl", "bee", "ant", "cow", "pig", "hen", "rat", "bat", "elk", "yak",
    "log", "mop", "oar", "pie", "saw", "tub", "urn", "web", "fan", "gem",
)  # fmt: skip
ADJECTIVES = ("shy", "fun", "old", "new", "red", "big", "sad", "wet", "dry", "hot", "odd", "raw")
VERBS = ("sat", "fell", "ran", "hid", "won", "cried", "slept", "sang", "flew", "dug", "hopped", "spun")
ARTICLES = ("the", "a")
DIGITS = tuple("0123456789")

PAD, END, UNKNOWN = "<pad>", "<eos>", "<unk>"
QUESTION, ANSWER = "Q:", " A:"
_SYMBOLS = (" ", "?", ".", ",", "+", "-", "*", "x", "f(", " f(", ")=", ")")


def vocabulary() -> list[str]:
    """Returns the tokens in the order of their ids; a word token includes the space before it."""
    words = ("has", *ARTICLES, *NAMES, *NOUNS, *ADJECTIVES, *VERBS)
    return [PAD, END, UNKNOWN, QUESTION, ANSWER, *_SYMBOLS, *DIGITS, *(f" {word}" for word in words)]
