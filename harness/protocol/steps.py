"""Reads the steps of a method: the domains that each trains or recovers, its plugin and its config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel as PydanticModel

from harness.plugin.config import Config, TrainingPlace
from harness.plugin.specs import RecoverySpec
from harness.protocol.data import ExpertMethod, MergeStep, RecoverStep, Step, TrainStep
from harness.protocol.faults import Faults, near_match, validate
from harness.protocol.merging import MergeReader, MethodNames, ReadMethod
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.plugin_uses import PluginUses, config_of
from harness.protocol.source import KeyPath
from harness.protocol.train_defaults import TrainDefaults

VERBS = {"train": "trains", "recover": "recovers", "merge": "merges"}
ALL = "all"
"""The target of a recovery of every domain."""


class MethodReader:
    """Reads the steps of methods in order and tracks the domains trained so far."""

    def __init__(
        self,
        *,
        domains: Sequence[str],
        defaults: TrainDefaults,
        uses: PluginUses,
        faults: Faults,
        methods: Mapping[str, Any],
    ) -> None:
        self._domains = domains
        self._methods = methods
        self._names = MethodNames(methods, self.read, faults)
        self._merges = MergeReader(methods=self._names, defaults=defaults, uses=uses, faults=faults)
        self._defaults = defaults
        self._uses = uses
        self._faults = faults
        self._peaks: dict[str, int] = {}
        self._unclear = False
        self._labels: list[str | None] = []
        self._read: dict[str, ReadMethod] = {}
        self._open: list[str] = []

    def read(self, name: str) -> ReadMethod:
        """Returns the method `name`; reads it, and the methods that it names, unless they have been read. Records the
        faults of its steps, and a cycle."""
        if name in self._open:
            cycle = [*self._open[self._open.index(name) :], name]
            message = "needs itself" if len(cycle) == 2 else f"is part of a cycle: {' needs '.join(cycle)}"
            self._faults.add(("methods", name), message, "a method starts after those that it names have ended")
            return ReadMethod()
        if name not in self._read:
            outer = self._peaks, self._unclear, self._labels
            self._peaks, self._unclear, self._labels = {}, False, ["base"]
            self._open.append(name)
            self._read[name] = self._steps(self._methods[name], ("methods", name))
            self._open.pop()
            self._peaks, self._unclear, self._labels = outer
        return self._read[name]

    def _steps(self, steps: Any, at: KeyPath) -> ReadMethod:
        if not isinstance(steps, list):
            return ReadMethod()  # recorded with the shape of the file
        read = []
        for index, step in enumerate(steps):
            right = self._step(step, (*at, index), index + 1)
            self._labels.append(right.label if right is not None else None)
            read.append(right)
        valid = tuple(step for step in read if step is not None)
        return ReadMethod(steps=valid, whole=not self._unclear, trained=tuple(sorted(self._peaks)))

    def _step(self, step: Any, at: KeyPath, position: int) -> Step | None:
        """Returns the step at index `position` of the lineage, where 0 is the base."""
        if isinstance(step, str):
            return self._train({"train": step}, step, at, position, domain_at=at)
        if not isinstance(step, dict):
            self._unclear = True
            self._faults.add(at, "should be a domain's name or a mapping with `train`, `recover` or `merge`")
            return None
        verbs = [verb for verb in VERBS if verb in step]
        if len(verbs) != 1:
            self._unclear = True
            message = (
                f"both {' and '.join(VERBS[verb] for verb in verbs)}"
                if verbs
                else "neither trains, nor recovers, nor merges"
            )
            near = near_match(str(next(iter(step), "")), VERBS, called="start it with")
            self._faults.add(at, message, "split it into two steps" if verbs else near)
            return None
        if verbs == ["train"]:
            return self._train(step, step["train"], at, position, domain_at=(*at, "train"))
        if verbs == ["merge"]:
            return self._merge(step, at, position)
        return self._recover(step, at, position)

    def _merge(self, step: Mapping[str, Any], at: KeyPath, position: int) -> MergeStep | None:
        trained, read = self._merges.read(step, at, position)
        if trained is None:
            self._unclear = True
        self._peaks.update(dict.fromkeys(trained or (), position))
        return read

    def _declared(self, name: object, at: KeyPath) -> bool:
        if isinstance(name, str) and name in self._domains:
            return True
        if not isinstance(name, str):
            self._faults.add(at, f"should be a domain's name, not {name!r}")
        else:
            self._faults.add(at, f"{name!r} is not declared", near_match(name, self._domains, called="the domains"))
        return False

    def _weights(self, value: Any, at: KeyPath) -> dict[str, float] | None:
        """Returns the weights of the domains of a train step, or None if there is a fault.

        Sorted by name, so that the order in the protocol does not affect keys.
        """
        if isinstance(value, str):
            named: list[tuple[Any, KeyPath, Any]] = [(value, at, 1.0)]
        elif isinstance(value, list):
            named = [(name, (*at, index), 1.0) for index, name in enumerate(value)]
        elif isinstance(value, dict):
            named = [(name, (*at, name), weight) for name, weight in value.items()]
        else:
            named = []
        if not named:
            self._faults.add(at, "names no domain", "write a name, a list of names, or a mapping of names to weights")
            return None
        right = [self._declared(name, place) and self._weighed(weight, place) for name, place, weight in named]
        if not all(right):
            return None
        weights = {name: float(weight) for name, _, weight in named}
        if len(weights) < len(named):
            self._faults.add(at, "names a domain twice", "to train on more of it, write a mapping of names to weights")
            return None
        return dict(sorted(weights.items()))

    def _weighed(self, weight: Any, at: KeyPath) -> bool:
        if isinstance(weight, int | float) and not isinstance(weight, bool) and weight > 0:
            return True
        self._faults.add(at, f"the weight should be a number above 0, not {weight!r}")
        return False

    def _train(
        self, step: Mapping[str, Any], value: Any, at: KeyPath, position: int, *, domain_at: KeyPath
    ) -> TrainStep | None:
        weights = self._weights(value, domain_at)
        name = step.get("with", self._defaults.name)
        own = {key: item for key, item in step.items() if key not in ("train", "with")}
        name_at = (*at, "with") if "with" in step else at
        algorithm = self._defaults.resolve(name, own, at=name_at, step=at, beside=["train", "with"])
        if weights is None:
            self._unclear = True
            return None
        experts = None if algorithm is None else self._experts(algorithm, weights, at)
        self._peaks.update(dict.fromkeys(weights, position))
        if algorithm is None or experts is None:
            self._unclear |= algorithm is not None
            return None
        label = "+".join(name for name in self._domains if name in weights)
        return TrainStep(
            label=label if name == self._defaults.name else f"{label} ({name})",
            algorithm=algorithm,
            domains=weights,
            experts=experts,
        )

    def _experts(self, algorithm: PluginRef, domains: Iterable[str], at: KeyPath) -> tuple[ExpertMethod, ...] | None:
        """Returns the methods that the config of an algorithm names, None if one has a fault. Validates the config
        against its place in the method. Records faults."""
        known = [self._names.known(name, (*at, *key.split("."))) for key, name in algorithm.methods.items()]
        experts = self._names.experts(dict.fromkeys(algorithm.named_methods, 1.0)) if all(known) else None
        config = config_of(algorithm, self._uses.registry)
        labels = [label for label in self._labels if label is not None]
        if experts is not None and isinstance(config, Config) and len(labels) == len(self._labels):
            trained = self._names.trained_by(algorithm.named_methods)
            place = TrainingPlace(
                labels=labels, domains=tuple(sorted(domains)), peaks=self._last_trainings(), experts=trained
            )
            self._faults.add_found(at, config.fault_in_training(place))
        return experts

    def _check_place(self, config: Config, targets: Sequence[str], at: KeyPath) -> None:
        """Validates a recovery's config against its position in the method; records faults."""
        labels = [label for label in self._labels if label is not None]
        if len(labels) == len(self._labels):
            self._faults.add_found(at, config.fault_with_targets(labels, targets, self._last_trainings()))

    def _check_training(self, config: PydanticModel, training: PluginRef, at: KeyPath) -> None:
        """Validates a recovery's config against that of the algorithm that it trains with; records faults."""
        trained_with = config_of(training, self._uses.registry)
        if isinstance(config, Config) and isinstance(trained_with, Config):
            self._faults.add_found(at, config.fault_with_training(trained_with))

    def _last_trainings(self) -> dict[str, int]:
        return dict(sorted(self._peaks.items(), key=lambda item: item[1]))

    def _targets(self, value: Any, several: bool, name: object, at: KeyPath, position: int) -> tuple[str, ...] | None:
        """Returns the domains that a recovery named `name` recovers, in the protocol's order; None if there is a fault.

        `all` stands for every domain of the protocol, unless a domain has that name.
        """
        if isinstance(value, list) or (value == ALL and ALL not in self._domains):
            if not several:
                able = sorted({one.name for one in self._uses.registry.all("recovery") if _takes_several(one.spec)})
                hint = f"recoveries that take several: {', '.join(able)}" if able else ""
                self._faults.add(at, f"{name} recovers one domain: write its name", hint)
                return None
            named = [(one, at) for one in self._domains] if value == ALL else [(one, at) for one in value]
        else:
            named = [(value, at)]
        if not named:
            self._faults.add(at, "names no domain", f"write a domain's name, a list of names, or {ALL}")
        declared = [self._declared(one, place) for one, place in named]  # a fault for each
        if not named or not all(declared):
            return None
        names = [one for one, _ in named]
        if len(set(names)) < len(names):
            self._faults.add(at, "names a domain twice")
            return None
        untrained = [one for one in names if one not in self._peaks]
        if untrained and not self._unclear:
            listed = " and ".join(filter(None, [", ".join(map(repr, untrained[:-1])), repr(untrained[-1])]))
            verb = "is" if len(untrained) == 1 else "are"
            message = f"{listed} {verb} not trained before this step, so there is nothing to recover"
            before = f"trained before it: {', '.join(self._peaks)}" if self._peaks else "it is the method's first step"
            self._faults.add(at, message if position > 1 else "a method cannot start with a recovery", before)
        return None if untrained else tuple(one for one in self._domains if one in names)

    def _recover(self, step: Mapping[str, Any], at: KeyPath, position: int) -> RecoverStep | None:
        name = step.get("with")
        found = self._uses.find_of_step("recovery", step, at)
        several = found is None or _takes_several(found.spec)
        targets = self._targets(step["recover"], several, name, (*at, "recover"), position)
        plugins = None if found is None else self._defaults.of_step(found, step, at=at, verb="recover")
        if found is None or plugins is None or targets is None:
            return None
        recovery, training = plugins
        config = validate(found.config_type(), recovery.config)
        if isinstance(config, Config):
            self._check_place(config, targets, at)
        experts: tuple[ExpertMethod, ...] | None = ()
        if training is not None:
            self._check_training(config, training, at)
            experts = self._experts(training, targets, at)
        if experts is None:
            return None
        recovered = ALL if len(targets) == len(self._domains) > 1 else "+".join(targets)
        return RecoverStep(
            label=f"recover {recovered} ({name})",
            recovery=recovery,
            targets=targets,
            peaks=self._last_trainings(),
            training=training,
            experts=experts,
        )


def _takes_several(spec: object) -> bool:
    return isinstance(spec, RecoverySpec) and spec.several
