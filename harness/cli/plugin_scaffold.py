"""The project that `harness plugins new` writes: one reward that works, its entry point, and its test."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from harness.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1.0"
description = "$name for mdrl-harness"
requires-python = ">=3.11"
dependencies = ["mdrl-harness>=$version"]

[project.entry-points."harness.plugins"]
$name = "$package"

[tool.hatch.build.targets.wheel]
packages = ["$package"]
"""

_REGISTRATION = '''\
"""What this plugin offers. Importing it must stay light: name heavy modules in `load`, they are imported when used.

`harness.hookspecs` lists the other hooks: models, domains, algorithms, recoveries, probes, table formats, …
"""

from collections.abc import Iterator

from harness import RewardSpec, hookimpl


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    yield RewardSpec(
        name="$name",
        summary="1 for a completion of at most so many characters, less for a longer one",
        load="$package.reward:Brevity",
        config="$package.reward:BrevityConfig",
    )
'''

_REWARD = '''\
"""The reward."""

from collections.abc import Sequence

from pydantic import Field

from harness import Config, Reward, RewardBatch, RewardResult


class BrevityConfig(Config):
    """What a protocol may set under the reward."""

    characters: int = Field(default=20, ge=1, description="longest completion that gets the full reward")


class Brevity(Reward):
    """Replace this by what your domain wants."""

    def __init__(self, config: BrevityConfig) -> None:
        self.config = config

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        wanted = self.config.characters
        return [RewardResult.ok(wanted / max(wanted, len(completion))) for completion in batch.completions]
'''

_CONFTEST = 'pytest_plugins = ["harness.testing.fixtures"]\n'

_TEST = """\
import $package


def test_the_contracts_are_kept(check_plugin):
    check_plugin($package)
"""


def write_scaffold(name: str, parent: Path) -> Path:
    """Writes the project `harness-<name>` into `parent` and returns its folder.

    Raises UsageError where the name cannot be a distribution's, the folder exists, or it cannot be written.
    """
    from harness import __version__

    if not _NAME.fullmatch(name):
        hint = "use lower-case letters, digits and single hyphens, such as chess"
        raise UsageError(f"{name!r} cannot name a plugin", hint=hint)
    distribution = f"harness-{name}"
    package = distribution.replace("-", "_")
    folder = parent / distribution
    words = {"name": name, "distribution": distribution, "package": package, "version": __version__}
    files = {
        "pyproject.toml": _PYPROJECT,
        f"{package}/__init__.py": _REGISTRATION,
        f"{package}/reward.py": _REWARD,
        "tests/conftest.py": _CONFTEST,
        "tests/test_contracts.py": _TEST,
    }
    if folder.exists():
        raise UsageError("the folder exists", where=str(folder), hint="give another name, or another --into")
    try:
        for path, text in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(Template(text).substitute(words), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror or error}", where=str(folder)) from error
    return folder
