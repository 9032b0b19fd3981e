"""The protocols of papers, as far as the papers state them; what they leave open is marked in the files as ours."""

from collections.abc import Iterator
from pathlib import Path

from harness import ProtocolSpec, hookimpl


@hookimpl
def harness_protocols() -> Iterator[ProtocolSpec]:
    yield ProtocolSpec(
        name="code-math-qa-cw",
        summary="Local Perturbation Theory: Code, Math, QA and creative writing in turn, refreshes and rollbacks",
        path=Path(__file__).parent / "code-math-qa-cw.yaml",
        cite="Yang, Ding and Xiong 2026, A Local Perturbation Theory, arXiv 2606.02398",
    )
