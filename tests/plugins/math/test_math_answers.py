"""The verifier of the math domain: accepted answers, and answers that it cannot judge."""

import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness_domains.math
from harness import RewardBatch, RewardResult
from harness_domains.math.answers import last_boxed
from harness_domains.math.judge import Judge
from harness_domains.math.prose import is_prose
from harness_domains.math.reward import MathVerify, MathVerifyConfig

FORMS = Path(harness_domains.math.__file__).parent / "answer_forms.md"
ROW = re.compile(r"^\| `(.+)` \| `(.+)` \| (right|wrong) \| ?(.*?) ?\|$", re.MULTILINE)
TABLE = [
    (reference.replace(r"\|", "|"), answer.replace(r"\|", "|"), verdict, deviation)
    for reference, answer, verdict, deviation in ROW.findall(FORMS.read_text(encoding="utf-8"))
]
BALANCED = st.recursive(
    st.text(alphabet="ab1 +^\\,", max_size=4).filter(lambda text: not text.endswith("\\") and "\\" not in text),
    lambda inner: st.builds("{}{{{}}}{}".format, inner, inner, inner),
    max_leaves=6,
).filter(str.strip)


NO_ANSWER = RewardResult.ok(0.0, "no answer was found in the completion")


@pytest.fixture(scope="module")
def judge():
    made = Judge(timeout_seconds=60)
    yield made
    made.close()


