"""Closed or full standard streams, readers that quit early, and control characters in the output."""

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runnable_world import Bench

from harness import StepFailed
from harness._util.cache_folder import ensure_caches
from harness._util.child_process import run_child
from harness._util.console import safe_console
from harness._util.memory import REMEDY, comes_of_memory
from harness._util.printable import printable

VERSION = f"{sys.executable} -m harness --version"


def shell(command):
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (f"{VERSION} >/dev/full", 1, "error: standard output cannot be written: No space left on device\n"),
        (f"{VERSION} >&-", 0, ""),
        (f"{VERSION} | true; exit ${{PIPESTATUS[0]}}", 0, ""),
        (f"{VERSION} 2>&-", 0, ""),
        (f"{VERSION} <&- >&- 2>&-", 0, ""),
        (f"{sys.executable} -m harness show nowhere 2>/dev/full", 2, ""),
    ],
)
def test_a_standard_stream_that_cannot_be_written_gives_one_message_at_most(command, code, message):
    result = shell(command)
    assert result.returncode == code
    assert result.stderr.startswith(message) and result.stderr.count("error") <= 1
    assert "Exception" not in result.stderr


@pytest.mark.parametrize("ignored", [False, True])
def test_a_hangup_ends_a_command_as_sigterm_does_unless_it_is_ignored(ignored):
    code = (
        "import os, signal\n"
        f"signal.signal(signal.SIGHUP, {'signal.SIG_IGN' if ignored else 'signal.SIG_DFL'})\n"
        "from harness._util.signals import catch_termination, interrupts_as_errors\n"
        "from harness.errors import HarnessError\n"
        "catch_termination()\n"
        "try:\n"
        "    with interrupts_as_errors(resumable=False):\n"
        "        os.kill(os.getpid(), signal.SIGHUP)\n"
        "        print('went on')\n"
        "except HarnessError as error:\n"
        "    print(int(error.exit_code))\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == ("went on\n" if ignored else "4\n")


@given(st.text())
def test_what_is_printed_holds_no_control_characters(text):
    shown = printable(text)
    assert not any(ord(sign) < 32 and sign not in "\n\t\r" for sign in shown)
    assert not any(0x7F <= ord(sign) < 0xA0 for sign in shown)
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07"),
        ("over\rwritten", r"over\rwritten"),
        ("line\r\n", "line\r\n"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202edef", r"abc\u202edef"),
        ("plain − text\n\tand", "plain − text\n\tand"),
    ],
)
def test_sequences_for_the_terminal_are_shown_as_text(text, shown, capsys):
    assert printable(text) == shown
    safe_console(file=sys.stdout, force_terminal=True, width=100, no_color=True).print(text, markup=False)
    assert "\x1b" not in capsys.readouterr().out


def test_colours_are_kept_where_they_are_wanted():
    assert printable("\x1b[31mred\x1b[0m\x1b[2J", styled=True) == "\x1b[31mred\x1b[0m\\x1b[2J"


def test_a_plan_that_cannot_be_read_is_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    bench = Bench(tmp_path)
    bench.run()
    plan = bench.runs / bench.plan_folder / "plan.json"
    whole = plan.read_text()
    for garbage in ("", "garbage", whole[:100], "[]", "[" * 100_000):
        plan.write_text(garbage)
        assert bench.run().executed == 0
        assert plan.read_text() == whole


def test_a_child_that_the_kernel_killed_ran_out_of_memory():
    kill = f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"
    with pytest.raises(StepFailed, match="was killed, probably out of memory") as raised:
        run_child([sys.executable, "-c", kill], label="math")
    assert raised.value.hint == REMEDY


def test_a_child_that_ended_by_another_signal_names_it_and_its_last_line():
    code = "import os; print('boom', flush=True); os.abort()"
    with pytest.raises(StepFailed, match="ended by signal SIGABRT: boom"):
        run_child([sys.executable, "-c", code], label="math")


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            True,
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("a memory"), False),
    ],
)
def test_errors_that_come_of_memory_are_known(error, is_memory):
    assert comes_of_memory(error) is is_memory
    wrapped = ValueError("wrapped")
    wrapped.__cause__ = error
    assert comes_of_memory(wrapped) is is_memory


def test_a_plugin_that_runs_out_of_memory_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    bench = Bench(tmp_path)

    def fill(names, step, context):
        raise MemoryError

    bench.world.on_train = fill
    error = bench.run().failures[0].error
    assert "ran out of memory" in error.message and error.hint == REMEDY


@pytest.mark.parametrize("named", ["HF_HOME", "XDG_CACHE_HOME", "HOME"])
def test_a_cache_that_cannot_be_written_is_replaced_and_that_is_said(tmp_path, monkeypatch, capsys, named):
    (tmp_path / "file").write_text("")
    for name in ("HF_HOME", "XDG_CACHE_HOME", "HF_DATASETS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(named, str(tmp_path / "file" / "below"))
    before = dict(os.environ)
    try:
        ensure_caches()
        assert os.access(os.environ["HF_HOME"], os.W_OK) and os.environ["HF_HOME"] != before.get("HF_HOME")
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_a_cache_that_can_be_written_is_used(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "new"))
    ensure_caches()
    assert os.environ["HF_HOME"] == str(tmp_path / "new") and capsys.readouterr().err == ""
