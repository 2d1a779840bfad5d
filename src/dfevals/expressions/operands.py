"""Columns of any dtype as operands of expressions: plain numbers, values by code, cells of object columns, times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from dfevals.columns.codes import Array
from dfevals.columns.numbers import Numbers, as_printed, contents

__all__ = ["Coded", "Objects", "Operand", "Plain", "Times", "load"]


@dataclass(frozen=True)
class Plain:
    """Numbers or truth values; `gone` marks missing ones beside NaN."""

    values: Array
    gone: Array | None = None

    @property
    def what(self) -> str:
        """The kind of values in words."""
        return "truth values" if self.values.dtype == bool else "numbers"

    def missing(self) -> Array:
        """Mask of missing values."""
        if self.values.dtype.kind == "f":
            missing = np.isnan(self.values)
            return missing if self.gone is None else missing | self.gone
        return np.zeros(len(self.values), dtype=bool) if self.gone is None else self.gone


@dataclass(frozen=True)
class Coded:
    """Values by code; code −1 is missing."""

    codes: Array
    levels: Any
    what = "text"

    def take(self, of_levels: Array, missing: float) -> Array:
        """Truth value (or number) of each row from that of each level."""
        return np.append(of_levels, missing).take(self.codes)

    def missing(self) -> Array:
        """Mask of missing values."""
        return self.take(self.levels.missing(), True)


@dataclass
class Objects:
    """Cells of an object column, mostly text; coded once many operations ask for it."""

    cells: Array
    _coded: tuple[Array, Array] | None = field(default=None, repr=False)
    _uses: int = 0
    what = "text"

    def coded(self) -> tuple[Array, Array]:
        """Codes (−1 missing) and distinct cells."""
        if self._coded is None:
            self._coded = pd.factorize(self.cells)
        return self._coded

    def over_levels(self, test: Callable[[Any], Any], missing: bool) -> Array:
        """Truth value of each cell, tested once per distinct cell."""
        codes, levels = self.coded()
        found = np.fromiter((bool(test(v)) for v in levels), dtype=bool, count=len(levels))
        return np.append(found, missing).take(codes)

    def equals(self, value: Any) -> Array:
        """Mask of cells equal to `value`; the first few questions compare directly, which is faster than coding."""
        self._uses += 1
        if self._coded is None and self._uses <= 3:
            try:
                found = np.asarray(np.equal(self.cells, value))
                if found.dtype == bool:
                    return found
            except TypeError:  # pd.NA has no truth value
                pass
        return self.over_levels(lambda v: v == value, False)

    def missing(self) -> Array:
        """Mask of missing values."""
        return np.asarray(pd.isna(self.cells)) if self._coded is None else self._coded[0] < 0


@dataclass(frozen=True)
class Times:
    """Datetimes, durations, periods: a pandas array that compares with text by itself."""

    array: Any
    what = "times"

    def missing(self) -> Array:
        """Mask of missing values."""
        return np.asarray(self.array.isna())


Operand = Plain | Coded | Objects | Times


def load(block: Any) -> Operand:
    """Operand of a part of a column."""
    dtype = block.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        levels = block.categories.array
        is_text = isinstance(levels.dtype, pd.StringDtype)
        return Coded(np.asarray(block.codes), load(np.asarray(levels, dtype=object) if is_text else levels))
    if isinstance(block, np.ndarray):
        if dtype.kind in "biuf":
            return Plain(as_printed(block) if dtype.kind == "f" else block)
        return Times(pd.array(block)) if dtype.kind in "mM" else _objects(block.astype(object, copy=False))
    if isinstance(dtype, pd.StringDtype):
        codes, levels = pd.factorize(block)
        return Coded(codes, Objects(np.asarray(levels, dtype=object)))
    if dtype.kind in "biuf":
        numpy_dtype = getattr(dtype, "numpy_dtype", dtype)
        gone = np.asarray(block.isna())
        filler = False if dtype.kind == "b" else 0
        values = block.to_numpy(dtype=numpy_dtype, na_value=filler)
        return Plain(as_printed(values) if dtype.kind == "f" else values, gone if gone.any() else None)
    if dtype.kind in "mM" or isinstance(dtype, pd.PeriodDtype):
        return Times(block)
    return _objects(np.asarray(block, dtype=object))


def _objects(cells: Array) -> Plain | Objects | Times:
    """Cells as they are; decimals and narrow floats as the floats that they are printed as, and times as times, as everywhere."""
    kinds = set(map(type, cells[:100]))
    if any(issubclass(kind, Decimal | np.float32 | np.float16) for kind in kinds):
        series = pd.Series(cells, dtype=object)
        return Plain(Numbers(series, "").all()) if contents(series) == "numbers" else Objects(cells)
    if any(issubclass(kind, datetime | timedelta) for kind in kinds):
        found = pd.Series(cells, dtype=object).infer_objects()
        return Times(found.array) if found.dtype.kind in "mM" else Objects(cells)
    return Objects(cells)
