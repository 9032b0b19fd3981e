"""Training steps in several processes: two ranks on the CPU, connected by gloo."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")

SCRIPT = Path(__file__).parents[1] / "support" / "rank_gradient.py"
ENVIRONMENT = os.environ | {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "HARNESS_DELTA_CHECKPOINTS": "always",
}
PROTOCOL = """\
schema: 1
name: two-ranks
model: {use: lab-tiny}
launch: {accelerate: {distributed_type: MULTI_GPU, num_processes: 2}}
domains: {math: {use: lab-math, prompts: 16}}
train: {steps: STEPS, prompts_per_step: 4, generations: 4, learning_rate: 6.0e-4, save_every: 1}
evaluate: {limit: 4, batch_size: 4}
methods: {sequential: [math]}
"""


def harness(folder, *words):
    command = [sys.executable, "-m", "harness", *words]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def trained(folder):
    """Returns the folder of the only training in a store."""
    (found,) = [path.parent for path in (folder / "runs" / "store").glob("*/metrics.jsonl")]
    return found


def test_two_ranks_make_the_gradient_of_one_process(tmp_path):
    alone = [sys.executable, str(SCRIPT), str(tmp_path)]
    together = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *alone[1:]]
    for words in (alone, together):
        done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
    for loss_type in ("dapo", "grpo"):
        one, two = (torch.load(tmp_path / str(count) / loss_type / "gradient.pt") for count in (1, 2))
        assert one.keys() == two.keys()
        total = torch.cat([tensor.flatten() for tensor in one.values()]).norm()
        assert total > 0
        apart = torch.cat([(one[name] - two[name]).flatten() for name in one]).norm()
        assert apart <= 1e-5 * total, loss_type


def test_a_launched_step_is_one_result_and_the_same_again(tmp_path):
    marks = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        (folder / "two.yaml").write_text(PROTOCOL.replace("STEPS", "2"))
        done = harness(folder, "run", "two.yaml")
        assert done.returncode == 0, done.stderr[-4000:]
        step = trained(folder)
        result = json.loads((step / "result.json").read_text())
        assert result["cost"]["completions"] == 2 * 4 * 4
        assert [json.loads(line)["step"] for line in (step / "metrics.jsonl").read_text().splitlines()] == [1, 2]
        files = json.loads((step / "DONE.json").read_text())["files"]
        marks.append({name: file["sha256"] for name, file in files.items() if name.startswith("model/")})
    assert "model/delta.bin" in marks[0]
    assert marks[0] == marks[1]


def test_a_launched_step_that_is_killed_leaves_nobody_at_work_and_goes_on(tmp_path):
    (tmp_path / "two.yaml").write_text(PROTOCOL.replace("STEPS", "200"))
    command = [sys.executable, "-m", "harness", "run", "two.yaml"]
    running = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    scratch = tmp_path / "runs" / "store" / ".scratch"
    ranks = set()
    while not any(scratch.glob("*/work/checkpoint-*/COMPLETE.json")):
        assert running.poll() is None, running.stdout.read()
        ranks |= processes_below(running.pid)
    ranks |= processes_below(running.pid)
    assert len(ranks) >= 3  # the launcher and two ranks
    running.send_signal(signal.SIGKILL)
    running.wait()
    for process in ranks:
        wait_for_end(process)
    # What is left is a state that the same command goes on from: it asks for the same key and finds its scratch.
    done = harness(tmp_path, "plan", "two.yaml", "--json")
    keys = {node["key"] for node in json.loads(done.stdout)["nodes"]}
    assert {path.name for path in scratch.iterdir()} <= keys


def processes_below(parent):
    """Returns the processes that descend from `parent`, as /proc has them now."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), set()).add(int(stat.parent.name))
    found, new = set(), {parent}
    while new:
        new = set().union(*(children.get(one, set()) for one in new)) - found
        found |= new
    return found


def wait_for_end(process):
    """Returns once the process is gone, or is a zombie that nobody has waited for yet."""
    while True:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
