"""One way of writing for what LaTeX and Unicode write in several, before math-verify reads an answer.

Reference and answer go through the same rules. None changes a value: they rewrite signs, join the digits of a number,
and take off a full stop. What math-verify reads by itself is left to it.
"""

from __future__ import annotations

import re

_SIGNS = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "—": "-",
        "×": r"\times ",
        "·": r"\cdot ",
        "⋅": r"\cdot ",
        "÷": r"\div ",
        "∕": "/",
        "⁄": "/",
        "°": r"^{\circ}",
        "º": r"^{\circ}",
        "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "≠": r"\neq ",
        "≈": r"\approx ",
        "±": r"\pm ",
        "∪": r"\cup ",
        "∩": r"\cap ",
        "∈": r"\in ",
        "∅": r"\emptyset ",
        "％": r"\%",
        "ℝ": r"\mathbb{R}",
        "½": r"\frac{1}{2}",
        "⅓": r"\frac{1}{3}",
        "⅔": r"\frac{2}{3}",
        "¼": r"\frac{1}{4}",
        "¾": r"\frac{3}{4}",
        "′": "'",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u200b": "",
        "~": " ",
        "，": ",",
        "€": "",
        "£": "",
        "¥": "",
        "₹": "",
    }
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n")
_RAISED_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ]++")
_ROOT = re.compile(r"([√∛])\s*+(\((?P<inner>[^()]*+)\)|\{[^{}]*+\}|\d++(?:\.\d++)?|[A-Za-z])")

_UPRIGHT = r"\\(?:mathrm|mathit|mathbf|mathsf|operatorname|text|textrm|textit|rm)\*?"
_CONSTANT = re.compile(rf"{_UPRIGHT}\s*+\{{\s*+([ei])\s*+\}}|{_UPRIGHT}\s++([ei])(?![A-Za-z])|\{{\\rm\s++([ei])\s*+\}}")
_IMAGINARY = re.compile(r"(?<=\d)i(?![A-Za-z])")
_PI = re.compile(r"(?<![A-Za-z\\])pi(?![A-Za-z])")
_FUNCTION = re.compile(
    rf"{_UPRIGHT}\s*+\{{\s*+(arc(?:sin|cos|tan)|(?:sin|cos|tan)h?|cot|sec|csc|log|ln|exp|min|max|gcd|lcm|det)\s*+\}}"
)
# A comma that TeX is told not to set as punctuation separates thousands, and so do thin spaces between groups of three.
_EXPLICIT_COMMA = re.compile(r"(?<=\d)(?:\{,\}|,\\!|\{,\\!\})\s*+(?=\d{3}(?!\d))")
_SPACED_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:(?:\\[,;:!]|\\ | )\d{3})++(?![\d])")
_COMMA_ARGUMENT = re.compile(r"\{\s*+(-?\d{1,3}(?:,\d{3})++(?:\.\d++)?)\s*+\}")
_SPACE_COMMAND = re.compile(
    r"(?<!\\)\\(?:[,;: ]|quad\b|qquad\b|thinspace\b|enspace\b|hspace\*?\{[^{}]*+\}|phantom\{[^{}]*+\})"
)
_MIXED = re.compile(r"(?<![\w.,/^)}])(-?)(\d++)\s++(\d++)\s*+/\s*+(\d++)(?![\w.,/^({])")
_EXPONENT = re.compile(r"(?<![\w.])(\d++(?:\.\d*+)?|\.\d++)[eE]([+-]?\d++)(?![\w.])")
_SCALE = re.compile(r"(?<=\d)\s*+(?:\\text\{\s*+)?(thousand|million|billion|trillion)(?![A-Za-z])\s*+\}?")
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_REPEATING = re.compile(r"(?<![\d.])(\d*+)\.(\d*+)\\(?:overline|bar|dot)\s*+(?:\{\s*+(\d{1,30})\s*+\}|(\d))")
_SET_BUILDER = re.compile(
    r"\\\{\s*+(?P<name>\\?[A-Za-z]++)\s*+(?:\\in\s*+(?:\\mathbb\s*+\{?\s*+R\s*+\}?|\\R\b)\s*+)?(?:\\mid\b|\\vert\b|\||:)"
    r"(?P<claim>.++)(?<=\\\})",
    re.DOTALL,
)
_LEADING_RELATION = re.compile(r"(?:<|>|\\(?:ne|neq|lt|gt|le|ge|leq|geq|leqslant|geqslant)(?![A-Za-z]))")
_LEADING_EQUALS = re.compile(r"(?:=|\\approx(?![A-Za-z])|\\simeq(?![A-Za-z]))\s*+")


