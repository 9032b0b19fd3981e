"""Broken on purpose: what it wants is not installed anywhere."""

import a_library_that_nobody_has

from harness import hookimpl


@hookimpl
def harness_domains():
    return a_library_that_nobody_has.domains()
