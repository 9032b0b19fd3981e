"""The programs of Slurm: whether they are here, which partitions there are, and which jobs are in the queue."""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess
from collections.abc import Collection, Sequence

from harness import Capacity, MachineResources, UsageError

_SECONDS = 60


def check_programs() -> None:
    """Raises UsageError unless Slurm's programs are on the PATH."""
    missing = [name for name in ("sbatch", "srun", "squeue", "scancel", "sinfo") if shutil.which(name) is None]
    if missing:
        raise UsageError(
            f"the engine slurm needs {', '.join(missing)}, not found on the PATH",
            where="engine slurm",
            hint="run harness on a login machine of the cluster; `cluster: local` tries the engine without Slurm",
        )


def capacity_of(name: str | None) -> Capacity:
    """Returns what the machines of a partition have; None: of any. Raises UsageError if there is none such."""
    listed = _answer("sinfo", "--noheader", "--Node", "-o", "%N %R %c %G").splitlines()
    lines = [line.split(maxsplit=3) for line in listed if line.strip()]
    partitions = {partition for _, partition, *_ in lines}
    if name is not None and (unknown := set(name.split(",")) - partitions):
        wrong = min(unknown)
        near = difflib.get_close_matches(wrong, partitions, n=1)
        hint = f"did you mean {near[0]}?" if near else f"`sinfo` lists: {', '.join(sorted(partitions)) or 'none'}"
        raise UsageError(f"Slurm has no partition {wrong!r}", where="engine.partition", hint=hint)
    chosen = partitions if name is None else set(name.split(","))
    machines = {
        host: MachineResources(name=host, cpus=int(cores), gpus=_gpus(resources))
        for host, partition, cores, resources in lines
        if partition in chosen
    }  # a machine of several partitions is listed for each
    return Capacity(place=f"the partition {name}" if name else "Slurm", machines=list(machines.values()))


def queued(jobs: Collection[str]) -> set[str] | None:
    """Returns those of the jobs that wait or run, None if Slurm does not answer at the moment."""
    parents = sorted({job.partition("_")[0] for job in jobs})
    if not parents:
        return set()
    try:  # the jobs of this user, because squeue refuses identifiers of jobs that it has forgotten
        listed = _answer("squeue", "--noheader", "--me", "--array", "-o", "%i").split()
    except UsageError:
        return None
    return set(listed) & set(jobs)


def cancel(jobs: Sequence[str]) -> None:
    """Cancels jobs, whatever state they are in."""
    if jobs:
        subprocess.run(["scancel", "--quiet", *jobs], capture_output=True, check=False, timeout=_SECONDS)


def _gpus(resources: str) -> int:
    """Returns the number of GPUs in sinfo's list of generic resources, such as `gpu:a100:4(S:0-1),lustre:1`."""
    counts = (re.fullmatch(r"gpu(?::[^:(]+)??(?::(\d+))?(?:\(.*\))?", part) for part in _parts(resources))
    return sum(int(found[1] or 1) for found in counts if found)


def _parts(resources: str) -> list[str]:
    return re.findall(r"[^,(]+(?:\([^)]*\))?", resources)


def _answer(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        told = str(getattr(error, "stderr", "") or error).strip().splitlines() or [""]
        raise UsageError(
            f"`{' '.join(command)}` failed: {told[0]}", where="engine slurm", hint="does Slurm's controller run?"
        ) from error
    return done.stdout
