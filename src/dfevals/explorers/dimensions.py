"""Cohort definitions as plain JSON and as code, and the dimensions that a frame offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pandas.api import types

from dfevals.cohorts import each, plain
from dfevals.cohorts.definitions import Each
from dfevals.exceptions import CohortError
from dfevals.explorers.state import LONGEST, StateError
from dfevals.words import visible

__all__ = ["check_plain", "choices", "from_plain", "to_code", "to_plain"]

SAMPLE = 5_000  # rows looked at to tell what a column can be divided into
MOST = 3  # dimensions whose intersections a page can show
FEW = 60  # values of a column that make cohorts as they are
_FIELDS = {
    "bins": {"bins", "edges", "labels"},
    "quantiles": {"quantiles", "q"},
    "period": {"period", "grain"},
    "top": {"top", "k", "other"},
}


def to_plain(by: Any) -> Any:
    """`by=` as JSON: a list of dimensions, {"each": [...]}, {name: expression} or None.

    Raises
    ------
    StateError
        Boolean masks, which have no JSON form.

    Examples
    --------
    >>> import dfevals
    >>> to_plain(["sex", dfevals.bins("age", [30, 50])])
    ['sex', {'bins': 'age', 'edges': [30, 50]}]
    """
    if by is None:
        return None
    if isinstance(by, Mapping):
        if _is_dimension(by):
            return [dict(by)]
        if "each" in by and isinstance(by["each"], list):
            return dict(by)
        for name, condition in by.items():
            if not isinstance(condition, str):
                raise StateError(
                    f"Cohort {name!r} is a {type(condition).__name__}; an explorer needs an expression, because its state "
                    "is text. Put the mask into a column: df.assign(flag=mask), then by='flag'."
                )
        return {str(name): condition for name, condition in by.items()}
    if isinstance(by, Each):
        return {"each": [[_plain(item) for item in group] for group in by.groups]}
    items = list(by) if isinstance(by, list | tuple) else [by]
    return [_plain(item) for item in items]


def _plain(item: Any) -> Any:
    try:
        return dict(item) if isinstance(item, Mapping) else plain.to_plain(item)
    except CohortError as error:
        raise StateError(f"by= holds {item!r:.80}, which an explorer's state cannot hold. {error}") from None


def check_plain(by: Any) -> None:
    """Check the JSON form of `by=`.

    Raises
    ------
    StateError
        Not a list of dimensions, {"each": …}, {name: expression} or None.
    """
    if by is None:
        return
    if isinstance(by, Mapping):
        groups = by.get("each") if set(by) == {"each"} else None
        if isinstance(groups, list):
            for group in groups:
                _check_list(group)
            return
        texts = all(isinstance(k, str) and isinstance(v, str) and len(k) + len(v) <= LONGEST for k, v in by.items())
        if not by or not texts or len(by) > 1000:
            raise StateError("State 'by' is a dict; it must hold {name: expression} or {'each': [[dimension, …], …]}.")
        return
    _check_list(by)


def _check_list(by: Any) -> None:
    if not isinstance(by, list) or not 0 < len(by) <= MOST:
        size = f" has {len(by)} dimensions" if isinstance(by, list) else f" is {by!r:.80}"
        raise StateError(
            f"State 'by'{size}; it must be a list of one to three, or None. Put more into one column, or explore ev.where(...)."
        )
    for item in by:
        simple = isinstance(item, str | int | float) and not isinstance(item, bool)
        if not (simple or (isinstance(item, Mapping) and _is_dimension(item))):
            raise StateError(
                f"State 'by' holds {item!r:.80}; a dimension is a column or a dict such as "
                "{'bins': 'age', 'edges': [30, 50]}, {'quantiles': …, 'q': 4}, {'period': …, 'grain': 'month'}, {'top': …, 'k': 20}."
            )


def _is_dimension(item: Mapping[Any, Any]) -> bool:
    kind = next((key for key in _FIELDS if key in item), None)
    if kind is None or not set(item) <= _FIELDS[kind]:
        return False
    value = item.get({"bins": "edges", "quantiles": "q", "period": "grain", "top": "k"}[kind])
    return value is not None and not (isinstance(value, str) and kind != "period")


def from_plain(by: Any) -> Any:
    """The definition that `ev.metrics(by=…)` takes.

    Raises
    ------
    CohortError
        Values that the definition cannot have, such as edges that do not rise.
    """
    if by is None:
        return None
    if isinstance(by, Mapping):
        if isinstance(by.get("each"), list):
            return each(*([plain.from_plain(item) for item in group] for group in by["each"]))
        return dict(by)
    found = [plain.from_plain(item) for item in by]
    return found[0] if len(found) == 1 else found


def to_code(by: Any) -> str:
    """The definition as code that runs after `import dfevals`.

    Examples
    --------
    >>> to_code(["sex", {"bins": "age", "edges": [30, 50]}])
    "['sex', dfevals.bins('age', [30, 50])]"
    """
    if by is None:
        return "None"
    if isinstance(by, Mapping):
        if isinstance(by.get("each"), list):
            return f"dfevals.each({', '.join(to_code(group) for group in by['each'])})"
        return repr(dict(by))
    texts = [repr(item) if not isinstance(item, Mapping) else f"dfevals.{plain.from_plain(item)!r}" for item in by]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def choices(frame: pd.DataFrame, limit: int = 1_500) -> list[dict[str, Any]]:
    """Dimensions that the columns offer, for a menu: `label`, and `value` as in a state.

    Only a sample of the rows is looked at; columns whose cells cannot be grouped, or whose name is not theirs alone, are left out.
    """
    found: list[dict[str, Any]] = []
    sample = frame.iloc[:: max(1, len(frame) // SAMPLE)].iloc[:SAMPLE]
    ambiguous = frame.columns.duplicated(keep=False)
    for place, name in enumerate(frame.columns):
        if not isinstance(name, str | int | float) or ambiguous[place]:
            continue
        found += [
            {"label": visible(f"{name}{suffix}"), "value": value}
            for suffix, value in _of_column(sample.iloc[:, place], name)
        ]
        if len(found) >= limit:
            break
    return found


def _of_column(series: pd.Series, name: Any) -> list[tuple[str, Any]]:
    dtype = series.dtype
    if types.is_datetime64_any_dtype(dtype):
        return [(f" by {grain}", {"period": name, "grain": grain}) for grain in ("month", "week", "day", "weekday")]
    try:
        n_values = series.nunique()
    except TypeError:
        return []
    if n_values < 2:
        return []
    as_is = [("", name)] if n_values <= FEW else []
    if types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype):
        return as_is + (
            [(" in quarters", {"quantiles": name, "q": 4}), (" in 5 bins", {"bins": name, "edges": 5})]
            if n_values > 5
            else []
        )
    if types.is_timedelta64_dtype(dtype):
        return as_is
    if n_values > 0.5 * len(series) and n_values > FEW:
        return []  # texts or identifiers: no cohorts
    return as_is or [(" (20 most frequent)", {"top": name, "k": 20}), ("", name)]
