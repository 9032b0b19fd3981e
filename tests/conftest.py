"""What holds for all tests."""

import os
import signal

from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Worker processes import torch once more, which takes longer than most runs of tests. Tests of workers ask for them.
os.environ.setdefault("HARNESS_JOBS", "1")

# A shell starts background jobs with SIGINT ignored, and child processes inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
