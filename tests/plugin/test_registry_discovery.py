"""Discovery of installed plugins, with handmade distributions in a folder of the import path."""

import importlib
import sys

import pytest

from harness import PluginError, UsageError, __version__
from harness.plugin.registry import Registry

SOUND = """
from harness import RewardSpec, hookimpl

@hookimpl
def harness_rewards():
    yield RewardSpec(name="mate", summary="Mate", load="{package}.reward:Mate")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Returns a function that lays a distribution out, as pip would; the import path and modules are restored after."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("HARNESS_PLUGINS", raising=False)
    before = set(sys.modules)

    def make(name: str, source: str = SOUND, *, module: str = ""):
        package = name.replace("-", "_")
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(source.format(package=package))
        info = tmp_path / f"{package}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[harness.plugins]\nmain = {module or package}\n")
        (info / "RECORD").write_text(f"{package}/__init__.py,,\n")
        importlib.invalidate_caches()
        return tmp_path / package

    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


def mates(registry: Registry) -> list[str]:
    return [offer.distribution for offer in registry.all("reward") if offer.name == "mate"]


def test_an_installed_plugin_is_found(install):
    install("aa-chess")
    offer = Registry.discover().find("reward", "aa-chess/mate")
    assert offer.identity == f"aa-chess:mate@1.2+src.{offer.source_digest[:12]}"
    assert offer.entry_point == "main"


def test_a_plugin_that_cannot_be_imported_is_listed_and_harms_nothing(install):
    install("aa-chess")
    install("aa-broken", "import not_there_at_all")
    registry = Registry.discover()
    assert mates(registry) == ["aa-chess"]
    failure = next(failed for failed in registry.failures if failed.distribution == "aa-broken")
    assert (failure.version, failure.entry_point) == ("1.2", "main")
    assert "not_there_at_all" in failure.error
    assert "not_there_at_all" in failure.hint


def test_an_entry_point_to_nowhere_is_listed(install):
    install("aa-chess", module="aa_chess:missing")
    assert any("missing" in failed.error for failed in Registry.discover().failures)


@pytest.mark.parametrize("metadata", [None, "", "Metadata-Version: 2.1\nName: aa-half\n"])
def test_a_distribution_that_was_half_removed_is_listed(install, metadata):
    install("aa-chess")
    file = install("aa-half").parent / "aa_half-1.2.dist-info" / "METADATA"
    file.unlink() if metadata is None else file.write_text(metadata)
    registry = Registry.discover()
    assert mates(registry) == ["aa-chess"]
    assert [failed.error for failed in registry.failures if "aa_half" in failed.error]


def test_strict_makes_a_failed_plugin_fatal(install):
    install("aa-broken", "raise SystemExit(7)")
    with pytest.raises(PluginError, match=r"aa-broken 1.2 \(main\): SystemExit: 7"):
        Registry.discover(strict=True, only=["aa-broken"])


def test_the_variable_and_the_option_choose_distributions(install, monkeypatch):
    install("aa-chess")
    install("aa-go")
    assert mates(Registry.discover()) == ["aa-chess", "aa-go"]
    assert mates(Registry.discover(without=["AA_go"])) == ["aa-chess"]
    monkeypatch.setenv("HARNESS_PLUGINS", " aa.go ,")
    registry = Registry.discover()
    assert list(registry.distributions) == ["aa-go"]
    with pytest.raises(PluginError) as raised:
        registry.find("reward", "matte")
    assert "aa-chess" in raised.value.hint
    monkeypatch.setenv("HARNESS_PLUGINS", "")
    assert mates(Registry.discover()) == ["aa-chess", "aa-go"]


def test_a_distribution_that_is_not_there_is_an_error(install, monkeypatch):
    install("aa-chess")
    with pytest.raises(UsageError, match="aa-ches'") as raised:
        Registry.discover(without=["aa-ches"])
    assert raised.value.where == "--without"
    assert "aa-chess" in raised.value.hint
    monkeypatch.setenv("HARNESS_PLUGINS", "aa-ches")
    with pytest.raises(UsageError) as raised:
        Registry.discover()
    assert raised.value.where == "HARNESS_PLUGINS"


def test_the_harness_names_itself_and_its_version():
    identity = Registry.of([]).harness_identity()
    assert identity.partition("+src.")[0] == f"mdrl-harness@{__version__}"
