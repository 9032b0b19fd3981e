"""Predicts damage from virtual updates along policy gradients and their effect on the rewards of other domains.

Formulas: docs/explanation/prediction.md. Everything is measured at one checkpoint, without training. Memory: the model
and one parameter's gradient at a time. Three fp32 vectors per domain and two more, each as large as the model, are
files in a temporary folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.execution.seeds import named_seed
from harness.plugin.interfaces import TrainingDomain
from harness.prediction.matrix import PairPrediction, Prediction, TrainingPace
from harness.prediction.vectors import Vectors
from harness.training.policy_gradients import handed_over, rewards_of, sample_policy
from harness.training.sampling import Sample
from harness.training.workload import GROUP

HORIZON = 8
"""The number of fully aligned optimizer steps that a training is equivalent to. Chosen on lab seed 7, where the real
weight delta after 60 steps was 6.7 to 8.5 such steps along the virtual direction; the rest was in other directions."""

CHUNK = 16 * GROUP
"""The number of completions per gradient when its variance is measured."""

LARGEST_RATIO = 10.0
"""The upper limit of importance weights, so that a single completion cannot dominate a domain."""

EPSILON = 1e-12


@dataclass(frozen=True, kw_only=True)
class DomainMeasure:
    """The measurements of a domain at the checkpoint.

    samples, advantages: the completions, and their rewards minus the mean of their group. spread: the standard
    deviation of the reward. gain: ∇ of the expected reward. direction: one optimizer step of a training on the domain,
    in units of the learning rate. policy: the gradient of that step. All vectors are flat, fp32, and in files.
    """

    samples: tuple[Sample, ...]
    advantages: torch.Tensor
    spread: float
    gain: torch.Tensor
    policy: torch.Tensor
    direction: torch.Tensor


def predict(
    folder: Path,
    domains: Mapping[str, TrainingDomain],
    paces: Mapping[str, TrainingPace],
    *,
    seed: int,
    completions: int,
    horizon: int = HORIZON,
    checkpoint: str = "base",
    trained: Sequence[str] | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> tuple[Prediction, dict[str, tuple[Sample, ...]]]:
    """Returns the predicted damage of every ordered pair of `domains` for the model in `folder`, and the completions
    sampled for each domain.

    paces: the pace of the predicted trainings, by domain. completions: the number per domain, in whole groups of 8.
    trained: the domains whose training is predicted, None for all. progress: called with the number of finished parts,
    their total, and the domain. Raises StepFailed if a domain's completions get no reward.
    """
    steps = list(domains) if trained is None else list(trained)
    total = len(domains) + len(steps)
    with tempfile.TemporaryDirectory(prefix="harness-predict-") as scratch:
        measures: dict[str, DomainMeasure] = {}
        for done, (name, domain) in enumerate(domains.items()):
            progress(done, total, name)
            measures[name] = measure_domain(
                folder,
                domain,
                paces[name],
                seed=named_seed(seed, "predict", name),
                completions=completions,
                scratch=Path(scratch) / str(done),
            )
        model = _model(folder)
        before = {name: log_probabilities(model, measure.samples) for name, measure in measures.items()}
        pairs: list[PairPrediction] = []
        virtual = _VirtualStep(model, Path(scratch))
        for done, step in enumerate(steps, start=len(domains)):
            progress(done, total, step)
            source, pace = measures[step], paces[step]
            virtual.aim(source.direction, pace.learning_rate * min(pace.steps, horizon))
            others = [name for name in measures if name != step]
            there, back = (_ratios(virtual, sign, measures, before, others) for sign in (1.0, -1.0))
            for name in others:
                harmed = measures[name]
                scale = 100 / max(harmed.spread, EPSILON)
                first = float(harmed.gain @ virtual.delta) * scale
                second = float(((there[name] + back[name] - 2) * harmed.advantages).mean()) / 2 * scale
                pairs.append(
                    PairPrediction(
                        trained=step,
                        harmed=name,
                        damage=-(first + second),
                        first_order=first,
                        second_order=second,
                        gradient_cosine=_cosine(source.policy, harmed.policy),
                    )
                )
        samples = {name: measure.samples for name, measure in measures.items()}
    progress(total, total, "")
    prediction = Prediction(
        seed=seed,
        checkpoint=checkpoint,
        pairs=tuple(pairs),
        completions=sum(len(some) for some in samples.values()),
        generated_tokens=sum(len(s.ids) - s.prompt_length for some in samples.values() for s in some),
    )
    return prediction, samples


def measure_domain(
    folder: Path, domain: TrainingDomain, pace: TrainingPace, *, seed: int, completions: int, scratch: Path
) -> DomainMeasure:
    """Samples a domain at the checkpoint and returns its gradients, stored in files in `scratch`.

    The direction is Adam's, u = m / √(m² + v), where m is the mean policy gradient and v its variance over batches of
    the training's batch size. A weight's update is therefore large if its gradient is large compared with its noise.
    """
    model, samples, rows = sample_policy(folder, domain, count=max(completions // GROUP, 1) * GROUP, seed=seed)
    rewards = torch.tensor([float("nan") if r is None else r for r in rewards_of(samples, rows, domain)])
    plain, standard = _advantages(rewards)
    trained = torch.tensor([not sample.masked for sample in samples], dtype=torch.float32)
    standard = standard * trained
    scratch.mkdir()
    vectors = Vectors(scratch, model)
    gain, policy, squares = (vectors.zeros(name) for name in ("gain", "policy", "squares"))
    chunks = 0
    for start in range(0, len(samples), CHUNK):
        part = slice(start, start + CHUNK)
        values, mask = _token_log_probabilities(model, samples[part])
        weight = len(samples[part]) / len(samples)

        def add_gain(name: str, gradient: torch.Tensor, weight: float = weight) -> None:
            vectors.part(gain, name).add_(weight * gradient.flatten().cpu())

        def add_policy(name: str, gradient: torch.Tensor, weight: float = weight) -> None:
            flat = gradient.flatten().cpu()
            vectors.part(policy, name).add_(weight * flat)
            vectors.part(squares, name).add_(weight * flat.square())

        with handed_over(model, add_gain):
            (values.sum(1) * plain[part].to(values.device)).mean().backward(retain_graph=True)  # type: ignore[no-untyped-call]
        with handed_over(model, add_policy):
            tokens = (mask * trained[part, None].to(mask.device)).sum().clamp(min=1)
            loss = (values * standard[part, None].to(values.device)).sum() / tokens
            loss.backward()  # type: ignore[no-untyped-call]
        chunks += 1
    for segment in vectors.segments():
        mean = policy[segment].square()
        per_chunk = (squares[segment] - mean).clamp(min=0) * (chunks / max(chunks - 1, 1))
        variance = per_chunk * min(CHUNK, len(samples)) / pace.completions_per_step
        squares[segment] = policy[segment] / (mean + variance).sqrt().clamp(min=EPSILON)
    return DomainMeasure(
        samples=tuple(samples),
        advantages=plain,
        spread=float(rewards[~rewards.isnan()].std(correction=0)),
        gain=gain,
        policy=policy,
        direction=squares,
    )


def log_probabilities(model: Any, samples: tuple[Sample, ...]) -> torch.Tensor:
    """Returns log π(completion | prompt) of each sample under the current weights, on the CPU."""
    with torch.no_grad():
        parts = [
            _token_log_probabilities(model, samples[start : start + CHUNK])[0].sum(1).cpu()
            for start in range(0, len(samples), CHUNK)
        ]
    return torch.cat(parts)


def kl_on(folder: Path, samples: tuple[Sample, ...], before: Path) -> float:
    """Returns KL(π_before ‖ π in `folder`) on a domain's prompts, in nats per completion, from samples of π_before."""
    old = log_probabilities(_model(before), samples)
    return float((old - log_probabilities(_model(folder), samples)).mean())


