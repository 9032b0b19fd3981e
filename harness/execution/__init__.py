"""Computes the nodes of a plan.

Names are loaded when they are first used: the package of the engines is below this one, and `plugins list` imports it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
