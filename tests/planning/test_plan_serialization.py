"""Reads plan.json files of earlier versions, and reports those that cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness._util.content_key import content_key
from harness.errors import UsageError
from harness.planning.serialization import plan_from_json, plan_to_json, read_plan

EARLIER = Path(__file__).parents[1] / "fixtures" / "plan" / "schema_1.json"
"""Written when readers and writers were by hand; it has every kind of node and every field."""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_the_plan_of_an_earlier_version_means_what_it_meant():
    plan = read_plan(EARLIER)
    assert {node.kind for node in plan.nodes.values()} == {"base", "train", "recover", "merge", "evaluate", "probe"}
    assert {key: content_key(**plan.definition_of(key)) for key in plan.nodes} == {key: key for key in plan.nodes}
    assert plan.domains["b"].plugin.unkeyed == (("server", "timeout"), ("servers", 0, "timeout"))
    earlier = json.loads(EARLIER.read_text())
    for node in earlier["nodes"]:
        if node["kind"] == "recover":  # formerly of one target
            node["targets"], node["peaks"] = [node["target"]], {node.pop("target"): node.pop("peak")}
    assert _without_new_keys(plan_to_json(plan), earlier) == earlier


def _without_new_keys(written, earlier):
    """Returns JSON data without the keys that `earlier` does not have."""
    if isinstance(written, dict) and isinstance(earlier, dict):
        return {key: _without_new_keys(value, earlier[key]) for key, value in written.items() if key in earlier}
    if isinstance(written, list) and isinstance(earlier, list) and len(written) == len(earlier):
        return [_without_new_keys(one, other) for one, other in zip(written, earlier, strict=True)]
    return written


@given(config=st.dictionaries(st.text(), values), needs=st.frozensets(st.sampled_from(["gpu", "network", "sandbox"])))
def test_any_config_is_read_back_as_it_was(config, needs):
    plan = read_plan(EARLIER)
    domain = plan.domains["a"]
    changed = replace(domain, plugin=replace(domain.plugin, config=config, needs=needs))
    plan = replace(plan, domains={**plan.domains, "a": changed})
    text = json.dumps(plan_to_json(plan))
    assert plan_from_json(json.loads(text)) == plan
    assert text == json.dumps(plan_to_json(plan_from_json(json.loads(text))))


def node_with(**changes):
    def change(data):
        data["nodes"][0] |= changes

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (node_with(kind="distil"), "'distil'"),
        (node_with(teacher="x"), "teacher: Unexpected keyword argument"),
        (node_with(seed="first"), "seed: "),
        (lambda data: data.pop("methods"), "methods: Field required"),
        (lambda data: data.pop("nodes"), "KeyError: 'nodes'"),
        (lambda data: data.update(nodes=["x"]), "TypeError"),
        (lambda data: data["domains"]["a"]["plugin"].update(version=1), "version: Unexpected keyword argument"),
        (lambda data: data["settings"].update(few_shot=5), "few_shot: Unexpected keyword argument"),
    ],
)
def test_what_is_wrong_with_a_plan_is_named(change, told, tmp_path):
    data = json.loads(EARLIER.read_text())
    change(data)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="this plan cannot be read") as raised:
        read_plan(path)
    assert told in raised.value.message
    assert raised.value.where == str(path) and "provenance.json" in raised.value.hint


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000])
def test_what_is_no_plan_is_told_as_that(text, tmp_path):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UsageError, match="this plan cannot be read"):
        read_plan(tmp_path / "plan.json")
