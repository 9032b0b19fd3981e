"""Rewrites LaTeX and Unicode notations to one normal form before math-verify reads an answer.

The same rules apply to reference and answer. No rule changes a value: they rewrite signs, join the digits of a number,
and remove a full stop. Notations that math-verify reads by itself are left unchanged.
"""

from __future__ import annotations

import re
import unicodedata

_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_SIGNS = str.maketrans(
    {
        **_FULL_WIDTH,
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
        "′": "'",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u200b": "",
        "~": " ",
        "。": ".",
        "€": "",
        "£": "",
        "¥": "",
        "₹": "",
    }
)
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾ⁿⁱˣʸᵏᵐᵃᵇᵗ]++")
_LOWERED = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋ₙₖₐₓᵢⱼₘ]++")
_FRACTION = re.compile("[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]")
_ROOT = re.compile(
    r"([√∛∜])\s*+(\((?P<inner>[^()]*+(?:\([^()]*+\)[^()]*+)*+)\)|\{[^{}]*+\}|\d++(?:\.\d++)?"
    r"|\\frac\{\d++\}\{\d++\}|[A-Za-zπ])"
)

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
# Between brackets a comma separates thousands only where the items are set apart by a comma and a space.
_COMMAS = re.compile(
    r"(?P<brackets>\([^()]*+\)|\[[^][]*+\]|\\\{[^{}]*+\})|(?<![\w.,])[1-9]\d{0,2}(?:,\d{3})++(?!\d|,\d|\.\d*+,\d)"
)
_BRACKETS = re.compile(r"\([^()]*+\)|\[[^][]*+\]|\\\{[^{}]*+\}")
_COMMAS_WITHIN = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?:,\d{3})++(?!\d|,\d)")
_TIMES = re.compile(r"(?<=\d)\s*+[xX]\s*+(?=10\s*+\^)")
_DEGREE = re.compile(
    r"(?:\{\})?\^\s*+\{?\s*+\\(?:text|mathrm)\s*+\{\s*+o\s*+\}\s*+\}?|\\(?:text)?degree(?![A-Za-z])|\{\}\s*+(?=\^)"
)
_ROMAN = re.compile(r"\{\s*+\\rm(?![A-Za-z])([^{}]*+)\}|\\rm\s++([A-Za-z]++)")
_TEXT = re.compile(r"\\(?:text|mathrm|mbox)\{\s*+((?:\\?\$)?[-+]?\d[^{}]*+)\}")
_SET_MARK = re.compile(r"\\(?:left|right|middle|[bB]igg?[lr]?)\s*+(?=\\[{}]|\||\\[lr]brace|\\mid)")
_MIXED = re.compile(
    r"(?<![\w.,/^)}])(-?)(\d{1,30})(?:\s++(\d{1,30})\s*+/\s*+(\d{1,30})|\s*+\\[dt]?frac\{(\d{1,30})\}\{(\d{1,30})\})"
    r"(?!\w|\.\d|,\d|[/^({])"
)
_EXPONENT = re.compile(r"(?<![\w.])(\d++(?:\.\d*+)?|\.\d++)[eE]([+-]?\d++)(?![\w.])")
_SCALE = re.compile(r"(?<=\d)\s*+(?:\\text\{\s*+)?(hundred|thousand|million|billion|trillion)(?![A-Za-z])\s*+\}?")
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_REPEATING = re.compile(r"(?<![\d.])(\d*+)\.(\d*+)\\(?:overline|bar|dot)\s*+(?:\{\s*+(\d{1,30})\s*+\}|(\d))")
_SET_BUILDER = re.compile(
    r"(?:[A-Z](?:\s*+\\(?:cap|cup)\s*+[A-Z])*+\s*+=\s*+)?\\\{\s*+(?P<name>\\?[A-Za-z]++)\s*+(?:\\in\s*+(?:\\mathbb\s*+\{?\s*+R\s*+\}?|\\R\b)\s*+)?(?:\\mid\b|\\vert\b|\\colon\b|\||:)"
    r"(?P<claim>.++)(?<=\\\})",
    re.DOTALL,
)
_SET_HEAD = re.compile(
    r"(?:[A-Z]\s*+=\s*+)?\\\{\s*+(?:(?P<name>\\?[A-Za-z]++)|\((?P<names>\s*+[A-Za-z](?:\s*+,\s*+[A-Za-z]){1,2}\s*+)\))"
    r"\s*+(?:\\in\b[^|:]*?)?(?:\\(?:mid|vert|colon)(?![A-Za-z])|\||:)"
)
_SYMBOL = re.compile(r"\\[A-Za-z]+|[A-Za-z]+")
_SUCH_THAT = re.compile(r"\\(?:mid|vert|colon)(?![A-Za-z])|[|:]")
_LEADING_RELATION = re.compile(r"(?:<|>|\\(?:ne|neq|lt|gt|le|ge|leq|geq|leqslant|geqslant)(?![A-Za-z]))")
_LEADING_EQUALS = re.compile(r"(?:=|\\approx(?![A-Za-z])|\\simeq(?![A-Za-z]))\s*+")


