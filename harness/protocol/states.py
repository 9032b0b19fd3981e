"""`evaluate.every`: which trainings have states that can be scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.plugin.config import Config
from harness.plugin.registry import Registry
from harness.plugin.specs import AlgorithmSpec
from harness.protocol.data import Step, TrainStep
from harness.protocol.faults import Faults
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.plugin_uses import config_of

AT = ("evaluate", "every")


def optimizer_steps(algorithm: PluginRef, registry: Registry) -> int:
    """Returns the optimizer steps of a training that its config declares, 0 if it declares none."""
    config = config_of(algorithm, registry)
    work = config.workload() if isinstance(config, Config) else None
    return 0 if work is None else work.optimizer_steps


def check_every(every: Any, methods: Mapping[str, Sequence[Step]], registry: Registry, faults: Faults) -> None:
    """Records a fault if an algorithm of the methods does not write the states within its training, or if no training
    is longer than `every`."""
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        return  # None, or recorded with the shape of the file
    lengths = []
    for algorithm in _algorithms(step for steps in methods.values() for step in steps):
        spec = registry.find("algorithm", algorithm.name).spec
        steps = optimizer_steps(algorithm, registry)
        if not (isinstance(spec, AlgorithmSpec) and spec.states and steps):
            message = f"the algorithm {algorithm.name} does not write the states within its training"
            faults.add(AT, message, "remove `every`, or use another algorithm")
            return
        lengths.append(steps)
    if lengths and max(lengths) <= every:
        faults.add(AT, f"no training has more than {max(lengths)} optimizer steps", "give a smaller number")


def _algorithms(steps: Iterable[Step]) -> Iterator[PluginRef]:
    for step in steps:
        if isinstance(step, TrainStep):
            yield step.algorithm
        elif step.training is not None:
            yield step.training
