"""What memory the diagonal Fisher takes beside one from whole gradients, and whether both are the same.

    python benchmarks/fisher_memory.py [--parameters 0.1] [--completions 8] [--folder DIR] [--json FILE]

It makes a bf16 checkpoint in the shape of a Llama with so many billions of parameters, and a process each for three
sides: `model` loads it in fp32 and samples the completions, `whole` squares the gradients after each backward pass, and
`handed over` is `harness.training.policy_gradients.mean_squared_gradient`, which squares each parameter's gradient as
soon as it is complete and drops it. Memory is the largest RssAnon of the process, sampled every 5 ms, less that of
torch and transformers imported. In copies of the model in fp32 (4 bytes a parameter) the model is one, the result the
second, a whole gradient the third. Targets: the results are equal in every bit, and `handed over` takes at most 0.8 of
the memory of `whole`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anonymous_memory import run_measured

RATIO_LIMIT = 0.8
SIDES = ("nothing", "model", "whole", "handed over")
SEED = 0


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters", type=float, default=0.1, help="of the model, in billions, about")
    parser.add_argument("--completions", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="where the checkpoint and the results lie meanwhile")
    parser.add_argument("--json", type=Path, help="write the result there too")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        CHILDREN[arguments.child](arguments.folder, arguments.completions)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        size = make(Path(folder) / "model", arguments.parameters * 1e9)
        gigabytes = {side: child(side, Path(folder), arguments.completions) for side in SIDES}
        same = identical(Path(folder) / "whole.safetensors", Path(folder) / "handed over.safetensors")
    above = {side: gigabytes[side] - gigabytes["nothing"] for side in SIDES[1:]}
    ratio = above["handed over"] / above["whole"]
    result: dict[str, Any] = {
        "parameters": size,
        "completions": arguments.completions,
        "anonymous_gb": {side: round(value, 3) for side, value in gigabytes.items()},
        "copies_of_the_model": {side: round(value * 1e9 / (4 * size), 2) for side, value in above.items()},
        "ratio": round(ratio, 3),
        "ratio_limit": RATIO_LIMIT,
        "met": {"ratio": ratio <= RATIO_LIMIT, "identical": same},
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if all(result["met"].values()) else 1)


def make(folder: Path, parameters: float) -> int:
    """Writes a checkpoint of random bf16 weights with the tiny world's tokenizer, and returns its size."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from harness.testing.tiny_world import tiny_checkpoint

    tiny_checkpoint(folder)
    (folder / "model.safetensors").unlink()
    config = LlamaConfig.from_pretrained(folder)
    # A block of this shape has 4 h² parameters in attention and 3 · 2.75 h² in the MLP.
    config.hidden_size, config.num_attention_heads, config.num_key_value_heads, config.head_dim = 1024, 8, 8, 128
    config.intermediate_size = 2816
    config.num_hidden_layers = max(1, round(parameters / (12.25 * 1024**2)))
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def child(side: str, folder: Path, completions: int) -> float:
    """Runs a side in a process of its own and returns its largest anonymous memory, in GB."""
    command = [sys.executable, __file__, "--child", side, "--folder", str(folder), "--completions", str(completions)]
    return run_measured(command)[1]


# --------------------------------------------------------------------------------------------- what children do


def nothing(folder: Path, completions: int) -> None:
    """Imports what the others do."""
    import harness.training.policy_gradients  # noqa: F401


def model_alone(folder: Path, completions: int) -> None:
    """Loads the model and samples from it."""
    from harness.testing.tiny_world import tiny_domains
    from harness.training.policy_gradients import sample_policy

    sample_policy(folder / "model", tiny_domains()["one"], count=completions, seed=SEED)


def whole(folder: Path, completions: int) -> None:
    """Squares gradients that are all there at once."""
    import torch

    from harness.testing.tiny_world import tiny_domains
    from harness.training.policy_gradients import each_gradient, sample_policy

    model, samples, _ = sample_policy(folder / "model", tiny_domains()["one"], count=completions, seed=SEED)
    total = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    for _ in each_gradient(model, samples):
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            total[name].addcmul_(parameter.grad, parameter.grad, value=1 / len(samples))
    write(folder / "whole.safetensors", total)


def handed_over(folder: Path, completions: int) -> None:
    """Is the harness's own."""
    from harness.testing.tiny_world import tiny_domains
    from harness.training.policy_gradients import mean_squared_gradient

    measured = mean_squared_gradient(folder / "model", tiny_domains()["one"], count=completions, seed=SEED)
    write(folder / "handed over.safetensors", measured.values)


CHILDREN: dict[str, Callable[[Path, int], None]] = {
    "nothing": nothing,
    "model": model_alone,
    "whole": whole,
    "handed over": handed_over,
}


def write(path: Path, values: dict[str, Any]) -> None:
    """Writes tensors for the comparison."""
    from safetensors.torch import save_file

    save_file(values, path)


def identical(one: Path, two: Path) -> bool:
    """Returns whether two files hold the same tensors, bit for bit."""
    import torch
    from safetensors.torch import load_file

    first, second = load_file(one), load_file(two)
    return first.keys() == second.keys() and all(
        torch.equal(first[name].view(torch.int32), second[name].view(torch.int32)) for name in first
    )


if __name__ == "__main__":
    main()
