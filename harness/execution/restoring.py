"""Model folders of checkpoints that the store keeps in another form, restored when they are first needed.

They lie outside the results, under `.restored/<key>` of the store, and may be deleted at any time.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checkpoint import check_checkpoint
from harness.checkpoint_forms import CheckpointForm
from harness.errors import CheckpointError

if TYPE_CHECKING:
    from harness.store import Store

PLACE = ".restored"


def restored_folder(store: Store, key: str, form: CheckpointForm, stored: Path, parent: Callable[[], Path]) -> Path:
    """Returns the folder of the whole model that `stored`, kept in `form`, makes of `parent`; made unless it is there.

    Another process that wants the same is waited for. Raises CheckpointError where it cannot be made.
    """
    folder = store.root / PLACE / key
    if _is_whole(folder):
        return folder
    below = parent()
    with store.lock(key):
        if _is_whole(folder):
            return folder
        for left in [folder, *folder.parent.glob(f"{key}.tmp-*")]:  # torn, or a killed process's; the lock is held
            shutil.rmtree(left, ignore_errors=True)
        temporary = folder.with_name(f"{key}.tmp-{uuid.uuid4().hex}")
        temporary.mkdir(parents=True)
        try:
            form.restore(below, stored, temporary)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _is_whole(folder: Path) -> bool:
    try:
        check_checkpoint(folder)
    except CheckpointError:
        return False
    return True
