"""The one reading of a source before its questions: what labels, types, scores and weights there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from dfevals.columns.numbers import Numbers, contents
from dfevals.columns.streams import Reader, Source, attributes_of
from dfevals.columns.streams.forms import Forms
from dfevals.columns.streams.source import Chunk, Ends, changed
from dfevals.exceptions import DataError, DfevalsError
from dfevals.roles.declared import Roles, specs
from dfevals.roles.kinds import columns_named
from dfevals.roles.scores import ROUNDING, Spread, spread
from dfevals.roles.weights import WeightRange, weight_range

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Survey", "named_in", "survey"]

HEAD = 2_500  # rows shown whole: as many as the rule for the task asks about
LABELS = 100_000  # values of one column up to which they are labels
Places = npt.NDArray[np.int64]


@dataclass
class Survey:
    """What one reading found: where scores lie by column, the range of weights, rows without a value, and values too many."""

    reader: Reader
    spreads: dict[Any, Spread] = field(default_factory=dict)
    weights: WeightRange | None = None
    incomplete: dict[str, int] = field(default_factory=dict)
    overflown: tuple[Any, ...] = ()


def survey(source: Source, roles: Roles) -> Survey:
    """Read the columns that roles name, once.

    The head of the reader holds the first rows and, behind them, the first row of every label: on it roles mean the same
    as on all rows.

    Raises
    ------
    DataError
        Values that cannot play their role, with the place where they are.
    """
    columns = named_in(roles, source.schema.names)
    source.check(columns)
    forms = Forms(source.schema)
    found = _Found(roles, forms, [name for name in columns if name in _scored(roles, columns)])
    first = _first_rows(source)
    read = [name for name in columns if not found.known(name, source.ends(name), _shown(first, forms))]
    firsts = {name: _Firsts(name) for name in _labelled(roles, read)}
    tables: list[pa.Table] = []
    n = 0 if read or source.n_rows is None else source.n_rows
    for chunk in source.chunks(read or columns[:1]) if n == 0 else ():
        forms.note(chunk)
        with _in(chunk.where):
            found.look(chunk)
            tables += _new_rows(chunk, forms, firsts, after=HEAD)
        n = chunk.start + chunk.table.num_rows
    forms.close(columns)
    if n < sum(table.num_rows for table in first):
        raise changed(source, n)
    head = _head(_shown(first, forms), forms, tables)
    head.attrs.update(attributes_of(source).attrs)
    overflown = tuple(name for name, first in firsts.items() if first.overflown)
    return Survey(Reader(source, n, forms, head), found.spreads, found.weights, found.incomplete, overflown)


def named_in(roles: Roles, names: Iterable[Any]) -> list[Any]:
    """Columns of the source that roles may read, patterns of scores included."""
    names = list(names)
    wanted = [*roles.single().values()]
    for value in (roles.y_score, roles.y_pred, roles.y_lower, roles.y_upper):
        wanted += columns_named(value)
    wanted += [name for o in roles.outcomes for name in (o.column, o.error_column) if name is not None]
    patterns = [w.split("{label}", 1) for w in wanted if isinstance(w, str) and "{label}" in w and w not in names]
    matched = [n for n in names if any(str(n).startswith(a) and str(n).endswith(b) for a, b in patterns)]
    return [name for name in names if name in wanted or name in matched]


def _scored(roles: Roles, columns: list[Any]) -> set[Any]:
    """Columns that hold scores."""
    alone = Roles(y_score=roles.y_score)
    return set(named_in(alone, columns))


def _labelled(roles: Roles, columns: list[Any]) -> list[Any]:
    """Columns of which every value matters for what the roles mean."""
    wanted = {roles.y_true, roles.model, *specs(roles.y_pred), *(o.column for o in roles.outcomes)}
    return [name for name in columns if name in wanted]


class _in:
    """Names the place where something is wrong."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, DfevalsError) and self.where not in str(error):
            raise type(error)(f"{error} It is in {self.where}.") from error


