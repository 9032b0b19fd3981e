"""Recoveries of several domains, or of all: which are allowed, and the message for each fault."""

import pytest
from small_world import DISTRIBUTION, PROTOCOL, SmallWorld, Undo

from harness import NoConfig, RecoverySpec, Registry, hookimpl
from harness.errors import ProtocolError
from harness.planning.nodes import RecoverNode
from harness.planning.planner import make_plan
from harness.planning.serialization import plan_from_json, plan_to_json
from harness.protocol import load_protocol

RECOVERY = "{recover: go, with: undo, fraction: 0.1, score: fisher}"


class Together:
    @hookimpl
    def harness_recoveries(self):
        yield RecoverySpec(name="gather", summary="Takes several", load=Undo, config=NoConfig, several=True)


REGISTRY = Registry.of([(DISTRIBUTION, SmallWorld()), ("together", Together())])


@pytest.fixture
def load(tmp_path):
    def loaded(recovery, text=PROTOCOL):
        assert RECOVERY in text
        path = tmp_path / "games.yaml"
        path.write_text(text.replace(RECOVERY, recovery))
        return load_protocol(path, REGISTRY)

    return loaded


@pytest.mark.parametrize(
    ("recover", "targets", "label"),
    [
        ("all", ("chess", "go", "shogi"), "all"),
        ("[shogi, chess]", ("chess", "shogi"), "chess+shogi"),
        ("[go]", ("go",), "go"),
        ("go", ("go",), "go"),
    ],
)
def test_targets_are_in_the_protocols_order(load, recover, targets, label):
    step = load(f"{{recover: {recover}, with: gather}}").methods["undone"][-1]
    assert (step.targets, step.label) == (targets, f"recover {label} (gather)")
    assert dict(step.peaks) == {"chess": 1, "go": 2, "shogi": 3}


def test_a_domain_called_all_is_that_domain(load):
    text = PROTOCOL.replace("shogi", "all").replace("{use: all}", "{use: shogi}")
    step = load("{recover: all, with: gather}", text).methods["undone"][-1]
    assert step.targets == ("all",)


def test_the_key_covers_the_targets_whatever_their_order(load):
    def key(recover):
        plan = make_plan(load(f"{{recover: {recover}, with: gather}}"), REGISTRY)
        node = next(one for one in plan.nodes.values() if isinstance(one, RecoverNode) and "gather" in one.label)
        assert plan_from_json(plan_to_json(plan)) == plan
        return node.key

    assert key("all") == key("[shogi, go, chess]")
    assert key("[go]") == key("go")
    assert len({key("all"), key("go"), key("[go, chess]")}) == 3


@pytest.mark.parametrize(
    ("recovery", "key", "message", "hint"),
    [
        ("{recover: all, with: undo}", "recover", "undo recovers one domain", "several: gather"),
        ("{recover: [go, chess], with: undo}", "recover", "undo recovers one domain", "several: gather"),
        ("{recover: [], with: gather}", "recover", "names no domain", "all"),
        ("{recover: [go, go], with: gather}", "recover", "twice", ""),
        ("{recover: [go, og], with: gather}", "recover", "'og' is not declared", "go"),
        ("{recover: all}", "with", "is missing", "gather"),
    ],
)
def test_each_fault_has_one_message(load, recovery, key, message, hint):
    with pytest.raises(ProtocolError) as caught:
        load(recovery)
    (problem,) = caught.value.problems
    assert problem.key == f"methods.undone[3].{key}"
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ("  chess: {use: chess}\n  checkers: {use: draughts}\n", "'checkers' is not trained before this step"),
        (
            "  chess: {use: chess}\n  checkers: {use: draughts}\n  draughts: {use: draughts}\n",
            "'checkers' and 'draughts' are not trained before this step",
        ),
    ],
)
def test_all_is_refused_if_a_domain_was_never_trained(load, domains, message):
    text = PROTOCOL.replace("  chess: {use: chess}\n", domains)
    with pytest.raises(ProtocolError) as caught:
        load("{recover: all, with: gather}", text)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.hint == "trained before it: chess, go, shogi"


def test_a_method_cannot_start_with_a_recovery_of_all(load):
    with pytest.raises(ProtocolError) as caught:
        load(RECOVERY, PROTOCOL.replace("sequential: [chess,", "sequential: [{recover: all, with: gather}, chess,"))
    (problem,) = caught.value.problems
    assert problem.message == "a method cannot start with a recovery"
