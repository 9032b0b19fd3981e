"""Verifiers that evaluate the answer: which answers are passed to them."""

import inspect
import json
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness_domains.reasoning_gym import catalogue
from harness_domains.reasoning_gym.config import ReasoningGymConfig
from harness_domains.reasoning_gym.evaluated_answers import (
    SAFE_ANSWER,
    is_arithmetic,
    is_formula,
    is_literal,
    is_polynomial,
    is_safe,
)
from harness_domains.reasoning_gym.problems import training_problems
from harness_domains.reasoning_gym.verifier import judge

ATTACKS = (
    "__import__('os').system('true')",
    "open('pwned', 'w').write('x')",
    "[c for c in ().__class__.__base__.__subclasses__()]",
    "(lambda: 1)()",
    "f'{open(1)}'",
    "[*map(exec, ['x'])]",
    "x.__class__",
    "x if x else x",
    "sin.__globals__",
    "sin(*[1])",
    "sin(x=1)",
    "eval(x)",
    "S('1')",
    "(x:=1)",
    "Integral(x, x)",
    "x[0]",
    "not 1",
    "1 .real",
    "ｅｖａｌ(x)",
    "9**9**9",
    "x**(10**10)",
    "x**101",
    "1 " + "+ 1" * 5000,
)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("task", sorted(SAFE_ANSWER))
def test_no_verifier_is_handed_an_attack(task, attack):
    assert not is_safe(task, attack)


@pytest.mark.parametrize(
    ("accepts", "answers"),
    [
        (is_literal, ["[[0, 1], [-1, 0]]", "['A', 'B']", "0 1\n1 0", "A B C", "_ Q\nQ _", "(1, 2)", "[" * 300]),
        (is_arithmetic, ["(75 - 3) * 2 / 4", "1 + -2", "3.5*2", "(1\n+ 2)"]),
        (is_polynomial, ["-20*x**4 + 8*x*y - 3", "(x + 1)**2", "7"]),
        (is_formula, ["x**2/2 + sin(3*x) + C", "-exp(-x)*log(x) + C", "sqrt(x)", "x**(1/2)", "x**(-3)", "atan(X)/pi"]),
    ],
)
def test_answers_of_the_asked_form_are_handed_over(accepts, answers):
    assert [answer for answer in answers if not accepts(answer)] == []


@given(st.text(alphabet="x19()+-*/. sinCpi,_\n", max_size=30))
def test_what_is_let_through_calls_nothing_but_the_functions(answer):
    if is_formula(answer):
        names = {name: (lambda value: value) for name in ("sin", "pi", "C", "x")}
        assert "__" not in answer
        assert set(compile(answer.strip(), "answer", "eval").co_names) <= {*names, *"xsinCpi"}


def test_the_reference_of_a_verifier_that_looks_for_literals_is_handed_over_as_it_is():
    assert not is_safe("string_insertion", "ABCDE")
    assert is_safe("string_insertion", "ABCDE", "ABCDE")
    assert not is_safe("countdown", "open", "open")


def test_an_attack_on_a_verifier_runs_nothing(tmp_path):
    pytest.importorskip("reasoning_gym")
    path = tmp_path / "pwned"
    for task in sorted(SAFE_ANSWER):
        problem = training_problems(ReasoningGymConfig(task=task, prompts=1, test_items=1), 0)[0]
        result = judge(f"<answer>open({str(path)!r}, 'w')</answer>", problem.row, 30.0)
        assert result.outcome == "ok" and result.value is not None and result.value <= 0.01
    assert not path.exists()


def test_an_answer_that_keeps_a_verifier_busy_times_out_and_the_next_one_is_scored():
    pytest.importorskip("reasoning_gym")
    problem = training_problems(ReasoningGymConfig(task="simple_integration", prompts=1, test_items=1), 0)[0]
    endless = "((((9**99)**99)**99)**99)**99"
    assert judge(f"<answer>{endless}</answer>", problem.row, 2.0).outcome == "timeout"
    assert judge(f"<answer>{problem.answer}</answer>", problem.row, 60.0).value == 1.0


def test_every_task_whose_module_evaluates_something_was_read():
    package = pytest.importorskip("reasoning_gym")
    evaluating = {
        task
        for task, (dataset, _) in package.factory.DATASETS.items()
        if catalogue._EVALUATES.search(inspect.getsource(import_module(dataset.__module__)))
    }
    assert evaluating - set(catalogue.REFUSED) == set(SAFE_ANSWER) | set(catalogue._READ)


def test_a_task_that_evaluates_and_was_not_read_is_refused(monkeypatch):
    pytest.importorskip("reasoning_gym")
    monkeypatch.delitem(SAFE_ANSWER, "n_queens")
    with pytest.raises(ValueError, match="evaluates code, and this plugin does not know"):
        catalogue.check_task("n_queens")


def test_settings_under_which_no_answer_could_be_handed_over_are_refused():
    pytest.importorskip("reasoning_gym")
    config = ReasoningGymConfig(task="simple_integration", config={"symbols": ["theta"]}, prompts=8, test_items=8)
    with pytest.raises(Exception, match="is safe to hand to the verifier"):
        training_problems(config, 0)
    assert json.loads(config.settings_json()) == {"symbols": ["theta"]}
