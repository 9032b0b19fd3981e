"""Runs untrusted code in isolation: jobs in, plain data out. docs/explanation/sandbox.md describes the tiers."""

from harness.domains.sandbox.jobs import Job, Limits, Outcome, OutcomeKind, SandboxConfig, Tier
from harness.domains.sandbox.line_worker import LineWorker
from harness.domains.sandbox.tiers import Sandbox, open_sandbox

__all__ = ["Job", "Limits", "LineWorker", "Outcome", "OutcomeKind", "Sandbox", "SandboxConfig", "Tier", "open_sandbox"]
