"""Renders charts as SVG and PNG, and prepares SVG for the page."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import altair

from harness.domains.sandbox import LineWorker
from harness.report.figure import Layout, Row
from harness.report.theme import VARIABLES, config

SVG = "http://www.w3.org/2000/svg"
SECONDS = 120.0
"""The time limit for one picture."""
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_PAINTS = {"fill", "stroke", "stop-color"}
_PROCESS = LineWorker("harness.report.drawing_process", hint="is vl-convert-python installed?")
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


class UndrawnError(Exception):
    """A figure cannot be drawn. The page shows the message."""


def printable(value: Any) -> Any:
    """Returns `value` in which every character that HTML or XML cannot contain is a replacement character."""
    if isinstance(value, str):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {printable(key): printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable(item) for item in value]
    return value


def data(rows: list[Row]) -> altair.InlineData:
    """Returns the rows as inline chart data."""
    return altair.InlineData(values=printable(rows))


def draw(chart: altair.TopLevelMixin, layout: Layout) -> str:
    """Returns a chart for `layout` as the text of an SVG file, in light colours, without network access.

    Raises UndrawnError if the drawing library fails.
    """
    with altair.data_transformers.enable("default", max_rows=None):
        specification = chart.to_dict()
    specification["config"] = config(layout)
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


def inline(svg: str, prefix: str) -> str:
    """Returns an SVG for embedding in the page. It is hidden from assistive technology; its parent has a description.

    Background, text and grid take their colours from the page. The description of a mark becomes its tooltip. Every id
    starts with `prefix`, because the ids of a page share a namespace.
    """
    root = ElementTree.fromstring(svg)
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    for element in root.iter():
        label = element.attrib.pop("aria-label", None)
        role = element.attrib.pop("aria-roledescription", "")
        element.attrib.pop("role", None)
        if label and role in _MARKS:
            title = ElementTree.Element(f"{{{SVG}}}title")
            title.text = label
            element.insert(0, title)
        for name in _PAINTS & element.attrib.keys():
            element.set(name, VARIABLES.get(element.attrib[name], element.attrib[name]))
    named = (element.attrib["id"] for element in root.iter() if "id" in element.attrib)
    _rename(root, {name: prefix + name for name in named})
    return ElementTree.tostring(root, encoding="unicode")


_MARKS = {"point", "bar", "circle", "rect mark", "tick", "square", "symbol", "rule mark"}


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
