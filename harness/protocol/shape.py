"""The shape of a protocol file: its keys and their types, without the configs of plugins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from harness.plugin.config import Config
from harness.plugin.specs import Need

DEFAULT_MODEL = "pretrained"
DEFAULT_ALGORITHM = "grpo"
DEFAULT_COLUMN = "lm_eval"
"""The domain plugin of an evaluation-only column."""
BASE_METHOD = "base"
"""The method of a protocol without methods. It has no steps: only the base model is scored."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_+-]{0,63}$"


def _check_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(f"{name!r} is not a name: up to 64 letters, digits, '-', '_' and '+', a letter or digit first")
    return name


def _check_unique(values: list[Any]) -> list[Any]:
    repeated = sorted(value for value, count in Counter(values).items() if count > 1)
    if repeated:
        raise ValueError(f"contains {', '.join(map(str, repeated))} more than once")
    return values


Name = Annotated[str, AfterValidator(_check_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})]
"""The name of a folder, a column or a row."""

Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1, max_length=1000), AfterValidator(_check_unique)
]


def _check_name_or_mapping(value: Any) -> Any:
    if value is not None and not isinstance(value, str | dict):
        raise ValueError(f"should be a name, or a mapping with `use`, not {value!r}")
    return value


NameOrMapping = Annotated[
    Any,
    AfterValidator(_check_name_or_mapping),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}]}),
]
"""A plugin: its name, or a mapping with its name under `use` and its config."""


class EvaluateSection(Config):
    """Settings for scoring checkpoints."""

    limit: Annotated[int, Field(ge=1)] | None = Field(None, description="Test items per task; null for all.")
    batch_size: int = Field(16, ge=1, description="Prompts per batch. It affects sampled answers.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed for sampling answers, the same for all seeds of the run.")
    chat_template: bool | None = Field(
        None,
        description="Whether to apply the model's chat template to test items; null: the format of each domain.",
    )
    think_end: str | None = Field(
        None,
        min_length=1,
        description="Score only the text after this mark, such as </think>. The shipped domains handle it themselves.",
    )
    backend: Literal["hf", "vllm", "sglang", "openai"] = Field(
        "hf", description="What generates the answers: one of lm-eval's model classes."
    )
    args: dict[str, Any] = Field(
        default_factory=dict, description="Arguments of the backend's lm-eval class, such as tensor_parallel_size."
    )
    serve: Annotated[list[str], Field(min_length=1)] | None = Field(
        None,
        description="For the backend openai: the command that starts a server for one checkpoint, with {model} and"
        " {port}; null: `transformers serve`, unless args.base_url names a server.",
    )
    every: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Also score the model within each training, after every N optimizer steps; null: only after."
    )
    columns: dict[Name, dict[str, Any]] = Field(
        default_factory=dict,
        max_length=100,
        description="Evaluation-only columns by name: lm-eval tasks, or domains under `use`, that no method trains.",
    )


class LaunchSection(Config):
    """Multi-process training steps."""

    accelerate: dict[str, Any] | str = Field(description="An accelerate config, or the path of its file.")


class ResourcesSection(Config):
    """What a step needs on each of its machines."""

    gpus: int | None = Field(None, ge=0, description="GPUs; null: the engine decides.")
    cpus: int | None = Field(None, ge=1, description="Processor cores; null: the engine decides.")


class ProtocolFile(Config):
    """A protocol: a model, the domains, and the methods to compare on them."""

    schema_: Literal[1] = Field(alias="schema", description="Version of this format.")
    name: Name = Field(description="Name of the run's folder.")
    summary: str = Field("", description="One-line description.")
    model: dict[str, Any] = Field(description="Plugin of the base model under `use`, and its config.")
    seeds: Seeds = Field(default_factory=lambda: [0], description="Every method is run once per seed. Default: [0].")
    requires: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="Plugin distributions that must be installed, with versions: harness-foo>=1.2.",
    )
    domains: dict[Name, dict[str, Any]] = Field(
        min_length=1, max_length=100, description="The leaderboard's columns, by name."
    )
    train: dict[str, Any] = Field(default_factory=dict, description="Defaults of every training step.")
    launch: LaunchSection | None = Field(None, description="Multi-process training steps; null for one process.")
    evaluate: EvaluateSection = Field(default_factory=EvaluateSection)
    engine: NameOrMapping = Field(
        None, description="Where steps run: an engine, or `{use: NAME, …}` with its config. No result depends on it."
    )
    resources: dict[str, ResourcesSection] = Field(
        default_factory=dict,
        max_length=100,
        description="What steps need, by kind (`train`, `recover`, `merge`, `evaluate`, `probe`) or by plugin.",
    )
    methods: dict[Name, Annotated[list[Any], Field(min_length=1, max_length=200)]] = Field(
        default_factory=dict,
        max_length=1000,
        description="The leaderboard's rows, each a list of steps. Without any, the base model is scored.",
    )
    probes: list[dict[str, Any]] = Field(
        default_factory=list, max_length=100, description="Probes, which measure the checkpoints of every method."
    )
    metrics: dict[Name, dict[str, Any]] = Field(
        default_factory=dict, max_length=100, description="Additional columns of the leaderboard, by name."
    )
    observers: list[NameOrMapping] = Field(
        default_factory=list,
        max_length=100,
        description="What shows the curves of the run, such as tensorboard: names, or `{use: NAME, …}` with their "
        "config. No result depends on it.",
    )
    allow: list[Need] = Field(
        default_factory=list, description="Needs of plugins that you permit, such as executes-code."
    )


_FORMS: Mapping[tuple[str, ...], tuple[type, str]] = {
    ("model",): (dict, "model: {{use: {0}}}, or model: {{pretrained: {0}}} for a model folder or a Hub name"),
    ("domains",): (dict, "domains: {{{0}: {{use: {0}}}}}"),
    ("domains", "*"): (dict, "{{use: {0}}}"),
    ("evaluate", "*", "*"): (dict, "{{task: {0}, metric: acc}}"),
    ("train",): (dict, "train: {{with: {0}}}"),
    ("launch",): (dict, "launch: {{accelerate: {0}}}"),
    ("resources",): (dict, "resources: {{train: {{gpus: {0}}}}}"),
    ("resources", "*"): (dict, "{{gpus: {0}}}"),
    ("methods",): (dict, "methods: {{my-method: [{0}]}}"),
    ("methods", "*"): (list, "[{0}]"),
    ("probes",): (list, "probes: [{{use: {0}}}]"),
    ("probes", "*"): (dict, "{{use: {0}}}"),
    ("observers",): (list, "observers: [{0}]"),
}
"""The type of each section, and a template for the hint if a value has another type."""


def form_of(at: tuple[str | int, ...], data: Mapping[str, Any]) -> str:
    """Returns a hint on how to write the section at `at` if its type in `data` is wrong, else an empty string."""
    wanted, form = _FORMS.get(tuple(str(part) if index == 0 else "*" for index, part in enumerate(at)), (None, ""))
    if wanted is None or at[0] not in data:
        return ""
    found: Any = data
    for part in at:
        found = found[part]
    if isinstance(found, wanted):
        return ""
    if isinstance(found, list) and at[0] == "methods":
        found = ", ".join(map(str, found))
    usable = isinstance(found, str) and re.fullmatch(r"[\w./+, -]+" if at[0] == "methods" else r"[\w./+-]+", found)
    return f"write {form.format(found if usable else 'NAME')}"
