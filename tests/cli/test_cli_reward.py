"""`harness reward`: rows from a file, scored one JSON line each."""

from __future__ import annotations

import json

import pytest
from pydantic import Field
from typer.testing import CliRunner

from harness import Config, Reward, RewardResult, RewardSpec, UsageError, hookimpl
from harness.cli import app
from harness.errors import ExitCode, PluginError, ProtocolError, StepFailed
from harness.plugin.registry import Registry


class CountConfig(Config):
    letter: str = "a"
    answer_in: dict[str, int] = Field(default_factory=dict)


class Count(Reward):
    """How often a letter is in the completion; an error where the row forbids it."""

    def __init__(self, config):
        self.config = config

    async def score(self, batch):
        results = []
        for prompt, completion, row in zip(batch.prompts, batch.completions, batch.rows, strict=True):
            if row.get("broken"):
                results.append(RewardResult.error("broken row"))
            else:
                count = completion.count(self.config.letter)
                parts = {"prompt": RewardResult.ok(len(prompt))}
                results.append(RewardResult("ok", float(count), f"answer {row.get('answer')}", parts))
        return results


class Plugin:
    @hookimpl
    def harness_rewards(self):
        spec = {"summary": "s", "load": Count, "config": CountConfig}
        yield RewardSpec(name="count", needs=frozenset({"executes-code"}), **spec)


@pytest.fixture
def harness(monkeypatch, tmp_path):
    monkeypatch.setattr(Registry, "discover", lambda **chosen: Registry.of([("counting", Plugin())]))
    monkeypatch.chdir(tmp_path)

    def call(*arguments, rows=(), text=None):
        given = "".join(json.dumps(row) + "\n" for row in rows) if text is None else text
        result = CliRunner().invoke(app, ["reward", "count", "-", *arguments], input=given)
        if isinstance(result.exception, Exception) and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def test_each_row_gives_a_line_with_value_outcome_detail_and_parts(harness):
    result = harness(rows=[{"prompt": "p", "completion": "banana", "answer": 7}, {"completion": "x", "broken": 1}])
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    part = {"value": 1.0, "outcome": "ok", "detail": ""}
    assert first == {"row": 1, "value": 3.0, "outcome": "ok", "detail": "answer 7", "parts": {"prompt": part}}
    assert second == {"row": 2, "value": None, "outcome": "error", "detail": "broken row"}
    assert result.exit_code == 0
    assert result.stderr == "2 rows: 1 ok, 1 error; mean value 3\n"


def test_a_file_of_which_no_row_could_be_scored_is_a_failure(harness):
    rows = [{"completion": "a", "broken": 1}, {"completion": "b", "broken": 1}]
    with pytest.raises(StepFailed, match="no row could be scored, the first because: broken row"):
        harness(rows=rows)
    expected = [{**row, "expected": "error"} for row in rows]
    assert harness("--check", rows=expected).exit_code == ExitCode.DONE


def test_settings_lie_over_the_config_file_and_reach_nested_keys(harness, tmp_path):
    (tmp_path / "config.yaml").write_text("letter: b\nanswer_in: {x: 1}\n")
    row = {"completion": "abba b"}
    assert json.loads(harness("--config", "config.yaml", rows=[row]).stdout)["value"] == 3
    over = ("--config", "config.yaml", "--set", "letter= ", "--set", "answer_in.y=2")
    assert json.loads(harness(*over, rows=[row]).stdout)["value"] == 1


def test_columns_of_other_names_are_mapped(harness):
    row = {"question": "?", "output": "a", "gold": "g"}
    options = [f"--column={pair}" for pair in ("prompt=question", "completion=output", "answer=gold")]
    assert json.loads(harness(*options, rows=[row]).stdout)["detail"] == "answer g"


@pytest.mark.parametrize("literal", ["8.50", "1e3", "10000000000000000000000000", "7", "0.5"])
def test_numbers_keep_their_text_for_rewards_that_read_text(harness, literal):
    told = json.loads(harness(text=f'{{"completion": "a", "answer": {literal}, "expected": 1.0}}').stdout)
    assert told["detail"] == f"answer {literal}"
    assert (told["expected"], told["agrees"]) == (1.0, True)


