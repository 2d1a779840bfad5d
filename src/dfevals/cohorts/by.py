"""Cohorts: what `by=` may say, from a column name to named expressions, and its resolution on a frame."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from dfevals.cohorts.axes import dimension_among, member_of
from dfevals.cohorts.definitions import MAX_COHORTS, Bins, Column, Definition, Each, Period, Quantiles, Top
from dfevals.cohorts.intervals import grain_of
from dfevals.cohorts.masks import resolve_masks
from dfevals.cohorts.views import RESERVED, Cohorts, View, crossed, crossed_dimensions, named
from dfevals.columns.codes import Array, encode
from dfevals.exceptions import CohortError

__all__ = ["RESERVED", "Cohorts", "View", "bins", "each", "encode", "period", "quantiles", "regroup", "resolve", "top"]


D = TypeVar("D", Bins, Quantiles, Period, Top)


def bins(column: Hashable, edges: Sequence[Any] | int, labels: Sequence[str] | None = None) -> Bins:
    """Cohorts by intervals of a column of numbers or times.

    Parameters
    ----------
    column : hashable
        Name of the column.
    edges : sequence or int
        Inner edges in rising order: ``[30, 50]`` makes ``< 30``, ``[30, 50)`` and ``≥ 50``. Intervals hold their lower edge and
        not their upper one; infinite edges are left out. A whole number makes that many intervals of equal width between the
        least and the greatest finite value.
    labels : sequence of str, optional
        A text for each interval, one more than there are edges.

    Returns
    -------
    Bins
        A value for `by=`. Intervals without rows are kept.

    Raises
    ------
    CohortError
        When edges do not rise, or the number of labels is wrong.

    Examples
    --------
    >>> bins("age", [30, 50])
    bins('age', [30, 50])
    >>> resolve(bins("age", [30, 50]), pd.DataFrame({"age": [20, 30, 70]})).labels[0].tolist()
    ['< 30', '[30, 50)', '≥ 50']
    """
    texts = None if labels is None else tuple(map(str, labels))
    if texts is not None and len(set(texts)) < len(texts):
        raise CohortError(f"bins({column!r}): labels repeat: {list(texts)}.")
    if isinstance(edges, (int, np.integer)) and not isinstance(edges, bool):
        if edges < 1:
            raise CohortError(f"bins({column!r}, {edges}): the number of bins must be at least 1.")
        if texts is not None and len(texts) != edges:
            raise CohortError(f"bins({column!r}, {edges}) makes {edges} bins, but {len(texts)} labels are given.")
        _check_number("bins", column, int(edges))
        return _hashable(Bins(column, int(edges), texts))
    if isinstance(edges, (str, bytes, bool)) or not np.iterable(edges):
        raise CohortError(f"bins({column!r}, {edges!r}): give a list of edges such as [30, 50], or a number of bins.")
    found = tuple(e.item() if isinstance(e, np.number) else e for e in edges)
    try:
        rising = all(a < b for a, b in itertools.pairwise(found)) and all(e == e for e in found)
    except TypeError as error:
        raise CohortError(f"bins({column!r}): edges cannot be compared: {error}.") from error
    if not found or not rising:
        raise CohortError(f"bins({column!r}): edges must rise and not be missing, got {list(found)}.")
    return _hashable(Bins(column, found, texts))


def quantiles(column: Hashable, q: int | Sequence[float] = 4) -> Quantiles:
    """Cohorts of about equal size by rank of a column of numbers or times.

    Parameters
    ----------
    column : hashable
        Name of the column.
    q : int or sequence of float
        Number of groups, or the shares at which to cut (``[.5, .9]`` makes three groups).

    Returns
    -------
    Quantiles
        A value for `by=`. The cuts are values of the column; equal values are never split, so that many ties leave fewer
        groups (with a note). Missing values are the cohort ``<NA>``.

    Examples
    --------
    >>> resolve(quantiles("x", 2), pd.DataFrame({"x": [1, 2, 3, 4]})).labels[0].tolist()
    ['< 3', '≥ 3']
    """
    if isinstance(q, (int, np.integer)) and not isinstance(q, bool):
        if q < 1:
            raise CohortError(f"quantiles({column!r}, {q}): the number of groups must be at least 1.")
        _check_number("quantiles", column, int(q))
        return _hashable(Quantiles(column, int(q)))
    try:
        shares = tuple(float(share) for share in q)  # type: ignore[union-attr]
    except (TypeError, ValueError) as error:
        raise CohortError(
            f"quantiles({column!r}, {q!r}): give a number of groups or shares such as [.5, .9]."
        ) from error
    if not all(0 <= s <= 1 for s in shares) or any(a >= b for a, b in itertools.pairwise(shares)):
        raise CohortError(f"quantiles({column!r}): shares must rise within [0, 1], got {list(shares)}.")
    return _hashable(Quantiles(column, shares))


def period(column: Hashable, grain: str) -> Period:
    """Cohorts by calendar periods of a time column.

    Parameters
    ----------
    column : hashable
        Name of the column: datetimes (with a time zone: its wall clock), dates, or ISO 8601 text.
    grain : str
        "year", "quarter", "month", "week" (ISO), "day", "hour", "minute", or recurring: "weekday", "month_of_year",
        "hour_of_day". The short names of pandas ("Y", "Q", "M", "W", "D", "h", "min") are understood.

    Returns
    -------
    Period
        A value for `by=`. Only periods with rows become cohorts.

    Examples
    --------
    >>> frame = pd.DataFrame({"at": pd.to_datetime(["2024-02-29", "2024-05-01"])})
    >>> resolve(period("at", "quarter"), frame).labels[0].tolist()
    ['2024-Q1', '2024-Q2']
    """
    return _hashable(Period(column, grain_of(grain)))


def top(column: Hashable, k: int, other: str = "(other)") -> Top:
    """Cohorts of the `k` most frequent values of a column; all other values share one cohort.

    Examples
    --------
    >>> resolve(top("city", 1), pd.DataFrame({"city": ["Rome", "Oslo", "Rome", None]})).labels[0].tolist()
    ['Rome', '(other)', '<NA>']
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise CohortError(f"top({column!r}, {k!r}): k must be a whole number of at least 1.")
    return _hashable(Top(column, int(k), str(other)))


