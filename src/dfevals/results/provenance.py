"""How a result was made: roles, cohorts, a hash of the data read, versions. Worked out when first read."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from dfevals import render
from dfevals.cohorts import encode
from dfevals.columns.numbers import Numbers, contents
from dfevals.columns.plain_values import EXACT
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Roles
from dfevals.version import __version__

__all__ = ["Provenance", "data_hash", "provenance"]


class Provenance(Mapping[str, Any]):
    """Read-only record of how a result was made; worked out when first read.

    Parameters
    ----------
    source : mapping or callable returning one, optional
        The record.
    explore : callable, optional
        Makes an explorer of the rows from what a result shows and what the caller asks for; None where there are no rows.

    Examples
    --------
    >>> Provenance(lambda: {"engine": "pandas", "rows_read": 10})["engine"]
    'pandas'
    """

    def __init__(
        self,
        source: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        explore: Callable[[Mapping[str, Any], Mapping[str, Any]], Any] | None = None,
    ) -> None:
        self._source = source
        self.explore = explore

    @cached_property
    def _items(self) -> dict[str, Any]:
        source = self._source() if callable(self._source) else self._source
        return dict(source or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return Provenance, (dict(self),)  # the rows to explore stay behind

    def __deepcopy__(self, memo: dict[int, Any]) -> Provenance:
        return self  # read-only

    def adding(self, more: Callable[[], Mapping[str, Any]]) -> Provenance:
        """This record and what a result adds to it, with the same rows to explore."""
        return Provenance(lambda: {**self, **more()}, self.explore)

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        width = max(map(len, self._items), default=0)
        return "\n".join(f"{key.ljust(width)}  {value}" for key, value in self._items.items())

    def table(self) -> render.Table:
        """The record as a table of two columns."""
        keys, values = list(self._items), [str(value) for value in self._items.values()]
        columns = [render.text_column("", keys, header=True), render.text_column("", values)]
        return render.Table(columns, title="Provenance")


def provenance(bound: Bound, roles: Roles, by: Any) -> dict[str, Any]:
    """A small record of plain values."""
    return {
        "roles": repr(roles),
        "task": bound.task,
        "labels": ", ".join(map(repr, bound.labels)),
        "by": repr(by) if by is not None and not isinstance(by, dict) else ", ".join(map(str, by or ())),
        "engine": bound.engine,
        "rows_read": bound.n,
        "rows_without": "; ".join(f"{rows:,} {reason}" for reason, rows in bound.incomplete_counts.items()) or "none",
        "data_sha256": data_hash(bound),
        "versions": f"dfevals {__version__}, pandas {pd.__version__}, numpy {np.__version__}, Python {platform.python_version()}",
    }


def data_hash(bound: Bound) -> str:
    """SHA-256 of the columns that play a role: equal data give equal hashes, whatever their dtypes."""
    digest = hashlib.sha256()
    for name in bound.columns:
        series = bound.series(name, "")
        digest.update(str(name).encode() + b"\0")
        numbers = _numbers(series)
        if numbers is not None:
            digest.update(numbers.data)
            continue
        codes, labels = encode(series)
        order = np.argsort(labels)
        digest.update(np.argsort(order).astype(np.int32).take(codes).data)
        digest.update("\0".join(map(str, labels[order])).encode())
    return digest.hexdigest()


def _numbers(series: pd.Series) -> np.ndarray[Any, Any] | None:
    """Values as float64, if that loses nothing; missing values and zeros of one kind."""
    if contents(series) not in ("numbers", "truths"):
        return None
    values = Numbers(series, "").all() + 0.0
    if np.nanmax(np.abs(values), initial=0.0) >= EXACT and types.is_integer_dtype(series.dtype):
        return None
    values[np.isnan(values)] = np.nan
    return np.ascontiguousarray(values)
