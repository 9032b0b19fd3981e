"""What algorithm plugins share: the configs of policy-gradient steps, their run through TRL, and gradients of a policy.

Names are loaded when they are first used, so that importing this package imports neither torch nor TRL.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
