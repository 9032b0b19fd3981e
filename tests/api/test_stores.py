"""`harness.open_store`: sizes, verification, repair and pruning, used from Python."""

from __future__ import annotations

import pytest
from runnable_world import Bench

import harness


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        bench = Bench(tmp_path_factory.mktemp("world"))
        assert not bench.run().failures
    return bench


def test_a_store_is_sized_verified_repaired_and_pruned(bench):
    store = harness.open_store(bench.runs)
    before = {result.key for result in store.results}
    usage = store.usage()
    assert usage.total == sum(result.size for result in store.results) == usage.runs[bench.plan_folder].only_here
    assert (usage.results, usage.unreferenced) == (len(before), 0)
    seen = []
    assert store.verify(lambda read, total: seen.append((read, total))).damaged == ()
    assert seen[-1] == (usage.total, usage.total)

    key = bench.key("b")
    (bench.store.path(key) / "result.json").unlink()
    [found] = store.verify().damaged
    assert (found.result.key, found.repair) == (key, "")
    assert store.repair(dry_run=True).damaged[0].repair == "would be repaired"
    assert store.repair().damaged[0].repair == "removed"
    assert {result.key for result in store.results} == before - {key}

    (bench.store.scratch("f" * 64) / "state").write_text("x")
    asked = []
    refused = store.prune(confirm=lambda pruning: bool(asked.append(pruning)))
    assert refused == asked[0] and refused.removed == ()
    assert [result.unfinished for result in store.prune().removed] == [True]
    assert store.prune(keep=[bench.plan_folder]).unused == ()


def test_a_folder_without_a_store_is_named(tmp_path):
    with pytest.raises(harness.UsageError, match="there is no store"):
        harness.open_store(tmp_path)
