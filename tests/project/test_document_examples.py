"""Every snippet of the documentation is run or checked: protocols are read whole, Python and commands are executed.

A snippet that stands for more than it shows gets it from here: fragments of a protocol are completed, placeholders such
as RUN are filled in. What cannot run in a test is listed in `NOT_RUN` and `NOT_CHECKED` with the reason.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from document_snippets import ROOT, Command, Snippet, commands, pages, snippets
from fake_run import make_leaderboard
from sample_world import sampled_run
from typer.testing import CliRunner

from harness.cli import app
from harness.plugin.registry import Registry
from harness.protocol import load_protocol
from harness.testing import check_offer
from harness.testing.tiny_world import tiny_checkpoint, tiny_lineage

LAB = ROOT / "plugins" / "harness_lab" / "lab.yaml"
COMMIT = "c" * 40
COMPLETE_PLUGIN = "docs/how-to/plugins/package.md"
SNIPPETS = [snippet for page in pages() for snippet in snippets(page)]
COMMANDS = [command for snippet in SNIPPETS if snippet.language == "console" for command in commands(snippet)]

OBSERVERS = "tests/plugins/observers runs it, where the packages are installed"
STATUS = "needs a run with a plan; tests/cli/test_cli_status.py runs it"
CURVES = "needs a run with `every`; tests/end_to_end/test_states.py runs it"
NETWORK, SERVER, MINE = "needs the network", "starts a server", "my.yaml is the reader's"
BY_HAND = "loads a model; benchmarks/lm_eval_agreement.py runs lm-eval by hand"
SCAN = "trains a real model; tests/plugins/smollm/test_smollm_scan.py looks at what it reads"
WEIGHTS = "needs the package of the weights; tests/plugins/smollm/test_smollm_protocols.py plans it"
NOT_RUN = {
    "make demo": "takes ten minutes; a fresh clone is tested with it",
    "make docs": NETWORK + "; tests/project/test_site.py builds the site",
    "make figures": "needs .venv; tests/project/test_site.py draws the figures",
    ".venv/bin/mkdocs serve": SERVER,
    "vllm serve Qwen/Qwen3-32B --port 8000": SERVER + ", on a GPU",
    "python benchmarks/smollm_scan.py -o scans --learning-rate 1e-4 --steps 30 --order math,qa,writing,code": SCAN,
    "python benchmarks/smollm_scan.py -o scans --protocol smollm-lora --learning-rate 1e-3": SCAN,
    "make smollm": NETWORK + ", and trains long; tests/end_to_end/test_smollm.py runs it in small",
    "pip install --editable .": NETWORK + "; the page's plugin is put on the path instead",
    "pip install 'mdrl-harness[ifollow]'": NETWORK,
    "mkdir runs && chgrp lab runs && chmod 2775 runs": "needs a group `lab`",
    "pip install 'mdrl-harness[tensorboard]'": NETWORK,
    "tensorboard --logdir runs/lab-1a2b3c/tensorboard": SERVER,
    "harness run lab --observer tensorboard": OBSERVERS,
    "harness watch lab --observer trackio": OBSERVERS,
    "harness status lab": STATUS,
    "harness watch lab": STATUS,
    "harness samples lab sequential --step 3 --domain math": "needs a run of the lab; tests/cli/test_cli_samples.py",
    "harness show RUN --curves": CURVES,
    "harness show RUN --curves --json": CURVES,
    "cat rows.jsonl": "its output is the file, which the next command reads",
    "python -m harness_domains.reasoning_gym.task_file leg_counting FOLDER": "reasoning-gym is an optional package",
    "harness validate my.yaml": MINE,
    "harness plan my.yaml": MINE,
    "harness prefetch my.yaml": MINE,
    "harness validate --deep my.yaml": MINE,
    "harness preview my.yaml": MINE,
    "harness run my.yaml": MINE,
    "harness run my.yaml --jobs 4": MINE,
    "harness run my.yaml --engine ray": MINE,
    "export HARNESS_RUNS=/shared/runs": "is for the reader's shell",
    "pip install 'mdrl-harness[ray]'": NETWORK,
    "pip install 'mdrl-harness[slurm]'": NETWORK,
    "harness predict PROTOCOL": "samples 1,024 completions per domain; tests/cli/test_cli_predict.py runs it",
    "harness predict lab-pairs --seeds 0,1,2 --check lab-pairs": "an hour; tests/cli/test_cli_predict.py runs it",
    "harness predict lab-recoveries --check lab-recoveries --check lab-recoveries-rotated --along sequential --pilot 3 "
    "--fit 0,1,2,3,7": "needs two runs of hours; tests/cli/test_cli_predict.py runs such a command",
    "harness predict lab-recoveries --completions 512 --pilot 3 --fit 0,1,2,3,7 --along sequential --along qa "
    "--along cw --check lab-recoveries --check lab-recoveries-rotated --check lab-pairs": "needs the three runs above",
    **{f"harness run {name} --seeds 0": WEIGHTS for name in ("smollm", "smollm-claims", "smollm-rounding")},
    "harness run smollm --seeds 0,1,2 --methods sequential,re-math,re-math-10,rollback,random-rollback,"
    "merge-uniform": WEIGHTS,
    "harness leaderboard add smollm -d leaderboards/smollm": "needs the run that the line above makes",
    "harness predict smollm --seeds 0 --along sequential --check smollm --completions 256": "hours, with a real model",
    "harness export RUN re-math FOLDER": "tests/cli/test_cli_export.py runs it on a stored checkpoint",
    "harness export RUN re-math --push ORG/NAME": "tests/api/test_hub_push.py runs it against a hub of its own",
    "harness leaderboard push ORG/NAME": "tests/api/test_hub_push.py runs it against a hub of its own",
    "harness store prune -o RUNS --keep RUN": "removes results; tests/cli/test_cli_store.py runs it",
    "harness report RUN": "draws all figures; tests/report/test_report.py runs it",
    "harness report lab": "draws all figures; tests/report/test_report.py runs it",
    "harness leaderboard add RUN": "tests/cli/test_cli_show.py runs it on a whole run",
    **{
        f"harness leaderboard add lab-{name} -d leaderboards/lab/{name}": "needs the run that the line above makes"
        for name in ("mechanism", "theory", "contraction", "rounding", "prevention")
    },
    "harness leaderboard validate FILE": "tests/cli/test_cli_show.py runs it",
    "harness leaderboard verify --complete FOLDER": "needs a run with samples; tests/verification runs it",
    "harness leaderboard rebuild FOLDER": "tests/results/test_leaderboard_rebuild.py runs it",
}
NOT_CHECKED = {
    ("docs/explanation/architecture.md", "cli"): "the order of packages, which import-linter checks",
    ("docs/explanation/architecture.md", "runs/"): "a picture of the store",
    ("docs/explanation/mechanism.md", "−g_A · δ − ½ · δᵀ · H_A · δ"): "a formula",
    ("docs/explanation/theory.md", "a(y) · π_θ(y) / π_A(y)"): "a formula",
    ("docs/explanation/theory.md", "−t · ∇R_A · δ − ½ · t² · δᵀ · ∇²R_A · δ"): "a formula",
    ("docs/how-to/curves.md", "import harness"): CURVES,
    (COMPLETE_PLUGIN, "harness-reversal/"): "a picture of the folder that test_documents.py writes",
    ("benchmarks/README.md", "$ sinfo"): "what a Slurm cluster printed",
    ("benchmarks/README.md", "$ squeue --array"): "what a Slurm cluster printed",
    ("docs/how-to/publish-site.md", "name: site"): "a workflow for GitHub, which runs it",
    ("docs/how-to/leaderboard-site.md", "name: leaderboards"): "a workflow for GitHub, which runs it",
    ("docs/how-to/verify.md", "name: records"): "a workflow for GitHub, which runs it",
}


def checked(*languages: str) -> list[Any]:
    """Returns the snippets of these languages as parameters, but those that are not checked."""
    known = [snippet for snippet in SNIPPETS if snippet.language in languages and not_checked(snippet) is None]
    return [pytest.param(snippet, id=snippet.place) for snippet in known]


def not_checked(snippet: Snippet) -> str | None:
    return NOT_CHECKED.get((snippet.page, snippet.text.splitlines()[0]))


def of_the_complete_plugin(snippet: Snippet) -> bool:
    """Returns whether test_documents.py writes this file out, imports it and runs its contracts."""
    return (snippet.page == COMPLETE_PLUGIN and bool(snippet.title)) or "import harness_reversal" in snippet.text


def write_files(page: str, folder: Path) -> None:
    """Writes the files that a page names into `folder`, and makes an installed distribution of its plugin."""
    for snippet in SNIPPETS:
        if snippet.page == page and snippet.title:
            path = folder / snippet.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(snippet.text)
    project = folder / "pyproject.toml"
    if project.is_file() and page != COMPLETE_PLUGIN:
        declared = tomllib.loads(project.read_text())["project"]
        about = folder / f"{declared['name'].replace('-', '_')}-{declared['version']}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: {declared['version']}\n"
        )
        [(group, names)] = declared["entry-points"].items()
        lines = [f"[{group}]", *(f"{name} = {module}" for name, module in names.items())]
        (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
        (about / "RECORD").write_text("".join(f"{module}.py,,\n" for module in names.values()))


def test_every_snippet_is_run_or_checked_or_listed_with_a_reason() -> None:
    languages = {"yaml", "python", "json", "toml", "console"}
    unknown = [one.place for one in SNIPPETS if one.language not in languages and not_checked(one) is None]
    assert not unknown, "give these blocks one of the languages that are checked, or a reason in NOT_CHECKED"
    stray = [one.place for one in SNIPPETS if one.language == "console" and not one.text.startswith("$ ")]
    assert not stray, "a console block begins with a command after `$ `"
    known = {(one.page, one.text.splitlines()[0]) for one in SNIPPETS}
    assert set(NOT_CHECKED) <= known


def test_every_command_that_is_not_run_is_shown_and_every_other_is_the_harness() -> None:
    lines = {command.line for command in COMMANDS}
    assert set(NOT_RUN) <= lines
    foreign = {line for line in lines - set(NOT_RUN) if not line.startswith("harness ")}
    assert {line for line in foreign if not line.startswith("lm-eval --model hf")} == set(), BY_HAND


def completed(text: str, before: dict[str, Any]) -> dict[str, Any]:
    """Returns a whole protocol that holds what is shown; keys of a domain alone are added to the domain `before`."""
    shown = yaml.safe_load(re.sub(r"<(a )?commit>", COMMIT, text))
    if "schema" in shown:
        return shown
    whole = yaml.safe_load(LAB.read_text())
    sections = {
        "allow",
        "domains",
        "engine",
        "evaluate",
        "launch",
        "methods",
        "metrics",
        "model",
        "observers",
        "probes",
        "resources",
        "train",
    }
    if set(shown) <= sections:
        part = shown
    elif set(shown) == {"reward"}:
        part = {"domains": {"cw": {"use": "lab-cw", **shown}}}
    elif all(isinstance(value, list) for value in shown.values()):
        part = {"methods": shown}
    elif all(isinstance(value, dict) and "use" in value for value in shown.values()):
        part = {"domains": shown}
    else:
        [(name, domain)] = before["domains"].items()
        part = {"domains": {name: {**domain, **shown}}}
    if "domains" in part and "methods" not in part:
        part["methods"] = {"all": [{"train": list(part["domains"])}]}
        part["train"] = {"with": "grpo", "steps": 1}
    return whole | {"allow": ["executes-code"]} | part


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover(only=["mdrl-harness"])


@pytest.mark.parametrize("snippet", [one for one in checked("yaml") if not of_the_complete_plugin(one.values[0])])
def test_a_shown_protocol_is_read_whole(
    snippet: Snippet, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "use: reasoning-gym" in snippet.text:
        pytest.importorskip("reasoning_gym")
    if snippet.title == "broken.yaml":
        pytest.skip("broken on purpose: the command below it shows how")
    write_files(snippet.page, tmp_path)
    if list(tmp_path.glob("*.dist-info")):
        monkeypatch.syspath_prepend(tmp_path)
        registry = Registry.discover()
    blocks = [one.text for one in SNIPPETS if one.page == snippet.page and one.language == "yaml"]
    first = yaml.safe_load(blocks[0].split("---")[0].replace("<commit>", COMMIT))
    before = first if "domains" in first else {}  # keys of a domain follow the domain on the same page
    for number, part in enumerate(re.split(r"^---\n", snippet.text, flags=re.MULTILINE)):
        path = tmp_path / f"shown-{number}.yaml"
        path.write_text(yaml.safe_dump(completed(part, before), sort_keys=False))
        assert load_protocol(path, registry).methods


def runs_elsewhere(snippet: Snippet) -> bool:
    """Returns whether another test runs this block, after those above it on its page."""
    return of_the_complete_plugin(snippet) or snippet.page == "docs/tutorial/python.md"  # end_to_end/test_python_api.py


@pytest.mark.parametrize("snippet", [one for one in checked("python") if not runs_elsewhere(one.values[0])])
def test_a_shown_python_block_runs(snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if "leaderboards/" in snippet.text:
        shutil.copytree(ROOT / "leaderboards", tmp_path / "leaderboards")
    context = None
    if re.search(r"^(now|with|context)\b.*context\.", snippet.text, re.MULTILINE):
        lineage = tiny_lineage(tmp_path)
        context = SimpleNamespace(
            checkpoint=lineage[-1].folder, peak_checkpoint=lineage[1].folder, output=tmp_path / "output"
        )
    names: dict[str, Any] = {"context": context, "__name__": "shown"}
    exec(compile(snippet.text, "shown", "exec", dont_inherit=True), names)
    if context is not None:
        assert (context.output / "model.safetensors").is_file()
    if ("@hookimpl" in snippet.text or "@harness." in snippet.text) and "srun" not in snippet.text:  # of a cluster
        check_shown_plugin(names, tmp_path)


def check_shown_plugin(names: dict[str, Any], folder: Path) -> None:
    """Checks what the names of a block offer by the contracts of their kinds."""
    registry = Registry.of([("shown", SimpleNamespace(**names))])
    assert registry.failures == []
    small = {"steps": 1, "prompts_per_step": 2, "generations": 2}
    for offer in registry.all():
        if offer.name == "letters":  # its data would come from the hub, its scores from a judge
            made = registry.build(offer, offer.config_type()(judge={"model": "judge"}))
            assert made.task_metadata()["open_ended"]["judge"]["rubric"].startswith("Is this a polite letter?")
            continue
        keys = {key: value for key, value in small.items() if key in offer.config_type().model_fields}
        if offer.kind == "model":
            keys["place"] = tiny_checkpoint(folder / "model")
            (folder / "model" / "VERSION").write_text("1")
        empty = folder / "checks" / offer.name
        empty.mkdir(parents=True)
        check_offer(offer, registry, empty, keys)


@pytest.mark.parametrize("snippet", checked("json"))
def test_shown_rows_are_json_lines(snippet: Snippet) -> None:
    assert all(isinstance(json.loads(line), dict) for line in snippet.text.splitlines())


@pytest.mark.parametrize("snippet", checked("toml"))
def test_a_shown_project_names_modules_that_the_page_shows(snippet: Snippet) -> None:
    entries = tomllib.loads(snippet.text)["project"]["entry-points"]["harness.plugins"]
    shown = {one.title for one in SNIPPETS if one.page == snippet.page}
    assert all({f"{module}.py", f"{module}/__init__.py"} & shown for module in entries.values())


def prepared(command: Command, folder: Path) -> list[str]:
    """Returns the words of a command with its placeholders filled in, and puts what it reads into `folder`."""
    write_files(command.snippet.page, folder)
    for before in commands(command.snippet):
        if before.line == "cat rows.jsonl":
            (folder / "rows.jsonl").write_text(before.output + "\n")
    if "leaderboards/" in command.line:
        shutil.copytree(ROOT / "leaderboards", folder / "leaderboards")
    filled: dict[str, str] = {}
    if not command.output:
        runs = folder / "runs"
        if "harness samples" in command.line:
            run = sampled_run(runs)
        else:
            _, run = make_leaderboard(runs, seeds=(0, 1), shift=lambda seed: 0.01 * seed)
        filled = {"RUN": str(run), "RUNS": str(runs), "FOLDER": str(run), "A": "sequential", "B": "re-math"}
        filled |= {"METHOD": "sequential", "RUN_A": str(run), "RUN_B": str(run)}
        if "harness show" in command.line:  # the name of a run that the reader has made before
            filled |= {"lab": str(run), "two-domains": str(run)}
    words = [filled.get(word, word) for word in shlex.split(command.line)[1:] if word != "RUN2"]
    return [*words, "--dry-run"] if words[0] == "run" else words


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, id=f"{command.snippet.place}: {command.line}")
        for command in {(command.line, command.output): command for command in COMMANDS}.values()
        if command.line.startswith("harness ") and command.line not in NOT_RUN
    ],
)
def test_a_shown_command_runs_and_prints_what_is_shown(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = prepared(command, tmp_path)
    if not command.output and not list(tmp_path.glob("*.dist-info")):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
        return
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert (done.returncode != 0) == command.output.startswith("error:"), printed
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    same = doctest.OutputChecker().check_output(command.output + "\n", printed, options)
    assert same or not command.output, printed
