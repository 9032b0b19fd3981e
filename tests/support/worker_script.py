"""A stand-in for `harness exec-worker`, which does what a node's key says, and requests to it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from harness import NodeRequest, Resources

SCRIPT = """
import json, os, signal, sys
place = sys.argv[1]
for line in sys.stdin:
    key = json.loads(line)["key"]
    def send(**message):
        print(json.dumps(message), flush=True)
    send(event="note", text=os.environ["OMP_NUM_THREADS"])
    if key == "die":
        os.kill(os.getpid(), 9)
    if key == "die-once" and not os.path.exists(f"{place}/died"):
        open(f"{place}/died", "w").close()
        os.kill(os.getpid(), 9)
    if key == "hang" and not os.path.exists(f"{place}/hung"):
        open(f"{place}/hung", "w").close()
        send(event="progress", done=1, total=2, metrics={})
        signal.pause()
    if key == "fail":
        send(event="failed", kind="StepFailed", message="the data is torn", where="train", hint="look at it")
        continue
    send(event="progress", done=1, total=2, metrics={"reward": 0.5})
    open(f"{place}/{key}", "w").close()
    send(event="done")
"""


class Asked:
    """A request to the script, and what was reported for it. progressed: is set at the first progress."""

    def __init__(self, key: str, folder: Path, *, kind: str = "train", **resources: int) -> None:
        self.started: list[str] = []
        self.notes: list[str] = []
        self.progressed = threading.Event()
        self.request = NodeRequest(
            key=key,
            label=f"step {key}",
            kind=kind,
            needs=frozenset(),
            protocol=folder / "protocol.yaml",
            store=folder / "store",
            run=folder / "run",
            arguments=[],
            worker=[sys.executable, "-c", SCRIPT, str(folder)],
            execute=self._in_process,
            resources=Resources(**resources),
            started=self.started.append,
            note=self.notes.append,
            progress=lambda done, total, metrics: self.progressed.set(),
        )

    def _in_process(self) -> None:
        raise AssertionError("this engine computes in other processes")
