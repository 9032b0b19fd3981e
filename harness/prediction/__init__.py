"""What training one domain will do to another, told from gradients and curvature before any of it is done."""

from harness.prediction.matrix import PairPrediction, Prediction, TrainingPace
from harness.prediction.order import advised_order

__all__ = ["PairPrediction", "Prediction", "TrainingPace", "advised_order"]
