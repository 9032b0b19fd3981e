"""Modules whose source runs inside the sandbox. They import only the standard library and each other."""