class _Found:
    """Where scores lie, the range of weights, and rows without a value that rows need."""

    def __init__(self, roles: Roles, forms: Forms, scores: list[Any]) -> None:
        self.roles, self.forms, self.scores = roles, forms, scores
        self.spreads: dict[Any, Spread] = dict.fromkeys(scores, Spread())
        self.weights = None if roles.sample_weight is None else WeightRange()
        self.incomplete: dict[str, int] = {}

    def known(self, name: Any, ends: Ends | None, first: pd.DataFrame) -> bool:
        """Whether all that matters of a column follows from its ends: scores in [0, 1], or two whole labels that are shown."""
        if ends is None or name in self.roles.needed().values() or name == self.roles.sample_weight:
            return False
        if name in _labelled(self.roles, [name]):
            values = first[name].dropna()
            shown = {ends.low, ends.high} <= set(values) if ends.n else values.empty
            if not (shown and ends.high - ends.low < 2 and types.is_integer_dtype(values.convert_dtypes().dtype)):
                return False
        if name in self.scores:
            if not (ends.n and ends.low >= -ROUNDING and ends.high <= 1 + ROUNDING):
                return False
            self.spreads[name] = Spread(float(ends.low), float(ends.high), ends.n)
        self.forms.know(name, ends)
        return True

    def look(self, chunk: Chunk) -> None:
        self.scores = [name for name in self.scores if name in chunk.table.column_names]
        needed = {role: name for role, name in self.roles.needed().items() if name in chunk.table.column_names}
        columns = dict.fromkeys([*self.scores, *needed.values()])
        weight = self.roles.sample_weight
        if weight in chunk.table.column_names:
            columns[weight] = None
        frame = self.forms.frame(chunk.table.select(list(columns)))
        explicit = set(columns_named(self.roles.y_score))
        for name in self.scores:
            if name in explicit or contents(frame[name]) in ("numbers", "truths"):
                self.spreads[name] |= _spread(frame[name], chunk.start)
        if weight in frame.columns:
            numbers = Numbers(frame[weight], "sample_weight")
            self.weights = (self.weights or WeightRange()) | weight_range(numbers, len(frame), self.roles, chunk.start)
        gone = np.zeros(len(frame), bool)
        for role, name in needed.items():
            missing = frame[name].isna().to_numpy(bool) & ~gone
            reason = f"missing {role} ({name})"
            if missing.any():
                self.incomplete[reason] = self.incomplete.get(reason, 0) + int(missing.sum())
            gone |= missing


def _spread(series: pd.Series, first: int) -> Spread:
    if contents(series) not in ("numbers", "truths"):
        if series.isna().all():
            return Spread()
        raise DataError(
            f"y_score column {series.name!r} has dtype {_kind(series)}; numbers are needed. "
            f"Convert it first: df[{series.name!r}].astype(float)."
        )
    return spread([(str(series.name), Numbers(series, "y_score"))], len(series)).moved(first)


def _kind(series: pd.Series) -> str:
    held = series.dtype
    return str(held.categories.dtype if isinstance(held, pd.CategoricalDtype) else held)


class _Firsts:
    """Values of a column met so far, until it is clear that they are no labels."""

    def __init__(self, name: Any) -> None:
        self.name = name
        self.seen: set[Any] = set()
        self.settled = self.overflown = False

    def new(self, series: pd.Series) -> Places:
        """Places of values that were not met before."""
        if self.settled or self.overflown:
            return np.zeros(0, np.int64)
        if isinstance(series.dtype, pd.CategoricalDtype):
            codes = series.cat.codes
            at = np.flatnonzero(~codes.duplicated().to_numpy() & (codes >= 0).to_numpy())
        else:
            try:
                at = np.flatnonzero(~series.duplicated().to_numpy() & series.notna().to_numpy())
            except TypeError:  # lists: no labels, as binding the head will say
                self.settled = True
                return np.zeros(0, np.int64)
        values = series.iloc[at].tolist()
        fresh = np.array([value not in self.seen for value in values], bool)
        self.seen.update(values)
        self.settled = types.is_float_dtype(series.dtype) and any(_is_fraction(value) for value in values)
        self.overflown = len(self.seen) > LABELS
        return at[fresh] if len(at) else at


def _is_fraction(value: Any) -> bool:
    return bool(np.isfinite(value)) and value % 1 != 0


def _new_rows(chunk: Chunk, forms: Forms, firsts: dict[Any, _Firsts], after: int) -> Iterator[pa.Table]:
    """Rows with labels that were not met before; of the first rows, which are kept anyway, none."""
    names = [name for name, first in firsts.items() if not (first.settled or first.overflown)]
    if not names or not chunk.table.num_rows:
        return
    frame = forms.frame(chunk.table.select(names))
    at = np.unique(np.concatenate([firsts[name].new(frame[name]) for name in names]))
    at = at[at >= max(after - chunk.start, 0)]
    if len(at):
        yield chunk.table.take(at)


def _first_rows(source: Source) -> list[pa.Table]:
    """The first rows with all columns."""
    first = []
    for chunk in source.chunks(size=HEAD):
        first.append(chunk.table.slice(0, HEAD - chunk.start))
        if chunk.start + chunk.table.num_rows >= HEAD:
            break
    return first or [source.schema.empty_table()]


def _shown(tables: list[pa.Table], forms: Forms) -> pd.DataFrame:
    return pd.concat([forms.frame(table, texts=True) for table in tables], ignore_index=True)


def _head(first: pd.DataFrame, forms: Forms, tables: list[pa.Table]) -> pd.DataFrame:
    """The first rows, and behind them the rows of new labels, whose other columns repeat the first row."""
    if not tables:
        return first
    more = _shown(tables, forms)
    rest = first.iloc[np.zeros(len(more), np.int64)].reset_index(drop=True)
    return pd.concat([first, rest.assign(**{name: more[name] for name in more.columns})], ignore_index=True)
