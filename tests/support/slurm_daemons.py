"""A Slurm cluster of this one machine, for tests: munged, slurmctld and slurmd, as root and without systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
MUNGE = Path("/run/munge")
CONFIG = """\
ClusterName=test
SlurmctldHost={host}
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SchedulerParameters=sched_interval=2
KillWait=5
NodeName={host} {shape} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
CGROUP = "CgroupPlugin=cgroup/v1\nCgroupAutomount=yes\n"


def missing() -> str:
    """Returns why Slurm cannot be started here, empty if it can."""
    if os.geteuid() != 0:
        return "only root starts slurmd"
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"no {', '.join(lacking)}: apt install slurm-wlm munge" if lacking else ""


@contextmanager
def slurm_of_this_machine(folder: Path) -> Iterator[dict[str, str]]:
    """Starts Slurm, yields the environment variables that its programs need, and ends it."""
    host = os.uname().nodename.partition(".")[0]
    described = subprocess.run(["slurmd", "-C"], capture_output=True, text=True, check=True).stdout
    shape = " ".join(
        part for part in described.split() if part.startswith(("Sockets", "CoresPer", "ThreadsPer", "Real"))
    )
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    (folder / "slurm.conf").write_text(CONFIG.format(host=host, folder=folder, shape=shape))
    (folder / "cgroup.conf").write_text(CGROUP)
    environment = {"SLURM_CONF": str(folder / "slurm.conf")}
    whole = {**os.environ, **environment}
    munged = None
    if not (MUNGE / "munge.socket.2").exists():
        MUNGE.mkdir(parents=True, exist_ok=True)
        shutil.chown(MUNGE, "munge")
        munged = subprocess.Popen(["munged", "--foreground"], user="munge", group="munge", stderr=subprocess.DEVNULL)
    daemons = [
        subprocess.Popen([name, "-D"], env=whole, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name in ("slurmctld", "slurmd")
    ]
    try:
        subprocess.run(["srun", "--immediate=60", "true"], env=whole, check=True, capture_output=True, timeout=120)
        yield environment
    finally:
        for daemon in (*reversed(daemons), *([munged] if munged else [])):
            daemon.terminate()
            daemon.wait(30)
