"""Scoring of checkpoints through lm-eval."""
