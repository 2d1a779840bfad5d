"""Small integer codes of column values, made block by block so that temporaries stay flat whatever the number of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dfevals.columns.numbers import plain_number
from dfevals.exceptions import CohortError
from dfevals.words import whole_characters

__all__ = [
    "ALL",
    "BLOCK",
    "MISSING",
    "OVERALL",
    "Levels",
    "as_blocks",
    "code_dtype",
    "combine",
    "counts",
    "encode",
    "factorise",
    "native_times",
    "number_literal",
    "number_text",
    "relabel",
    "spans",
    "texts",
]

BLOCK = 1 << 18
MISSING = "<NA>"
ALL = "(all)"
OVERALL = "(overall)"
_DENSE = 1 << 21
_WHOLE = 1 << 21  # rows up to which a column is factorised at once: the codes are then 16 MB at most

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Levels:
    """A column as codes into its sorted distinct values; missing values hold the last code, `len(values)`."""

    codes: Array
    values: tuple[Any, ...]
    has_missing: bool

    @property
    def size(self) -> int:
        """Number of codes in use, the missing one included."""
        return len(self.values) + self.has_missing


def encode(series: pd.Series) -> tuple[Array, Array]:
    """Code every value of a column of any dtype.

    Parameters
    ----------
    series : pandas.Series
        Text, category, nullable, Arrow-backed, Boolean, datetime, whole or floating numbers, or an object column of these.

    Returns
    -------
    codes : ndarray of int8, int16 or int32, shape (n_rows,)
        Index into `labels` of each row.
    labels : ndarray of object
        Text of each distinct value: numbers sorted numerically, text lexicographically, categories in their own order
        (unobserved ones left out). Missing values are the last label, ``<NA>``, if there are any.

    Raises
    ------
    CohortError
        When cells cannot be hashed (lists, dicts).

    Examples
    --------
    >>> codes, labels = encode(pd.Series([30.0, None, 7.5]))
    >>> codes.tolist(), labels.tolist()
    ([1, 2, 0], ['7.5', '30', '<NA>'])
    """
    levels = factorise(series)
    return levels.codes, texts(levels)


def factorise(series: pd.Series, limit: int | None = None) -> Levels:
    """Codes and sorted distinct values of a column; more than `limit` values raise OverflowError at once."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return _of_categories(series)
    array = as_blocks(series)
    try:
        size = len(array) if len(array) <= _WHOLE else BLOCK  # each block hashes the values it meets anew
        blocks = (array[a : a + size] for a in range(0, len(array), max(size, 1)))
        codes, values, missing = _distinct(blocks, len(array), limit)
    except TypeError as error:
        raise CohortError(
            f"Column {series.name!r} holds cells that cannot be grouped ({error}). "
            "Make a column of plain values from it first, e.g. of text or of lengths."
        ) from error
    order = _sorted_order(values)
    lut = np.empty(len(values) + 1, dtype=code_dtype(len(values) + 1))
    lut[order] = np.arange(len(values))
    lut[-1] = len(values)
    plain = tuple(v.value if isinstance(v, _Truth) else v for v in (values[i] for i in order))
    return Levels(relabel(codes, lut), plain, missing)


def spans(n_rows: int) -> Iterator[tuple[int, int]]:
    """First and past-the-last row of each block."""
    for start in range(0, n_rows, BLOCK):
        yield start, min(start + BLOCK, n_rows)


def code_dtype(n_codes: int) -> np.dtype[Any]:
    """Smallest signed integer type that holds codes below `n_codes`, and −1."""
    return np.dtype(np.int8 if n_codes <= 128 else np.int16 if n_codes <= 32768 else np.int32)


def counts(codes: Array, n_codes: int) -> Array:
    """Rows of each code."""
    total = np.zeros(n_codes, dtype=np.int64)
    for a, b in spans(len(codes)):
        total += np.bincount(codes[a:b], minlength=n_codes)
    return total


def relabel(codes: Array, lut: Array) -> Array:
    """``lut[codes]``; in place where the types agree and `codes` can be written."""
    out = codes if codes.dtype == lut.dtype and codes.flags.writeable else np.empty(len(codes), dtype=lut.dtype)
    for a, b in spans(len(codes)):
        out[a:b] = lut.take(codes[a:b])
    return out


