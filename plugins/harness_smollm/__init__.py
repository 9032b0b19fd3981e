"""SmolLM2-135M-Instruct on four small domains: interference and recovery on a real pretrained model."""

from collections.abc import Iterator
from pathlib import Path

from harness import ProtocolSpec, hookimpl


@hookimpl
def harness_protocols() -> Iterator[ProtocolSpec]:
    yield ProtocolSpec(
        name="smollm",
        summary="Code, Math, QA and writing in turn, on SmolLM2-135M-Instruct",
        path=Path(__file__).parent / "smollm.yaml",
    )
