"""The config of the recovery `distill`; what it trains with are settings of the algorithm `distillation`."""

from __future__ import annotations

from harness import Config


class DistillConfig(Config):
    """No keys of its own."""

    def fault_with_training(self, training: Config) -> tuple[str, str, str] | None:
        if not training.reads_lineage() or "teachers" not in type(training).model_fields:
            hint = "leave algorithm out, or use the recovery refresh"
            return "algorithm", "distill trains with an algorithm that has teachers, such as distillation", hint
        return None
