"""Folders that are published atomically."""

from __future__ import annotations

import os

import pytest

from harness._util.files import atomic_directory, temporary_beside


def fill(folder):
    (folder / "inside").mkdir()
    (folder / "inside" / "file").write_text("content")


def test_the_folder_appears_when_the_block_has_ended(tmp_path):
    target = tmp_path / "new" / "target"
    with atomic_directory(target) as folder:
        fill(folder)
        assert not target.exists()
        assert folder.parent == target.parent and folder.name.startswith(".target.tmp-")
    assert (target / "inside" / "file").read_text() == "content"
    assert list(target.parent.iterdir()) == [target]


def test_an_empty_folder_is_replaced_and_the_callers_own_sibling_is_used(tmp_path):
    target, own = tmp_path / "target", temporary_beside(tmp_path / "target", hidden=False)
    target.mkdir()
    own.mkdir()
    with atomic_directory(target, temporary=own) as folder:
        assert folder == own
        fill(folder)
    assert (target / "inside" / "file").exists() and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_block_that_fails_leaves_nothing(tmp_path, error):
    with pytest.raises(error), atomic_directory(tmp_path / "target") as folder:
        fill(folder)
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_removes_the_folder_publishes_nothing(tmp_path):
    (tmp_path / "target").mkdir()
    fill(tmp_path / "target")
    with atomic_directory(tmp_path / "target") as folder:
        folder.rmdir()
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert (tmp_path / "target" / "inside" / "file").read_text() == "content"


def test_a_folder_with_content_is_left_as_it_is(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine").write_text("mine")
    with pytest.raises(OSError), atomic_directory(tmp_path / "target") as folder:
        fill(folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["target", "mine"]


def test_the_rename_is_synced(tmp_path, monkeypatch):
    synced = []

    def fsync(descriptor):
        synced.append((os.fstat(descriptor).st_ino, [path.name for path in tmp_path.iterdir()]))

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_directory(tmp_path / "target"):
        assert synced == []
    assert synced == [(tmp_path.stat().st_ino, ["target"])]
