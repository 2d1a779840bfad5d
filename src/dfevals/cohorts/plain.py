"""Cohort definitions as plain JSON or TOML values, for roles kept with a frame, gate files and saved views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dfevals.cohorts.by import bins, each, period, quantiles, top
from dfevals.cohorts.definitions import Bins, Column, Each, Period, Quantiles, Top
from dfevals.exceptions import CohortError
from dfevals.expressions import Expression, parse

__all__ = ["columns_of", "from_plain", "to_plain"]

KEYS = {
    "bins": {"bins", "edges", "labels"},
    "quantiles": {"quantiles", "q"},
    "period": {"period", "grain"},
    "top": {"top", "k", "other"},
    "each": {"each"},
}


def columns_of(item: Any, frame: pd.DataFrame) -> list[Any]:
    """Columns that a value of `by=` reads; of expressions those that the frame has (others are an ExpressionError).

    Examples
    --------
    >>> columns_of(["sex", bins("age", [30, 50])], pd.DataFrame())
    ['sex', 'age']
    """
    if isinstance(item, Column | Bins | Quantiles | Period | Top):
        return [item.column]
    if isinstance(item, Each):
        return [definition.column for group in item.groups for definition in group]
    if isinstance(item, Mapping):
        expressions = [parse(value) if isinstance(value, str) else value for value in item.values()]
        return [name for e in expressions if isinstance(e, Expression) for name in e.locate(frame).values()]
    if isinstance(item, list | tuple):
        return [name for part in item for name in columns_of(part, frame)]
    return [] if item is None else [item]


def to_plain(item: Any) -> Any:
    """A definition as lists, dicts, texts and numbers.

    Raises
    ------
    CohortError
        Boolean masks and other things that have no plain form.

    Examples
    --------
    >>> to_plain(["sex", bins("age", [30, 50])])
    ['sex', {'bins': 'age', 'edges': [30, 50]}]
    """
    if item is None or isinstance(item, str | int | float):
        return item
    if isinstance(item, Column):
        return item.column
    if isinstance(item, Bins):
        edges = (
            item.edges
            if isinstance(item.edges, int)
            else [e if isinstance(e, int | float) else str(e) for e in item.edges]
        )
        return {"bins": item.column, "edges": edges, **({"labels": list(item.labels)} if item.labels else {})}
    if isinstance(item, Quantiles):
        return {"quantiles": item.column, "q": item.q if isinstance(item.q, int) else list(item.q)}
    if isinstance(item, Period):
        return {"period": item.column, "grain": item.grain}
    if isinstance(item, Top):
        return {"top": item.column, "k": item.k, **({"other": item.other} if item.other != "(other)" else {})}
    if isinstance(item, Each):
        return {"each": [to_plain(list(group)) for group in item.groups]}
    if isinstance(item, Mapping) and all(isinstance(value, str) for value in item.values()):
        return {str(name): value for name, value in item.items()}
    if isinstance(item, list | tuple):
        return [to_plain(part) for part in item]
    raise CohortError(f"{type(item).__name__} has no plain form. Use a column name, dfevals.bins(…) or an expression.")


def from_plain(item: Any) -> Any:
    """The definition that `by=` takes; the inverse of `to_plain`.

    Raises
    ------
    CohortError
        Values that the definition cannot have, such as edges that do not rise.
    """
    if isinstance(item, list | tuple):
        return [from_plain(part) for part in item]
    if not isinstance(item, Mapping):
        return item
    kind = next((key for key in KEYS if key in item and not isinstance(item[key], Mapping)), None)
    if kind is None or not set(item) <= KEYS[kind]:
        return dict(item)
    try:
        if kind == "bins":
            return bins(item["bins"], item["edges"], item.get("labels"))
        if kind == "quantiles":
            return quantiles(item["quantiles"], item.get("q", 4))
        if kind == "period":
            return period(item["period"], item["grain"])
        if kind == "top":
            return top(item["top"], item["k"], item.get("other", "(other)"))
        return each(*(from_plain(group) for group in item["each"]))
    except (KeyError, TypeError) as error:
        raise CohortError(f"The cohort definition {dict(item)!r:.120} cannot be read: {error}.") from None
