"""Hostile programs are contained and classified in each isolating tier."""

from __future__ import annotations

import errno
import os
import shutil
import socket

import pytest

from harness.domains.sandbox import Job, Limits, Sandbox, SandboxConfig, open_sandbox
from harness.domains.sandbox import bubblewrap as bubblewrap_tier
from harness.domains.sandbox.bubblewrap import with_user_namespace as USER_NAMESPACE
from harness.domains.sandbox.pool import WorkerPool
from harness.domains.sandbox.system_calls import filter_program
from harness.errors import UsageError

LIMITS = Limits(seconds=30, memory_mebibytes=256, processes=8)
QUICK = LIMITS.model_copy(update={"seconds": 1})
ALIVE = Job("def f(n):\n    return n + 1", ("f(1)",))


def opened(tier, limits):
    try:
        return open_sandbox(SandboxConfig(tier=tier, limits=limits, workers=1))
    except UsageError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="module", params=["bubblewrap", "monty"])
def sandbox(request):
    with opened(request.param, LIMITS) as sandbox:
        yield sandbox


@pytest.fixture(scope="module", params=["bubblewrap", "monty"])
def quick(request):
    """For code that never ends."""
    with opened(request.param, QUICK) as sandbox:
        yield sandbox


def attack(sandbox, code, *expressions):
    """Runs the code, then a harmless job: whatever an attack did, the sandbox has to go on working."""
    outcome, after = sandbox.run([Job(code, tuple(expressions)), ALIVE])
    assert (after.kind, after.values) == ("ok", (2,)), after
    return outcome


def refused(sandbox, outcome, error):
    """A runtime error that names `error`; monty, which has no such module or method at all, says so."""
    if sandbox.tier == "monty":
        return outcome.kind == "unsupported" and "monty cannot run this" in outcome.detail
    return outcome.kind == "runtime-error" and error in outcome.detail


