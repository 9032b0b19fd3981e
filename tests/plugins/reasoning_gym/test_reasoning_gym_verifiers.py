"""For each task, the reward is 1 for the reference and less for the answer of another item."""

import json

import pytest

from harness import RewardBatch
from harness_domains.reasoning_gym.catalogue import task_names
from harness_domains.reasoning_gym.config import ReasoningGymConfig
from harness_domains.reasoning_gym.plain_json import loads
from harness_domains.reasoning_gym.problems import ENTRY_COLUMN, training_problems
from harness_domains.reasoning_gym.reward import ReasoningGymReward, ReasoningGymRewardConfig

pytest.importorskip("reasoning_gym")

SLOW = {"futoshiki", "knight_swap", "quantum_lock", "sokoban", "zebra_puzzles"}
"""Tenths of a second an item."""
WITHOUT_REFERENCE = {"boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"}
NEARLY_RIGHT = {"game_of_life", "coin_flip", "time_intervals"}
"""Their verifiers give other items' answers much partial credit, below 1 all the same."""
TASKS = [task for task in task_names() if task not in SLOW | WITHOUT_REFERENCE | {"intermediate_integration"}]


def rewards(problems, answers):
    reward = ReasoningGymReward(ReasoningGymRewardConfig(timeout_seconds=60))
    rows = [{ENTRY_COLUMN: problem.row} for problem in problems]
    completions = [f"so\n<answer>\n{answer}\n</answer>" for answer in answers]
    return reward.score(RewardBatch(prompts=[p.question for p in problems], completions=completions, rows=rows))


def some_problems(task, count=6):
    return training_problems(ReasoningGymConfig(task=task, prompts=count, test_items=1), 0)


@pytest.mark.parametrize("task", TASKS)
def test_the_reference_scores_one_and_another_items_answer_less(task):
    problems = some_problems(task)
    assert [result.value for result in rewards(problems, [p.answer for p in problems])] == [1.0] * len(problems)
    others = {p: next((o.answer for o in problems if o.answer != p.answer), None) for p in problems}
    wrong = {p: answer for p, answer in others.items() if answer is not None}
    assert wrong, "all items have the same answer"
    results = rewards(list(wrong), list(wrong.values()))
    assert [result.detail for result in results if result.outcome != "ok"] == []
    values = [result.value for result in results]
    assert sum(values) / len(values) < (1.0 if task in NEARLY_RIGHT else 0.6)


@pytest.mark.parametrize(
    ("task", "example"),
    [
        ("graph_color", lambda metadata: json.dumps(metadata["possible_answer"])),
        ("propositional_logic", lambda metadata: metadata["example_answer"]),
        ("rubiks_cube", lambda metadata: metadata["example_correct_answer"]),
    ],
)
def test_where_there_is_no_reference_the_worked_example_scores_one(task, example):
    problems = some_problems(task)
    assert {problem.answer for problem in problems} == {""}
    answers = [example(loads(json.loads(problem.row)["entry"])["metadata"]) for problem in problems]
    assert [result.value for result in rewards(problems, answers)] == [1.0] * len(problems)


def test_an_integral_is_answered_in_closed_form():
    problems = [p for p in some_problems("intermediate_integration", 12) if "Integral" not in p.answer]
    assert len(problems) >= 6
    assert [result.value for result in rewards(problems, [p.answer for p in problems])] == [1.0] * len(problems)
    unsolved = [f"Integral({loads(json.loads(p.row)['entry'])['metadata']['integrand']}, x)" for p in problems]
    assert {result.value for result in rewards(problems, unsolved)} == {0.0}


def test_rows_of_two_tasks_are_scored_in_one_batch_by_their_own_verifiers():
    problems = [*some_problems("leg_counting", 2), *some_problems("arc_1d", 2)]
    assert [r.value for r in rewards(problems, [p.answer for p in problems])] == [1.0] * 4
    assert max(r.value for r in rewards(problems, [p.answer for p in problems[::-1]])) < 1


def test_settings_reach_the_verifier():
    config = ReasoningGymConfig(task="gcd", config={"min_numbers": 4, "max_numbers": 4}, prompts=2, test_items=1)
    problem = training_problems(config, 0)[0]
    assert json.loads(json.loads(problem.row)["settings"]) == {"min_numbers": 4, "max_numbers": 4}
    assert problem.question.count(",") >= 2


def test_what_a_verifier_cannot_judge_is_an_error_and_never_a_zero():
    [problem] = some_problems("leg_counting", 1)
    row = json.loads(problem.row)
    broken = json.dumps(row | {"entry": json.dumps({"question": "?", "answer": 4, "metadata": {}})})
    reward = ReasoningGymReward(ReasoningGymRewardConfig())
    rows = [{}, {ENTRY_COLUMN: "no JSON"}, {ENTRY_COLUMN: "{}"}, {ENTRY_COLUMN: broken}, {ENTRY_COLUMN: problem.row}]
    completion = f"<answer>{problem.answer}</answer>"
    batch = RewardBatch(prompts=[""] * len(rows), completions=[completion] * len(rows), rows=rows)
    results = reward.score(batch)
    assert [result.outcome for result in results] == ["error"] * 4 + ["ok"]
    assert "leg_counting: TypeError" in results[3].detail
    assert results[4].value == 1.0


def test_an_answer_out_of_form_is_no_answer():
    [problem] = some_problems("leg_counting", 1)
    reward = ReasoningGymReward(ReasoningGymRewardConfig())
    texts = [problem.answer, f"<think><answer>{problem.answer}</answer>", "", "\x00"]
    batch = RewardBatch(prompts=[""] * len(texts), completions=texts, rows=[{ENTRY_COLUMN: problem.row} for _ in texts])
    assert [result.value for result in reward.score(batch)] == [0.0] * len(texts)
