"""Arithmetic over the weights of checkpoints on disk, streamed in chunks.

Memory does not grow with the checkpoints, only with the chunks that are read.

Names are loaded when they are first used, so that importing this package imports no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
