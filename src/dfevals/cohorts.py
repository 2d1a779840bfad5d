"""Cohorts: from what `by=` says to one small code per row, texts of the cohorts, and the atoms each cohort is made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from .cohort_codes import ALL, Array, combine, counts, encode, relabel, spans
from .cohort_definitions import (
    MAX_COHORTS,
    Bins,
    Column,
    Definition,
    Dimension,
    Each,
    Period,
    Quantiles,
    Top,
    check_grain,
)
from .exceptions import CohortError

__all__ = ["RESERVED", "Cohorts", "View", "bins", "each", "encode", "period", "quantiles", "resolve", "top"]

MAX_ATOMS = 2_000_000
RESERVED = frozenset(
    (
        *("model", "metric", "class", "value", "ci_low", "ci_high", "n", "support", "method", "note", "is_overall"),
        *("fold", "repeat", "mean", "std", "n_folds", "y_true", "y_pred", "count", "share", "bin", "threshold"),
        *("a", "b", "value_a", "value_b", "difference", "ratio", "test", "statistic", "p_value", "p_corrected"),
        *("verdict", "rule", "answer", "criterion", "slice", "divergence"),
    )
)


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
        return Bins(column, int(edges), texts)
    if isinstance(edges, (str, bytes, bool)) or not np.iterable(edges):
        raise CohortError(f"bins({column!r}, {edges!r}): give a list of edges such as [30, 50], or a number of bins.")
    found = tuple(e.item() if isinstance(e, np.number) else e for e in edges)
    try:
        rising = all(a < b for a, b in itertools.pairwise(found)) and all(e == e for e in found)
    except TypeError as error:
        raise CohortError(f"bins({column!r}): edges cannot be compared: {error}.") from error
    if not found or not rising:
        raise CohortError(f"bins({column!r}): edges must rise and not be missing, got {list(found)}.")
    return Bins(column, found, texts)


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
        return Quantiles(column, int(q))
    try:
        shares = tuple(float(share) for share in q)  # type: ignore[union-attr]
    except (TypeError, ValueError) as error:
        raise CohortError(
            f"quantiles({column!r}, {q!r}): give a number of groups or shares such as [.5, .9]."
        ) from error
    if not all(0 <= s <= 1 for s in shares) or any(a >= b for a, b in itertools.pairwise(shares)):
        raise CohortError(f"quantiles({column!r}): shares must rise within [0, 1], got {list(shares)}.")
    return Quantiles(column, shares)


def period(column: Hashable, grain: str) -> Period:
    """Cohorts by calendar periods of a time column.

    Parameters
    ----------
    column : hashable
        Name of the column: datetimes (with a time zone: its wall clock), dates, or ISO 8601 text.
    grain : str
        "year", "quarter", "month", "week" (ISO), "day", "hour", "minute", or recurring: "weekday", "month_of_year",
        "hour_of_day".

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
    check_grain(grain)
    return Period(column, grain)


