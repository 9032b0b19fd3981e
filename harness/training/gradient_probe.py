"""The base class of probes that need a gradient for each stored weight."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import Problem
from harness.plugin.probe_interface import Probe
from harness.plugin.start_check import StartContext
from harness.weights import check_gradient_names


class GradientProbe(Probe):
    """A probe that combines the gradients of a model's parameters with stored weights of the same names."""

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Yields nothing. Raises CheckpointError if gradients of the base model do not fit its stored weights."""
        check_gradient_names(start.model)
        return ()
