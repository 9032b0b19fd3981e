"""The small Python functions of the code domain, by what they take. Training and test use different functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Takes = Literal["number", "two numbers", "list", "list and number", "text", "words"]
PARAMETERS: Mapping[Takes, str] = {
    "number": "n",
    "two numbers": "a, b",
    "list": "xs",
    "list and number": "xs, n",
    "text": "s",
    "words": "words",
}


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function with a body of one expression.

    name, asked, result: its name, what it does (after "Write a function to"), and the expression; `{k}` in them is a
    constant from `constants`. values: whether some results are True and others False, so that both are tested.
    """

    name: str
    takes: Takes
    asked: Sequence[str]
    result: str
    constants: Sequence[int] = (0,)


def _f(takes: Takes, name: str, result: str, *asked: str, k: Sequence[int] = (0,)) -> Function:
    return Function(name=name, takes=takes, asked=asked, result=result, constants=k)


TRAINED = (
    _f("number", "add_{k}", "n + {k}", "add {k} to a number", "return a number plus {k}", k=range(2, 12)),
    _f("number", "times_{k}", "n * {k}", "multiply a number by {k}", "return {k} times a number", k=range(2, 12)),
    _f("number", "is_even", "n % 2 == 0", "check whether a number is even", "tell if a number is even"),
    _f("number", "divisible_by_{k}", "n % {k} == 0", "check whether a number is divisible by {k}", k=range(3, 12)),
    _f("number", "square", "n * n", "square a number", "return the square of a number"),
    _f("number", "above_{k}", "n > {k}", "check whether a number is greater than {k}", k=range(2, 30, 3)),
    _f("number", "double_plus_{k}", "2 * n + {k}", "double a number and add {k}", k=range(1, 10)),
    _f("number", "last_digit", "n % 10", "find the last digit of a positive number"),
    _f("number", "digits", "len(str(n))", "count the digits of a positive number", "find how many digits a number has"),
    _f("number", "sum_to", "sum(range(n + 1))", "add all numbers from 0 to n", "sum the numbers from 1 to n"),
    _f("two numbers", "add", "a + b", "add two numbers", "return the sum of two numbers"),
    _f("two numbers", "larger", "max(a, b)", "find the larger of two numbers", "return the bigger of two numbers"),
    _f("two numbers", "product", "a * b", "multiply two numbers", "return the product of two numbers"),
    _f("two numbers", "equal", "a == b", "check whether two numbers are equal"),
    _f("two numbers", "remainder", "a % b", "find the remainder of a divided by b"),
    _f("list", "total", "sum(xs)", "add all numbers of a list", "return the sum of a list"),
    _f("list", "largest", "max(xs)", "find the largest number of a list", "return the maximum of a list"),
    _f("list", "first", "xs[0]", "return the first item of a list", "get the first item of a list"),
    _f("list", "ascending", "sorted(xs)", "sort a list", "sort a list of numbers from small to large"),
    _f("list", "squares", "[x * x for x in xs]", "square every number of a list"),
    _f("list", "each_plus_{k}", "[x + {k} for x in xs]", "add {k} to every number of a list", k=range(1, 10)),
    _f("list", "evens", "[x for x in xs if x % 2 == 0]", "keep the even numbers of a list"),
    _f("list", "backward", "xs[::-1]", "reverse a list", "return a list in reverse order"),
    _f("list", "without_first", "xs[1:]", "remove the first item of a list"),
    _f("list", "length", "len(xs)", "count the items of a list", "return the length of a list"),
    _f("list and number", "contains", "n in xs", "check whether a list contains a number"),
    _f("list and number", "scaled", "[n * x for x in xs]", "multiply every number of a list by n"),
    _f("list and number", "first_n", "xs[:n]", "return the first n items of a list"),
    _f("list and number", "above", "[x for x in xs if x > n]", "keep the numbers of a list that are greater than n"),
    _f("text", "upper", "s.upper()", "write a string in upper case", "convert a string to upper case"),
    _f("text", "text_length", "len(s)", "find the length of a string", "count the characters of a string"),
    _f("text", "first_letter", "s[0]", "return the first letter of a string"),
    _f("text", "reversed_text", "s[::-1]", "reverse a string", "return a string backward"),
    _f("text", "repeat_{k}", "s * {k}", "repeat a string {k} times", k=range(2, 5)),
    _f("text", "exclaim", "s + '!'", "add an exclamation mark to the end of a string"),
    _f("text", "starts_with_a", "s.startswith('a')", "check whether a string starts with the letter a"),
    _f("text", "count_e", "s.count('e')", "count how often the letter e is in a string"),
    _f("words", "joined", "' '.join(words)", "join a list of words with spaces"),
    _f("words", "lengths", "[len(w) for w in words]", "find the length of each word of a list"),
    _f("words", "longest", "max(words, key=len)", "find the longest word of a list"),
)

