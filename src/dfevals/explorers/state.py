"""The state of an explorer: plain JSON, checked key by key, so that what arrives from a page or a file can be trusted."""

from __future__ import annotations

import json
import keyword
import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from dfevals.exceptions import DfevalsError, did_you_mean

__all__ = ["DEFAULT", "TEXT_ROLES", "StateError", "checked"]

State = dict[str, Any]
LONGEST = 2_000  # characters of a text
MOST_MARKS = 20_000  # tags or ratings
VIEWS = (
    "confusion",
    "pairs",
    "roc",
    "pr",
    "calibration",
    "gains",
    "residuals",
    "compare",
    "folds",
    "outcomes",
    "text",
    "rate",
)
#: What a column may be in the tab of texts.
TEXT_ROLES = (
    "prompt",
    "context",
    "response",
    "other",
    "reference",
    "tool_calls",
    "expected_tool_calls",
    "trajectory",
)
LEVELS = (0.8, 0.9, 0.95, 0.99)


class StateError(DfevalsError, ValueError):
    """A state that this explorer cannot have; the message names the key, what was found and what is allowed."""


#: Every key of a state with its value when nothing is said.
DEFAULT: State = {
    "name": "df",
    "by": None,
    "model": None,
    "against": None,
    "metric": None,
    "threshold": None,
    "level": 0.95,
    "cost": {"fp": 1.0, "fn": 1.0},
    "view": None,
    "outcome": None,
    "selection": {"cohort": None, "compare": None, "cell": None},
    "table": {"sort": "n", "down": True, "search": "", "min_n": 0},
    "rows": {"page": 0, "sort": None, "down": True, "search": "", "columns": None},
    "rating": {"kind": "pass", "a": None, "b": None},
    "text": {"at": None, "columns": {}, "differences": True},
    "tags": {},
    "ratings": {},
}
_NESTED = ("cost", "selection", "table", "rows", "rating", "text")
_CELLS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "confusion": {"true": lambda v: _is_text(v), "pred": lambda v: _is_text(v)},
    "comparison": {"value": lambda v: v in ("fixed", "broken", "both right", "both wrong")},
    "outcome": {"column": lambda v: _is_text(v), "value": lambda v: v in ("pass", "fail", "none")},
    "residual": {"low": lambda v: _is_number(v), "high": lambda v: _is_number(v)},
    "score": {"low": lambda v: _is_number(v), "high": lambda v: _is_number(v)},
    "fold": {"value": lambda v: _is_text(v)},
}


