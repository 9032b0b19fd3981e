"""A third-party plugin, built, installed with pip together with a broken one, and used on the command line."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from harness import __version__

PROJECTS = Path(__file__).parent.parent / "thirdparty"
OUR_PARTS = {
    ("domain", "reversal"),
    ("reward", "reversed-digits"),
    ("recovery", "midpoint"),
    ("table-format", "tsv"),
    ("protocol", "reversal"),
}


def run(*command: object, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command, away from the repository; with `check`, what it wrote is shown where it fails."""
    settings = {
        name: value for name, value in os.environ.items() if not name.startswith(("HARNESS_", "PYTHON", "PIP_"))
    }
    settings |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | environment
    words = [str(word) for word in command]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=settings, cwd=PROJECTS)
    if check and done.returncode:
        pytest.fail(f"{command} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    """Returns a function that runs `harness` in a new environment: both plugins, and this environment's libraries."""
    folder = tmp_path_factory.mktemp("thirdparty")
    for project in ("harness-reversal", "harness-broken"):
        build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
        run(sys.executable, *build, "--wheel-dir", folder / "wheels", PROJECTS / project)
    venv.create(folder / "venv", with_pip=False)
    binaries = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    places = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    libraries = Path(sysconfig.get_path("purelib", "venv", places))
    # An environment does not see another one's packages through system-site-packages; a line in a .pth file does it,
    # and site.addsitedir reads the .pth files there, an editable install of the harness among them.
    here = sysconfig.get_path("purelib")
    (libraries / "test_environment.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    install = ["-m", "pip", "--python", binaries / "python", "install", "--quiet", "--no-deps", "--no-index"]
    run(sys.executable, *install, *sorted((folder / "wheels").glob("*.whl")))

    def invoke(*arguments: object, check: bool = True, **environment: str):
        command = [binaries / "python", "-c", "from harness.cli import main; main()"]
        return run(*command, *arguments, check=check, HARNESS_RUNS=str(folder / "runs"), **environment)

    return invoke


def listing(done: subprocess.CompletedProcess[str]) -> tuple[set[tuple[str, str]], dict[str, dict[str, str]]]:
    """Returns what `plugins list --json` says: (kind, name) by our plugin, and the failed plugins by distribution."""
    said = json.loads(done.stdout)
    ours = {(o["kind"], o["name"]) for o in said["plugins"] if o["distribution"] == "harness-reversal"}
    return ours, {failed["distribution"]: failed for failed in said["failed"]}


def test_all_parts_are_there_and_the_broken_plugin_is_told(harness):
    ours, failed = listing(harness("plugins", "list", "--json"))
    assert ours == OUR_PARTS
    broken = failed.pop("harness-broken")
    assert (broken["version"], broken["entry_point"]) == ("6.6.6", "broken")
    assert "a_library_that_nobody_has" in broken["error"]
    assert "a_library_that_nobody_has" in broken["hint"]
    assert failed == {}


def test_the_shipped_parts_are_the_same_with_and_without_them(harness):
    def shipped(**environment: str):
        offers = json.loads(harness("plugins", "list", "--json", **environment).stdout)["plugins"]
        return [offer for offer in offers if offer["distribution"] == "mdrl-harness"]

    assert shipped() == shipped(HARNESS_PLUGINS="mdrl-harness") != []


def test_plugins_can_be_left_out(harness):
    ours, failed = listing(harness("--without", "harness-broken", "plugins", "list", "--json"))
    assert (ours, failed) == (OUR_PARTS, {})
    ours, _ = listing(harness("plugins", "list", "--json", HARNESS_PLUGINS="mdrl-harness"))
    assert ours == set()


def test_strict_stops_at_the_broken_plugin(harness):
    done = harness("--strict-plugins", "plugins", "list", check=False)
    assert done.returncode == 3
    assert "harness-broken 6.6.6" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_tells_of_the_broken_plugin(harness):
    done = harness("doctor", "--json", check=False)
    assert done.returncode == 3
    findings = json.loads(done.stdout)
    assert findings["plugins"]["loaded"] == {"harness-reversal": "0.3.0", "mdrl-harness": __version__}


def test_a_plugin_shows_its_config(harness):
    [recovery] = json.loads(harness("plugins", "show", "midpoint", "--json").stdout)
    assert recovery["config"]["properties"]["share"]["default"] == 0.5
    assert recovery["identity"].startswith("harness-reversal:midpoint@0.3.0+src.")


@pytest.mark.parametrize("name", ["reversal", "reversed-digits", "midpoint", "tsv"])
def test_the_new_parts_keep_their_contracts(harness, name):
    assert "kept" in harness("plugins", "check", name).stdout


def test_a_protocol_with_the_new_parts_is_valid(harness):
    assert harness("validate", "reversal").returncode == 0


def test_a_wrong_setting_of_a_new_part_is_told(harness, tmp_path):
    text = (PROJECTS / "harness-reversal" / "harness_reversal" / "reversal.yaml").read_text()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("share: 0.5", "shaer: 0.5"))
    done = harness("validate", wrong, check=False)
    assert done.returncode == 2
    assert "shaer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_with_the_new_parts_from_protocol_to_table(harness, tmp_path):
    harness("run", "reversal", "-o", tmp_path / "runs")
    [run_folder] = [path.parent for path in (tmp_path / "runs").glob("*/leaderboard.json")]
    record = json.loads((run_folder / "leaderboard.json").read_text())
    recoveries = {row["method"]: row["recovery"] for row in record["rows"]}
    assert recoveries["midpoint"]["target"] == "reversal"
    assert recoveries["midpoint"]["config"] == {"share": 0.5}
    assert recoveries["sequential"] is None
    table = tmp_path / "table.tsv"
    harness("leaderboard", "export", run_folder, "-f", "tsv", "-o", table)
    header, *rows = [line.split("\t") for line in table.read_text().splitlines()]
    assert header == ["method", "reversal", "math"]
    scores = {row[0]: [float(cell) for cell in row[1:]] for row in rows}
    assert {"sequential", "midpoint"} <= set(scores)
    assert all(0 <= score <= 100 for row in scores.values() for score in row)
