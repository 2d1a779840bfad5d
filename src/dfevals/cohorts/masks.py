"""Named expressions and Boolean masks → one atom per row: a distinct combination of the masks, found block by block."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from dfevals.cohorts.definitions import column_of
from dfevals.columns.codes import ALL, MISSING, OVERALL, Array, code_dtype, spans
from dfevals.exceptions import CohortError
from dfevals.expressions import Expression, Rows, parse

__all__ = ["resolve_masks", "source_of"]

_WIDTH = 16


def resolve_masks(by: Mapping[Any, Any], frame: pd.DataFrame) -> tuple[tuple[str, ...], Array, Array]:
    """Names, the atom of every row, and which atom (row) lies in which cohort (column)."""
    names = tuple(_plain_name(str(name)) for name in by)
    if len(set(names)) < len(names):
        raise CohortError(f"Names of cohorts repeat as text: {list(names)}.")
    if not names:
        raise CohortError("by= is an empty dict; give {name: expression}, or None for no cohorts.")
    sources = [source_of(name, value, frame) for name, value in zip(names, by.values(), strict=True)]
    patterns = _Patterns(len(sources))
    codes = np.empty(len(frame), dtype=np.int8)
    expressions = [source for source in sources if isinstance(source, Expression)]
    for column in dict.fromkeys(c for e in expressions for c in e.locate(frame).values()):
        column_of(frame, column)
    rows = Rows(frame, expressions)
    for a, b in spans(len(frame)):
        block = rows.block(a, b)
        found = patterns.codes((s.evaluate(block) if isinstance(s, Expression) else s[a:b] for s in sources), b - a)
        dtype = code_dtype(patterns.size)
        if dtype.itemsize > codes.itemsize:
            grown = np.empty(len(frame), dtype=dtype)
            grown[:a] = codes[:a]
            codes = grown
        codes[a:b] = found
    return names, codes, patterns.members()


def _plain_name(name: str) -> str:
    """A name that could be taken for the overall row or a missing value is quoted, as values of columns are."""
    return f'"{name}"' if name in (MISSING, ALL, OVERALL) else name


def source_of(name: str, value: Any, frame: pd.DataFrame) -> Expression | Array:
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, Expression):
        return value
    if isinstance(value, pd.Series):
        if not value.index.equals(frame.index):
            raise CohortError(
                f"The mask of cohort {name!r} has another index than the frame. Make it from the frame itself, "
                "or pass mask.to_numpy() if its rows are in the frame's order."
            )
        if value.dtype == object:
            raise CohortError(f"The mask of cohort {name!r} holds objects, not truth values; use .astype(bool).")
        if value.dtype.kind != "b":
            raise CohortError(f"The mask of cohort {name!r} is of type {value.dtype}, not Boolean.")
        return np.asarray(value.to_numpy(dtype=bool, na_value=False))
    mask = value.to_numpy(dtype=bool, na_value=False) if isinstance(value, pd.api.extensions.ExtensionArray) else value
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.ndim != 1:
        got = f"{value!r:.60}" if mask.ndim == 0 else f"{len(mask):,} values of type {mask.dtype}"
        raise CohortError(
            f'Cohort {name!r} must be an expression such as "age < 30" or a Boolean mask, got {type(value).__name__}: {got}.'
        )
    if len(mask) != len(frame):
        raise CohortError(f"The mask of cohort {name!r} has {len(mask):,} rows, the frame has {len(frame):,}.")
    return mask


class _Patterns:
    """Numbers the distinct combinations of masks: a chain of tables, each adding up to 16 masks to a combination."""

    def __init__(self, n_masks: int) -> None:
        self._cuts = [(a, min(a + _WIDTH, n_masks)) for a in range(0, n_masks, _WIDTH)]
        self._tables: list[dict[int, int]] = [{} for _ in self._cuts]

    @property
    def size(self) -> int:
        """Combinations met so far."""
        return len(self._tables[-1])

    def codes(self, masks: Iterator[Array], n: int) -> Array:
        """Combination of each row of a block; only a few masks exist at a time."""
        found = np.zeros(n, dtype=np.int64)
        for (a, b), table in zip(self._cuts, self._tables, strict=True):
            joint = _packed(list(itertools.islice(masks, b - a)), n)
            if a:
                joint = (found << _WIDTH) | joint
            found = _numbered(joint, table)
        return found

    def members(self) -> Array:
        """Boolean array, combinations × masks."""
        earlier = np.zeros((1, 0), dtype=bool)
        for (a, b), table in zip(self._cuts, self._tables, strict=True):
            keys = np.fromiter(table, dtype=np.int64, count=len(table))
            bits = (keys[:, None] >> np.arange(b - a)) & 1
            earlier = np.column_stack([earlier[keys >> _WIDTH], bits.astype(bool)])
        return earlier


def _packed(masks: list[Array], n: int) -> Array:
    """Bits of up to 16 masks in one number per row."""
    dtype = np.dtype(np.uint8 if len(masks) <= 8 else np.uint16)
    out = np.zeros(n, dtype=dtype)
    for bit, mask in enumerate(masks):
        out |= mask.astype(dtype) << dtype.type(bit)
    return out


def _numbered(joint: Array, table: dict[int, int]) -> Array:
    if joint.dtype.kind == "u":  # few possible values: count instead of hashing
        seen = np.flatnonzero(np.bincount(joint))
        lut = np.zeros(1 << (8 * joint.dtype.itemsize), dtype=np.int64)
        lut[seen] = [table.setdefault(int(key), len(table)) for key in seen]
        return lut.take(joint)
    codes, seen = pd.factorize(joint)
    lut = np.array([table.setdefault(int(key), len(table)) for key in seen], dtype=np.int64)
    return lut.take(codes)
