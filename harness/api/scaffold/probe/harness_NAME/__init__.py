"""The probe NAME."""

from collections.abc import Iterator
from typing import Any

import harness


@harness.probe(name="NAME", keys=("step",))
def distance_from_base(context: harness.ProbeContext, *, part: str = "") -> Iterator[dict[str, Any]]:
    """How far each checkpoint's weights are from the base model's; `part` of their names selects tensors."""
    from harness.weights import WeightFolder  # imports torch, which `harness plugins list` does without

    base = WeightFolder(context.lineage[0].folder)
    names = [name for name in base.names() if part in name]
    for entry in context.lineage:
        weights = WeightFolder(entry.folder)
        squares = sum(float((weights.read(name).double() - base.read(name).double()).square().sum()) for name in names)
        yield {"step": entry.step, "label": entry.label, "distance": squares**0.5}
