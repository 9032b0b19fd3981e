"""A training step killed at random moments, and gone on with: does it end with the undisturbed step's weights?

    python benchmarks/resume.py [--algorithm grpo] [--kills 30] [--seed 0] [--json FILE]

The step is a training with GRPO or, with `--algorithm distillation`, a merge of two experts, which are trained before.
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
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.planning.plan import Plan
    from harness.plugin.registry import Registry

PROTOCOL = """\
schema: 1
name: resume
model: {{use: lab-tiny}}
domains: {{math: {{use: lab-math, prompts: {prompts}}}, qa: {{use: lab-qa, prompts: {prompts}}}}}
train:
  steps: {steps}
  prompts_per_step: {prompts_per_step}
  generations: 4
  learning_rate: 1.0e-3
  save_every: 1
  completions_per_device: {completions_per_device}
  trl: {{steps_per_generation: {steps_per_generation}}}
methods: {{expert-qa: [qa], expert-math: [math]{student}}}
"""
STUDENTS = {"grpo": "", "distillation": ", student: [{merge: [expert-math, expert-qa], with: distill}]"}
"""The last method of the protocol, whose last step is killed, by its algorithm."""
PROMPTS, STEPS, PROMPTS_PER_STEP = 16, 12, 8  # 96 prompts: six epochs of the 16
SETTINGS = (1, 4)
TARGET = "model/model.safetensors"


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where a step did not resume or ended elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithm", default="grpo", choices=tuple(STUDENTS), help="what the step trains with")
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
    settings = [
        measured(arguments.algorithm, value, count, moments, context)
        for value, count in zip(SETTINGS, kills, strict=True)
    ]
    total = {name: sum(setting[name] for setting in settings) for name in ("kills", "resumed", "same_weights")}
    epochs = STEPS * PROMPTS_PER_STEP / PROMPTS
    result = {"algorithm": arguments.algorithm, "epochs": epochs, "settings": settings, **total}
    result["met"] = total["kills"] == total["resumed"] == total["same_weights"] == arguments.kills
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["met"] else 1)


def measured(
    algorithm: str, steps_per_generation: int, kills: int, moments: random.Random, context: ForkServerContext
) -> dict:
    """Returns what became of `kills` killed steps of one setting."""
    found: Counter[str] = Counter()
    states: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        before = protocol_in(Path(name), algorithm, steps_per_generation)
        child = started(before, context, last=False)
        child.join()
        expected, seconds = undisturbed(before, context)
        while found["kills"] < kills:
            with tempfile.TemporaryDirectory() as folder:
                protocol = copy_of(before, Path(folder) / "run")
                if not killed(protocol, moments.uniform(0, seconds), context):
                    continue  # it ended before its moment came: not a kill
                found["kills"] += 1
                states.append(newest_state(protocol.parent))
                child = started(protocol, context)
                child.join()
                found["resumed"] += child.exitcode == 0
                found["same_weights"] += child.exitcode == 0 and weights_of(protocol) == expected
                print(
                    f"steps_per_generation {steps_per_generation}: {dict(found)}, state {states[-1]}", file=sys.stderr
                )
    return {
        "steps_per_generation": steps_per_generation,
        "undisturbed_seconds": round(seconds, 2),
        **{name: found[name] for name in ("kills", "resumed", "same_weights")},
        "optimizer_steps_of_newest_state_at_the_kill": states,
    }


def protocol_in(folder: Path, algorithm: str, steps_per_generation: int) -> Path:
    """Returns the path of the step's protocol, written to `folder`."""
    path = folder / "resume.yaml"
    text = PROTOCOL.format(
        prompts=PROMPTS,
        steps=STEPS,
        prompts_per_step=PROMPTS_PER_STEP,
        completions_per_device=PROMPTS_PER_STEP * 4,
        steps_per_generation=steps_per_generation,
        student=STUDENTS[algorithm],
    )
    path.write_text(text, encoding="utf-8")
    return path


def copy_of(protocol: Path, folder: Path) -> Path:
    """Returns a copy of a protocol, with the store beside it."""
    shutil.copytree(protocol.parent, folder)
    return folder / protocol.name


def last_step(protocol: Path) -> tuple[Plan, Registry, str]:
    """Returns the plan of a protocol, with its plugins, and the key of the last step of its last method."""
    from harness.planning.planner import make_plan
    from harness.plugin.registry import Registry
    from harness.protocol import load_protocol

    registry = Registry.discover()
    plan = make_plan(load_protocol(protocol, registry), registry)
    return plan, registry, plan.methods[-1].lineage[-1]


def make_step(protocol: str, last: bool) -> None:
    """Makes the protocol's last step into the store beside it, in this process, or the steps that it needs."""
    from harness.execution import Executor
    from harness.execution.store import Store
    from harness.weights.storage_forms import Deltas

    path = Path(protocol)
    plan, registry, key = last_step(path)
    executor = Executor(plan, registry, Store(path.parent / "store"), deltas=Deltas.NEVER)
    for made in [key] if last else plan.nodes[key].parents:
        executor.execute(made)


def started(protocol: Path, context: ForkServerContext, *, last: bool = True) -> multiprocessing.process.BaseProcess:
    """Returns a child that makes the last step, or the steps that it needs."""
    child = context.Process(target=make_step, args=(str(protocol), last))
    child.start()
    return child


def undisturbed(protocol: Path, context: ForkServerContext) -> tuple[str, float]:
    """Returns the sha256 of the step's weights and how many seconds it took. The first of two warms the caches up."""
    seconds, found = 0.0, ""
    for _ in ("warm", "timed"):
        with tempfile.TemporaryDirectory() as folder:
            copy = copy_of(protocol, Path(folder) / "run")
            begin = time.monotonic()
            child = started(copy, context)
            child.join()
            seconds = time.monotonic() - begin
            if child.exitcode != 0:
                sys.exit(f"the undisturbed step ended with {child.exitcode}")
            found = weights_of(copy)
    return found, seconds


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
    marks = (folder / "store" / ".scratch").rglob("checkpoint-*/COMPLETE.json")
    return max((int(mark.parent.name.rpartition("-")[2]) for mark in marks), default=0)


def weights_of(protocol: Path) -> str:
    """Returns the sha256 of the last step's weights."""
    mark = protocol.parent / "store" / last_step(protocol)[2] / "DONE.json"
    return str(json.loads(mark.read_text(encoding="utf-8"))["files"][TARGET]["sha256"])


if __name__ == "__main__":
    main()