def test_the_table_is_whole():
    rows = [line for line in FORMS.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert len(rows) == len(TABLE) >= 60
    assert sum(verdict == "wrong" and not deviation for *_, verdict, deviation in TABLE) >= 30
    assert len(set(TABLE)) == len(TABLE)


@pytest.mark.parametrize(("reference", "answer", "verdict", "deviation"), TABLE)
def test_a_form_is_judged_as_documented(judge, reference, answer, verdict, deviation):
    result = judge.score(rf"So it is $\boxed{{{answer}}}$.", reference)
    assert (result.outcome, result.value) == ("ok", float(verdict == "right"))
    assert ("is not equal to" in result.detail) == (verdict == "wrong")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"\boxed{1} and then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"$\fbox{7}$", "7"),
        (r"it is $\boxed 7$.", "7"),
        (r"\boxed {7}", "7"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{x\right.} is it", r"\left\{x\right."),
        (r"\boxed{1} and \boxed{2", None),
        ("no box", None),
        ("", None),
        (r"\boxed", None),
        (r"hence \boxed 3.5", "3.5"),
        (r"hence $\boxed -7$, as", "-7"),
        (r"so \boxed B.", "B"),
        (r"\boxed{5}. I used \boxed as asked.", "5"),
        (r"\boxed{5}, put in \boxed{} as asked.", "5"),
        (r"\boxed{5} is in a \boxed{...}", "5"),
        (r"\boxed{2} and \boxed{3}", "2, 3"),
        (r"$x = \boxed{2}$ or $x = \boxed{3}$.", "2, 3"),
        (r"$\boxed{2}$, $\boxed{2}$, $\boxed{3}$", "2, 3"),
        ("\\boxed{2}\n\n\\boxed{3}", "3"),
        (r"\boxedness{4}", None),
        (r"\[\boxed 7\]", "7"),
        (r"\boxed (1, 2)", "(1, 2)"),
        (r"$\boxed 3 \times 10^5$", r"3 \times 10^5"),
        (r"\boxed 3 + 4", "3 + 4"),
        (r"\boxed 3, as 4 > 3", "3"),
        (r"\boxed{5}. I used \boxed.", "5"),
        (r"\boxed{5} by the \boxed-command", "5"),
        (r"\boxed{5}. I used \boxed - as asked.", "5"),
        (r"\boxed{5}. I used \boxed (as asked).", "5"),
        (r"\boxed{5} stands in \boxed{\ldots}", "5"),
        (r"$x_1=\boxed{2}$, $x_2=\boxed{3}$", "2, 3"),
        (r"\[\boxed{2}\] and \[\boxed{3}\]", "2, 3"),
        (r"\boxed{2}\quad\text{or}\quad\boxed{3}", "2, 3"),
        (r"**\boxed{2}** and **\boxed{3}**", "2, 3"),
        (r"\boxed{2} is not \boxed{3}", "3"),
    ],
)
def test_the_last_box_is_found(text, content):
    assert last_boxed(text) == content


@given(BALANCED, st.text(alphabet="ab {}1"))
def test_a_box_is_found_whatever_stands_before_and_within(content, before):
    assert last_boxed(rf"{before}\boxed{{{content}}}") == content


@pytest.mark.parametrize("text", [r"\boxed{", r"\boxed", r"\boxed ", r"\boxed{1}, ", r"\boxed{\{", "}", "{"])
def test_finding_a_box_takes_linear_time(text):
    last_boxed(text * (400_000 // len(text)))  # in quadratic time, this would take hours


def test_an_answer_of_great_length_is_wrong_and_not_read(judge):
    assert judge.score(rf"\boxed{{{'5+' * 20_000}5}}", "5").value == 0
    long = "7" * 1_500
    assert judge.score(rf"\boxed{{{long}}}", long) == RewardResult.ok(1.0)


def test_a_box_in_the_thinking_counts_for_nothing(judge):
    assert judge.score(r"<think>\boxed{5}</think>I do not know.", "5") == NO_ANSWER
    assert judge.score(r"<think>\boxed{4}</think>\boxed{5}", "5") == RewardResult.ok(1.0)
    assert judge.score(r"\boxed{5}", "5", thinks=True) == NO_ANSWER


@pytest.mark.parametrize("reference", ["", " ", "{", "???"])
@pytest.mark.parametrize("completion", [r"\boxed{5}", "no box"])
def test_a_reference_that_cannot_be_read_is_an_error(judge, reference, completion):
    result = judge.score(completion, reference)
    assert result.outcome == "error"
    assert "the reference" in result.detail


def test_an_endless_comparison_is_a_timeout_and_the_next_one_works():
    judge = Judge(timeout_seconds=0.5)
    result = judge.score(r"\boxed{9^{9^{9^{9}}}}", "5")
    judge.timeout_seconds = 60
    after = judge.score(r"\boxed{5}", "5")
    judge.close()
    assert (result.outcome, result.value) == ("timeout", None)
    assert "0.5 s" in result.detail
    assert after == RewardResult.ok(1.0)


def test_threads_share_a_judge(judge):
    results = {}

    def work(number):
        results[number] = judge.score(rf"\boxed{{{number % 3}}}", "1").value

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: float(number % 3 == 1) for number in range(12)}


def test_the_reward_answers_every_row():
    rows = [{"answer": "5"}, {"answer": "5", "thinks": True}, {"answer": 5}, {}, {"answer": "???"}]
    reward = MathVerify(MathVerifyConfig(timeout_seconds=60))
    results = reward.score(RewardBatch(prompts=["?"] * 5, completions=[r"\boxed{5}"] * 5, rows=rows))
    assert [(result.outcome, result.value) for result in results] == [
        ("ok", 1.0),
        ("ok", 0.0),
        ("ok", 1.0),
        ("error", None),
        ("error", None),
    ]


@pytest.mark.parametrize(
    ("completion", "answer", "detail"),
    [
        (r"\boxed{12}", "13", "12 is not equal to 13"),
        (r"\boxed{12}", ["13", r"\frac12"], r"12 is equal to none of 13, \frac12"),
        ("it is 13", "13", "no answer was found in the completion"),
        (r"\boxed{}", ["13"], "no answer was found in the completion"),
        (r"<think>\boxed{13}", "13", "no answer was found in the completion"),
        (r"\boxed{13}", "13", ""),
    ],
)
def test_a_score_says_what_it_comes_of(reward, completion, answer, detail):
    assert score(reward, completion, answer).detail == detail


@pytest.mark.parametrize(
    ("answers", "completion", "outcome", "value"),
    [
        (["12", "13"], r"\boxed{13}", "ok", 1),
        ([12, 13.5], r"\boxed{13.5}", "ok", 1),
        ([["12"]], r"\boxed{12}", "error", None),
        (["12", None], r"\boxed{12}", "error", None),
        ([], r"\boxed{12}", "error", None),
        (["There is no solution.", "12"], r"\boxed{12}", "ok", 1),
        (["There is no solution.", "12"], r"\boxed{13}", "error", None),
        ("['12', '13']", r"\boxed{12}", "error", None),
    ],
)
def test_one_of_several_answers_is_enough_and_each_has_to_be_readable(reward, answers, completion, outcome, value):
    result = score(reward, completion, answers)
    assert (result.outcome, result.value) == (outcome, value)
    assert outcome == "ok" or reward.unjudgeable(["?"], [{"answer": answers}]) == [result.detail]


@pytest.fixture(scope="module")
def reward():
    return MathVerify(MathVerifyConfig(timeout_seconds=60))


def score(reward, completion, answer):
    [result] = reward.score(RewardBatch(prompts=["?"], completions=[completion], rows=[{"answer": answer}]))
    return result


@pytest.mark.parametrize("reference", ["(1,100, 200)", "[1,500, 2,500]"])
def test_a_reference_with_two_readings_is_refused(judge, reference):
    result = judge.score(rf"\boxed{{{reference}}}", reference)
    assert (result.outcome, "lists of different lengths" in result.detail) == ("error", True)


@pytest.mark.parametrize(
    ("reference", "prose"),
    [
        ("There is no solution.", True),
        ("no solution", True),
        ("yes and no", True),
        ("x and y", False),
        ("a b c", False),
        ("east", False),
        ("18 dollars", False),
        ("sin x + cos y", False),
        ("\\text{no solution}", False),
        ("", False),
    ],
)
def test_words_alone_are_no_mathematics(reference, prose):
    assert is_prose(reference) is prose
