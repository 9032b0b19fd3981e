"""Measurements at checkpoints, cached in the store and shared by steps and probes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.plugin.interfaces import LineageEntry, TrainingContext
from harness.plugin.probe_interface import ProbeContext
from harness.plugin.recovery_interface import RecoveryContext

MeasuringContext = RecoveryContext | ProbeContext | TrainingContext


def measurement_seed(context: MeasuringContext) -> int:
    """Returns the cache's seed, which all steps and probes of one seed share; outside a run, the context's."""
    return context.seed if context.cache is None else context.cache.seed


def measured_folder(
    kind: str,
    context: MeasuringContext,
    make: Callable[[Path], None],
    *,
    checkpoint: LineageEntry,
    domain: str,
    settings: Mapping[str, Any],
) -> Path:
    """Returns the folder that `make` wrote: the one in the store, which is made on the first call, or, outside a run, a
    new one in the context's scratch folder.

    settings: all that the content depends on besides the checkpoint and the domain.
    """
    if context.cache is not None:
        return context.cache(kind, make, checkpoint=checkpoint, domain=domain, settings=settings)
    folder = context.scratch / f"{kind}-{checkpoint.step}-{domain}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make(folder)
    return folder
