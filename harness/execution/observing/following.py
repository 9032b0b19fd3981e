"""Follows a run and passes the new points of its curves to observers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

from harness.execution.observing.curves import Source, sources_of
from harness.execution.observing.journal import Journal
from harness.execution.store import Store
from harness.planning.plan import Plan
from harness.plugin.observer_interface import Curve, ObservedRun, Observer, Points


class Following:
    """The observers of one run. build: returns each observer by name. failed: receives why an observer failed, once per
    observer. It then receives nothing more; the other observers are not affected."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        plan: Plan,
        build: Mapping[str, Callable[[], Observer]],
        failed: Callable[[str], None],
    ) -> None:
        self._folder = folder.absolute()
        self._store = store
        self._plan = plan
        self._sources = sources_of(plan)
        self._waiting = dict(build)
        self._streams: dict[str, _Stream] = {}
        self._failed = failed

    def update(self) -> None:
        """Passes on what is new. The first call starts the observers."""
        for name in list(self._waiting):
            self._guarded(name, self._start)
        for name in list(self._streams):
            self._guarded(name, lambda name: self._streams[name].update(self._store))

    def close(self) -> None:
        """Passes on the rest and closes the observers."""
        for name in list(self._streams):
            self._guarded(name, lambda name: self._streams[name].update(self._store, last=True))
        for name in list(self._streams):
            self._guarded(name, lambda name: self._streams.pop(name).close())

    def _start(self, name: str) -> None:
        build = self._waiting.pop(name)
        folder = self._folder / name.rpartition("/")[2]
        run = ObservedRun(name=self._folder.name, protocol=self._plan.protocol, folder=folder)
        run.folder.mkdir(exist_ok=True)
        lock = self._store.locks.alone(observer_lock(self._plan, name), "until known")
        self._streams[name] = _Stream(run, build, self._sources, lock)

    def _guarded(self, name: str, act: Callable[[str], None]) -> None:
        try:
            act(name)
        except BlockingIOError:
            self._failed(f"the observer {name} is already used by another process for this run")
        except (Exception, SystemExit) as error:
            self._failed(f"the observer {name} failed and receives nothing more: {type(error).__name__}: {error}")
        else:
            return
        stream = self._streams.pop(name, None)
        if stream is not None:
            with suppress(Exception):
                stream.close()


def observer_lock(plan: Plan, name: str) -> str:
    """Returns the name of the lock in the store that keeps two processes from using an observer for the same run."""
    return f"{plan.key}.observer-{name.replace('/', '-')}"


class _Stream:
    """One observer, what it has received, and what it lacks."""

    def __init__(
        self,
        run: ObservedRun,
        build: Callable[[], Observer],
        sources: Iterable[Source],
        lock: AbstractContextManager[None],
    ) -> None:
        self._held = ExitStack()
        self._held.enter_context(lock)
        self._open: dict[str, list[Source]] = defaultdict(list)
        for source in sources:
            self._open[source.curve.key].append(source)
        self._touched: set[str] = set()
        try:
            self._observer = build()
            self._journal = Journal(run.folder)
            self._observer.start(run)
        except BaseException:
            self._held.close()
            raise

    def update(self, store: Store, *, last: bool = False) -> None:
        """Passes on the new points of each curve, and that it is complete. last: nothing follows."""
        for key, sources in list(self._open.items()):
            curve, read = sources[0].curve, {source: source.read(store) for source in sources}
            left = [source for source, (_, complete) in read.items() if not complete]
            if not self._observer.live and left and not last:
                continue
            self._pass_on(curve, {source: points for source, (points, _) in read.items()})
            if left:
                self._open[key] = left
                continue
            del self._open[key]
            if key in self._touched:
                self._observer.finish(curve)

    def _pass_on(self, curve: Curve, found: Mapping[Source, Points]) -> None:
        values: dict[int, dict[str, float]] = defaultdict(dict)
        received: dict[str, int] = {}
        for source, points in found.items():
            last = self._journal.last(source.name)
            for step, columns in points:
                if last is None or step > last:
                    values[step] |= columns
                    received[source.name] = step
        if not received:
            return
        self._touched.add(curve.key)
        self._observer.log(curve, sorted(values.items()))
        self._journal.add(received)

    def close(self) -> None:
        """Closes the observer and lets others use it for this run."""
        try:
            self._observer.close()
        finally:
            self._held.close()