def _hashable(definition: D) -> D:
    """The definition, if its column is one name and its edges are single values."""
    try:
        hash(definition)
    except TypeError:
        raise CohortError(
            f"{definition!r:.120}: a column is given by its name, and edges are numbers or times, not lists or tables."
        ) from None
    return definition


def _check_number(kind: str, column: Hashable, number: int) -> None:
    """Refuse what makes more cohorts than are allowed, before any of them is made."""
    if number > MAX_COHORTS:
        raise CohortError(f"{kind}({column!r}, {number:.4g}) makes more than {MAX_COHORTS:,} cohorts. Ask for fewer.")


def each(*by: Any) -> Each:
    """Separate cohorts for each argument instead of their intersection; an argument that is a list is an intersection.

    Examples
    --------
    >>> each("sex", ["race", bins("age", [30])])
    each('sex', ['race', bins('age', [30])])
    """
    if not by:
        raise CohortError("each() needs at least one column or cohort definition.")
    return Each(tuple(group_of(item) for item in by))


def resolve(by: Any, frame: pd.DataFrame, *, min_n: int | None = None) -> Cohorts:
    """Find the cohorts of a frame.

    Parameters
    ----------
    by : None, hashable, definition, list or tuple, Each, or mapping
        A column name; `bins`, `quantiles`, `period` or `top`; a list of these (their observed intersections); `each` of
        these (separate cohorts); ``{name: expression or Boolean mask}``; None for no cohorts.
    frame : pandas.DataFrame
        The rows.
    min_n : int, optional
        Cohorts with fewer rows are folded into one cohort per view, with a note.

    Returns
    -------
    Cohorts
        Missing values are the cohort ``<NA>``; with `each` the column not in use holds ``(all)``. The overall row is not
        among the cohorts.

    Raises
    ------
    CohortError
        For a missing or repeated column, cells that cannot be grouped, more than 100 000 cohorts, a mask of another length
        or index; ExpressionError for an expression that is not valid.

    Examples
    --------
    >>> frame = pd.DataFrame({"sex": ["F", "M", "F"], "age": [20, 40, 60]})
    >>> resolve(["sex", bins("age", [30])], frame).expressions
    ("sex == 'F' and age < 30", "sex == 'F' and age >= 30", "sex == 'M' and age >= 30")
    """
    check_min_n(min_n)
    if by is None:
        return _everything(len(frame))
    if isinstance(by, Mapping):
        names, codes, atoms = resolve_masks(by, frame)
        return named(by, names, codes, atoms, min_n)
    groups = by.groups if isinstance(by, Each) else (group_of(by),)
    return crossed(groups, frame, min_n)


