"""Scores, metrics, intervals, leaderboards and probe tables as data. Nothing here computes with a model."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
