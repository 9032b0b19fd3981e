"""Do the sandbox's tiers give plain CPython's verdicts on MBPP and HumanEval?

    python benchmarks/verdicts.py DATA [--tiers auto bubblewrap] [--limit N] [--seconds 10]

DATA holds `mbpp/mbpp.jsonl` and `humaneval/HumanEval.jsonl.gz`. Every reference solution, and a mutant of each (one
seeded change of a constant, an operator, a comparison or a returned value), is judged through each tier, and by a bare
process that runs the program and the tests as published. Prints the counts and lists every disagreement; ends with 1
where there is one.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.domains.sandbox import SandboxConfig, open_sandbox
from harness.domains.sandbox.worker import python_program
from harness_domains.code.judge import judge
from harness_domains.code.problem import Problem
from harness_domains.code.problems import humaneval, mbpp

MOST_TESTS = 1000
SWAPPED: dict[type[ast.AST], type[Any]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Case:
    """A program with its tests. published: the tests as a bare process runs them, after the program."""

    name: str
    kind: str
    program: str
    problem: Problem
    published: str


def mbpp_case(row: dict[str, Any]) -> Case:
    """Returns the reference solution of a row of MBPP."""
    question = mbpp(row)
    tests = "\n".join([row.get("test_setup_code") or "", *row["test_list"]])
    return Case(f"MBPP/{row['task_id']}", "reference", question.reference, question.problem, tests)


def humaneval_case(row: dict[str, Any]) -> Case:
    """Returns the reference solution of a row of HumanEval, as a whole program."""
    tests = f"{row['test']}\ncheck({row['entry_point']})"
    program = row["prompt"] + row["canonical_solution"]
    return Case(row["task_id"], "reference", program, humaneval(row).problem, tests)


def cases_in(folder: Path) -> Iterator[Case]:
    """Yields the reference solutions of both data sets."""
    for line in (folder / "mbpp" / "mbpp.jsonl").read_text(encoding="utf-8").splitlines():
        yield mbpp_case(json.loads(line))
    with gzip.open(folder / "humaneval" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            yield humaneval_case(json.loads(line))


def mutant(case: Case, seed: int) -> Case | None:
    """Returns the case with one change in its program, drawn by `seed` and the case's name; None where none fits."""
    tree = ast.parse(case.program)
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    sites = [node for node in ast.walk(tree) if id(node) not in documentation and is_site(node)]
    if not sites:
        return None
    change(random.Random(f"{seed} {case.name}").choice(sites))
    return replace(case, kind="mutant", program=ast.unparse(tree))


def is_site(node: ast.AST) -> bool:
    """Returns whether `change` can change a node."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str()) | ast.Return(value=ast.expr()):
            return True
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) | ast.Compare(ops=[operator, *_]):
            return type(operator) in SWAPPED
    return False


def change(node: ast.AST) -> None:
    """Changes a node in place: another value, another operator, or nothing returned."""
    match node:
        case ast.Constant(value=bool() as value):
            node.value = not value
        case ast.Constant(value=int() | float() as value):
            node.value = value + 1
        case ast.Constant(value=str() as value):
            node.value = value + "x"
        case ast.Return():
            node.value = ast.Constant(None)
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator):  # replaced: all trees share one object per operator
            node.op = SWAPPED[type(operator)]()
        case ast.Compare(ops=[operator, *_]):
            node.ops[0] = SWAPPED[type(operator)]()


def by_tier(cases: Sequence[Case], tier: str, seconds: float) -> list[str]:
    """Returns, for each case, `passed`, `failed` or why there is no verdict."""
    config = SandboxConfig.model_validate({"tier": tier, "limits": {"seconds": seconds}})
    with open_sandbox(config) as sandbox:
        submissions = [(case.program, case.problem) for case in cases]
        judgements = judge(submissions, sandbox, max_tests=MOST_TESTS, all_or_nothing=True)
    verdicts = []
    for judgement in judgements:
        kinds = {test.verdict for test in judgement.tests} or {"no readable test"}
        unjudged = kinds & {"sandbox-error", "unsupported", "no readable test"}
        verdicts.append(min(unjudged) if unjudged else "passed" if kinds == {"passed"} else "failed")
    return verdicts


def by_python(cases: Sequence[Case], seconds: float, workers: int = 2) -> list[str]:
    """Returns the verdict of a bare process that runs each program with its tests as published."""

    def verdict(case: Case) -> str:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, "program.py")
            script.write_text(f"{case.program}\n{case.published}\n", encoding="utf-8")
            try:
                ended = subprocess.run(
                    [python_program(), "-S", "-s", script],
                    cwd=folder,
                    env={"PYTHONHASHSEED": "0"},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return "failed"
        return "passed" if ended.returncode == 0 else "failed"

    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(verdict, cases))


def main() -> int:
    """Judges, prints a table and every disagreement, and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tiers", nargs="+", default=["auto", "bubblewrap"])
    parser.add_argument("--limit", type=int, help="the first N programs of all")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the mutants")
    chosen = parser.parse_args()
    references = list(cases_in(chosen.data))[: chosen.limit]
    cases = references + [changed for case in references if (changed := mutant(case, chosen.seed)) is not None]
    ways = {tier: by_tier(cases, tier, chosen.seconds) for tier in chosen.tiers}
    ways["CPython"] = by_python(cases, chosen.seconds)
    counts = {
        way: Counter(
            (case.name.split("/")[0], case.kind, verdict) for case, verdict in zip(cases, verdicts, strict=True)
        )
        for way, verdicts in ways.items()
    }
    table = Table(title=f"{len(references)} reference solutions, {len(cases) - len(references)} mutants")
    for column in ("data set", "program", "verdict", *ways):
        table.add_column(column)
    for row in sorted({row for count in counts.values() for row in count}):
        table.add_row(*row, *(str(count[row]) for count in counts.values()))
    console = Console()
    console.print(table)
    given = list(zip(cases, *ways.values(), strict=True))
    differing = [(case, verdicts) for case, *verdicts in given if len(set(verdicts)) > 1]
    for case, verdicts in differing:
        console.print(f"{case.name} {case.kind}: " + ", ".join(map(" ".join, zip(ways, verdicts, strict=True))))
    console.print(f"{len(cases) - len(differing)} of {len(cases)} programs have the same verdict everywhere")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
