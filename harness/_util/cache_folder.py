"""A temporary cache folder for the Hugging Face libraries, if the usual one is not writable."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path


def ensure_caches() -> None:
    """If the cache is not writable, sets a temporary folder in the environment and prints a warning.

    A readable cache is still used for models; data sets are prepared in the temporary folder. Call it before the
    libraries are imported.
    """
    home = _cache_home()
    try:
        exists = home.is_dir()
        if not exists:
            home.mkdir(parents=True)
        if os.access(home, os.W_OK):
            return
    except OSError:
        exists = False
    temporary = tempfile.mkdtemp(prefix="harness-cache-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    if exists:
        os.environ.setdefault("HF_DATASETS_CACHE", temporary)
    else:
        os.environ["HF_HOME"] = temporary
    sys.stderr.write(
        f"warning: the cache {home} is not writable; a temporary one is used for this command\n"
        "  → set HF_HOME to a writable folder\n"
    )


def _cache_home() -> Path:
    named = os.environ.get("HF_HOME")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface"
