"""Arithmetic over the weights of checkpoints on disk, streamed in chunks: the memory it takes is the chunks'."""

from harness.weights.differences import EditSummary, edit_summary
from harness.weights.folder import WeightFolder
from harness.weights.linear import linear_combination
from harness.weights.merging import EditMerge, merge_edits, merge_linear
from harness.weights.patch import CheckpointCopy, patched_copy, write_patched
from harness.weights.same_model import check_same_tensors, check_same_tokenizer, check_stored_once
from harness.weights.scores import Formula, Scores
from harness.weights.selection import Selection, Taken, select_highest, select_share
from harness.weights.sparsity import LargestMagnitudes, RandomDrop, Sparsity
from harness.weights.stream import Chunk, Stream
from harness.weights.threads import over_chunks

__all__ = [
    "CheckpointCopy",
    "Chunk",
    "EditMerge",
    "EditSummary",
    "Formula",
    "LargestMagnitudes",
    "RandomDrop",
    "Scores",
    "Selection",
    "Sparsity",
    "Stream",
    "Taken",
    "WeightFolder",
    "check_same_tensors",
    "check_same_tokenizer",
    "check_stored_once",
    "edit_summary",
    "linear_combination",
    "merge_edits",
    "merge_linear",
    "over_chunks",
    "patched_copy",
    "select_highest",
    "select_share",
    "write_patched",
]
