"""Modules whose text runs inside the sandbox: the standard library only, and each other."""
