"""Base models by name from the Hugging Face hub, or from a local folder."""

from collections.abc import Iterator

from harness import ModelSpec, hookimpl


@hookimpl
def harness_models() -> Iterator[ModelSpec]:
    yield ModelSpec(
        name="pretrained",
        summary="A causal language model from the Hugging Face hub or a local folder",
        load="harness_models.pretrained.model:Pretrained",
        config="harness_models.pretrained.model:PretrainedConfig",
    )
