"""Configures the libraries through environment variables, before any of them is imported."""

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
# By default a waiting OpenMP thread spins for milliseconds (libgomp in PyTorch's wheels, libiomp in others). On a busy
# machine it takes the processor from the thread that it waits for. With PASSIVE it sleeps.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
WAITING_SET_BY_USER = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
TALKATIVE = ("transformers", "trl", "accelerate", "datasets", "lm_eval", "evaluate", "httpx", "filelock")


def prepare_libraries() -> None:
    """Disables telemetry, applies HARNESS_OFFLINE to all libraries, and makes idle OpenMP threads sleep.

    Variables set by the user are not changed, except that HARNESS_OFFLINE overrides them. Call it before the libraries
    are imported.
    """
    for name, value in PRIVATE.items():
        os.environ.setdefault(name, value)
    if is_on(NO_NETWORK, os.environ):
        os.environ.update(OFFLINE)
    if not any(name in os.environ for name in WAITING_SET_BY_USER):
        os.environ.update(WAITING)
    ensure_caches()


def prepare_process(*, debug: bool) -> None:
    """Calls `prepare_libraries` and, unless `debug`, silences the libraries."""
    prepare_libraries()
    if debug:
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
