"""What it costs to compare a stored model with its sha256 before it is loaded.

    python benchmarks/verification.py [--megabytes 512] [--rounds 5]

Prints as JSON the seconds that loading a model with transformers takes with and without the comparison, from the page
cache, and their ratio; a comparison that was made once in a process is not made again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.execution.store import Store

KEY = "0" * 64


def main() -> None:
    """Measures and prints the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=512, help="of the weights, in fp32")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        with store.writing(KEY) as output:
            write_model(output / "model", arguments.megabytes)
        time.sleep(2.1)  # a comparison is remembered for files that were not written just now
        seconds: dict[str, list[float]] = {"load": [], "verify": [], "again": []}
        for _ in range(arguments.rounds):
            fresh = Store(store.root)
            seconds["load"].append(timed(lambda: load(store.path(KEY) / "model")))
            seconds["verify"].append(timed(lambda fresh=fresh: fresh.check(KEY, "model")))
            seconds["again"].append(timed(lambda fresh=fresh: fresh.check(KEY, "model")))
    load_seconds, verify_seconds, again = (statistics.median(values) for values in seconds.values())
    result = {
        "megabytes": arguments.megabytes,
        "load_seconds": round(load_seconds, 3),
        "verify_seconds": round(verify_seconds, 3),
        "megabytes_a_second": round(arguments.megabytes / verify_seconds),
        "verify_again_seconds": round(again, 5),
        "ratio_first": round((load_seconds + verify_seconds) / load_seconds, 2),
        "ratio_again": round((load_seconds + again) / load_seconds, 3),
    }
    print(json.dumps(result, indent=1))


def write_model(folder: Path, megabytes: int) -> None:
    """Writes a Llama of about that size with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    width = 1024
    layers = max(1, round(megabytes * 1e6 / 4 / (4 * width**2 + 3 * width * 4 * width)))
    config = LlamaConfig(
        vocab_size=512, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=8
    )
    LlamaForCausalLM(config).save_pretrained(folder)


def load(folder: Path) -> None:
    """Loads the model as a training does, and reads each weight once."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    sum(float(parameter.detach().sum()) for parameter in model.parameters())


def timed(work: Callable[[], object]) -> float:
    """Returns the seconds that `work` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
