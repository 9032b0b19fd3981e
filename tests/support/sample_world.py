"""Runs with samples: made-up answers of a small plan, as lm-eval logs them."""

import json
import statistics

from fake_run import DOMAINS, make_plan, measurement, put
from report_world import write_run

from harness.execution.store import Store

ITEMS = 6


def sample(item, completion, score, *, prompt=None, target=None, metric="acc", repeats=1):
    """Returns an item as lm-eval logs it. completion: a text, or several of one item."""
    texts = [completion] * repeats if isinstance(completion, str) else list(completion)
    return {
        "doc_id": item,
        "target": f"target {item}" if target is None else target,
        "arguments": [[f"prompt {item}" if prompt is None else prompt, {}]],
        "resps": [texts],
        "filter": "none",
        metric: score,
    }


def put_samples(store, key, task, items, **changes):
    """Stores an evaluation with these items; `changes` are those of its row."""
    scores = [one["acc"] for one in items if one["acc"] is not None]
    rows = [measurement(task, statistics.fmean(scores) if scores else 0.0, n=len(items), **changes)]
    lines = "".join(json.dumps(one) + "\n" for one in items)
    put(store, key, {"rows.json": rows, f"samples_{task}.jsonl": lines})


def answered(domain, item, step, seed):
    """Returns what a model of the small world answers: math loses item 1 in step 3, and gains it back in step 4."""
    right = item < 2 + step - (domain == "math" and step == 3)
    if domain == "math" and item == 1:
        right = step != 3
    return f"answer {item} of step {step}" + (f", seed {seed}" if seed else ""), float(right)


def sampled_run(root, answers=answered, *, seeds=(0,), steps=60, **changes):
    """Writes a finished run whose evaluations have samples, and returns its folder.

    answers: gives the completion and the score of a domain, item, step and seed. steps: of the plan's trainings.
    """
    plan, store = make_plan(seeds=seeds, steps=steps), Store(root / "store")
    for method in plan.methods:
        for step, key in enumerate(method.lineage):
            for domain in DOMAINS:
                items = [sample(item, *answers(domain, item, step, method.seed)) for item in range(ITEMS)]
                put_samples(store, plan.evaluations[key][domain], f"fake_{domain}", items, **changes)
    return write_run(root, plan=plan)
