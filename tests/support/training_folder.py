"""A training in a folder of a test, which can be ended at an optimizer step as by a kill."""

from harness import TrainingContext


class Killed(BaseException):
    """Not an `Exception`, so that nothing on the way out handles it, as nothing handles a kill."""


def training_in(folder, checkpoint, domains, *, kill_at=None, **more):
    """Returns the context of a training from a checkpoint, with its folders below `folder`, which it makes.

    kill_at: the number of optimizer steps after which the training ends with `Killed`. more: further fields.
    """
    for name in ("output", "scratch"):
        (folder / name).mkdir(parents=True, exist_ok=True)

    def progress(done, total, metrics):
        if done == kill_at:
            raise Killed

    fields = {
        "checkpoint": checkpoint,
        "output": folder / "output",
        "scratch": folder / "scratch",
        "metrics": folder / "metrics.jsonl",
        "domains": domains,
        "seed": 3,
        "progress": progress,
    }
    return TrainingContext(**fields | more)
