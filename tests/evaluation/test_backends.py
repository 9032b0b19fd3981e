"""The arguments of lm-eval's model classes, and that scoring frees its memory."""

import json
import os

import pytest

from harness.errors import StepFailed
from harness.evaluation import language_models, own_process
from harness.evaluation.command import lm_eval_commands
from harness.evaluation.language_models import model_arguments, release_models
from harness.evaluation.lm_eval import evaluate_checkpoint
from harness.plugin.interfaces import TaskSet
from harness.protocol.backends import BACKENDS, DEFAULT_SERVE, signature
from harness.protocol.evaluation_settings import EvaluationSettings
from harness_lab.domains import LabDomainConfig, MathDomain
from harness_lab.model import FOLDER

DOMAIN = MathDomain(LabDomainConfig())
PASSED_ON = {"sglang": {"random_seed"}}  # to the engine, by the class's **kwargs


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("name", BACKENDS)
def test_every_argument_is_one_of_lm_evals_class(name, chat):
    settings = EvaluationSettings(backend=name, chat_template=chat)
    arguments = model_arguments(settings, "folder", "</think>")
    of_chat = {"think_end_token"} if name == "openai" else set()
    assert set(arguments) <= signature(name) | PASSED_ON.get(name, set()) | of_chat
    assert ("think_end_token" in arguments) == (name != "openai" or chat)  # completions are cut by the harness


def test_the_seed_batch_size_and_own_arguments_reach_vllm():
    settings = EvaluationSettings(backend="vllm", seed=7, batch_size=64, args={"tensor_parallel_size": 2})
    assert model_arguments(settings, "m", None) == {
        "pretrained": "m",
        "batch_size": 64,
        "seed": 7,
        "tensor_parallel_size": 2,
    }


def rows(folder, **settings):
    folder.mkdir()
    evaluate_checkpoint(FOLDER, TaskSet.of(DOMAIN), EvaluationSettings(limit=16, batch_size=8, **settings), folder)
    return json.loads((folder / "rows.json").read_text())


def test_arguments_reach_the_class_of_hf(tmp_path):
    assert rows(tmp_path / "a", args={"max_length": 128}) == rows(tmp_path / "b")
    with pytest.raises(AssertionError, match="Invalid configuration"):
        rows(tmp_path / "c", args={"max_length": 4})
    release_models()
    assert not language_models._loaded


def test_the_command_names_the_backend_and_its_server():
    settings = EvaluationSettings(backend="openai", serve=DEFAULT_SERVE, batch_size=1, args={"num_concurrent": 2})
    (command,) = lm_eval_commands(DOMAIN, settings, model="m")
    assert "# the server: transformers serve m --host 127.0.0.1 --port 8000\n" in command
    assert "--model local-completions" in command and '"num_concurrent": 2' in command and "/v1/completions" in command
    (command,) = lm_eval_commands(DOMAIN, EvaluationSettings(backend="vllm", args={"dtype": "float16"}))
    assert '--model vllm --model_args \'{"dtype": "float16", "pretrained": "."' in command


def refuse(text):
    raise StepFailed(text, hint="none")


def write_pid(path):
    path.write_text(str(os.getpid()))


def die():
    os._exit(3)


def test_a_scoring_process_is_kept_until_its_memory_is_wanted(tmp_path):
    pids = []
    for name in ("a", "b"):
        own_process.in_own_process(write_pid, tmp_path / name)
        pids.append(int((tmp_path / name).read_text()))
    assert pids[0] == pids[1] != os.getpid()
    release_models()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_scoring_process_tells_its_error_and_its_death():
    with pytest.raises(StepFailed, match=r"no luck\n.*none"):
        own_process.in_own_process(refuse, "no luck")
    with pytest.raises(StepFailed, match="the process that scores ended"):
        own_process.in_own_process(die)
    assert not own_process._processes
