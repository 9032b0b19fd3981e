"""The probe `causal-split`: does the part of an update in the target's curved subspace cause the target's loss?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import ProbeContext, StepFailed
from harness.training import GradientProbe, measurement_seed, sample_policy
from harness_theory.config import CausalSplitConfig
from harness_theory.eigenvectors import curvature_subspace
from harness_theory.pieces import pieces
from harness_theory.sampled_policy import SampledPolicy, advantages_of, curvature_term
from harness_theory.updates import later_updates, peak_of, shifted


class CausalSplit(GradientProbe):
    """Adds parts of each later training's update δ_B to the target's peak θ_A and scores each sum on held-out items.

    S is spanned by the eigenvectors with the largest eigenvalues of the target's curvature at θ_A. If the damage is
    second-order and concentrated in S (arXiv 2606.02398), θ_A + P_S δ_B loses what θ_A + δ_B loses, and
    θ_A + (δ_B − P_S δ_B) loses nothing. Pieces and controls: `harness_theory.pieces`. One row per update, piece and
    draw, after one of the peak itself.
    - `loss`: score of the peak − score of the sum, in the points of the leaderboard; `score_of_X`: of every domain.
    - `norm`: ‖piece‖; `share_of_square`: ‖piece‖² / ‖δ_B‖².
    - `second_order_loss`: ½ pᵀCp of the piece p, C the curvature, from the completions that gave the subspace.
    Memory: the model with its second derivatives on a batch, and 2 · rank vectors of its size: for small models.
    """

    def __init__(self, config: CausalSplitConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        if context.score is None:
            raise StepFailed("causal-split scores models, but got no evaluator", hint="set scores=True in its spec")
        found = peak_of(context, self.config.target)
        updates = [] if found is None else later_updates(context.lineage, found[0], self.config.against)
        if found is None or not updates:
            return []
        peak, target = found
        domain = context.domains[target]
        subspace = curvature_subspace(context, self.config, peak, domain)
        seed = measurement_seed(context)
        model, samples, rows = sample_policy(peak.folder, domain, count=self.config.completions, seed=seed)
        policy = SampledPolicy(model, samples)
        term = curvature_term(self.config.curvature, advantages_of(samples, rows, domain)[0])
        scores = context.score(peak.folder)
        at_peak = scores.get(target)
        total = len(updates) * (3 + 3 * self.config.draws)
        measured: list[Mapping[str, Any]] = []
        for update in updates:
            delta = update.vector(policy).cpu()
            square = float(delta.square().sum())
            common = {
                "target": target,
                "peak": peak.label,
                "against": update.after.label,
                "against_step": update.after.step,
            }
            constant = {
                "rank": self.config.rank,
                "largest_eigenvalue": subspace.values[0],
                "least_eigenvalue": subspace.values[-1],
                "weights": policy.size,
            }
            for piece in pieces(
                delta,
                subspace,
                policy.by_name,
                draws=self.config.draws,
                seed=f"{context.seed}/causal-split/{update.after.step}",
            ):
                context.progress(len(measured), total, {})
                vector = piece.make()
                with shifted(peak.folder, policy, vector, context.scratch / "model") as folder:
                    scores = context.score(folder)
                reached = scores.get(target)
                measured.append(
                    {
                        **common,
                        "piece": piece.name,
                        "draw": piece.draw,
                        "norm": float(vector.norm()),
                        "share_of_square": float(vector.square().sum()) / square if square else None,
                        "second_order_loss": 0.5 * float(vector @ policy.product(term, vector).cpu()),
                        "loss": None if at_peak is None or reached is None else at_peak - reached,
                        "peak_score": at_peak,
                        **{f"score_of_{name}": scores.get(name) for name in context.domains},
                        **constant,
                    }
                )
        return measured
