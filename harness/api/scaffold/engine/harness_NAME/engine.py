"""Every step by a command of its own; put `srun`, `ssh HOST` or `docker run` in front of it to run it elsewhere."""

import subprocess

from harness import Engine, NoConfig, NodeRequest, StepFailed


class Commands(Engine):
    """The command computes one node anywhere that sees the same files, and writes it into the store."""

    def __init__(self, config: NoConfig) -> None:
        self.prefix: list[str] = []

    def execute(self, request: NodeRequest) -> None:
        done = subprocess.run([*self.prefix, *request.arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise StepFailed(
                said[-1] if said else f"the command ended with code {done.returncode}",
                where=request.label,
                hint=f"run it by hand: {' '.join(request.arguments)}",
            )