def _model(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(device).eval()


def _advantages(rewards: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns each reward minus its group's mean, and that divided by the group's standard deviation, 0 if missing."""
    groups = rewards.view(-1, GROUP)
    centred = groups - groups.nanmean(1, keepdim=True)
    deviation = centred.square().nanmean(1, keepdim=True).sqrt()
    plain, standard = centred.nan_to_num(0.0), (centred / (deviation + 1e-4)).nan_to_num(0.0)
    return plain.flatten(), standard.flatten()


class _VirtualStep:
    """Moves a model along a weight delta and back. The original weights and the delta are vectors in files."""

    def __init__(self, model: Any, scratch: Path) -> None:
        self.model = model
        self._vectors = Vectors(scratch, model)
        self._original, self.delta = self._vectors.zeros("original"), self._vectors.zeros("delta")
        for name, parameter in model.named_parameters():
            self._vectors.part(self._original, name).copy_(parameter.detach().flatten())

    def aim(self, direction: torch.Tensor, length: float) -> None:
        """Sets the weight delta to `length` times the direction."""
        torch.mul(direction, length, out=self.delta)

    @contextmanager
    def moved(self, sign: float) -> Iterator[None]:
        """In this context, the model is moved by `sign` times the weight delta."""
        try:
            with torch.no_grad():
                for name, parameter in self.model.named_parameters():
                    part = sign * self._vectors.part(self.delta, name)
                    parameter.add_(part.view_as(parameter).to(parameter.device))
            yield
        finally:
            with torch.no_grad():
                for name, parameter in self.model.named_parameters():
                    parameter.copy_(self._vectors.part(self._original, name).view_as(parameter))


def _ratios(
    virtual: _VirtualStep,
    sign: float,
    measures: Mapping[str, DomainMeasure],
    before: Mapping[str, torch.Tensor],
    names: list[str],
) -> dict[str, torch.Tensor]:
    """Returns π_{θ ± delta} / π_θ of each sample of the domains `names`, clipped at LARGEST_RATIO."""
    with virtual.moved(sign):
        return {
            name: (log_probabilities(virtual.model, measures[name].samples) - before[name])
            .exp()
            .clamp(max=LARGEST_RATIO)
            for name in names
        }


def _token_log_probabilities(
    model: Any, samples: tuple[Sample, ...] | list[Sample]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns log π of each token (0 outside of completions) and the completion mask, both samples × tokens."""
    width = max(len(sample.ids) for sample in samples)
    ids = torch.zeros(len(samples), width, dtype=torch.long, device=model.device)
    seen, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    temperatures = torch.tensor([sample.temperature for sample in samples], device=model.device)
    for row, sample in enumerate(samples):
        length = len(sample.ids)
        ids[row, :length] = sample.ids.to(model.device)
        seen[row, :length] = 1
        mask[row, sample.prompt_length : length] = 1
    logits = model(input_ids=ids, attention_mask=seen).logits[:, :-1].float() / temperatures[:, None, None]
    values = torch.log_softmax(logits, dim=-1).gather(2, ids[:, 1:, None])[..., 0]
    return values * mask[:, 1:], mask[:, 1:]


def _cosine(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(first @ second / (first.norm() * second.norm()).clamp(min=EPSILON))
