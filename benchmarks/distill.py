"""A step of distillation beside a step of GRPO that trains on the same tokens, on the lab's four domains.

    python benchmarks/distill.py [--rounds 8] [--steps 6] [--divergence vocabulary] [--json FILE]

The two take turns as in `surgery.py`. Four experts teach, each on its domain's prompts. The learning rate is too small
to change a weight, so both sides sample the same completions at every step. The target is a ratio of the median step
times of at most 1.2.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from surgery import base_model, compare, lab_domains, parser_of, step_times

LIMIT = 1.2
LEARNING_RATE = 1e-30


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where the target is missed."""
    parser = parser_of(__doc__)
    parser.add_argument("--divergence", default="vocabulary", choices=("vocabulary", "sampled"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        taught = partial(step_times, "distillation", experts(Path(folder)), divergence=arguments.divergence)
        plain = partial(step_times, "grpo", {})
        sides = {"grpo": plain, "distillation": taught}
        compare({name: partial(one, learning_rate=LEARNING_RATE) for name, one in sides.items()}, arguments, LIMIT)


def experts(folder: Path) -> dict[str, Any]:
    """Writes an expert for each domain; returns the fields of a merge's context."""
    from harness import Expert, LineageEntry
    from harness.testing.tiny_world import nudged_checkpoint

    base = base_model()
    made = [
        Expert(
            name=f"expert-{domain.name}",
            weight=1.0,
            domains=(domain.name,),
            folder=nudged_checkpoint(base, folder / domain.name, seed=number),
        )
        for number, domain in enumerate(lab_domains())
    ]
    return {"experts": made, "lineage": [LineageEntry(step=0, label="base", domains=(), folder=base)]}


if __name__ == "__main__":
    main()
