"""The folder where Hugging Face's libraries keep what they fetch and prepare, where the usual one cannot be written."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path


def ensure_caches() -> None:
    """Names a temporary folder in the environment where the cache cannot be written to, and says so on standard error.

    A cache that can be read stays in use for models; data sets are prepared in the temporary folder. Call it before
    these libraries are imported.
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
        f"warning: the cache {home} cannot be written; a temporary one is used for this command\n"
        "  → set HF_HOME to a folder that can be written\n"
    )


def _cache_home() -> Path:
    named = os.environ.get("HF_HOME")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface"
