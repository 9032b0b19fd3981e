"""axe-core on a page in Chromium: what it finds that a reader with assistive technology would trip over."""

from pathlib import Path

import pytest

FINDINGS = """
const done = arguments[arguments.length - 1];
axe.run({ resultTypes: ["violations"] }).then((result) => done(result.violations.map(
  (one) => `${one.impact} ${one.id}: ${one.nodes.map((node) => node.html.slice(0, 120)).slice(0, 3).join(" ")}`)));
"""


def axe_findings(driver):
    """Returns what axe-core finds on the shown page, such as `serious color-contrast: <p>`. Skips without axe-core."""
    package = pytest.importorskip("axe_core_python")
    driver.execute_script((Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    return driver.execute_async_script(FINDINGS)
