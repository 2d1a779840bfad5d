"""Many calls at once, bounded in number and in time: threads for plain callables, one event loop for async ones."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from dfevals.exceptions import DataError

__all__ = ["RateLimit", "TimedOut", "stream", "stream_async"]

T = TypeVar("T")
_LOOK = 0.05


class TimedOut:
    """Stands for the result of a call that gave none in time."""

    def __init__(self, seconds: float) -> None:
        self.message = f"no answer within {seconds:g} s"


def stream(
    work: Callable[[int], T],
    count: int,
    *,
    max_concurrency: int,
    timeout: float | None = None,
    limit: RateLimit | None = None,
) -> Generator[tuple[int, T | TimedOut]]:
    """Results of `work(0) … work(count - 1)` as they come, each with its number.

    A call that takes longer than `timeout` seconds is given up: its thread is left behind (a thread cannot be
    stopped) and a new one takes its place. Closing the iterator stops further calls.

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

    Yields
    ------
    (int, result or TimedOut)
    """
    _check_concurrency(max_concurrency)
    numbers = iter(range(count))
    lock = threading.Lock()
    done: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
    started: dict[int, float] = {}
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            if limit is not None:
                stopped.wait(limit.delay())
                if stopped.is_set():
                    return
            with lock:
                started[number] = time.monotonic()
            try:
                result: Any = work(number)
            except BaseException as error:  # a thread that dies in silence would be waited for without end
                result = _Raised(error)
            with lock:
                given_up = started.pop(number, None) is None
            if given_up:
                return
            done.put((number, result))

    def start() -> None:
        threading.Thread(target=serve, daemon=True, name="dfevals-call").start()

    def given_up() -> list[int]:
        now = time.monotonic()
        with lock:
            late = [n for n, since in started.items() if timeout is not None and now - since > timeout]
            for number in late:
                del started[number]
        return late

    try:
        for _ in range(min(max_concurrency, count)):
            start()
        left, looked = count, time.monotonic()
        while left:
            try:
                item: tuple[int, Any] | None = done.get(timeout=_LOOK if timeout is not None else 0.5)
            except queue.Empty:
                item = None
            if item is not None:
                left -= 1
                yield item[0], _raise_or(item[1])
            if timeout is not None and (item is None or time.monotonic() - looked > _LOOK):
                looked = time.monotonic()
                for number in given_up():
                    start()
                    left -= 1
                    yield number, TimedOut(timeout)
    finally:
        stopped.set()


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
            try:
                result: Any = await asyncio.wait_for(work(number), timeout)
            except TimeoutError:
                result = TimedOut(timeout or 0.0)
            except BaseException as error:
                if stopped.is_set():
                    raise
                result = _Raised(error)
            done.put((number, result))

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
