"""The connection to a Ray cluster: its machines, what they have, and whether they see the store."""

from __future__ import annotations

import os
import secrets
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness import Capacity, MachineResources, UsageError
from harness_engines.ray.config import RayConfig
from harness_engines.ray.worker import Look, look_at

OBJECT_STORE_BYTES = 100 * 1024**2
"""Of a cluster that is started here. Messages are small; models go through the store."""

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the engine itself sets CUDA_VISIBLE_DEVICES
    "RAY_DEDUP_LOGS": "0",
}
ADDRESS = "RAY_ADDRESS"
_START = "start one with `ray start --head`"
_SETTINGS = b"\x04"
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + b"\0\0\0\0\0"
"""What a client of Ray's head sends first, as of any gRPC server, which answers with a frame of settings. Ray itself
waits for more than a minute where something else listens."""


@dataclass(frozen=True, kw_only=True)
class RayMachine(MachineResources):
    """A machine of the cluster. identifier: Ray's."""

    identifier: str = ""


class Cluster:
    """A connection to a cluster. Raises UsageError if ray is not installed or nothing answers at the address.

    start: whether to start a cluster here if there is none; otherwise UsageError is raised.
    """

    def __init__(self, config: RayConfig, *, start: bool = True) -> None:
        if find_spec("ray") is None:
            raise UsageError("the engine ray needs ray, which is not installed", hint="pip install 'mdrl-harness[ray]'")
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        self._config = config
        address = config.address
        if address == "auto":
            address = os.environ.get(ADDRESS) or "auto"
        if address not in ("auto", "local"):
            _check_answers(address, config.connect_seconds)
        with _own_signal_handlers():
            self._connect(address, start=start)

    def _connect(self, address: str, *, start: bool) -> None:
        import ray

        quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
        try:
            if address == "local":
                raise ConnectionError
            ray.init(address=address, **quiet)
        except ConnectionError as error:
            if address not in ("auto", "local"):
                raise _no_cluster(address, error) from error
            if not start:
                raise UsageError("no Ray cluster runs here", where="engine ray", hint=_START) from error
            ray.init(address="local", include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **quiet)
        except Exception as error:
            raise _no_cluster(address, error) from error

    @property
    def machines(self) -> list[RayMachine]:
        """The machines that are alive."""
        import ray

        return [
            RayMachine(
                identifier=node["NodeID"],
                name=node["NodeManagerHostname"],
                cpus=int(node["Resources"].get("CPU", 0)),
                gpus=int(node["Resources"].get("GPU", 0)),
            )
            for node in ray.nodes()
            if node["Alive"]
        ]

    @property
    def capacity(self) -> Capacity:
        """What the machines that are alive have."""
        return Capacity(place="the Ray cluster", machines=self.machines)

    def check_files(self, store: Path, protocol: Path) -> None:
        """Raises UsageError unless every machine reads a file that this one has just written to the store."""
        token = store / f".seen-{secrets.token_hex(8)}"
        store.mkdir(parents=True, exist_ok=True)
        token.write_text(token.name, encoding="utf-8")
        try:
            for machine, look in self._looks(token.absolute(), protocol.absolute()):
                _check_look(look, machine, store, protocol)
        finally:
            token.unlink(missing_ok=True)

    def _looks(self, token: Path, protocol: Path) -> Iterator[tuple[RayMachine, Look]]:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        task, machines = ray.remote(look_at), self.machines
        looks = [
            task.options(
                num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(machine.identifier, soft=False)
            ).remote(str(token), str(protocol))
            for machine in machines
        ]
        for machine, look in zip(machines, looks, strict=True):
            try:
                yield machine, ray.get(look, timeout=self._config.store_seconds)
            except ray.exceptions.RayError as error:
                raise UsageError(
                    f"the machine {machine.name} of the Ray cluster runs no step: {_first_line(error)}",
                    where="engine ray",
                    hint="install the same harness and plugins on every machine, in the environment that started Ray",
                ) from error

    def close(self) -> None:
        """Disconnects. A cluster that was started here ends."""
        import ray

        with _own_signal_handlers():
            ray.shutdown()


def _check_answers(address: str, seconds: float) -> None:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds) as connection:
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                connection.sendall(_GREETING)
                if connection.recv(9)[3:4] != _SETTINGS:
                    raise OSError("something else than Ray listens there")
    except (OSError, ValueError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> UsageError:
    return UsageError(
        f"no Ray cluster answers at {address}: {_first_line(error)}",
        where="engine ray",
        hint=f"{_START}, on this machine too, or use the address `local`",
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _check_look(look: Look, machine: RayMachine, store: Path, protocol: Path) -> None:
    for path, seen, what in ((store, look.store, "store"), (protocol, look.protocol, "protocol")):
        if not seen:
            raise UsageError(
                f"the machine {machine.name} of the Ray cluster does not see the {what}",
                where=str(path.absolute()),
                hint="use a folder that all machines share under the same path, with -o or HARNESS_RUNS"
                if what == "store"
                else "put the protocol into a folder that all machines share under the same path",
            )


@contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Keeps this process's handlers of signals, which Ray replaces."""
    numbers: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(ValueError):  # not in the main thread
                signal.signal(number, handler)
