"""What the libraries below are told through the process's environment, before any of them is imported."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from harness._util.cache_folder import ensure_caches
from harness._util.flags import OFFLINE as NO_NETWORK
from harness._util.flags import is_on

PRIVATE = {"HF_HUB_DISABLE_TELEMETRY": "1"}
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "critical",
    "HF_HUB_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "LMEVAL_LOG_LEVEL": "ERROR",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
# An OpenMP thread that waits for the others spins for milliseconds by default (libgomp of PyTorch's wheels, libiomp of
# others), which on a busy machine takes the processor from the thread it waits for. Passive, it sleeps.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
WAITING_SET_BY_USER = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
TALKATIVE = ("transformers", "trl", "accelerate", "datasets", "lm_eval", "evaluate", "httpx", "filelock")


def prepare_libraries() -> None:
    """Turns telemetry off, applies HARNESS_OFFLINE to every library, and lets idle OpenMP threads sleep.

    Variables that the user has set stay as they are, but for HARNESS_OFFLINE, which is a promise. To be called before
    the libraries are imported.
    """
    for name, value in PRIVATE.items():
        os.environ.setdefault(name, value)
    if is_on(NO_NETWORK, os.environ):
        os.environ.update(OFFLINE)
    if not any(name in os.environ for name in WAITING_SET_BY_USER):
        os.environ.update(WAITING)
    ensure_caches()


def prepare_process(*, debug: bool) -> None:
    """Does what `prepare_libraries` does, and silences the libraries' messages unless `debug`."""
    prepare_libraries()
    if debug:
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
