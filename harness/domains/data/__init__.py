"""Loads a domain's rows: from a data set of the hub at one commit, or from local files with the same columns.

Importing this package imports neither datasets nor torch; loading rows does.
"""

from harness._util.json_reading import parse_json
from harness.domains.data.hub import cached_commit, hub_fault
from harness.domains.data.hub_files import fetch_file, fetch_model
from harness.domains.data.messages import as_messages, is_a_request
from harness.domains.data.source import DataSource, missing_files
from harness.domains.data.table import SOURCE_ROW, SOURCE_TEXT, load_table, nested_subset
from harness.domains.data.text_values import as_text
from harness.plugin.hub_source import HubSource

__all__ = [
    "SOURCE_ROW",
    "SOURCE_TEXT",
    "DataSource",
    "HubSource",
    "as_messages",
    "as_text",
    "cached_commit",
    "fetch_file",
    "fetch_model",
    "hub_fault",
    "is_a_request",
    "load_table",
    "missing_files",
    "nested_subset",
    "parse_json",
]
