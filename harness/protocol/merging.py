"""Merge steps of a protocol: which methods they merge, by which weights, and in which order methods are read for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from harness.protocol.data import ExpertMethod, MergeStep, Step
from harness.protocol.faults import Faults, near_match
from harness.protocol.plugin_uses import PluginUses
from harness.protocol.source import KeyPath

_WRITE = "write a list of methods, or a mapping of methods to weights"


def reading_order(methods: Mapping[str, Any], faults: Faults) -> list[str]:
    """Returns the methods' names, each behind those that it merges; notes a fault for those that merge one another."""
    merged = {name: [expert for expert in _names(steps) if expert in methods] for name, steps in methods.items()}
    sorter = TopologicalSorter(merged)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        circle = [str(name) for name in reversed(error.args[1])]
        told = "merges itself" if len(circle) == 2 else f"is merged in a circle: {' merges '.join(circle)}"
        faults.add(("methods", circle[0]), told, "a merge needs its experts to be there before it")
        return list(methods)


def _names(steps: Any) -> list[str]:
    """Returns the names that a method's merges hold, whatever else is wrong with it."""
    merges = [step["merge"] for step in steps if isinstance(step, dict) and "merge" in step] if _listed(steps) else []
    return [name for merge in merges if _listed(merge) or isinstance(merge, dict) for name in merge if _text(name)]


def _listed(value: Any) -> bool:
    return isinstance(value, list)


def _text(value: Any) -> bool:
    return isinstance(value, str)


class MergeReader:
    """Reads the merge steps of a protocol, knowing the methods that were read before. methods: all that there are."""

    def __init__(self, *, methods: Sequence[str], uses: PluginUses, faults: Faults) -> None:
        self._methods = methods
        self._uses = uses
        self._faults = faults
        self._read: dict[str, tuple[Step, ...] | None] = {}
        self._trained: dict[str, tuple[str, ...]] = {}

    def keep(self, name: str, steps: tuple[Step, ...] | None, trained: Collection[str]) -> None:
        """Remembers a method and the domains that it trains; None where what it trains is not clear."""
        self._read[name] = steps
        self._trained[name] = tuple(sorted(trained))

    def read(
        self, step: Mapping[str, Any], at: KeyPath, position: int
    ) -> tuple[tuple[str, ...] | None, MergeStep | None]:
        """Returns the domains that the experts trained, None where that is not clear, and the step where it is right.

        position: the step's place in its method's lineage. What is wrong is noted.
        """
        weights = self._weights(step["merge"], (*at, "merge"))
        if position > 1:
            message = "a merge can only be a method's first step"
            self._faults.add((*at, "merge"), message, "it starts from the base: make a method of the steps before it")
        merge = self._plugin(step, at)
        if weights is None:
            return None, None
        methods = {name: self._read.get(name) for name in weights}
        trained = tuple(sorted({domain for name in weights for domain in self._trained.get(name, ())}))
        experts = tuple(
            ExpertMethod(name=name, weight=weight, steps=steps)
            for name, weight in weights.items()
            if (steps := methods[name])
        )
        if len(experts) < len(weights):  # a fault of that method is told there
            return None, None
        if merge is None or position > 1:
            return trained, None
        label = f"merge {' + '.join(weights)} ({step['with']})"
        return trained, MergeStep(label=label, merge=merge, experts=experts)

    def _plugin(self, step: Mapping[str, Any], at: KeyPath) -> Any:
        if "with" not in step:
            names = ", ".join(sorted({found.name for found in self._uses.registry.all("merge")})) or "none"
            self._faults.add((*at, "with"), "is missing", f"name a way to merge; there are: {names}")
            return None
        config = {key: value for key, value in step.items() if key not in ("merge", "with")}
        return self._uses.use(
            "merge", step["with"], config, at=(*at, "with"), place=lambda key: (*at, key), beside=["merge", "with"]
        )

    def _weights(self, value: Any, at: KeyPath) -> dict[str, float] | None:
        """Returns the weights of the methods that a merge names, in the order written, or None with a fault."""
        if isinstance(value, dict):
            named: list[tuple[Any, KeyPath, Any]] = [(name, (*at, name), weight) for name, weight in value.items()]
        elif isinstance(value, list):
            named = [(name, (*at, index), 1.0) for index, name in enumerate(value)]
        else:
            named = []
        if len(named) < 2:
            what = f"names one expert, {named[0][0]!r}" if named else f"names no experts: {value!r}"
            self._faults.add(at, what, f"a merge takes two or more; {_WRITE}")
            return None
        right = [self._known(name, place) and self._weighed(weight, place) for name, place, weight in named]
        if not all(right):
            return None
        weights = {name: float(weight) for name, _, weight in named}
        if len(weights) < len(named):
            self._faults.add(at, "names a method twice", "for more weight, write a mapping of methods to weights")
            return None
        return weights

    def _known(self, name: object, at: KeyPath) -> bool:
        if isinstance(name, str) and name in self._methods:
            return True
        if isinstance(name, str):
            self._faults.add(at, f"there is no method {name!r}", near_match(name, self._methods, called="there are"))
        else:
            self._faults.add(at, f"should be a method's name, not {name!r}")
        return False

    def _weighed(self, weight: Any, at: KeyPath) -> bool:
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if number and weight > 0:
            return True
        self._faults.add(at, f"the weight should be a number above 0, not {weight!r}")
        return False
