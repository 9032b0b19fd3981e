"""Imports of modules that have moved name the new place, and that place has the names."""

from __future__ import annotations

import importlib

import pytest

from harness._util.moved import MOVED


@pytest.mark.parametrize("old", MOVED)
def test_the_error_names_a_public_package(old):
    with pytest.raises(ImportError, match=f"{old} has moved: import its names from ") as caught:
        importlib.import_module(old)
    place = str(caught.value).rpartition(" from ")[2].split()[0].rstrip(",")
    assert importlib.import_module(place).__all__


def test_names_imported_from_a_module_that_moved():
    with pytest.raises(ImportError, match=r"import its names from harness\.domains"):
        from harness.data import DataSource  # noqa: F401
    with pytest.raises(ImportError, match=r"import its names from harness\.domains"):
        from harness import sandbox  # noqa: F401


def test_an_unknown_module_is_an_ordinary_error():
    with pytest.raises(ModuleNotFoundError, match=r"No module named .harness\.nowhere"):
        importlib.import_module("harness.nowhere")


@pytest.mark.parametrize(
    "package", ["harness", "harness.domains", "harness.results", "harness.training", "harness.weights"]
)
def test_every_name_of_a_public_package_can_be_imported(package):
    module = importlib.import_module(package)
    assert module.__all__ == sorted(set(module.__all__), key=module.__all__.index)
    for name in module.__all__:
        assert getattr(module, name) is not None, name
