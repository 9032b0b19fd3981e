"""The lab's four kinds of questions: their random draw, right and wrong answers, and scores."""

from harness_lab.questions.base import Question, QuestionKind
from harness_lab.questions.code import CODE
from harness_lab.questions.lookup import LOOKUP
from harness_lab.questions.math import MATH
from harness_lab.questions.writing import WRITING

KINDS: dict[str, QuestionKind] = {kind.name: kind for kind in (CODE, MATH, LOOKUP, WRITING)}

__all__ = ["CODE", "KINDS", "LOOKUP", "MATH", "WRITING", "Question", "QuestionKind"]
