"""Writes the lm-eval task file of a reasoning-gym task, for the harness and for lm-eval's command line:

python -m harness_domains.reasoning_gym.task_file leg_counting FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

TASK = """\
task: {name}
class: !function harness_domains.reasoning_gym.lm_eval_task.GeneratedTask
custom_dataset: !function harness_domains.reasoning_gym.lm_eval_task.items
output_type: generate_until
test_split: test
doc_to_text: "{{{{prompt}}}}"
process_results: !function harness_domains.reasoning_gym.lm_eval_task.score
doc_to_target: "{{{{answer}}}}"
target_delimiter: ""
metric_list:
  - {{metric: score, aggregation: mean, higher_is_better: true}}
  - {{metric: solved, aggregation: mean, higher_is_better: true}}
  - {{metric: unjudged, aggregation: mean, higher_is_better: false}}
metadata:
  version: 1.0
  reasoning_gym: {{task: {task}}}
"""


def task_name(task: str) -> str:
    """Returns the name of the lm-eval task of a reasoning-gym task."""
    return f"reasoning_gym_{task}"


def write_task_file(task: str, folder: Path) -> Path:
    """Writes the task's YAML to an existing folder and returns its path."""
    path = folder / f"{task_name(task)}.yaml"
    path.write_text(TASK.format(name=task_name(task), task=task), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write_task_file(sys.argv[1], Path(sys.argv[2])))  # noqa: T201
