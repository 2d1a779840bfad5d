"""Where each number of a tidy metrics frame stands: cohorts × metrics × models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dfevals import words

__all__ = ["Grid", "levels"]


@dataclass(frozen=True)
class Grid:
    """Where each number of a metrics frame stands: cohorts (and classes) × (metric, model).

    Attributes
    ----------
    key_columns : tuple of str
        Columns that name a row.
    first : array of int, one per row
        Position in the frame of the row's first number.
    metrics, models : list of str
        In order of appearance.
    at : array of int, rows × metrics × models
        Position in the frame, -1 where there is no number.
    """

    key_columns: tuple[str, ...]
    first: np.ndarray
    metrics: list[str]
    models: list[str]
    at: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame, cohort_columns: Sequence[str]) -> Grid:
        """The grid of a metrics frame, in the frame's own order."""
        keys = (*cohort_columns, *(name for name in ("class",) if name in frame.columns))
        codes, first = _codes(frame, keys)
        metric, metrics = levels(frame, "metric")
        model, models = levels(frame, "model")
        at = np.full((len(first), len(metrics), len(models)), -1, dtype=np.intp)
        at[codes, metric, model] = np.arange(len(frame))
        return cls(keys, first, metrics, models, at)

    def __len__(self) -> int:
        return len(self.first)

    def overall(self, frame: pd.DataFrame) -> np.ndarray:
        """Per row: whether it is overall."""
        if "is_overall" not in frame:
            return np.zeros(len(self), dtype=bool)
        return np.asarray(frame["is_overall"].to_numpy(dtype=bool)[self.first])

    def wide(self, frame: pd.DataFrame, values: str) -> pd.DataFrame:
        """`values` spread over metrics (and models)."""
        at = self.at.reshape(len(self), len(self.metrics) * len(self.models))
        source = _interval_texts(frame) if values == "interval" else frame[values]
        spread = {}
        for place, positions in enumerate(at.T):
            column = source.take(np.maximum(positions, 0)).reset_index(drop=True)
            spread[place] = column.mask(positions < 0) if (positions < 0).any() else column
        wide = pd.DataFrame(spread)
        columns: pd.Index = pd.Index(self.metrics)
        if len(self.models) > 1:
            columns = pd.MultiIndex.from_product([self.metrics, self.models], names=["metric", "model"])
        wide.columns = columns
        wide.index = self._index(frame)
        return wide

    def _index(self, frame: pd.DataFrame) -> pd.Index:
        if not self.key_columns:
            return pd.Index(["(overall)"] * len(self), name="cohort")
        keys = frame[list(self.key_columns)].take(self.first)
        index: pd.Index = pd.MultiIndex.from_frame(keys)
        return index.get_level_values(0) if len(self.key_columns) == 1 else index


def levels(frame: pd.DataFrame, name: str) -> tuple[np.ndarray, list[str]]:
    """Codes and names of a column in order of appearance; one nameless level where there is no such column."""
    if name not in frame:
        return np.zeros(len(frame), dtype=np.intp), [""] if len(frame) else []
    codes, levels = _factorize(frame[name])
    return codes, [str(level) for level in levels]


def _codes(frame: pd.DataFrame, keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Row number of each line of the frame, and the position of each row's first line."""
    codes = np.zeros(len(frame), dtype=np.int64)
    for name in keys:
        part, levels = _factorize(frame[name])
        codes, _ = pd.factorize(codes * max(len(levels), 1) + part)
    first = np.full(int(codes.max(initial=-1)) + 1, len(frame), dtype=np.intp)
    np.minimum.at(first, codes, np.arange(len(frame)))
    return codes, first


def _factorize(column: pd.Series) -> tuple[np.ndarray, Sequence[object]]:
    """Codes in order of appearance; an object array is hashed three times as fast as a string array."""
    values = column if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy(dtype=object)
    codes, levels = pd.factorize(values, use_na_sentinel=False)
    return codes, list(levels)


def _interval_texts(frame: pd.DataFrame) -> pd.Series:
    numbers = (frame[name].to_numpy(dtype=float, na_value=np.nan).tolist() for name in ("value", "ci_low", "ci_high"))
    return pd.Series([words.estimate(*row) for row in zip(*numbers, strict=True)], dtype=object)
