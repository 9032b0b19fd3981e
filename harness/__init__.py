"""A plugin-based benchmark harness for multi-domain RL post-training of language models.

All that a plugin author needs is here: `hookimpl`, the specs that hooks yield, the interfaces they load into, and the
errors to raise. Importing it imports no torch.
"""

from harness.engine_interface import Engine, NodeRequest
from harness.errors import CheckpointError, HarnessError, PluginError, Problem, StepFailed, UsageError
from harness.events import CheckpointScored, RunFinished, RunStarted, StepFinished, StepStarted
from harness.hookspecs import hookimpl
from harness.interfaces import (
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
from harness.merge_interface import Expert, Merge, MergeContext
from harness.plugin_config import Config, NoConfig, Unkeyed, missing_package
from harness.plugin_functions import probe, reward, table_format
from harness.protocol_path import FolderOrName, looks_local
from harness.reward_scoring import Scoring, score_rewards, score_together
from harness.reward_use import RewardUse
from harness.specs import (
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
from harness.start_check import StartContext
from harness.workload import Workload

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
