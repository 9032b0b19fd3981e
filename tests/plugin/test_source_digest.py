"""Which files the digest of a plugin covers, with handmade distributions in a folder of the import path."""

from __future__ import annotations

import importlib
import json
import sys

import pytest

from harness.plugin.registry import Registry
from harness.plugin.source_digest import digest_of

PLUGIN = """
from harness import RewardSpec, hookimpl

@hookimpl
def harness_rewards():
    yield RewardSpec(name="mate", summary="Mate", load="{module}:Mate")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Returns a function that writes a distribution as pip would, given its files, and returns its offer."""
    monkeypatch.delenv("HARNESS_PLUGINS", raising=False)
    before = set(sys.modules)

    def forget():
        for name in set(sys.modules) - before:
            del sys.modules[name]
        importlib.invalidate_caches()

    def make(files, *, name="aa-chess", entry="aa_chess", editable=False, record=True, info=()):
        site = tmp_path / "site"
        for path in files:
            where = tmp_path / "project" if editable else site
            (where / path).parent.mkdir(parents=True, exist_ok=True)
            (where / path).write_text(files[path])
        folder = site / f"{name.replace('-', '_')}-1.2.dist-info"
        folder.mkdir(parents=True, exist_ok=True)
        written = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n",
            "entry_points.txt": f"[harness.plugins]\nmain = {entry}\n",
            **dict(info),
        }
        if record:
            listed = [f"__editable__.{name}.pth"] if editable else list(files)
            written["RECORD"] = "".join(f"{path},,\n" for path in (*listed, f"{folder.name}/METADATA"))
        for path, text in written.items():
            (folder / path).write_text(text)
        forget()
        return Registry.discover(only=[name]).find("reward", f"{name}/mate")

    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield make
    forget()


ONE = {
    "aa_chess/__init__.py": PLUGIN.format(module="aa_chess.reward"),
    "aa_chess/reward.py": "class Mate: ...",
    "aa_chess/data/openings.parquet": "1",
    "aa_chess/prompt.jinja": "a",
    "aa_chess/weights.safetensors": "w",
    "aa_chess/words.txt": "w",
    "aa_chess/noextension": "w",
}
SEVERAL = ONE | {
    "aa_chess/__init__.py": PLUGIN.format(module="aa_chess_impl.reward"),
    "aa_chess_impl/__init__.py": "",
    "aa_chess_impl/reward.py": "def score():\n    from aa_chess_common import table, Table\n",
    "aa_chess_common/__init__.py": "",
    "aa_chess_common/table.py": "import aa_chess_words as words, json\n",
    "aa_chess_words.py": "",
}
LAYOUTS = {
    "one package": ({}, ONE),
    "several packages": ({}, SEVERAL),
    "a single module": ({}, {"aa_chess.py": PLUGIN.format(module="aa_chess")}),
    "a namespace package": (
        {"entry": "aa_games.chess"},
        {"aa_games/chess/__init__.py": PLUGIN.format(module="aa_games.chess.reward"), "aa_games/chess/reward.py": ""},
    ),
    "a function of a module": (
        {"entry": "aa_chess.plugin:hooks"},
        {
            "aa_chess/__init__.py": "",
            "aa_chess/plugin.py": PLUGIN.format(module="aa_chess.r") + "\nimport sys; hooks = sys.modules[__name__]",
        },
    ),
}


@pytest.mark.parametrize("installed", [{}, {"record": False}, {"editable": True}], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_changed_file_of_any_kind_changes_the_identity(install, layout, installed):
    options, files = LAYOUTS[layout]
    options |= installed
    seen = {install(files, **options).identity}
    for path in files:
        seen.add(install(files | {path: files[path] + "\n# changed\n"}, **options).identity)
    assert len(seen) == 1 + len(files)
    assert install(files, **options).identity in seen


def test_an_installed_package_that_nothing_imports_counts_too(install):
    more = ONE | {"aa_chess_plain/data.bin": "1", "../share/aa/table.csv": "1"}
    before = install(more).identity
    assert install(more | {"aa_chess_plain/data.bin": "2"}).identity != before
    assert install(more | {"../share/aa/table.csv": "2"}).identity != before


def test_how_it_was_installed_changes_nothing(install):
    before = install(ONE).identity
    local = {"INSTALLER": "uv", "direct_url.json": json.dumps({"url": "file:///x", "dir_info": {}})}
    made = {"aa_chess/__pycache__/reward.cpython-311.pyc": "1", "aa_chess/README.md": "Read me", "../bin/aa": "#!/x"}
    assert install(ONE | made, info=local).identity == before
    assert install(ONE, editable=True).identity == before


def test_a_packaged_protocol_is_no_code(install):
    offers = """
from pathlib import Path
from harness import ProtocolSpec, RewardSpec, hookimpl

@hookimpl
def harness_rewards():
    yield RewardSpec(name="mate", summary="Mate", load="aa_chess.reward:Mate")

@hookimpl
def harness_protocols():
    yield ProtocolSpec(name="chess", summary="Chess", path=Path(__file__).with_name("chess.yaml"))
"""
    files = ONE | {"aa_chess/__init__.py": offers, "aa_chess/chess.yaml": "1", "aa_chess/task.yaml": "1"}
    before = install(files).identity
    assert install(files | {"aa_chess/chess.yaml": "2"}).identity == before
    assert install(files | {"aa_chess/task.yaml": "2"}).identity != before


def test_another_plugin_that_is_imported_counts(install):
    go = {"aa_go/__init__.py": "board = 1\n" + PLUGIN.format(module="aa_go")}
    install(go, name="aa-go", entry="aa_go")
    chess = ONE | {"aa_chess/reward.py": "from aa_go import board\n"}
    before = install(chess).identity
    install({"aa_go/__init__.py": go["aa_go/__init__.py"] + "# changed"}, name="aa-go", entry="aa_go")
    assert install(chess).identity != before


def test_a_digest_is_of_the_names_and_the_bytes(tmp_path):
    files = {}
    for name in ("a", "b", "c/a"):
        files[name] = tmp_path / name.replace("/", "-")
        files[name].write_bytes(b"same")
    seen = {digest_of(files), digest_of({"a": files["a"]}), digest_of({**files, "d": files["b"]})}
    for path in files.values():
        path.write_bytes(b"samf")
        seen.add(digest_of(files))
        path.write_bytes(b"same")
    assert len(seen) == 6
    assert digest_of(dict(reversed(files.items()))) in seen
