"""After `harness prefetch`, a run makes no network requests."""

import json
import os
import subprocess
import sys

PROTOCOL = """\
schema: 1
name: fetched
model: {use: lab-tiny}
domains:
  math: {use: lab-math, prompts: 64}
  cw: {use: lab-cw, prompts: 64}
train: {with: grpo, steps: 1, learning_rate: 6.0e-4, prompts_per_step: 2, generations: 2}
evaluate: {limit: 4, batch_size: 4}
methods:
  short: [math, {recover: math, with: refresh, steps: 1}]
"""
# Runs the command line in a process in which every attempt to reach another host is an error.
WITHOUT_NETWORK = """\
import socket, sys
def refuse(*arguments, **named):
    raise AssertionError(f"a request was made: {arguments}")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from harness.cli import main
sys.argv = ["harness", *sys.argv[1:]]
main()
"""


def harness(*arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HARNESS_OFFLINE": "1"}
    command = [sys.executable, "-c", WITHOUT_NETWORK, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_parts_are_told_and_the_run_makes_no_request(tmp_path):
    protocol = tmp_path / "fetched.yaml"
    protocol.write_text(PROTOCOL)
    fetched = {part["part"]: part for part in json.loads(harness("prefetch", protocol, "--json"))}
    assert set(fetched) == {"base model", "domain math", "reward of math", "domain cw", "reward of cw"}
    assert fetched["domain math"]["detail"] == "64 training prompts, 512 test items"
    assert fetched["domain math"]["overlap"]["overlapping"] == 0
    assert json.loads(harness("run", protocol, "-o", tmp_path / "runs", "--json"))["failures"] == []
