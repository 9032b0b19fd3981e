"""`harness plugins new` for every kind, in a fresh environment with the harness from a wheel.

For each kind: the project is written, installed by pip, its own tests are run, and then the commands of its README:
`harness plugins check` and a run that uses the plugin. The environment gets the wheel of this checkout, without its
dependencies; the libraries are those of the interpreter that runs this script, read through a line in a .pth file that
does not follow editable installs. Prints a line per command; exits with 1 where one failed.

    python benchmarks/new_plugins.py [KIND …]
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
OFFLINE = ["--no-index", "--no-deps", "--no-build-isolation"]


class Environment:
    """A virtual environment with the harness's wheel, and the folder that everything is written to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.binaries = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        settings = {name: value for name, value in os.environ.items() if not name.startswith(("HARNESS_", "PYTHON"))}
        self.settings = settings | {
            "HF_HUB_OFFLINE": "1",
            "PATH": f"{self.binaries}{os.pathsep}{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def build(self) -> None:
        wheels = self.folder / "wheels"
        self.run("build", [*PIP, "wheel", *OFFLINE, "--wheel-dir", str(wheels), str(ROOT)], self.folder)
        venv.create(self.folder / "venv", with_pip=False)
        places = {"base": str(self.folder / "venv"), "platbase": str(self.folder / "venv")}
        libraries = Path(sysconfig.get_path("purelib", "venv", places))
        (libraries / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        self.install(*wheels.glob("mdrl_harness-*.whl"))
        where = "import harness, sys; print(harness.__file__); sys.exit(not harness.__file__.startswith(sys.prefix))"
        self.run("harness is", ["python", "-c", where], self.folder, show=True)

    def install(self, *projects: Path) -> None:
        python = str(self.binaries / "python")
        self.run("install", [*PIP, "--python", python, "install", *OFFLINE, *map(str, projects)], self.folder)

    def run(self, title: str, command: list[str], folder: Path, *, show: bool = False) -> None:
        """Runs a command, and prints how long it took and the last line of what it said. Raises SystemExit where it
        fails."""
        started = time.monotonic()
        done = subprocess.run(
            [str(self.binaries / command[0]) if command[0] in ("harness", "python") else command[0], *command[1:]],
            cwd=folder, env=self.settings, capture_output=True, text=True, check=False,
        )  # fmt: skip
        told = [line for line in done.stdout.splitlines() if line.strip()]
        last = told[-1].strip() if told and (show or done.returncode == 0) else ""
        print(f"  {title:60} {time.monotonic() - started:6.1f} s  {last:.70}", flush=True)
        if done.returncode:
            raise SystemExit(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")


def commands(project: Path) -> list[str]:
    """Returns the commands of the harness that the project's README shows."""
    return re.findall(r"^harness .*$", (project / "README.md").read_text(), re.MULTILINE)


def check(environment: Environment, kind: str) -> None:
    """Does with a new plugin of `kind` what its README says."""
    name = f"my-{kind}"
    environment.settings["HARNESS_RUNS"] = str(environment.folder / "runs" / kind)  # nothing is taken from other kinds
    print(kind, flush=True)
    new = ["harness", "plugins", "new", name, "--kind", kind]
    environment.run(" ".join(new), new, environment.folder)
    project = environment.folder / f"harness-{name}"
    environment.install(project)
    environment.run("pytest", ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider"], project, show=True)
    for command in commands(project):
        environment.run(command, command.split(), project)


def main() -> None:
    """Checks the kinds that are named, or all of them."""
    from harness.api.plugin_project import template_kinds

    with tempfile.TemporaryDirectory(prefix="new-plugins-") as folder:
        environment = Environment(Path(folder))
        environment.build()
        for kind in sys.argv[1:] or template_kinds():
            check(environment, kind)
        environment.run("harness plugins list", ["harness", "plugins", "list"], environment.folder)


if __name__ == "__main__":
    main()
