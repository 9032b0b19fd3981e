"""The observer `tensorboard`."""

from collections.abc import Iterator

from harness import ObserverSpec, hookimpl


@hookimpl
def harness_observers() -> Iterator[ObserverSpec]:
    yield ObserverSpec(
        name="tensorboard",
        summary="Writes TensorBoard event files, one TensorBoard run per curve",
        load="harness_observers.tensorboard.observer:TensorBoard",
        config="harness_observers.tensorboard.config:TensorBoardConfig",
    )