def normal_form(text: str) -> str:
    """Returns the text of an answer in the normal form that the verifier reads."""
    text = text.replace(r"\$", " ").replace("$", " ").strip().strip("*")
    text = _RAISED.sub(lambda run: f"^{{{_plain(run[0])}}}", text)
    text = _LOWERED.sub(lambda run: f"_{{{_plain(run[0])}}}", text)
    text = _FRACTION.sub(lambda sign: r"\frac{{{}}}{{{}}}".format(*_plain(sign[0]).split("⁄")), text)
    text = _ROOT.sub(_root, text).translate(_SIGNS)
    text = text.replace(r"\varnothing", r"\emptyset").replace(r"\imath", "i")
    text = text.replace(r"\lbrace", r"\{").replace(r"\rbrace", r"\}")
    text = _DEGREE.sub(lambda found: "" if found[0].startswith("{}") and "o" not in found[0] else r"^{\circ}", text)
    text = _TIMES.sub(r"\\times ", text)
    text = _CONSTANT.sub(lambda found: f" {found[1] or found[2] or found[3]} ", text)
    text = _PI.sub(r"\\pi ", _IMAGINARY.sub(" i", text))
    text = _FUNCTION.sub(lambda found: rf"\{found[1]} ", text)
    text = _ROMAN.sub(lambda found: rf"\text{{{found[1] or found[2]}}}", text)
    text = found[1] if (found := _TEXT.fullmatch(text)) else text
    text = _EXPLICIT_COMMA.sub("", text)
    text = _SPACED_THOUSANDS.sub(lambda found: re.sub(r"\\.| ", "", found[0]), text)
    text = text.replace(r"\!", "")
    text = _COMMA_ARGUMENT.sub(lambda found: f"{{{found[1].replace(',', '')}}}", text)
    text = _COMMAS.sub(_without_commas, text)
    text = _SPACE_COMMAND.sub(" ", text)
    text = _MIXED.sub(_mixed, text)
    text = _EXPONENT.sub(r"\1\\times 10^{\2}", text)
    text = _SCALE.sub(lambda found: rf"\times 10^{{{_SCALES[found[1]]}}} ", text)
    text = _REPEATING.sub(_repeating, text)
    return _relation(_claim(_bare(text)))


def _plain(text: str) -> str:
    """Returns superscript and subscript characters as ordinary ones, and `½` as `1⁄2`."""
    return unicodedata.normalize("NFKC", text).translate({ord("−"): "-"})


def _without_commas(found: re.Match[str]) -> str:
    if found["brackets"] is None:
        return found[0].replace(",", "")
    if not re.search(r",\s", found[0]):
        return found[0]
    return _COMMAS_WITHIN.sub(lambda number: number[0].replace(",", ""), found[0])


