"""An engine with several slots, whose nodes end in any order, and the content of a store."""

import queue
import threading
from concurrent.futures import Future

from harness import Engine


class Several(Engine):
    """Runs up to `slots` nodes at a time. `choose` picks the node that ends next from those that are running."""

    def __init__(self, slots, choose=lambda running: running[0], fails=lambda request: None):
        self._slots, self._choose, self._fails = slots, choose, fails
        self._running, self._queue = [], queue.SimpleQueue()
        self.submitted, self.most, self.closed = [], 0, []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def slots(self):
        return self._slots

    def execute(self, request):
        raise AssertionError("the runner submits")

    def check(self, requests):
        self.asked = [request.label for request in requests]
        self._thread.start()

    def submit(self, request):
        future = Future()
        self.submitted.append(request)
        self._running.append((request, future))
        self.most = max(self.most, len(self._running))
        self._queue.put(None)
        return future

    def close(self, *, stop):
        self.closed.append(stop)
        self._queue.put("end")

    def _serve(self):
        while self._queue.get() is None:
            one = self._choose(self._running)
            self._running.remove(one)
            request, future = one
            request.started(f"worker {len(self.submitted) % self._slots + 1}")
            error = self._fails(request)
            if error is None:
                request.execute()
                future.set_result(None)
            else:
                future.set_exception(error)


def bytes_of(bench):
    """Returns the content of all results in the store, without the logs of the evaluation library."""
    files = sorted(
        path for path in bench.store.root.glob("[0-9a-f]*/**/*") if path.is_file() and path.name != "DONE.json"
    )
    return {str(path.relative_to(bench.store.root)): path.read_bytes() for path in files}
