"""Invalid protocols: all faults at once, each with line, key, message and hint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from small_world import DISTRIBUTION, PROTOCOL, SmallWorld, small_world

import harness_domains.jsonl
from harness import Registry
from harness.errors import ExitCode, PluginError, ProtocolError
from harness.protocol import load_protocol

LINE = {key: number for number, line in enumerate(PROTOCOL.splitlines(), 1) if (key := line.split(":")[0].strip())}


@pytest.fixture
def faults(tmp_path):
    def found(text):
        path = tmp_path / "games.yaml"
        path.write_text(text)
        with pytest.raises(ProtocolError) as caught:
            load_protocol(path, small_world())
        return caught.value

    return found


def changed(old, new):
    assert old in PROTOCOL
    return PROTOCOL.replace(old, new)


WRONG = [
    # what is written, instead of what: line, key, in the message, in the hint
    ("schema: 1", "schema: 2", "schema", "schema", "should be 1", ""),
    ("name: games", "name: a/b", "name", "name", "not a name", ""),
    ("summary: Games in turn", "sumary: x", "summary", "sumary", "unknown key", "summary"),
    ("seeds: [0]", "seeds: []", "seeds", "seeds", "at least 1", ""),
    ("seeds: [0]", "seeds: [1, 1]", "seeds", "seeds", "contains 1 more than once", ""),
    ("seeds: [0]", "seeds: [-1]", "seeds", "seeds[0]", "greater than or equal to 0", ""),
    ("seeds: [0]", "seeds: [true]", "seeds", "seeds[0]", "integer, not true", ""),
    ("seeds: [0]", "seeds: 0", "seeds", "seeds", "list", "write a list: [0]"),
    ("model: {use: tiny}", "model: tiny", "model", "model", "should be a mapping", "write model: {use: tiny}, or"),
    ("model: {use: tiny}", "model:", "model", "model", "should be a mapping", "write model: {use: NAME}, or"),
    ("model: {use: tiny}", "model: {use: tiny, depth: 1}", "model", "model.depth", "unknown key", "size, use"),
    ("model: {use: tiny}", "model: {}", "model", "model", "names no model", "use"),
    ("model: {use: tiny}", "model: {use: tiny, size: 0}", "model", "model.size", "not 0", "at least 1"),
    ("limit: 512", "limit: 0", "evaluate", "evaluate.limit", "not 0", ""),
    ("limit: 512", "limt: 5", "evaluate", "evaluate.limt", "unknown key", "limit"),
    ("batch_size: 256", "batch_size: '256'", "evaluate", "evaluate.batch_size", 'integer, not "256"', ""),
    ("go: {use: go}", "go: {use: go, itmes: 3}", "go", "domains.go.itmes", "unknown key", "items"),
    ("go: {use: go}", "go: {reward: win}", "go", "domains.go.use", "is missing", "chess, draughts, go"),
    ("go: {use: go}", "go: {use: 3}", "go", "domains.go.use", "name of a domain", ""),
    ("go: {use: go}", "go: go", "go", "domains.go", "should be a mapping", "write {use: go}"),
    ("go: {use: go}", "go: {use: go, rewrd: win}", "go", "domains.go.rewrd", "unknown key", "did you mean reward?"),
    ("go: {use: go}", "go: {use: go, zzz: 1}", "go", "domains.go.zzz", "unknown key", "reward, topics, use"),
    (
        "go: {use: go}",
        "go: {use: go, reward: {use: win, scale: 0}}",
        "go",
        "domains.go.reward.scale",
        "not 0",
        "above 0",
    ),
    ("steps: 60", "steps: '60'", "train", "train.steps", 'integer, not "60"', ""),
    ("steps: 60", "steps: true", "train", "train.steps", "integer, not true", ""),
    ("steps: 60", "stpes: 60", "train", "train.stpes", "unknown key", "steps"),
    ("steps: 180", "steps: 0", "mixed", "methods.mixed[0].steps", "not 0", "at least 1"),
    ("fraction: 0.1", "fraction: 0", "undone", "methods.undone[3].fraction", "not 0", "above 0, at most 1"),
    ("fraction: 0.1", "fraction: 2", "undone", "methods.undone[3].fraction", "not 2", "above 0, at most 1"),
    ("score: fisher", "score: fischer", "undone", "methods.undone[3].score", "'fisher' or 'random'", "fisher"),
    ("score: fisher", "algorithm: grpo", "undone", "methods.undone[3].algorithm", "unknown key", "score, with"),
    ("{recover: go, with: repeat", "{recover: go, wiht: repeat", "again", "methods.again[3].with", "missing", "repeat"),
    ("{recover: go, with: repeat", "{recover: og, with: repeat", "again", "methods.again[3].recover", "declared", "go"),
    ("{recover: go, with: repeat", "{recover: [go], with: repeat", "again", "methods.again[3].recover", "name", ""),
    ("{recover: go, with: repeat", "{rcover: go, with: repeat", "again", "methods.again[3]", "neither", "recover"),
    ("{recover: go, with: repeat", "{recover: go, train: go", "again", "methods.again[3]", "both", "two steps"),
    (
        "sequential: [chess",
        "sequential: [ches",
        "sequential",
        "methods.sequential[0]",
        "'ches' is not declared",
        "chess",
    ),
    ("sequential: [chess", "sequential: [3", "sequential", "methods.sequential[0]", "should be a domain's name", ""),
    ("sequential: [chess, go, shogi]", "sequential: []", "sequential", "methods.sequential", "at least 1", ""),
    ("sequential: [chess, go, shogi]", "sequential:", "sequential", "methods.sequential", "list", ""),
    ("sequential: [", "a b: [", "sequential", "methods.a b", "'a b' is not a name", ""),
    ("train: [chess, go, shogi]", "train: [chess, go, chess]", "mixed", "methods.mixed[0].train", "twice", "weights"),
    ("train: [chess, go, shogi]", "train: []", "mixed", "methods.mixed[0].train", "names no domain", "a list"),
    ("train: [chess, go, shogi]", "train: {go: 0}", "mixed", "methods.mixed[0].train.go", "above 0, not 0", ""),
    ("train: [chess, go, shogi]", "train: {go: true}", "mixed", "methods.mixed[0].train.go", "not True", ""),
    ("train: [chess, go, shogi]", "train: [[go]]", "mixed", "methods.mixed[0].train[0]", "domain's name", ""),
    ("steps: 180", "with: needy, goal: 3", "mixed", "methods.mixed[0].goal", "string, not 3", ""),
    ("steps: 180", "with: needy", "mixed", "methods.mixed[0].goal", "is missing", ""),
    (
        "steps: 180",
        "with: plain, learning_rate: 1",
        "mixed",
        "methods.mixed[0].learning_rate",
        "unknown key",
        "momentum",
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "key", "message", "hint"), WRONG, ids=[case[1] for case in WRONG])
def test_a_fault_is_told_once_with_its_line_key_and_hint(faults, *, old, new, line, key, message, hint):
    error = faults(changed(old, new))
    (problem,) = error.problems
    assert (problem.line, problem.key) == (LINE[line], key)
    assert message in problem.message
    assert hint in problem.hint
    assert error.exit_code == ExitCode.USAGE
    assert f"games.yaml:{LINE[line]}: {key}: " in str(error)


@pytest.mark.parametrize(
    ("methods", "hint"),
    [
        ('"chess, go"', "write methods: {my-method: [chess, go]}"),
        ("[chess, go]", "write methods: {my-method: [chess, go]}"),
        ("{both: go}", "write [go]"),
        ("{both: {go: 1}}", "write [NAME]"),
    ],
)
def test_methods_of_another_shape_get_a_hint_how_they_are_written(faults, methods, hint):
    text = PROTOCOL[: PROTOCOL.index("methods:")] + f"methods: {methods}\n"
    assert [problem.hint for problem in faults(text).problems] == [hint]


def test_a_step_may_have_the_keys_of_its_verb_too(faults):
    (problem,) = faults(changed("steps: 180", "zzz: 1")).problems
    assert {"train", "with", "steps"} <= set(problem.hint.removeprefix("valid keys: ").split(", "))


def test_a_missing_section_has_no_line(faults):
    error = faults(changed("model: {use: tiny}\n", ""))
    assert [(problem.line, problem.key, problem.message) for problem in error.problems] == [(0, "model", "is missing")]


def test_all_faults_come_at_once_in_the_order_of_their_lines(faults):
    text = changed("steps: 60", "steps: true").replace("fraction: 0.1", "fraction: 2").replace("seeds: [0]", "sedes: 1")
    text = text.replace("again: [chess, go", "again: [chess, og") + "name: twice\nprobes: [{use: distanse}]\n"
    keys = [problem.key for problem in faults(text).problems]
    assert keys == ["sedes", "train.steps", "methods.again[1]", "methods.undone[3].fraction", "name", "probes[0].use"]


def test_a_recovery_needs_something_to_recover(faults):
    error = faults(changed("[chess, go, shogi, {recover: go, with: undo", "[chess, shogi, {recover: go, with: undo"))
    (problem,) = error.problems
    assert problem.key == "methods.undone[2].recover"
    assert "not trained before this step" in problem.message
    assert problem.hint == "trained before it: chess, shogi"
    error = faults(changed("[chess, go, shogi, {recover: go, with: undo", "[{recover: go, with: undo"))
    assert "cannot start with a recovery" in error.problems[0].message


def test_a_misspelt_training_is_not_told_twice(faults):
    error = faults(changed("undone: [chess, go", "undone: [chess, og"))
    assert [problem.key for problem in error.problems] == ["methods.undone[1]"]


def test_a_default_that_is_wrong_is_told_once_not_once_a_step(faults):
    assert len(faults(changed("learning_rate: 6e-4", "learning_rate: -1")).problems) == 1


def test_a_default_is_checked_also_where_no_step_uses_it(faults):
    head = PROTOCOL[: PROTOCOL.index("train:")]
    text = head + "train: {with: plain, momentun: 1}\nmethods: {sequential: [{train: go, with: grpo}]}\n"
    assert [problem.key for problem in faults(text).problems] == ["train.momentun"]


@pytest.mark.parametrize(
    ("old", "new", "key", "hint"),
    [
        ("go: {use: go}", "go: {use: goo}", "domains.go.use", "did you mean go"),
        ("with: grpo", "with: gpro", "train.with", "did you mean grpo"),
        ("with: undo", "with: undoo", "methods.undone[3].with", "did you mean undo"),
        ("model: {use: tiny}", "model: {use: tny}", "model.use", "did you mean tiny"),
        ("go: {use: go}", "go: {use: go, reward: winn}", "domains.go.reward", "did you mean win"),
        ("with: undo, fraction: 0.1, score: fisher", "with: lost", "methods.undone[3].with", "installed"),
        ("seeds: [0]", "requires: [absent>=2]", "requires[0]", "pip install 'absent>=2'"),
        ("seeds: [0]", "requires: [small-world>=2]", "requires[0]", "pip install 'small-world>=2'"),
    ],
)
def test_faults_of_plugins_alone_are_plugin_errors(faults, old, new, key, hint):
    error = faults(changed(old, new))
    (problem,) = error.problems
    assert problem.key == key
    assert hint in problem.hint
    assert isinstance(error, PluginError)
    assert error.exit_code == ExitCode.PLUGIN


def test_with_a_fault_of_the_file_beside_it_the_file_is_to_blame(faults):
    error = faults(changed("go: {use: go}", "go: {use: goo}").replace("seeds: [0]", "seeds: x"))
    assert len(error.problems) == 2
    assert error.exit_code == ExitCode.USAGE


def test_a_requirement_that_is_none(faults):
    (problem,) = faults(PROTOCOL + "requires: ['!!', 3]\n").problems[:1]
    assert problem.key == "requires[0]"
    assert "not a requirement" in problem.message


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["go", "chess", "grpo", "undo", "use", "x", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["use", "with", "train", "recover", "go", "steps", "reward"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
sections = [
    "schema",
    "name",
    "summary",
    "model",
    "seeds",
    "requires",
    "domains",
    "train",
    "evaluate",
    "methods",
    "probes",
]


@given(st.dictionaries(st.sampled_from([*sections, "allow", "other"]), junk, min_size=1, max_size=4))
def test_no_file_of_any_shape_crashes_the_reader(tmp_path_factory, replaced):
    content = YAML(typ="safe", pure=True).load(PROTOCOL) | replaced
    path = tmp_path_factory.mktemp("junk") / "games.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(content, file)
    try:
        protocol = load_protocol(path, small_world())
    except ProtocolError as error:
        assert error.problems
        assert all(problem.message for problem in error.problems)
    else:
        assert protocol.methods


@given(junk)
def test_no_step_of_any_shape_crashes_the_reader(tmp_path_factory, step):
    content = YAML(typ="safe", pure=True).load(PROTOCOL)
    content["methods"]["sequential"] = ["go", step, "chess"]
    path = tmp_path_factory.mktemp("junk") / "games.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(content, file)
    try:
        assert len(load_protocol(path, small_world()).methods["sequential"]) == 3
    except ProtocolError as error:
        assert all(problem.line for problem in error.problems)


def test_a_domain_without_training_data_is_no_domain_of_a_protocol(tmp_path):
    path = tmp_path / "p.yaml"
    use = "{use: lm_eval, task: lambada_openai, metric: acc}"
    path.write_text(PROTOCOL.replace("domains:\n", f"domains:\n  held-out: {use}\n"))
    registry = Registry.of([(DISTRIBUTION, SmallWorld(None)), ("jsonl", harness_domains.jsonl)])
    with pytest.raises(ProtocolError) as error:
        load_protocol(path, registry)
    assert "domains.held-out.use: the domain lm_eval has no training data" in str(error.value)
    assert "name it under evaluate.columns" in str(error.value)
