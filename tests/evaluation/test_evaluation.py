"""Scoring with lm-eval: the resulting rows, and that the state of the process is restored."""

import json
import random
import shutil

import numpy
import pytest
import torch
from transformers import AutoTokenizer

from harness import CheckpointError, EvaluationTask, StepFailed
from harness.evaluation.lm_eval import evaluate_checkpoint, measurements
from harness.plugin.interfaces import TaskSet
from harness.protocol.evaluation_settings import EvaluationSettings
from harness_lab.domains import CodeDomain, LabDomainConfig, MathDomain
from harness_lab.model import FOLDER

DOMAIN = MathDomain(LabDomainConfig())
CODE = CodeDomain(LabDomainConfig())
SETTINGS = EvaluationSettings(limit=24, batch_size=12, seed=3)


def task_set(tasks=None):
    return TaskSet(tasks=tasks or DOMAIN.evaluation_tasks(), folder=DOMAIN.task_folder())


def score(output, settings=SETTINGS, tasks=None):
    output.mkdir()
    evaluate_checkpoint(
        FOLDER, TaskSet(tasks=tasks or DOMAIN.evaluation_tasks(), folder=DOMAIN.task_folder()), settings, output
    )
    return json.loads((output / "rows.json").read_text())


def test_the_row_is_lm_evals_own_number_with_its_size_and_error(tmp_path):
    (row,) = score(tmp_path / "a")
    raw = json.loads((tmp_path / "a" / "lm_eval.json").read_text())
    assert row["value"] == raw["results"]["lab_math"]["exact_answer,none"]
    assert row["stderr"] == raw["results"]["lab_math"]["exact_answer_stderr,none"]
    assert (row["n"], row["primary"], row["percent"], row["higher_is_better"]) == (24, True, True, True)
    samples = [json.loads(line) for line in (tmp_path / "a" / "samples_lab_math.jsonl").read_text().splitlines()]
    assert sum(s["exact_answer"] for s in samples) / 24 == pytest.approx(row["value"])


def test_a_task_scores_the_same_beside_others_as_alone(tmp_path):
    names = [*DOMAIN.evaluation_tasks(), *CODE.evaluation_tasks()]
    for one in (names, names[::-1]):
        together = {row["task"]: row for row in score(tmp_path / one[0].task, tasks=one) if row["primary"]}
        assert list(together) == [task.task for task in one]
        for task in one:
            (alone,) = [row for row in score(tmp_path / f"{one[0].task}-{task.task}", tasks=[task]) if row["primary"]]
            assert alone == together[task.task]
    results = json.loads((tmp_path / names[0].task / "lm_eval.json").read_text())
    assert set(results["results"]) == set(results["task_hashes"]) == {task.task for task in names}


def test_the_seed_fixes_the_sampled_answers(tmp_path):
    def answers(name, seed):
        score(tmp_path / name, EvaluationSettings(limit=24, batch_size=12, seed=seed))
        return [json.loads(line)["resps"] for line in (tmp_path / name / "samples_lab_math.jsonl").open()]

    assert answers("a", 3) == answers("b", 3) != answers("c", 4)


def test_the_task_hash_tells_other_items_apart(tmp_path):
    def task_hash(name, **settings):
        (row,) = score(tmp_path / name, EvaluationSettings(**{"limit": 8, "batch_size": 8, "seed": 3} | settings))
        return row["task_hash"]

    assert len(task_hash("a")) == 64
    assert task_hash("a2", seed=4, batch_size=4) == task_hash("a3")
    assert task_hash("b", limit=9) != task_hash("c")


def test_no_global_generator_notices(tmp_path):
    def draws():
        return random.random(), numpy.random.rand(), torch.rand(1).item()

    for module, seed in ((random, 1), (numpy.random, 1), (torch, 1)):
        (module.manual_seed if module is torch else module.seed)(seed)
    expected = draws()
    for module, seed in ((random, 1), (numpy.random, 1), (torch, 1)):
        (module.manual_seed if module is torch else module.seed)(seed)
    score(tmp_path / "a")
    assert draws() == expected


def test_an_unknown_task_and_a_metric_that_is_not_there_are_said(tmp_path):
    with pytest.raises(StepFailed, match="not know the task lab_maths"):
        score(tmp_path / "a", tasks=[EvaluationTask(task="lab_maths", metric="acc")])
    results = {
        "results": {"t": {"alias": "t", "acc,none": 0.5, "acc_stderr,none": "N/A"}},
        "n-samples": {"t": {"effective": 2}},
    }
    with pytest.raises(StepFailed, match=r"no metric f1,none.*\n.*acc,none"):
        measurements(EvaluationTask(task="t", metric="f1"), results)
    (row,) = measurements(EvaluationTask(task="t", metric="acc", higher_is_better=False), results)
    assert row["stderr"] is None and row["higher_is_better"] is False


def test_a_folder_without_a_model_is_said(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere"):
        evaluate_checkpoint(
            tmp_path / "nowhere",
            TaskSet(tasks=DOMAIN.evaluation_tasks(), folder=DOMAIN.task_folder()),
            SETTINGS,
            tmp_path,
        )


def with_chat_template(folder, template):
    shutil.copytree(FOLDER, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return folder


def answers(folder, output, system_prompt=None, reads_thinking=False, **settings):
    output.mkdir()
    tasks = TaskSet(
        tasks=CODE.evaluation_tasks(),
        folder=CODE.task_folder(),
        system_prompt=system_prompt,
        reads_thinking=reads_thinking,
    )
    settings = EvaluationSettings(limit=24, batch_size=12, seed=3, **settings)
    evaluate_checkpoint(folder, tasks, settings, output)
    samples = [json.loads(line) for line in (output / "samples_lab_code.jsonl").open()]
    return [sample["filtered_resps"][0] for sample in samples], [s["arguments"][0][0] for s in samples]


def test_a_chat_template_holds_the_system_prompt_and_the_item(tmp_path):
    folder = with_chat_template(tmp_path / "m", "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}")
    _, prompts = answers(folder, tmp_path / "out", system_prompt="Be short.", chat_template=True)
    assert all(prompt.startswith("[system]Be short.[user]Q: f(") for prompt in prompts)


def test_a_model_without_a_chat_template_is_told_so(tmp_path):
    with pytest.raises(StepFailed, match="no chat template"):
        answers(FOLDER, tmp_path / "out", chat_template=True)


def test_only_what_follows_the_end_of_thinking_is_scored(tmp_path):
    whole, _ = answers(FOLDER, tmp_path / "a")
    after, _ = answers(FOLDER, tmp_path / "b", think_end="*")
    assert any("*" in answer for answer in whole)
    assert after == [answer.split("*")[-1] for answer in whole]


def test_tasks_that_read_thinking_themselves_are_handed_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.evaluation.command.THINK_END", "*")
    whole, _ = answers(FOLDER, tmp_path / "a")
    left, _ = answers(FOLDER, tmp_path / "b", think_end="*", reads_thinking=True)
    other, _ = answers(FOLDER, tmp_path / "c", think_end="-", reads_thinking=True)
    assert left == whole
    assert other == [answer.split("-")[-1] for answer in whole] != whole
