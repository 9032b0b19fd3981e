"""Evaluates checkpoints with lm-eval."""
