"""Roles resolved against a source that is read batch by batch: the same meaning, with few rows in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.cohorts import Cohorts
from dfevals.cohorts.streamed import resolve_streamed
from dfevals.columns.numbers import Numbers
from dfevals.columns.streams import Chunk, Reader, Source
from dfevals.exceptions import DataError
from dfevals.expressions import Expression
from dfevals.roles.bound import SUM_ROUNDING, Bound, bind
from dfevals.roles.declared import Model, Roles, column
from dfevals.roles.scores import Spread
from dfevals.roles.survey import LABELS, Survey, survey

if TYPE_CHECKING:
    from dfevals.needs import Need

__all__ = ["StreamBound", "bind_streamed"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StreamBound(Bound):
    """What the roles mean for a source, and how to read it: `held` is the survey, with the reader.

    `dfevals.engines.collect` reads it batch by batch. Whatever asks for columns or rows of all gets just those.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("weight", "cluster")}

    @property
    def reader(self) -> Reader:
        """Reads the source."""
        found: Reader = self._survey.reader
        return found

    @property
    def _survey(self) -> Survey:
        found: Survey = self.held
        return found

    @property
    def frame(self) -> pd.DataFrame:
        return self.reader.frame()

    @property
    def head(self) -> pd.DataFrame:
        return self.reader.head

    @property
    def n(self) -> int:
        return self.reader.n_rows

    @property
    def index(self) -> pd.Index:
        return pd.RangeIndex(self.n)

    @property
    def engine(self) -> str:
        return f"batches of {self.reader.source.kind}; labels, types and ranges of scores by one reading before"

    def series(self, name: Any, role: str) -> pd.Series:
        column(self.head, name, role)
        return self.reader.series(name)

    def rows(self, at: Array) -> pd.DataFrame:
        return self.reader.at(_places(at))

    def at(self, places: Array) -> Bound:
        return self.take(self.reader.at(_places(places), self.columns))

    def mask(self, condition: Expression) -> npt.NDArray[np.bool_]:
        names = list(condition.locate(self.head).values())
        if not names:
            return np.full(self.n, condition.mask(self.head.iloc[:1]).all())
        parts = [condition.mask(frame) for _, frame in self.reader.frames(names, "where")]
        return np.concatenate([np.zeros(0, bool), *parts])

    def cohorts(self, by: Any, min_n: int | None = None) -> Cohorts:
        return resolve_streamed(by, self.reader, min_n)

    @cached_property
    def weight(self) -> Numbers | None:
        name = self.roles.sample_weight
        if name is None or (self._equal_weights and not self.additive):
            return None
        later: Any = _Later(lambda: self.numbers(name, "sample_weight"))
        return later

    @cached_property
    def _equal_weights(self) -> bool:
        assert self._survey.weights is not None
        return self._survey.weights.equal(self.roles)

    @cached_property
    def cluster(self) -> tuple[npt.NDArray[np.int64], Array] | None:
        name = self.roles.cluster if self.roles.cluster is not None else self.roles.unit
        if name is None or self.alone:
            return self._clusters()
        later: Any = _Later(self._clusters)  # most ask only whether there are clusters
        return later

    @property
    def incomplete_counts(self) -> dict[str, int]:
        return self._survey.incomplete

    def unbalanced(self, model: Model) -> int:
        if self.task != "multiclass" or len(model.y_score) < 2 or self.score_kind(model) != "probability":
            return 0
        key = ("unbalanced", model.y_score)
        if key not in self._cache:
            self._cache[key] = 0
            for _, frame in self.reader.frames(model.y_score):
                total = sum(Numbers(frame[name], "y_score").all() for name in model.y_score)
                self._cache[key] += int((np.abs(np.asarray(total) - 1) > SUM_ROUNDING).sum())
        return self._cache[key]

    def _spread(self, model: Model) -> Spread:
        return reduce(or_, (self._survey.spreads[name] for name in model.y_score), Spread())

    def read_by(self, models: Sequence[Model], needs: Iterable[Need]) -> list[Any]:
        """Columns that a pass over the rows of models reads for these needs."""
        asked = {name for need in needs for name in need.columns}
        outcomes = [o for o in self.roles.outcomes if o.column in asked]
        extra = [name for o in outcomes for name in (o.column, o.error_column) if name is not None]
        units = [name for name in (self.roles.unit, self.roles.id) if name is not None]
        scored = [name for model in models for name in model.columns]
        names = [self.roles.y_true, *scored, *self.roles.needed().values(), *units, *extra]
        return list(dict.fromkeys(name for name in names if name is not None))

    def batches(self, columns: Iterable[Any], what: str) -> Iterator[tuple[Chunk, Bound]]:
        """The rows, batch by batch, under the meaning that is settled for all of them."""
        kinds = self.take(self.head.iloc[:0])._cache
        if self.roles.sample_weight is not None:
            kinds["equal weights"] = self._equal_weights
        repeated = self.roles.repeat is not None and self.roles.cluster is None and self.roles.unit is None
        whole = self.cluster if repeated and not self.alone else None
        for chunk, frame in self.reader.frames(columns, what):
            frame.index = pd.RangeIndex(chunk.start, chunk.start + len(frame))
            batch = Bound.of(frame, self, dict(kinds))
            if repeated:
                part = None if whole is None else (whole[0][chunk.start : chunk.start + len(frame)], whole[1])
                batch.__dict__["cluster"] = part
            yield chunk, batch


class _Later:
    """Something that is read when it is first used."""

    def __init__(self, read: Any) -> None:
        self._read, self._found = read, None

    def __call__(self) -> Any:
        if self._found is None:
            self._found = self._read()
        return self._found

    def __getattr__(self, name: str) -> Any:
        return getattr(self(), name)

    def __getitem__(self, at: int) -> Any:
        return self()[at]

    def __iter__(self) -> Iterator[Any]:
        return iter(self())


def _places(at: Array) -> npt.NDArray[np.int64]:
    at = np.asarray(at)
    return np.flatnonzero(at) if at.dtype == bool else at.astype(np.int64)


def bind_streamed(source: Source, roles: Roles) -> StreamBound:
    """Resolve roles against a source, by one reading of the columns that they name.

    Raises
    ------
    RoleError, DataError
        As for a frame; what is wrong with values is said with the file or the rows where it is.
    """
    found = survey(source, roles)
    bound = bind(found.reader.head, roles)
    labels = {bound.roles.y_true, bound.roles.model, *(model.y_pred for model in bound.models)}
    if bound.classifies and labels & set(found.overflown):
        name = next(name for name in found.overflown if name in labels)
        raise DataError(
            f"Column {name!r} holds more than {LABELS:,} different labels. If it holds numbers, say task='regression'."
        )
    return StreamBound.of(found, bound)  # type: ignore[arg-type, return-value]
