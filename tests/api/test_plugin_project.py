"""`harness plugins new` for each kind: a project whose plugin is found and keeps its contract."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from harness import UsageError
from harness.api.plugin_project import new_plugin, template_kinds
from harness.plugin.hookspecs import HOOKS_BY_KIND
from harness.plugin.registry import Registry
from harness.protocol import load_protocol

pytest_plugins = ["harness.testing.fixtures"]


def test_there_is_a_template_for_every_kind_but_packaged_protocols() -> None:
    assert set(template_kinds()) == set(HOOKS_BY_KIND) - {"protocol"}


@pytest.fixture(params=template_kinds())
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yields the folder of a new project of each kind, whose package can be imported."""
    folder = new_plugin("queen-end", request.param, tmp_path)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] in ("harness_queen_end", "items")]:
        del sys.modules[name]


@pytest.fixture
def plugin(project: Path) -> ModuleType:
    return importlib.import_module("harness_queen_end")


def test_no_placeholder_is_left_and_all_files_are_there(project: Path) -> None:
    files = {path.relative_to(project).as_posix(): path.read_text() for path in project.rglob("*") if path.is_file()}
    assert {"pyproject.toml", "README.md", "queen-end.yaml", "tests/test_contract.py"} <= set(files)
    assert len([name for name in files if name.startswith("tests/test_")]) == 2
    left = {path: re.findall(r"NAME|@\w+@", f"{path}\n{text}") for path, text in files.items()}
    assert not any(left.values()), left
    metadata = tomllib.loads(files["pyproject.toml"])["project"]
    assert metadata["entry-points"] == {"harness.plugins": {"queen-end": "harness_queen_end"}}


def test_the_plugin_keeps_its_contract(project: Path, plugin: ModuleType, check_plugin, tmp_path: Path) -> None:
    check_plugin(plugin)


def test_the_protocol_uses_the_plugin_and_is_valid(project: Path, plugin: ModuleType) -> None:
    shipped = [
        (name, importlib.import_module(name))
        for name in ("harness_lab", "harness_algorithms.grpo", "harness_models.pretrained")
    ]
    registry = Registry.of([*shipped, ("harness-queen-end", plugin)])
    assert not registry.failures
    protocol = load_protocol(project / "queen-end.yaml", registry)
    kinds_offered = {offer.kind for offer in registry.all() if offer.distribution == "harness-queen-end"}
    if kinds_offered <= {"engine", "table-format"}:  # which a command names
        assert re.search(r"^harness .* queen-end$", (project / "README.md").read_text(), re.MULTILINE)
    else:
        assert "identity='harness-queen-end:queen-end@" in str(protocol)


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("chess", "protocol", "no template"),
        ("chess", "common", "no template"),
        ("Chess", "reward", "cannot name"),
        ("chess_go", "reward", "cannot name"),
        ("../chess", "reward", "cannot name"),
    ],
)
def test_what_cannot_be_written_is_refused(name: str, kind: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        new_plugin(name, kind, tmp_path)
    assert list(tmp_path.iterdir()) == []
