"""A plugin-based benchmark harness for multi-domain RL post-training of language models.

All that a plugin author needs is here: `hookimpl`, the specs that hooks yield, the interfaces they load into, and the
errors to raise. Importing it imports no torch.
"""

from harness.domains.scoring import Scoring, score_rewards, score_together
from harness.errors import CheckpointError, HarnessError, PluginError, Problem, StepFailed, UsageError
from harness.plugin.config import Config, NoConfig, Unkeyed, missing_package
from harness.plugin.engine_interface import Engine, NodeRequest
from harness.plugin.events import CheckpointScored, RunFinished, RunStarted, StepFinished, StepStarted
from harness.plugin.functions import probe, reward, table_format
from harness.plugin.hookspecs import hookimpl
from harness.plugin.interfaces import (
    Algorithm,
    BaseModel,
    Cost,
    Domain,
    EvaluationTask,
    LineageEntry,
    Probe,
    ProbeContext,
    Progress,
    Recovery,
    RecoveryContext,
    Reward,
    RewardBatch,
    RewardResult,
    StepResult,
    TableFormat,
    TrainingContext,
    TrainingDomain,
)
from harness.plugin.merge_interface import Expert, Merge, MergeContext
from harness.plugin.nested_reward import RewardUse
from harness.plugin.paths import FolderOrName, looks_local
from harness.plugin.specs import (
    AlgorithmSpec,
    DomainSpec,
    EngineSpec,
    MergeSpec,
    ModelSpec,
    ProbeSpec,
    ProtocolSpec,
    RecoverySpec,
    RewardSpec,
    TableFormatSpec,
)
from harness.plugin.start_check import StartContext
from harness.plugin.workload import Workload

__version__ = "0.1.0"

__all__ = [
    "Algorithm",
    "AlgorithmSpec",
    "BaseModel",
    "CheckpointError",
    "CheckpointScored",
    "Config",
    "Cost",
    "Domain",
    "DomainSpec",
    "Engine",
    "EngineSpec",
    "EvaluationTask",
    "Expert",
    "FolderOrName",
    "HarnessError",
    "LineageEntry",
    "Merge",
    "MergeContext",
    "MergeSpec",
    "ModelSpec",
    "NoConfig",
    "NodeRequest",
    "PluginError",
    "Probe",
    "ProbeContext",
    "ProbeSpec",
    "Problem",
    "Progress",
    "ProtocolSpec",
    "Recovery",
    "RecoveryContext",
    "RecoverySpec",
    "Reward",
    "RewardBatch",
    "RewardResult",
    "RewardSpec",
    "RewardUse",
    "RunFinished",
    "RunStarted",
    "Scoring",
    "StartContext",
    "StepFailed",
    "StepFinished",
    "StepResult",
    "StepStarted",
    "TableFormat",
    "TableFormatSpec",
    "TrainingContext",
    "TrainingDomain",
    "Unkeyed",
    "UsageError",
    "Workload",
    "hookimpl",
    "looks_local",
    "missing_package",
    "probe",
    "reward",
    "score_rewards",
    "score_together",
    "table_format",
]
