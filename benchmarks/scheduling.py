"""Several steps at a time: how much faster, at what cost, and is everything the same?

    python benchmarks/scheduling.py jobs [--pairs 1] [--seeds 0,1,2] [--methods A,B] [--keep FOLDER]
    python benchmarks/scheduling.py simulate [--nodes 200] [--slots 8] [--seconds 60] [--methods sequential]
    python benchmarks/scheduling.py requests [--count 50]
    python benchmarks/scheduling.py kills [--kills 20] [--jobs 4] [--seed 0]

jobs: the lab's protocol with one job and with two, in turns, each into a fresh folder. Target: a ratio of the wall
times of at most 0.62, and equal score rows. simulate: the runner's dispatcher on the plan of the lab with as many
seeds as give that many nodes; the engine sleeps instead of computing. Target: a makespan of at most 1.05 times the
larger of critical path and work per slot. requests: a warm worker is asked for results that are in the store. Target:
0.1 s for each. kills: the runner of the smoke protocol is killed (SIGKILL) at random moments and the run resumed.
Target: no process is left after 10 seconds, and the results are those of an undisturbed run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness import Engine, NodeRequest, NodeWorker, Registry

HARNESS = [sys.executable, "-m", "harness"]
RATIO, MAKESPAN, REQUEST_SECONDS, ORPHAN_SECONDS = 0.62, 1.05, 0.1, 10.0


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parsers = parser.add_subparsers(dest="what", required=True)
    jobs = parsers.add_parser("jobs")
    jobs.add_argument("--pairs", type=int, default=1)
    jobs.add_argument("--seeds", default="0,1,2")
    jobs.add_argument("--methods")
    jobs.add_argument("--keep", type=Path, help="keep the runs here")
    simulate = parsers.add_parser("simulate")
    simulate.add_argument("--nodes", type=int, default=200)
    simulate.add_argument("--slots", type=int, default=8)
    simulate.add_argument("--seconds", type=float, default=60, help="work per slot")
    simulate.add_argument("--methods", default="sequential")
    parsers.add_parser("requests").add_argument("--count", type=int, default=50)
    kills = parsers.add_parser("kills")
    kills.add_argument("--kills", type=int, default=20)
    kills.add_argument("--jobs", type=int, default=4)
    kills.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    measures: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
        "jobs": measure_jobs,
        "simulate": measure_simulated,
        "requests": measure_requests,
        "kills": measure_kills,
    }
    result = measures[arguments.what](arguments)
    print(json.dumps(result, indent=1))
    sys.exit(not result["met"])


def measure_jobs(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the wall times of the lab's protocol with one and with two jobs, and whether the scores are equal."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    rows: list[object] = []
    methods = ["--methods", arguments.methods] if arguments.methods else []
    for pair in range(arguments.pairs):
        for jobs in (1, 2) if pair % 2 == 0 else (2, 1):
            with ExitStack() as scope:
                kept = arguments.keep and tempfile.mkdtemp(prefix=f"jobs-{jobs}-", dir=arguments.keep)
                folder = kept or scope.enter_context(tempfile.TemporaryDirectory())
                begin = time.perf_counter()
                run("lab", Path(folder), jobs, "--seeds", arguments.seeds, *methods)
                seconds[jobs].append(time.perf_counter() - begin)
                rows.append(results_of(Path(folder)))
            print(f"pair {pair + 1}: {jobs} jobs, {seconds[jobs][-1]:.0f} s, {folder}", file=sys.stderr)
    ratio = statistics.median(seconds[2]) / statistics.median(seconds[1])
    equal = all(one == rows[0] for one in rows)
    return {"seconds": seconds, "ratio": round(ratio, 3), "equal": equal, "met": equal and ratio <= RATIO}


def measure_simulated(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the makespan of a plan whose nodes sleep, beside its bounds."""
    from harness.execution.dispatch import Dispatcher, Walk
    from harness.planning.dependents import first_needed
    from harness.planning.estimate import expected_seconds
    from harness.planning.planner import make_plan
    from harness.planning.schedule import schedule
    from harness.protocol import find_protocol, load_protocol

    registry = Registry.discover()
    path = find_protocol("lab", registry)
    methods = tuple(arguments.methods.split(","))
    seeds = [0]
    while len((plan := make_plan(load_protocol(path, registry, seeds=seeds, methods=methods), registry)).results) < (
        arguments.nodes
    ):
        seeds.append(len(seeds))
    estimates = expected_seconds(plan, registry)
    keys = [node.key for node in plan.results]
    scale = arguments.seconds * arguments.slots / sum(estimates[key] or 0 for key in keys)
    seconds = {key: (estimates[key] or 0) * scale for key in keys}
    store = Finished()
    engine = Sleeping(arguments.slots, seconds, store)
    requests = {}
    dispatcher = Dispatcher(plan, engine, store, Silent())  # type: ignore[arg-type]
    for key in keys:
        requests[key] = NodeRequest(
            key=key, label=key, needs=frozenset(), protocol=path, store=path, arguments=[], execute=lambda: None
        )
    begin = time.perf_counter()
    dispatcher.run(requests, seconds, Walk())
    makespan = time.perf_counter() - begin
    planned = schedule(first_needed(plan, keys), seconds, arguments.slots)
    bound = max(planned.critical_length, planned.work / arguments.slots)
    return {
        "nodes": len(keys),
        "slots": arguments.slots,
        "makespan": round(makespan, 2),
        "planned_makespan": round(planned.makespan, 2),
        "critical_path": round(planned.critical_length, 2),
        "work_per_slot": round(planned.work / arguments.slots, 2),
        "ratio": round(makespan / bound, 3),
        "met": makespan <= MAKESPAN * bound,
    }


