"""Passes the curves of a run to observers: from the run folder and the store, in a process of its own.

Observers read what `harness status` reads, so they need no events: they can be switched on at any time, also after the
run, and catch up on what they missed. A journal per observer holds what it has received.
"""
