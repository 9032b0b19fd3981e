"""The section `evaluate.columns`: evaluation-only columns in the protocol, the plan and the keys."""

import pytest
from small_world import PROTOCOL, small_world

from harness.errors import ProtocolError
from harness.planning.counts import cost_of
from harness.planning.planner import make_plan
from harness.planning.serialization import plan_from_json, plan_to_json
from harness.protocol import load_protocol

PLAIN = "{limit: 512, batch_size: 256}"
COLUMN = "{limit: 512, batch_size: 256, columns: {held-out: {use: draughts, items: 3}}}"


def loaded(folder, evaluate, **changes):
    text = PROTOCOL.replace(f"evaluate: {PLAIN}", f"evaluate: {evaluate}")
    for old, new in changes.values():
        text = text.replace(old, new)
    path = folder / "p.yaml"
    path.write_text(text)
    return load_protocol(path, small_world())


def plan_of(folder, evaluate, **changes):
    return make_plan(loaded(folder, evaluate, **changes), small_world())


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("{go: {use: draughts}}", "evaluate.columns.go: is also the name of a domain or a metric"),
        ("{new: {use: draughts, itms: 3}}", "evaluate.columns.new.itms: unknown key\n  → did you mean items"),
        ("{new: {use: draughts, in_average: maybe}}", "in_average: should be true or false, not 'maybe'"),
        ("{new: {use: drafts}}", "no domain is called 'drafts'"),
        ("{new: draughts}", "should be a mapping"),
    ],
)
def test_a_fault_is_told_with_its_key(tmp_path, columns, words):
    with pytest.raises(ProtocolError) as error:
        loaded(tmp_path, f"{{columns: {columns}}}")
    assert words in str(error.value)


def test_every_checkpoint_is_scored_on_a_column_and_nothing_else_changes(tmp_path):
    plain, scored = plan_of(tmp_path, PLAIN), plan_of(tmp_path, COLUMN)
    assert set(plain.nodes) <= set(scored.nodes)
    new = [scored.nodes[key] for key in scored.nodes if key not in plain.nodes]
    assert {(node.kind, node.domain) for node in new} == {("evaluate", "held-out")}
    assert len(new) == len(plain.evaluations)
    assert list(scored.domains) == list(plain.domains) and scored.scored_names[-1] == "held-out"
    work = cost_of(scored, small_world())
    assert work.evaluations == cost_of(plain, small_world()).evaluations + len(new)
    assert plain.key != scored.key


def test_the_data_of_a_column_is_in_the_key_and_its_name_and_the_average_are_not(tmp_path):
    def nodes(columns):
        return set(plan_of(tmp_path, f"{{columns: {columns}}}").nodes)

    own = nodes("{one: {use: draughts, items: 3}}")
    assert own == nodes("{two: {use: draughts, items: 3, in_average: true}}")
    assert own != nodes("{one: {use: draughts, items: 4}}")
    runs = {
        plan_of(tmp_path, f"{{columns: {{a: {{use: draughts, in_average: {on}}}}}}}").key for on in ("true", "false")
    }
    assert len(runs) == 2  # their tables differ


def test_a_method_cannot_train_a_column(tmp_path):
    with pytest.raises(ProtocolError, match="held-out"):
        loaded(tmp_path, COLUMN, steps=("sequential: [chess, go, shogi]", "sequential: [chess, held-out]"))


def test_the_plan_is_written_and_read_with_its_columns(tmp_path):
    plan = plan_of(tmp_path, COLUMN)
    assert plan_from_json(plan_to_json(plan)) == plan
    without = {key: value for key, value in plan_to_json(plan_of(tmp_path, PLAIN)).items() if key != "columns"}
    assert plan_from_json(without).columns == {}  # written by an earlier version