def top(column: Hashable, k: int, other: str = "(other)") -> Top:
    """Cohorts of the `k` most frequent values of a column; all other values share one cohort.

    Examples
    --------
    >>> resolve(top("city", 1), pd.DataFrame({"city": ["Rome", "Oslo", "Rome", None]})).labels[0].tolist()
    ['Rome', '(other)', '<NA>']
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise CohortError(f"top({column!r}, {k!r}): k must be a whole number of at least 1.")
    return Top(column, int(k), str(other))


def each(*by: Any) -> Each:
    """Separate cohorts for each argument instead of their intersection; an argument that is a list is an intersection.

    Examples
    --------
    >>> each("sex", ["race", bins("age", [30])])
    each('sex', ['race', bins('age', [30])])
    """
    if not by:
        raise CohortError("each() needs at least one column or cohort definition.")
    return Each(tuple(_group(item) for item in by))


@dataclass(frozen=True)
class View:
    """Cohorts that do not overlap: `cohorts` are their indices, `positions` the place of each atom among them, or −1."""

    cohorts: Array
    positions: Array


@dataclass(frozen=True, eq=False)
class Cohorts:
    """The rows of a frame divided into atoms, and the cohorts that these atoms make up.

    Attributes
    ----------
    names : tuple of str
        Cohort columns of result frames; reserved names carry the prefix ``by_``.
    labels : tuple of ndarray
        For each name the text of every cohort, objects of shape (n_cohorts,).
    codes : ndarray of int8, int16 or int32, shape (n_rows,)
        Atom of every row.
    n_atoms : int
        Number of atoms; a few may have no rows.
    views : tuple of View, or None
        None when cohort i is atom i. Else groups of cohorts that do not overlap within the group; together they hold every
        cohort once. Atoms may lie outside all cohorts.
    notes : tuple of str
        What was folded or merged.
    """

    names: tuple[str, ...]
    labels: tuple[Array, ...]
    codes: Array
    n_atoms: int
    views: tuple[View, ...] | None
    notes: tuple[str, ...] = ()
    write: Callable[[int], str] = field(default=lambda i: "", repr=False)

    @property
    def n_cohorts(self) -> int:
        """Number of cohorts."""
        return len(self.labels[0]) if self.labels else 0

    @cached_property
    def expressions(self) -> tuple[str, ...]:
        """For each cohort the expression that selects exactly its rows, or "" where the grammar has none."""
        return tuple(self.write(i) for i in range(self.n_cohorts))

    @cached_property
    def atoms(self) -> tuple[Array, ...]:
        """For each cohort the atoms it is made of."""
        if self.views is None:
            return tuple(np.arange(self.n_atoms).reshape(-1, 1))
        found: list[Array] = [np.empty(0, dtype=np.intp)] * self.n_cohorts
        for view in self.views:
            order = np.argsort(view.positions, kind="stable")
            starts = np.searchsorted(view.positions[order], np.arange(len(view.cohorts) + 1))
            for place, cohort in enumerate(view.cohorts):
                found[cohort] = order[starts[place] : starts[place + 1]]
        return tuple(found)

    @cached_property
    def sizes(self) -> Array:
        """Rows of each cohort, shape (n_cohorts,)."""
        rows = counts(self.codes, self.n_atoms)
        if self.views is None:
            return rows
        return np.array([rows[atoms].sum() for atoms in self.atoms], dtype=np.int64)

    def rows(self, i: int, codes: Array | None = None) -> Array:
        """Boolean mask of the rows of cohort `i` (of `codes`, a part of the rows, if given)."""
        member = np.zeros(self.n_atoms, dtype=bool)
        member[self.atoms[i]] = True
        codes = self.codes if codes is None else codes
        out = np.empty(len(codes), dtype=bool)
        for a, b in spans(len(codes)):
            out[a:b] = member.take(codes[a:b])
        return out

    def describe(self, i: int) -> str:
        """Cohort `i` in words: ``sex = Female, race = Black``."""
        pairs = ((name, label[i]) for name, label in zip(self.names, self.labels, strict=True))
        return ", ".join(f"{name} = {text}" for name, text in pairs if text != ALL)


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
    if min_n is not None and (isinstance(min_n, bool) or not isinstance(min_n, (int, np.integer)) or min_n < 0):
        raise CohortError(f"min_n={min_n!r} must be a whole number of rows.")
    if by is None:
        return Cohorts((), (), np.zeros(len(frame), dtype=np.int8), 1, ())
    if isinstance(by, Mapping):
        from .cohort_masks import resolve_masks

        names, codes, atoms = resolve_masks(by, frame)
        return _named(by, names, codes, atoms, min_n)
    groups = by.groups if isinstance(by, Each) else (_group(by),)
    return _crossed(groups, frame, min_n)


def _group(by: Any) -> tuple[Definition, ...]:
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


def _names(definitions: Sequence[Definition], taken: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the result's cohort columns: the column's; reserved ones prefixed; a second use says its kind."""
    names: list[str] = []
    for definition in definitions:
        name = str(definition.column)
        name = f"by_{name}" if name in RESERVED else name
        if name in names:
            name = f"{name}_{definition.kind}"
        if name in names:
            raise CohortError(
                f"by= makes two cohort columns named {name!r}: {list(definitions)!r}. Ask for them one at a time."
            )
        names.append(name)
    return tuple(names)


