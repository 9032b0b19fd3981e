"""What a step does at most, as its config alone tells it: what `harness plan` estimates tokens, hours and disk from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Upper bounds for one training or recovery.

    completions: sampled in all. completion_tokens: the longest of them; None for the longest that the step's domains
    name. scored_completions: passes forward alone, counted in completions, beside the sampling. trained_completions:
    passes forward and backward. recomputes: activations are computed again on the way back. resumable_states: on disk
    at one time. dtype: of the weights that are written; None for the dtype of what the step starts from.
    cached_gradients, scratch_gradients: fp32 numbers, one for each parameter, that the step leaves in the store for
    others, and that it keeps until it is done.
    """

    optimizer_steps: int = 0
    completions: int = 0
    completion_tokens: int | None = None
    scored_completions: int = 0
    trained_completions: int = 0
    recomputes: bool = False
    resumable_states: int = 0
    dtype: str | None = None
    cached_gradients: int = 0
    scratch_gradients: int = 0