def _mixed(found: re.Match[str]) -> str:
    whole, over, under = int(found[2]), int(found[3] or found[5]), int(found[4] or found[6])
    return rf"{found[1]}\frac{{{whole * under + over}}}{{{under}}}"


def _root(found: re.Match[str]) -> str:
    index = {"√": "", "∛": "[3]", "∜": "[4]"}[found[1]]
    inner = found["inner"] or (found[2][1:-1] if found[2].startswith(("{", "(")) else found[2])
    return rf"\sqrt{index}{{{inner}}}"


def _repeating(found: re.Match[str]) -> str:
    whole, still, period = found[1], found[2], found[3] or found[4]
    numerator = int(whole + still + period) - int(whole + still or "0")
    return rf"\frac{{{numerator}}}{{{'9' * len(period)}{'0' * len(still)}}}"


def _bare(text: str) -> str:
    """Returns the text without the spaces, math delimiters and full stops around it."""
    text = text.strip()
    text = text if text.endswith(r"\right.") else text.rstrip(".,; ")
    text = re.sub(r"\\[()\[\]]\s*+$|^\s*+\\[(\[]", "", text) if re.match(r"\\[(\[]", text) else text
    text = text if text.endswith(r"\right.") else text.rstrip(".,; ")
    return re.sub(r"\.\s*\}$", "}", text).strip()


def _claim(text: str) -> str:
    r"""Returns what a set such as `\{x \mid x < 0\}` states about its numbers, in place of the set; else the text."""
    if r"\{" in text:
        text = _with_usual_names(_SET_MARK.sub("", text))
    found = _SET_BUILDER.fullmatch(text)
    claim = found["claim"][: -len(r"\}")].strip() if found else text
    return text if r"\mathbb" in claim else claim


def _with_usual_names(text: str) -> str:
    r"""Returns a set builder with its bound variables named x, y, z: `\{t \mid t > 2\}` is `\{x \mid x > 2\}`."""
    head = _SET_HEAD.match(text)
    if head is None:
        return text
    bound = [name for name in re.split(r"[\s,]+", head["names"] or head["name"]) if name]
    usual = dict(zip(bound, "xyz", strict=False))
    free = set(_SYMBOL.findall(text)) - set(bound)
    if len(usual) < len(bound) or free & set(usual.values()):
        return text
    return _SYMBOL.sub(lambda symbol: usual.get(symbol[0], symbol[0]), text)


def is_ambiguous(text: str) -> bool:
    """Returns whether brackets in an answer hold a list with two readings: `(1,100, 200)` is 1100 and 200 if the comma
    separates thousands, or 1, 100 and 200 if the space is ignored."""
    return any(
        re.search(r",\s", brackets[0]) and re.search(r"(?<![\d.,])\d{1,3},[1-9]\d{2}(?![\d.])", brackets[0])
        for brackets in _BRACKETS.finditer(text)
    )


def without_spaces_in_lists(text: str) -> str:
    """Returns the text without spaces after commas in brackets, so that no comma separates thousands."""
    return _BRACKETS.sub(lambda brackets: re.sub(r",\s+", ",", brackets[0]), text)


def is_set_builder(text: str) -> bool:
    r"""Returns whether a normal form is a set such as `\{(x, y) \mid x = y\}` or `\{n \in \mathbb{Z} \mid n > 0\}`."""
    return text.startswith(r"\{") and text.endswith(r"\}") and _SUCH_THAT.search(text) is not None


def _relation(text: str) -> str:
    """Returns `= 5` as 5, and `< 5` with a left side, so that it is a relation and not the number 5."""
    text = _LEADING_EQUALS.sub("", text, count=1) if _LEADING_EQUALS.match(text) else text
    return f"x {text}" if _LEADING_RELATION.match(text) else text
