from .checkpoints import CheckpointFolders as CheckpointFolders
from .computation import Evaluator as Evaluator
from .executor import Executor as Executor
