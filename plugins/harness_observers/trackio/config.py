"""The config of the observer `trackio`."""

from collections.abc import Iterator

from pydantic import Field

from harness import Config, Problem, missing_package


class TrackioConfig(Config):
    """The project. Its files are in `RUN/trackio`, unless the environment variable TRACKIO_DIR is set."""

    project: str | None = Field(None, min_length=1, description="Name of the project; null: the name of the run.")

    def faults(self) -> Iterator[Problem]:
        """Yields whether trackio is missing."""
        yield from missing_package(
            "trackio", key="use", wanted_by="the observer trackio", install="mdrl-harness[trackio]"
        )
