"""A plugin-based benchmark harness for multi-domain RL post-training of language models.

The library API is here, and all that a plugin author needs: `hookimpl`, the specs that hooks yield, the interfaces they
load into, and the errors to raise. Names are loaded when they are first used, so that importing this package imports no
torch.
"""

import lazy_loader

from harness._util.moved import explain_moved_imports
from harness._util.version import VERSION as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]

explain_moved_imports()
