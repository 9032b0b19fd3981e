"""The library API: what `harness.run`, `harness.load_run`, `harness.plan` and `harness.validate` are. The command line
is a thin caller of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
