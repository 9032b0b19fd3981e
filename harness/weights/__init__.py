"""Arithmetic over the weights of checkpoints on disk, one tensor at a time."""

from harness.weights.differences import EditSummary, check_same_tensors, edit_summary
from harness.weights.folder import WeightFolder
from harness.weights.patch import write_patched

__all__ = ["EditSummary", "WeightFolder", "check_same_tensors", "edit_summary", "write_patched"]
