"""The base model NAME. Importing this must stay light: `load` names what is imported when it is used."""

from collections.abc import Iterator

from harness import ModelSpec, hookimpl


@hookimpl
def harness_models() -> Iterator[ModelSpec]:
    yield ModelSpec(
        name="NAME",
        summary="A small Llama of random weights whose tokens are single characters",
        load="harness_NAME.model:RandomLlama",
        config="harness_NAME.model:RandomLlamaConfig",
    )
