import errno
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runnable_world import DISTRIBUTION, PROTOCOL, Bench, read_model

from harness._util.disk_errors import StoreFull
from harness.errors import CheckpointError, PluginError, StepFailed
from harness.execution import CheckpointFolders
from harness.execution.json_data import plain
from harness.execution.seeds import named_seed
from harness.plugin.sampling import Sampling


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def read(bench, label, name):
    return json.loads((bench.store.path(bench.key(label)) / name).read_text())


def make(bench, *labels):
    executor = bench.executor()
    for label in labels:
        executor.execute(bench.key(label))


def test_a_training_leaves_its_model_metrics_and_result(bench):
    make(bench, "a")
    folder = bench.store.path(bench.key("a"))
    assert read_model(folder / "model") == {"base": 1, "a": 3}
    assert [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()] == [1, 2, 3]
    result = read(bench, "a", "result.json")
    assert result["cost"] == {
        "optimizer_steps": 3, "completions": 0, "generated_tokens": 0, "train_seconds": 0.0
    }  # fmt: skip
    assert result["report"] == {"resumed_from": 0}
    assert result["parameters"] == {"total": 0, "active": 0}  # these models hold no tensor


def test_a_step_goes_on_from_its_parent_and_is_made_once(bench):
    make(bench, "a", "b", "b")
    assert bench.world.trained == ["a", "b"]
    folder = CheckpointFolders(bench.plan, bench.store, bench.registry).folder(bench.key("b"))
    assert read_model(folder) == {"base": 1, "a": 3, "b": 3}


def test_a_killed_step_goes_on_from_its_scratch_and_keeps_its_metrics(bench):
    def kill(names, step, context):
        if step == 3:
            with context.metrics.open("a") as file:
                file.write('{"step": 3, "rew')  # a kill tears the line it falls into
            raise KeyboardInterrupt

    bench.world.on_train = kill
    with pytest.raises(KeyboardInterrupt):
        make(bench, "a")
    assert not bench.store.has(bench.key("a"))
    with (bench.store.scratch(bench.key("a")) / "metrics.jsonl").open("a") as file:
        file.write("\n")
    bench.world.on_train = None
    make(bench, "a")
    assert read(bench, "a", "result.json")["report"] == {"resumed_from": 2}
    lines = (bench.store.path(bench.key("a")) / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


def test_recoveries_get_lineage_peak_and_training(bench):
    make(bench, "a", "b", "recover a (repeat)", "recover a (undo)")
    again = bench.store.path(bench.key("recover a (repeat)")) / "model"
    back = bench.store.path(bench.key("recover a (undo)")) / "model"
    assert read_model(again) == {"base": 1, "a": 6, "b": 3}
    assert read_model(back) == {"base": 1, "a": 3}
    report = read(bench, "recover a (undo)", "result.json")["report"]
    assert report == {"lineage": ["base", "a", "b"], "loss": None}


def test_an_algorithm_that_replays_is_handed_what_its_method_trained_before(tmp_path):
    steps = "[a, b, {train: b, with: replaying}, {recover: a, with: repeat, algorithm: replaying}]"
    bench = Bench(tmp_path, PROTOCOL.replace("sequential: [a, b]", f"sequential: {steps}"), methods=["sequential"])
    make(bench, "a", "b", "b (replaying)", "recover a (repeat)")
    assert bench.world.earlier == [("a", []), ("b", []), ("b", ["a"]), ("a", ["b"])]


def test_every_draw_has_a_seed_of_its_own(bench):
    make(bench, "a", "b", "recover a (repeat)")
    seeds = [seed for _, seed in bench.world.seeds]
    assert len(set(seeds)) == len(seeds) == 4
    assert dict(bench.world.seeds[:2]) == {"a": named_seed(0, "train", 1), "b": named_seed(0, "train", 2)}


def test_evaluations_and_probes_leave_rows(bench):
    make(bench, "a", "b", "a after b")
    assert read(bench, "a after b", "rows.json")[0]["value"] == 7.0
    make(bench, "count of sequential")
    rows = read(bench, "count of sequential", "rows.json")
    assert rows == [{"step": 0, "domains": []}, {"step": 1, "domains": ["a"]}, {"step": 2, "domains": ["b"]}]


def test_a_node_whose_parent_is_not_there_is_refused(bench):
    with pytest.raises(StepFailed, match="its parents are not in the store: a"):
        make(bench, "b")


def test_an_exception_of_a_plugin_is_told_as_the_plugins(bench):
    def fail(names, step, context):
        raise ZeroDivisionError("first\nthe last line")

    bench.world.on_train = fail
    with pytest.raises(StepFailed) as raised:
        make(bench, "a")
    assert raised.value.message == f"{DISTRIBUTION} 0: algorithm 'add' failed: ZeroDivisionError: the last line"
    assert raised.value.where == "a"
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_full_disk_in_a_plugin_is_told_as_a_full_disk(bench):
    def fill(names, step, context):
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.world.on_train = fill
    with pytest.raises(StoreFull):
        make(bench, "a")
    assert not list(bench.store.root.glob(f"{bench.key('a')}*"))


def test_a_step_that_leaves_no_model_breaks_the_contract(bench):
    bench.world.leaves_model = False
    with pytest.raises(PluginError, match=r"left no whole model.*config\.json") as raised:
        make(bench, "a")
    assert DISTRIBUTION in raised.value.where
    assert not bench.store.has(bench.key("a"))


def test_a_truncated_base_model_is_told_before_it_is_trained(bench):
    make(bench, "a after base")
    weights = bench.folder / "base" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match="cut off"):
        make(bench, "a")
    assert bench.world.trained == []


numbers = st.floats() | st.integers() | st.none() | st.booleans() | st.text()


@given(st.recursive(numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_reports_become_strict_json(value):
    strict = plain(value)
    assert json.loads(json.dumps(strict, allow_nan=False)) == strict


def test_what_is_no_data_is_refused():
    with pytest.raises(TypeError, match="object"):
        plain({"x": object()})


@given(st.integers(0, 2**31), st.lists(st.text(alphabet="abc"), max_size=3), st.integers(0, 9))
def test_named_seeds_are_stable_and_small(seed, names, depth):
    assert 0 <= named_seed(seed, *names, depth) < 2**31
    assert named_seed(seed, *names, depth) == named_seed(seed, *names, depth)
    assert named_seed(seed, *names, depth) != named_seed(seed + 1, *names, depth)


def test_probes_recoveries_and_anchors_sample_a_domain_as_its_last_training_did(tmp_path):
    methods = """\
methods:
  mixed:
    - {train: [a, b], stop: [.]}
    - {train: a, with: replaying, temperature: 0.5}
    - {train: c, with: replaying}
    - {recover: a, with: undo}
probes: [{use: count}]
"""
    text = PROTOCOL[: PROTOCOL.index("methods:")].replace("level: 2}}", "level: 2}, c: {use: game}, d: {use: game}}")
    bench = Bench(tmp_path, text + methods)
    bench.run()
    sampled = dict(bench.world.sampled)
    mixed = Sampling(max_completion_length=20, stop=(".",))
    alone = Sampling(max_completion_length=10, temperature=0.5)
    assert sampled["a+b"] == {}
    assert sampled["a"] == {"b": mixed}
    assert sampled["c"] == {"a": alone, "b": mixed}
    last = Sampling(max_completion_length=10)
    assert sampled["undo"] == {"a": alone, "b": mixed, "c": last}
    assert sampled["probe"] == {"a": alone, "b": mixed, "c": last, "d": last}
