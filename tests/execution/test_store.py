import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness._util.disk_errors import StoreForbidden, StoreFull, disk_error
from harness.errors import ExitCode, StepFailed
from harness.execution.store import MARKER, Store


@pytest.fixture(autouse=True, scope="module", params=["flock", "lease"])
def locks(request):
    """All of this holds with either kind of locks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_LOCKS", request.param)
        yield request.param


def write(store, key="a1", text="weights"):
    with store.writing(key) as folder:
        (folder / "model").mkdir()
        (folder / "model" / "weights.bin").write_text(text)
    return store.path(key)


def test_a_result_is_there_whole_once_its_block_ends(tmp_path):
    store = Store(tmp_path / "store")
    with store.writing("a1") as folder:
        (folder / "rows.json").write_text("[]")
        assert not store.has("a1")
        assert not store.path("a1").exists()
    assert store.has("a1")
    assert store.verify("a1") == []
    marker = json.loads((store.path("a1") / MARKER).read_text())
    assert marker["format"] == 1
    assert marker["files"]["rows.json"]["size"] == 2
    assert [path.name for path in store.root.iterdir() if not path.name.startswith(".")] == ["a1"]


@pytest.mark.parametrize("raised", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_nothing_but_its_scratch(tmp_path, raised):
    store = Store(tmp_path)
    (store.scratch("a1") / "state").write_text("step 3")
    with pytest.raises(raised), store.writing("a1") as folder:
        (folder / "half").write_text("x")
        raise raised
    assert not list(tmp_path.glob("a1*"))
    assert (store.scratch("a1") / "state").read_text() == "step 3"


def test_scratch_goes_once_the_result_is_there(tmp_path):
    store = Store(tmp_path)
    scratch = store.scratch("a1")
    (scratch / "state").write_text("x")
    write(store)
    assert not scratch.exists()


def test_sweeping_leaves_alone_what_is_not_the_stores(tmp_path):
    store = Store(tmp_path)
    write(store)
    strangers = [tmp_path / ".nfs1.tmp-2", tmp_path / ".scratch" / ".DS_Store"]
    for stranger in strangers:
        stranger.parent.mkdir(exist_ok=True)
        stranger.write_text("x")
    store.sweep()
    assert all(stranger.is_file() for stranger in strangers)
    assert store.has("a1")


def test_a_result_that_is_there_is_kept(tmp_path):
    store = Store(tmp_path)
    folder = write(store, text="first")
    write(store, text="second")
    assert (folder / "model" / "weights.bin").read_text() == "first"


def damage_marker(folder):
    (folder / MARKER).write_text('{"format": 1, "fil')


def empty_marker(folder):
    (folder / MARKER).write_text("[]")


def truncate(folder):
    (folder / "model" / "weights.bin").write_text("w")


def remove(folder):
    (folder / "model" / "weights.bin").unlink()


@pytest.mark.parametrize("harm", [damage_marker, empty_marker, truncate, remove])
def test_a_damaged_result_is_none_and_is_made_again(tmp_path, harm):
    store = Store(tmp_path)
    harm(write(store))
    assert store.state("a1") == "damaged"
    assert not store.has("a1")
    assert store.verify("a1")
    folder = write(store, text="again")
    assert store.has("a1")
    assert (folder / "model" / "weights.bin").read_text() == "again"
    assert not list(tmp_path.glob("*.tmp-*"))


def test_a_folder_without_a_marker_does_not_exist_and_is_replaced(tmp_path):
    store = Store(tmp_path)
    (tmp_path / "a1").mkdir()
    (tmp_path / "a1" / "half").write_text("x")
    assert store.state("a1") == "absent"
    write(store)
    assert store.has("a1")
    assert not (tmp_path / "a1" / "half").exists()


@settings(max_examples=25)  # every example is synced to the disk
@given(content=st.binary(min_size=1, max_size=64), position=st.integers(min_value=0), mask=st.integers(1, 255))
def test_verify_sees_every_changed_byte(tmp_path_factory, content, position, mask):
    store = Store(tmp_path_factory.mktemp("store"))
    with store.writing("a1") as folder:
        (folder / "file").write_bytes(content)
    changed = bytearray(content)
    changed[position % len(content)] ^= mask
    (store.path("a1") / "file").write_bytes(changed)
    assert store.has("a1")  # cheap: it looks at sizes
    assert store.verify("a1") == ["file has changed since it was written"]


def test_verify_names_what_was_added(tmp_path):
    store = Store(tmp_path)
    (write(store) / "extra").write_text("x")
    assert store.verify("a1") == ["extra was added"]
    assert store.verify("b2") == ["b2 is not in the store"]


@pytest.mark.parametrize("key", ["", ".locks", "../x", "a/b", "a.tmp-1"])
def test_what_is_no_key_is_refused(tmp_path, key):
    with pytest.raises(ValueError, match="not a key"):
        Store(tmp_path).has(key)


@pytest.mark.parametrize("shared", [0o000, 0o020, 0o022])
def test_who_may_write_to_the_folder_of_runs_may_write_to_the_store(tmp_path, shared, locks):
    before = os.umask(0o022)
    try:
        runs = tmp_path / "runs"
        runs.mkdir()
        runs.chmod(0o755 | shared)
        store = Store(runs / "store")
        with store.writing("a1") as folder:
            (folder / "model").mkdir()
            (folder / "model" / "weights").write_text("w")
            (folder / "model" / "weights").chmod(0o600)  # as safetensors writes them
            scratch = store.scratch("a1")
            folders = [store.root, scratch, scratch.parent, store.lock_file("a1").parent]
            assert {path.stat().st_mode & 0o777 for path in folders} == {0o755 | shared}
        if locks == "flock":
            assert store.lock_file("a1").stat().st_mode & 0o777 == 0o644 | shared
        else:  # the folder is shared; a lease is written by its owner alone
            assert store.lock_file("a1.lease").stat().st_mode & 0o777 == 0o755 | shared
            assert store.lock_file("a1.lease/1").stat().st_mode & 0o777 == 0o644
        for path in (store.path("a1"), store.path("a1") / "model"):
            assert path.stat().st_mode & 0o777 == 0o755 | shared
        assert (store.path("a1") / "model" / "weights").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_a_link_is_refused(tmp_path):
    store = Store(tmp_path / "store")
    with pytest.raises(StepFailed, match="link"), store.writing("a1") as folder:
        (folder / "model").symlink_to(tmp_path)
    assert not store.has("a1")


def test_sweeping_removes_what_the_dead_left_and_not_what_the_living_hold(tmp_path):
    store, other = Store(tmp_path), Store(tmp_path)
    write(store, "done")
    (tmp_path / "dead.tmp-1").mkdir()
    (tmp_path / ".scratch" / "done").mkdir(parents=True)
    (store.scratch("unfinished") / "state").write_text("x")
    with other.writing("alive") as folder:
        store.sweep()
        assert folder.exists()
    assert not (tmp_path / "dead.tmp-1").exists()
    assert sorted(path.name for path in (tmp_path / ".scratch").iterdir()) == ["unfinished"]


def _hold(root: Path, ready, go) -> None:
    with Store(root).writing("a1") as folder:
        ready.set()
        go.wait()
        (folder / "who").write_text("other")


def test_a_second_process_waits_and_finds_it_done(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    ready, go = spawn.Event(), spawn.Event()
    process = spawn.Process(target=_hold, args=(tmp_path, ready, go))
    process.start()
    ready.wait()
    waited = []

    def waiting(key):
        waited.append(key)
        go.set()

    store = Store(tmp_path, waiting=waiting)
    with store.lock("a1"):
        assert store.has("a1")
        assert (store.path("a1") / "who").read_text() == "other"
    process.join()
    assert waited == ["a1"]


def test_a_full_disk_is_told_with_the_folder_and_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(StoreFull) as raised, store.writing("a1"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert raised.value.where == str(tmp_path)
    assert raised.value.exit_code == ExitCode.STEP_FAILED
    assert not list(tmp_path.glob("a1*"))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_forbidden_store_is_told_with_the_folder(tmp_path, number):
    store = Store(tmp_path)
    with pytest.raises(StoreForbidden) as raised, store.writing("a1") as folder:
        raise OSError(number, os.strerror(number), str(folder / "x"))
    assert raised.value.exit_code == ExitCode.USAGE


def test_a_file_where_the_store_should_be_is_told(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StoreForbidden, match="cannot be written"):
        write(Store(tmp_path / "runs" / "store"))


def test_errors_that_are_not_the_disks_are_left_alone(tmp_path):
    assert disk_error(PermissionError(errno.EACCES, "Permission denied", "/somewhere/else"), tmp_path) is None
    assert disk_error(ValueError("no"), tmp_path) is None
    native = RuntimeError("I/O error: No space left on device (os error 28)")
    assert isinstance(disk_error(native, tmp_path), StoreFull)
    wrapped = RuntimeError("saving failed")
    wrapped.__cause__ = OSError(errno.ENOSPC, "full")
    assert isinstance(disk_error(wrapped, tmp_path), StoreFull)
