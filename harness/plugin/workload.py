"""Upper bounds on the work of a step, from which `harness plan` estimates tokens, hours and disk space."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Upper bounds for one training or recovery, derived from its config.

    completions: the number sampled. completion_tokens: the maximum completion length; None for that of the step's
    domains. scored_completions: forward passes besides the sampling, in completions. trained_completions: forward and
    backward passes, in completions. recomputes: whether activations are recomputed in the backward pass (gradient
    checkpointing). resumable_states: optimizer states on disk at one time. dtype: of the written weights; None for the
    dtype of the input checkpoint. cached_gradients, scratch_gradients: gradients in fp32, of the size of the model,
    that the step stores in the cache, and that it needs temporarily.
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

    def after(self, measured: Workload | None) -> Workload:
        """Returns this work with that of measurements before it, if known: completions and cached gradients."""
        if measured is None:
            return self
        return replace(
            self,
            completions=self.completions + measured.completions,
            trained_completions=self.trained_completions + measured.trained_completions,
            cached_gradients=self.cached_gradients + measured.cached_gradients,
        )
