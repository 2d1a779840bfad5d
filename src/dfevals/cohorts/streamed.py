"""Cohorts of a source that is read batch by batch: settled by reading their columns, then coded batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.cohorts.by import group_of, resolve
from dfevals.cohorts.definitions import Column, Each, column_of
from dfevals.cohorts.masks import resolve_masks, source_of
from dfevals.cohorts.plain import columns_of
from dfevals.cohorts.settling import settled, unsettled
from dfevals.cohorts.views import Cohorts, crossed, named
from dfevals.columns.codes import BLOCK, Array, code_dtype
from dfevals.columns.streams import Chunk, Reader
from dfevals.exceptions import DataError

__all__ = ["StreamedCohorts", "resolve_streamed"]

Places = npt.NDArray[np.int64]


class _Codes:
    """Codes of all rows, worked out when they are asked for."""

    def __get__(self, cohorts: Any, kind: Any = None) -> Array:
        held = cohorts.__dict__["codes"]
        if callable(held):
            held = cohorts.__dict__["codes"] = held()
        found: Array = held
        return found

    def __set__(self, cohorts: Any, codes: Any) -> None:
        cohorts.__dict__["codes"] = codes


class StreamedCohorts(Cohorts):
    """Cohorts whose rows are read batch by batch: `coder` codes the rows of a batch, `columns` is what it reads."""

    codes: Array = _Codes()  # type: ignore[assignment]
    coder: Callable[[pd.DataFrame, int], Array]
    columns: list[Any]

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in self.__dict__.items() if name not in ("coder", "columns")}
        return {**kept, "codes": self.codes, "write": self.expressions.__getitem__}

    def settle(self, coder: Callable[[pd.DataFrame, int], Array], columns: list[Any], sizes: Array) -> StreamedCohorts:
        """The same with what codes a batch; `sizes` are the rows of every cohort."""
        self.__dict__.update(coder=coder, columns=columns, sizes=sizes)
        return self

    @property
    def explicit(self) -> bool:
        """Whether the codes of all rows are at hand."""
        return "coder" not in self.__dict__


def resolve_streamed(by: Any, reader: Reader, min_n: int | None = None) -> Cohorts:
    """Find the cohorts of a source; see `dfevals.cohorts.resolve`.

    One reading of the columns (two for definitions that depend on all rows) finds a row of every combination that
    occurs. Batches are coded together with these rows, so that all have the same atoms.
    """
    written = {k: v for k, v in by.items() if isinstance(v, str)} or None if isinstance(by, Mapping) and by else by
    resolve(written, reader.head.iloc[:0], min_n=min_n)  # what is wrong with the definition is said before any reading
    if by is None:
        return Cohorts((), (), np.zeros(reader.n_rows, np.int8), 1, ())
    columns = list(dict.fromkeys(columns_of(by, reader.head)))
    for name in columns:
        column_of(reader.head, name)
    by = _plain_masks(by, reader) if isinstance(by, Mapping) else _with_settled(by, reader, columns)
    seen = _Seen(by, min_n)
    for chunk, frame in _frames(reader, columns, "finding cohorts"):
        seen.look(frame, chunk.start)
    return seen.cohorts(reader, columns)


def _frames(reader: Reader, columns: list[Any], what: str) -> Iterator[tuple[Chunk, pd.DataFrame]]:
    if columns:
        yield from reader.frames(columns, what)
        return
    for start in range(0, reader.n_rows, BLOCK):  # masks alone read nothing
        n = min(BLOCK, reader.n_rows - start)
        yield Chunk("", start, None), pd.DataFrame(index=pd.RangeIndex(n))


def _plain_masks(by: Mapping[Any, Any], reader: Reader) -> dict[Any, Any]:
    """Expressions, and masks as arrays of all rows."""
    rows = pd.DataFrame(index=pd.RangeIndex(reader.n_rows))
    return {name: source_of(str(name), value, rows) for name, value in by.items()}


def _with_settled(by: Any, reader: Reader, columns: list[Any]) -> tuple[tuple[Any, ...], ...]:
    """Groups of definitions that no longer depend on all rows."""
    groups = by.groups if isinstance(by, Each) else (group_of(by),)
    open_ones = list(dict.fromkeys(d for group in groups for d in group if unsettled(d)))
    if not open_ones:
        return tuple(groups)
    wanted: list[Any] = list(dict.fromkeys(d.column for d in open_ones))
    found = settled(open_ones, (frame for _, frame in reader.frames(wanted, "finding edges of cohorts")))
    return tuple(tuple(found.get(d, d) for d in group) for group in groups)


class _Seen:
    """One row of every combination of values met so far, and how many rows it stands for."""

    def __init__(self, by: Any, min_n: int | None) -> None:
        self.by, self.min_n = by, min_n
        self.parts: list[pd.DataFrame] = []
        self.places: list[Places] = []
        self.rows: list[Places] = []
        self.fewest = 0

    def look(self, frame: pd.DataFrame, start: int) -> None:
        """Keep one row of each combination in a batch."""
        self._keep(frame, np.arange(start, start + len(frame)), None)
        if sum(map(len, self.places)) > max(4 * self.fewest, 1 << 17):
            self.merge()

    def _keep(self, frame: pd.DataFrame, places: Places, rows: Places | None) -> None:
        codes, n = self.coded(frame, places, rows).codes, len(frame)
        if not n:
            return
        size = int(codes.max()) + 1
        one = np.zeros(size, np.int64)
        one[codes] = np.arange(n)  # any row of the combination will do
        total = np.bincount(codes, rows, size).astype(np.int64)
        used = np.flatnonzero(total)
        self.parts.append(_without_categories(frame.iloc[one[used]]))
        self.places.append(places[one[used]])
        self.rows.append(total[used])

    def coded(self, frame: pd.DataFrame, places: Places, rows: Places | None, min_n: int | None = None) -> Cohorts:
        """Cohorts of some rows, given where these lie among all and for how many rows each stands."""
        if isinstance(self.by, Mapping):
            by = {name: v[places] if isinstance(v, np.ndarray) else v for name, v in self.by.items()}
            names, codes, atoms = resolve_masks(by, frame)
            return named(by, names, codes, atoms, min_n, rows)
        return crossed(self.by, frame, min_n, rows)

    def merge(self) -> None:
        """Keep one row of each combination that any batch holds."""
        frame = pd.concat(self.parts, ignore_index=True)
        places, rows = np.concatenate(self.places), np.concatenate(self.rows)
        self.parts, self.places, self.rows = [], [], []
        self._keep(frame, places, rows)
        self.fewest = sum(map(len, self.places))

    def cohorts(self, reader: Reader, columns: list[Any]) -> StreamedCohorts:
        """The cohorts of all rows."""
        if self.parts:
            self.merge()
        known = self.parts[0] if self.parts else reader.head[columns].iloc[:0]
        known = _with_categories(known.reset_index(drop=True), reader)
        places, rows = (np.concatenate([np.zeros(0, np.int64), *part]) for part in (self.places, self.rows))
        base = self.coded(known, places, rows, self.min_n)

        by_value = _by_value(self.by, known, base, self.min_n)

        def coder(frame: pd.DataFrame, start: int) -> Array:
            quick = None if by_value is None else _looked_up(frame[columns[0]], by_value)
            if quick is not None:
                return quick
            both = _below(known, frame[columns])
            at = np.concatenate([places, np.arange(start, start + len(frame))])
            found = self.coded(both, at, np.concatenate([rows, np.zeros(len(frame), np.int64)]), self.min_n)
            if found.n_atoms != base.n_atoms:
                raise DataError("The source holds other rows than at the reading before. Keep its rows first.")
            return found.codes[len(known) :]

        def codes() -> Array:
            parts = [coder(frame, chunk.start) for chunk, frame in _frames(reader, columns, "cohorts of all rows")]
            return np.concatenate([np.zeros(0, base.codes.dtype), *parts])

        held = {part.name: getattr(base, part.name) for part in fields(Cohorts)}
        axes = tuple(replace(axis, definition=_asked(axis.definition)) for axis in base.axes)
        groups = tuple(tuple(map(_asked, group)) for group in base.groups)
        found = StreamedCohorts(**{**held, "codes": codes, "axes": axes, "groups": groups})
        return found.settle(coder, columns, _sizes(base, rows))


def _by_value(by: Any, known: pd.DataFrame, base: Cohorts, min_n: int | None) -> dict[Any, int] | None:
    """The atom of every value where cohorts are the texts of one column (a missing value is None)."""
    alone = not isinstance(by, Mapping) and len(by) == 1 and len(by[0]) == 1 and isinstance(by[0][0], Column)
    if not alone or min_n is not None or not isinstance(known.iloc[:, 0].dtype, pd.CategoricalDtype):
        return None
    values = known.iloc[:, 0].astype(object)
    return dict(zip(values.where(values.notna(), None).tolist(), base.codes.tolist(), strict=True))


def _looked_up(series: pd.Series, atom_of: dict[Any, int]) -> Array | None:
    """Atoms of categories; None where the column is not categorical or holds others."""
    if not isinstance(series.dtype, pd.CategoricalDtype):
        return None
    atoms = [*(atom_of.get(value, -1) for value in series.cat.categories.tolist()), atom_of.get(None, -1)]
    table = np.array(atoms, code_dtype(len(atom_of)))
    codes = table.take(series.cat.codes.to_numpy(), mode="wrap")
    return codes if codes.min(initial=0) >= 0 else None


def _asked(definition: Any) -> Any:
    """A definition as it was asked for, before all rows settled it."""
    return getattr(definition, "definition", definition)


def _sizes(cohorts: Cohorts, rows: Places) -> Array:
    """Rows of every cohort, when each row stands for so many."""
    atoms = np.bincount(cohorts.codes, rows, cohorts.n_atoms).astype(np.int64)
    return np.array([atoms[of].sum() for of in cohorts.atoms], np.int64)


def _without_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows whose columns can stand below those of other batches."""
    found = frame.reset_index(drop=True)
    for name in found.columns:
        if isinstance(found[name].dtype, pd.CategoricalDtype):
            found[name] = found[name].astype(found[name].cat.categories.dtype if _all_text(found[name]) else object)
    return found


