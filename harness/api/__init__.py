"""The library API: `harness.run`, `harness.load_run`, `harness.plan` and `harness.validate`. The command line is a thin
wrapper around it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
