"""The section `evaluate`: which backends, arguments and servers a protocol may name, and what they mean for keys."""

import importlib.util

import pytest
from small_world import PROTOCOL, small_world

from harness.errors import ProtocolError
from harness.planning.planner import make_plan
from harness.protocol import load_protocol
from harness.protocol.backends import BACKENDS, DEFAULT_SERVE, signature
from harness.protocol.evaluation_settings import EvaluationSettings


def loaded(folder, evaluate):
    path = folder / "p.yaml"
    path.write_text(PROTOCOL.replace("evaluate: {limit: 512, batch_size: 256}", f"evaluate: {evaluate}"))
    return load_protocol(path, small_world())


def told(folder, evaluate):
    with pytest.raises(ProtocolError) as error:
        loaded(folder, evaluate)
    return str(error.value)


@pytest.mark.parametrize(
    ("evaluate", "words"),
    [
        (
            "{backend: hf, args: {dtipe: float16}}",
            "args.dtipe: the backend hf has no argument 'dtipe'\n  → did you mean",
        ),
        ("{backend: vllm, args: {tensor_paralel_size: 2}}", "did you mean tensor_parallel_size"),
        ("{backend: openai, args: {num_concurent: 2}}", "did you mean num_concurrent"),
        ("{args: {batch_size: 4}}", "args.batch_size: is not set here\n  → set evaluate.batch_size"),
        ("{args: {pretrained: x}}", "it is the checkpoint"),
        ("{backend: openai, args: {auth_token: x}}", "OPENAI_API_KEY"),
        ("{backend: vlm}", "did you mean vllm?"),
        ("{backend: openai, batch_size: 4}", "sends one prompt with each request"),
        ("{backend: openai, serve: [a, '{model}']}", "lacks {port}"),
        ("{backend: openai, serve: [a, '{port}']}", "lacks {model}"),
        ("{serve: [a, '{port}', '{model}']}", "the backend hf starts no server"),
        (
            "{backend: openai, serve: [a, '{port}', '{model}'], args: {base_url: 'http://localhost/v1'}}",
            "serve starts one",
        ),
        ("{backend: openai, args: {base_url: h/v1}}", "not the URL of a server"),
    ],
)
def test_a_fault_is_told_with_its_key_before_anything_starts(tmp_path, evaluate, words):
    assert words in told(tmp_path, evaluate)


def test_a_missing_package_is_known_before_the_start_and_does_not_invalidate_the_protocol(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "harness.protocol.backends.find_spec", lambda name: None if name in ("vllm", "uvicorn") else found(name)
    )
    with pytest.raises(ProtocolError, match=r"vllm, not installed here\n.*pip install 'lm-eval\[vllm\]'"):
        loaded(tmp_path, "{backend: vllm}").check_here()
    with pytest.raises(ProtocolError, match=r"`transformers serve` needs uvicorn(.|\n)*mdrl-harness\[serve\]"):
        loaded(tmp_path, "{backend: openai}").check_here()
    loaded(tmp_path, "{backend: openai, serve: [mine, '{model}', '{port}']}").check_here()


def keys(folder, evaluate):
    return set(make_plan(loaded(folder, evaluate), small_world()).nodes)


def test_the_default_backend_is_in_no_key():
    assert EvaluationSettings(limit=4).definition() == {
        "limit": 4,
        "batch_size": 16,
        "seed": 0,
        "chat_template": None,
        "think_end": None,
    }


def test_scores_of_other_backends_have_other_keys_and_trainings_have_not(tmp_path):
    plain, served = keys(tmp_path, "{limit: 4}"), keys(tmp_path, "{limit: 4, backend: openai}")
    assert plain == keys(tmp_path, "{limit: 4, backend: hf}")
    plan = make_plan(loaded(tmp_path, "{limit: 4, backend: openai}"), small_world())
    assert {plan.nodes[key].kind for key in served - plain} == {"evaluate"}
    assert not plain & {key for by_domain in plan.evaluations.values() for key in by_domain.values()}
    assert served != keys(tmp_path, "{limit: 4, backend: openai, args: {num_concurrent: 4}}")
    assert served != keys(tmp_path, "{limit: 4, backend: openai, serve: [mine, '{model}', '{port}']}")


def test_where_a_server_is_and_how_long_to_wait_is_in_no_key(tmp_path):
    def at(host, timeout):
        return keys(tmp_path, f"{{backend: openai, args: {{base_url: 'http://{host}/v1', timeout: {timeout}}}}}")

    assert at("a", 1) == at("b", 2)


def test_the_server_of_a_checkpoint_is_transformers_serve_by_default(tmp_path):
    settings = loaded(tmp_path, "{backend: openai}").settings
    assert settings.serve == DEFAULT_SERVE and settings.batch_size == 1
    assert loaded(tmp_path, "{backend: openai, args: {base_url: 'http://localhost/v1'}}").settings.serve == ()


@pytest.mark.parametrize("name", BACKENDS)
def test_the_signature_of_lm_evals_class_is_found_in_its_source(name):
    assert {"hf": "parallelize", "vllm": "data_parallel_size", "sglang": "dp_size", "openai": "num_concurrent"}[
        name
    ] in signature(name)
