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
    for name, model in (("math-chat-if", "Qwen2.5-7B"), ("math-chat-if-llama", "Llama-3.1-8B")):
        yield ProtocolSpec(
            name=name,
            summary=f"Modular Gradient Surgery on {model}: math and chat in turn, mixed, and with surgery",
            path=Path(__file__).parent / f"{name}.yaml",
            cite="Modular Gradient Surgery, arXiv 2602.02301",
        )
