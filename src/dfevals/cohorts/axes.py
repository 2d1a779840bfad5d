"""The definitions behind cohorts that are already counted, so that coarser cohorts follow without the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dfevals.cohorts.definitions import Bins, Definition, Period
from dfevals.cohorts.intervals import Dimension
from dfevals.columns.codes import MISSING, Array
from dfevals.exceptions import CohortError

__all__ = ["COARSER", "Axis", "dimension_among"]

#: Periods that are made of whole periods of a grain.
COARSER = {
    "minute": ("hour", "day", "week", "month", "quarter", "year", "weekday", "month_of_year", "hour_of_day"),
    "hour": ("day", "week", "month", "quarter", "year", "weekday", "month_of_year", "hour_of_day"),
    "day": ("week", "month", "quarter", "year", "weekday", "month_of_year"),
    "month": ("quarter", "year", "month_of_year"),
    "quarter": ("year",),
}


@dataclass(frozen=True, eq=False)
class Axis:
    """One definition of cohorts, its levels, and the level of every atom (`codes`)."""

    definition: Definition
    levels: Array
    codes: Array
    condition: Callable[[int], str]
    cut: tuple[str, ...] | None = None

    @classmethod
    def of(cls, definition: Definition, dimension: Dimension, codes: Array) -> Axis:
        """The axis of a dimension whose codes are those of atoms."""
        return cls(definition, dimension.labels, np.asarray(codes, np.int64), dimension.condition, dimension.cut)

    @property
    def conditions(self) -> tuple[str, ...]:
        """For every level the expression that selects its rows, or ""."""
        return tuple(self.condition(i) for i in range(len(self.levels)))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "condition": self.conditions.__getitem__}  # what writes them knows the column

    @property
    def dimension(self) -> Dimension:
        """The axis as a dimension whose rows are the atoms."""
        return Dimension(self.codes.copy(), self.levels, self.condition, cut=self.cut)


def dimension_among(definition: Definition, axes: Sequence[Axis]) -> Dimension:
    """The dimension of a definition over the atoms: as it was collected, or as the sum of finer cohorts.

    Raises
    ------
    CohortError
        Neither it nor a finer one was collected.
    """
    for axis in axes:
        if axis.definition == definition:
            return axis.dimension
    for axis in axes:
        if axis.definition.column == definition.column:
            values = _inside(definition, axis)
            if values is not None:
                return _coarser(definition, axis, values)
    known = ", ".join(repr(axis.definition) for axis in axes) or "nothing"
    raise CohortError(f"by={definition!r} is not in this tally, which was collected by {known}. {_advice(definition)}")


def _advice(definition: Definition) -> str:
    finer = isinstance(definition, Period) and any(definition.grain in grains for grains in COARSER.values())
    also = " (or by finer periods, which add up)" if finer else ""
    return f"Collect it where the rows are: ev.collect(…, by=[{definition!r}, …]){also}."


def _inside(definition: Definition, axis: Axis) -> Any | None:
    """A value inside every level of a finer axis (missing for the level of missing values); None where it is not finer."""
    finer = axis.definition
    if isinstance(finer, Period) and isinstance(definition, Period):
        return _starts(axis) if definition.grain in COARSER.get(finer.grain, ()) else None
    if isinstance(finer, Bins) and isinstance(definition, Bins) and not isinstance(definition.edges, int):
        edges = [float(e) for e in axis.cut or () if _is_number(e)]
        asked = [float(e) for e in definition.edges if _is_number(e)]
        if axis.cut and len(edges) == len(axis.cut) and len(asked) == len(definition.edges) and {*asked} <= {*edges}:
            below = np.nextafter(edges[0], -np.inf)
            return pd.Series([below, *edges, np.nan][: len(axis.levels)], dtype=float)
    return None


def _is_number(edge: Any) -> bool:
    try:
        return bool(np.isfinite(float(edge)))
    except (TypeError, ValueError):
        return False


def _starts(axis: Axis) -> pd.Series:
    """First moment of the period of every level."""
    texts = [None if text == MISSING else _first_moment(str(text)) for text in axis.levels]
    return pd.Series(pd.to_datetime(pd.Series(texts, dtype=object), format="ISO8601"))


def _first_moment(text: str) -> str:
    """A period as ISO 8601 writes its first moment: only quarters are written otherwise."""
    if "-Q" not in text:
        return text
    year, quarter = text.split("-Q")
    return f"{year}-{3 * int(quarter) - 2:02d}"


def _coarser(definition: Definition, axis: Axis, values: Any) -> Dimension:
    """The dimension of a coarser definition: that of one value of every level, seen from the atoms."""
    found = definition.dimension(pd.DataFrame({definition.column: values}), None)
    written = all(axis.conditions)  # the column can be compared in expressions
    condition = found.condition if written else (lambda code: "")
    return replace(found, codes=found.codes[axis.codes], condition=condition)


def member_of(
    by: Mapping[Any, Any], labels: Array, expressions: Sequence[str], atoms: Sequence[Array], n: int
) -> Array:
    """Which atom (row) lies in which of the named cohorts asked for (column).

    Raises
    ------
    CohortError
        A name that was not collected, or that stands for another expression.
    """
    known = {str(label): i for i, label in enumerate(labels)}
    member = np.zeros((n, len(by)), dtype=bool)
    for column, (name, wanted) in enumerate(by.items()):
        place = known.get(str(name))
        if place is None or expressions[place] != wanted:
            raise CohortError(
                f"The cohort {name!r} ({wanted!r:.80}) is not in this tally"
                + (f", where that name is {expressions[place]!r}" if place is not None else "")
                + f". Cohorts: {', '.join(map(repr, known)) or 'none'}. Collect it where the rows are."
            )
        member[atoms[place], column] = True
    return member
