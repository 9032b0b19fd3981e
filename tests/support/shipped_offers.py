"""The shipped plugins, offer by offer, and plugins made of a spec."""

from types import SimpleNamespace

import pytest

from harness import hookimpl
from harness.plugin.hookspecs import HOOKS_BY_KIND
from harness.plugin.registry import Registry

SHIPPED = Registry.discover(only=["mdrl-harness"])


def offers(kind: str) -> pytest.MarkDecorator:
    """Returns a parametrization of `offer` over all that the shipped plugins offer of `kind`."""
    found = SHIPPED.all(kind)
    return pytest.mark.parametrize("offer", found, ids=[offer.name for offer in found])


def plugin_with(kind: str, *specs: object) -> SimpleNamespace:
    """Returns a plugin whose hook of `kind` yields `specs`."""

    @hookimpl(specname=HOOKS_BY_KIND[kind])
    def hook():
        return specs

    return SimpleNamespace(hook=hook)
