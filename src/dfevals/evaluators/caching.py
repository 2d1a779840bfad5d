"""Results on disk by content hash, so that a killed run repeats nothing and loses nothing (SQLite)."""

from __future__ import annotations

import errno
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from dfevals.evaluators.written import exactly
from dfevals.exceptions import DataError

__all__ = ["Cache", "content_key"]

_CHUNK = 500


def content_key(fingerprint: str, values: Mapping[str, object]) -> str | None:
    """Hash of who evaluates and what is evaluated; None where that cannot be written exactly.

    Without a key a row is neither grouped with others nor kept: another row, or another day's, might have the same one.

    Examples
    --------
    >>> content_key("f", {"a": 1}) == content_key("f", {"a": 1.5})
    False
    >>> content_key("f", {"a": lambda: 1}) is None
    True
    """
    body = exactly(values)
    if body is None:
        return None
    return hashlib.sha256(f"{fingerprint}\0{body}".encode("utf-8", "surrogatepass")).hexdigest()


def _stored(value: object) -> object:
    """What JSON lacks, of the numbers and texts that results hold."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


_FREE = "Free some space on the disk and go on: what is stored stays"
_WRITABLE = "Check that its folder exists and that you may write there, or give another path"
_WAIT = "Another program is writing to it: try again when it has ended, or give the path of a file of your own"
_ADVICE = {
    sqlite3.SQLITE_FULL: _FREE,
    sqlite3.SQLITE_IOERR: "The disk is full or cannot be reached. Go on when it can, or give a path on another disk: what is stored stays",
    sqlite3.SQLITE_BUSY: _WAIT,
    sqlite3.SQLITE_LOCKED: _WAIT,
    sqlite3.SQLITE_READONLY: _WRITABLE,
    sqlite3.SQLITE_PERM: _WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _WRITABLE,
    sqlite3.SQLITE_CORRUPT: (
        "Move it away and go on with a new file; `sqlite3 FILE .recover` may read what is left. Where no answer in it "
        "matters, delete this one"
    ),
}
_OF_OS = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _FREE,
    errno.EIO: _ADVICE[sqlite3.SQLITE_IOERR],
    errno.EACCES: _WRITABLE,
    errno.EROFS: _WRITABLE,
}


def _advice(error: Exception) -> str:
    """What to do about an error of a cache; answers that were paid for are never to be deleted for want of space."""
    found = _ADVICE.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF)
    if found is None and isinstance(error, OSError):
        found = _OF_OS.get(error.errno or 0)
    return f"{found or 'Give the path of a new file'}."


class Cache:
    """A small key → JSON store that several threads and processes may use.

    Parameters
    ----------
    path : str or Path
        The SQLite file; made when it does not exist.

    Raises
    ------
    DataError
        When the file is not a cache, is damaged, or cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._closed = False
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, check_same_thread=False, timeout=30)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        db.commit()
        return db

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise DataError(f"cache={str(self.path)!r} cannot be used: {error}. {_advice(error)}") from error

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """The stored values of those keys that are there."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Any] = {}
        with self._lock, self._explained():
            for start in range(0, len(wanted), _CHUNK):
                part = wanted[start : start + _CHUNK]
                marks = ",".join("?" * len(part))
                for key, value in self._db.execute(f"SELECT key, value FROM results WHERE key IN ({marks})", part):
                    found[key] = json.loads(value)
        return found

    def put(self, items: Mapping[str, Any]) -> None:
        """Store values; they are on disk when this returns, even after `close` (calls that were under way then)."""
        if not items:
            return
        rows = [(key, json.dumps(value, default=_stored)) for key, value in items.items()]
        with self._lock, self._explained():
            db = self._opened() if self._closed else self._db
            with db:
                db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?)", rows)
            if self._closed:
                db.close()

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM results").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            self._db.close()

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
