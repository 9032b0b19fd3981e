"""Warnings at the top of the page."""

from __future__ import annotations

from harness.report.record import RunRecord


def notices(record: RunRecord) -> list[str]:
    """Returns warnings for the top of the page: the run is incomplete, or files could not be read."""
    state = record.state
    found = []
    if state is not None and state.store_missing:
        found.append(
            "The store of this run was not found. The leaderboard is shown as it was written, without the reports of "
            "probes and steps."
        )
    elif state is not None and state.done < state.nodes:
        so_far = f"{state.done} of {state.nodes} results are available"
        if state.stopped or state.failed:
            why = f"stopped: {state.stopped}" if state.stopped else f"ended with {state.failed} failed"
            found.append(f"This run is not complete ({why}): {so_far}. Run it again to compute the missing results.")
        elif state.running:
            found.append(f"This run is still running or was killed: {so_far}.")
        else:
            found.append(f"This run is not complete: {so_far}. Run it again to compute the missing results.")
    if record.problems:
        found.append(f"Left out because it cannot be read: {'; '.join(record.problems)}.")
    return found
