"""A child process with the largest anonymous memory that it ever held."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def run_measured(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[str, float]:
    """Returns what the command printed, and its largest RssAnon in GB (10^9 bytes), sampled every 5 ms.

    Raises CalledProcessError where it fails. Its standard error is this process's.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    largest = [0]
    sampler = threading.Thread(target=_sample, args=(process, largest))
    sampler.start()
    output, _ = process.communicate()
    sampler.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return output, largest[0] / 1e9


def _sample(process: subprocess.Popen[str], largest: list[int]) -> None:
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            lines = status.read_text().splitlines()
        except OSError:
            return
        for line in lines:
            if line.startswith("RssAnon:"):
                largest[0] = max(largest[0], int(line.split()[1]) * 1024)
        time.sleep(0.005)
