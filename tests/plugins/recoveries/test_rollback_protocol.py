"""A rollback against an unknown step is rejected when the protocol is read, with its line."""

import pytest

from harness.errors import ProtocolError
from harness.plugin.registry import Registry
from harness.protocol import load_protocol

TEXT = """schema: 1
name: harmful
model: {use: lab-tiny}
domains: {math: {use: lab-math}, qa: {use: lab-qa}}
methods:
  a: [math, qa, {recover: math, with: rollback, against: STEP}]
"""


@pytest.mark.parametrize(("step", "message"), [("cw", "no step is called 'cw'"), ("1", "not after the target's peak")])
def test_a_harmful_step_that_is_none(tmp_path, step, message):
    path = tmp_path / "harmful.yaml"
    path.write_text(TEXT.replace("STEP", step))
    with pytest.raises(ProtocolError) as caught:
        load_protocol(path, Registry.discover())
    [problem] = caught.value.problems
    assert (problem.line, problem.key) == (6, "methods.a[2].against")
    assert message in problem.message
    assert problem.hint == "the steps after the peak are 2 (qa)"


@pytest.mark.parametrize("step", ["qa", "2"])
def test_a_harmful_step_that_is_one(tmp_path, step):
    path = tmp_path / "harmful.yaml"
    path.write_text(TEXT.replace("STEP", step))
    assert load_protocol(path, Registry.discover()).methods["a"]
