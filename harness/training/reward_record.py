"""The reward outcomes and wall times of a training step so far, by domain and by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Self

from harness.plugin.interfaces import RewardResult

FIRST_ROUNDS = 5
"""The number of generation rounds after which a reward that never varied causes a warning."""
WINDOW = 256
"""The number of a domain's latest completions for the error rate, rounded up to whole batches."""


class RewardRecord:
    """Outcomes by domain and by part of a reward, and wall times. `as_json` is saved for resuming a killed process.

    recent: the outcomes of each domain's latest batches, oldest first, per process. alike: the number of rounds, if in
    none of them the rewards of a group differed; None once they did.
    """

    def __init__(self, domains: Sequence[str]) -> None:
        self.outcomes: dict[str, Counter[str]] = {name: Counter() for name in domains}
        self.parts: dict[str, dict[str, Counter[str]]] = {}
        self.seconds: dict[str, float] = {}
        self.recent: dict[str, list[Counter[str]]] = {name: [] for name in domains}
        self.alike: dict[str, int | None] = dict.fromkeys(domains, 0)

    def add(self, domain: str, results: Sequence[RewardResult]) -> None:
        """Counts the results of one batch of a domain."""
        self._add_recent(domain, Counter(result.outcome for result in results))
        for result in results:
            self.outcomes[domain][result.outcome] += 1
            for name, part in parts_of(result):
                self.parts.setdefault(domain, {}).setdefault(name, Counter())[part.outcome] += 1

    def add_round(self, domain: str, prompts: Sequence[Any], results: Sequence[RewardResult]) -> None:
        """Records whether rewards differ within a group: consecutive completions of the same prompt."""
        groups = [[results[i].value for i, _ in group] for _, group in groupby(enumerate(prompts), key=itemgetter(1))]
        scored = [{value for value in group if value is not None} for group in groups]
        rounds = self.alike[domain]
        if rounds is not None and any(scored):
            self.alike[domain] = None if any(len(values) > 1 for values in scored) else rounds + 1

    def never_varied(self) -> dict[str, int]:
        """Returns the domains whose rewards never differed within a group, with the number of rounds. Empty before
        `FIRST_ROUNDS` rounds."""
        return {name: rounds for name, rounds in self.alike.items() if rounds is not None and rounds >= FIRST_ROUNDS}

    def latest(self, domain: str) -> Counter[str]:
        """Returns the outcomes of the domain's latest batches with at least `WINDOW` completions, or all so far."""
        return sum(self.recent[domain], Counter())

    def _add_recent(self, domain: str, batch: Counter[str]) -> None:
        recent = self.recent[domain]
        recent.append(batch)
        while sum(counts.total() for counts in recent[1:]) >= WINDOW:
            del recent[0]

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        """Adds wall times, by domain or `domain/part`."""
        for name, spent in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + spent

    def as_json(self) -> dict[str, Any]:
        """Returns the record as plain data."""
        parts = {domain: {name: dict(part) for name, part in named.items()} for domain, named in self.parts.items()}
        outcomes = {name: dict(counts) for name, counts in self.outcomes.items()}
        recent = {name: [dict(counts) for counts in batches] for name, batches in self.recent.items()}
        alike = dict(self.alike)
        return {"outcomes": outcomes, "parts": parts, "seconds": dict(self.seconds), "recent": recent, "alike": alike}

    @classmethod
    def from_json(cls, domains: Sequence[str], data: Mapping[str, Any]) -> Self:
        """Returns the record from the output of `as_json`."""
        record = cls(domains)
        record.outcomes = {name: Counter(data["outcomes"].get(name, {})) for name in domains}
        record.parts = {
            domain: {name: Counter(part) for name, part in named.items()} for domain, named in data["parts"].items()
        }
        record.seconds = dict(data["seconds"])
        record.recent = {name: [Counter(counts) for counts in data.get("recent", {}).get(name, [])] for name in domains}
        record.alike = {name: data.get("alike", {}).get(name, 0) for name in domains}
        return record

    @classmethod
    def of_ranks(cls, domains: Sequence[str], ranks: Sequence[Mapping[str, Any]]) -> Self:
        """Returns the counts summed over all ranks, and the longest of each wall time: ranks run in parallel."""
        total = cls(domains)
        for data in ranks:
            own = cls.from_json(domains, data)
            for name in domains:
                total.outcomes[name] += own.outcomes[name]
                both = (total.alike[name], own.alike[name])
                total.alike[name] = None if None in both else max(rounds or 0 for rounds in both)
            for domain, named in own.parts.items():
                for name, part in named.items():
                    total.parts.setdefault(domain, {}).setdefault(name, Counter()).update(part)
            for name, spent in own.seconds.items():
                total.seconds[name] = max(spent, total.seconds.get(name, 0.0))
        return total

    def report(self) -> dict[str, Any]:
        """Returns the rewards section of a step's report."""
        data = self.as_json()
        return {
            "reward_outcomes": data["outcomes"],
            "reward_outcomes_of_parts": data["parts"],
            "reward_never_varied": self.never_varied(),
            "reward_seconds": {name: round(spent, 3) for name, spent in self.seconds.items()},
        }


def parts_of(result: RewardResult, above: str = "") -> Iterator[tuple[str, RewardResult]]:
    """Yields a result's parts, recursively, each with its path of names."""
    for name, part in result.parts.items():
        yield f"{above}{name}", part
        yield from parts_of(part, f"{above}{name}/")


def mean_of_parts(results: Sequence[RewardResult]) -> dict[str, float]:
    """Returns the mean value of each part over the results that have it."""
    values: dict[str, list[float]] = {}
    for result in results:
        for name, part in parts_of(result):
            if part.value is not None:
                values.setdefault(name, []).append(part.value)
    return {name: sum(numbers) / len(numbers) for name, numbers in sorted(values.items())}
