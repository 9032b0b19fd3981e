"""Probes: what a method did to the weights."""

from collections.abc import Iterator

from harness import ProbeSpec, hookimpl


@hookimpl
def harness_probes() -> Iterator[ProbeSpec]:
    yield ProbeSpec(
        name="edit-sparsity",
        summary="How many parameters each step of a method changed, and by how much",
        load="harness_probes.edit_sparsity:EditSparsity",
        cite="Yang, Ding and Xiong 2026, A Local Perturbation Theory, arXiv 2606.02398",
    )
