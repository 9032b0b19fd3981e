"""TRL's GRPOTrainer with one gradient per domain, whose conflicts are projected away before each optimizer step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from trl import GRPOTrainer

from harness import StepFailed
from harness.training import DOMAIN_COLUMN, sharding_mode, trained_parameters
from harness_algorithms.surgery.config import LOSSES
from harness_algorithms.surgery.conflicts import conflict_metrics, cosines
from harness_algorithms.surgery.gradients import DomainGradients
from harness_algorithms.surgery.granularity import Granularity, check_groups, group_of
from harness_algorithms.surgery.projection import projected, shuffled_others, step_generator
from harness_algorithms.surgery.record import ConflictRecord
from harness_algorithms.surgery.shares import DOMAIN, Share, by_domain, merged_metrics


@dataclass(frozen=True, kw_only=True)
class Surgery:
    """The trainer's arguments beside TRL's.

    domains: in a fixed order. granularity: the groups in which conflicts are projected away. seed: of the order of
    projections. record: where cosines are stored, if anywhere.
    """

    domains: tuple[str, ...]
    granularity: Granularity
    seed: int
    record: ConflictRecord | None = None


class SurgeryTrainer(GRPOTrainer):  # type: ignore[misc]  # TRL is read without types
    """Splits each pass by domain and runs a backward pass for each domain's part of the loss, with its KL and entropy
    terms, into a separate gradient. Before the optimizer step, the gradients are averaged over the processes, projected
    and summed; clipping and the optimizer step are Trainer's."""

    entropy_coef: float

    def __init__(self, *args: Any, surgery: Surgery, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.surgery = surgery
        self._in_step = False
        if (kind := sharding_mode(self)) is not None:
            raise StepFailed(
                f"gradient surgery does not run under {kind}",
                hint="it needs all gradients in every process: run it in one process or under DDP",
            )
        if self.aux_loss_enabled:
            raise StepFailed(
                "the model adds a load-balancing loss, which is no sum over the domains of a mixed batch",
                hint="set trl: {router_aux_loss_coef: 0.0}",
            )

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        indices = [self.surgery.domains.index(row[DOMAIN_COLUMN]) for row in inputs]
        output[DOMAIN] = torch.tensor(indices, device=output["completion_ids"].device)
        return dict(output)

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """Returns the loss of the pass, which Trainer logs. In training, the backward passes run here; Trainer's own
        backward pass on the returned loss reaches no parameter."""
        if return_outputs or not self.model.training:
            loss: Tensor = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            return loss
        if not self._in_step:
            self.gradients.clear()
            self._in_step = True
        processes = self.accelerator.num_processes
        shares = by_domain(inputs, len(self.surgery.domains), LOSSES[self.loss_type], processes=processes)
        total = torch.zeros((), device=self.accelerator.device)
        noted = []
        for share in shares:
            # Without no_sync, DDP would reduce gradients before all domains have been added.
            with self.accelerator.no_sync(model), self.gradients.receive(share.domain):
                loss, metrics = self._loss_of(model, share)
                if share.present:
                    self.accelerator.backward(loss)
            total += loss.detach()
            noted.append((share, metrics))
        for name, value in merged_metrics(noted).items():
            self._metrics["train"][name].append(value)
        if self.accelerator.sync_gradients:
            self._project()
            self._in_step = False
        return total.requires_grad_()

    @cached_property
    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that are trained, by name."""
        trained = trained_parameters(self)
        check_groups(trained, self.surgery.granularity)
        return trained

    @cached_property
    def gradients(self) -> DomainGradients:
        """The domains' gradients of the current optimizer step, in the order of `trained`."""
        return DomainGradients(list(self.trained.values()), len(self.surgery.domains))

    def _loss_of(self, model: nn.Module, share: Share) -> tuple[Tensor, Mapping[str, list[float]]]:
        """Returns the share's part of the loss, and the metrics that TRL logged for it."""
        with self._own_metrics() as metrics, self._entropy_coefficient(share):
            loss = super().compute_loss(model, share.inputs) * share.weight
        if "entropy_coef" in metrics:
            metrics["entropy_coef"] = [self.entropy_coef]
        return loss, metrics

    @contextmanager
    def _own_metrics(self) -> Iterator[dict[str, list[float]]]:
        metrics = self._metrics["train"]
        self._metrics["train"] = defaultdict(list)
        try:
            yield self._metrics["train"]
        finally:
            self._metrics["train"] = metrics

    @contextmanager
    def _entropy_coefficient(self, share: Share) -> Iterator[None]:
        """Scales the entropy coefficient inside the block, so that after multiplication by the share's weight the
        entropy bonus is a mean over tokens, whatever the loss is divided by."""
        coefficient = self.entropy_coef
        self.entropy_coef = coefficient * share.entropy_weight / share.weight if share.weight else 0.0
        try:
            yield
        finally:
            self.entropy_coef = coefficient

    def _project(self) -> None:
        """Sets the parameters' gradient to the projected sum of the domains' gradients, and logs their conflicts."""
        step = self.state.global_step + 1
        if self.accelerator.num_processes > 1:
            self.gradients.average_over_processes()
        products = self.gradients.inner_products()
        if self.accelerator.num_processes > 1:
            products = self._same_everywhere(products)
        groups, members = self._grouping(self.surgery.granularity)
        gram = _summed(products, members, len(groups))
        order = shuffled_others(len(groups), len(self.surgery.domains), step_generator(self.surgery.seed, step))
        weights = projected(gram, order).sum(dim=1)
        self.gradients.write_sum(weights[members])
        squared_norm = torch.einsum("gi,gij,gj->", weights, gram, weights)
        self._note(step, products, squared_norm)

    def _note(self, step: int, products: Tensor, squared_norm: Tensor) -> None:
        names, members = self._grouping("module")
        modules = _summed(products, members, len(names))
        metrics = conflict_metrics(self.surgery.domains, products.sum(dim=0), modules, squared_norm)
        for name, value in metrics.items():
            self._metrics["train"][name].append(value)
        if self.surgery.record is not None and self.accelerator.is_main_process:
            self.surgery.record.note(step, dict(zip(names, cosines(modules), strict=True)))

    def _grouping(self, granularity: Granularity) -> tuple[list[str], Tensor]:
        """Returns the names of the groups, and the index of each trained parameter's group: [parameters]."""
        groups = [group_of(name, granularity) for name in self.trained]
        names = list(dict.fromkeys(groups))
        index = {name: number for number, name in enumerate(names)}
        return names, torch.tensor([index[group] for group in groups])

    def _same_everywhere(self, products: Tensor) -> Tensor:
        """Returns the main process's products, so that rounding errors do not make processes project differently."""
        shared = products.to(self.accelerator.device)
        torch.distributed.broadcast(shared, src=0)
        return shared.cpu()


def _summed(products: Tensor, members: Tensor, groups: int) -> Tensor:
    """Returns the inner products of each group, the sum over its parameters: [groups, tasks, tasks]."""
    return torch.zeros(groups, *products.shape[1:], dtype=products.dtype).index_add_(0, members, products)
