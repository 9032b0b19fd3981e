"""A training step killed at random moments, and gone on with: does it end with the undisturbed step's weights?

    python benchmarks/resume.py [--kills 30] [--seed 0] [--json FILE]

The step sees its few prompts in several epochs. For each setting of TRL's `steps_per_generation`, 1 and 4, it is made
once undisturbed, and then as often as asked into fresh stores, each time killed (SIGKILL) at a moment drawn evenly from
the time that the undisturbed one took, and made again. A made step is a result in the store; its weights are compared
by the sha256 that the store keeps of them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.context import ForkServerContext
from pathlib import Path

PROTOCOL = """\
schema: 1
name: resume
model: {{use: lab-tiny}}
domains: {{math: {{use: lab-math, prompts: {prompts}}}}}
train:
  steps: {steps}
  prompts_per_step: {prompts_per_step}
  generations: 4
  learning_rate: 1.0e-3
  save_every: 1
  completions_per_device: {completions_per_device}
  trl: {{steps_per_generation: {steps_per_generation}}}
methods: {{sequential: [math]}}
"""
PROMPTS, STEPS, PROMPTS_PER_STEP = 16, 12, 8  # 96 prompts: six epochs of the 16
SETTINGS = (1, 4)
TARGET = "model/model.safetensors"


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where a step did not resume or ended elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="kills, shared evenly among the settings")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--json", type=Path, help="write the result there too")
    arguments = parser.parse_args()
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "TQDM_DISABLE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTHONWARNINGS": "ignore",
    }
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["harness.training.trl_run", "harness.execution", "harness.planning.planner"])
    moments = random.Random(arguments.seed)
    kills = [arguments.kills // 2 + arguments.kills % 2, arguments.kills // 2]
    settings = [measured(value, count, moments, context) for value, count in zip(SETTINGS, kills, strict=True)]
    total = {name: sum(setting[name] for setting in settings) for name in ("kills", "resumed", "same_weights")}
    result = {"epochs": STEPS * PROMPTS_PER_STEP / PROMPTS, "settings": settings, **total}
    result["met"] = total["kills"] == total["resumed"] == total["same_weights"] == arguments.kills
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["met"] else 1)


def measured(steps_per_generation: int, kills: int, moments: random.Random, context: ForkServerContext) -> dict:
    """Returns what became of `kills` killed steps of one setting."""
    with tempfile.TemporaryDirectory() as folder:
        expected, seconds = undisturbed(protocol_in(Path(folder), steps_per_generation), context)
    found: Counter[str] = Counter()
    states: list[int] = []
    while found["kills"] < kills:
        with tempfile.TemporaryDirectory() as folder:
            protocol = protocol_in(Path(folder), steps_per_generation)
            if not killed(protocol, moments.uniform(0, seconds), context):
                continue  # it ended before its moment came: not a kill
            found["kills"] += 1
            states.append(newest_state(protocol.parent))
            child = started(protocol, context)
            child.join()
            found["resumed"] += child.exitcode == 0
            found["same_weights"] += child.exitcode == 0 and weights_of(protocol.parent) == expected
            print(f"steps_per_generation {steps_per_generation}: {dict(found)}, state {states[-1]}", file=sys.stderr)
    return {
        "steps_per_generation": steps_per_generation,
        "undisturbed_seconds": round(seconds, 2),
        **{name: found[name] for name in ("kills", "resumed", "same_weights")},
        "optimizer_steps_of_newest_state_at_the_kill": states,
    }


def protocol_in(folder: Path, steps_per_generation: int) -> Path:
    """Returns the path of the step's protocol, written to `folder`."""
    path = folder / "resume.yaml"
    text = PROTOCOL.format(
        prompts=PROMPTS,
        steps=STEPS,
        prompts_per_step=PROMPTS_PER_STEP,
        completions_per_device=PROMPTS_PER_STEP * 4,
        steps_per_generation=steps_per_generation,
    )
    path.write_text(text, encoding="utf-8")
    return path


def make_step(protocol: str) -> None:
    """Makes the protocol's training into the store beside it, in this process."""
    from harness.execution import Executor
    from harness.execution.store import Store
    from harness.planning.planner import make_plan
    from harness.plugin.registry import Registry
    from harness.protocol import load_protocol
    from harness.weights.storage_forms import Deltas

    registry = Registry.discover()
    path = Path(protocol)
    plan = make_plan(load_protocol(path, registry), registry)
    (key,) = [node.key for node in plan.nodes.values() if node.kind == "train"]
    Executor(plan, registry, Store(path.parent / "store"), deltas=Deltas.NEVER).execute(key)


def started(protocol: Path, context: ForkServerContext) -> multiprocessing.process.BaseProcess:
    """Returns a child that makes the step."""
    child = context.Process(target=make_step, args=(str(protocol),))
    child.start()
    return child


def undisturbed(protocol: Path, context: ForkServerContext) -> tuple[str, float]:
    """Returns the sha256 of the step's weights and how many seconds it took. The first of two warms the caches up."""
    seconds = 0.0
    for folder in (protocol.parent / "warm", protocol.parent / "timed"):
        folder.mkdir()
        copy = folder / protocol.name
        copy.write_bytes(protocol.read_bytes())
        begin = time.monotonic()
        child = started(copy, context)
        child.join()
        seconds = time.monotonic() - begin
        if child.exitcode != 0:
            sys.exit(f"the undisturbed step ended with {child.exitcode}")
    return weights_of(protocol.parent / "timed"), seconds


def killed(protocol: Path, moment: float, context: ForkServerContext) -> bool:
    """Returns whether the step was still at work when it was killed, `moment` seconds after its start."""
    child = started(protocol, context)
    child.join(timeout=moment)
    if child.exitcode is not None:
        return False
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode == -signal.SIGKILL


def newest_state(folder: Path) -> int:
    """Returns the optimizer steps of the newest whole state that the killed step left, 0 for none."""
    marks = folder.glob("store/.scratch/*/work/checkpoint-*/COMPLETE.json")
    return max((int(mark.parent.name.rpartition("-")[2]) for mark in marks), default=0)


def weights_of(folder: Path) -> str:
    """Returns the sha256 of the weights of the only training in a store."""
    for mark in (folder / "store").glob("*/DONE.json"):
        files = json.loads(mark.read_text(encoding="utf-8"))["files"]
        if TARGET in files:
            return str(files[TARGET]["sha256"])
    return "none"


if __name__ == "__main__":
    main()
