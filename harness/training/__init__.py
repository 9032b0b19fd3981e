"""What algorithm plugins share: the config of a policy-gradient step, and its run through TRL.

Importing this package imports no torch and no TRL; `train_with_trl` does, when it is called.
"""

from harness.training.algorithm import TRLAlgorithm
from harness.training.config import OnPolicyConfig, PolicyGradientConfig
from harness.training.rewards import RewardRouter

__all__ = ["OnPolicyConfig", "PolicyGradientConfig", "RewardRouter", "TRLAlgorithm"]
