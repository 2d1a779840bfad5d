"""Many calls at once, bounded in number and in time: threads for plain callables, one event loop for async ones."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import Any, TypeVar

from dfevals.exceptions import DataError

__all__ = ["RateLimit", "Stuck", "TimedOut", "stream", "stream_async"]

T = TypeVar("T")
_LOOK = 0.05
_PATIENCE = 5.0


class TimedOut:
    """Stands for the result of a call that gave none in time."""

    def __init__(self, seconds: float, before: int = 0) -> None:
        self.message = f"no answer within {seconds:g} s"
        if before:
            self.message += f" (not asked: {before} earlier calls have not ended; give the function a time-out of its own, and ask again)"


class Stuck:
    """How many calls were given up and have not ended: each holds a thread, and a thread cannot be stopped.

    Parameters
    ----------
    most : int
        With so many no further call is begun until one of them ends.
    """

    def __init__(self, most: int = 16) -> None:
        self.most = most
        self._lock = threading.Lock()
        self.count, self._changed = 0, 0.0

    def add(self, change: int) -> None:
        """One more, or one less."""
        with self._lock:
            self.count += change
            self._changed = time.monotonic()

    def unchanged(self) -> float:
        """Seconds since a call was given up or ended."""
        return time.monotonic() - self._changed

    @property
    def full(self) -> bool:
        """Whether no further call may be begun."""
        return self.count >= self.most

    def __reduce__(self) -> tuple[Any, ...]:
        return Stuck, (self.most,)  # threads are those of one process


def stream(
    work: Callable[[int], T],
    count: int,
    *,
    max_concurrency: int,
    timeout: float | None = None,
    limit: RateLimit | None = None,
    stuck: Stuck | None = None,
) -> Generator[tuple[int, T | TimedOut]]:
    """Results of `work(0) … work(count - 1)` as they come, each with its number.

    A call that takes longer than `timeout` seconds is given up: its thread is left behind and a new one takes its place,
    as long as not too many are left behind. Where none of those ends for another `timeout` seconds (at least five), the
    calls that are left are not made. Closing the iterator stops further calls.

    Parameters
    ----------
    work : callable
        Takes a number below `count`. What it raises ends all and is raised here.
    count : int
        How many calls.
    max_concurrency : int
        How many at once.
    timeout : float, optional
        Seconds for one call.
    limit : RateLimit, optional
        Waited for before each call; the wait is not counted as time of the call.
    stuck : Stuck, optional
        The calls left behind, where several streams share them; else as many as `max_concurrency`, and at least eight.

    Yields
    ------
    (int, result or TimedOut)
    """
    _check_concurrency(max_concurrency)
    calls = _Calls(work, count, timeout, limit, stuck or Stuck(max(8, max_concurrency)))
    workers = min(max_concurrency, count)
    idle, left = workers, count
    try:
        while left:
            while idle and not calls.stuck.full:
                calls.start()
                idle -= 1
            if idle == workers and calls.stuck.unchanged() > max(timeout or 0.0, _PATIENCE):
                for number in calls.never():
                    left -= 1
                    yield number, TimedOut(timeout or 0.0, calls.stuck.count)
            for number, result in calls.results():
                left -= 1
                yield number, _raise_or(result)
            for number in calls.late():
                idle += 1
                left -= 1
                yield number, TimedOut(timeout or 0.0)
    finally:
        calls.stopped.set()


class _Calls:
    """The calls of a stream, and the threads that make them."""

    def __init__(
        self,
        work: Callable[[int], Any],
        count: int,
        timeout: float | None,
        limit: RateLimit | None,
        stuck: Stuck,
    ) -> None:
        self.work, self.timeout, self.limit, self.stuck = work, timeout, limit, stuck
        self.numbers = iter(range(count))
        self.lock = threading.Lock()
        self.done: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self.started: dict[int, float] = {}
        self.stopped = threading.Event()

    def start(self) -> None:
        """One more thread that makes calls until none is left, or until one is given up."""
        threading.Thread(target=self._serve, daemon=True, name="dfevals-call").start()

    def _serve(self) -> None:
        while not self.stopped.is_set():
            with self.lock:
                number = next(self.numbers, None)
            if number is None:
                return
            if self.limit is not None:
                self.stopped.wait(self.limit.delay())
                if self.stopped.is_set():
                    return
            with self.lock:
                self.started[number] = time.monotonic()
            try:
                result: Any = self.work(number)
            except BaseException as error:  # a thread that dies in silence would be waited for without end
                result = _Raised(error)
            with self.lock:
                given_up = self.started.pop(number, None) is None
            if given_up:
                self.stuck.add(-1)
                return
            self.done.put((number, result))

    def results(self) -> Iterator[tuple[int, Any]]:
        """The next result and those that are there already; none when it takes long."""
        until = time.monotonic() + _LOOK
        with contextlib.suppress(queue.Empty):
            yield self.done.get(timeout=_LOOK if self.timeout is not None else 0.5)
            while time.monotonic() < until:
                yield self.done.get_nowait()

    def late(self) -> list[int]:
        """Calls that are given up now."""
        now = time.monotonic()
        with self.lock:
            late = [n for n, since in self.started.items() if self.timeout is not None and now - since > self.timeout]
            for number in late:
                del self.started[number]
                self.stuck.add(1)
        return late

    def never(self) -> list[int]:
        """The calls that were not begun; nobody makes them any more."""
        with self.lock:
            return list(self.numbers)


class _Raised:
    """Stands for what a call raised, on its way to the thread that asked for it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _raise_or(result: Any) -> Any:
    if isinstance(result, _Raised):
        raise result.error
    return result


