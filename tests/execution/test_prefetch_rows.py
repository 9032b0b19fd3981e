"""What `harness prefetch` reports on data: rows that cannot be judged, and text shared with test items."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from harness import UsageError
from harness.cli import app

DOMAIN = """
  {name}: {{use: math, source: gsm8k, data_files: train.jsonl, tasks: [gsm8k],
    test_sets: {{gsm8k: {{data_files: test.jsonl}}}}}}"""
PROTOCOL = """\
schema: 1
name: looked-at
model: {{use: lab-tiny}}
domains:{domains}
train: {{with: grpo, steps: 1, unjudgeable: {unjudgeable}}}
methods: {{a: [math]}}
"""
LONG = "Ann puts {} red apples, two green pears and one yellow plum into her basket, then eats half of it all"


def question(text, answer="4"):
    return json.dumps({"question": text, "answer": f"#### {answer}"}) + "\n"


@pytest.fixture
def prefetch(tmp_path, monkeypatch):
    """Runs the command on a protocol with the given training and test problems; returns its lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(train, test, *options, unjudgeable="drop", use="math"):
        (tmp_path / "train.jsonl").write_text("".join(train))
        (tmp_path / "test.jsonl").write_text("".join(test))
        domains = DOMAIN.format(name="math")
        if use == "jsonl":
            domains = (
                '\n  math: {use: jsonl, prompt: question, template: "Read this through from its beginning to its end,'
                ' then answer briefly: {question}", data_files: train.jsonl, test_files: test.jsonl}'
            )
        (tmp_path / "looked-at.yaml").write_text(PROTOCOL.format(domains=domains, unjudgeable=unjudgeable))
        result = CliRunner().invoke(app, ["prefetch", "looked-at.yaml", *options])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    return run


def test_rows_that_cannot_be_judged_are_listed_with_their_lines(prefetch):
    train = [question(f"{i}?", "There is no solution." if i in {2, 5} else str(i)) for i in range(8)]
    lines = prefetch(train, [question("9?")]).splitlines()
    at = lines.index("reward of math: math-verify; 2 training rows cannot be judged and are left out:")
    assert {line.split(": ")[0].rpartition("/")[2] for line in lines[at + 1 : at + 3]} == {
        "train.jsonl:3",
        "train.jsonl:6",
    }
    parts = {part["part"]: part for part in json.loads(prefetch(train, [question("9?")], "--json"))}
    rows = parts["reward of math"]["unjudgeable"]
    assert {row["row"].rpartition("/")[2] for row in rows} == {"train.jsonl:3", "train.jsonl:6"}
    assert all(row["reason"] for row in rows)


def test_a_training_that_refuses_such_rows_is_refused(prefetch):
    with pytest.raises(UsageError, match=r"1 of the 2 training rows of math cannot be judged: .*train.jsonl:2: "):
        prefetch([question("1?"), question("2?", "There is no solution.")], [question("9?")], unjudgeable="refuse")


@pytest.mark.parametrize("use", ["math", "jsonl"])
@pytest.mark.parametrize(
    ("tested", "shared"),
    [
        ("How many are left?", 0),
        ("A quite different problem that is long enough to have its thirteen words, and none of them are shared.", 0),
        (LONG.format(3) + ", and how many are left?", 1),
        ("how many are   left", 1),
    ],
)
def test_only_the_problems_own_text_is_compared(prefetch, use, tested, shared):
    train = [question("Bob has four. How many are left?"), question(LONG.format(3)), question("How many are left...")]
    if not shared:
        train = train[:2]
    found = {part["part"]: part for part in json.loads(prefetch(train, [question(tested)], "--json", use=use))}
    assert found["domain math"]["overlap"]["overlapping"] == shared
