"""Rows of JSON and JSON Lines, with the types that the file states: nothing is guessed from texts or names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from dfevals.columns.plain_values import frame_of_columns, frame_of_records

__all__ = ["read_json"]


def read_json(path: str) -> pd.DataFrame:
    """Rows of a file that holds a list of objects, an object of columns, or one object per line.

    Raises
    ------
    ValueError
        The file holds something else; the message says what and where.
    """
    text = _text(path)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data" and not path_of_lines(path):
            raise
        return frame_of_records(list(_lines(text)))
    if isinstance(document, dict) and path_of_lines(path):
        return frame_of_records([document])
    return _of_document(document)


def path_of_lines(path: str) -> bool:
    """Whether the name of a file says that it holds one object per line."""
    return ".jsonl" in path.lower() or ".ndjson" in path.lower()


def _text(path: str) -> str:
    from pandas.io.common import get_handle  # what pandas' own readers open compressed files with

    with get_handle(path, "r", encoding="utf-8-sig", compression="infer") as opened:
        return str(opened.handle.read())


def _lines(text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: texts may hold U+2028
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number}: {error.msg} at column {error.colno}") from None
        if not isinstance(record, dict):
            raise ValueError(f"line {number} holds {_kind(record)}, not an object of columns")
        yield record


def _of_document(document: Any) -> pd.DataFrame:
    if isinstance(document, list) and all(isinstance(item, dict) for item in document):
        return frame_of_records(document)
    if isinstance(document, dict) and document:
        if set(document) in ({"columns", "data"}, {"columns", "index", "data"}):  # as `to_json(orient="split")` writes
            rows = [dict(zip(document["columns"], row, strict=True)) for row in document["data"]]
            return frame_of_records(rows)
        if all(isinstance(values, list) for values in document.values()):
            return _of_lists(document)
        if all(isinstance(values, dict) for values in document.values()):
            return _of_indexed(document)
        if not any(isinstance(value, list | dict) for value in document.values()):
            return frame_of_records([document])  # one object per line, and one line
        inner = [key for key, value in document.items() if isinstance(value, list)]
        hint = f"; pass the list itself, json.load(file)[{inner[0]!r}]" if inner else ""
        raise ValueError(f"it holds one object with {', '.join(map(repr, list(document)[:5]))}, not rows{hint}")
    raise ValueError(f"it holds {_kind(document)}, not a list of objects")


def _of_lists(columns: dict[str, list[Any]]) -> pd.DataFrame:
    sizes = {len(values) for values in columns.values()}
    if len(sizes) > 1:
        raise ValueError("its columns are not of the same length")
    return frame_of_columns(columns, sizes.pop())


def _of_indexed(columns: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Columns of values by the name of their row, as `DataFrame.to_json` writes them."""
    index = list(dict.fromkeys(row for values in columns.values() for row in values))
    frame = frame_of_columns({name: [v.get(row) for row in index] for name, v in columns.items()}, len(index))
    return frame if index == [str(i) for i in range(len(index))] else frame.set_axis(pd.Index(index), axis=0)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
