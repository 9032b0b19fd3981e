"""Folders of kept records for the tests of the site, and its pages parsed."""

import json
from html.parser import HTMLParser

from fake_run import make_leaderboard
from report_world import IMAGE, SCRIPT, full_record

from harness.report.training_curves import StageCurve, curves_to_json
from harness.results.rebuild import rebuilt

FORMULA = '=HYPERLINK("http://localhost","y")'
PUBLISHED = {
    "title": f"Paper {SCRIPT}",
    "arxiv": "2402.03300",
    "url": "javascript:alert(1)",
    "source": IMAGE,
    "note": FORMULA,
    "columns": ["=1+1", "Math"],
    "rows": [{"model": "@m", "method": "+theirs", "cells": {"=1+1": None, "Math": {"value": 1.5, "grade": "S"}}}],
}


def keep(folder, leaderboard, *, protocol=""):
    """Writes a kept record: the leaderboard, and the protocol's text if there is one."""
    folder.mkdir(parents=True)
    (folder / "leaderboard.json").write_text(leaderboard.to_json())
    if protocol:
        (folder / "protocol.yaml").write_text(protocol)
    return folder


def keep_run(folder, scratch, *, protocol="", **settings):
    """Keeps the record of a made-up run with these settings of `make_leaderboard`."""
    leaderboard, _ = make_leaderboard(scratch / folder.name, **settings)
    keep(folder, leaderboard, protocol=protocol)
    return leaderboard


def keep_hostile(folder, scratch):
    """Keeps a record whose names, settings and published rows are markup and formulas."""
    protocol = json.dumps(
        {
            "name": SCRIPT,
            "summary": IMAGE,
            "model": {"use": SCRIPT},
            "domains": {IMAGE: {"use": IMAGE}, "math": "not a mapping"},
            "train": {"with": "grpo", IMAGE: SCRIPT},
            "methods": {SCRIPT: [IMAGE, {"recover": IMAGE, "with": ["a", "list"]}], FORMULA: "not a list"},
            "probes": "not a list",
        }
    )
    leaderboard = rebuilt(full_record(scratch).leaderboard)
    rows = tuple(
        row.model_copy(update={"method": FORMULA}) if row.method == "re-math" else row for row in leaderboard.rows
    )
    leaderboard = leaderboard.model_copy(update={"rows": rows, "protocol": SCRIPT, "notes": (IMAGE,)})
    keep(folder, rebuilt(leaderboard), protocol=protocol)
    keep_curves(folder, FORMULA, label=IMAGE)
    published = folder.parent / "published"
    published.mkdir()
    (published / "paper.yaml").write_text(json.dumps(PUBLISHED))


def keep_curves(folder, method, label="train code"):
    """Keeps made-up training curves of the first step of a method."""
    values = {"reward": ((0.5, 0.4, 0.6), None, (0.7, 0.6, 0.8)), "KL": ((0.0, 0.0, 0.1),) * 3}
    curve = StageCurve(
        methods=(method,), step=1, label=label, seeds=(0, 1), last=3.0, at=(1.0, 2.0, 3.0), values=values
    )
    (folder / "curves.json").write_text(curves_to_json([curve]))


class Page(HTMLParser):
    """The tags with their attributes, and the text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def pages_of(site):
    """Returns the pages of a written site by their paths."""
    return {path.relative_to(site).as_posix(): Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
