"""A writer killed with SIGKILL at any moment leaves no partial result, and the next writer finishes the work."""

import random
import subprocess
import sys

import pytest

from harness.execution.store import Store

KILLS = 10
FILES = 4
KEYS = [f"{number:02d}" for number in range(8)]
WRITER = f"""
import sys
from pathlib import Path
from harness.execution.store import Store
store = Store(Path(sys.argv[1]))
store.sweep()
for key in {KEYS!r}:
    if store.has(key):
        continue
    with store.writing(key) as folder:
        for number in range({FILES}):
            (folder / str(number)).write_text(key * 1000 + str(number))
            print("wrote", flush=True)
    print("committed", flush=True)
print("finished", flush=True)
"""


@pytest.mark.parametrize("locks", ["flock", "lease"])
def test_killed_writers_leave_no_half_written_result(tmp_path, monkeypatch, locks):
    monkeypatch.setenv("HARNESS_LOCKS", locks)
    draw = random.Random(20)
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            for _ in range(draw.randrange(1, 2 * FILES)):
                process.stdout.readline()
            process.kill()
        store = Store(tmp_path)
        visible = [
            path.name for path in tmp_path.iterdir() if not path.name.startswith(".") and ".tmp-" not in path.name
        ]
        assert all(store.verify(name) == [] for name in visible)
    done = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("finished\n")
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == KEYS
    for key in KEYS:
        assert Store(tmp_path).verify(key) == []
        assert (tmp_path / key / "3").read_text() == key * 1000 + "3"
