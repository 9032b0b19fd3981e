"""Scores the samples that a record keeps again, and compares the results with its score table."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.errors import HarnessError
from harness.evaluation.lm_eval import measurements, task_hash
from harness.evaluation.replay import replayed
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.verification.findings import Difference, Findings
from harness.verification.keeping import mean_of
from harness.verification.kept_lines import AnswersLine, ItemLine, UnreadableLines, read_samples
from harness.verification.numbers import agree
from harness.verification.scoring import Scoring

Rows = Sequence[Mapping[str, Any]]
_COMPARED = ("value", "stderr", "n", "higher_is_better", "percent", "primary", "task_hash")
_HASHES = ("doc_hash", "prompt_hash", "target_hash")
_MOST = 5


class ColumnSamples:
    """Checks the samples of one column.

    name: of the file. evaluations: the rows of the score table by the key of the evaluation. titles: names of the
    evaluations for messages. scoring: how answers are scored; a text if that is not possible here, with the reason.
    """

    def __init__(
        self,
        name: str,
        evaluations: Mapping[str, Rows],
        titles: Mapping[str, str],
        scoring: Mapping[str, Scoring | str],
        findings: Findings,
    ) -> None:
        self._name, self._evaluations, self._titles, self._scoring = name, evaluations, titles, scoring
        self._findings = findings
        self._items: list[ItemLine] = []
        self.rescored = 0
        """The number of evaluations whose answers were scored again."""
        self.averaged = 0
        """The number of evaluations whose values were compared with the stored scores of the items only."""
        self.reasons: dict[str, None] = {}
        """Why evaluations could not be scored again."""

    def check(self, content: bytes) -> None:
        """Adds the faults of the file with this content."""
        seen: set[str] = set()
        pending: list[AnswersLine] = []
        try:
            for line in read_samples(content):
                if isinstance(line, ItemLine):
                    self._add(line)
                    continue
                if pending and pending[0].evaluation != line.evaluation:
                    self._check_evaluation(pending)
                    pending = []
                pending.append(line)
                if line.evaluation in seen and len(pending) == 1:
                    self._findings.fault(self._name, "each evaluation once", f"{line.evaluation} again")
                seen.add(line.evaluation)
            if pending:
                self._check_evaluation(pending)
        except UnreadableLines as error:
            self._findings.fault(self._name, "readable samples", error)
            return
        for key in self._evaluations:
            if key not in seen:
                self._findings.fault(f"{self._name}: {self._titles[key]}", "samples", "none")

    def _add(self, line: ItemLine) -> None:
        if line.item != len(self._items):
            raise UnreadableLines(f"item {line.item} stands in the place of item {len(self._items)}")
        self._items.append(line)
        prompt = prompt_of(line.arguments)
        if prompt is not None and hashlib.sha256(prompt.encode()).hexdigest() != line.prompt_hash:
            self._findings.fault(f"{self._name}: {line.task}, item {line.doc_id}", "the prompt of its hash", prompt)

    def _check_evaluation(self, lines: Sequence[AnswersLine]) -> None:
        key = lines[0].evaluation
        if key not in self._evaluations:
            self._findings.fault(self._name, "evaluations of the record", f"samples of {key}")
            return
        where, rows = f"{self._name}: {self._titles[key]}", self._evaluations[key]
        if any(not 0 <= item < len(self._items) for line in lines for item in line.items):
            raise UnreadableLines("answers to an item that the file does not have")
        if any(len(line.items) != len(line.answers) for line in lines):
            raise UnreadableLines("not one answer for each item")
        missing = {row["task"] for row in rows} - {line.task for line in lines}
        if missing:
            self._findings.fault(where, f"samples of {', '.join(sorted(missing))}", "none")
            return
        self._findings.first_of(self._without_tasks(where, lines, rows), _MOST)
        scoring = self._scoring[key]
        if isinstance(scoring, str):
            self.reasons[scoring] = None
            self.averaged += 1
            return
        if self._score_again(where, lines, rows, scoring):
            self.rescored += 1

    def _without_tasks(self, where: str, lines: Sequence[AnswersLine], rows: Rows) -> Iterator[Difference]:
        """Yields what differs between the stored items, their scores and the score table."""
        for line in lines:
            items = [self._items[number] for number in line.items]
            own = [row for row in rows if row["task"] == line.task]
            parts = [{part: getattr(item, part) for part in _HASHES} for item in items]
            hashes = task_hash([one for _ in line.scores for one in parts])
            for row in own[:1]:
                if row["task_hash"] != hashes:
                    yield f"{where}, {line.task}, digest of the items", row["task_hash"], hashes
            for row in own:
                values = line.scores.get(row["filter"], {}).get(row["metric"])
                if values is None or row["metric"] not in line.means.get(row["filter"], ()):
                    continue
                if len(values) != len(items):
                    yield f"{where}, {row['metric']}", f"{len(items)} items", f"{len(values)} items"
                elif not agree(mean := mean_of(values), row["value"]):
                    yield f"{where}, {row['metric']},{row['filter']}: mean of the items' scores", row["value"], mean

    def _score_again(self, where: str, lines: Sequence[AnswersLine], rows: Rows, scoring: Scoring) -> bool:
        answers = {
            line.task: {self._items[item].doc_id: one for item, one in zip(line.items, line.answers, strict=True)}
            for line in lines
        }
        try:
            results = replayed(scoring.tasks, scoring.settings, answers)
            found = [row for task in scoring.tasks.tasks for row in measurements(task, results)]
        except HarnessError as error:
            self._findings.fault(where, "answers that its task can score", error.message)
            return False
        except Exception as error:
            self._findings.fault(where, "answers that its task can score", f"{type(error).__name__}: {error}")
            return False
        differences = [
            *self._item_differences(where, lines, results["samples"], scoring.settings),
            *_row_differences(where, rows, found, chat=bool(scoring.settings.chat_template)),
        ]
        self._findings.first_of(iter(differences), _MOST)
        return True

    def _item_differences(
        self, where: str, lines: Sequence[AnswersLine], samples: Mapping[str, Rows], settings: EvaluationSettings
    ) -> Iterator[Difference]:
        """Yields items whose content or score is not what the task gives for the stored answer."""
        # With a chat template, prompts are rendered by the model's tokenizer, which is not here.
        prompts = [] if settings.chat_template else ["arguments", "prompt_hash"]
        parts = ["doc", "target", "doc_hash", "target_hash", *prompts]
        for line in lines:
            by_filter = defaultdict(list)
            for sample in samples[line.task]:
                by_filter[sample["filter"]].append(sample)
            for name, own in by_filter.items():
                stated = line.scores.get(name, {})
                if len(own) != len(line.items):
                    yield f"{where}, {line.task}, items", len(own), len(line.items)
                    continue
                for place, (number, sample) in enumerate(zip(line.items, own, strict=True)):
                    item = self._items[number]
                    at = f"{where}, {line.task}, item {sample['doc_id']}"
                    if item.doc_id != sample["doc_id"]:
                        yield at, f"item {sample['doc_id']}", f"item {item.doc_id}"
                    for part in parts:
                        expected = json.loads(json.dumps(sample[part], default=str))
                        if getattr(item, part) != expected:
                            yield f"{at}, {part}", expected, getattr(item, part)
                    for metric in sample["metrics"]:
                        values = stated.get(metric, [])
                        value = values[place] if place < len(values) else None
                        if not _same(sample[metric], value):
                            yield f"{at}, {metric},{name}", sample[metric], value


def prompt_of(arguments: Any) -> str | None:
    """Returns the text of an item's first request, None if it has another form."""
    try:
        first = arguments[0][0]
    except (LookupError, TypeError):
        return None
    return first if isinstance(first, str) else None


