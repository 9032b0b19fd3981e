"""Every text that a record can bring is shown as text on the page: no element, attribute or script comes of it."""

import json
from html.parser import HTMLParser

from fake_run import make_leaderboard
from report_world import IMAGE, PROVENANCE, SCRIPT, random_control, record_of

from harness.report.page import make_report
from harness.results.leaderboard import Leaderboard

HOSTILE = f'"><svg onload=alert(1)>{IMAGE}{SCRIPT}{{{{ 7*7 }}}}</style></title></textarea>'


class Elements(HTMLParser):
    """The elements of a page, and the attributes that could run something or ask for something."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.risky, self.text = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (name in ("href", "src", "action") and not (value or "").startswith("#")):
                self.risky.append((tag, name, value))

    def handle_data(self, data):
        self.text.append(data)


def poisoned(value, key=""):
    """Returns JSON data in which every free text is hostile: names, labels, remarks, notes, plugins and tasks."""
    free = {
        "model",
        "protocol",
        "label",
        "remark",
        "plugin",
        "task",
        "metric",
        "filter",
        "notes",
        "task_hash",
        "backend",
    }
    if isinstance(value, dict):
        return {name: poisoned(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, key) for item in value]
    return HOSTILE if isinstance(value, str) and key in free else value


def test_no_text_of_a_record_becomes_more_than_a_text(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path, seeds=(0, 1))
    data = poisoned(json.loads(random_control(leaderboard).to_json()))
    data["notes"] = [HOSTILE]
    data["metrics"] = {HOSTILE: {"plugin": "x", "config": {}, "higher_is_better": True, "decimals": 1}}
    data["rows"][0]["metrics"] = {HOSTILE: data["rows"][0]["average"]}
    for row in data["rows"]:
        row["method"] = f"{row['method']} {HOSTILE}"
        if row["recovery"]:
            row["recovery"]["config"] = {"score": HOSTILE}
    text = json.dumps(data).replace('"math"', json.dumps(f"math {HOSTILE}"))
    hostile = Leaderboard.parse(text, "test")
    provenance = PROVENANCE | {
        "hardware": {"processor": HOSTILE, "gpus": [HOSTILE]},
        "git": {HOSTILE: {"revision": HOSTILE, "dirty": True}},
        "packages": {HOSTILE: HOSTILE},
        "invocations": [{"command": [HOSTILE], "started": HOSTILE, "ended": HOSTILE}],
        HOSTILE: HOSTILE,
    }
    record = record_of(hostile)
    plain = Elements(make_report(record_of(random_control(leaderboard))).html)
    shown = Elements(
        make_report(
            type(record)(leaderboard=hostile, protocol=f"summary: {HOSTILE}\ntrain: {HOSTILE}\n", provenance=provenance)
        ).html
    )
    assert shown.risky == []
    assert set(shown.tags) <= set(plain.tags) | {"pre", "code"}
    assert shown.tags.count("script") == plain.tags.count("script") == 1
    assert shown.tags.count("title") == shown.tags.count("style") == 1
    whole = "".join(shown.text)
    assert whole.count(HOSTILE) > 20
