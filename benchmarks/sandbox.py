"""Executions a second of each tier of the sandbox, against a fresh Python process a program.

    python benchmarks/sandbox.py [--programs 1000] [--workers 2]

A program is a small function and three expressions that call it. Every outcome is checked; the pool is warm.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.table import Table

from harness.domains.sandbox import Job, Outcome, SandboxConfig, open_sandbox
from harness.errors import UsageError

CODE = """
def count_primes(most):
    return sum(all(number % divisor for divisor in range(2, int(number**0.5) + 1)) for number in range(2, most))
"""
EXPRESSIONS = ("count_primes(10)", "count_primes(30)", "count_primes(50)")
RIGHT = Outcome("ok", (4, 10, 15))
ASSERTS = CODE + "\nassert [count_primes(10), count_primes(30), count_primes(50)] == [4, 10, 15]\n"


def bare_process(_: int) -> None:
    """Runs the program as one would without a sandbox."""
    subprocess.run([sys.executable, "-I", "-S", "-c", ASSERTS], check=True, capture_output=True)


def of_bare_processes(programs: int, workers: int) -> float:
    """Returns executions a second of fresh processes, `workers` at a time."""
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(bare_process, range(programs)))
    return programs / (time.perf_counter() - start)


def of_tier(tier: str, programs: int, workers: int) -> tuple[str, float]:
    """Returns the tier's own name and its executions a second."""
    jobs = [Job(CODE, EXPRESSIONS)] * programs
    with open_sandbox(
        SandboxConfig.model_validate({"tier": tier, "workers": workers, "allow_unsafe": True})
    ) as sandbox:
        sandbox.run(jobs[: 2 * workers])
        start = time.perf_counter()
        outcomes = sandbox.run(jobs)
        seconds = time.perf_counter() - start
        wrong = [outcome for outcome in outcomes if outcome != RIGHT]
        if wrong:
            raise SystemExit(
                f"{sandbox.tier}: {len(wrong)} outcomes of {programs} are not right, the first is {wrong[0]}"
            )
        return sandbox.tier, programs / seconds


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    console = Console()
    load = os.getloadavg()[0]
    table = Table(
        title=f"{chosen.programs} programs, {chosen.workers} at a time, {os.cpu_count()} cores, load {load:.1f}"
    )
    table.add_column("tier")
    table.add_column("executions a second", justify="right")
    table.add_column("of a bare process", justify="right")
    bare = of_bare_processes(min(chosen.programs, 200), chosen.workers)
    table.add_row("bare process", f"{bare:,.0f}", "1.0×")
    for tier in ("subprocess", "bubblewrap", "monty", "auto"):
        try:
            name, rate = of_tier(tier, chosen.programs, chosen.workers)
        except UsageError as error:
            table.add_row(tier, "–", error.message)
            continue
        table.add_row(tier if tier == name else f"{tier} ({name})", f"{rate:,.0f}", f"{rate / bare:.1f}×")
    console.print(table)


if __name__ == "__main__":
    main()
