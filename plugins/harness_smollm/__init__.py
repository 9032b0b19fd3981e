"""SmolLM2-135M-Instruct on four small domains: interference and recovery on a real pretrained model."""

from collections.abc import Iterator
from pathlib import Path

from harness import ProtocolSpec, hookimpl

FOLDER = Path(__file__).parent


@hookimpl
def harness_protocols() -> Iterator[ProtocolSpec]:
    for name, summary in (
        ("smollm", "Code, Math, QA and writing in turn, on SmolLM2-135M-Instruct"),
        ("smollm-lora", "The protocol smollm with low-rank adapters, in bf16"),
        ("smollm-benchmarks", "The protocol smollm with GSM8K, MBPP, IFEval and MMLU-Pro beside its domains"),
        ("smollm-claims", "What the trainings of smollm do to the weights and to the other domains"),
        ("smollm-rounding", "The share of weights that a training changes in fp32 and in bf16, by learning rate"),
    ):
        yield ProtocolSpec(name=name, summary=summary, path=FOLDER / f"{name}.yaml")
