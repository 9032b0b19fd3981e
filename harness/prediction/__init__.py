"""Predicts the effect of training one domain on another, before training, from gradients and curvature."""

from harness.prediction.matrix import PairPrediction, Prediction, TrainingPace
from harness.prediction.order import advised_order

__all__ = ["PairPrediction", "Prediction", "TrainingPace", "advised_order"]
