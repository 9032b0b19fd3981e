"""The update mask of frozen weights: those with the highest Fisher information of the domains trained before.

Kirkpatrick et al. 2017 (EWC, arXiv 1612.00796) pull such weights back with a penalty; here they do not move at all, as
in the fixed sparse masks of Sung et al. 2021 (arXiv 2111.09839), which use the same score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from harness.plugin.interfaces import Cost, LineageEntry, TrainingContext
from harness.training.gradient_cache import cached_gradients, tensor_sums
from harness.training.lineage import last_training
from harness.training.updates.mask_file import Mask, write_mask
from harness.training.updates.settings import FreezeSettings
from harness.weights import Chunk, Formula, Scores, Stream, WeightFolder, check_gradient_names, select_highest

_FILE = "freeze-mask.safetensors"


@dataclass(frozen=True, kw_only=True)
class FrozenWeights:
    """file: the mask of the weights that may move. frozen: the number of the others. domains: whose weights they are.
    cost: of the completions that were sampled."""

    file: Path
    frozen: int
    domains: tuple[str, ...]
    cost: Cost


def frozen_weights(context: TrainingContext, settings: FreezeSettings) -> FrozenWeights | None:
    """Returns the mask for a training, None if no domain was trained before.

    The score of a weight is Σ_d F_d / ΣF_d over the earlier domains d: the diagonal of the Fisher information of d's
    policy after its last training, divided by its sum over all weights. A resumed step reads the mask of the killed
    one. Raises CheckpointError where gradients cannot be assigned to the stored weights.
    """
    if not context.earlier:
        return None
    file = context.scratch / _FILE
    if not file.exists():
        _write(context, settings, file)
    about = Mask(file).about
    cost = Cost(**about["cost"])
    return FrozenWeights(file=file, frozen=about["frozen"], domains=tuple(about["domains"]), cost=cost)


def _write(context: TrainingContext, settings: FreezeSettings, file: Path) -> None:
    check_gradient_names(context.checkpoint)
    folders, cost = [], Cost()
    start = LineageEntry(step=0, label="start", domains=(), folder=context.checkpoint)
    for domain in context.earlier:
        peak = last_training(context.lineage, domain.name) or start  # outside a run, there is no lineage
        fisher, own = cached_gradients("fisher", context, checkpoint=peak, domain=domain, count=settings.completions)
        folders.append(fisher)
        cost += own
    model = WeightFolder(context.checkpoint)
    names = tuple(model.names())
    shares = [_reciprocal(sum(tensor_sums(folder).values())) for folder in folders]
    scores = Scores(Stream(folders, names), partial(_weighted_sum, shares))
    count = max(1, round(settings.fraction * scores.count))
    selection = select_highest(scores, count, folder=context.scratch)
    domains = [domain.name for domain in context.earlier]
    about = {"cost": asdict(cost), "frozen": count, "domains": domains}
    write_mask(file, model, names, selection, about, frozen=True)


def _weighted_sum(shares: Sequence[float]) -> Formula:
    def formula(chunk: Chunk, values: Sequence[torch.Tensor], out: torch.Tensor) -> None:
        out.zero_()
        for share, value in zip(shares, values, strict=True):
            out.add_(value, alpha=share)

    return formula


def _reciprocal(total: float) -> float:
    return 1 / total if total else 0.0