def stream_async(
    work: Callable[[int], Awaitable[T]],
    count: int,
    *,
    max_concurrency: int,
    timeout: float | None = None,
    limit: RateLimit | None = None,
) -> Generator[tuple[int, T | TimedOut]]:
    """The same as `stream` for async callables, on one event loop in a thread (a notebook's own loop is busy)."""
    _check_concurrency(max_concurrency)
    done: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
    numbers = iter(range(count))
    loops: list[asyncio.AbstractEventLoop] = []
    ready, stopped = threading.Event(), threading.Event()

    async def serve() -> None:
        for number in numbers:
            if limit is not None:
                await asyncio.sleep(limit.delay())
            call = asyncio.ensure_future(work(number))
            ended, _ = await asyncio.wait({call}, timeout=timeout)
            if not ended:
                call.cancel()  # not waited for: it may refuse
                call.add_done_callback(_heard)
            done.put((number, _result(call) if ended else TimedOut(timeout or 0.0)))

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        ready.set()
        await asyncio.gather(*(serve() for _ in range(min(max_concurrency, count))))

    def target() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(main())

    thread = threading.Thread(target=target, daemon=True, name="dfevals-loop")
    thread.start()
    ready.wait()
    left = count
    try:
        while left:
            try:
                item = done.get(timeout=0.5)
            except queue.Empty:
                if not thread.is_alive() and done.empty():
                    raise DataError("the event loop of the calls ended early.") from None
                continue
            left -= 1
            yield item[0], _raise_or(item[1])
    finally:
        stopped.set()
        if left:
            with contextlib.suppress(RuntimeError):  # the loop has just ended by itself
                loops[0].call_soon_threadsafe(_cancel_all, loops[0])
        thread.join(timeout=2)


def _result(call: asyncio.Future[Any]) -> Any:
    """What a call that has ended returned or raised."""
    if call.cancelled():
        return _Raised(asyncio.CancelledError())
    error = call.exception()
    return call.result() if error is None else _Raised(error)


def _heard(call: asyncio.Future[Any]) -> None:
    """Ask for the exception of a call that nobody waits for: Python complains of those that nobody asks for."""
    if not call.cancelled():
        call.exception()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


def _check_concurrency(max_concurrency: int) -> None:
    if not isinstance(max_concurrency, int) or isinstance(max_concurrency, bool) or max_concurrency < 1:
        raise DataError(f"max_concurrency={max_concurrency!r} must be a whole number of at least 1.")


class RateLimit:
    """At most so many calls a second, spaced evenly; shared by all threads.

    Parameters
    ----------
    per_second : float or None
        None means no limit.
    """

    def __init__(self, per_second: float | None) -> None:
        if per_second is not None and not per_second > 0:
            raise DataError(f"rate_limit={per_second!r} must be above 0 (calls per second).")
        self.gap = 0.0 if per_second is None else 1.0 / per_second
        self._lock = threading.Lock()
        self._next = 0.0

    def delay(self) -> float:
        """Seconds to wait before the next call; takes the place in the queue."""
        if not self.gap:
            return 0.0
        with self._lock:
            now = time.monotonic()
            place = max(now, self._next)
            self._next = place + self.gap
        return place - now

    def wait(self) -> None:
        """Wait for a place."""
        delay = self.delay()
        if delay > 0:
            time.sleep(delay)
