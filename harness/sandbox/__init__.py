"""Untrusted code, run apart: jobs in, plain data out. docs/explanation/sandbox.md says what each tier contains."""

from harness.sandbox.jobs import Job, Limits, Outcome, OutcomeKind, SandboxConfig, Tier
from harness.sandbox.line_worker import LineWorker
from harness.sandbox.tiers import Sandbox, open_sandbox

__all__ = ["Job", "Limits", "LineWorker", "Outcome", "OutcomeKind", "Sandbox", "SandboxConfig", "Tier", "open_sandbox"]
