"""The observer `wandb`."""

from collections.abc import Iterator

from harness import ObserverSpec, hookimpl


@hookimpl
def harness_observers() -> Iterator[ObserverSpec]:
    yield ObserverSpec(
        name="wandb",
        summary="Writes Weights & Biases runs, offline unless configured otherwise, one run per curve",
        load="harness_observers.wandb.observer:Wandb",
        config="harness_observers.wandb.config:WandbConfig",
    )
