"""Toolkits for domains and rewards: data, judges, sandboxes, completions, reward scoring, contamination."""
