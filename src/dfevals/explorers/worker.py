"""A thread that answers one question after the other, so that the one it is at can be cancelled."""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable, Hashable

__all__ = ["Cancelled", "Worker"]


class Cancelled(BaseException):
    """Raised in the job that is cancelled; no `Exception`, so that a metric that catches everything does not hold it up."""


class Worker:
    """Runs jobs in order in a thread that lives only while there are any.

    The thread that receives messages must stay free: a message that cancels would wait behind the job it is about.

    Examples
    --------
    >>> worker, done = Worker(), []
    >>> worker.submit("a", lambda: done.append("a"))
    >>> worker.join()
    >>> done
    ['a']
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Hashable, Callable[[], None]]] = deque()
        self._running: Hashable = None
        self._thread: threading.Thread | None = None

    def submit(self, key: Hashable, job: Callable[[], None]) -> None:
        """Run a job after those before it."""
        with self._lock:
            self._waiting.append((key, job))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dfevals explorer", daemon=True)
                self._thread.start()

    def cancel(self, key: Hashable) -> None:
        """Forget a job that waits; raise `Cancelled` in the one that runs."""
        with self._lock:
            self._waiting = deque(item for item in self._waiting if item[0] != key)
            if self._running == key and self._thread is not None and self._thread.ident is not None:
                ident = ctypes.c_ulong(self._thread.ident)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(Cancelled))

    def join(self) -> None:
        """Wait until nothing is to be done."""
        while (thread := self._thread) is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            try:
                if not self._step():
                    return
            except Cancelled:  # the job it was meant for had just ended
                continue

    def _step(self) -> bool:
        with self._lock:
            if not self._waiting:
                self._thread = None
                return False
            self._running, job = self._waiting.popleft()
        try:
            job()
        finally:
            with self._lock:
                self._running = None
        return True
