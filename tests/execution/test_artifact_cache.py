"""Measurements cached in the store, and probes that score their own models."""

import shutil

import pytest
from runnable_world import Bench, write_model

from harness._util.content_key import content_key
from harness.execution.artifact_cache import StoredArtifactCache
from harness.execution.probe_scores import ProbeScores
from harness.plugin.interfaces import LineageEntry
from harness.plugin.probe_interface import ProbeContext
from harness.plugin.recovery_interface import RecoveryContext


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def shared(bench):
    node = bench.plan.nodes[bench.key("recover a (undo)")]
    return StoredArtifactCache(bench.plan, node, bench.store, bench.registry.find("recovery", "undo"))


def entry(step):
    return LineageEntry(step=step, label="-", domains=(), folder=None)


def test_what_was_measured_is_measured_once_and_again_when_it_was_removed(bench, shared):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "measured").write_text("1")

    def ask(checkpoint=1, domain="a", **settings):
        return shared("thing", make, checkpoint=entry(checkpoint), domain=domain, settings={"n": 2} | settings)

    first = ask()
    assert (first / "measured").read_text() == "1"
    assert bench.store.has(first.name) and first.parent == bench.store.root
    assert content_key(**bench.store.definition(first.name)["definition"]) == first.name
    assert ask() == first
    assert len(made) == 1
    assert len({first, ask(checkpoint=2), ask(domain="b"), ask(n=3)}) == 4
    shutil.rmtree(first)
    assert ask() == first
    assert len(made) == 5


def test_a_measurement_that_failed_leaves_nothing(bench, shared):
    def fail(folder):
        (folder / "half").write_text("")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        shared("thing", fail, checkpoint=entry(1), domain="a", settings={})
    assert not [path for path in bench.store.root.iterdir() if not path.name.startswith(".")]


def test_only_what_the_harness_itself_makes_is_the_same_for_every_plugin(bench):
    def make(folder):
        (folder / "measured").write_text("1")

    def folders():
        node = bench.plan.nodes[bench.key("recover a (undo)")]
        for name in ("undo", "repeat"):
            registered = bench.registry.find("recovery", name)
            asked = StoredArtifactCache(bench.plan, node, bench.store, registered)
            yield asked("thing", make, checkpoint=entry(1), domain="a", settings={})

    assert len(set(folders())) == 2
    make.__module__ = "harness.training.somewhere"
    assert len(set(folders())) == 1


def test_steps_and_probes_of_a_seed_share_what_the_harness_measures(bench):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "measured").write_text("1")

    make.__module__ = "harness.training.somewhere"
    folders = {}
    for label, kind, name in (("recover a (undo)", "recovery", "undo"), ("count of sequential", "probe", "count")):
        node = bench.plan.nodes[bench.key(label)]
        cache = StoredArtifactCache(bench.plan, node, bench.store, bench.registry.find(kind, name))
        folders[label] = cache("thing", make, checkpoint=entry(1), domain="a", settings={"seed": cache.seed})
    assert len(made) == len(set(folders.values())) == 1


def test_a_probes_models_are_scored_as_checkpoints_are(bench, tmp_path):
    model = tmp_path / "made"
    model.mkdir()
    write_model(model, {"base": 1, "a": 4})
    scratch = tmp_path / "scores"
    scores = ProbeScores(bench.plan, bench.executor().plugins, bench.evaluate, scratch)
    assert scores(model) == dict.fromkeys(bench.plan.domains, 5.0)
    assert not scratch.exists()


@pytest.mark.parametrize("context", [RecoveryContext, ProbeContext])
def test_the_old_name_of_the_cache_is_told_with_the_new_one(context):
    with pytest.raises(AttributeError, match=r"context\.shared was renamed to context\.cache"):
        object.__new__(context).shared  # noqa: B018
