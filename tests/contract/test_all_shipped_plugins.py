"""Properties of all included plugins together."""

import json
import subprocess
import sys
from pathlib import Path

from shipped_offers import SHIPPED

from harness.plugin.hookspecs import HOOKS_BY_KIND

LIGHT = """
import json, sys
from pydantic import ValidationError
from harness.plugin.registry import Registry

registry = Registry.discover(only=["mdrl-harness"])
for offer in registry.all():
    if offer.kind != "protocol":
        offer.config_schema()
for offer in registry.all("domain") + registry.all("model"):
    try:
        config = offer.config_type()()
    except ValidationError:
        continue
    offer.build(config).fingerprint()
heavy = {"torch", "transformers", "trl", "datasets", "lm_eval", "polars", "great_tables"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""


def test_all_of_them_load():
    assert SHIPPED.failures == []


def test_every_kind_has_a_shipped_plugin_and_no_name_comes_twice():
    names = [(offer.kind, offer.name) for offer in SHIPPED.all()]
    assert {kind for kind, _ in names} == set(HOOKS_BY_KIND)
    assert len(set(names)) == len(names)


def test_configs_and_fingerprints_import_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_the_host_names_no_plugin():
    """No file of harness/ outside the shipped engines and tables holds the quoted name of anything offered."""
    root = Path(__import__("harness").__file__).parent
    shipped = {root / "engines", root / "tables"}
    names = {offer.name for offer in SHIPPED.all() if "-" in offer.name}
    assert names
    for file in root.rglob("*.py"):
        if not shipped & set(file.parents):
            text = file.read_text(encoding="utf-8")
            assert [name for name in names if f'"{name}"' in text] == [], file