def _row_differences(where: str, rows: Rows, found: Rows, *, chat: bool) -> Iterator[Difference]:
    """Yields the measurements of the score table that are not those of the stored answers."""
    again = {(row["task"], row["metric"], row["filter"]): row for row in found}
    for row in rows:
        place = (row["task"], row["metric"], row["filter"])
        at = f"{where}, {place[0]} {place[1]},{place[2]}"
        if place not in again:
            yield at, "a metric of the task", "another one"
            continue
        for part in _COMPARED:
            if part == "task_hash" and chat:
                continue  # the model's tokenizer renders the prompts
            expected = again[place][part]
            same = agree(expected, row[part]) if part in ("value", "stderr") else expected == row[part]
            if not same:
                yield f"{at}, {part}", expected, row[part]
    for place in again.keys() - {(row["task"], row["metric"], row["filter"]) for row in rows}:
        yield f"{where}, {' '.join(place)}", again[place]["value"], "no row in the score table"


def _same(expected: Any, found: Any) -> bool:
    """Returns whether a score is the stored one, which was JSON in between."""
    if isinstance(expected, list | tuple):
        return (
            isinstance(found, list)
            and len(expected) == len(found)
            and all(_same(one, other) for one, other in zip(expected, found, strict=True))
        )
    try:
        number = float(expected)
    except (TypeError, ValueError):
        return str(expected) == str(found)
    if not isinstance(found, int | float):
        return False
    return agree(number, found) or (math.isnan(number) and math.isnan(found))
