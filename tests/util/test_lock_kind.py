"""Which locks a folder gets: by its file system, by the environment, and by who used it first."""

from pathlib import Path

import pytest

from harness._util import file_systems, lock_kind
from harness._util.file_systems import flock_excludes, is_on_network, mount_of, read_mounts
from harness._util.lock_kind import RECORD, LockKind, kind_of, wanted_kind
from harness.errors import UsageError

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /nfs rw,relatime shared:2 master:1 - nfs4 server:/nfs rw,vers=4.2,hard
31 30 0:41 / /nfs/my\040runs rw - ext4 /dev/sdb1 rw
40 22 0:50 / /scratch rw,flock - lustre mgs@tcp:/fs rw,flock,lazystatfs
41 22 0:51 / /local rw - lustre mgs@tcp:/fs rw,localflock
42 22 0:52 / /ssh rw - fuse.sshfs me@host: rw,user_id=0
43 22 0:53 / /usb rw - fuseblk /dev/sdc1 rw
44 22 0:54 / /over rw - ext4 /dev/sdd1 rw
45 22 0:55 / /over rw - cifs //server/share rw
46 22 0:56 / /nfs2 rw - tmpfs tmpfs rw
odd line
"""


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/work", False),
        ("/nfs/me/runs", True),
        ("/nfs/my runs/store", False),
        ("/nfswork", False),
        ("/nfs2/runs", False),
        ("/scratch/runs", False),  # Lustre whose flock holds between machines
        ("/local/runs", True),
        ("/ssh", True),
        ("/usb/runs", False),
        ("/over/runs", True),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_its_last_and_deepest_mount(tmp_path, monkeypatch, path, network):
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(file_systems, "_MOUNTS", tmp_path / "mountinfo")
    assert is_on_network(Path(path)) is network


def test_a_machine_without_mountinfo_has_no_network_file_systems(tmp_path, monkeypatch):
    monkeypatch.setattr(file_systems, "_MOUNTS", tmp_path / "none")
    assert not is_on_network(tmp_path)
    assert mount_of(tmp_path, read_mounts("")) is None


def test_flock_is_tried(tmp_path, monkeypatch):
    assert flock_excludes(tmp_path)
    monkeypatch.setattr(file_systems.fcntl, "flock", lambda descriptor, operation: None)
    assert not flock_excludes(tmp_path)
    assert kind_of(tmp_path, {}) is LockKind.LEASE
    assert [path.name for path in tmp_path.iterdir()] == [RECORD]


@pytest.fixture
def network(monkeypatch):
    """Returns a set of folders that lie on a network file system."""
    folders = set()
    monkeypatch.setattr(lock_kind, "is_on_network", folders.__contains__)
    return folders


@pytest.mark.parametrize("asked", ["flock", "lease"])
def test_the_environment_decides_for_a_new_folder(tmp_path, network, asked):
    network.add(tmp_path)
    assert kind_of(tmp_path, {"HARNESS_LOCKS": asked}) == asked
    assert kind_of(tmp_path, {"HARNESS_LOCKS": asked}) == asked


def test_a_machine_with_the_folder_on_its_disk_follows_those_that_see_it_over_the_network(tmp_path, network):
    network.add(tmp_path)
    assert kind_of(tmp_path, {}) is LockKind.LEASE
    network.clear()  # the server itself
    assert kind_of(tmp_path, {"HARNESS_LOCKS": "auto"}) is LockKind.LEASE
    with pytest.raises(UsageError, match="of the kind lease") as raised:
        kind_of(tmp_path, {"HARNESS_LOCKS": "flock"})
    assert "unset HARNESS_LOCKS" in raised.value.hint


def test_flock_on_a_disk_is_not_mixed_with_the_network(tmp_path, network):
    assert kind_of(tmp_path, {}) is LockKind.FLOCK
    network.add(tmp_path)  # another machine
    with pytest.raises(UsageError, match="needs lease") as raised:
        kind_of(tmp_path, {})
    assert raised.value.where == str(tmp_path / RECORD)
    assert kind_of(tmp_path, {"HARNESS_LOCKS": "flock"}) is LockKind.FLOCK
    (tmp_path / RECORD).unlink()
    assert kind_of(tmp_path, {}) is LockKind.LEASE


def test_nonsense_is_told(tmp_path):
    with pytest.raises(UsageError, match="'leese' is no kind of locks"):
        wanted_kind(tmp_path, {"HARNESS_LOCKS": "leese"})
    (tmp_path / RECORD).write_text("zookeeper\n")
    with pytest.raises(UsageError, match="'zookeeper' is no kind of locks"):
        kind_of(tmp_path, {})
