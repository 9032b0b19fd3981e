"""Tiers of the sandbox: outcomes, their order, and refused configurations."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.domains.sandbox import Job, Limits, Outcome, SandboxConfig, open_sandbox, tiers
from harness.domains.sandbox.bubblewrap import start_worker, with_user_namespace
from harness.domains.sandbox.pool import WorkerPool
from harness.domains.sandbox.worker import Worker, WorkerFailedError
from harness.errors import UsageError

LIMITS = Limits(seconds=10)


NOT_COPIED = (
    *("site-packages", "dist-packages", "test", "idlelib", "lib2to3", "ensurepip", "tkinter", "turtledemo", "config-*"),
    *("asyncio", "distutils", "email", "multiprocessing", "pydoc_data", "sqlite3", "unittest", "wsgiref", "xml"),
)
"""Folders of the standard library that no worker imports."""


def config_of(tier):
    return SandboxConfig(tier=tier, limits=LIMITS, allow_unsafe=tier == "subprocess")


@pytest.fixture(scope="module", params=["bubblewrap", "monty", "subprocess"])
def sandbox(request):
    try:
        opened = open_sandbox(config_of(request.param))
    except UsageError as error:
        pytest.skip(error.message)
    with opened:
        yield opened


def test_values_come_back_in_order_with_their_types(sandbox):
    code = "def double(n):\n    return n * 2\nseen = []\n"
    jobs = [Job(code, (f"double({n})", f"double({n}.5)", "(1, [True, None], {'a': {2}})")) for n in range(20)]
    wanted = (1, [True, None], {"a": {2}})
    assert sandbox.run(jobs) == [Outcome("ok", (2 * n, 2 * (n + 0.5), wanted)) for n in range(20)]
    assert sandbox.run([]) == []


def test_jobs_do_not_see_one_another(sandbox):
    first, second = sandbox.run([Job("import math\nmath_of_mine = 1", ("math_of_mine",)), Job("", ("math_of_mine",))])
    assert first == Outcome("ok", (1,))
    assert second.kind == "runtime-error" and "math_of_mine" in second.detail


def test_expressions_share_what_the_code_made(sandbox):
    assert sandbox.run([Job("seen = []", ("seen.append(1)", "seen.append(2)", "seen"))])[0].values == (
        None,
        None,
        [1, 2],
    )


def test_kinds_of_failure_are_kept_apart(sandbox):
    outcomes = sandbox.run([Job("def f(:"), Job("1 / 0"), Job("x = [1]", ("x[3]",)), Job("", ("lambda: 0",))])
    assert [outcome.kind for outcome in outcomes] == ["compile-error", *["runtime-error"] * 3]
    assert "ZeroDivisionError" in outcomes[1].detail and "expression 0" in outcomes[2].detail
    assert not any(outcome.values for outcome in outcomes)


def test_a_range_is_no_list_and_no_string(sandbox):
    assert [sandbox.run([Job("", (text,))])[0].kind for text in ("range(3)", "[range(3)]", "len")] == [
        "runtime-error"
    ] * 3


@pytest.mark.skipif(find_spec("pydantic_monty") is None, reason="pydantic-monty is not installed")
def test_monty_says_unsupported_and_never_wrong():
    programs = ["class A(int):\n    pass", "import heapq", "import sys\nsys.exit(0)", "x = 1\ndel x", "[].no_such()"]
    with open_sandbox(config_of("monty")) as sandbox:
        outcomes = sandbox.run([Job(program, ("1",)) for program in programs])
    assert [outcome.kind for outcome in outcomes] == ["unsupported"] * len(programs)
    assert all("monty cannot run this" in outcome.detail for outcome in outcomes)


@pytest.mark.skipif(find_spec("pydantic_monty") is None, reason="pydantic-monty is not installed")
@pytest.mark.parametrize(
    "code",
    [
        "import sys\nsys.exit(0)",
        "import os\nos.fork()",
        "import os\nos._exit(3)",
        "raise SystemExit(0)",
    ],
)
def test_no_program_ends_monty(code):
    with open_sandbox(config_of("monty")) as sandbox:
        outcome, after = sandbox.run([Job(code, ("x",)), Job("", ("1",))])
    assert (outcome.kind, after) == ("unsupported", Outcome("ok", (1,)))


def test_a_slow_program_costs_its_limit_once(sandbox):
    """The jobs of a group after its first timeout do not run, whatever the number of workers."""
    tier = {"tier": sandbox.tier, "allow_unsafe": sandbox.tier == "subprocess"}
    slow = [Job("", ("1",), group=7), *[Job("while True: pass", ("1",), group=7)] * 30, Job("", ("1",), group=7)]
    with open_sandbox(SandboxConfig.model_validate({**tier, "limits": {"seconds": 2}})) as quick:
        outcomes = quick.run([*slow, Job("", ("2",), group=8), Job("", ("3",))])
    assert [outcome.kind for outcome in outcomes] == ["ok", *["timeout"] * 31, "ok", "ok"]
    assert ["not run" in outcome.detail for outcome in outcomes] == [False, False, *[True] * 30, False, False]


def test_jobs_of_a_group_run_one_after_another(tmp_path):
    """In the tier that contains nothing, jobs of one group append to a file in order, though two workers are free."""
    log = tmp_path / "log"
    code = "open({0!r}, 'a').write('begin {1} ')\nsum(range(10**6))\nopen({0!r}, 'a').write('end {1} ')"
    with open_sandbox(config_of("subprocess")) as opened:
        opened.run([Job(code.format(str(log), number), group=0) for number in range(5)])
    assert log.read_text() == "".join(f"begin {number} end {number} " for number in range(5))


def missing(config):
    raise WorkerFailedError("bubblewrap (the program bwrap) is not installed")


@pytest.mark.parametrize("tier", ["auto", "bubblewrap"])
def test_without_bubblewrap_no_other_tier_takes_its_place(tier, monkeypatch):
    monkeypatch.setattr(tiers, "bubblewrap", missing)
    with pytest.raises(UsageError) as caught:
        open_sandbox(SandboxConfig(tier=tier))
    assert "apt install bubblewrap" in caught.value.hint and "tier: monty" in caught.value.hint


def test_monty_that_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setattr(tiers, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        open_sandbox(SandboxConfig(tier="monty"))
    assert "pip install pydantic-monty" in caught.value.hint


@pytest.mark.skipif(find_spec("pydantic_monty") is None, reason="pydantic-monty is not installed")
def test_monty_that_does_not_start_is_told_to_a_person(monkeypatch):
    monkeypatch.setenv("MONTY_BIN", "/nowhere/monty")
    with pytest.raises(UsageError, match="does not start"):
        open_sandbox(SandboxConfig(tier="monty"))


def test_the_uncontained_tier_wants_to_be_allowed():
    with pytest.raises(UsageError, match="is not a sandbox"):
        open_sandbox(SandboxConfig(tier="subprocess"))


def test_a_job_that_ends_its_worker_twice_is_a_failed_program():
    """The tier subprocess contains nothing: a program may kill the process that forked it."""
    with open_sandbox(config_of("subprocess")) as opened:
        killer = Job("import os\nos.kill(os.getppid(), 9)\nwhile True: pass", ("1",))
        outcome, after = opened.run([killer, Job("", ("1",))])
    assert outcome.kind == "runtime-error" and "ended its sandbox" in outcome.detail
    assert after == Outcome("ok", (1,))


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_python_installed_below_the_temporary_folder(monkeypatch):
    """The folder with Python is visible, read-only, in a /tmp that is otherwise empty, and stays clean between jobs."""
    library = Path(os.__file__).parent
    with tempfile.TemporaryDirectory(dir="/tmp") as prefix:
        copy = Path(prefix) / "python" / "lib" / library.name
        shutil.copytree(library, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
        program = copy.parent.parent / "bin" / "python3"
        program.parent.mkdir()
        shutil.copy2(Path(sys.executable).resolve(), program)
        for shared in Path(sys.base_prefix, "lib").glob("libpython*"):
            shutil.copy2(shared, copy.parent)
        monkeypatch.setattr(sys, "base_prefix", str(copy.parent.parent))
        monkeypatch.setattr(sys, "base_exec_prefix", str(copy.parent.parent))
        monkeypatch.setattr(sys, "_base_executable", str(program))
        folder = Path(prefix).name
        write = "open({0!r}, 'w').write('x')"
        jobs = [
            Job("import os", ("os.__file__", "os.listdir('/tmp')")),
            Job("", (write.format("/tmp/mine"),)),
            Job("", (write.format(f"/tmp/{folder}/mine"),)),
            Job("import os", ("os.listdir('/tmp')", f"os.listdir('/tmp/{folder}')")),
        ]
        with open_sandbox(SandboxConfig(tier="bubblewrap", limits=LIMITS, workers=1)) as opened:
            first, second, third, fourth = opened.run(jobs)
    assert first.values == (str(copy / "os.py"), [folder])
    assert second.values == (1,)
    assert third.kind == "runtime-error" or os.geteuid() != 0
    assert fourth.values == ([folder], ["python"])


def test_a_worker_that_does_not_start_is_a_sandbox_error_and_not_the_candidates():
    pool = WorkerPool(lambda number: Worker(["false"], LIMITS), 2)
    assert [outcome.kind for outcome in pool.run([Job("1"), Job("2")])] == ["sandbox-error"] * 2


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_a_worker_that_died_between_jobs_is_replaced():
    with open_sandbox(config_of("bubblewrap")) as sandbox:
        pool = sandbox.runner
        pool.idle[0].process.kill()
        pool.idle[0].process.wait()
        assert sandbox.run([Job("", ("1",))])[0] == Outcome("ok", (1,))


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_the_way_for_those_who_are_not_root():
    program = shutil.which("bwrap")
    try:
        first = start_worker(with_user_namespace, program, LIMITS, 0)
    except WorkerFailedError as error:
        pytest.skip(f"no user namespaces here: {error}")
    pool = WorkerPool(lambda number: start_worker(with_user_namespace, program, LIMITS, number), 1, first)
    try:
        codes = ("import os\nos.kill(1, 9)", "open('/proc/1/fd/3', 'wb')", "open('/usr/mine', 'w')")
        outcomes = pool.run([Job(code, ("1",)) for code in codes])
        assert [outcome.kind for outcome in outcomes] == ["ok", "runtime-error", "runtime-error"]
        assert "PermissionError" in outcomes[1].detail
    finally:
        pool.close()
