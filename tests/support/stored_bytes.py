"""The bytes that a run has stored."""

import hashlib
from pathlib import Path


def digests(runs: Path) -> dict[str, str]:
    """Returns the sha256 of all weights and score rows below a folder of runs."""
    files = [
        *runs.glob("store/*/model/*.safetensors"),
        *runs.glob("store/*/model/*.bin"),
        *runs.glob("store/*/rows.json"),
    ]
    return {str(path.relative_to(runs)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
