"""What the libraries below are told through the process's environment, before any of them is imported."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from harness.preconditions import FALSE

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
TALKATIVE = ("transformers", "trl", "accelerate", "datasets", "lm_eval", "evaluate", "httpx", "filelock")


def prepare_process(*, debug: bool) -> None:
    """Turns telemetry off, makes HARNESS_OFFLINE hold for every library, and quietens them unless `debug`.

    What the person has set in the environment stays as it is, but for HARNESS_OFFLINE, which is a promise.
    """
    for name, value in PRIVATE.items():
        os.environ.setdefault(name, value)
    if os.environ.get("HARNESS_OFFLINE", "").lower() not in FALSE:
        os.environ.update(OFFLINE)
    if debug:
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