def measure_requests(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns how long a warm worker takes to answer for results that are in the store."""
    from harness.planning.serialization import read_plan

    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        run("smoke", runs, 1)
        [plan] = runs.glob("smoke-*/plan.json")
        keys = [node.key for node in read_plan(plan).results]
        worker = NodeWorker([*HARNESS, "exec-worker", "smoke", "-o", folder], environment={})
        seconds = []
        for number in range(arguments.count + 1):
            key = keys[number % len(keys)]
            request = NodeRequest(
                key=key, label=key, needs=frozenset(), protocol=runs, store=runs, arguments=[], execute=lambda: None
            )
            begin = time.perf_counter()
            worker.compute(request)
            seconds.append(time.perf_counter() - begin)
        worker.end()
        worker.wait(time.monotonic() + 10)
    median, slowest = statistics.median(seconds[1:]), max(seconds[1:])
    return {
        "start_seconds": round(seconds[0], 2),
        "median_seconds": round(median, 4),
        "slowest_seconds": round(slowest, 4),
        "met": slowest <= REQUEST_SECONDS,
    }


def measure_kills(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns how many killed runs left a process, and how many ended with other results once resumed."""
    moments = random.Random(arguments.seed)
    orphans, differ, killed = 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Path(folder) / "undisturbed"
        begin = time.perf_counter()
        run("smoke", undisturbed, arguments.jobs)
        duration, expected = time.perf_counter() - begin, results_of(undisturbed)
        for number in range(arguments.kills):
            runs = Path(folder) / str(number)
            process = subprocess.Popen(
                command("smoke", runs, arguments.jobs), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            moment = moments.uniform(0, duration)
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
            left = processes_on(runs)
            deadline = time.monotonic() + ORPHAN_SECONDS
            while left and time.monotonic() < deadline:
                time.sleep(0.1)
                left = processes_on(runs)
            orphans += bool(left)
            run("smoke", runs, arguments.jobs)
            same = results_of(runs) == expected
            differ += not same
            print(f"kill {number + 1} after {moment:.1f} s: {len(left)} left, same results: {same}", file=sys.stderr)
    return {
        "kills": killed,
        "of": arguments.kills,
        "runs_with_orphans": orphans,
        "runs_that_differ": differ,
        "met": not orphans and not differ,
    }


def command(protocol: str, runs: Path, jobs: int, *more: str) -> list[str]:
    """Returns the command that runs a protocol."""
    return [*HARNESS, "run", protocol, "-o", str(runs), "--jobs", str(jobs), *more]


def run(protocol: str, runs: Path, jobs: int, *more: str) -> None:
    """Runs a protocol; ends this process, showing what the command printed, if it fails."""
    done = subprocess.run(command(protocol, runs, jobs, *more), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: the run exited with {done.returncode}\n{done.stdout}\n{done.stderr}")


def results_of(runs: Path) -> dict[str, str]:
    """Returns the sha256 of the weights and of the score rows of every result."""
    files = [*runs.glob("store/*/model/*.safetensors"), *runs.glob("store/*/rows.json")]
    return {str(path.relative_to(runs)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def processes_on(runs: Path) -> list[int]:
    """Returns the processes whose command line names a folder of runs."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(runs).encode() in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Finished:
    """A store that only knows which results are there."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def has(self, key: str) -> bool:
        return key in self.keys


class Silent:
    """A listener that does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


class Sleeping(Engine):
    """Sleeps as long as each node is said to take."""

    def __init__(self, slots: int, seconds: dict[str, float], store: Finished) -> None:
        self._slots, self._seconds, self._store = slots, seconds, store
        self._pool = ThreadPoolExecutor(slots)

    @property
    def slots(self) -> int:
        return self._slots

    def execute(self, request: NodeRequest) -> None:
        threading.Event().wait(self._seconds[request.key])
        self._store.keys.add(request.key)

    def submit(self, request: NodeRequest) -> Future[None]:
        return self._pool.submit(self.execute, request)


if __name__ == "__main__":
    main()
