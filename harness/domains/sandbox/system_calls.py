"""The system-call filter for bubblewrap: no new namespaces, no tracing, no memory or messages outside the limits.

The program is classic BPF over `struct seccomp_data` (seccomp(2)): number at offset 0, architecture at 4, low halves
of the arguments at 16, 24, 32. The numbers come from the kernel's tables for the two architectures.
"""

from __future__ import annotations

import errno
import platform
import socket
import struct

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_CALLS = 0x40000000  # a second ABI for the calls of x86_64
NEW_NAMESPACES = (
    0x7E020000  # CLONE_NEWUSER, NEWNS, NEWPID, NEWNET, NEWIPC, NEWUTS, NEWCGROUP; the time one has no place in clone
)
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435  # its flags are in memory, which a filter cannot read; if it fails with ENOSYS, libc uses clone
REFUSED = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
}
"""Calls that always fail. System V objects, message queues and keys outlive the process that created them; memory files
(memfd) are not part of the address space, to which the limit applies."""
OF_ANOTHER_PROCESS = {
    "prlimit64": (302, 261),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
}
"""Calls that fail unless their first argument, a process, is 0 (the caller), because process 1 has the same user."""
SOCKET = {"x86_64": 41, "aarch64": 198}
"""Fails for every family except AF_UNIX. There is no network, TCP buffers are memory outside the limits, and sockets of
virtual machines (vsock) have no namespace."""
SET_SOCKET_OPTION = {"x86_64": 54, "aarch64": 208}
"""Fails for buffer sizes, because buffers may have megabytes."""

Step = tuple[int, int, int, int]
FIRST, SECOND, THIRD = ((LOAD, 0, 0, offset) for offset in (16, 24, 32))
"""The loads of a call's arguments."""


def filter_program(machine: str = platform.machine()) -> bytes | None:
    """Returns the filter for `machine` in the kernel's format, or None if its call numbers are not known here."""
    if machine not in ARCHITECTURE:
        return None
    column = list(ARCHITECTURE).index(machine)
    steps = [(LOAD, 0, 0, 4), (JUMP_EQUAL, 1, 0, ARCHITECTURE[machine]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    if machine == "x86_64":
        steps += [(JUMP_AT_LEAST, 0, 1, X32_CALLS), (RETURN, 0, 0, FAIL | errno.EPERM)]
    steps += [(JUMP_EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, FAIL | errno.ENOSYS)]
    for numbers in REFUSED.values():
        steps += [(JUMP_EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, FAIL | errno.EPERM)]
    for numbers in OF_ANOTHER_PROCESS.values():
        steps += by_argument(numbers[column], [FIRST, (JUMP_EQUAL, 1, 0, 0)], errno.EPERM)
    steps += by_argument(SOCKET[machine], [FIRST, (JUMP_EQUAL, 1, 0, socket.AF_UNIX)], errno.ECONNREFUSED)
    sizes = [(JUMP_EQUAL, 1, 0, socket.SO_SNDBUF), (JUMP_EQUAL, 0, 1, socket.SO_RCVBUF)]
    of_sockets = [SECOND, (JUMP_EQUAL, 0, 4, socket.SOL_SOCKET), THIRD, *sizes]
    steps += by_argument(SET_SOCKET_OPTION[machine], of_sockets, errno.EPERM)
    steps += by_argument(CLONE[machine], [FIRST, (JUMP_ANY_BIT, 0, 1, NEW_NAMESPACES)], errno.EPERM)
    steps += [(RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def by_argument(number: int, tests: list[Step], error: int) -> list[Step]:
    """Returns the steps for a call whose arguments decide.

    The tests are followed by a failing and a succeeding step: they continue with the former or skip it.
    """
    ends = [(RETURN, 0, 0, FAIL | error), (RETURN, 0, 0, ALLOW)]
    return [(JUMP_EQUAL, 0, len(tests) + len(ends), number), *tests, *ends]
