"""The samples as the data of the page: verdicts of all test items, and texts of a bounded choice of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from harness._util.printable import printable
from harness.execution.store import Store
from harness.execution.stored_samples import samples_of
from harness.planning.plan import Plan
from harness.report.samples.choice import in_order, shares
from harness.report.samples.verdicts import Item, RunVerdicts, Verdicts, items_of, stored_evaluations

MOST_TEXT_BYTES = 250_000
"""The size of all texts in the page."""
MOST_ITEMS = 150
"""The texts of at most this many test items of a domain are in the page."""
MOST_CHARACTERS = 1200
"""Longer prompts, targets and completions are cut."""


def page_data(plan: Plan, store: Store, verdicts: RunVerdicts) -> dict[str, Any]:
    """Returns the data of the browser of samples as JSON data. Control characters in texts are escaped.

    Raises DamagedResult if a file has changed in the store.
    """
    keys = list(dict.fromkeys(place.key for place in verdicts.places))
    chosen = {name: list(islice(in_order(verdicts, name), MOST_ITEMS)) for name in verdicts.by_domain}
    texts = {name: _texts(plan, store, keys, name, items) for name, items in chosen.items()}
    sizes = {name: [len(json.dumps(one)) for one in own] for name, own in texts.items()}
    taken = shares(sizes, MOST_TEXT_BYTES, MOST_ITEMS)
    return {
        "run": plan.run_name,
        "seed": verdicts.seed,
        "places": [
            {"method": one.method, "step": one.step, "label": one.label, "checkpoint": keys.index(one.key)}
            for one in verdicts.places
        ],
        "domains": [_domain(name, keys, own, texts[name][: taken[name]]) for name, own in verdicts.by_domain.items()],
    }


def _domain(
    name: str, keys: Sequence[str], own: Mapping[str, Verdicts], texts: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    items = items_of(own)
    return {
        "name": name,
        "tasks": [{"name": task, "items": _numbers(items, task)} for task in dict.fromkeys(task for task, _ in items)],
        "right": [_bits(own.get(key), items, True) for key in keys],
        "unscored": [_bits(own.get(key), items, None) for key in keys],
        "texts": [one | {"item": items.index(one["item"])} for one in texts],
    }


def _numbers(items: Sequence[Item], task: str) -> int | list[int]:
    """Returns the numbers of a task's items, or only how many there are if they count from 0."""
    numbers = [number for own, number in items if own == task]
    return len(numbers) if numbers == list(range(len(numbers))) else numbers


def _bits(verdicts: Verdicts | None, items: Sequence[Item], wanted: bool | None) -> str | None:
    """Returns which items have this verdict, one bit for each, lowest first, in base64. None if nothing was scored, or
    if every item has a score and those without are wanted."""
    if verdicts is None:
        return None
    number = sum(1 << place for place, item in enumerate(items) if verdicts.get(item) is wanted)
    if wanted is None and not number:
        return None
    return base64.b64encode(number.to_bytes((len(items) + 7) // 8, "little")).decode()


def _texts(plan: Plan, store: Store, keys: Sequence[str], domain: str, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Returns the texts of the items: the prompt, the target, the different completions, and for each checkpoint which
    one of them it gave, with its score."""
    chosen = set(items)
    found: dict[Item, dict[str, Any]] = {}
    for place, key in enumerate(keys):
        evaluation = stored_evaluations(plan, store, key).get(domain)
        for row in samples_of(store, evaluation) if evaluation is not None else ():
            item = (row["task"], row["item"])
            if item not in chosen or row["repeat"]:
                continue
            new = {"item": item, "prompt": shown(row["prompt"]), "target": shown(row["target"])}
            entry = found.setdefault(item, new | {"completions": [], "answers": [None] * len(keys)})
            text = shown(row["completion"])
            if text not in entry["completions"]:
                entry["completions"].append(text)
            entry["answers"][place] = [entry["completions"].index(text), row["score"]]
    return [found[item] for item in items if item in found]


def shown(text: str | None) -> str | None:
    """Returns a text as the page shows it: cut, with control characters escaped."""
    if text is None:
        return None
    left = len(text) - MOST_CHARACTERS
    cut = text if left <= 0 else f"{text[:MOST_CHARACTERS]} … {left:,} more characters"
    return printable(cut)


def embedded(data: Any) -> str:
    """Returns JSON for a script element. No text in it ends the element or begins a comment."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