def regroup(by: Any, held: Cohorts, rows: Array, *, min_n: int | None = None) -> Cohorts:
    """Cohorts of cohorts that were counted before: their atoms are the rows, each for as many as `rows` says.

    Raises
    ------
    CohortError
        Cohorts that do not follow from those that were counted.

    Examples
    --------
    >>> held = resolve(["sex", "race"], pd.DataFrame({"sex": ["F", "M", "F"], "race": ["a", "a", "b"]}))
    >>> regroup("sex", held, np.ones(3)).codes.tolist()
    [0, 0, 1]
    """
    check_min_n(min_n)
    if by is None:
        return _everything(held.n_atoms)
    if isinstance(by, Mapping):
        member = member_of(
            by, held.labels[0] if held.labels else np.zeros(0, object), held.expressions, held.atoms, held.n_atoms
        )
        names = tuple(map(str, by))
        return named(by, names, np.arange(held.n_atoms, dtype=np.int32), member, min_n, rows)
    groups = by.groups if isinstance(by, Each) else (group_of(by),)
    if groups == held.groups and min_n is None:
        return replace(held, codes=np.arange(held.n_atoms, dtype=np.int32))
    if held.folded and not held.axes:
        raise CohortError(
            "Rare cohorts of this tally were folded by min_n=, so that no others follow. Collect without it."
        )
    return crossed_dimensions(groups, lambda d: dimension_among(d, held.axes), min_n, rows)


def check_min_n(min_n: Any) -> None:
    """Raise unless `min_n` is a number of rows."""
    if min_n is not None and (isinstance(min_n, bool) or not isinstance(min_n, (int, np.integer)) or min_n < 0):
        raise CohortError(f"min_n={min_n!r} must be a whole number of rows.")


def _everything(n: int) -> Cohorts:
    return Cohorts((), (), np.zeros(n, dtype=np.int8), 1, ())


def group_of(by: Any) -> tuple[Definition, ...]:
    """One intersection as a tuple of definitions."""
    items = list(by) if isinstance(by, (list, tuple)) else [by]
    if not items:
        raise CohortError("by= is an empty list; give a column, or None for no cohorts.")
    found: list[Definition] = []
    for item in items:
        if isinstance(item, (Column, Bins, Quantiles, Period, Top)):
            found.append(item)
        elif isinstance(item, Each):
            raise CohortError(
                f"{item!r} cannot stand inside a list or another each(); put the list inside: each('a', ['b', 'c'])."
            )
        elif isinstance(item, (Mapping, np.ndarray, pd.Series, pd.Index, list, set)) or callable(item):
            raise CohortError(
                f"by= holds a {type(item).__name__}, which cannot be combined with columns. "
                "Expressions and Boolean masks go into a dict of their own: by={'name': \"age < 30\"}."
            )
        else:
            found.append(Column(item))
    if len(set(found)) < len(found):
        raise CohortError(f"by= names the same definition twice: {found!r}.")
    return tuple(found)
