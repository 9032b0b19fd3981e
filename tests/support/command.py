"""The command line in a process of its own, as a person runs it."""

import os
import subprocess
import sys

ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def harness(*arguments, expect=0):
    """Returns the finished process, which ended with `expect` and printed no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert done.returncode == expect, done.stderr
    assert "Traceback" not in done.stderr
    return done
