"""The command line in a process of its own, as a person runs it."""

import os
import signal
import subprocess
import sys

# With faulthandler, a process that gets SIGABRT prints where each of its threads is.
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
HANGS = 600
"""Seconds after which a command hangs; the longest take two minutes on a busy machine."""


def harness(*arguments, expect=0):
    """Returns the finished process, which ended with `expect` and printed no traceback."""
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    stdout, stderr = outputs_of(process)
    assert process.returncode == expect, stderr
    assert "Traceback" not in stderr
    return subprocess.CompletedProcess(command, expect, stdout, stderr)


def outputs_of(process):
    """Returns what a process printed, when it has ended. One that hangs fails the test, with where its threads are."""
    try:
        return process.communicate(timeout=HANGS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        try:
            _, stderr = process.communicate(timeout=10)
        except subprocess.TimeoutExpired as left:  # a process that it started holds its stderr
            stderr = f"{left.stderr!r}, and a process that it started goes on"
        raise AssertionError(f"{process.args} hangs: {stderr}") from None
