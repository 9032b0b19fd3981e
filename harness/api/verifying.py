"""Checks kept records: keys, scores, means, intervals and ranks, without training or loading a model."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.protocols import installed_plugins
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.plugin.registry import Registry
    from harness.verification.findings import RecordCheck


def verify_record(folder: str | Path, *, allow: Collection[str] = (), registry: Registry | None = None) -> RecordCheck:
    """Checks a kept record from the samples up and returns what agrees, what could not be checked, and the faults.

    The stored answers are scored again with lm-eval's own metrics by the installed plugins; means, intervals, metrics
    and ranks are recomputed from the scores, keys from the definitions. No model is loaded and nothing is imported from
    the record, which may come from anyone.

    folder: has a leaderboard.json, such as `leaderboards/lab`. allow: needs of domains to permit: `executes-code` runs
    code from the answers in the domain's sandbox, `network` sends answers to the domain's judge. registry: the plugins
    to use; default: all installed ones. Raises UsageError if the folder has no readable record, or for an unknown need.
    """
    from harness.plugin.specs import NEEDS
    from harness.verification.check import check_record

    if unknown := set(allow) - NEEDS:
        raise UsageError(
            f"there is no need {', '.join(sorted(unknown))}", where="allow", hint=f"one of {', '.join(sorted(NEEDS))}"
        )
    return check_record(Path(folder), installed_plugins(registry), allow)