def test_messages_are_read_as_their_text(harness):
    chat = {"prompt": [{"role": "user", "content": "hi"}], "completion": [{"role": "assistant", "content": "aa"}]}
    assert json.loads(harness(rows=[chat]).stdout)["value"] == 2


def test_a_thought_that_the_prompt_opens_belongs_to_the_completion_as_in_training(harness):
    row = {"prompt": "Sum?<think>", "completion": "b</think>"}
    assert json.loads(harness("--set", "letter=<think>", rows=[row]).stdout)["value"] == 1


@pytest.mark.parametrize(
    ("expected", "agrees"),
    [(1, True), (1.0, True), (0, False), (None, False), ("ok", True), ("not error", True), ("error", False)],
)
def test_an_expected_value_is_printed_and_checked_on_demand(harness, expected, agrees):
    row = {"completion": "a", "expected": expected}
    told = json.loads(harness(rows=[row]).stdout)
    assert (told["expected"], told["agrees"]) == (expected, agrees)
    assert harness(rows=[row]).exit_code == ExitCode.DONE
    result = harness("--check", rows=[{"completion": ""}, row])
    assert result.exit_code == (ExitCode.DONE if agrees else ExitCode.STEP_FAILED)
    assert agrees or result.stderr.endswith("0 of 1 as expected, not rows 2\n")


def test_a_row_without_a_value_agrees_with_null(harness):
    row = {"completion": "a", "broken": True}
    assert json.loads(harness("--check", rows=[{**row, "expected": None}]).stdout)["agrees"] is True
    assert json.loads(harness("--check", rows=[{**row, "expected": "not error"}]).stdout)["agrees"] is False


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('{"completion": "a"}\n\n{"completion": "a"\n', 3, "is not JSON"),
        ('{"completion": NaN}', 1, "NaN is not a JSON number"),
        ("[" * 100_000, 1, "nested too deeply"),
        ("[1]", 1, "is a list, not an object"),
        ('{"completion": "a"}\n{"prompt": "a"}', 2, "no column 'completion'"),
        ('{"completion": 5}', 1, "should be a string or a list of chat messages"),
        ('{"completion": "a", "expected": [1]}', 1, r"expected is \[1\]"),
        ('{"completion": "a", "expected": "fine"}', 1, "expected is 'fine'"),
        (b'{"completion": "a"}\n{"completion": "\xe9"}', 2, "not text in UTF-8"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_by_its_line(harness, text, line, message):
    with pytest.raises(UsageError, match=message) as raised:
        harness(text=text)
    assert raised.value.where.startswith(f"standard input:{line}")


def test_what_cannot_be_asked_is_refused(harness):
    row = {"completion": "a"}
    with pytest.raises(UsageError, match="no rows"):
        harness(text="\n")
    with pytest.raises(UsageError, match="nothing to check"):
        harness("--check", rows=[row])
    with pytest.raises(UsageError, match="not of the form NAME=COLUMN"):
        harness("--column", "answer", rows=[row])
    with pytest.raises(UsageError, match="no column 'gold'"):
        harness("--column", "answer=gold", rows=[row])
    with pytest.raises(UsageError, match="not of the form KEY=VALUE"):
        harness("--set", "letter", rows=[row])
    with pytest.raises(ProtocolError, match="did you mean letter"):
        harness("--set", "leter=b", rows=[row])
    with pytest.raises(ProtocolError, match="should be a valid string"):
        harness("--set", "letter=5", rows=[row])


def test_a_missing_file_and_an_unknown_reward_are_named(harness, tmp_path):
    assert isinstance(CliRunner().invoke(app, ["reward", "count", "nowhere.jsonl"]).exception, UsageError)
    assert isinstance(CliRunner().invoke(app, ["reward", "coun", "-"]).exception, PluginError)
