"""What nodes take of what an engine has, by one rule for all engines."""

import pytest
from worker_script import Asked

from harness import Capacity, Demand, MachineResources, UsageError

CPUS = Capacity(place="the cluster", machines=[MachineResources(cpus=4) for _ in range(2)])
GPUS = Capacity(place="the cluster", machines=[MachineResources(cpus=16, gpus=4) for _ in range(2)])
MIXED = Capacity(place="the cluster", machines=[*CPUS.machines, *GPUS.machines])
ALONE = Capacity(place="this machine", machines=[MachineResources(cpus=16, gpus=2)], cpus_per_process=8)


def test_a_step_takes_what_is_stated_and_else_its_cores_and_a_gpu_for_each_process(tmp_path):
    def taken(capacity, **stated):
        return capacity.demand(Asked("good", tmp_path, **stated).request)

    assert taken(CPUS) == Demand(cpus=1, gpus=0, machines=1)
    assert taken(GPUS) == Demand(cpus=1, gpus=1, machines=1)
    assert taken(GPUS, kind="merge") == taken(ALONE, kind="merge", cpus=1) == Demand(cpus=1, gpus=0, machines=1)
    assert taken(GPUS, gpus=0, cpus=3) == Demand(cpus=3, gpus=0, machines=1)
    assert taken(GPUS, processes=4, machines=2) == Demand(cpus=4, gpus=4, machines=2)
    assert taken(ALONE) == Demand(cpus=8, gpus=1, machines=1)
    assert taken(ALONE, processes=4) == Demand(cpus=16, gpus=4, machines=1), "as many cores as there are"


def test_there_is_room_for_what_all_machines_can_run_at_a_time():
    assert GPUS.room_for(Demand(gpus=1)) == 8
    assert GPUS.room_for(Demand(gpus=2)) == 4
    assert GPUS.room_for(Demand(cpus=5, gpus=1)) == 6
    assert CPUS.room_for(Demand()) == 8
    assert GPUS.room_for(Demand(cpus=4, gpus=4, machines=2)) == 1
    assert GPUS.room_for(Demand(machines=3)) == MIXED.room_for(Demand(gpus=5)) == 0


@pytest.mark.parametrize(
    ("capacity", "stated", "told"),
    [
        (MIXED, {"gpus": 9}, "needs 9 GPUs, no machine of the cluster has more than 4"),
        (MIXED, {"cpus": 17}, "needs 17 cores, no machine of the cluster has more than 16"),
        (MIXED, {"gpus": 1, "processes": 8, "machines": 3}, "needs 3 machines with 8 cores and 1 GPU each, of which"),
        (CPUS, {"machines": 3}, "needs 3 machines with 1 core each, of which there are 2"),
        (ALONE, {"gpus": 3}, "needs 3 GPUs, this machine has 2"),
        (ALONE, {"processes": 3}, "needs 3 GPUs, this machine has 2"),
        (ALONE, {"machines": 2}, "needs 2 machines with 8 cores and 1 GPU each, of which there is 1"),
    ],
)
def test_more_than_there_is_is_refused(capacity, stated, told, tmp_path):
    capacity.check([Asked("good", tmp_path, cpus=4).request])
    with pytest.raises(UsageError, match=f"a step of kind train {told}"):
        capacity.check([Asked("good", tmp_path, cpus=4).request, Asked("more", tmp_path, **stated).request])


def test_a_machine_with_the_cores_and_another_with_the_gpus_do_not_suffice(tmp_path):
    capacity = Capacity(place="Slurm", machines=[MachineResources(cpus=64), MachineResources(cpus=8, gpus=4)])
    with pytest.raises(UsageError, match="a machine with 16 cores and 1 GPU, of which there is none"):
        capacity.check([Asked("good", tmp_path, cpus=16).request])
