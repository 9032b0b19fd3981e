"""The summary of a protocol at the top of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.report.captions import items, listed
from harness.report.record import RunRecord
from harness.report.stages import short_name
from harness.report.tables.layout import header
from harness.results.leaderboard import Leaderboard

MOST_METHODS = 12
_LINE = re.compile(r"^(?P<key>summary|train):[ \t]*(?P<text>\S.*?)[ \t]*$", re.MULTILINE)


def protocol_summary(record: RunRecord) -> list[tuple[str, str]]:
    """Returns pairs of a word and a text: the model, domains, training, seeds, test items and the protocol's own words.

    The protocol's text is only quoted: a record may come from elsewhere.
    """
    leaderboard = record.leaderboard
    quoted = {found["key"]: found["text"].strip("\"'") for found in _LINE.finditer(record.protocol)}
    pairs = [
        ("About", quoted.get("summary", "")),
        ("Base model", leaderboard.model),
        ("Domains", ", ".join(header(leaderboard, column) for column in leaderboard.columns)),
        ("Training", quoted.get("train", "").strip("{}")),
        ("Seeds", listed([str(seed) for seed in leaderboard.seeds], 12)),
        ("Test items", items(leaderboard).removeprefix("n = ").removesuffix(".")),
        ("Computed", _computed(record)),
    ]
    return [(word, text) for word, text in pairs if text]


def method_stages(leaderboard: Leaderboard) -> tuple[list[tuple[str, list[str]]], int]:
    """Returns the stages of each method, and the number of methods that are left out."""
    rows = [row for row in leaderboard.rows if not row.reference]
    shown = [(row.method, [short_name(step) for step in row.trajectory[1:]]) for row in rows[:MOST_METHODS]]
    return shown, len(rows) - len(shown)


def _computed(record: RunRecord) -> str:
    return ", ".join(_where(record))


def _where(record: RunRecord) -> Iterator[str]:
    invocations = record.provenance.get("invocations")
    started = (
        [one.get("started") for one in invocations if isinstance(one, dict)] if isinstance(invocations, list) else []
    )
    days = [text[:10] for text in started if isinstance(text, str) and len(text) >= 10]
    if days:
        yield days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    hardware = record.provenance.get("hardware")
    if isinstance(hardware, dict):
        gpus = hardware.get("gpus")
        if isinstance(gpus, list) and gpus:
            yield listed([str(gpu) for gpu in gpus], 2)
        elif hardware.get("processor"):
            yield str(hardware["processor"])
