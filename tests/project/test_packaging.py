"""Packaging: entry points, contents of the wheel, versions, and rules for all files."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PLUGIN_GROUPS = sorted(folder.name for folder in (ROOT / "plugins").iterdir() if any(folder.rglob("*.py")))
PLUGINS = sorted(
    ".".join(path.parent.relative_to(ROOT / "plugins").parts)
    for pattern in ("*/__init__.py", "*/*/__init__.py")
    for path in (ROOT / "plugins").glob(pattern)
    if not (path.parents[1] / "__init__.py").exists()
)
EXTRAS = PROJECT["project"]["optional-dependencies"]
OPTIONAL = ("gguf", "report", "serve", "ray", "slurm", "tensorboard", "trackio", "wandb")
USED = [line for name in OPTIONAL for line in EXTRAS[name]]
EXTRA = (*USED, *EXTRAS["dev"], *EXTRAS["docs"])
REQUIREMENTS = [Requirement(line) for line in (*PROJECT["project"]["dependencies"], *EXTRA)]
DEPENDENCIES = (*PROJECT["project"]["dependencies"], *USED)
DECLARED = {canonicalize_name(Requirement(line).name) for line in DEPENDENCIES}
MOST_LINES = 400
HEAVY = {"torch", "transformers", "trl", "datasets", "lm_eval", "polars", "great_tables", "sklearn", "evaluate"}
HEAVY |= {"altair", "vl_convert"}
HEAVY |= {"ray", "submitit"}
HEAVY |= {"reasoning_gym"}  # of an extra: a second, and matplotlib with it
SOURCE_SUFFIXES = {".py", ".yaml", ".yml", ".md", ".toml", ".cfg", ".txt", ".json", ".html"}
NAMED_HOSTS = {
    "127.0.0.1",
    "aclanthology.org",
    "arxiv.org",
    "choosealicense.com",
    "doi.org",
    "github.com",
    "huggingface.co",
    "json-schema.org",
    "localhost",
    "openreview.net",
    "pytorch.org",
    "www.apache.org",
    "www.w3.org",
}


def constraints() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pinned}


def repository_files() -> Iterator[Path]:
    """Yields the files that git tracks, or all that would be packed where this is no git checkout."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.splitlines()
    else:
        names = [
            str(path.relative_to(ROOT))
            for folder in ("harness", "plugins", "tests", "benchmarks", "docs")
            for path in (ROOT / folder).rglob("*")
        ]
    yield from (path for path in (ROOT / name for name in names) if path.is_file())


def text_files() -> Iterator[tuple[str, str]]:
    for path in repository_files():
        if path.suffix in SOURCE_SUFFIXES or path.name in {"Makefile", "run"}:
            yield str(path.relative_to(ROOT)), path.read_text()


