"""Columns of any dtype as operands of expressions: plain numbers, values by code, cells of object columns, times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from dfevals.columns.codes import Array

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

    def take(self, of_levels: Array, missing: bool) -> Array:
        """Truth value of each row from that of each level."""
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
            return Plain(block)
        return Times(pd.array(block)) if dtype.kind in "mM" else Objects(block.astype(object, copy=False))
    if isinstance(dtype, pd.StringDtype):
        codes, levels = pd.factorize(block)
        return Coded(codes, Objects(np.asarray(levels, dtype=object)))
    if dtype.kind in "biuf":
        numpy_dtype = getattr(dtype, "numpy_dtype", dtype)
        gone = np.asarray(block.isna())
        filler = False if dtype.kind == "b" else 0
        return Plain(block.to_numpy(dtype=numpy_dtype, na_value=filler), gone if gone.any() else None)
    if dtype.kind in "mM" or isinstance(dtype, pd.PeriodDtype):
        return Times(block)
    return Objects(np.asarray(block, dtype=object))
