"""A pytest plugin for plugin authors. Add `pytest_plugins = ["harness.testing.fixtures"]` to conftest.py.

import harness_chess

def test_my_plugin(check_plugin):
    check_plugin(harness_chess)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.plugin.registry import Registry
from harness.testing.offer_contracts import check_offer

CheckPlugin = Callable[..., None]


@pytest.fixture
def plugin_registry() -> Callable[[object], Registry]:
    """Returns a function that returns the registry of a single plugin; the test fails if the plugin does not load."""

    def registry_of(plugin: object, distribution: str = "plugin-under-test") -> Registry:
        registry = Registry.of([(distribution, plugin)])
        for failure in registry.failures:
            pytest.fail(f"{failure.error}\n  → {failure.hint}")
        return registry

    return registry_of


@pytest.fixture
def check_plugin(plugin_registry: Callable[[object], Registry], tmp_path: Path) -> CheckPlugin:
    """Returns a function that checks all specs of a plugin. configs: config keys by name, for specs that need them.

    It raises PluginError for a violated contract.
    """

    def check(plugin: object, configs: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        registry = plugin_registry(plugin)
        for index, offer in enumerate(registry.all()):
            folder = tmp_path / f"{index}-{offer.kind}-{offer.name}"
            folder.mkdir()
            check_offer(offer, registry, folder, (configs or {}).get(offer.name), configs)

    return check