def imported_packages(path: Path) -> set[str]:
    """Returns the top-level packages that a file imports absolutely, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize(("name", "module"), PROJECT["project"]["entry-points"]["harness.plugins"].items())
def test_a_declared_plugin_imports_and_implements_a_hook(name: str, module: str) -> None:
    plugin = importlib.import_module(module)
    hooks = [attribute for attribute in vars(plugin) if attribute.startswith("harness_")]
    assert hooks, f"entry point {name} = {module} implements no hook"


def test_every_plugin_package_is_in_the_wheel_and_is_an_entry_point() -> None:
    packed = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packed) == sorted(["harness", *(f"plugins/{name}" for name in PLUGIN_GROUPS)])
    declared = PROJECT["project"]["entry-points"]["harness.plugins"].values()
    assert set(PLUGINS) <= set(declared)


def test_every_plugin_package_is_under_the_import_contracts() -> None:
    contracts = (ROOT / ".importlinter").read_text().split("[importlinter:contract:")
    for section in contracts:
        if "harness_lab" in section:
            missing = [name for name in PLUGINS if not re.search(rf"^    {re.escape(name)}$", section, re.MULTILINE)]
            assert not missing, f"{missing} missing from {section.splitlines()[0]}"


def test_the_version_is_written_once_the_same() -> None:
    import harness

    assert harness.__version__ == PROJECT["project"]["version"]


def test_constraints_hold_every_requirement_and_meet_its_range() -> None:
    pinned = constraints()
    for requirement in REQUIREMENTS:
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} has no version in constraints.txt"
        assert requirement.specifier.contains(pinned[name]), f"{name} {pinned[name]} is outside {requirement}"


def imports_by_file() -> Iterator[tuple[Path, str, set[str]]]:
    """Yields (file, package it imports, distributions that provide it), third parties only. One that is not installed,
    as of an optional extra, counts as provided by the distribution of its name."""
    distributions = packages_distributions()
    ours = {"harness", *PLUGIN_GROUPS}
    templates = ROOT / "harness" / "api" / "scaffold"  # of other projects, with dependencies of their own
    for folder in ("harness", "plugins"):
        for path in (path for path in (ROOT / folder).rglob("*.py") if not path.is_relative_to(templates)):
            for module in imported_packages(path) - sys.stdlib_module_names - ours:
                yield path, module, {canonicalize_name(name) for name in distributions.get(module, [module])}


def test_what_is_imported_is_declared() -> None:
    by_pytest = ROOT / "harness" / "testing"  # imported by pytest, and by nothing else
    undeclared = {
        f"{path.relative_to(ROOT)}: {module}"
        for path, module, distributions in imports_by_file()
        if not distributions & DECLARED and not (module == "pytest" and path.is_relative_to(by_pytest))
    }
    assert not undeclared


def test_what_is_declared_is_imported() -> None:
    imported = {name for _, _, distributions in imports_by_file() for name in distributions}
    assert not DECLARED - imported


REPORTING = {"altair", "vl_convert", "great_tables"}


def test_only_reports_need_the_extra_report() -> None:
    users = {path.relative_to(ROOT).parts[:2] for path, module, _ in imports_by_file() if module in REPORTING}
    assert users == {("harness", "report")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["report", "--figures", "figures"],
            "harness report --figures needs altair and vl_convert, which are not installed",
        ),
        (["leaderboard", "export", "-f", "html", "leaderboards/lab"], "needs great_tables, which is not installed"),
    ],
)
def test_a_command_says_which_extra_it_lacks(arguments: list[str], message: str) -> None:
    code = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name, *rest: None if name in {REPORTING!r} else found(name, *rest)\n"
        "from harness.cli import main\n"
        f"sys.argv = ['harness', *{arguments!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr and "pip install 'mdrl-harness[report]'" in done.stderr


def test_constraints_name_no_local_build() -> None:
    assert not [name for name, version in constraints().items() if version.local]


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["plugins", "list"], ["validate", "lab"], ["plan", "lab", "--engine", "local"]],
)
def test_a_light_command_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from harness.cli import main\n"
        f"sys.argv = ['harness', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    status = end.code or 0\n"
        f"print('HEAVY', *sorted({HEAVY!r} & set(sys.modules)))\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY"


def test_the_public_names_import_nothing_heavy() -> None:
    code = f"import sys, harness; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_no_source_file_is_too_long() -> None:
    long = {
        name: text.count("\n") for name, text in text_files() if name.endswith(".py") and text.count("\n") > MOST_LINES
    }
    assert not long


def test_no_module_is_named_for_nothing() -> None:
    vague = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
    assert not [path for path in repository_files() if path.suffix == ".py" and path.name in vague]


def test_no_file_names_a_place_of_one_machine() -> None:
    place = re.compile(r"(?<![\w.$*/}<])/(?:work|root|home|mnt|opt|Users)/\w+")
    found = [f"{name}: {place.search(text)[0]}" for name, text in text_files() if place.search(text)]  # type: ignore[index]
    assert not found


def test_no_file_links_to_a_host_that_is_not_a_source() -> None:
    """Package registries and mirrors are pip's own configuration; a URL here is a paper, a model or a specification."""
    link = re.compile(r"https?://([\w.-]+)")
    found = {f"{name}: {host}" for name, text in text_files() for host in link.findall(text) if host not in NAMED_HOSTS}
    assert not found


@pytest.mark.parametrize("target", ["demo", "test", "docs", "clean"])
def test_the_makefile_knows_the_target(target: str) -> None:
    known = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert known.returncode == 0, known.stderr


def test_an_old_python_is_refused_in_one_line(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    command = ["make", "--silent", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}", f"{tmp_path / 'venv'}/.torch"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert refused.stderr.splitlines()[0].startswith(f"error: {old} is not Python 3.11 or newer")
    assert not (tmp_path / "venv").exists()


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    with ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = set(wheel.namelist())
        metadata = wheel.read(next(name for name in packed if name.endswith("/METADATA"))).decode()
    wanted = {
        str(path.relative_to(ROOT / "plugins" if path.is_relative_to(ROOT / "plugins") else ROOT))
        for path in repository_files()
        if path.relative_to(ROOT).parts[0] in ("harness", "plugins")
    }
    assert wanted - packed == set()
    assert {name.split("/")[0] for name in packed if ".dist-info/" not in name} == {"harness", *PLUGIN_GROUPS}
    assert "License-File: LICENSE" in metadata and "License-File: NOTICE" in metadata
