"""Training rows that a reward can never score are detected by each reward before sampling."""

from __future__ import annotations

import json

import datasets
import pytest

from harness import Domain, NoConfig, PluginError, Reward, RewardBatch, StepFailed, TrainingDomain
from harness.domains.judgeable import judgeable_rows, listed
from harness_domains.code.config import CodeRewardConfig
from harness_domains.code.reward import CodeTestsReward
from harness_domains.instruction_following.reward import InstructionReward
from harness_domains.jsonl.rewards import RuleReward
from harness_domains.jsonl.rules import ChoiceLetter, Contains, ExactMatch
from harness_domains.math.reward import _SIMPLE, MathVerify, MathVerifyConfig
from harness_domains.qa.rewards import LetterReward, ShortAnswerReward
from harness_domains.reasoning_gym.problems import ENTRY_COLUMN
from harness_domains.reasoning_gym.reward import ReasoningGymReward, ReasoningGymRewardConfig
from harness_rewards.composite import Composite, CompositeConfig

OPTIONS = {"options": ["yes", "no"], "letter": "A"}


@pytest.fixture(scope="module")
def math_verify():
    reward = MathVerify(MathVerifyConfig(timeout_seconds=60))
    yield reward
    reward._judge.close()


def check(reward, rows, reasons):
    """Checks the reasons, and that rows with one are errors when they are scored."""
    found = reward.unjudgeable(["?"] * len(rows), rows)
    assert len(found) == len(reasons)
    for reason, expected in zip(found, reasons, strict=True):
        assert reason is None if expected is None else expected in reason
    batch = RewardBatch(prompts=["?"] * len(rows), completions=["\\boxed{7}"] * len(rows), rows=rows)
    outcomes = [result.outcome for result in reward.score(batch)]
    assert outcomes == ["ok" if expected is None else "error" for expected in reasons]


def test_math_verify_reads_the_reference(math_verify):
    answers = ["1", "-0.50", "\\frac{1}{2}", "", None, "There is no solution.", ["1", "2"], ["1", "Nobody knows."], []]
    reasons = [None, None, None, "empty", "no answer", "no solution", None, "Nobody knows", "no answer"]
    check(math_verify, [*({"answer": answer} for answer in answers), {}], [*reasons, "no column `answer`"])


@pytest.mark.parametrize(
    "answer", ["0", "-12.50", "\\frac{1}{2}", "-3\\dfrac{10}{7}", "2\\sqrt{3}", "\\pi", "-2.5\\pi", "12" * 15]
)
def test_answers_that_are_not_asked_for_can_be_read(math_verify, answer):
    assert _SIMPLE.fullmatch(answer)
    assert math_verify._judge.compare(answer, None).outcome == "ok"


def test_math_verify_takes_any_answer_of_a_list(math_verify):
    rows = [{"answer": ["2", "\\frac12"]}] * 3
    batch = RewardBatch(prompts=["?"] * 3, completions=["\\boxed{0.5}", "\\boxed{2}", "\\boxed{3}"], rows=rows)
    assert [result.value for result in math_verify.score(batch)] == [1.0, 1.0, 0.0]


def test_code_tests_wants_a_test_that_can_be_run():
    problems = [
        {"source": "assert f(1) == 2"},
        {"stdin": [["1", "2"]]},
        {"source": "def test(:"},
        {},
        {"source": "import unittest\nclass T(unittest.TestCase): pass"},
    ]
    rows = [*({"tests": json.dumps(problem)} for problem in problems), {"tests": "no JSON"}, {}]
    reward = CodeTestsReward(CodeRewardConfig())
    found = reward.unjudgeable(["?"] * len(rows), rows)
    assert [reason is None for reason in found] == [True, True, False, False, False, False, False]
    assert "cannot be read" in found[-1]


@pytest.mark.parametrize("rule", [ExactMatch(), Contains(), ExactMatch(answer_column="gold")])
def test_rules_want_an_answer(rule):
    column = rule.answer_column
    answers = ["1", 1, ["a", "b"], "", " ", None, [], ["a", None]]
    reasons = [None, None, None, "empty", "empty", "no answer", "no answer", "no answer"]
    check(RuleReward(rule), [{column: answer} for answer in answers], reasons)


