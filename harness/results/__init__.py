"""Scores, metrics, intervals, leaderboards and probe tables as data. Nothing here computes with a model."""
