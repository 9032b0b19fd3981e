"""Toolkits for domains and rewards: data, judges, sandboxes, completions, reward scoring, contamination.

Names are loaded on first use, so that importing this package imports neither datasets nor torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
