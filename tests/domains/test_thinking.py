"""Thinking never counts as an answer, in any reward or task, even if the prompt opens the tag."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_server import Say, judge_server
from lm_eval import evaluate
from lm_eval.api.model import LM

import harness_lab
from harness import RewardBatch, TrainingDomain
from harness.domains.completions import THINK_END, THINK_START, answer_after_thinking, opens_thinking, whole_completion
from harness.domains.judge import JudgeConfig, JudgeReward
from harness.domains.sandbox import SandboxConfig
from harness.evaluation.lm_eval import load_tasks
from harness.plugin.interfaces import TaskSet
from harness.training import RewardRouter
from harness.training.endings import Endings
from harness_domains.code.config import CodeConfig, CodeRewardConfig
from harness_domains.code.domain import CodeDomain
from harness_domains.code.problem import Problem
from harness_domains.code.reward import CodeTestsReward
from harness_domains.jsonl.config import JsonlConfig
from harness_domains.jsonl.domain import JsonlDomain
from harness_domains.jsonl.rewards import RuleReward
from harness_domains.jsonl.rules import ChoiceLetter, Contains, ExactMatch, Pattern
from harness_domains.math.config import MathConfig
from harness_domains.math.domain import MathDomain
from harness_domains.math.reward import MathVerify, MathVerifyConfig
from harness_domains.qa.config import SuperGPQAConfig
from harness_domains.qa.domain import SuperGPQADomain
from harness_domains.qa.rewards import LetterReward, ShortAnswerReward
from harness_rewards.reward_model import RewardModel, RewardModelConfig

FIXTURES = Path(__file__).parents[1] / "fixtures"
BARE = SandboxConfig(tier="subprocess", allow_unsafe=True)


@pytest.mark.parametrize(
    ("completion", "thinks", "answer"),
    [
        ("all of it", False, "all of it"),
        ("all of it", True, None),
        ("<think>a</think>\nb", False, "\nb"),
        ("a</think>b", True, "b"),
        ("<think>a</think>b<think>c</think>d", True, "d"),
        ("<think>cut of", False, None),
        ("a</think>b<think>cut of", True, None),
        ("", False, ""),
    ],
)
def test_the_answer_is_what_follows_the_last_thought(completion, thinks, answer):
    assert answer_after_thinking(completion, thinks=thinks) == answer


@given(st.lists(st.sampled_from([THINK_START, THINK_END, "a", "\n", "<", "think>"])).map("".join))
def test_an_answer_ends_the_completion_and_has_no_mark(completion):
    answer = answer_after_thinking(completion)
    assert answer is None or (completion.endswith(answer) and THINK_START not in answer and THINK_END not in answer)
    # A prompt that opens the thought makes of the same text an answer only where the thought ends.
    whole = whole_completion(f"user: ?\n{THINK_START}\n", completion)
    assert answer_after_thinking(whole) == (answer if THINK_END in completion else None)


@pytest.mark.parametrize(
    ("prompt", "opens"),
    [
        ("<think>\n", True),
        ("a<think>", True),
        ("<think>\n\n</think>\n\n", False),
        ("<think> about", False),
        ("", False),
    ],
)
def test_a_prompt_opens_a_thought_where_it_ends_in_one(prompt, opens):
    assert opens_thinking(prompt) == opens


RULES = {
    "code": (CodeTestsReward(CodeRewardConfig(sandbox=BARE)), "```python\nf = abs\n```"),
    "math": (MathVerify(MathVerifyConfig(timeout_seconds=60)), r"\boxed{5}"),
    "qa letter": (LetterReward(None), "Answer: B"),
    "qa words": (ShortAnswerReward(None), "Answer: five"),
    "exact": (RuleReward(ExactMatch()), "5"),
    "contains": (RuleReward(Contains()), "It is 5."),
    "pattern": (RuleReward(Pattern(pattern=r"= (\d)")), "= 5"),
    "choice": (RuleReward(ChoiceLetter(answer_column="letter")), "Answer: B"),
}
ROW = {
    "tests": Problem(source="assert f(-5) == 5").to_json(),
    "answer": "5",
    "options": ["four", "five"],
    "letter": "B",
}


def rewarded(reward, completions):
    batch = RewardBatch(prompts=["?"] * len(completions), completions=completions, rows=[ROW] * len(completions))
    return [(result.outcome, result.value) for result in reward.score(batch)]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_takes_the_thinking_off_and_gives_a_truncated_thought_nothing(name):
    reward, right = RULES[name]
    completions = [right, f"<think>\nno\n</think>\n{right}", f"no</think>{right}"]
    assert rewarded(reward, completions) == [("ok", 1.0)] * 3
    truncated = [f"<think>\n{right}", f"<think>{right}</think>", f"<think>{right}</think>\n\n<think>{right}"]
    assert rewarded(reward, truncated) == [("ok", 0.0)] * 3


def test_a_judge_sees_answers_only():
    with judge_server(lambda asked, tries: Say("Score: 1" if "ANSWER" in asked else "Score: 0")) as server:
        config = JudgeConfig(model="judge", endpoint=server.endpoint, cache=None, rubric="{prompt}/{completion}")
        completions = ["ANSWER", "ANSWER</think>no", "<think>ANSWER", "<think>no</think>ANSWER"]
        assert [value for _, value in rewarded(JudgeReward(config), completions)] == [1.0, 0.0, 0.0, 1.0]
        asked = {body["messages"][0]["content"] for body in server.bodies}
    assert asked == {"?/ANSWER", "?/no", "?/"}


def test_a_reward_model_sees_answers_only():
    model = RewardModelConfig(model=str(Path(harness_lab.__file__).parent / "models" / "cw-reward"), device="cpu")
    completions = ["cat", "<think>dog</think>cat", "dog</think>\ncat", "<think>dog", ""]
    outcomes, values = zip(*rewarded(RewardModel(model), completions), strict=True)
    first, *_, fourth, fifth = values
    assert outcomes == ("ok",) * 5
    # The rows of one batch may differ in their last digits: kernels depend on where a row lies in memory.
    assert values[:3] == pytest.approx([first] * 3, rel=1e-5)
    assert fourth == pytest.approx(fifth, rel=1e-5)
    assert fourth != pytest.approx(first, rel=1e-2)


@pytest.mark.parametrize("prompt", ["?<think>\n", [{"role": "user", "content": "?"}]], ids=["text", "chat"])
def test_training_gives_no_reward_to_a_thought_that_the_prompt_opened_and_nothing_ended(prompt):
    reward, right = RULES["math"]
    router = RewardRouter([TrainingDomain(name="math", domain=None, reward=reward)], 0.05)
    router.read_with(Endings(None, [], ()), chat_opens_thinking=True)
    texts = [f"hm {right}", f"hm</think>{right}"]
    completions = texts if isinstance(prompt, str) else [[{"role": "assistant", "content": t}] for t in texts]
    columns = {"domain": ["math"] * 2, "answer": ["5"] * 2}
    assert router(prompts=[prompt] * 2, completions=completions, **columns) == [0.0, 1.0]


class OpensThoughts(LM):
    """A model whose chat template opens the thought; it knows the answers, and may think too long."""

    tokenizer_name = "opens thoughts"

    def __init__(self, right, ended):
        super().__init__()
        self.right, self.ended, self.settings = right, ended, []

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        return (
            "".join(f"{message['role']}: {message['content']}\n" for message in chat_history) + "assistant: <think>\n"
        )

    def generate_until(self, requests, disable_tqdm=False):
        self.settings += [request.args[1] for request in requests]
        return [self.right(request.doc) + (THINK_END + self.right(request.doc)) * self.ended for request in requests]

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


DOMAINS = {
    "code": (
        CodeDomain(
            CodeConfig(
                tasks=["humaneval"], humaneval={"data_files": FIXTURES / "code" / "humaneval_test.jsonl"},
                sandbox=BARE, stop=["\nQ:"],
            )
        ),
        lambda item: f"```python\n{item['signature']}{item['reference']}\n```",
    ),
    "math": (
        MathDomain(
            MathConfig(
                tasks=["aime25"], stop=["\nQ:"],
                test_sets={"aime25": {"data_files": FIXTURES / "math" / "aime25_test.jsonl"}},
            )
        ),
        lambda item: rf"\boxed{{{item['answer']}}}",
    ),
    "qa": (
        SuperGPQADomain(SuperGPQAConfig(data_files=FIXTURES / "qa" / "super_gpqa.jsonl", stop=["\nQ:"])),
        lambda item: f"Answer: {item['letter']}",
    ),
    "jsonl": (
        JsonlDomain(JsonlConfig(data_files=FIXTURES / "jsonl" / "sums.jsonl", stop=["\nQ:"])),
        lambda item: str(item["answer"]),
    ),
}  # fmt: skip


def scored(name, ended):
    domain, right = DOMAINS[name]
    tasks, model = TaskSet.of(domain), OpensThoughts(right, ended)
    assert tasks.reads_thinking
    results = evaluate(lm=model, task_dict=load_tasks(tasks, 0), apply_chat_template=True, bootstrap_iters=0)
    [task] = tasks.tasks
    return results["results"][task.task][f"{task.metric},{task.filter}"], model


@pytest.mark.parametrize("name", DOMAINS)
def test_a_task_scores_an_answer_and_no_thought_that_its_prompt_opened_and_nothing_ended(name):
    assert scored(name, ended=True)[0] == 1.0
    assert scored(name, ended=False)[0] == 0.0


@pytest.mark.parametrize("name", DOMAINS)
def test_a_scored_answer_ends_at_the_domains_stop_texts(name):
    _, model = scored(name, ended=True)
    assert all(settings["until"] == ["\nQ:"] for settings in model.settings)


def test_stock_tasks_of_lm_eval_are_told_where_the_thinking_ends():
    domain = MathDomain(MathConfig(stock_tasks=[{"task": "gsm8k", "metric": "exact_match"}]))
    assert not TaskSet.of(domain).reads_thinking
