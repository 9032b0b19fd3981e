"""The complete plugin of docs/how-to/plugins/package.md works as shown, and every link between documents exists."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from document_snippets import pages

from generated import pages as generated_pages
from harness import RewardBatch
from harness.planning.planner import make_plan
from harness.plugin.registry import Registry
from harness.protocol import load_protocol
from harness.testing import check_offer

ROOT = Path(__file__).parents[2]
PACKAGE_PAGE = (ROOT / "docs" / "how-to" / "plugins" / "package.md").read_text()
SHIPPED = (
    "harness_lab",
    "harness_algorithms.grpo",
    "harness_recoveries.refresh",
    "harness_recoveries.rollback",
    "harness_models.pretrained",
    "harness_probes",
)


def blocks(text: str, language: str) -> list[str]:
    """Returns the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def named_files(text: str) -> dict[str, str]:
    """Returns the files that a document shows: each block under a line that begins with a path in backquotes."""
    found = re.findall(r"^`([\w./-]+)`[^\n]*\n(?:[^`\n][^\n]*\n)*```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return dict(found)


def registry_with(*further: tuple[str, ModuleType]) -> Registry:
    return Registry.of([*((name, importlib.import_module(name)) for name in SHIPPED), *further])


@pytest.fixture
def reversal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Yields the complete example of docs/how-to/plugins/package.md, written out and imported."""
    files = named_files(PACKAGE_PAGE)
    assert len(files) == 8
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("harness_reversal")
    for name in [name for name in sys.modules if name.partition(".")[0] == "harness_reversal"]:
        del sys.modules[name]


def test_the_complete_plugin_is_registered_and_rewards(reversal: ModuleType) -> None:
    registry = registry_with(("harness-reversal", reversal))
    assert not registry.failures
    found = registry.find("domain", "reversal")
    domain = found.build(found.config_type()(length=3))
    rows = [dict(row) for row in domain.training_data(0).select(range(2))]
    reward = registry.find("reward", found.spec.reward)
    batch = RewardBatch(prompts=[row["prompt"] for row in rows], completions=[rows[0]["word"][::-1], "no"], rows=rows)
    results = reward.build(reward.config_type()()).score(batch)
    assert [result.value for result in results] == [1.0, 0.0]


def test_the_complete_plugins_task_is_lm_evals(reversal: ModuleType) -> None:
    from lm_eval.tasks import TaskManager

    found = registry_with(("harness-reversal", reversal)).find("domain", "reversal")
    domain = found.build(found.config_type()())
    manager = TaskManager(include_path=str(domain.task_folder()), include_defaults=False)
    for wanted in domain.evaluation_tasks():
        task = manager.load(wanted.task)["tasks"][wanted.task]
        document = task.test_docs()[0]
        assert task.doc_to_target(document).strip() == document["word"][::-1]
        assert set(task.higher_is_better()) == {wanted.metric}


def test_the_complete_plugins_recovery_writes_the_mean(reversal: ModuleType, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from harness import LineageEntry, RecoveryContext

    lineage = []
    for step, value in enumerate((0.0, 4.0, 8.0)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        save_file({"weight": torch.full((3,), value)}, folder / "model.safetensors")
        lineage.append(LineageEntry(step=step, label=str(step), domains=(), folder=folder))
    output = tmp_path / "output"
    output.mkdir()
    context = RecoveryContext(
        lineage=lineage, target="reversal", peak=1, domains={}, output=output, scratch=tmp_path,
        metrics=tmp_path / "metrics.jsonl", seed=0, progress=lambda *_: None,
    )  # fmt: skip
    found = registry_with(("harness-reversal", reversal)).find("recovery", "midpoint")
    found.build(found.config_type()()).recover(context)
    assert load_file(output / "model.safetensors")["weight"].tolist() == [6.0, 6.0, 6.0]


@pytest.mark.parametrize(
    ("kind", "name"), [("domain", "reversal"), ("reward", "reversed-word"), ("recovery", "midpoint")]
)
def test_the_complete_plugin_keeps_its_contracts(reversal: ModuleType, kind: str, name: str, tmp_path: Path) -> None:
    registry = registry_with(("harness-reversal", reversal))
    folder = tmp_path / "work"
    folder.mkdir()
    check_offer(registry.find(kind, name), registry, folder)


def test_the_complete_plugins_protocol_is_planned(reversal: ModuleType) -> None:
    registry = registry_with(("harness-reversal", reversal))
    text = (Path(reversal.__file__ or "").parent / "reversal.yaml").read_text()
    path = Path(reversal.__file__ or "").parent / "here.yaml"
    path.write_text(re.sub(r"^requires: .*\n", "", text, flags=re.MULTILINE))  # in this registry all versions are 0
    plan = make_plan(load_protocol(path, registry), registry)
    assert [method.name for method in plan.methods] == ["sequential", "midpoint"]


def test_links_between_documents_lead_somewhere() -> None:
    generated = {ROOT / "docs" / place for place in generated_pages()}
    for document in pages():
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", document.read_text()):
            path = document.parent / target
            assert path.exists() or Path(os.path.normpath(path)) in generated, f"{document} links to {target}"
