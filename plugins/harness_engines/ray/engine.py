"""The engine `ray`: each step in an actor with the cores and GPUs that it needs, on any machine of the cluster.

Actors stay for further steps that need the same, because their process has imported the libraries. A step on several
machines has an actor on each, by a placement group.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from harness import Capacity, Demand, Engine, HarnessError, NodeRequest, NodeWorker, WorkerLost
from harness_engines.ray.cluster import Cluster
from harness_engines.ray.config import RayConfig
from harness_engines.ray.worker import RayWorker

THREADS = "OMP_NUM_THREADS"
PASSED_ON = ("HARNESS_OFFLINE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", THREADS)
"""Environment variables of this process that the steps see on every machine."""
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_FOR_THE_OTHERS = 60.0
"""How long the first machine may take to notice that another one's processes have ended."""


class Ray(Engine):
    """Computes nodes on a Ray cluster."""

    def __init__(self, config: RayConfig) -> None:
        self.config = config
        self._cluster: Cluster | None = None
        self._slots = 1
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._actors: list[Any] = []
        self._idle: list[tuple[Demand, Any]] = []
        self._closed = False

    @property
    def slots(self) -> int:
        return self._slots

    def check(self, requests: Sequence[NodeRequest]) -> None:
        if not requests:
            return
        capacity = self._connected().capacity
        capacity.check(requests)
        self._slots = min(len(requests), max(capacity.room_for(capacity.demand(request)) for request in requests))
        self._connected().check_files(requests[0].store, requests[0].protocol)

    def capacity(self, requests: Sequence[NodeRequest]) -> Capacity:
        return self._connected(start=False).capacity

    def execute(self, request: NodeRequest) -> None:
        self.submit(request).result()

    def submit(self, request: NodeRequest) -> Future[None]:
        self._connected()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._slots, "harness-ray")
        return self._pool.submit(self._compute, request)

    def close(self, *, stop: bool) -> None:
        import ray

        if self._cluster is None:
            return
        with self._lock:
            self._closed = True
            actors, self._actors, self._idle = self._actors, [], []
        for actor in actors:
            ray.kill(actor)
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._cluster.close()

    def _connected(self, *, start: bool = True) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster(self.config, start=start)
        return self._cluster

    def _compute(self, request: NodeRequest) -> None:
        demand = self._connected().capacity.demand(request)
        with _losses_as_worker_lost(request):
            if demand.machines > 1:
                self._compute_together(request, demand)
                return
            actor = self._actor_for(request, demand)
            try:
                self._follow(actor, request)
            except BaseException:
                self._end(actor)
                raise
            with self._lock:
                self._idle.append((demand, actor))

    def _compute_together(self, request: NodeRequest, demand: Demand) -> None:
        """Computes a node on several machines. The actor on the first one stores the result."""
        import ray
        from ray.util import placement_group, remove_placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        bundles = [{"CPU": demand.cpus, **({"GPU": demand.gpus} if demand.gpus else {})}] * demand.machines
        group = placement_group(bundles, strategy="STRICT_SPREAD")
        actors: list[Any] = []
        ended = threading.Event()
        try:
            ready = group.ready()
            while not self._is_ready(ready, demand, request):
                pass
            for index in range(demand.machines):
                place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index)
                actors.append(self._start(request, demand, scheduling_strategy=place))
            host, port = ray.get([actors[0].host.remote(), actors[0].free_port.remote()])

            parts = [
                actor.compute_part.remote(request.key, request.label, (rank, host, port))
                for rank, actor in enumerate(actors[1:], start=1)
            ]
            threading.Thread(target=self._watch_parts, args=(parts, actors[0], ended), daemon=True).start()
            self._follow(actors[0], request, machine=(0, host, port))
        finally:
            ended.set()
            for actor in actors:
                self._end(actor)
            remove_placement_group(group)

    def _watch_parts(self, parts: list[Any], first: Any, ended: threading.Event) -> None:
        """Ends the first machine's actor if another machine's part fails and it does not end by itself."""
        import ray

        while parts and not ended.is_set():
            done, parts = ray.wait(parts)
            try:
                failed = ray.get(done[0])
            except ray.exceptions.RayError:
                failed = True
            if failed and not ended.wait(_SECONDS_FOR_THE_OTHERS):
                self._end(first)

    def _follow(self, actor: Any, request: NodeRequest, machine: tuple[int, str, int] | None = None) -> None:
        """Has the actor compute the node, and passes its messages on to the request."""
        import ray

        request.started(ray.get(actor.name.remote()))
        for message in actor.compute.options(num_returns="streaming").remote(request.key, request.label, machine):
            NodeWorker.deliver(ray.get(message), request)

    def _actor_for(self, request: NodeRequest, demand: Demand) -> Any:
        """Returns an actor with what the node needs: the first that is idle, or a new one once there is room for it."""
        actor = self._take_idle(demand)
        if actor is not None:
            return actor
        actor = self._start(request, demand)
        try:
            ready = actor.name.remote()
            while not self._is_ready(ready, demand, request):
                idle = self._take_idle(demand)
                if idle is not None:  # there may never be room for the new one beside it
                    self._end(actor)
                    return idle
        except BaseException:
            self._end(actor)
            raise
        return actor

    def _take_idle(self, demand: Demand, *, other: bool = False) -> Any:
        """Returns an idle actor, which is idle no longer; None if there is none. other: of a demand except `demand`."""
        with self._lock:
            for entry in self._idle:
                if (entry[0] != demand) == other:
                    self._idle.remove(entry)
                    return entry[1]
        return None

    def _start(self, request: NodeRequest, demand: Demand, **options: Any) -> Any:
        import ray

        environment = {THREADS: str(demand.cpus)}
        environment |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        logs = (request.run or request.store.parent) / "ray"
        actor = (
            ray.remote(RayWorker)
            .options(num_cpus=demand.cpus, num_gpus=demand.gpus, max_concurrency=2, **options)
            .remote(list(request.worker), environment, str(logs.absolute()))
        )
        with self._lock:
            self._actors.append(actor)
        return actor

    def _is_ready(self, reference: Any, demand: Demand, request: NodeRequest) -> bool:
        """Waits a moment for a result of Ray that needs room in the cluster. If it is not there, an idle actor that was
        started for another demand makes room."""
        import ray

        if ray.wait([reference], timeout=_SECONDS_BETWEEN_LOOKS)[0]:
            ray.get(reference)
            return True
        if self._closed:
            raise WorkerLost("the run was stopped", where=request.label)
        other = self._take_idle(demand, other=True)
        if other is not None:
            self._end(other)
        return False

    def _end(self, actor: Any) -> None:
        import ray

        with self._lock:
            if actor not in self._actors:
                return
            self._actors.remove(actor)
        ray.kill(actor)


@contextmanager
def _losses_as_worker_lost(request: NodeRequest) -> Iterator[None]:
    """Raises the harness's errors of a remote process as they are, and WorkerLost if the process or machine is gone."""
    from ray.exceptions import RayError, RayTaskError

    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, HarnessError):
            raise error.cause from None
        raise
    except RayError as error:
        message = "its process or machine in the Ray cluster is gone"
        raise WorkerLost(message, where=request.label, hint="`ray status` shows the machines") from error
