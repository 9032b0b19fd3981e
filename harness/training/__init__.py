"""Shared code of algorithm plugins: configs of policy-gradient steps, training through TRL, and policy gradients.

Names are loaded on first use, so importing this package imports neither torch nor TRL.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