TESTED = (
    _f("number", "minus_{k}", "n - {k}", "subtract {k} from a number", "return a number minus {k}", k=range(2, 12)),
    _f("number", "is_odd", "n % 2 == 1", "check whether a number is odd", "tell if a number is odd"),
    _f("number", "cube", "n ** 3", "cube a number", "return the cube of a number"),
    _f("number", "below_{k}", "n < {k}", "check whether a number is smaller than {k}", k=range(4, 40, 4)),
    _f("number", "square_plus_{k}", "n * n + {k}", "square a number and add {k}", k=range(1, 10)),
    _f("number", "half", "n // 2", "divide a number by 2 without the remainder"),
    _f("number", "negated", "-n", "change the sign of a number", "return the negative of a number"),
    _f("two numbers", "difference", "a - b", "subtract b from a", "return the difference of two numbers"),
    _f("two numbers", "smaller", "min(a, b)", "find the smaller of two numbers", "return the minimum of two numbers"),
    _f("two numbers", "mean_of_two", "(a + b) / 2", "find the average of two numbers"),
    _f("two numbers", "sum_above_{k}", "a + b > {k}", "check if two numbers sum to more than {k}", k=range(5, 60, 5)),
    _f("list", "smallest", "min(xs)", "find the smallest number of a list", "return the minimum of a list"),
    _f("list", "last", "xs[-1]", "return the last item of a list", "get the last item of a list"),
    _f("list", "descending", "sorted(xs, reverse=True)", "sort a list of numbers from large to small"),
    _f("list", "doubled", "[2 * x for x in xs]", "double every number of a list"),
    _f("list", "each_minus_{k}", "[x - {k} for x in xs]", "subtract {k} from every number of a list", k=range(1, 10)),
    _f("list", "odds", "[x for x in xs if x % 2 == 1]", "keep the odd numbers of a list"),
    _f("list", "without_last", "xs[:-1]", "remove the last item of a list"),
    _f("list", "spread", "max(xs) - min(xs)", "find the difference of the largest and the smallest number of a list"),
    _f("list", "positive_{k}", "[x for x in xs if x > {k}]", "keep the numbers of a list above {k}", k=range(0, 20, 2)),
    _f("list and number", "occurrences", "xs.count(n)", "count how often a number is in a list"),
    _f("list and number", "appended", "xs + [n]", "add a number to the end of a list"),
    _f("list and number", "last_n", "xs[-n:]", "return the last n items of a list"),
    _f("text", "lower", "s.lower()", "write a string in lower case", "convert a string to lower case"),
    _f("text", "last_letter", "s[-1]", "return the last letter of a string"),
    _f("text", "twice_and_{k}", "s * 2 + '{k}'", "repeat a string twice and add the digit {k}", k=range(1, 10)),
    _f("text", "ends_with_y", "s.endswith('y')", "check whether a string ends with the letter y"),
    _f("text", "without_a", "s.replace('a', '')", "remove the letter a from a string"),
    _f("text", "first_{k}_letters", "s[:{k}]", "return the first {k} letters of a string", k=range(2, 5)),
    _f("words", "dashed", "'-'.join(words)", "join a list of words with dashes"),
    _f("words", "initials", "[w[0] for w in words]", "find the first letter of each word of a list"),
    _f("words", "shortest", "min(words, key=len)", "find the shortest word of a list"),
)
