"""The merge NAME. Importing this must stay light: `load` names what is imported when it is used."""

from collections.abc import Iterator

from harness import MergeSpec, hookimpl


@hookimpl
def harness_merges() -> Iterator[MergeSpec]:
    yield MergeSpec(
        name="NAME",
        summary="The base plus a share of the experts' mean change",
        load="harness_NAME.merge:ScaledMean",
        config="harness_NAME.merge:ScaledMeanConfig",
    )
