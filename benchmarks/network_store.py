"""Two machines that share one store over a network: is a result ever computed by both at once, or torn?

    python benchmarks/network_store.py [--protocol smoke] [--lease 20] [--json FILE]

Needs Linux, `bindfs` (with /dev/fuse), `faketime` and `unshare`. A folder is mounted twice with FUSE, and two processes
use it, each through its own mount and in its own namespace of process ids, so that neither can see whether the other is
alive; their clocks are 5 minutes apart. flock does not hold between the two mounts, which is shown first. Then

1. both run the protocol at once, one with its methods in reverse order;
2. both run the same protocol at once, and one is killed (SIGKILL) in the middle of a training.

Every beginning and end of a computation goes to one journal. In each round all results must have the bytes that one
process alone computes, no key may be computed by two at a time, none twice to its end, and what the killed process was
computing has to be taken over.
"""

from __future__ import annotations

import argparse
import fcntl
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ruamel.yaml import YAML

from harness.execution.store import Store

APART = 300
"""Seconds between the clocks."""

TOOLS = ("bindfs", "faketime", "fusermount", "unshare")
NO_RESULT = ("lm_eval.json", "metrics.jsonl", "result.json")
"""Files of results that contain times."""


def main() -> None:
    """Runs both rounds, prints what happened as JSON, and exits with 1 if anything was computed twice or differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", default="smoke", help="a packaged protocol of the lab")
    parser.add_argument("--lease", type=float, default=20, help="seconds that a lease lasts without being renewed")
    parser.add_argument("--json", type=Path, help="write the result there too")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(*arguments.worker)
        return
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or not Path("/dev/fuse").exists():
        sys.exit(f"cannot run here: {', '.join(missing) or '/dev/fuse'} is missing")
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HARNESS_LEASE_SECONDS": str(arguments.lease)}
    os.environ.pop("HARNESS_LOCKS", None)
    with tempfile.TemporaryDirectory(prefix="harness-network-") as scratch:
        result = measured(Path(scratch), arguments.protocol)
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    sys.exit(not result["good"])


def measured(scratch: Path, protocol: str) -> dict:
    """Returns what happened in both rounds, beside the results of one process alone."""
    reference, reverse = protocols(scratch, protocol)
    alone = scratch / "alone"
    journal = scratch / "journal"
    if start(journal, "alone", reference, alone, clock=0).wait() != 0:
        sys.exit(log_of(journal, "alone").read_text())
    expected = hashes(alone / "store")
    with mounted(scratch / "flock") as (_, first, second):
        flock = flock_holds(first, second)
    rounds = {}
    for name, others, kills in (("both to the end", reverse, False), ("one killed", reference, True)):
        begun = time.monotonic()
        with mounted(scratch / name) as (real, first, second):
            journal = scratch / f"journal {name}"
            runs = [
                start(journal, "first", reference, first / "runs", clock=-APART // 2),
                start(journal, "second", others, second / "runs", clock=APART // 2),
            ]
            killed = kill_in_a_training(journal, runs) if kills else None
            codes = [run.wait() for run in runs]
            for who, code in zip(("first", "second"), codes, strict=True):
                if code != 0 and who != killed:
                    sys.exit(log_of(journal, who).read_text())
            found = hashes(real / "runs" / "store")
            store = real / "runs" / "store"
            rounds[name] = {
                "locks": (store / ".locks" / ".kind").read_text().strip(),
                "exit_codes": codes,
                "results": len(found),
                "differs_from_one_process": sorted(
                    key for key in {*found, *expected} if found.get(key) != expected.get(key)
                ),
                "left_behind": sorted(path.name for path in [*store.glob("*.tmp-*"), *store.glob(".scratch/*")]),
                "event_logs": sorted(path.name for path in (real / "runs").glob("*/events*.jsonl")),
                "torn_lines": torn_lines(real / "runs"),
                "seconds": round(time.monotonic() - begun, 1),
                **judged(journal, killed),
            }
    good = not flock and all(
        not (
            told["differs_from_one_process"]
            or told["at_once"]
            or told["twice"]
            or told["left_behind"]
            or told["torn_lines"]
        )
        and told["taken_over"] == (told["killed_while_computing"] or [])
        for told in rounds.values()
    )
    return {"good": good, "flock_holds_between_the_mounts": flock, "clocks_apart_s": APART, "rounds": rounds}


def protocols(scratch: Path, name: str) -> tuple[Path, Path]:
    """Returns the protocol, and the same with its methods in reverse order, as files in `scratch`."""
    import harness_lab

    yaml = YAML()
    data = yaml.load(Path(harness_lab.__file__).with_name(f"{name}.yaml"))
    files = scratch / f"{name}.yaml", scratch / "reverse.yaml"
    yaml.dump(data, files[0])
    data["methods"] = dict(reversed(list(data["methods"].items())))
    yaml.dump(data, files[1])
    return files


@contextmanager
def mounted(folder: Path) -> Iterator[tuple[Path, Path, Path]]:
    """Yields a folder and two FUSE mounts of it."""
    places = [folder / name for name in ("real", "first", "second")]
    for place in places:
        place.mkdir(parents=True)
    try:
        for mount in places[1:]:
            subprocess.run(["bindfs", str(places[0]), str(mount)], check=True)
        yield places[0], places[1], places[2]
    finally:
        for mount in places[1:]:
            subprocess.run(["fusermount", "-u", "-z", str(mount)], check=False)


def flock_holds(first: Path, second: Path) -> bool:
    """Returns whether a file that is locked through one mount cannot be locked through the other."""
    with (first / "file").open("w") as one, (second / "file").open("w") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def start(journal: Path, name: str, protocol: Path, runs: Path, *, clock: int) -> subprocess.Popen[bytes]:
    """Starts a process that runs a protocol, by a clock that differs by some seconds, with process ids of its own."""
    apart = ["unshare", *([] if os.getuid() == 0 else ["--user", "--map-current-user"]), "--pid", "--fork"]
    command = [*apart, "--kill-child", "--mount-proc", sys.executable, __file__, "--worker"]
    # Not by the command `faketime`: its semaphore is named by the process id, which both have.
    asked = ["faketime", "-f", "+0", "printenv", "LD_PRELOAD"]
    preload = subprocess.run(asked, capture_output=True, text=True, check=True)
    environment = os.environ | {"LD_PRELOAD": preload.stdout.strip(), "FAKETIME": f"{clock:+}s"}
    with log_of(journal, name).open("wb") as output:
        return subprocess.Popen(
            [*command, str(journal), name, str(protocol), str(runs)], stdout=output, stderr=output, env=environment
        )


def log_of(journal: Path, name: str) -> Path:
    """Returns where a process writes its output."""
    return journal.with_name(f"{journal.name}-{name}.log")


def work(journal: str, name: str, protocol: str, runs: str) -> None:
    """Runs a protocol in this process and writes down what it computes."""
    import harness
    from harness.execution.computation import NodeComputation

    compute = vars(NodeComputation)["compute"]

    def written_down(self, node, folder, progress) -> None:
        note(Path(journal), "begins", name, node)
        compute.__get__(self, type(self))(node, folder, progress)
        note(Path(journal), "ends", name, node)

    NodeComputation.compute = written_down
    here = {"jobs": 1} if "jobs" in inspect.signature(harness.run).parameters else {}
    harness.run(protocol, output=runs, **here)


def note(journal: Path, what: str, name: str, node) -> None:
    """Appends a line to the journal, which lies on a local disk, so that the order of its lines is that of time."""
    with journal.open("a") as file:
        file.write(json.dumps([what, name, node.key, node.label, node.kind]) + "\n")


def lines_of(journal: Path) -> list[list[str]]:
    """Returns the lines of the journal."""
    return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []


def kill_in_a_training(journal: Path, runs: list[subprocess.Popen[bytes]]) -> str:
    """Kills the process that computes the second training, as soon as it does, and returns its name."""
    while True:
        trainings = [line for line in lines_of(journal) if line[0] == "begins" and line[4] == "train"]
        if len(trainings) > 1:
            name = trainings[1][1]
            run = runs[name == "second"]
            run.kill()
            run.wait()
            with journal.open("a") as file:
                file.write(json.dumps(["killed", name, "", "", ""]) + "\n")
            return name
        if all(run.poll() is not None for run in runs):
            sys.exit("both runs ended before the second training")
        time.sleep(0.02)


def judged(journal: Path, killed: str | None) -> dict:
    """Returns what the journal tells: how much each computed, what two computed at once, and what was taken over."""
    computing: dict[str, str] = {}
    labels, ended = {}, []
    at_once, lost, taken_over = [], {}, []
    for what, name, key, label, _ in lines_of(journal):
        labels[key] = label
        if what == "killed":
            lost = {key: who for key, who in computing.items() if who == name}
            computing = {key: who for key, who in computing.items() if who != name}
        elif what == "begins":
            if key in computing:
                at_once.append(label)
            if key in lost:
                taken_over.append(label)
            computing[key] = name
        else:
            computing.pop(key, None)
            ended.append((key, name))
    keys = [key for key, _ in ended]
    return {
        "killed": killed,
        "computed_to_the_end": {name: sum(who == name for _, who in ended) for name in ("first", "second")},
        "at_once": at_once,
        "twice": sorted({labels[key] for key in keys if keys.count(key) > 1}),
        "killed_while_computing": [labels[key] for key in lost],
        "taken_over": taken_over,
    }


def hashes(store: Path) -> dict[str, dict[str, str]]:
    """Returns, by key, the sha256 of each file of a result, after comparing the files with them."""
    found = {}
    for key in Store(store).results():
        faults = Store(store).verify(key)
        if faults:
            sys.exit(f"{key} is torn: {faults}")
        files = json.loads((store / key / "DONE.json").read_text())["files"]
        found[key] = {name: entry["sha256"] for name, entry in files.items() if name not in NO_RESULT}
    return found


def torn_lines(runs: Path) -> list[str]:
    """Returns the lines of event logs that are not whole, except a last one of a killed process."""
    torn = []
    for log in runs.glob("*/events*.jsonl"):
        for line in log.read_text().split("\n")[:-1]:
            try:
                json.loads(line)
            except ValueError:
                torn.append(line)
    return torn


if __name__ == "__main__":
    main()
