"""Renders charts as SVG and PNG."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import altair

from harness.domains.sandbox import LineWorker
from harness.report.figure import Row
from harness.report.plots.printable import printable
from harness.report.theme import config

SVG = "http://www.w3.org/2000/svg"
SECONDS = 120.0
"""The time limit for one picture."""
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_PROCESS = LineWorker("harness.report.drawing_process", hint="is vl-convert-python installed?")
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


class UndrawnError(Exception):
    """A figure cannot be drawn. The page shows the message."""


def data(rows: list[Row]) -> altair.InlineData:
    """Returns the rows as inline chart data."""
    return altair.InlineData(values=printable(rows))


def draw(chart: altair.TopLevelMixin) -> str:
    """Returns a chart as the text of an SVG file, in light colours, without network access.

    Raises UndrawnError if the drawing library fails.
    """
    with altair.data_transformers.enable("default", max_rows=None):
        specification = chart.to_dict()
    specification["config"] = config()
    root = ElementTree.fromstring(_drawn({"chart": printable(specification)}, "svg"))
    # vl-convert numbers gradients per process, so the ids would depend on the charts drawn before.
    named = (element for element in root.iter() if "id" in element.attrib)
    _rename(root, {element.attrib["id"]: f"part-{index}" for index, element in enumerate(named)})
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def rasterize(svg: str) -> bytes:
    """Returns an SVG as PNG at twice its size in pixels. Raises UndrawnError if the drawing library fails."""
    return base64.b64decode(_drawn({"svg": svg}, "png"))


def _drawn(request: Mapping[str, Any], kind: str) -> str:
    try:
        reply: Mapping[str, str] = _PROCESS.ask(request, SECONDS)
    except TimeoutError:
        raise UndrawnError(f"drawing took more than {SECONDS:g} s") from None
    except ConnectionError:
        raise UndrawnError("the drawing library crashed") from None
    if kind not in reply:
        raise UndrawnError(f"the drawing library failed: {reply['error']}")
    return reply[kind]


def _rename(root: ElementTree.Element, names: Mapping[str, str]) -> None:
    """Renames ids and the references to them."""
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute == "id":
                element.set(attribute, names[value])
            elif attribute.endswith("href") and value[1:] in names:
                element.set(attribute, f"#{names[value[1:]]}")
            elif found := _REFERENCE.fullmatch(value):
                element.set(attribute, f"url(#{names.get(found[1], found[1])})")
