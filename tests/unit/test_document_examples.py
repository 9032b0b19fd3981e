"""Every example in the documents is executed: protocols are read whole, Python blocks and commands run.

An example that stands for more than it shows gets it from here: fragments of a protocol are completed, placeholders
such as RUN are filled in, and what cannot run in a test is listed with its reason.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from fake_run import make_leaderboard
from test_documents import ROOT, blocks, named_files
from typer.testing import CliRunner

from harness.cli import app
from harness.plugin.registry import Registry
from harness.protocol import load_protocol
from harness.testing import check_offer
from harness.testing.tiny_world import tiny_checkpoint, tiny_lineage

DOCUMENTS = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "plugins").glob("*/README.md")),
)
LAB = ROOT / "plugins" / "harness_lab" / "lab.yaml"
COMMIT = "c" * 40

NOT_RUN = {
    "harness run my.yaml": "my.yaml is the reader's",
    "harness preview my.yaml": "my.yaml is the reader's",
    "harness plan my.yaml": "my.yaml is the reader's",
    "harness prefetch my.yaml": "my.yaml is the reader's",
    "harness predict PROTOCOL": "samples 1,024 completions a domain; tests/unit/test_cli_predict.py runs it",
    "harness prefetch lab": "draws all of the lab's data; tests/end_to_end/test_prefetch.py runs it",
    "harness export RUN re-math FOLDER": "tests/unit/test_cli_export.py runs it on a stored checkpoint",
    "harness store prune -o RUNS --keep RUN": "removes results; tests/unit/test_cli_store.py runs it",
    "harness report RUN": "draws all figures; tests/unit/test_report.py runs it",
    "harness show RUN --probes": "the run here has no probes; tests/unit/test_cli_probes.py runs it",
    "harness run with-sums.yaml": "tests/unit/test_jsonl_readme.py runs it",
}


def fragments() -> list[Any]:
    """Returns every YAML document that is shown, with where it stands."""
    found = []
    for document in DOCUMENTS:
        shown = named_files(document.read_text())
        for block in blocks(document.read_text(), "yaml"):
            if block in shown.values():
                continue  # a file of the complete plugin
            parts = re.split(r"^---\n", block, flags=re.MULTILINE)
            found += [pytest.param(part, id=f"{document.relative_to(ROOT)}-{len(found)}") for part in parts]
    return found


def completed(text: str, before: dict[str, Any]) -> dict[str, Any]:
    """Returns a whole protocol that holds what is shown; keys of a domain alone are added to the domain `before`."""
    shown = yaml.safe_load(re.sub(r"<(a )?commit>", COMMIT, text))
    if "schema" in shown:
        return shown
    whole = yaml.safe_load(LAB.read_text())
    sections = {"allow", "domains", "launch", "methods", "model", "probes", "train"}
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


@pytest.mark.parametrize("text", fragments())
def test_a_shown_protocol_is_read_whole(text: str, registry: Registry, tmp_path: Path) -> None:
    if "use: reasoning-gym" in text:
        pytest.importorskip("reasoning_gym")
    before: dict[str, Any] = {}
    for document in DOCUMENTS:  # keys of a domain follow the domain in the same document
        if text in document.read_text():
            first = yaml.safe_load(blocks(document.read_text(), "yaml")[0].split("---")[0].replace("<commit>", COMMIT))
            before = first if "domains" in first else {}
    path = tmp_path / "shown.yaml"
    path.write_text(yaml.safe_dump(completed(text, before), sort_keys=False))
    assert load_protocol(path, registry).methods


def python_blocks() -> list[Any]:
    found = []
    for document in DOCUMENTS:
        shown = named_files(document.read_text())
        for block in blocks(document.read_text(), "python"):
            if block not in shown.values() and "harness_reversal" not in block:
                found.append(pytest.param(block, id=f"{document.relative_to(ROOT)}-{len(found)}"))
    return found


@pytest.mark.parametrize("block", python_blocks())
def test_a_shown_python_block_runs(block: str, tmp_path: Path) -> None:
    context = None
    if re.search(r"^(now|with|context)\b.*context\.", block, re.MULTILINE):
        lineage = tiny_lineage(tmp_path)
        context = SimpleNamespace(
            checkpoint=lineage[-1].folder, peak_checkpoint=lineage[1].folder, output=tmp_path / "output"
        )
    names: dict[str, Any] = {"context": context, "__name__": "shown"}
    exec(compile(block, "shown", "exec", dont_inherit=True), names)
    if context is not None:
        assert (context.output / "model.safetensors").is_file()
    if ("@hookimpl" in block or "@harness." in block) and "srun" not in block:  # srun is a cluster's
        check_shown_plugin(names, tmp_path)


def check_shown_plugin(names: dict[str, Any], folder: Path) -> None:
    """Checks what the names of a block offer by the contracts of their kinds."""
    registry = Registry.of([("shown", SimpleNamespace(**names))])
    assert registry.failures == []
    small = {"steps": 1, "prompts_per_step": 2, "generations": 2}
    for offer in registry.all():
        keys = {key: value for key, value in small.items() if key in offer.config_type().model_fields}
        if offer.kind == "model":
            keys["place"] = tiny_checkpoint(folder / "model")
            (folder / "model" / "VERSION").write_text("1")
        check_offer(offer, registry, folder / offer.name, keys)


def commands() -> list[str]:
    """Returns every shown command of the harness, without its comment."""
    found = []
    for document in DOCUMENTS:
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL):
            if language not in ("", "console", "sh"):
                continue
            found += re.findall(r"^(?:\$ )?(harness [^#\n]*?) *(?:#.*)?$", block, re.MULTILINE)
    return sorted(set(found))


def test_every_command_that_is_not_run_is_shown() -> None:
    shown = set(commands()) | {"harness run with-sums.yaml"}
    assert set(NOT_RUN) <= shown


@pytest.mark.parametrize("command", [command for command in commands() if command not in NOT_RUN])
def test_a_shown_command_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    _, run = make_leaderboard(runs, seeds=(0, 1), shift=lambda seed: 0.01 * seed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RUNS", str(runs))
    row = {"prompt": "6 × 7?", "completion": "\\boxed{42}", "answer": "42"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    filled = {"RUN": str(run), "RUNS": str(runs), "FOLDER": str(tmp_path / "folder"), "A": "sequential", "B": "re-math"}
    words = [filled.get(word, word) for word in shlex.split(command)[1:]]
    if words[0] == "run":
        words.append("--dry-run")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