def normal_form(text: str) -> str:
    """Returns the text of an answer in the one way of writing that the verifier reads."""
    text = text.replace(r"\$", " ").replace("$", " ").strip().strip("*")
    text = _RAISED_RUN.sub(lambda run: f"^{{{run[0].translate(_RAISED)}}}", text)
    text = _ROOT.sub(_root, text).translate(_SIGNS)
    text = text.replace(r"\varnothing", r"\emptyset").replace(r"\degree", r"^{\circ}").replace(r"\imath", "i")
    text = _CONSTANT.sub(lambda found: f" {found[1] or found[2] or found[3]} ", text)
    text = _PI.sub(r"\\pi ", _IMAGINARY.sub(" i", text))
    text = _FUNCTION.sub(lambda found: rf"\{found[1]} ", text)
    text = _EXPLICIT_COMMA.sub("", text)
    text = _SPACED_THOUSANDS.sub(lambda found: re.sub(r"\\.| ", "", found[0]), text)
    text = text.replace(r"\!", "")
    text = _COMMA_ARGUMENT.sub(lambda found: f"{{{found[1].replace(',', '')}}}", text)
    text = _SPACE_COMMAND.sub(" ", text)
    text = _MIXED.sub(r"\1(\2+\\frac{\3}{\4})", text)
    text = _EXPONENT.sub(r"\1\\times 10^{\2}", text)
    text = _SCALE.sub(lambda found: rf"\times 10^{{{_SCALES[found[1]]}}} ", text)
    text = _REPEATING.sub(_repeating, text)
    return _relation(_claim(_bare(text)))


def _root(found: re.Match[str]) -> str:
    index = "[3]" if found[1] == "∛" else ""
    inner = found["inner"] if found["inner"] is not None else found[2].strip("{}")
    return rf"\sqrt{index}{{{inner}}}"


def _repeating(found: re.Match[str]) -> str:
    whole, still, period = found[1], found[2], found[3] or found[4]
    numerator = int(whole + still + period) - int(whole + still or "0")
    return rf"\frac{{{numerator}}}{{{'9' * len(period)}{'0' * len(still)}}}"


def _bare(text: str) -> str:
    """Returns the text without space, marks of mathematics and full stops around it."""
    text = text.strip()
    text = re.sub(r"\\[()\[\]]\s*+$|^\s*+\\[(\[]", "", text) if re.match(r"\\[(\[]", text) else text
    if text.endswith(".") and not text.endswith(r"\right."):
        text = text.rstrip(". ")
    return text.strip()


def _claim(text: str) -> str:
    r"""Returns what a set such as `\{x \mid x < 0\}` claims of its numbers, which stands for the set; else the text."""
    found = _SET_BUILDER.fullmatch(text)
    return found["claim"][: -len(r"\}")].strip() if found else text


def _relation(text: str) -> str:
    """Returns `= 5` as 5, and gives `< 5` a left side, so that it is a relation and never the number 5."""
    text = _LEADING_EQUALS.sub("", text, count=1) if _LEADING_EQUALS.match(text) else text
    return f"x {text}" if _LEADING_RELATION.match(text) else text
