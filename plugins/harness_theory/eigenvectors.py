"""The eigenvectors of a curvature with the largest eigenvalues, by Lanczos."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from harness import LineageEntry, ProbeContext, StepFailed, TrainingDomain
from harness.training import measured_folder, measurement_seed, sample_policy
from harness_theory.config import SubspaceConfig
from harness_theory.sampled_policy import SampledPolicy, advantages_of, curvature_term

_VECTORS = "vectors.safetensors"
_VALUES = "values.json"


@dataclass(frozen=True, kw_only=True)
class Subspace:
    """values: the eigenvalues, largest first. vectors: [rank, weights], orthonormal, fp32. products: how many products
    of the curvature and a vector they took."""

    values: list[float]
    vectors: torch.Tensor
    products: int

    def project(self, vector: torch.Tensor) -> torch.Tensor:
        """Returns the part of a vector in the subspace."""
        return self.vectors.T @ (self.vectors @ vector)


def top_eigenpairs(
    product: Callable[[torch.Tensor], torch.Tensor], size: int, rank: int, *, seed: int, tolerance: float
) -> Subspace:
    """Returns the eigenpairs with the largest eigenvalues (not absolute values) of a symmetric matrix.

    ARPACK's implicitly restarted Lanczos, through scipy. tolerance: relative accuracy of the eigenvalues. Memory: about
    2 · rank vectors, at least 20. Raises StepFailed if it does not converge or the rank is not below the size.
    """
    if rank >= size:
        raise StepFailed(f"the model has {size} weights", where="rank", hint="give a smaller rank")
    start = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    products = 0

    def multiply(vector: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        found = product(torch.from_numpy(np.ascontiguousarray(vector, dtype=np.float32).reshape(-1))).cpu().numpy()
        return np.asarray(found)

    operator = LinearOperator((size, size), matvec=multiply, dtype=np.float32)
    try:
        values, vectors = eigsh(operator, k=rank, which="LA", v0=start.numpy(), tol=tolerance)
    except ArpackNoConvergence as error:
        raise StepFailed(
            f"Lanczos found {len(error.eigenvalues)} of {rank} eigenvectors in {products} products",
            where="tolerance",
            hint="raise tolerance, lower rank, or sample more completions",
        ) from error
    order = np.argsort(values)[::-1]
    return Subspace(
        values=[float(value) for value in values[order]],
        vectors=torch.from_numpy(np.ascontiguousarray(vectors[:, order].T)),
        products=products,
    )


def curvature_subspace(
    context: ProbeContext, config: SubspaceConfig, peak: LineageEntry, domain: TrainingDomain
) -> Subspace:
    """Returns the top eigenvectors of a domain's curvature at its peak, from the cache if they were found before.

    Completions are sampled with the cache's seed, which steps and probes of one seed share; outside a run, with the
    context's.
    """
    seed = measurement_seed(context)

    def make(folder: Path) -> None:
        model, samples, rows = sample_policy(peak.folder, domain, count=config.completions, seed=seed)
        advantages, _ = advantages_of(samples, rows, domain)
        term = curvature_term(config.curvature, advantages)
        if not term.factors.any():
            raise StepFailed(
                f"the rewards of {domain.name} do not differ within any group of completions: no curvature to measure",
                where="completions",
                hint="sample more completions",
            )
        policy = SampledPolicy(model, samples)
        found = top_eigenpairs(
            lambda vector: policy.product(term, vector),
            policy.size,
            config.rank,
            seed=random.Random(f"{seed}/lanczos").getrandbits(31),
            tolerance=config.tolerance,
        )
        save_file({"vectors": found.vectors}, folder / _VECTORS)
        (folder / _VALUES).write_text(
            json.dumps({"values": found.values, "products": found.products}) + "\n", encoding="utf-8"
        )

    settings = {
        "completions": config.completions,
        "rank": config.rank,
        "tolerance": config.tolerance,
        "seed": seed,
        "sampling": asdict(domain.sampled_as()),
    }
    name = f"eigenvectors-of-{config.curvature}"
    folder = measured_folder(name, context, make, checkpoint=peak, domain=domain.name, settings=settings)
    stored = json.loads((folder / _VALUES).read_text(encoding="utf-8"))
    return Subspace(**stored, vectors=load_file(folder / _VECTORS)["vectors"])
