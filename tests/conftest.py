"""What holds for all tests."""

import os

from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Worker processes import torch once more, which takes longer than most runs of tests. Tests of workers ask for them.
os.environ.setdefault("HARNESS_JOBS", "1")
