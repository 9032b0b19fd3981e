"""A full disk is recognised by the errors of Python and native libraries, tested with `/dev/full`."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness._util.disk import comes_of_full, disk_full, format_bytes, shows_full
from harness._util.files import replacing, write_together
from harness.errors import DiskFull, ExitCode, UsageError

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")

PRINTING = """
import sys
from pathlib import Path
from harness._util.console_log import output_to
with output_to(Path("/dev/full")):
    sys.stdout.write("a library speaks")
print("told")
"""


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "full"),
        OSError(errno.EDQUOT, "over the quota"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
        RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
    ],
)
def test_errors_of_a_full_disk(error):
    assert shows_full(error)
    wrapped = ValueError("saving failed")
    wrapped.__cause__ = error
    assert comes_of_full(wrapped)
    assert not shows_full(wrapped)


@needs_full
def test_what_torch_raises_of_a_full_disk():
    with pytest.raises(Exception) as raised:  # which kind is what the test is about
        torch.save({"weights": torch.ones(1 << 16)}, FULL)
    assert comes_of_full(raised.value)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), ValueError("No such thing"), OSError("no number")])
def test_errors_that_are_none(error):
    assert not comes_of_full(error)


def test_how_it_is_told():
    error = disk_full("runs/store", needed=3 << 30, kept="what is done is kept")
    assert error.exit_code == ExitCode.STEP_FAILED
    assert str(error) == (
        "runs/store: no space is left on its disk\n"
        "  → free about 3 GiB there, then run the same command: what is done is kept"
    )
    assert [format_bytes(size) for size in (0, 1023, 1536, 40 << 10, 3 << 19, 999 << 20, 5 << 29, 3 << 40)] == [
        "0 bytes", "1023 bytes", "1.5 KiB", "40 KiB", "1.5 MiB", "999 MiB", "2.5 GiB", "3 TiB",
    ]  # fmt: skip


def test_files_that_belong_together_appear_together(tmp_path):
    (tmp_path / "a").write_text("before")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "inside").touch()
    write_together({tmp_path / "a": b"one", tmp_path / "b": b"two"})
    assert (tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes() == b"onetwo"
    with pytest.raises(UsageError, match="cannot be written"):
        write_together({tmp_path / "a": b"three", tmp_path / "c" / "inside" / "d": b"below a file"})
    assert (tmp_path / "a").read_bytes() == b"one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_library_that_fills_the_disk_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "table").write_text("before")
    with pytest.raises(DiskFull), replacing(tmp_path / "table") as temporary:
        temporary.write_text("half")
        raise RuntimeError("parquet: underlying IO error: No space left on device (os error 28)")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


@needs_full
def test_a_log_that_cannot_be_written_gives_the_terminal_back():
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", PRINTING], capture_output=True, text=True, check=True, env=buffered)
    assert done.stdout.endswith("told\n")
