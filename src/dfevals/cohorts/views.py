"""What `by=` resolves to: atoms, cohorts made of atoms, and views of cohorts that do not overlap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dfevals.cohorts.axes import Axis
from dfevals.cohorts.definitions import MAX_COHORTS, Definition, Each
from dfevals.cohorts.intervals import Dimension
from dfevals.columns.codes import ALL, Array, code_dtype, combine, counts, relabel, spans
from dfevals.exceptions import CohortError

__all__ = ["RESERVED", "Cohorts", "View", "crossed", "crossed_dimensions", "named"]

MAX_ATOMS = 2_000_000
RESERVED = frozenset(
    (
        *("model", "metric", "class", "value", "ci_low", "ci_high", "n", "support", "method", "note", "is_overall"),
        *("fold", "repeat", "mean", "std", "n_folds", "y_true", "y_pred", "count", "share", "bin", "threshold"),
        *("a", "b", "value_a", "value_b", "difference", "ratio", "test", "statistic", "p_value", "p_corrected"),
        *("verdict", "rule", "answer", "criterion", "slice", "divergence"),
    )
)


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
    cuts : tuple
        For each name the edges, or the values kept, on which its cohorts depend (see `Dimension`); empty for named ones.
    folded : bool
        Whether rare cohorts were folded into one.
    axes : tuple of Axis
        For each name the definition and the level of every atom, from which coarser cohorts follow; empty for named
        cohorts and where rare ones were folded.
    groups : tuple
        The definitions as asked for, one intersection each; empty for named cohorts.
    """

    names: tuple[str, ...]
    labels: tuple[Array, ...]
    codes: Array
    n_atoms: int
    views: tuple[View, ...] | None
    notes: tuple[str, ...] = ()
    write: Callable[[int], str] = field(default=lambda i: "", repr=False)
    cuts: tuple[tuple[str, ...] | None, ...] = ()
    folded: bool = False
    axes: tuple[Axis, ...] = ()
    groups: tuple[tuple[Definition, ...], ...] = ()

    @property
    def n_cohorts(self) -> int:
        """Number of cohorts."""
        return len(self.labels[0]) if self.labels else 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "write": self.expressions.__getitem__}  # what writes them knows the column

    @property
    def without_rows(self) -> Cohorts:
        """The same without the codes of the rows, as tallies keep them."""
        kept = {part.name: getattr(self, part.name) for part in fields(Cohorts) if part.name != "codes"}
        return Cohorts(**{**kept, "codes": np.zeros(0, np.int8), "write": self.expressions.__getitem__})

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
        sizes = np.zeros(self.n_cohorts, dtype=np.int64)
        for view in self.views:
            inside = view.positions >= 0
            sizes[view.cohorts] = np.bincount(view.positions[inside], rows[inside], minlength=len(view.cohorts))
        return sizes

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


def crossed(
    groups: Sequence[tuple[Definition, ...]], frame: pd.DataFrame, min_n: int | None, weight: Array | None = None
) -> Cohorts:
    """Cohorts of intersections of columns, one view per group."""
    limit = MAX_COHORTS if min_n is None else None
    return crossed_dimensions(groups, lambda definition: definition.dimension(frame, limit), min_n, weight)


def crossed_dimensions(
    groups: Sequence[tuple[Definition, ...]],
    dimension_of: Callable[[Definition], Dimension],
    min_n: int | None,
    weight: Array | None = None,
) -> Cohorts:
    """Cohorts of intersections of dimensions; `weight` is the number of rows that a row stands for, where it is not one."""
    definitions = tuple(dict.fromkeys(d for group in groups for d in group))
    names = _names(definitions)
    codes, table, dimensions = _intersect(definitions, dimension_of)
    n_atoms = len(table[0])
    if n_atoms > MAX_ATOMS:
        raise CohortError(
            f"{by_text(groups)} makes {n_atoms:,} combinations of values. Ask for fewer columns at a time."
        )
    rows = None
    if min_n is not None:
        rows = counts(codes, n_atoms) if weight is None else np.bincount(codes, weight, n_atoms)
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
    cuts, folded = tuple(d.cut for d in dimensions), any(part.rare is not None for part in parts)
    if len(groups) == 1:
        positions = views[0].positions
        if start != n_atoms or not np.array_equal(positions, np.arange(n_atoms)):
            codes = relabel(codes, positions.astype(code_dtype(start)))
        axes = () if folded else _axes(definitions, dimensions, parts[0].members)
        return Cohorts(names, labels, codes, start, None, tuple(notes), write, cuts, folded, axes, tuple(groups))
    axes = _axes(definitions, dimensions, table)
    return Cohorts(names, labels, codes, n_atoms, tuple(views), tuple(notes), write, cuts, folded, axes, tuple(groups))


def _axes(definitions: Sequence[Definition], dimensions: list[Dimension], table: list[Array]) -> tuple[Axis, ...]:
    return tuple(Axis.of(d, found, codes) for d, found, codes in zip(definitions, dimensions, table, strict=True))


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
    definitions: Sequence[Definition], dimension_of: Callable[[Definition], Dimension]
) -> tuple[Array, list[Array], list[Dimension]]:
    """Atoms of all rows, for each definition the code that an atom has there, and the dimensions."""
    dimensions = []
    codes: Array | None = None
    table: list[Array] = []
    for definition in definitions:
        found = dimension_of(definition)
        dimensions.append(replace(found, codes=found.codes[:0]))
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


def named(
    by: Mapping[Any, Any],
    names: tuple[str, ...],
    codes: Array,
    member: Array,
    min_n: int | None,
    weight: Array | None = None,
) -> Cohorts:
    """Cohorts of named expressions and masks; `member` tells which atom (row) lies in which cohort (column)."""
    texts = [by[key] if isinstance(by[key], str) else "" for key in by]
    notes: tuple[str, ...] = ()
    if min_n is not None:
        rows = counts(codes, len(member)) if weight is None else np.bincount(codes, weight, len(member))
        sizes = rows @ member
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
        lut = member.argmax(axis=1).astype(code_dtype(len(names)))
        return Cohorts(("cohort",), (labels,), relabel(codes, lut), len(names), None, notes, writer, folded=bool(notes))
    views = tuple(_view(member, group) for group in _disjoint_groups(member))
    return Cohorts(("cohort",), (labels,), codes, len(member), views, notes, writer, folded=bool(notes))


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
