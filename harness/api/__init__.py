"""The library API, public as `harness.run`, `harness.load_run`, `harness.plan` and so on. The command line is a thin
wrapper around it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