def checked(given: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> State:
    """A complete state from a partial one.

    Parameters
    ----------
    given : mapping
        Some or all keys; a nested mapping may be partial too.
    base : mapping, optional
        Where the other keys come from; the defaults when absent.

    Returns
    -------
    dict
        A copy, plain JSON.

    Raises
    ------
    StateError
        Unknown key, or a value of the wrong kind; the message names both.

    Examples
    --------
    >>> checked({"metric": "recall", "cost": {"fn": 5}})["cost"]
    {'fp': 1.0, 'fn': 5.0}
    """
    if not isinstance(given, Mapping):
        raise StateError(f"A state is a dict of keys such as 'by' and 'metric', not {type(given).__name__}.")
    for key in given:
        if key not in DEFAULT:
            hint = did_you_mean(key, DEFAULT, noun="Keys", limit=20)
            raise StateError(f"An explorer has no state {_short(key)}. {hint}")
    state = deepcopy(dict(DEFAULT if base is None else base))
    for key, value in given.items():
        state[key] = _merged(key, value, state[key]) if key in _NESTED else value
    for check in _CHECKS.values():
        check(state)
    try:
        return dict(json.loads(json.dumps(state, allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise StateError(f"A state must be plain JSON: {error}.") from None


def _merged(key: str, value: Any, old: Mapping[str, Any]) -> dict[str, Any]:
    if value is None:
        return deepcopy(dict(DEFAULT[key]))
    if not isinstance(value, Mapping):
        raise _wrong(key, value, f"a dict with {', '.join(map(repr, old))}")
    for name in value:
        if name not in old:
            raise StateError(
                f"An explorer has no state {_short(f'{key}.{name}')}. {did_you_mean(name, old, noun='Keys')}"
            )
    return {**deepcopy(dict(old)), **value}


def _wrong(key: str, value: Any, allowed: str) -> StateError:
    return StateError(f"State {key!r} is {_short(value)}; it must be {allowed}.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and all(
        part.isidentifier() and not keyword.iskeyword(part) for part in value.split(".")
    )


def _is_path(value: Any) -> bool:
    """Labels of one cohort, one text per cohort column."""
    return isinstance(value, list | tuple) and 0 < len(value) <= 20 and all(map(_is_text, value))


def _is_cell(value: Any) -> bool:
    if not isinstance(value, Mapping) or value.get("kind") not in _CELLS:
        return False
    fields = _CELLS[value["kind"]]
    return set(value) == {"kind", *fields} and all(check(value[name]) for name, check in fields.items())


def _optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _field(path: str, check: Callable[[Any], bool], allowed: str) -> Callable[[State], None]:
    def run(state: State) -> None:
        value: Any = state
        for part in path.split("."):
            value = value[part]
        if not check(value):
            raise _wrong(path, value, allowed)

    return run


def _marks(key: str, check: Callable[[Any], bool], allowed: str) -> Callable[[State], None]:
    def run(state: State) -> None:
        marks = state[key]
        if not isinstance(marks, Mapping) or len(marks) > MOST_MARKS:
            raise _wrong(key, marks, f"a dict of at most {MOST_MARKS:,} row positions")
        for at, value in marks.items():
            if not (isinstance(at, str) and at.isascii() and at.isdigit() and len(at) < 16 and check(value)):
                raise _wrong(key, {at: value}, allowed)

    return run


def _cost(state: State) -> None:
    cost = state["cost"]
    if not all(_is_number(v) and v >= 0 for v in cost.values()):
        raise _wrong("cost", cost, "{'fp': number, 'fn': number}, none below 0")
    state["cost"] = {name: float(v) for name, v in cost.items()}


def _threshold(state: State) -> None:
    value = state["threshold"]
    if value is not None and not _is_number(value):
        raise _wrong("threshold", value, "a finite number, or None for the predictions as they are")
    state["threshold"] = None if value is None else float(value)


def _by(state: State) -> None:
    from dfevals.explorers.dimensions import check_plain

    check_plain(state["by"])


def _text_columns(state: State) -> None:
    columns = state["text"]["columns"]
    if not isinstance(columns, Mapping):
        raise _wrong("text.columns", columns, "a dict of role to column, or to None for no column")
    for role, name in columns.items():
        if role not in TEXT_ROLES:
            hint = did_you_mean(role, TEXT_ROLES, noun="Roles")
            raise StateError(f"State 'text.columns' has no role {_short(role)}. {hint}")
        if name is not None and not _is_text(name):
            raise _wrong(f"text.columns.{role}", name, "a column or None")


_TEXT = "a text"
_CHECKS: dict[str, Callable[[State], None]] = {
    "name": _field("name", _is_name, "the name of a variable, such as 'df'"),
    "by": _by,
    **{key: _field(key, _optional(_is_text), f"{_TEXT} or None") for key in ("model", "against", "metric", "outcome")},
    "threshold": _threshold,
    "level": _field("level", lambda v: v in LEVELS, f"one of {', '.join(map(str, LEVELS))}"),
    "cost": _cost,
    "view": _field("view", _optional(lambda v: v in VIEWS), f"one of {', '.join(VIEWS)}"),
    "cohort": _field("selection.cohort", _optional(_is_path), "a list of labels, one per cohort column, or None"),
    "compare": _field("selection.compare", _optional(_is_path), "a list of labels, one per cohort column, or None"),
    "cell": _field("selection.cell", _optional(_is_cell), f"None or a dict whose 'kind' is one of {', '.join(_CELLS)}"),
    "table.sort": _field(
        "table.sort", lambda v: v in ("cohort", "n", "value", "difference", "p"), "cohort, n, value, difference or p"
    ),
    "table.down": _field("table.down", lambda v: isinstance(v, bool), "True or False"),
    "table.search": _field("table.search", _is_text, _TEXT),
    "table.min_n": _field("table.min_n", _is_whole, "a whole number"),
    "rows.page": _field("rows.page", _is_whole, "a whole number"),
    "rows.sort": _field("rows.sort", _optional(_is_text), "a column, 'loss', 'margin', 'disagreement' or None"),
    "rows.down": _field("rows.down", lambda v: isinstance(v, bool), "True or False"),
    "rows.search": _field("rows.search", _is_text, _TEXT),
    "rows.columns": _field(
        "rows.columns",
        _optional(lambda v: isinstance(v, list | tuple) and len(v) <= 1000 and all(map(_is_text, v))),
        "a list of column names or None",
    ),
    "rating.kind": _field("rating.kind", lambda v: v in ("pass", "score", "better"), "pass, score or better"),
    "rating.a": _field("rating.a", _optional(_is_text), "a column or None"),
    "rating.b": _field("rating.b", _optional(_is_text), "a column or None"),
    "text.at": _field("text.at", _optional(_is_whole), "the position of a row or None"),
    "text.columns": _text_columns,
    "text.differences": _field("text.differences", lambda v: isinstance(v, bool), "True or False"),
    "tags": _marks("tags", lambda v: _is_text(v) and bool(v), "{row position as text: tag}"),
    "ratings": _marks(
        "ratings",
        lambda v: isinstance(v, int | str) and v in ("pass", "fail", 1, 2, 3, 4, 5, "a", "b", "tie"),
        "{row position as text: pass, fail, 1 to 5, a, b or tie}",
    ),
}
