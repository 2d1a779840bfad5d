"""Definitions of cohorts that depend on all rows (equal bins, quantiles, most frequent values), settled batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dfevals.cohorts.definitions import Bins, Definition, Quantiles, Top, column_of
from dfevals.cohorts.intervals import Dimension, Numbers, cut
from dfevals.columns.codes import Array, counts, factorise

__all__ = ["settled", "unsettled"]


def unsettled(definition: Any) -> bool:
    """Whether a definition needs to know all rows before any can be coded."""
    return isinstance(definition, Quantiles | Top) or (
        isinstance(definition, Bins) and isinstance(definition.edges, int)
    )


def settled(definitions: Iterable[Definition], frames: Iterator[pd.DataFrame]) -> dict[Definition, Any]:
    """Definitions with edges and values found in one reading, by what they were."""
    found: dict[Definition, Any] = {d: _collector(d) for d in definitions}
    for frame in frames:
        for collector in found.values():
            collector.look(column_of(frame, collector.definition.column))
    return {definition: collector.settle() for definition, collector in found.items()}


def _collector(definition: Definition) -> Any:
    if isinstance(definition, Top):
        return _Frequent(definition)
    return _Ranked(definition) if isinstance(definition, Quantiles) else _Ends(definition)


@dataclass(frozen=True, eq=False)
class _Cut:
    """Bins or quantiles between known edges."""

    definition: Any
    edges: Array
    note: str = ""

    @property
    def column(self) -> Any:
        return self.definition.column

    @property
    def kind(self) -> str:
        found: str = self.definition.kind
        return found

    def __repr__(self) -> str:
        return repr(self.definition)

    def dimension(self, frame: pd.DataFrame, limit: int | None) -> Dimension:
        numbers = Numbers.of(column_of(frame, self.column))
        found = cut(numbers, self.edges, getattr(self.definition, "labels", None))
        return replace(found, notes=(self.note,)) if self.note else found


@dataclass(frozen=True, eq=False)
class _Kept(_Cut):
    """The most frequent values, which `edges` holds, and one cohort of all others."""

    def dimension(self, frame: pd.DataFrame, limit: int | None) -> Dimension:
        series = column_of(frame, self.column)
        levels = factorise(series)
        if len(levels.values) <= self.definition.k:
            found: Dimension = self.definition.dimension(frame, limit)
            return found
        known = set(self.edges.tolist())
        kept = np.array([i for i, value in enumerate(levels.values) if value in known], np.intp)
        among: Dimension = self.definition.kept(series, levels, kept)
        return among


class _Ends:
    """The least and the greatest value."""

    def __init__(self, definition: Any) -> None:
        self.definition = definition
        self.low: Any = None
        self.high: Any = None
        self.kind: Any = np.dtype(np.float64)

    def look(self, series: pd.Series) -> None:
        numbers = Numbers.of(series)
        low, high = numbers.range()
        if low == low:
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)
            self.kind = numbers.edge_dtype

    def settle(self) -> _Cut:
        low, high = (np.nan, np.nan) if self.low is None else (self.low, self.high)
        return _Cut(self.definition, self.definition.cuts(low, high, self.kind))


class _Ranked:
    """All values, in any order: eight bytes a row for the time of the reading."""

    def __init__(self, definition: Any) -> None:
        self.definition = definition
        self.parts: list[Array] = []

    def look(self, series: pd.Series) -> None:
        self.parts.append(Numbers.of(series).all())

    def settle(self) -> _Cut:
        filled = [part for part in self.parts if len(part)]
        values = np.concatenate(filled) if filled else np.zeros(0)
        self.parts.clear()
        return _Cut(self.definition, *self.definition.cuts(values))


class _Frequent:
    """How often every value occurs."""

    def __init__(self, definition: Any) -> None:
        self.definition = definition
        self.times: Counter[Any] = Counter()

    def look(self, series: pd.Series) -> None:
        levels = factorise(series)
        rows = counts(levels.codes, len(levels.values) + 1)
        for value, n in zip(levels.values, rows.tolist(), strict=False):
            self.times[value] += n

    def settle(self) -> _Cut:
        values = factorise(pd.Series(list(self.times), dtype=object)).values if self.times else ()
        most = self.definition.most(np.array([self.times[value] for value in values], np.int64))
        kept = np.empty(len(most), dtype=object)
        kept[:] = [values[i] for i in most]
        return _Kept(self.definition, kept)
