"""The unbiased estimate of pass@k."""

from __future__ import annotations

from math import comb


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Returns 1 − C(n − c, k) / C(n, k) for n `samples` of which c are `correct`: the probability that at least one of
    k samples, drawn without replacement, is correct (Chen et al. 2021, arXiv 2107.03374, equation 1).

    Raises ValueError if k is not in 1 … n or `correct` is not in 0 … n.
    """
    if not 1 <= k <= samples:
        raise ValueError(f"pass@{k} needs k ≥ 1 and at least {k} samples; there are {samples}")
    if not 0 <= correct <= samples:
        raise ValueError(f"{correct} of {samples} samples cannot be correct")
    return 1.0 - comb(samples - correct, k) / comb(samples, k)