def test_host_read(sandbox, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the-secret")
    outcome = attack(sandbox, f"text = open({str(secret)!r}).read()", "text")
    assert refused(sandbox, outcome, "FileNotFoundError")
    assert "the-secret" not in outcome.detail


def test_environment_and_account_files_are_not_there(sandbox, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "the-secret")
    outcome = attack(sandbox, "import os", "dict(os.environ)")
    assert outcome.kind != "ok" or "SECRET_OF_THE_HOST" not in outcome.values[0]
    assert refused(sandbox, attack(sandbox, "open('/etc/shadow').read()"), "FileNotFoundError")


def test_host_write(sandbox, tmp_path):
    target = tmp_path / "written"
    assert refused(sandbox, attack(sandbox, f"open({str(target)!r}, 'w').write('x')"), "FileNotFoundError")
    assert not target.exists()
    outcome = attack(sandbox, f"open({str(os.__file__)!r}, 'a').write('x')")
    assert refused(sandbox, outcome, "Error: [Errno")


def test_network(sandbox):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        outcome = attack(sandbox, f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 0.5)")
        assert refused(sandbox, outcome, "ConnectionRefusedError")
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("code", ["x = [0] * 10**10", "x = []\nwhile True:\n    x.append('x' * 10**7 + str(len(x)))"])
def test_memory_bomb(sandbox, code):
    outcome = attack(sandbox, code)
    assert outcome.kind == "runtime-error" and "MemoryError" in outcome.detail


@pytest.mark.parametrize(
    "code", ["while True:\n    pass", "try:\n    while True: pass\nexcept BaseException: pass\n" * 2]
)
def test_infinite_loop(quick, code):
    assert attack(quick, code).kind == "timeout"


def test_infinite_loop_in_an_expression(quick):
    assert attack(quick, "def f():\n    while True:\n        pass", "f()").kind == "timeout"


def test_fork_bomb(quick):
    code = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    assert attack(quick, code).kind == ("unsupported" if quick.tier == "monty" else "timeout")


@pytest.mark.skipif(os.geteuid() != 0, reason="the kernel counts all processes of the user who runs the tests")
def test_forks_end_at_the_limit(sandbox):
    code = (
        "import os, time\nforked = 0\ntry:\n    while forked < 100:\n        if os.fork() == 0:\n"
        "            time.sleep(100)\n        forked += 1\nexcept BlockingIOError:\n    pass"
    )
    outcome = attack(sandbox, code, "forked")
    assert outcome.values == (LIMITS.processes - 1,) or sandbox.tier == "monty"


@pytest.mark.parametrize("target", ["os.getppid()", "1", "-1"])
def test_kill_parent(sandbox, target):
    outcome = attack(sandbox, f"import os\nos.kill({target}, 9)", "1")
    assert outcome.kind in ("unsupported" if sandbox.tier == "monty" else "runtime-error", "ok")
    os.kill(os.getpid(), 0)


@pytest.mark.parametrize("code", ["while True:\n    print('x' * 10000)", "print('x' * 70000)"])
def test_output_flood(quick, code):
    outcome = attack(quick, code)
    assert outcome.kind == "runtime-error"
    assert len(outcome.detail) < 1000


def test_flood_of_values(sandbox):
    assert attack(sandbox, "", "'x' * 10**6", "list(range(10**6))").kind == "runtime-error"


def test_daemon_does_not_survive(sandbox):
    code = (
        "import os, signal\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n        while True: pass\n    os._exit(0)\nos.wait()"
    )
    started = attack(sandbox, code, "1")
    if sandbox.tier == "monty":
        assert started.kind == "unsupported"
        return
    assert started.kind == "ok"
    [seen] = sandbox.run([Job("import os", ("[name for name in os.listdir('/proc') if name.isdigit()]",))])
    assert len(seen.values[0]) == 2, "process 1 and the job itself"


@pytest.mark.parametrize(
    "code", ["import sys\nsys.exit(0)", "raise SystemExit(0)", "import os\nos._exit(0)", "exit(0)"]
)
def test_exit_before_the_asserts(sandbox, code):
    outcome = attack(sandbox, code, "1 == 2")
    assert outcome.kind == ("unsupported" if sandbox.tier == "monty" else "runtime-error")
    assert outcome.values == ()


def test_always_equal(sandbox):
    code = "class Equal:\n    def __eq__(self, other):\n        return True\n"
    outcome = attack(sandbox, code, "Equal()")
    assert outcome.kind == "runtime-error" and "plain data" in outcome.detail
    inherited = attack(sandbox, "class Equal(int):\n    def __eq__(self, other):\n        return True\n", "[Equal(1)]")
    assert refused(sandbox, inherited, "plain data")


def test_deep_recursion(sandbox):
    outcome = attack(sandbox, "def f(n):\n    return f(n + 1)", "f(0)")
    assert outcome.kind == "runtime-error" and "RecursionError" in outcome.detail
    unlimited = "import sys\nsys.setrecursionlimit(10**9)\nx = []\nfor _ in range(10**5):\n    x = [x]\n"
    assert refused(sandbox, attack(sandbox, unlimited, "repr(x)"), "")
    assert attack(sandbox, "x = " + "(" * 5000 + ")" * 5000).kind in ("compile-error", "runtime-error")


def test_symlink_escape(sandbox, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the-secret")
    code = f"import os\nos.symlink({str(tmp_path)!r}, '/tmp/link')\ntext = open('/tmp/link/secret').read()"
    assert refused(sandbox, attack(sandbox, code, "text"), "FileNotFoundError")


def with_user_namespace():
    """Returns a pool of the kind that users other than root get."""
    program = shutil.which("bwrap")
    if program is None:
        pytest.skip("bubblewrap is not installed")
    return WorkerPool(lambda number: bubblewrap_tier.start_worker(USER_NAMESPACE, program, LIMITS, number), 1)


@pytest.fixture(scope="module", params=["bubblewrap", "user-namespace"])
def bubblewrap(request):
    if request.param == "bubblewrap":
        started = opened("bubblewrap", LIMITS)
    else:
        started = Sandbox("bubblewrap", with_user_namespace())
    with started as sandbox:
        if sandbox.run([ALIVE])[0].kind == "sandbox-error":
            pytest.skip("user namespaces are not allowed here")
        yield sandbox


def test_files_of_one_job_are_not_there_for_the_next(bubblewrap):
    code = "import os\nos.makedirs('/tmp/a/b', mode=0o700)\nopen('/tmp/a/b/c', 'w').write('x')\nos.chmod('/tmp/a', 0)"
    first, second = bubblewrap.run([Job(code, ("1",)), Job("import os", ("os.listdir('/tmp')",))])
    assert (first.values, second.values) == ((1,), ([],))


def test_files_end_at_the_limit(bubblewrap):
    code = (
        "import os\nwritten = 0\ntry:\n    for name in range(100):\n        with open(f'/tmp/{name}', 'wb') as file:\n"
        "            written += file.write(bytes(10**6))\nexcept OSError:\n    pass"
    )
    assert 0 < attack(bubblewrap, code, "written").values[0] <= LIMITS.files << 20


@pytest.mark.parametrize("junk", ["b'junk'", "b'\\0' * 100", "bytes(16) + (8).to_bytes(4, 'big') + b'[1, 2]  '"])
def test_writing_to_every_descriptor_forges_nothing(bubblewrap, junk):
    code = (
        f"import os\nfor end in range(64):\n    try:\n        os.write(end, {junk})\n    except OSError:\n        pass"
    )
    outcome = attack(bubblewrap, code, "undefined")
    assert outcome.kind == "runtime-error" and outcome.values == ()


def test_closing_every_descriptor_forges_nothing(bubblewrap):
    assert attack(bubblewrap, "import os\nos.closerange(0, 64)", "1").kind == "runtime-error"


def test_a_fork_does_not_answer_for_the_job(bubblewrap):
    outcome = attack(bubblewrap, "import os\nmine = 1 if os.fork() else 2\nif mine == 1: os.wait()", "mine")
    assert outcome.values == (1,)


def test_the_pipes_of_process_one_are_out_of_reach(bubblewrap):
    code = "import os\nfor number in os.listdir('/proc/1/fd'):\n    open(f'/proc/1/fd/{number}', 'wb')"
    outcome = attack(bubblewrap, code, "1")
    assert outcome.kind == "runtime-error" and "PermissionError" in outcome.detail


@pytest.mark.skipif(filter_program() is None, reason="no filter of system calls for this machine")
@pytest.mark.parametrize(
    "call",
    [
        "unshare(0x10000000)",
        "unshare(0x20000)",
        "ptrace(0, 0, 0, 0)",
        "shmget(1, 4096, 0o1777)",
        "semget(1, 1, 0o1777)",
        "msgget(1, 0o1777)",
        "mq_open(b'/name', 0x42, 0o666, 0)",
        "memfd_create(b'', 0)",
        "setpriority(2, 0, 19)",
        "prlimit(1, 9, 0, 0)",
    ],
)
def test_refused_calls(bubblewrap, call):
    code = f"import ctypes\nlibrary = ctypes.CDLL(None, use_errno=True)\nresult = library.{call}"
    assert attack(bubblewrap, code, "(result, ctypes.get_errno())").values == ((-1, errno.EPERM),)


def test_threads_and_processes_still_work(bubblewrap):
    code = (
        "import subprocess, sys, threading\nseen = []\nthread = threading.Thread(target=lambda: seen.append(1))\n"
        "thread.start()\nthread.join()\ntext = subprocess.check_output(['/bin/echo', 'x'], text=True)"
    )
    assert attack(bubblewrap, code, "seen", "text").values == ([1], "x\n")


TRACES = [
    "open('/tmp/file', 'w').write('x')",
    "open('/dev/shm/file', 'w').write('x')",
    "import os\nopen('/tmp/file', 'w').close()\nos.remove('/tmp/file')",
    "import os\nos.chmod('/tmp', 0)",
    "import os\nos.setxattr('/tmp', 'user.note', b'x')",
    "import os\nos.utime('/tmp', (1, 1))",
    "import multiprocessing\nlock = multiprocessing.Semaphore(1)",
    "from multiprocessing import shared_memory\nblock = shared_memory.SharedMemory('name', create=True, size=4096)",
    "import ctypes\nlibrary = ctypes.CDLL('librt.so.1')\n"
    "library.mq_send(library.mq_open(b'/c', 0x42, 0o666, 0), b'x', 1, 0)",
    "import socket\ns = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(s.getsockname()).close()",
    "import os, signal\nos.kill(1, signal.SIGINT)",
    "import os\nos.sched_setaffinity(1, [0])",
    "import os\nos.nice(5)",
    "import os\nos.umask(0)\nos.environ['X'] = 'x'\nos.chdir('/')\nos.sched_setaffinity(0, [0])",
    "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))",
    "import resource\nresource.prlimit(1, resource.RLIMIT_NOFILE, (4, 4))",
    "import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('\\0name')\ns.listen()",
    "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(100)",
]

SEEN = """
import os, resource, socket
abstract = socket.socket(socket.AF_UNIX)
limits = [resource.getrlimit(number) for number in range(10)]
umask = os.umask(0)
seen = [
    os.listdir('/tmp'), os.listdir('/dev/shm'), os.stat('/tmp').st_mode, os.listxattr('/tmp'), umask, limits,
    dict(os.environ), os.getcwd(), os.stat('/tmp').st_mtime_ns, abstract.connect_ex('\\0name'),
    [os.getpriority(os.PRIO_PROCESS, number) for number in (0, 1)],
    [sorted(os.sched_getaffinity(number)) for number in (0, 1)],
    [open(f'/proc/net/{name}').read().count(chr(10)) for name in ('tcp', 'unix')],
    len([name for name in os.listdir('/proc') if name.isdigit()]),
]
"""


@pytest.mark.parametrize("code", TRACES)
def test_the_next_job_sees_nothing_of_the_one_before(bubblewrap, code):
    seen = Job(SEEN, ("seen",))
    before, _, after = bubblewrap.run([seen, Job(code), seen])
    assert before.kind == "ok", before
    assert after == before


@pytest.mark.parametrize(
    "store",
    [
        "os.memfd_create('x')",
        "os.open(f'/tmp/{number}', os.O_CREAT | os.O_RDWR)",
        "os.open(f'/dev/shm/{number}', os.O_CREAT | os.O_RDWR)",
        "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)",
    ],
)
def test_files_count_as_memory_or_are_bounded(bubblewrap, store):
    code = (
        f"import os\nheld = 0\ntry:\n    for number in range(50):\n        end = {store}\n        for _ in range(15):\n"
        "            held += os.write(end, bytes(1 << 20))\nexcept OSError:\n    pass"
    )
    assert attack(bubblewrap, code, "held").values[0] <= LIMITS.files << 20


BUFFERS = {
    "pipes": "ends = os.pipe()[::-1]\n    fcntl.fcntl(ends[0], 1031, 1 << 20)",
    "sockets": "ends = [end.detach() for end in socket.socketpair()]",
    "large sockets": "pair = socket.socketpair()\n"
    "    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)\n"
    "    ends = [end.detach() for end in pair]",
}


@pytest.mark.skipif(filter_program() is None, reason="no filter of system calls for this machine")
@pytest.mark.parametrize("buffer", BUFFERS.values(), ids=BUFFERS)
def test_what_the_kernel_buffers_is_less_than_the_memory_of_a_process(bubblewrap, buffer):
    code = (
        f"import fcntl, os, socket\ndef fill():\n    {buffer}\n    os.set_blocking(ends[0], False)\n    held = 0\n"
        "    try:\n        while True:\n            held += os.write(ends[0], bytes(65536))\n"
        "    except BlockingIOError:\n        return held\n"
        "total = 0\ntry:\n    while True:\n        total += fill()\nexcept OSError:\n    pass"
    )
    assert attack(bubblewrap, code, "total").values[0] <= 64 << 20


def test_files_without_content_are_bounded(bubblewrap):
    code = "import os, itertools\nfor n in itertools.count():\n    os.close(os.open(f'/tmp/{n}', os.O_CREAT))"
    outcome = attack(bubblewrap, code)
    assert outcome.kind == "runtime-error" and "10,000 files" in outcome.detail


@pytest.mark.skipif(filter_program() is None, reason="no filter of system calls for this machine")
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_VSOCK", "AF_NETLINK", "AF_ALG", "AF_PACKET"])
def test_no_sockets_but_local_ones(bubblewrap, family):
    outcome = attack(bubblewrap, f"import socket\nsocket.socket(socket.{family}, socket.SOCK_RAW)")
    assert outcome.kind == "runtime-error" and "Connection refused" in outcome.detail


def test_out_of_memory_ends_a_job_first(bubblewrap):
    assert attack(bubblewrap, "", "open('/proc/self/oom_score_adj').read()").values == ("1000\n",)
