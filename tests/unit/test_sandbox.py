"""Tiers of the sandbox: what comes back, in which order, and what is refused."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import pytest

from harness.errors import UsageError
from harness.sandbox import Job, Limits, Outcome, SandboxConfig, open_sandbox, tiers
from harness.sandbox.bubblewrap import start_worker, with_user_namespace
from harness.sandbox.pool import WorkerPool
from harness.sandbox.worker import Worker, WorkerFailedError

LIMITS = Limits(seconds=10)


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
    assert [outcome.kind for outcome in outcomes] == ["sandbox-error"] * len(programs)
    assert all("monty cannot run this" in outcome.detail for outcome in outcomes)


class Scripted:
    """A runner that answers by table and remembers what it was asked."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def run(self, jobs):
        self.asked += [job.code for job in jobs]
        return [self.answers[job.code] for job in jobs]

    def close(self):
        self.asked.append("closed")


def test_what_the_first_tier_cannot_do_goes_to_the_next_and_keeps_its_place():
    first = Scripted({"a": Outcome("sandbox-error"), "b": Outcome("ok", (2,)), "c": Outcome("timeout")})
    second = Scripted({"a": Outcome("ok", (1,)), "c": Outcome("runtime-error")})
    with tiers.Sandbox("two", [first, second]) as sandbox:
        kinds = [(outcome.kind, outcome.values) for outcome in sandbox.run([Job("a"), Job("b"), Job("c")])]
    assert kinds == [("ok", (1,)), ("ok", (2,)), ("runtime-error", ())]
    assert second.asked == ["a", "c", "closed"] and first.asked[-1] == "closed"


def missing(config):
    raise WorkerFailedError("bubblewrap (the program bwrap) is not installed")


@pytest.mark.parametrize("tier", ["auto", "bubblewrap"])
def test_no_tier_says_what_to_install(tier, monkeypatch):
    monkeypatch.setattr(tiers, "bubblewrap", missing)
    monkeypatch.setattr(tiers, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        open_sandbox(SandboxConfig(tier=tier))
    assert "apt install bubblewrap" in caught.value.hint and "pip install pydantic-monty" in caught.value.hint


def test_monty_that_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setattr(tiers, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        open_sandbox(SandboxConfig(tier="monty"))
    assert "pip install pydantic-monty" in caught.value.hint


@pytest.mark.skipif(find_spec("pydantic_monty") is None, reason="pydantic-monty is not installed")
@pytest.mark.parametrize("tier", ["auto", "monty"])
def test_monty_that_does_not_start_is_told_to_a_person(tier, monkeypatch):
    monkeypatch.setenv("MONTY_BIN", "/nowhere/monty")
    with pytest.raises(UsageError, match="does not start"):
        open_sandbox(SandboxConfig(tier=tier))


def test_the_uncontained_tier_wants_to_be_allowed():
    with pytest.raises(UsageError, match="contains nothing"):
        open_sandbox(SandboxConfig(tier="subprocess"))


def test_a_worker_that_does_not_start_is_a_sandbox_error_and_not_the_candidates():
    pool = WorkerPool(lambda number: Worker(["false"], LIMITS), 2)
    assert [outcome.kind for outcome in pool.run([Job("1"), Job("2")])] == ["sandbox-error"] * 2


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_a_worker_that_died_between_jobs_is_replaced():
    with open_sandbox(config_of("bubblewrap")) as sandbox:
        [pool] = sandbox.runners
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
