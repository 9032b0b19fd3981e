"""The backends that generate the answers to score: lm-eval's model classes, and the arguments that they take.

Arguments are checked against the source of lm-eval's classes, which is read and not imported: lm-eval takes seconds to
import, and its classes for vLLM and SGLang cannot be imported without these.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import Problem
from harness.protocol.faults import Faults, near_match

MODEL, PORT = "{model}", "{port}"
"""What a `serve` command contains in place of the checkpoint's folder and of a free port."""

TRANSFORMERS_SERVE = ("transformers", "serve")
DEFAULT_SERVE = (*TRANSFORMERS_SERVE, MODEL, "--host", "127.0.0.1", "--port", PORT)

_SET_ELSEWHERE = {
    "pretrained": "it is the checkpoint that is scored",
    "model": "it is the checkpoint that is scored",
    "batch_size": "set evaluate.batch_size",
    "seed": "set evaluate.seed",
    "random_seed": "set evaluate.seed",
    "think_end_token": "set evaluate.think_end",
}
_SECRET = "set OPENAI_API_KEY in the environment: a protocol is stored with its run"


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A backend. classes: (file, class) of lm-eval's model class and of its bases. passed_on: (package, file, class) of
    what takes the other arguments. packages: what it needs beside lm-eval. install: the requirement that brings them.
    further: arguments that are in no signature. refused: arguments that are not set by `args`, with the reason.
    unkeyed: arguments that do not affect results."""

    classes: Sequence[tuple[str, str]]
    packages: Sequence[str] = ()
    install: str = ""
    passed_on: tuple[str, str, str] | None = None
    further: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    unkeyed: frozenset[str] = frozenset()


BACKENDS: Mapping[str, Backend] = {
    "hf": Backend(
        classes=[("huggingface", "HFLM")],
        further=frozenset({"attn_implementation", "quantization_config"}),  # of transformers' from_pretrained
    ),
    "vllm": Backend(
        classes=[("vllm_causallms", "VLLM")],
        packages=["vllm"],
        install="lm-eval[vllm]",
        passed_on=("vllm", "engine/arg_utils.py", "EngineArgs"),
    ),
    "sglang": Backend(
        classes=[("sglang_causallms", "SGLangLM")],
        packages=["sglang"],
        install="sglang",
        passed_on=("sglang", "srt/server_args.py", "ServerArgs"),
    ),
    "openai": Backend(
        classes=[("openai_completions", "LocalCompletionsAPI"), ("api_models", "TemplateAPI")],
        packages=["aiohttp", "requests", "tenacity", "tqdm"],
        install="mdrl-harness[serve]",
        refused={
            "tokenizer_backend": "the tokenizer is the checkpoint's",
            "tokenized_requests": "prompts are sent as text",
            "header": _SECRET,
            "auth_token": _SECRET,
        },
        unkeyed=frozenset({"base_url", "timeout", "max_retries", "verify_certificate", "ca_cert_path"}),
    ),
}

_SERVER_PACKAGES = ("fastapi", "openai", "uvicorn")
"""What `transformers serve` needs."""


def check_backend(section: Mapping[str, Any], faults: Faults) -> None:
    """Records the faults of the section `evaluate` that concern its backend, and the packages that are missing here.

    section: of a protocol file with the right types."""
    name, args, serve = section.get("backend", "hf"), section.get("args", {}), section.get("serve")
    for argument, message, hint in _argument_faults(name, args):
        faults.add(("evaluate", "args", argument), message, hint)
    if name == "openai":
        _check_server(section, args, serve, faults)
    elif serve is not None:
        faults.add(("evaluate", "serve"), f"the backend {name} starts no server", "set backend to openai")
    missing = _missing(BACKENDS[name].packages)
    if missing:
        problem = Problem(
            message=f"the backend {name} needs {' and '.join(missing)}, not installed here",
            hint=f"pip install '{BACKENDS[name].install}'",
        )
        faults.add_unmet(("evaluate", "backend"), problem)


def _check_server(section: Mapping[str, Any], args: Mapping[str, Any], serve: Any, faults: Faults) -> None:
    if "batch_size" in section:
        hint = "remove it, and send several requests at once with args: {num_concurrent: 8}"
        faults.add(("evaluate", "batch_size"), "the backend openai sends one prompt with each request", hint)
    if "base_url" in args:
        if serve is not None:
            hint = "remove one of them"
            faults.add(("evaluate", "serve"), "args.base_url names a server, and serve starts one", hint)
        elif not str(args["base_url"]).startswith(("http://", "https://")):
            hint = "write it like http://127.0.0.1:8000/v1"
            faults.add(("evaluate", "args", "base_url"), f"{args['base_url']!r} is not the URL of a server", hint)
        return
    command = DEFAULT_SERVE if serve is None else tuple(serve)
    for mark, meaning in ((MODEL, "the checkpoint's folder"), (PORT, "a free port")):
        if not any(mark in word for word in command):
            hint = f"write it like [{', '.join(DEFAULT_SERVE)}]"
            faults.add(("evaluate", "serve"), f"lacks {mark}, which stands for {meaning}", hint)
    missing = _missing(_SERVER_PACKAGES) if is_transformers_serve(command) else []
    if missing:
        problem = Problem(
            message=f"`transformers serve` needs {' and '.join(missing)}, not installed here",
            hint=f"pip install '{BACKENDS['openai'].install}'",
        )
        faults.add_unmet(("evaluate", "serve"), problem)


def is_transformers_serve(command: Sequence[str]) -> bool:
    """Returns whether a `serve` command is `transformers serve`, whose requests and limits differ from the others."""
    return len(command) > 1 and Path(command[0]).name == TRANSFORMERS_SERVE[0] and command[1] == TRANSFORMERS_SERVE[1]


def _missing(packages: Sequence[str]) -> list[str]:
    return [package for package in packages if find_spec(package) is None]


def _argument_faults(name: str, args: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yields (argument, message, hint) for each argument that the backend does not take."""
    if not args:
        return
    backend = BACKENDS[name]
    refused = _SET_ELSEWHERE | dict(backend.refused)
    named = signature(name)
    passed_on = _fields(*backend.passed_on) if backend.passed_on is not None else frozenset()
    known = (named | passed_on | backend.further) - refused.keys()
    for argument in args:
        if argument in refused:
            yield argument, "is not set here", refused[argument]
        elif argument not in known and (backend.passed_on is None or passed_on):
            yield argument, f"the backend {name} has no argument {argument!r}", near_match(argument, known)
        elif argument not in known and (near := near_match(argument, known)).startswith("did you mean"):
            yield argument, f"the backend {name} has no argument {argument!r}", near


def signature(name: str) -> frozenset[str]:
    """Returns the named arguments of a backend's class and its bases in the installed lm-eval."""
    found: set[str] = set()
    for file, class_name in BACKENDS[name].classes:
        body = _class_body("lm_eval", f"models/{file}.py", class_name)
        for function in body:
            if isinstance(function, ast.FunctionDef) and function.name == "__init__":
                arguments = function.args
                found.update(one.arg for one in (*arguments.args, *arguments.kwonlyargs) if one.arg != "self")
    return frozenset(found)


def _fields(package: str, file: str, class_name: str) -> frozenset[str]:
    """Returns the annotated fields of a class, empty if its package is not installed."""
    body = _class_body(package, file, class_name)
    return frozenset(
        statement.target.id
        for statement in body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    )


def _class_body(package: str, file: str, class_name: str) -> list[ast.stmt]:
    spec = find_spec(package)
    for root in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(root) / file
        tree = ast.parse(path.read_bytes()) if path.is_file() else ast.Module([], [])
        for statement in tree.body:
            if isinstance(statement, ast.ClassDef) and statement.name == class_name:
                return statement.body
    return []
