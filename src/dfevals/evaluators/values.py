"""What a cell may hold: missing values, texts, passages and JSON, each read strictly so that nothing is guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from dfevals.exceptions import DataError
from dfevals.words import whole_characters

__all__ = [
    "is_missing",
    "json_text",
    "nested",
    "parse_json",
    "passages",
    "plain",
    "show",
    "text",
    "text_column",
    "texts",
    "unfenced",
]

_LINE_END = r"(?:\r\n|\n|\r)"
_OPENING = re.compile(
    rf"(?:[ \t]*+{_LINE_END})*+ {{0,3}}(?P<marks>`{{3,}}+(?=[^`\r\n]*+[\r\n])|~{{3,}}+)[^\r\n]*+{_LINE_END}"
)
_CLOSING = re.compile(rf"(?:\A|{_LINE_END}) {{0,3}}(?P<marks>`{{3,}}+|~{{3,}}+)[ \t]*+(?=[\r\n]|\Z)")


def is_missing(value: object) -> bool:
    """Whether a cell is empty: None, NaN, NaT or pandas' NA.

    Examples
    --------
    >>> is_missing(float("nan")), is_missing(""), is_missing([])
    (True, False, False)
    """
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def show(value: object, limit: int = 60) -> str:
    """Short, quoted form of a value for messages."""
    shown = repr(value if not isinstance(value, str) else value[: limit + 1])
    return shown if len(shown) <= limit + 2 else shown[:limit] + "…" + shown[-1]


def plain(value: object) -> Any:
    """The same value without numpy: arrays become lists and numpy scalars become Python's."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def nested(value: object) -> Any:
    """The same value without numpy and tuples at any depth, as JSON has it: what a column read from Parquet holds.

    Parquet writes null into lists of numbers as NaN, so a NaN inside an array is null again.

    Examples
    --------
    >>> nested({"a": np.array([1, 2]), "b": (np.float64(0.5), np.array([1.0, np.nan]))})
    {'a': [1, 2], 'b': [0.5, [1.0, None]]}
    """
    if isinstance(value, Mapping):
        return {key: nested(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        items = value.tolist()
        return [None if is_missing(item) else nested(item) for item in items] if value.ndim else nested(items)
    if isinstance(value, list | tuple):
        return [nested(item) for item in value]
    if value is pd.NA or value is pd.NaT:
        return None
    return value.item() if isinstance(value, np.generic) else value


def unfenced(value: str) -> str:
    """The inside of a text that is one Markdown code fence, as CommonMark reads it; any other text as it is.

    Examples
    --------
    >>> unfenced("```json \\r\\n[1]\\r\\n```"), unfenced("~~~\\n[1]\\n"), unfenced("no fence")
    ('[1]', '[1]\\n', 'no fence')
    """
    opening = _OPENING.match(value)
    if opening is None:
        return value
    rest, marks = value[opening.end() :], opening["marks"]
    closing = next((found for found in _CLOSING.finditer(rest) if found["marks"].startswith(marks)), None)
    if closing is None:  # a fence without its end goes on to the end of the text
        return rest
    return rest[: closing.start()] if not rest[closing.end() :].strip() else value


def json_text(value: object) -> str:
    """A text as it is, anything else as JSON; what JSON lacks as its text."""
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False, default=_json_lacks)


def _json_lacks(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return plain(value)
    dumped = value.model_dump() if hasattr(value, "model_dump") else None
    if isinstance(dumped, Mapping):
        return dumped
    return vars(value) if isinstance(value, SimpleNamespace) else str(value)


def text_column(values: Sequence[str | None], index: pd.Index[Any] | None = None) -> pd.Series[Any]:
    """A text column with missing values, of the type that this pandas gives to texts."""
    held = [None if value is None else whole_characters(str(value)) for value in values]
    column = pd.Series(np.array([*held, None], dtype=object)[:-1], index=index)
    return column.astype(pd.Series(["text"]).dtype)


def text(role: str, value: object) -> str:
    """The text in a cell; a whole number is written out, since a CSV column of answers such as `42` is read as numbers.

    Raises
    ------
    DataError
        When the cell is missing or holds anything else: how a number with decimals was written cannot be told.
    """
    if isinstance(value, str):
        return value
    if is_missing(value):
        raise DataError(f"{role} is missing ({value!r}); text is needed.")
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float | np.floating):
        raise DataError(
            f"{role} must be text, found the number {show(value)}. Read the column as text, as by dtype=str."
        )
    raise DataError(f"{role} must be text, found {type(value).__name__} {show(value)}.")


def texts(role: str, value: object) -> list[str]:
    """The texts in a cell that may hold one text or a list of alternatives; numbers are written out."""
    value = plain(value)
    if isinstance(value, bool | int | float) and not is_missing(value):
        return [repr(value)]
    if isinstance(value, list):
        if not value:
            raise DataError(f"{role} is an empty list; at least one text is needed.")
        return [found for item in value for found in texts(role, item)]
    return [text(role, value)]


def passages(role: str, value: object) -> list[str]:
    """The passages in a cell: a text, a list of texts, or a JSON list of texts.

    Examples
    --------
    >>> passages("context", '["one", "two"]')
    ['one', 'two']
    """
    value = plain(value)
    if isinstance(value, list):
        return [_passage(role, item) for item in value]
    if isinstance(value, int):  # an answer may be a whole number, nothing that supports one is
        raise DataError(f"{role} must be text or a list of texts, found {type(value).__name__} {show(value)}.")
    found = text(role, value)
    if found.startswith("[") and found.rstrip().endswith("]"):
        try:
            parsed = json.loads(found)
        except (ValueError, RecursionError):
            return [found]
        if isinstance(parsed, list) and all(isinstance(item, str) for item in parsed):
            return parsed
    return [found]


def _passage(role: str, item: object) -> str:
    """One passage: a text, or a record with its text under a usual key."""
    if isinstance(item, Mapping):
        for key in ("text", "content", "page_content", "passage", "document"):
            if isinstance(item.get(key), str):
                return str(item[key])
    return text(f"{role} passage", item)


def parse_json(role: str, value: object) -> Any:
    """A cell as JSON: texts are parsed, containers are taken as already parsed.

    Raises
    ------
    DataError
        When the cell is missing, is no JSON, or holds another kind of value.
    """
    value = nested(value)
    if isinstance(value, Mapping | list | bool):
        return value
    found = text(role, value)
    try:
        return json.loads(found)
    except RecursionError:
        raise DataError(f"{role} is nested too deeply to be read.") from None
    except ValueError as error:
        raise DataError(f"{role} is not valid JSON: {error}.") from None