def combine(a: Array, n_a: int, b: Array, n_b: int) -> tuple[Array, Array, Array]:
    """Codes of the observed pairs of two codes, in the order of the pairs; `a` may be overwritten.

    Returns the codes of all rows, and for each new code its code in `a` and in `b`.
    """
    if n_a * n_b <= _DENSE:
        observed = np.zeros(n_a * n_b, dtype=bool)
        for start, stop in spans(len(a)):
            observed[_joint(a[start:stop], n_b, b[start:stop])] = True
        pairs = np.flatnonzero(observed)
        lut = np.zeros(n_a * n_b, dtype=code_dtype(len(pairs)))
        lut[pairs] = np.arange(len(pairs))
        codes = a if a.dtype == lut.dtype and a.flags.writeable else np.empty(len(a), dtype=lut.dtype)
        for start, stop in spans(len(a)):
            codes[start:stop] = lut.take(_joint(a[start:stop], n_b, b[start:stop]))
    else:
        joint = (_joint(a[start:stop], n_b, b[start:stop], np.int64) for start, stop in spans(len(a)))
        codes, values, _ = _distinct(joint, len(a), None)
        found = np.asarray(values, dtype=np.int64)
        order = np.argsort(found)
        lut = np.empty(len(found), dtype=code_dtype(len(found)))
        lut[order] = np.arange(len(found))
        codes, pairs = relabel(codes, lut), found[order]
    return codes, pairs // n_b, pairs % n_b


def _joint(a: Array, n_b: int, b: Array, dtype: type[np.signedinteger[Any]] = np.int32) -> Array:
    joint = np.multiply(a, n_b, dtype=dtype)  # the type is said: numpy 1 would keep that of small codes and overflow
    joint += b
    return joint


def texts(levels: Levels, reserved: Iterable[str] = (MISSING, ALL, OVERALL)) -> Array:
    """Label of each code: the shortest clean text; text that could be taken for something else is quoted."""
    values = levels.values
    write = _timestamp_writer(values)
    found = [whole_characters(write(v)) for v in values]
    taken = set(reserved).union(t for v, t in zip(values, found, strict=True) if not isinstance(v, str))
    for i, value in enumerate(values):
        while isinstance(value, str) and found[i] in taken:
            found[i] = f'"{found[i]}"'
    if len(set(found)) < len(found):
        found = _told_apart(found, values)
    labels = np.empty(levels.size, dtype=object)
    labels[:] = found + [MISSING] * levels.has_missing
    return labels


def _told_apart(found: list[str], values: tuple[Any, ...]) -> list[str]:
    """Values of several types that print alike get the name of their type, and if need be a number."""
    times = Counter(found)
    named = [f"{t} ({type(v).__name__})" if times[t] > 1 else t for t, v in zip(found, values, strict=True)]
    seen: Counter[str] = Counter()
    for i, text in enumerate(named):
        seen[text] += 1
        named[i] = text if seen[text] == 1 else f"{text} #{seen[text]}"
    return named


def _of_categories(series: pd.Series) -> Levels:
    raw = np.asarray(series.array.codes)
    categories = series.array.categories
    used = np.zeros(len(categories) + 1, dtype=bool)
    for a, b in spans(len(raw)):
        used |= np.bincount(np.add(raw[a:b], 1, dtype=np.int64), minlength=len(used)).astype(bool)
    missing, used = bool(used[0]), used[1:]
    values = _as_list(categories[used])
    lut = np.zeros(len(categories) + 1, dtype=code_dtype(len(values) + 1))
    lut[:-1][used] = np.arange(len(values))
    lut[-1] = len(values)  # missing is −1, which numpy reads as the last place
    codes = np.empty(len(raw), dtype=lut.dtype)
    for a, b in spans(len(raw)):
        codes[a:b] = lut.take(raw[a:b])
    return Levels(codes, tuple(values), missing)


def as_blocks(series: pd.Series) -> Any:
    """The column as an array whose slices are cheap and factorise fast."""
    series = native_times(series)
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return series.to_numpy()
    if isinstance(dtype, pd.StringDtype) and dtype.storage == "python":
        return np.asarray(series.array, dtype=object)
    if isinstance(dtype, pd.SparseDtype):
        return np.asarray(series.array)
    return series.array


def native_times(series: pd.Series) -> pd.Series:
    """Times and dates of Arrow as pandas' own, which compare with text; other columns as they are."""
    dtype = series.dtype
    if not isinstance(dtype, pd.ArrowDtype) or not str(dtype).startswith(("timestamp", "date", "duration")):
        return series
    if str(dtype).startswith("duration"):
        return series.astype("timedelta64[ns]")
    zone = getattr(dtype.pyarrow_dtype, "tz", None)
    return series.astype(pd.DatetimeTZDtype("ns", zone) if zone else "datetime64[ns]")


@dataclass(frozen=True)
class _Truth:
    """True or False of an object column, kept apart from 1 and 0, which hash and compare alike."""

    value: bool


