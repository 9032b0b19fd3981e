"""Missing files and packages are reported when a protocol is read, all at once and with lines."""

import sys

import pytest

from harness import Algorithm, AlgorithmSpec, PluginError, hookimpl
from harness.errors import ExitCode, ProtocolError
from harness.plugin.config import faults_in
from harness.plugin.load_reference import check_reference
from harness.plugin.registry import Registry
from harness.protocol import load_protocol
from harness.training import PolicyGradientConfig

PROTOCOL = """\
schema: 1
name: p
model: {use: lab-tiny}
domains:
  m: {use: lab-math}
  j: {use: jsonl, data_files: nowhere.jsonl, test_files: [this.jsonl, that.jsonl]}
train: {with: grpo, trl: {use_vllm: true}}
methods:
  a: [m, {train: j, with: rloo, trl: {report_to: [wandb]}}]
"""


@pytest.fixture
def absent(monkeypatch):
    """Makes the optional packages look as if they were not installed."""
    installed = {"vllm", "wandb", "tensorboard", "bitsandbytes", "deepspeed", "peft", "liger_kernel", "torchao"}

    def find_spec(name):
        return None if name in installed else object()

    monkeypatch.setattr("harness.plugin.config.find_spec", find_spec)


def read(tmp_path, text):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    return load_protocol(path, Registry.discover())


def test_all_that_is_missing_is_told_with_its_line(tmp_path, absent):
    protocol = read(tmp_path, PROTOCOL)
    with pytest.raises(ProtocolError) as raised:
        protocol.check_here()
    told = {(problem.line, problem.key): problem.message for problem in raised.value.problems}
    assert set(told) == {
        (6, "domains.j.data_files"),
        (6, "domains.j.test_files"),
        (7, "train.trl.use_vllm"),
        (9, "methods.a[1].trl.report_to"),
    }
    assert "nowhere.jsonl" in told[6, "domains.j.data_files"]
    assert len([p for p in raised.value.problems if p.key == "domains.j.test_files"]) == 2
    assert raised.value.exit_code == 2


def test_faults_of_the_protocol_are_told_together_with_them(tmp_path, absent):
    with pytest.raises(ProtocolError) as raised:
        read(tmp_path, PROTOCOL.replace("[m, {train: j,", "[n, {train: j,"))
    keys = {problem.key for problem in raised.value.problems}
    assert {"methods.a[0]", "domains.j.data_files", "train.trl.use_vllm"} <= keys


@pytest.mark.parametrize(
    ("settings", "packages"),
    [
        ({"trl": {"use_vllm": True}}, ["vllm"]),
        ({"trl": {"use_vllm": False, "report_to": "none"}}, []),
        ({"trl": {"report_to": "wandb"}}, ["wandb"]),
        ({"trl": {"report_to": ["tensorboard", "wandb"]}}, ["tensorboard", "wandb"]),
        ({"trl": {"optim": "adamw_bnb_8bit"}}, ["bitsandbytes"]),
        ({"trl": {"optim": "paged_lion_32bit"}}, ["bitsandbytes"]),
        ({"trl": {"optim": "adamw_torch_8bit"}}, ["torchao"]),
        ({"trl": {"optim": "adamw_torch"}}, []),
        ({"trl": {"deepspeed": "zero.json"}}, ["deepspeed"]),
        ({"trl": {"use_liger_kernel": True}}, ["liger_kernel"]),
        ({"lora": {}}, ["peft"]),
    ],
)
def test_settings_and_the_packages_that_they_need(absent, settings, packages):
    problems = list(faults_in(PolicyGradientConfig(**settings)))
    assert [problem.message.split("package ")[1].split(",")[0] for problem in problems] == packages


def test_keys_of_inner_configs_are_seen_from_the_outer_one():
    from harness_domains.open_ended.chat import ChatConfig

    config = ChatConfig(judge={"model": "m", "api_key_variable": "NO_SUCH_VARIABLE"}, data_files=("a.jsonl",))
    assert {problem.key for problem in faults_in(config)} == {"data_files", "judge.api_key_variable"}


SOURCE = """
import json as data
try:
    import tomllib
except ImportError:
    tomllib = None
LIMIT: int = 3
first, (second, *rest) = 1, (2, 3)
if LIMIT:
    class Inner: ...
def trains(): ...
raise RuntimeError("imported")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "late_module.py").write_text(SOURCE)
    (tmp_path / "late_open.py").write_text("from os import *\n")


@pytest.mark.parametrize("name", ["data", "tomllib", "LIMIT", "first", "second", "rest", "Inner", "trains"])
def test_what_a_module_defines_is_found_without_importing_it(module, name):
    check_reference(f"late_module:{name}")
    check_reference(f"late_open:{name}")  # its source does not tell
    assert "late_module" not in sys.modules


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("late_module:train", "does not define train"),
        ("late_modul:trains", "no module late_modul"),
        ("late_module.inner:trains", "late_module"),
    ],
)
def test_a_misspelt_load_is_told(module, reference, message):
    with pytest.raises(PluginError, match=message):
        check_reference(reference)


def test_a_misspelt_load_is_a_fault_of_the_protocol_that_uses_it(tmp_path, monkeypatch):
    class Misspelt:
        @hookimpl
        def harness_algorithms(self):
            yield AlgorithmSpec(name="mine", summary="-", load="harness.plugin.interfaces:Algoritm")
            yield AlgorithmSpec(name="whole", summary="-", load=Algorithm)

    lab = Registry.discover()
    registry = Registry([*(plugin.source for plugin in lab._plugins), *_sources(Misspelt())])
    path = tmp_path / "p.yaml"
    path.write_text(
        "schema: 1\nname: p\nmodel: {use: lab-tiny}\ndomains: {m: {use: lab-math}}\n"
        "train: {with: mine}\nmethods:\n  a: [m]\n"
    )
    with pytest.raises(ProtocolError) as raised:
        load_protocol(path, registry)
    [problem] = raised.value.problems
    assert problem.line == 5
    assert "did you mean Algorithm?" in problem.hint
    path.write_text(path.read_text() + "seeds: x\n")
    with pytest.raises(ProtocolError) as beside_another:
        load_protocol(path, registry)
    assert len(beside_another.value.problems) == 2
    assert beside_another.value.exit_code == raised.value.exit_code == ExitCode.USAGE


def _sources(plugin):
    return [loaded.source for loaded in Registry.of([("misspelt", plugin)])._plugins]
