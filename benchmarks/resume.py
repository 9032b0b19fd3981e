"""A training step killed at random moments and resumed: does it end with the weights of the undisturbed step?

    python benchmarks/resume.py [--algorithm grpo|distillation|smollm] [--kills 30] [--seed 0] [--json FILE]

- `grpo`: a training of the lab's model, which sees its few prompts in several epochs.
- `distillation`: a merge of two experts, which are trained before, on as few prompts.
- `smollm`: a short training on Math of the protocol `smollm`: all weights of SmolLM2-135M, with passes in bf16.

The first two have two settings, TRL's `steps_per_generation` 1 and 4. The step of each setting is made undisturbed,
and then as often as asked into fresh stores, each time killed (SIGKILL) at a moment drawn evenly from the time that
the undisturbed one took, and made again. A made step is a result in the store; its weights are compared by the sha256
that the store keeps of them.
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
from functools import partial
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from harness.planning.plan import Plan
    from harness.plugin.registry import Registry

TOY = """\
schema: 1
name: resume
model: {{use: lab-tiny}}
domains: {{math: {{use: lab-math, prompts: 16}}, qa: {{use: lab-qa, prompts: 16}}}}
train:
  steps: 12
  prompts_per_step: 8  # 96 prompts: six epochs of the 16
  generations: 4
  learning_rate: 1.0e-3
  save_every: 1
  completions_per_device: 32
  trl: {{steps_per_generation: {steps_per_generation}}}
methods: {{expert-qa: [qa], expert-math: [math]{student}}}
"""
STUDENT = ", student: [{merge: [expert-math, expert-qa], with: distill}]"
TARGET = "model/model.safetensors"


def toy(student: str = "") -> dict[str, str]:
    """Returns the protocols on the lab's model, by setting."""
    settings = (1, 4)
    return {f"steps_per_generation {of}": TOY.format(steps_per_generation=of, student=student) for of in settings}


def smollm() -> dict[str, str]:
    """Returns the protocol `smollm`, of which only a short training on Math is left."""
    import harness_smollm

    protocol = yaml.safe_load((harness_smollm.FOLDER / "smollm.yaml").read_text(encoding="utf-8"))
    math = protocol["domains"]["math"]
    math |= {key: str(harness_smollm.FOLDER / math[key]) for key in ("data_files", "test_files")}
    protocol["train"] |= {"steps": 8, "save_every": 1}
    return {"8 steps": yaml.safe_dump({**protocol, "domains": {"math": math}, "methods": {"math": ["math"]}})}


PROTOCOLS = {"grpo": toy, "distillation": partial(toy, STUDENT), "smollm": smollm}
"""The protocols of each algorithm by setting. The last step of the last method is killed."""


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where a step did not resume or ended elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithm", default="grpo", choices=tuple(PROTOCOLS), help="which step is killed")
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
    protocols = PROTOCOLS[arguments.algorithm]()
    settings = [
        measured(setting, text, len(range(place, arguments.kills, len(protocols))), moments, context)
        for place, (setting, text) in enumerate(protocols.items())
    ]
    total = {name: sum(setting[name] for setting in settings) for name in ("kills", "resumed", "same_weights")}
    result = {"algorithm": arguments.algorithm, "settings": settings, **total}
    result["met"] = total["kills"] == total["resumed"] == total["same_weights"] == arguments.kills
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["met"] else 1)


def measured(setting: str, text: str, kills: int, moments: random.Random, context: ForkServerContext) -> dict:
    """Returns what became of `kills` killed steps of one setting, whose protocol is `text`."""
    found: Counter[str] = Counter()
    states: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        before = Path(name) / "resume.yaml"
        before.write_text(text, encoding="utf-8")
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
                print(f"{setting}: {dict(found)}, state {states[-1]}", file=sys.stderr)
    return {
        "setting": setting,
        "undisturbed_seconds": round(seconds, 2),
        **{name: found[name] for name in ("kills", "resumed", "same_weights")},
        "optimizer_steps_of_newest_state_at_the_kill": states,
    }


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
    """Returns the sha256 of the step's weights and how many seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_of(protocol, Path(folder) / "run")
        begin = time.monotonic()
        child = started(copy, context)
        child.join()
        seconds = time.monotonic() - begin
        if child.exitcode != 0:
            sys.exit(f"the undisturbed step ended with {child.exitcode}")
        return weights_of(copy), seconds


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
