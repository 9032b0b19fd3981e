"""`harness preview`: samples of a domain before training, and suggestions."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from harness import RewardResult, UsageError
from harness.cli import app
from harness.domains.contamination import Overlap
from harness.errors import ExitCode, ProtocolError
from harness.execution.preview import DomainPreview, PreviewGroup
from harness.testing.tiny_world import tiny_checkpoint

PROTOCOL = {
    "schema": 1,
    "name": "p",
    "model": {"pretrained": "base"},
    "domains": {
        "d": {"use": "jsonl", "data_files": "rows.jsonl", "completion_tokens": 4},
        "chat": {"use": "jsonl", "data_files": "rows.jsonl", "completion_tokens": 4, "format": "chat"},
    },
}


@pytest.fixture(scope="module")
def protocol(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preview")
    tiny_checkpoint(folder / "base")
    rows = [{"prompt": f"{n} + 1 =", "answer": str(n + 1)} for n in range(40)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "p.yaml").write_text(json.dumps(PROTOCOL))
    return folder / "p.yaml"


def preview(*arguments):
    result = CliRunner().invoke(app, ["preview", *map(str, arguments)], catch_exceptions=True)
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.stdout


def test_each_domain_is_sampled_and_scored(protocol):
    settings = ("--prompts", 3, "--generations", 2, "--json")
    result = CliRunner().invoke(app, ["preview", str(protocol), *map(str, settings)])
    plain, chat = json.loads(result.stdout)
    assert [len(group["completions"]) for group in plain["groups"]] == [2, 2, 2]
    assert plain["groups"][0]["prompt"].endswith("+ 1 =")
    assert set(plain["groups"][0]["outcomes"]) == {"ok"}
    assert plain["longest_completion"] == 4
    assert plain["overlap"]["items"] > 0
    assert any("0 of 3 groups" in suggestion for suggestion in plain["suggestions"])
    assert chat["groups"] == []
    assert "no chat template" in chat["faults"][0]["message"]
    assert isinstance(result.exception, ProtocolError)
    [problem] = result.exception.problems
    assert (problem.key, problem.message) == ("domains.chat", chat["faults"][0]["message"])
    assert json.loads(preview(protocol, *settings, "--domains", "d")) == [plain]
    assert json.loads(preview(protocol, *settings, "--domains", "d", "--seed", 1)) != [plain]


def test_it_is_printed_for_people(protocol):
    printed = preview(protocol, "--prompts", 2, "--generations", 2, "--domains", "d")
    assert "domain d:" in printed
    assert "rewards differ within 0 of 2 groups" in printed
    assert "→ GRPO will learn nothing here" in printed


def test_an_unknown_domain_is_refused(protocol):
    with pytest.raises(UsageError, match="no domain e"):
        preview(protocol, "--domains", "e")


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ({"answer": "solution"}, "solution"),
        ({"reward": {"use": "exact-match", "answer_column": "solution"}}, "solution"),
        ({"reward": {"use": "composite", "parts": {"a": {"reward": "code-tests"}}}}, "rows of d can be judged"),
    ],
)
def test_a_column_that_is_missing_is_an_error_that_names_it(protocol, domain, message):
    wrong = {**PROTOCOL, "allow": ["executes-code"], "domains": {"d": {**PROTOCOL["domains"]["d"], **domain}}}
    path = protocol.with_name("wrong.yaml")
    path.write_text(json.dumps(wrong))
    with pytest.raises(ProtocolError, match=message) as raised:
        preview(path, "--prompts", 1, "--generations", 2)
    assert raised.value.exit_code == ExitCode.USAGE
    assert [problem.key for problem in raised.value.problems] == ["domains.d"]


def group(*values):
    results = [RewardResult.error("broken") if value is None else RewardResult.ok(value) for value in values]
    return PreviewGroup(prompt="p", completions=("c",) * len(values), rewards=tuple(results))


@pytest.mark.parametrize(
    ("seen", "suggested"),
    [
        ({"groups": (group(0, 1), group(1, 0))}, None),
        ({"groups": (group(0, 0), group(1, 1))}, "GRPO will learn nothing here"),
        ({"groups": (group(0, 0), group(0, 0))}, "every completion gets 0"),
        ({"groups": (group(0, 1), *[group(0, 0)] * 7)}, "differ within 1 of 8 groups only"),
        ({"groups": (group(0, 1), group(None, 1))}, "1 of 4 rewards failed, the first with: broken"),
        ({"groups": (group(0, 1),), "truncated_share": 0.5, "longest_completion": 8}, "50% of the completions"),
        ({"groups": (group(0, 1),), "unknown_share": 0.2}, "20% of the prompts' tokens"),
        ({"groups": (group(0, 1),), "overlap": Overlap(items=9, overlapping=2, example="x")}, "2 of 9 test items"),
    ],
)
def test_what_the_numbers_suggest(seen, suggested):
    suggestions = list(DomainPreview(domain="d", **seen).suggestions())
    if suggested is None:
        assert suggestions == []
    else:
        assert any(suggested in suggestion for suggestion in suggestions)
