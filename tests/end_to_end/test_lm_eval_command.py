"""The `lm-eval` command prints the same scores as the harness."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from transformers import AutoTokenizer

from harness import Expert, MergeContext, NoConfig, TrainingDomain
from harness.evaluation.command import lm_eval_commands
from harness.evaluation.lm_eval import evaluate_checkpoint
from harness.plugin.interfaces import TaskSet
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.testing.tiny_world import nudged_checkpoint
from harness_lab.domains import CWDomain, LabDomainConfig, MathDomain
from harness_lab.model import FOLDER
from harness_lab.rewards import MathReward, RubricReward
from harness_merges.config import MixtureConfig
from harness_merges.mixture import Mixture


def mixture_in(folder: Path) -> Path:
    """Returns a mixture of two experts of the lab's base model, one for math and one for creative writing."""
    domains = {"math": (MathDomain, MathReward), "cw": (CWDomain, RubricReward)}
    output = folder / "moe"
    output.mkdir()
    context = MergeContext(
        base=FOLDER,
        experts=[
            Expert(name=name, weight=1.0, domains=(name,), folder=nudged_checkpoint(FOLDER, folder / name, seed=seed))
            for seed, name in enumerate(domains)
        ],
        output=output,
        scratch=folder,
        seed=0,
        progress=lambda done, total, metrics: None,
        domains={
            name: TrainingDomain(name=name, domain=domain(LabDomainConfig()), reward=reward(NoConfig()))
            for name, (domain, reward) in domains.items()
        },
    )
    Mixture(MixtureConfig(prompts=8)).merge(context)
    return output


def test_the_command_prints_the_same_score_of_a_mixture(tmp_path):
    model = mixture_in(tmp_path)
    domain, settings = CWDomain(LabDomainConfig()), EvaluationSettings(limit=24, batch_size=12, seed=3)
    evaluate_checkpoint(model, TaskSet.of(domain), settings, tmp_path)
    (row,) = json.loads((tmp_path / "rows.json").read_text())
    command = [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={model}"]
    command += ["--tasks", "lab_cw", "--include_path", str(domain.task_folder()), "--seed", "3"]
    command += ["--batch_size", "12", "--limit", "24", "--output_path", str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)
    (results,) = (tmp_path / "out").rglob("results_*.json")
    assert json.loads(results.read_text())["results"]["lab_cw"]["rubric,none"] == row["value"]


def test_the_command_prints_the_same_sampled_score(tmp_path):
    domain, settings = CWDomain(LabDomainConfig()), EvaluationSettings(limit=40, batch_size=16, seed=11)
    tasks = TaskSet(tasks=domain.evaluation_tasks(), folder=domain.task_folder())
    evaluate_checkpoint(FOLDER, tasks, settings, tmp_path)
    (row,) = json.loads((tmp_path / "rows.json").read_text())
    command = [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={FOLDER}"]
    command += ["--tasks", "lab_cw", "--include_path", str(domain.task_folder()), "--seed", "11"]
    command += ["--batch_size", "16", "--limit", "40", "--output_path", str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)
    (results,) = (tmp_path / "out").rglob("results_*.json")
    printed = json.loads(results.read_text())["results"]["lab_cw"]
    assert printed["rubric,none"] == row["value"]
    assert printed["rubric_stderr,none"] == row["stderr"]
    assert 0 < row["value"] < 1


def test_the_command_prints_the_same_score_through_the_chat_template(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(FOLDER, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(folder)
    domain, settings = MathDomain(LabDomainConfig()), EvaluationSettings(limit=40, batch_size=16, chat_template=True)
    evaluate_checkpoint(folder, TaskSet.of(domain), settings, tmp_path)
    (row,) = json.loads((tmp_path / "rows.json").read_text())
    command = [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={folder}"]
    command += ["--tasks", "lab_math", "--include_path", str(domain.task_folder()), "--apply_chat_template"]
    command += ["--seed", "0", "--batch_size", "16", "--limit", "40", "--output_path", str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)
    (results,) = (tmp_path / "out").rglob("results_*.json")
    assert json.loads(results.read_text())["results"]["lab_math"][f"{row['metric']},none"] == row["value"] > 0


def test_the_shown_command_prints_the_score_of_each_task(tmp_path):
    settings = EvaluationSettings(limit=12, batch_size=6, seed=5)
    domain = MathDomain(LabDomainConfig())
    evaluate_checkpoint(FOLDER, TaskSet.of(domain), settings, tmp_path)
    rows = {row["task"]: row for row in json.loads((tmp_path / "rows.json").read_text()) if row["primary"]}
    (command,) = lm_eval_commands(domain, settings, model=str(FOLDER))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = f"{command} --output_path {tmp_path / 'out'}"
    subprocess.run(words, shell=True, check=True, capture_output=True, env=os.environ | {"PATH": path})
    (results,) = (tmp_path / "out").rglob("results_*.json")
    printed = json.loads(results.read_text())["results"]["lab_math"]
    assert printed[f"{rows['lab_math']['metric']},none"] == rows["lab_math"]["value"]
