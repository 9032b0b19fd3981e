"""Locks made of leases, in one process: exclusive and shared ones, and what has been left."""

import threading

import pytest

from harness._util.lease_files import LeaseFile, OsFiles, Owner
from harness._util.lease_locks import LeaseLocks
from harness._util.locks import LockLost

LASTS = 60.0


class Machine(LeaseLocks):
    """The locks as another machine sees them, on which time passes only when it waits."""

    def __init__(self, folder, name):
        self.now, self.meanwhile = 0.0, lambda: None
        super().__init__(folder, lasts=LASTS, on=name, clock=lambda: self.now, sleep=self.wait)

    def wait(self, seconds):
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def machines(tmp_path):
    return Machine(tmp_path, "first"), Machine(tmp_path, "second")


def died(folder, name, file="1"):
    """Leaves a lease of a machine that is gone."""
    (folder / f"{name}.lease").mkdir()
    LeaseFile(folder / f"{name}.lease" / file, Owner.this_process(LASTS, on="gone"), OsFiles()).create()


def test_a_lock_is_reentrant_and_held_until_its_last_release(machines):
    first, second = (machine.exclusive("key") for machine in machines)
    assert first.acquire() and first.acquire()
    first.release()
    assert not second.acquire("never")
    first.check()
    first.release()
    assert second.acquire("never")
    assert second.number == 2


def test_threads_of_a_process_exclude_one_another(machines):
    lock = machines[0].exclusive("key")
    assert lock.acquire()
    seen = []
    thread = threading.Thread(target=lambda: seen.append(lock.acquire("never")))
    thread.start()
    thread.join()
    assert seen == [False]
    lock.release()


def test_a_lost_lock_is_told_with_who_has_it(machines):
    first, second = (machine.exclusive("key") for machine in machines)
    first.acquire()
    assert second.acquire("until free")  # the first machine does not renew its lease: this clock runs ahead of it
    with pytest.raises(LockLost, match="lost its lease on this result to process"):
        first.check()
    first.release()
    second.check()


def test_waiting_until_known_ends_with_the_first_sign_of_life(tmp_path, machines):
    died(tmp_path, "key")
    assert machines[0].exclusive("key").acquire("until known")
    lease = LeaseFile(tmp_path / "key.lease" / "2", Owner.this_process(LASTS, on="first"), OsFiles())
    machines[1].meanwhile = lease.beat
    assert not machines[1].exclusive("key").acquire("until known")
    assert machines[1].now < LASTS


def test_readers_share_a_lock_and_keep_out_who_wants_to_be_alone(machines):
    first, second = machines
    holds = [first.hold_shared("model"), second.hold_shared("model")]
    for hold in holds:
        with pytest.raises(BlockingIOError), second.alone("model"):
            pass
        hold.release()
    with second.alone("model"), pytest.raises(BlockingIOError), first.alone("model"):
        pass
    with first.alone("model"):
        assert not second.exclusive("model").acquire("never")


def test_readers_that_died_are_in_nobodys_way(tmp_path, machines):
    died(tmp_path, "model", "reader-1")
    with pytest.raises(BlockingIOError), machines[0].alone("model"):
        pass
    with machines[0].alone("model", "until known"):
        assert machines[0].now >= LASTS
    with machines[1].alone("model"):
        pass


def test_what_is_held_is_told_and_what_is_dead_is_not(tmp_path, machines):
    first, second = machines
    died(tmp_path, "dead")
    died(tmp_path, "dead reader", "reader-1")
    held = first.exclusive("held")
    held.acquire()
    hold = first.hold_shared("read")
    first.hold_shared(".removing")
    free = first.exclusive("free")
    free.acquire()
    free.release()
    second.meanwhile = lambda: (held._lease.held.beat(), hold._file.beat())
    assert second.held() == {"held", "read"}
    assert LeaseLocks(tmp_path / "none").held() == set()


def test_what_has_been_used_often_leaves_few_files(tmp_path, machines):
    lock = machines[0].exclusive("key")
    for _ in range(50):
        lock.acquire()
        lock.release()
    assert len(list((tmp_path / "key.lease").iterdir())) <= 20
    assert lock.number == 50


def test_a_forked_process_gives_back_no_lease_of_its_parent(machines, monkeypatch):
    first, second = machines
    lock, hold = first.exclusive("key"), first.hold_shared("model")
    lock.acquire()
    monkeypatch.setattr("harness._util.lease_files.os.getpid", lambda: -1)
    lock.release()
    hold.release()
    assert not second.exclusive("key").acquire("never")
    assert second.is_held("model")


def test_a_folder_of_locks_that_was_deleted_is_made_again(tmp_path, machines):
    lock = machines[0].exclusive("key")
    lock.acquire()
    lock.release()
    for path in (tmp_path / "key.lease").iterdir():
        path.unlink()
    (tmp_path / "key.lease").rmdir()
    assert lock.acquire()
    lock.check()
