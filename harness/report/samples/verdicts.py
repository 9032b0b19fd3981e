"""Which test items each checkpoint of a run answers right, for the first seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.execution.store import Store
from harness.execution.stored_samples import samples_of
from harness.planning.plan import Plan
from harness.planning.titles import step_label

MOST_VERDICTS = 600_000
"""More checkpoints than this many items are left out of the page: they take 100 kB."""

Item = tuple[str, int]
"""The task of a test item, and its number there."""
Verdicts = Mapping[Item, bool | None]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A checkpoint of a method. key: of the checkpoint, which methods may share."""

    method: str
    step: int
    label: str
    key: str


@dataclass(frozen=True, kw_only=True)
class RunVerdicts:
    """The verdicts of one seed. places: every step of every method. by_domain: for each domain, by the key of the
    checkpoint. left_out: the number of checkpoints that did not fit."""

    seed: int
    places: tuple[Place, ...]
    by_domain: Mapping[str, Mapping[str, Verdicts]]
    left_out: int

    def steps(self) -> Iterator[tuple[str, str]]:
        """Yields every step as the keys of the checkpoints before and after it. Steps that methods share come once."""
        found = dict.fromkeys(
            (before.key, after.key)
            for before, after in zip(self.places, self.places[1:], strict=False)
            if before.method == after.method
        )
        yield from found


def read_verdicts(plan: Plan, store: Store) -> RunVerdicts | None:
    """Returns the verdicts of the first seed of a complete or partial run, None if no checkpoint has samples.

    Raises DamagedResult if a file has changed in the store.
    """
    seed = plan.seeds[0]
    places = [
        Place(method=method.name, step=step, label=step_label(plan.nodes[key]), key=key)
        for method in plan.methods
        if method.seed == seed
        for step, key in enumerate(method.lineage)
    ]
    by_domain: dict[str, dict[str, Verdicts]] = {name: {} for name in plan.scored_names}
    left_out, room = set(), MOST_VERDICTS
    for key in dict.fromkeys(place.key for place in places):
        found = {name: _verdicts(store, one) for name, one in stored_evaluations(plan, store, key).items()}
        room -= sum(map(len, found.values()))
        if room < 0:
            left_out.add(key)
            continue
        for name, verdicts in found.items():
            by_domain[name][key] = verdicts
    known = {name: own for name, own in by_domain.items() if own}
    shown = tuple(place for place in places if any(place.key in own for own in known.values()))
    if not shown:
        return None
    return RunVerdicts(seed=seed, places=shown, by_domain=known, left_out=len(left_out))


def stored_evaluations(plan: Plan, store: Store, checkpoint: str) -> dict[str, str]:
    """Returns the keys of the evaluations of a checkpoint that are in the store, by domain."""
    found: Mapping[str, str] = plan.evaluations.get(checkpoint, {})
    return {name: key for name, key in found.items() if store.holds(key) and _has_samples(store, key)}


def _has_samples(store: Store, key: str) -> bool:
    return any(store.path(key).glob("samples_*.jsonl"))


def _verdicts(store: Store, key: str) -> Verdicts:
    return {(row["task"], row["item"]): row["right"] for row in samples_of(store, key) if row["repeat"] == 0}


def items_of(by_checkpoint: Mapping[str, Verdicts]) -> Sequence[Item]:
    """Returns the test items of a domain in the order of its tasks and their numbers."""
    return list(dict.fromkeys(item for verdicts in by_checkpoint.values() for item in verdicts))
