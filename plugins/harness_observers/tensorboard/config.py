"""The config of the observer `tensorboard`."""

from collections.abc import Iterator

from harness import Config, Problem, missing_package


class TensorBoardConfig(Config):
    """No options: `tensorboard --logdir RUN/tensorboard` shows the files."""

    def faults(self) -> Iterator[Problem]:
        """Yields whether tensorboard is missing."""
        yield from missing_package(
            "tensorboard", key="use", wanted_by="the observer tensorboard", install="mdrl-harness[tensorboard]"
        )