def _crossed(groups: Sequence[tuple[Definition, ...]], frame: pd.DataFrame, min_n: int | None) -> Cohorts:
    """Cohorts of intersections of columns, one view per group."""
    definitions = tuple(dict.fromkeys(d for group in groups for d in group))
    names = _names(definitions)
    limit = MAX_COHORTS if min_n is None else None
    codes, table, dimensions = _intersect(definitions, frame, limit)
    n_atoms = len(table[0])
    if n_atoms > MAX_ATOMS:
        raise CohortError(
            f"{by_text(groups)} makes {n_atoms:,} combinations of values. Ask for fewer columns at a time."
        )
    rows = counts(codes, n_atoms) if min_n is not None else None
    notes = [note for dimension in dimensions for note in dimension.notes]
    views, parts = [], []
    start = 0
    for group in groups:
        used = [definitions.index(d) for d in group]
        positions, members = _project(table, used, dimensions, n_atoms)
        rare = None
        if rows is not None and min_n is not None:
            positions, members, rare, n_folded = _fold(positions, members, rows, min_n)
            if n_folded:
                notes.append(
                    f"folded {n_folded:,} cohorts with n < {min_n}"
                    if n_folded > 1
                    else f"folded 1 cohort with n < {min_n}"
                )
        n = len(members[0])
        parts.append(_Part(start, n, used, members, rare))
        views.append(View(np.arange(start, start + n), positions))
        start += n
    if start > MAX_COHORTS:
        raise CohortError(
            f"{by_text(groups)} makes {start:,} cohorts, more than {MAX_COHORTS:,}. "
            "Keep the frequent values by top(), group numbers by bins(), or fold rare cohorts by min_n=."
        )
    labels = tuple(_label_column(d, dimension, parts, start, min_n) for d, dimension in enumerate(dimensions))
    write = _writer(parts, dimensions)
    if len(groups) == 1:
        positions = views[0].positions
        if start != n_atoms or not np.array_equal(positions, np.arange(n_atoms)):
            codes = relabel(
                codes, positions.astype(np.int8 if start <= 128 else np.int16 if start <= 32768 else np.int32)
            )
        return Cohorts(names, labels, codes, start, None, tuple(notes), write)
    return Cohorts(names, labels, codes, n_atoms, tuple(views), tuple(notes), write)


@dataclass(frozen=True)
class _Part:
    """Cohorts of one group: for each used dimension the code of every cohort; the folded cohort is `rare`."""

    start: int
    n: int
    used: list[int]
    members: list[Array]
    rare: int | None


def by_text(groups: Sequence[tuple[Definition, ...]]) -> str:
    """The `by=` value as code."""
    if len(groups) == 1:
        return f"by={list(groups[0])!r}" if len(groups[0]) > 1 else f"by={groups[0][0]!r}"
    return f"by={Each(tuple(groups))!r}"


def _intersect(
    definitions: Sequence[Definition], frame: pd.DataFrame, limit: int | None
) -> tuple[Array, list[Array], list[Dimension]]:
    """Atoms of all rows, for each definition the code that an atom has there, and the dimensions."""
    dimensions = []
    codes: Array | None = None
    table: list[Array] = []
    for definition in definitions:
        found = definition.dimension(frame, limit)
        dimensions.append(Dimension(found.codes[:0], found.labels, found.condition, found.notes))
        n = len(found.labels)
        if codes is None:
            codes, table = found.codes, [np.arange(n)]
        else:
            codes, left, right = combine(codes, len(table[0]), found.codes, n)
            table = [column[left] for column in table] + [right]
    assert codes is not None
    return codes, table, dimensions


def _project(
    table: list[Array], used: list[int], dimensions: list[Dimension], n_atoms: int
) -> tuple[Array, list[Array]]:
    """Cohort of every atom when only some dimensions are used, and the codes of every cohort in them."""
    if len(used) == 1:
        positions = table[used[0]]
        return positions, [np.arange(len(dimensions[used[0]].labels))]
    if len(used) == len(table):
        order = [table[i] for i in used]
        return np.arange(n_atoms), order
    positions = table[used[0]].copy()
    members = [np.arange(len(dimensions[used[0]].labels))]
    for i in used[1:]:
        positions, left, right = combine(positions, len(members[0]), table[i], len(dimensions[i].labels))
        members = [column[left] for column in members] + [right]
    return positions.astype(np.intp), members


