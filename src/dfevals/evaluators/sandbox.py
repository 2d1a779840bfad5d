"""Bounded time for checks that may never end: a helper process that is killed when it takes too long."""

from __future__ import annotations

import atexit
import collections
import contextlib
import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from dfevals.exceptions import DataError

__all__ = ["CheckTimeout", "run_apart"]

_START_SECONDS = 15.0
_WARM: dict[str, dict[str, Any]] = {
    "regex": {"do": "regex", "with": ["a", "a", "search", 0]},
    "schema": {"do": "schema", "with": ["{}", 1, None, True]},
}


class CheckTimeout(DataError):
    """A check took longer than it was given."""


class _Helper:
    """One process that answers requests in turn."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("checking.py")
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-W", "ignore", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self.answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True, name="dfevals-check").start()
        self.warm: set[str] = set()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put(None)

    def ask(self, request: dict[str, Any], seconds: float) -> Any:
        """Send a request and wait so long for its answer; starting up and importing are not counted."""
        if request["do"] not in self.warm:
            self.warm.add(request["do"])
            self.ask(_WARM[request["do"]], _START_SECONDS)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.answers.get(timeout=seconds)
        if answer is None:
            raise BrokenPipeError
        return json.loads(answer)

    def close(self) -> None:
        """End the process and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


_lock = threading.Lock()
_helper: list[_Helper] = []


_MOST_IN_A_ROW = 20
_late: collections.Counter[str] = collections.Counter()


def run_apart(request: dict[str, Any], seconds: float, subject: str) -> Any:
    """Answer of the helper process to a request.

    Parameters
    ----------
    request : dict
        What `checking.py` understands.
    seconds : float
        Time allowed.
    subject : str
        The pattern or schema: after 20 rows in a row that ran out of time on it, further ones are given up at once, so
        that a long column takes bounded time too.

    Raises
    ------
    CheckTimeout
        After so many seconds; the process is killed and the next request starts a new one.
    """
    with _lock:
        if _late[subject] >= _MOST_IN_A_ROW:
            raise CheckTimeout(f"given up: {_MOST_IN_A_ROW} rows before ran out of {seconds:g} s on the same pattern.")
        answer = _asked(request, seconds, subject)
        _late.pop(subject, None)
        return answer


def _asked(request: dict[str, Any], seconds: float, subject: str) -> Any:
    """Ask the helper; whatever goes wrong ends it."""
    try:
        if not _helper:
            _helper.append(_Helper())
        return _helper[0].ask(request, seconds)
    except queue.Empty:
        _end()
        _late[subject] += 1
        raise CheckTimeout(f"not decided within {seconds:g} s (a pattern that backtracks without end?).") from None
    except OSError as error:
        _end()
        raise DataError(f"the checking process ended: {error or 'no message'}.") from error
    except BaseException:
        _end()
        raise


def _end() -> None:
    while _helper:
        _helper.pop().close()


atexit.register(_end)
