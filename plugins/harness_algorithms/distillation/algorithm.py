"""The algorithm `distillation`: the student learns from earlier checkpoints of its method, on its own samples."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from harness import PluginError, StepResult, TrainingContext
from harness.training import TRLAlgorithm
from harness_algorithms.distillation.config import DistillationConfig


class Distillation(TRLAlgorithm):
    """Minimizes the reverse KL KL(π ‖ π_teacher) on completions that the student samples (arXiv 2306.13649, with the
    divergence and data of its on-policy case).

    The teacher of a prompt is that of its domain: by default the checkpoint after the domain's last training, as in
    the cross-stage distillation of GLM-5 (arXiv 2602.15763, section 3.5), and in a merge the expert that trained it,
    as in multi-teacher on-policy distillation (MOPD, arXiv 2606.30406).
    """

    config: DistillationConfig

    def __init__(self, config: DistillationConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        """Raises StepFailed if a domain has no teacher, CheckpointError if a teacher has another tokenizer."""
        from harness.training import train_with_trl
        from harness_algorithms.distillation.teachers import check_teachers, teachers_of
        from harness_algorithms.distillation.trainer import OnPolicyDistillationTrainer, Plan

        if not context.lineage:
            raise PluginError("distillation got no lineage to take its teachers from")
        teachers = teachers_of(context, self.config.teachers)
        folders = {name: teacher.folder for name, teacher in teachers.items()}
        check_teachers(context.checkpoint, teachers)
        shares = {name: self.config.budgets.get(name, teacher.weight) for name, teacher in teachers.items()}
        plan = Plan(config=self.config, folders=folders, shares=shares, base=context.lineage[0].folder)
        result = train_with_trl(context, self.config, trainer_class=partial(OnPolicyDistillationTrainer, plan=plan))
        taught = {name: teacher.named for name, teacher in teachers.items()}
        return replace(result, report={**result.report, "teachers": taught})
