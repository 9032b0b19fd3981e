"""The contract of `harness_table_formats`."""

from itertools import count

import pytest
from shipped_offers import SHIPPED, offers

from harness import PluginError, TableFormat, TableFormatSpec

NUMBERS = count()


def small(render) -> TableFormatSpec:
    """A table format made of a function of the leaderboard."""
    made = type(
        "Small", (TableFormat,), {"__init__": lambda self, c: None, "render": lambda self, board: render(board)}
    )
    return TableFormatSpec(name="small", summary="A small format", extension="txt", load=made)


def words(board) -> str:
    return " ".join([*board.columns, *(row.method for row in board.rows)])


@offers("table-format")
def test_shipped_formats_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


def test_the_shipped_formats_have_an_extension_each():
    extensions = [offer.spec.extension for offer in SHIPPED.all("table-format")]
    assert len(set(extensions)) == len(extensions)
    assert not any(extension.startswith(".") for extension in extensions)


def test_a_small_format_keeps_it(check_small):
    check_small(small(words))


@pytest.mark.parametrize(
    ("render", "message"),
    [
        (lambda board: "", "returned ''"),
        (lambda board: b"code", "returned b'code'"),
        (lambda board: words(board).replace("math", ""), "'math' is not in"),
        (lambda board: words(board).replace("recovered", ""), "'recovered' is not in"),
        (lambda board: f"{words(board)} {next(NUMBERS)}", "two renderings"),
    ],
)
def test_what_breaks_it(check_small, render, message):
    with pytest.raises(PluginError) as raised:
        check_small(small(render))
    assert message in raised.value.message
