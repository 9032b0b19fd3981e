"""Turns a protocol into a plan: nodes with content keys, their costs and their requirements."""
