"""`harness plan --why`: which part of a definition differs from the nearest stored result, in words."""

from __future__ import annotations

import json

import pytest
from small_world import DISTRIBUTION, PROTOCOL, Game, Model, small_world
from typer.testing import CliRunner

from harness.cli import app
from harness.execution.store import Store
from harness.planning.planner import make_plan
from harness.planning.why import explain
from harness.plugin.registry import Registry
from harness.protocol import load_protocol


@pytest.fixture
def world(tmp_path):
    """Returns a function that plans a text, and one that stores every result of a plan."""
    registry = small_world()
    store = Store(tmp_path / "runs" / "store")
    path = tmp_path / "games.yaml"

    def planned(text=PROTOCOL):
        path.write_text(text)
        return make_plan(load_protocol(path, registry), registry)

    def finish(plan, only=None, defined=True):
        base = next(node.key for node in plan.nodes.values() if node.kind == "base")
        for key in plan.nodes if only is None else only:
            document = {"definition": plan.definition_of(key), "base": plan.definition_of(base)}
            if key != base:
                with store.writing(key, document if defined else None):
                    pass

    def why(plan):
        done = {key for key, node in plan.nodes.items() if node.kind == "base" or store.has(key)}
        return explain(plan, store, done)

    return planned, finish, why


def lines(explanation):
    return [str(reason) for reason in explanation.reasons]


def test_what_is_done_has_no_reason(world):
    planned, finish, why = world
    plan = planned()
    finish(plan)
    assert why(plan).reasons == ()


@pytest.mark.parametrize(
    ("change", "kind", "label", "told"),
    [
        (("learning_rate: 6e-4", "learning_rate: 5e-4"), "train", "chess", "train.learning_rate 0.0006 → 0.0005"),
        (("steps: 180", "steps: 181"), "train", "chess+go+shogi", "train.steps 180 → 181"),
        (("go: {use: go}", "go: {use: go, items: 9}"), "train", "go after chess", "domains.go.items 10 → 9"),
        (("go: {use: go}", "go: {use: go, items: 9}"), "evaluate", "go after base", "domains.go.items 10 → 9"),
        (
            ("go: {use: go}", "go: {use: go, reward: {use: win, scale: 2}}"),
            "train",
            "go after chess",
            "domains.go.reward.scale 1.0 → 2.0",
        ),
        (
            ("go: {use: go}", "go: {use: draughts}"),
            "train",
            "go after chess",
            f"domains.go: plugin {DISTRIBUTION}:go → {DISTRIBUTION}:draughts",
        ),
        (("fraction: 0.1", "fraction: 0.2"), "recover", "recover go (undo)", "recover.fraction 0.1 → 0.2"),
        (("limit: 512", "limit: 511"), "evaluate", "chess after base", "evaluate.limit 512 → 511"),
        (("{use: tiny}", "{use: tiny, size: 2}"), "train", "chess", "model.size 1 → 2"),
        (("seeds: [0]", "seeds: [1]"), "train", "chess", "seed 0 → 1"),
    ],
)
def test_a_changed_setting_is_named(world, change, kind, label, told):
    planned, finish, why = world
    assert change[0] in PROTOCOL
    finish(planned())
    reason = next(r for r in why(planned(PROTOCOL.replace(*change))).reasons if (r.kind, r.label) == (kind, label))
    assert told in reason.differences
    assert len(reason.differences) == (
        2 if "items" in told or "size" in told else 1
    )  # these change the fingerprint too


def test_what_depends_on_it_is_told_by_its_parent(world):
    planned, finish, why = world
    finish(planned())
    reasons = why(planned(PROTOCOL.replace("go: {use: go}", "go: {use: go, items: 9}"))).reasons
    shogi = next(reason for reason in reasons if (reason.kind, reason.label) == ("train", "shogi after go"))
    assert (shogi.differences, shogi.parents) == ((), ("go after chess",))
    undone = next(reason for reason in reasons if reason.label == "recover go (undo)")
    assert str(undone).startswith("recover go (undo) (seed 0): data of go: changed")
    assert str(shogi) == "train shogi after go (seed 0): its parent go after chess must be computed"


def test_changed_code_and_data_are_named(world, monkeypatch):
    planned, finish, why = world
    finish(planned())
    monkeypatch.setattr(Registry, "harness_identity", lambda registry: "mdrl-harness@0.1.0+src.other")
    monkeypatch.setattr(Game, "data", "rules 2")
    first = why(planned()).reasons[0]
    assert first.differences == ("data of chess: changed", "harness: source changed")
    monkeypatch.setattr(Model, "fingerprint", lambda model: "other weights")
    assert "files of the model: changed" in why(planned()).reasons[0].differences


def test_an_empty_store_and_results_without_a_definition(world):
    planned, finish, why = world
    plan = planned()
    assert all(reason.nearest is None for reason in why(plan).reasons)
    assert "the store has no earlier result to compare it with" in str(why(plan).reasons[3])
    first, second = plan.methods[0].lineage[1:3]
    finish(plan, only=[first], defined=False)
    explanation = why(plan)
    assert explanation.undefined == 1
    assert first not in {reason.key for reason in explanation.reasons}
    assert next(reason for reason in explanation.reasons if reason.key == second).parents == ()


def test_a_node_is_not_compared_with_another_node_of_the_plan(world):
    planned, finish, why = world
    plan = planned()
    removed = next(node for node in plan.nodes.values() if (node.kind, node.label) == ("evaluate", "go after base"))
    finish(plan, only=[key for key in plan.nodes if key != removed.key])
    [reason] = why(plan).reasons
    assert (reason.key, reason.nearest, reason.differences) == (removed.key, None, ())
    assert str(reason) == "evaluate go after base (seed 0): the store has no earlier result to compare it with"


def test_the_command_prints_lines_or_json(world, tmp_path, monkeypatch):
    planned, finish, _ = world
    finish(planned())
    monkeypatch.setattr(Registry, "discover", lambda **chosen: small_world())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "games.yaml").write_text(PROTOCOL.replace("learning_rate: 6e-4", "learning_rate: 5e-4"))
    shown = CliRunner().invoke(app, ["plan", "games.yaml", "--why", "-o", "runs"])
    assert "train chess (seed 0): train.learning_rate 0.0006 → 0.0005" in shown.stdout
    data = json.loads(CliRunner().invoke(app, ["plan", "games.yaml", "--why", "--json", "-o", "runs"]).stdout)
    assert data["why"]["undefined"] == 0
    assert data["why"]["reasons"][0]["differences"] == ["train.learning_rate 0.0006 → 0.0005"]
    assert "why" not in json.loads(CliRunner().invoke(app, ["plan", "games.yaml", "--json"]).stdout)