def test_choice_letter_wants_a_letter():
    rows = [{"answer": answer} for answer in ("B", "(c).", "K", "both")]
    check(RuleReward(ChoiceLetter()), rows, [None, None, "not one of the letters", "not one of the letters"])


@pytest.mark.parametrize("reward", [LetterReward, ShortAnswerReward])
def test_questions_want_options_and_a_letter(reward):
    rows = [OPTIONS, OPTIONS | {"letter": "C"}, OPTIONS | {"options": ["yes"]}, {}]
    check(reward(None), rows, [None, "not one of AB", "not a list of 2 to 10", "not a list of 2 to 10"])


def test_instructions_want_constraints_that_lm_eval_knows():
    sound = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": "[{}]"}
    rows = [sound, sound | {"instruction_id_list": ["keywords:rhyme"]}, sound | {"kwargs": "[]"}, {}]
    check(InstructionReward(None), rows, [None, "no constraint keywords:rhyme", "cannot be used", "no column"])


def test_constraints_are_not_faulty_because_this_machine_lacks_data(monkeypatch):
    monkeypatch.setattr("harness_domains.instruction_following.sentence_data.has_sentence_data", lambda: False)
    arguments = json.dumps([{"num_sentences": 3, "relation": "at least"}])
    row = {"instruction_id_list": ["length_constraints:number_sentences"], "kwargs": arguments}
    assert InstructionReward(None).unjudgeable(["?"], [row]) == [None]


def test_generated_problems_want_their_entry():
    reward = ReasoningGymReward(ReasoningGymRewardConfig())
    assert reward.unjudgeable(["?"] * 2, [{ENTRY_COLUMN: "{}"}, {}]) == [
        None,
        "the row has no column `reasoning_gym`",
    ]


class Part(Reward):
    def __init__(self, column):
        self.column = column

    def unjudgeable(self, prompts, rows):
        return [None if row.get(self.column) else f"no {self.column}" for row in rows]

    def score(self, batch):
        raise NotImplementedError


def test_a_composite_wants_what_its_parts_want():
    config = CompositeConfig(parts={"one": {"reward": "first"}, "two": {"reward": "second", "weight": 0}})
    for part, column in zip(config.parts.values(), ("a", "b"), strict=True):
        part.reward.bind(lambda use, column=column: (Part(column), NoConfig()))
    rows = [{"a": 1, "b": 1}, {"a": 1}, {"b": 1}, {}]
    assert Composite(config).unjudgeable(["?"] * 4, rows) == [None, "two: no b", "one: no a", "one: no a"]


class Rows(Domain):
    def __init__(self, rows):
        self.rows = rows

    def fingerprint(self):
        return "rows"

    def training_data(self, seed):
        return datasets.Dataset.from_list(self.rows)

    def evaluation_tasks(self):
        return ()


def domain(rows, reward):
    return TrainingDomain(name="mine", domain=Rows(rows), reward=reward, reward_label="a reward")


def test_rows_keep_their_order_and_name_their_place_in_the_data():
    rows = [{"prompt": f"p{i}", "a": i, "source_row": f"mine.jsonl:{i}", "source_text": "p"} for i in (2, 0, 1)]
    found = judgeable_rows(domain(rows, Part("a")), 0)
    assert found.rows.to_list() == [{"prompt": "p2", "a": 2}, {"prompt": "p1", "a": 1}]
    assert found.report() == {"rows": 3, "left_out": 1, "first": [{"row": "mine.jsonl:0", "reason": "no a"}]}


def test_where_no_row_can_be_judged_the_step_does_not_start():
    rows = [{"prompt": "p", "source_row": f"mine.jsonl:{i}"} for i in range(1, 8)]
    with pytest.raises(StepFailed, match=r"none of the 7 .*mine.jsonl:1: no a; .*mine.jsonl:5: no a; and 2 more"):
        judgeable_rows(domain(rows, Part("a")), 0)


@pytest.mark.parametrize("answer", [[], [None], [1, None], None, ValueError("no")])
def test_a_broken_contract_names_the_reward(answer):
    class Broken(Part):
        def unjudgeable(self, prompts, rows):
            if isinstance(answer, Exception):
                raise answer
            return answer

    with pytest.raises(PluginError, match="a reward: unjudgeable"):
        judgeable_rows(domain([{"prompt": "p"}, {"prompt": "q"}], Broken("a")), 0)


def test_nothing_is_listed_of_no_rows():
    assert listed(()) == ""
