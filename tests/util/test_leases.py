"""Leases: never two owners, whatever the order of their steps; an owner that is dead is followed by another."""

import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness._util.lease_files import BEATS, SECONDS, Owner, Watch, read_lease
from harness._util.leases import Lease

FOLDER = Path("/store/.locks/key.lease")


class Killed(BaseException):
    """Ends the thread of a process that was killed."""


class Task(threading.Thread):
    """A process in the middle of something: stands still before each of its file operations until it may go on."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.killed, self.ended = work, False, False
        self.go, self.paused = threading.Semaphore(0), threading.Semaphore(0)
        self.start()
        self.paused.acquire()

    def run(self):
        try:
            self.pause()
            self.work()
        except Killed:
            pass
        self.ended = True
        self.paused.release()

    def pause(self):
        self.paused.release()
        self.go.acquire()
        if self.killed:
            raise Killed

    def step(self):
        self.go.release()
        self.paused.acquire()

    def kill(self):
        self.killed = True
        while not self.ended:
            self.step()


class MemoryFiles:
    """A folder in memory, in which each operation of a task waits for its turn."""

    def __init__(self):
        self.content = {}
        self.slow = lambda: None  # called when a file is read

    @staticmethod
    def turn():
        if isinstance(task := threading.current_thread(), Task):
            task.pause()

    def names(self, folder, *, fresh=False):
        self.turn()
        return [path.name for path in self.content if path.parent == folder]

    def read(self, path):
        self.turn()
        self.slow()
        return self.content.get(path)

    def create(self, path, content):
        self.turn()
        if path in self.content:
            raise FileExistsError(path)
        self.content[path] = b""
        self.turn()
        self.content[path] = content

    def rewrite(self, path, content):
        self.turn()
        if path not in self.content:
            raise FileNotFoundError(path)
        self.content[path] = content

    def remove(self, path):
        self.turn()
        self.content.pop(path, None)


class Host:
    """A process of a machine, with a lease of the one folder."""

    def __init__(self, files, clock, *, machine, pid, alive):
        self.pid = pid
        self.lease = Lease(
            FOLDER,
            files=files,
            watch=Watch(files, clock=clock, on=machine, alive=alive),
            make=lambda folder: None,
            owner=lambda: Owner.this_process(SECONDS, on=machine, pid=pid),
            heart=None,
            kept=1,
        )
        self.task = None
        self.suspended = False
        self.punctual = False  # whether it has renewed its hold in time since it acquired it

    @property
    def holds(self):
        return self.lease.held is not None

    def acquire(self):
        self.punctual = True
        self.lease.try_acquire()


class World:
    def __init__(self, hosts=0):
        self.files, self.now, self.quarters, self.started, self.alive = MemoryFiles(), 0.0, 0, 0, set()
        self.hosts = [self.host(index) for index in range(hosts)]

    def host(self, machine):
        self.started += 1
        self.alive.add(self.started)
        return Host(
            self.files,
            lambda: self.now,
            machine=f"machine {machine}",
            pid=self.started,
            alive=self.alive.__contains__,
        )

    def pass_time(self, quarters=4):
        """Lets quarters of a beat pass; who can renews its lease once a beat."""
        for _ in range(quarters):
            self.quarters += 1
            self.now += SECONDS / BEATS / 4
            for host in self.hosts:
                if host.task is not None or host.suspended:
                    host.punctual = False
                elif self.quarters % 4 == 0 and host.holds and host.lease.held.path in self.files.content:
                    host.lease.held.beat()


class Leases(RuleBasedStateMachine):
    hosts = st.integers(0, 3)

    @initialize()
    def begin(self):
        self.world = World(3)
        self.world.hosts.append(self.world.host(0))  # two processes on the same machine

    def work(self, index, steps):
        """Lets a host acquire the lease, or release it if it holds it, for some file operations."""
        host = self.world.hosts[index]
        if host.suspended:
            return
        if host.task is None:
            host.task = Task(host.lease.release if host.holds else host.acquire)
        for _ in range(steps):
            if not host.task.ended:
                host.task.step()
        if host.task.ended:
            host.task = None

    @rule(index=hosts, steps=st.integers(0, 6))
    def go_on(self, index, steps):
        self.work(index, steps)

    @rule(index=hosts)
    def finish(self, index):
        self.work(index, 20)

    @rule(quarters=st.integers(1, 8))
    def pass_time(self, quarters):
        self.world.pass_time(quarters)

    @rule(index=hosts)
    def wait(self, index):
        """A host looks until it has the lease of one that is dead, if it is."""
        for _ in range(6 * BEATS):
            if self.world.hosts[index].holds:
                break
            self.work(index, 20)
            self.world.pass_time(1)

    @rule(index=hosts)
    def suspend_or_wake(self, index):
        self.world.hosts[index].suspended ^= True

    @rule(index=hosts)
    def kill(self, index):
        host = self.world.hosts[index]
        if host.task is not None:
            host.task.kill()
        self.world.alive.discard(host.pid)
        self.world.hosts[index] = self.world.host(index % 3)

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def one_owner_that_stays_one(self):
        owners = [host for host in self.world.hosts if host.holds and host.lease.is_owner()]
        assert len(owners) <= 1
        # Whoever renews its lease in time keeps it.
        assert all(host in owners for host in self.world.hosts if host.holds and host.punctual and host.task is None)

    def teardown(self):
        for host in self.world.hosts:
            if host.task is not None:
                host.task.kill()


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def watched_until(host, world, beats):
    """Returns the states that a host sees, which looks once a beat."""
    states = []
    for _ in range(beats):
        states.append(host.lease.try_acquire())
        if states[-1] == "free":
            break
        world.pass_time()
    return states


def test_a_dead_owner_of_another_machine_is_followed_once_its_lease_has_not_changed_for_its_time():
    world = World(2)
    dead, waits = world.hosts
    dead.acquire()
    dead.suspended = True
    assert watched_until(waits, world, 3 * BEATS) == ["unknown"] * BEATS + ["free"]
    assert not dead.lease.is_owner() and waits.lease.is_owner()
    dead.lease.release()  # it woke up; what it gives back is its own hold
    assert waits.lease.is_owner()
    assert read_lease(world.files.content[FOLDER / "2"])[1] is False


def test_a_dead_owner_of_this_machine_is_followed_at_once():
    world = World(1)
    neighbour = world.host(0)
    world.hosts[0].acquire()
    assert neighbour.lease.try_acquire() == "held"
    world.alive.discard(world.hosts[0].pid)
    assert neighbour.lease.try_acquire() == "free"


def test_an_owner_that_lives_is_waited_for():
    world = World(2)
    world.hosts[0].acquire()
    assert set(watched_until(world.hosts[1], world, 5 * BEATS)) == {"unknown", "held"}


def test_time_in_which_the_file_system_stood_still_does_not_count():
    world = World(2)
    owner, waits = world.hosts
    owner.acquire()
    owner.suspended = True  # cannot write either
    waits.lease.try_acquire()

    def hang():
        world.now += 2 * SECONDS
        world.files.slow = lambda: None

    world.files.slow = hang
    assert waits.lease.try_acquire() == "unknown"
    owner.suspended = False
    world.pass_time()
    assert waits.lease.try_acquire() == "held"


def test_what_was_created_and_never_written_is_followed_too():
    world = World(1)
    world.files.content[FOLDER / "1"] = b""
    assert watched_until(world.hosts[0], world, 2 * BEATS)[-1] == "free"


def test_a_number_that_was_used_and_removed_is_not_taken():
    world = World(2)
    late, busy = world.hosts
    busy.acquire()
    busy.lease.release()
    late.task = Task(late.acquire)
    for _ in range(3):
        late.task.step()  # it has seen that 1 was given back, and is about to create 2
    for _ in range(4):
        busy.acquire()
        busy.lease.release()
    busy.acquire()
    assert FOLDER / "2" not in world.files.content
    late.task.step()
    assert FOLDER / "2" in world.files.content
    while not late.task.ended:
        late.task.step()
    assert not late.holds and busy.lease.is_owner()
    assert FOLDER / "2" not in world.files.content


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"beat": 1, "released": false}', b"\xff"])
def test_a_damaged_lease_names_nobody(content):
    assert read_lease(content) == (None, False)
