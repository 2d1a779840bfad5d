"""One column of two sets of rows as bins that both share, and as sorted numbers where it has an order."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from dfevals.columns.numbers import Numbers, contents
from dfevals.words import visible

__all__ = ["Shared", "comparable", "kind_of", "shared"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
FEW = 20  # distinct numbers that are bins of their own
MOST = 30  # categories; the rest are one
LONG = 40  # characters on average from which on a text is prose, told apart by its length
OTHER, MISSING = "(other)", "(missing)"


@dataclass(frozen=True)
class Shared:
    """Bins of both sets of rows, the last one for missing values; numbers are NaN where a column has none."""

    kind: str
    names: tuple[str, ...]
    reference: Codes
    current: Codes
    numbers: tuple[Floats, Floats] | None

    @property
    def missing(self) -> int:
        """The bin of missing values."""
        return len(self.names) - 1


def kind_of(series: pd.Series) -> str:
    """ "number", "category", "text" (its length is compared), "time" or "other"."""
    if types.is_datetime64_any_dtype(series.dtype):
        return "time"
    try:
        held = contents(series)
    except (TypeError, ValueError):
        return "other"
    if held in ("numbers", "durations"):
        return "number"
    if held == "truths" or isinstance(series.dtype, pd.CategoricalDtype):
        return "category"
    head = series.dropna().iloc[:2_000].tolist()
    if not all(isinstance(value, str) for value in head):
        return "category" if all(isinstance(value, Hashable) for value in head) else "other"
    long = len(head) and sum(map(len, head)) > LONG * len(head)
    return "text" if long and len(set(head)) > len(head) / 2 else "category"


def shared(reference: pd.Series, current: pd.Series, kind: str, bins: int) -> Shared:
    """Both columns in the same bins: quantiles of the reference with open ends, values, or lengths."""
    if kind == "category":
        return _categories(reference, current)
    a, b = (_numbers(series, kind) for series in (reference, current))
    known = np.sort(a[np.isfinite(a)])
    edges = _edges(known, bins)
    names = _names(edges, known)
    codes = tuple(
        np.where(np.isnan(x), len(edges) + 1, np.searchsorted(edges, x, "right")).astype(np.intp) for x in (a, b)
    )
    return Shared(kind, (*names, MISSING), codes[0], codes[1], (a, b))


def _numbers(series: pd.Series, kind: str) -> Floats:
    if kind == "text":
        return np.array([len(value) if isinstance(value, str) else np.nan for value in series.tolist()], float)
    if contents(series) == "durations":
        return np.asarray(series.dt.total_seconds(), float)
    return Numbers(series, "a").all()


def _edges(known: Floats, bins: int) -> Floats:
    """Inner edges: the left-closed bins of few values each hold one, else each about the same share of the reference."""
    if not len(known):
        return np.zeros(0)
    first = np.flatnonzero(np.r_[True, np.diff(known) > 0])
    values = known[first]
    if len(values) <= min(FEW, max(bins, 2)):
        return np.asarray(values[1:])
    cuts = known[(np.arange(1, bins) * len(known)) // bins]
    return np.asarray(
        np.unique(np.maximum(cuts, values[1])), float
    )  # a least value that is frequent is a bin of its own


def _names(edges: Floats, known: Floats) -> list[str]:
    if not len(edges):
        return ["(all)"]
    texts = [f"{edge:g}" for edge in edges]
    return [f"< {texts[0]}", *(f"[{a}, {b})" for a, b in zip(texts, texts[1:], strict=False)), f">= {texts[-1]}"]


def _categories(reference: pd.Series, current: pd.Series) -> Shared:
    """The most frequent values of both together, one bin for all others."""
    a, b = (series.astype(object).where(series.notna(), None) for series in (reference, current))
    codes, values = pd.factorize(np.concatenate([a.to_numpy(object), b.to_numpy(object)]), use_na_sentinel=True)
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    order = np.argsort(-counts, kind="stable")[:MOST]
    many = len(values) > MOST
    place = np.full(len(values) + 1, len(order))
    place[order] = np.arange(len(order))
    place[-1] = len(order) + many
    found = place[codes].astype(np.intp)
    names = [visible(values[i]) for i in order] + ([OTHER] if many else []) + [MISSING]
    return Shared("category", tuple(names), found[: len(a)], found[len(a) :], None)


def comparable(reference: pd.Series, current: pd.Series) -> tuple[str, str]:
    """The kind that both columns have, and why they cannot be compared (empty where they can)."""
    kinds = kind_of(reference), kind_of(current)
    if reference.isna().all() or current.isna().all():
        kind = kinds[0] if current.isna().all() else kinds[1]
        return ("number" if kind == "time" else kind), ""
    if kinds[0] == kinds[1]:
        return kinds[0], ""
    if set(kinds) == {"text", "category"}:
        return "category", ""
    return kinds[1], f"{kinds[0]} in the reference, {kinds[1]} here: convert one of them"
