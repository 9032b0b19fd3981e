"""Scores an item: pass@k of its programs, each tested in the sandbox."""

import json
from typing import Any

from harness import StepFailed
from harness.domains import SandboxConfig, answer_after_thinking, open_sandbox
from harness_domains.code.extraction import program_of
from harness_domains.code.judge import judge
from harness_domains.code.pass_at_k import pass_at_k
from harness_domains.code.problem import Problem

MAX_TESTS = 1000
"""More than any item has, so that a program must pass all tests of an item."""


def tests_passed(document: dict[str, Any], results: list[list[str]]) -> dict[str, float]:
    """Returns `pass@1` of the item's samples, `pass@n` for n samples, and `supported`, which is 1.0.

    If none of the item's tests can be run, `supported` is 0.0 and there is no pass@k. A program that the sandbox tier
    does not support fails. Raises StepFailed if the sandbox fails.
    """
    [samples] = results
    problem = Problem.from_json(document["tests"])
    programs = [_program(sample) for sample in samples]
    config = SandboxConfig.model_validate(json.loads(document["sandbox"]))
    with open_sandbox(config) as sandbox:
        judgements = judge(
            [(program, problem) for program in programs], sandbox, max_tests=MAX_TESTS, all_or_nothing=True
        )
    if not any(judgement.tests for judgement in judgements):
        return {"supported": 0.0}
    for judgement in judgements:
        for test in judgement.tests:
            if test.verdict == "sandbox-error":
                raise StepFailed(f"the sandbox failed: {test.detail}", hint="`harness doctor` shows what it needs")
    correct = sum(judgement.share == 1.0 for judgement in judgements)
    scores = {f"pass@{k}": pass_at_k(len(samples), correct, k) for k in {1, len(samples)}}
    return {**scores, "supported": 1.0}


def _program(sample: str) -> str:
    """Returns the last block, or all of the answer if it has no block; empty if there is no answer."""
    program = program_of(sample, "block")
    return program if program is not None else (answer_after_thinking(sample) or "")
