"""The reward `code-tests`: the tests that a program passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import Reward, RewardBatch, RewardResult
from harness.domains import open_sandbox
from harness_domains.code.config import CodeRewardConfig
from harness_domains.code.extraction import program_of
from harness_domains.code.judge import judge, why_unsupported
from harness_domains.code.problem import Problem
from harness_domains.code.verdicts import Judgement


class CodeTestsReward(Reward):
    """Runs each completion's program against the tests in its row's column `tests`.

    Wrong answers, exceptions, syntax errors and time-outs score 0.0 for those tests, and the detail names them. If the
    sandbox fails or does not support the program, or if no test can be read, the result is an error.
    """

    def __init__(self, config: CodeRewardConfig) -> None:
        self.config = config

    def unjudgeable(self, prompts: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> Sequence[str | None]:
        """Returns why none of a row's tests can be run, without running any code."""
        return [_no_tests(row) for row in rows]

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        results: list[RewardResult | None] = [None] * len(batch.rows)
        submitted: list[tuple[int, tuple[str, Problem]]] = []
        for index, (completion, row) in enumerate(zip(batch.completions, batch.rows, strict=True)):
            try:
                problem = Problem.from_json(row.get("tests"))
            except (ValueError, TypeError) as error:
                results[index] = RewardResult.error(f"the row's tests cannot be read: {error}")
                continue
            program = program_of(completion, self.config.format)
            if program is None:
                results[index] = RewardResult.ok(0.0, "no program in the completion")
            else:
                submitted.append((index, (program, problem)))
        if submitted:
            with open_sandbox(self.config.sandbox) as sandbox:
                judgements = judge(
                    [submission for _, submission in submitted],
                    sandbox,
                    max_tests=self.config.max_tests,
                    all_or_nothing=self.config.score == "all",
                )
            for (index, _), judgement in zip(submitted, judgements, strict=True):
                results[index] = self._result(judgement)
        return [result for result in results if result is not None]

    def _result(self, judgement: Judgement) -> RewardResult:
        if not judgement.tests:
            return RewardResult.error(f"no test can be run: {judgement.reason or 'the row has none'}")
        failed = [test.detail for test in judgement.tests if test.verdict in ("sandbox-error", "unsupported")]
        if failed:
            return RewardResult.error(failed[0])
        value = judgement.share if self.config.score == "share" else float(judgement.share == 1.0)
        return RewardResult.ok(value, judgement.describe())


def _no_tests(row: Mapping[str, Any]) -> str | None:
    try:
        problem = Problem.from_json(row.get("tests"))
    except (ValueError, TypeError) as error:
        return f"the row's tests cannot be read: {error}"
    reason = why_unsupported(problem)
    return None if reason is None else f"no test can be run: {reason}"
