"""Every file of the harness and of its plugins changes the keys that depend on it, or is a named exception."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import harness
import harness_lab
from harness.plugin import keyed_source
from harness.plugin.keyed_source import UNKEYED_SOURCE, keyed_files
from harness.plugin.source_digest import FOR_PEOPLE

HARNESS = Path(harness.__file__).parent
PLUGINS = Path(harness_lab.__file__).parent.parent
PROBE = """
import json, sys
from pathlib import Path
from harness.plugin import keyed_source
from harness.plugin import registry
from harness.planning.planner import make_plan
from harness.protocol import find_protocol, load_protocol
from harness.plugin.registry import Registry

tree = Path(sys.argv[1])
assert Path(registry.__file__).is_relative_to(tree)
found = Registry.discover(only=["mdrl-harness"])
sources = {offer.source.entry_point: offer.source for offer in found.all()}

def keys():
    registry._harness_identity.cache_clear()
    again = Registry.discover(only=["mdrl-harness"])
    return list(make_plan(load_protocol(find_protocol("lab", again), again), again).nodes)

def changes(path, look):
    content = path.read_bytes()
    path.write_bytes(content + b"\\n")
    after = look()
    path.write_bytes(content)
    return after

def included(folder, files):
    inside = {path.resolve() for path in files.values()}
    names = {path.relative_to(tree).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path.resolve() in inside for name, path in names.items()}

included_in = {"harness": included(tree / "harness", keyed_source.keyed_files())}
for name, source in sources.items():
    if name not in ("engines", "tables"):  # which are part of the harness
        folder = Path(sys.modules[source.modules[0]].__file__).parent
        included_in[name] = included(folder, source.digested_files())
before = keys()
moved = {name: len(set(before) - set(changes(tree / name, keys))) for name in sys.argv[2:]}
print(json.dumps([included_in, moved]))
"""
ON_THE_WAY = [
    "harness/domains/completions.py",
    "harness/execution/score_table.py",
    "harness_lab/rewards.py",
    "harness_algorithms/grpo/config.py",
]
OFF_THE_WAY = ["harness/cli/plan.py", "harness_domains/math/reward.py", "harness_lab/lab.yaml"]


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """Returns, of a copy of the source: by plugin, whether each file is in its digest; and how many of the lab's keys
    some files change."""
    tree = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HARNESS, tree / "harness", ignore=ignored)
    for plugin in PLUGINS.glob("harness_*"):
        shutil.copytree(plugin, tree / plugin.name, ignore=ignored)
    command = [sys.executable, "-B", "-c", PROBE, str(tree), *ON_THE_WAY, *OFF_THE_WAY]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def is_exception(name: str) -> bool:
    inside = name.removeprefix("harness/")
    exceptions = [path for paths in UNKEYED_SOURCE.values() for path in paths]
    return any(fnmatch(inside, path) or inside.startswith(f"{path}/") for path in exceptions)


def is_for_people(name: str) -> bool:
    return FOR_PEOPLE.fullmatch(Path(name).name) is not None


def test_each_file_of_the_harness_is_in_its_identity_or_a_named_exception(probed):
    changed = probed[0]["harness"]
    assert len(changed) > 200
    unchanged = {name for name, does in changed.items() if not does}
    assert unchanged == {name for name in changed if is_exception(name) or is_for_people(name)}


def test_each_file_of_a_plugin_is_in_its_identity(probed):
    packaged = {path.relative_to(PLUGINS).as_posix() for path in PLUGINS.glob("*/*.yaml")}
    plugins = {name: changed for name, changed in probed[0].items() if name != "harness"}
    assert len(plugins) >= 20 and sum(map(len, plugins.values())) > 150
    for changed in plugins.values():
        unchanged = {name for name, does in changed.items() if not does}
        assert unchanged == {name for name in changed if is_for_people(name) or name in packaged}


@pytest.mark.parametrize("name", ON_THE_WAY)
def test_a_file_on_the_way_from_prompt_to_score_changes_keys(probed, name):
    assert probed[1][name] > 0


@pytest.mark.parametrize("name", OFF_THE_WAY)
def test_a_file_beside_the_way_changes_no_key(probed, name):
    assert probed[1][name] == 0


def test_nothing_that_is_in_the_keys_imports_an_exception():
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph("harness", exclude_type_checking_imports=True)
    keyed = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in keyed_files()}
    imports = {
        f"{module} imports {imported}"
        for module in keyed & graph.modules
        for imported in graph.find_modules_directly_imported_by(module) - keyed
    }
    assert not imports, "take what is imported off harness.plugin.keyed_source.UNKEYED_SOURCE"


def test_an_exception_that_does_not_exist_is_an_error(monkeypatch):
    monkeypatch.setattr(keyed_source, "UNKEYED_SOURCE", {"is gone": ("no_such_file.py",)})
    with pytest.raises(FileNotFoundError, match="no_such_file"):
        keyed_files()