def _all_text(series: pd.Series) -> bool:
    return series.cat.categories.inferred_type == "string" or not len(series.cat.categories)


def _with_categories(frame: pd.DataFrame, reader: Reader) -> pd.DataFrame:
    """Rows whose texts are categories in order, and whose categories are those of the source."""
    found = frame.copy()
    for name in found.columns:
        known = reader.forms.categories(name)
        if known is not None:
            kind = reader.head[name].dtype
            found[name] = pd.Categorical(
                found[name], dtype=pd.CategoricalDtype(known, bool(getattr(kind, "ordered", False)))
            )
        elif pd.api.types.infer_dtype(found[name], skipna=True) == "string":
            values = sorted(found[name].dropna().unique())
            found[name] = pd.Categorical(found[name], categories=values)
    return found


def _below(known: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The known rows and a batch below them, with categories of both."""
    known, own = known.copy(deep=False), frame.copy(deep=False)
    for name in own.columns:
        first, second = known[name].dtype, own[name].dtype
        if not isinstance(first, pd.CategoricalDtype) or not isinstance(second, pd.CategoricalDtype):
            continue
        if not first.ordered and not second.categories.isin(first.categories).all():
            first = pd.CategoricalDtype(sorted({*first.categories, *second.categories}))
            known[name] = known[name].cat.set_categories(first.categories)
        if list(second.categories) != list(first.categories):
            own[name] = own[name].cat.set_categories(first.categories, ordered=first.ordered)
    return pd.concat([known, own], ignore_index=True)
