"""The data sets of problems and their columns: presets whose values a config's keys replace.

The columns and splits are those on the data sets' pages; README.md names the source of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.domains import DataSource


class ProblemTable(DataSource):
    """A table of problems and the format of their answers. A dot in a column's name selects a field of a struct."""

    problem_column: str | None = Field(default=None, description="the column with the problem's text")
    answer_column: str | None = Field(default=None, description="the column with the answer")
    answer_form: Literal["whole", "after-hashes", "last-boxed"] | None = Field(
        default=None, description="whether the answer is the whole column, follows ####, or is its last \\boxed{}"
    )
    subsets: tuple[str, ...] = Field(default=(), description="several configurations of the data set, all read")
    hub_file: str | None = Field(default=None, description="one file of a data set that has no configurations")

    def under(self, given: ProblemTable) -> ProblemTable:
        """Returns this table with the keys of `given` that are not at their defaults.

        If `given` names another data set, this table's split, subset, revision and file are dropped; only its columns
        remain.
        """
        keys = {
            name: getattr(given, name)
            for name, field in ProblemTable.model_fields.items()
            if getattr(given, name) != field.get_default()
        }
        if given.dataset is not None:
            keys |= {name: getattr(given, name) for name in _PLACE}
        elif given.subset is not None:
            keys["subsets"] = ()
        return self.model_copy(update=keys)

    def fingerprint(self) -> str:
        """Returns the fingerprint of the data (see DataSource), with the columns that are read."""
        columns = f"{self.problem_column} {self.answer_column} {self.answer_form}"
        place = "" if self.files() else f" {','.join(self.subsets)} {self.hub_file}"
        return f"{super().fingerprint()}{place} {columns}"

    def absolute(self) -> ProblemTable:
        """Returns the same table with absolute paths of its files. Raises UsageError if a file is missing."""
        return self.model_copy(update={"data_files": tuple(Path(path).absolute() for path in self.files()) or None})


_PLACE = ("subset", "subsets", "hub_file", "revision", "split")

_MATH_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)

TRAINING = {
    "openr1-math": ProblemTable(
        dataset="open-r1/OpenR1-Math-220k",
        subset="default",
        problem_column="problem",
        answer_column="answer",
        answer_form="whole",
    ),
    "simplerl": ProblemTable(
        dataset="hkust-nlp/SimpleRL-Zoo-Data",
        hub_file="simplelr_qwen_level3to5/train.parquet",
        problem_column="extra_info.question",
        answer_column="extra_info.answer",
        answer_form="whole",
    ),
    "gsm8k": ProblemTable(
        dataset="openai/gsm8k",
        subset="main",
        problem_column="question",
        answer_column="answer",
        answer_form="after-hashes",
    ),
    "math": ProblemTable(
        dataset="EleutherAI/hendrycks_math",
        subsets=_MATH_SUBJECTS,
        problem_column="problem",
        answer_column="solution",
        answer_form="last-boxed",
    ),
}

TESTS = {
    "gsm8k": TRAINING["gsm8k"].model_copy(update={"split": "test"}),
    "math500": ProblemTable(
        dataset="HuggingFaceH4/MATH-500",
        split="test",
        problem_column="problem",
        answer_column="answer",
        answer_form="whole",
    ),
    "aime25": ProblemTable(
        dataset="math-ai/aime25",
        split="test",
        problem_column="problem",
        answer_column="answer",
        answer_form="whole",
    ),
}
