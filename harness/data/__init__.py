"""Where a domain's rows come from: a pinned data set of the hub, or the user's own files of the same columns.

Importing this imports neither datasets nor torch; loading does.
"""

from harness.data.hub import HubSource, cached_commit, hub_fault
from harness.data.hub_model import fetch_model
from harness.data.messages import as_messages
from harness.data.source import DataSource
from harness.data.table import load_table, nested_subset

__all__ = [
    "DataSource",
    "HubSource",
    "as_messages",
    "cached_commit",
    "fetch_model",
    "hub_fault",
    "load_table",
    "nested_subset",
]
