"""Executes single nodes of a protocol's plan, in processes that engines start."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.protocols import ProtocolName, installed_plugins, read_protocol, runs_folder
from harness.errors import UsageError
from harness.weights.storage_forms import Deltas

if TYPE_CHECKING:
    from harness.execution import Executor
    from harness.planning.node import Node
    from harness.planning.plan import Plan
    from harness.plugin.registry import Registry


class NodeProcess:
    """A process that executes nodes of one plan. Their inputs must be in the store.

    command: the arguments of this process behind `harness`, with which a step in several processes starts its ranks.
    The other parameters are those of `harness.run`.
    """

    def __init__(
        self,
        protocol: ProtocolName,
        *,
        seeds: Sequence[int] | None = None,
        methods: Sequence[str] | None = None,
        output: str | Path | None = None,
        deltas: Deltas = Deltas.AUTO,
        verify: bool = True,
        registry: Registry | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self._protocol, self._seeds, self._methods = protocol, seeds, methods
        self._root = runs_folder(output)
        self._deltas, self._verify = deltas, verify
        self._registry = installed_plugins(registry)
        self._command = list(command)

    def execute(self, key: str) -> None:
        """Executes the node whose key starts with `key`, and prints progress to standard error.

        In a rank of a step in several processes, it does this rank's part. Raises UsageError if no node or several have
        such a key, or if something is missing on this machine; StepFailed if the execution fails.
        """
        from harness._util.console import safe_console
        from harness._util.distributed import rank
        from harness.execution.executor import silent
        from harness.execution.launching import rank_folder
        from harness.execution.progress import PlainReporter
        from harness.planning.checks import check_needs
        from harness.planning.titles import titled

        reporter = PlainReporter(safe_console(stderr=True))
        executor = self._executor(reporter.note)
        node = _node_of(executor.plan, key)
        check_needs([node], executor.plan, os.environ)
        reporter.name(node.key, titled(executor.plan)[node.key].label)
        progress = partial(reporter.progress, node)
        folder = rank_folder()
        if folder is None:
            executor.execute(node.key, progress)
        else:
            executor.execute_rank(node.key, folder, silent if rank() else progress)

    def serve(self, *, debug: bool = False) -> None:
        """Executes the nodes that an engine asks for through standard input; see `harness.execution.worker`."""
        from harness._util.parent_process import end_with
        from harness.execution.worker import Sender, serve

        end_with(os.getppid())
        sender = Sender()
        executor = self._executor(sender.note)
        serve(
            lambda key, progress: executor.execute(_node_of(executor.plan, key).key, progress),
            sender,
            sys.stdin,
            debug=debug,
        )

    def _executor(self, note: Callable[[str], None]) -> Executor:
        from harness.execution import Executor
        from harness.execution.store import Store
        from harness.planning.checks import check_writable
        from harness.planning.planner import make_plan
        from harness.planning.titles import waited_for

        read = read_protocol(self._protocol, self._registry, seeds=self._seeds, methods=self._methods)
        read.check_here()
        check_writable(self._root)

        def waiting(key: str) -> None:
            note(waited_for(plan, key))

        store = Store(self._root / "store", waiting=waiting, verify=self._verify)
        plan = make_plan(read, self._registry)
        return Executor(plan, self._registry, store, command=self._command_of, deltas=self._deltas)

    def _command_of(self, key: str) -> list[str]:
        """Returns the `exec-node` command for a node: this process's own, or with the key in place of a worker's."""
        before, after = self._command, []
        if "exec-worker" in before:
            place = before.index("exec-worker")
            before, after = [*before[:place], "exec-node", before[place + 1], key], before[place + 2 :]
        return [sys.executable, "-m", "harness", *before, *after]


def _node_of(plan: Plan, key: str) -> Node:
    found = [node for known, node in plan.nodes.items() if known.startswith(key)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"the plan has no node {key}",
            hint="`harness plan --json` lists the keys; they depend on --seeds, --methods and the version",
        )
    raise UsageError(f"{len(found)} nodes have keys that start with {key!r}", hint="give a longer prefix")