def _distinct(blocks: Iterable[Any], n_rows: int, limit: int | None) -> tuple[Array, list[Any], bool]:
    """Codes by first appearance, the values, and whether missing values (coded `len(values)`) were met."""
    known: dict[Any, int] = {}
    codes = np.empty(n_rows, dtype=np.int8)
    parts: list[tuple[int, int]] = []
    missing = False
    start = 0
    for block in blocks:
        found, uniques = pd.factorize(block)
        if _may_mix_truth(uniques):
            found, uniques = pd.factorize(_truths_apart(block))
        lut = np.empty(len(uniques) + 1, dtype=np.int64)
        for i, value in enumerate(_as_list(uniques)):
            lut[i] = -1 if _is_missing(value) else known.setdefault(value, len(known))
        lut[-1] = -1
        if limit is not None and len(known) > limit:
            raise OverflowError(f"more than {limit:,} distinct values")
        stop = start + len(found)
        dtype = code_dtype(len(known) + 1)
        if dtype.itemsize > codes.itemsize:  # untouched pages of np.empty cost no memory
            grown = np.empty(n_rows, dtype=dtype)
            grown[:start] = codes[:start]
            codes = grown
        codes[start:stop] = lut.astype(codes.dtype).take(found)
        parts.append((start, stop))
        missing = missing or bool((lut[:-1] < 0).any()) or bool((found < 0).any())
        start = stop
    return codes, list(known), missing


def _may_mix_truth(uniques: Any) -> bool:
    return uniques.dtype == object and any(
        not isinstance(v, str) and isinstance(v, (bool, np.bool_, int, float, complex, np.number)) and v in (0, 1)
        for v in uniques
    )


def _truths_apart(block: Any) -> Array:
    values = np.asarray(block, dtype=object)
    is_truth = np.fromiter((isinstance(v, (bool, np.bool_)) for v in values), dtype=bool, count=len(values))
    apart = values.copy()
    apart[is_truth] = np.array([_Truth(False), _Truth(True)], dtype=object)[values[is_truth].astype(np.intp)]
    return apart


def _as_list(uniques: Any) -> list[Any]:
    """Plain Python values; a float32 0.1 becomes 0.1, not 0.10000000149011612."""
    dtype = getattr(uniques.dtype, "numpy_dtype", uniques.dtype)
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        values = np.asarray(uniques, dtype=object) if not isinstance(uniques, np.ndarray) else uniques
        if dtype.itemsize < 8:
            return [v if _is_missing(v) else float(str(dtype.type(v))) + 0.0 for v in values]
        return [v if _is_missing(v) else float(v) + 0.0 for v in values]
    if isinstance(uniques, np.ndarray) and uniques.dtype.kind in "biuc":
        return list(uniques.tolist())
    if isinstance(uniques, np.ndarray) and uniques.dtype.kind in "mM":
        uniques = pd.Index(uniques)
    return [plain_number(v) if isinstance(v, np.generic) else v for v in uniques.astype(object)]


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _sorted_order(values: list[Any]) -> list[int]:
    """Indices that sort: truth values, then numbers, then text, then anything else by its text."""
    return sorted(range(len(values)), key=_sort_key(values))


def _sort_key(values: list[Any]) -> Callable[[int], Any]:
    kinds = {type(v) for v in values}
    if len(kinds) == 1 and kinds <= {str, int, float, bool, pd.Timestamp, pd.Timedelta, pd.Period}:
        return values.__getitem__

    def key(i: int) -> tuple[int, Any]:
        value = values[i]
        if isinstance(value, _Truth):
            return 0, value.value
        if isinstance(value, (int, float)):
            return 1, value
        return (2, value) if isinstance(value, str) else (3, (type(value).__name__, str(value)))

    return key


def _timestamp_writer(values: tuple[Any, ...]) -> Callable[[Any], str]:
    """How values are written; times of a column without clock times are written as dates."""
    times = [v for v in values if isinstance(v, pd.Timestamp)]
    dates_only = all(t == t.normalize() for t in times)

    def write(value: Any) -> str:
        if isinstance(value, pd.Timestamp):
            return value.strftime("%Y-%m-%d") if dates_only else str(value)
        if isinstance(value, float):
            return number_text(value)
        return str(value)

    return write


def number_text(value: float) -> str:
    """Shortest text of a number that reads back as the same number: ``30``, ``7.5``, ``1e-09``."""
    text = repr(value)
    return text[:-2] if text.endswith(".0") else text


def number_literal(value: float) -> str:
    """The number as an expression writes it; infinity is a number beyond the range of floating ones."""
    return number_text(value).replace("inf", "1e999")
