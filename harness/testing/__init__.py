"""Test helpers for plugin authors: contract checks for each kind, tiny models and data, and a pytest plugin.

`check_offer` checks a registered plugin of any kind; the other checks take the object itself.
`harness.testing.fixtures` is the pytest plugin. Importing this package does not import torch.
"""

from harness.testing.data_contracts import check_domain, check_model, check_protocol, check_reward, training_rows
from harness.testing.engine_contracts import check_engine
from harness.testing.observer_contract import check_observer
from harness.testing.offer_contracts import check_offer, check_spec
from harness.testing.rendering_contracts import check_metric, check_table_format, sample_leaderboard
from harness.testing.step_contracts import check_algorithm, check_merge, check_probe, check_recovery
from harness.testing.tiny_world import tiny_checkpoint, tiny_domains, tiny_lineage

__all__ = [
    "check_algorithm",
    "check_domain",
    "check_engine",
    "check_merge",
    "check_metric",
    "check_model",
    "check_observer",
    "check_offer",
    "check_probe",
    "check_protocol",
    "check_recovery",
    "check_reward",
    "check_spec",
    "check_table_format",
    "sample_leaderboard",
    "tiny_checkpoint",
    "tiny_domains",
    "tiny_lineage",
    "training_rows",
]