def _fold(
    positions: Array, members: list[Array], rows: Array, min_n: int
) -> tuple[Array, list[Array], int | None, int]:
    """Replace all cohorts with fewer than `min_n` rows by one, the last."""
    sizes = np.bincount(positions, weights=rows, minlength=len(members[0]))
    is_rare = sizes < min_n
    if not is_rare.any():
        return positions, members, None, 0
    kept = np.flatnonzero(~is_rare)
    lut = np.full(len(sizes), len(kept), dtype=np.intp)
    lut[kept] = np.arange(len(kept))
    folded = [np.append(column[kept], -1) for column in members]
    return lut[positions], folded, len(kept), int(is_rare.sum())


def rare_label(min_n: int | None) -> str:
    """Text of the cohort of folded cohorts."""
    return f"(rare: n < {min_n})"


def _label_column(d: int, dimension: Dimension, parts: list[_Part], n: int, min_n: int | None) -> Array:
    labels = np.full(n, ALL, dtype=object)
    for part in parts:
        if d in part.used:
            codes = part.members[part.used.index(d)]
            labels[part.start : part.start + part.n] = dimension.labels.take(codes, mode="wrap")
        if part.rare is not None and d in part.used:
            labels[part.start + part.rare] = rare_label(min_n)
    return labels


def _writer(parts: list[_Part], dimensions: list[Dimension]) -> Callable[[int], str]:
    def write(i: int) -> str:
        part = next(p for p in reversed(parts) if p.start <= i)
        place = i - part.start
        if place == part.rare:
            return ""
        conditions = [
            dimensions[d].condition(int(codes[place])) for d, codes in zip(part.used, part.members, strict=True)
        ]
        return " and ".join(conditions) if all(conditions) else ""

    return write


def _named(by: Mapping[Any, Any], names: tuple[str, ...], codes: Array, member: Array, min_n: int | None) -> Cohorts:
    """Cohorts of named expressions and masks; `member` tells which atom (row) lies in which cohort (column)."""
    texts = [by[key] if isinstance(by[key], str) else "" for key in by]
    notes: tuple[str, ...] = ()
    if min_n is not None:
        sizes = counts(codes, len(member)) @ member
        rare = sizes < min_n
        if rare.any():
            kept = np.flatnonzero(~rare)
            member = np.column_stack([member[:, kept], member[:, rare].any(axis=1)])
            names = (*(names[i] for i in kept), rare_label(min_n))
            texts = [*(texts[i] for i in kept), ""]
            notes = (f"folded {int(rare.sum())} cohort{'s' if rare.sum() > 1 else ''} with n < {min_n}",)
    labels = np.empty(len(names), dtype=object)
    labels[:] = names
    writer = texts.__getitem__
    if (member.sum(axis=1) == 1).all():  # each row in exactly one cohort: a partition
        lut = member.argmax(axis=1).astype(np.int8 if len(names) <= 128 else np.int16)
        return Cohorts(("cohort",), (labels,), relabel(codes, lut), len(names), None, notes, writer)
    views = tuple(_view(member, group) for group in _disjoint_groups(member))
    return Cohorts(("cohort",), (labels,), codes, len(member), views, notes, writer)


def _disjoint_groups(member: Array) -> list[list[int]]:
    """Greedy groups of cohorts that share no atom."""
    shared = member.T.astype(np.float32) @ member.astype(np.float32) > 0
    groups: list[list[int]] = []
    for i in range(member.shape[1]):
        home = next((group for group in groups if not shared[i, group].any()), None)
        if home is None:
            groups.append([i])
        else:
            home.append(i)
    return groups


def _view(member: Array, group: list[int]) -> View:
    positions = np.full(len(member), -1, dtype=np.intp)
    for place, cohort in enumerate(group):
        positions[member[:, cohort]] = place
    return View(np.array(group, dtype=np.intp), positions)
