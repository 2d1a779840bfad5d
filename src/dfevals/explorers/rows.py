"""Pages of rows: selected, searched, sorted by how wrong the model is, and written as text for a page."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from dfevals.explorers.state import State
from dfevals.explorers.view import View
from dfevals.words import visible

__all__ = ["Search", "cell_text", "page_of", "positions", "printable", "search_columns", "whole_cell", "written"]

SIZE = 20  # rows of a page
SHORT = 240  # characters of a cell before it is folded
LONG = 200_000  # characters of an unfolded cell
PATIENCE = 0.25  # seconds of searching before the page is told how far it is
CHUNK = 20_000  # rows searched at a time
SORTS = ("loss", "margin", "disagreement")


def search_columns(frame: pd.DataFrame) -> list[int]:
    """Places of the columns that hold text."""
    return [place for place in range(frame.shape[1]) if _is_text(frame.iloc[:, place])]


def _is_text(series: pd.Series) -> bool:
    if isinstance(series.dtype, pd.CategoricalDtype):
        return types.is_string_dtype(series.cat.categories.dtype)
    if types.is_object_dtype(series.dtype):
        return types.infer_dtype(series.iloc[:200], skipna=True) == "string"
    return types.is_string_dtype(series.dtype)


class Search:
    """Rows whose text columns hold a text (upper and lower case as written), found a chunk of rows at a time."""

    def __init__(self, frame: pd.DataFrame, text: str) -> None:
        self._columns = [frame.iloc[:, place] for place in search_columns(frame)]
        self.found = np.zeros(len(frame), bool)
        self.done = 0
        self._text = text

    @property
    def share(self) -> float:
        """How much is searched."""
        return self.done / len(self.found) if len(self.found) else 1.0

    def run(self, seconds: float = np.inf) -> bool:
        """Search on for so long; whether it is finished."""
        end = time.monotonic() + seconds
        while self.done < len(self.found):
            part = slice(self.done, self.done + CHUNK)
            for series in self._columns:
                self.found[part] |= _holds(series.iloc[part], self._text)
            self.done = min(self.done + CHUNK, len(self.found))
            if time.monotonic() > end:
                break
        return self.done >= len(self.found)


def _holds(series: pd.Series, text: str) -> npt.NDArray[np.bool_]:
    if isinstance(series.dtype, pd.CategoricalDtype):
        of_value = np.array([text in str(value) for value in series.cat.categories] + [False])
        return of_value[series.cat.codes.to_numpy()]
    return np.fromiter((isinstance(v, str) and text in v for v in series.to_numpy(dtype=object)), bool, len(series))


def positions(view: View, state: State) -> npt.NDArray[np.intp]:
    """Places of the selected rows, in the order of the state."""
    found = selected(view, state)
    keys = _sort_keys(view, state, found)
    return found if keys is None else found[np.argsort(keys, kind="stable")]


def selected(view: View, state: State) -> npt.NDArray[np.intp]:
    """Places of the selected rows, in the order of the frame; a search runs to its end."""
    text = state["rows"]["search"]
    parts = (state[k] for k in ("by", "model", "against", "threshold", "selection"))

    def make() -> npt.NDArray[np.intp]:
        mask = view.mask(state)
        if text:
            search = searched(view, text)
            search.run()
            mask &= search.found
        return np.flatnonzero(mask)

    return view.keep(("selected", *map(_frozen, parts), text), make)


def _first(view: View, state: State, n: int) -> npt.NDArray[np.intp]:
    """The first `n` of `positions`, without putting all of them in order."""
    found = selected(view, state)
    keys = _sort_keys(view, state, found)
    if keys is None:
        return found[:n]
    if 4 * n < len(keys):
        kept = np.flatnonzero(keys <= np.partition(keys, n)[n])
        found, keys = found[kept], keys[kept]
    return found[np.argsort(keys, kind="stable")[:n]]


def searched(view: View, text: str) -> Search:
    """The search for a text, begun or finished."""
    return view.keep(("search", text), lambda: Search(view.bound.frame, text))


def _sort_keys(view: View, state: State, at: npt.NDArray[np.intp]) -> npt.NDArray[Any] | None:
    """What the rows are sorted by, rising; missing values last."""
    name, down = state["rows"]["sort"], state["rows"]["down"]
    if name is None:
        return None
    if name in SORTS:
        values = sort_values(view, state, name)[at]
        return np.where(np.isnan(values), np.inf, -values if down else values)
    series = view.bound.frame.iloc[at, view.columns[name]]
    if types.is_numeric_dtype(series.dtype) or types.is_bool_dtype(series.dtype):
        numbers = series.to_numpy(dtype=float, na_value=np.nan)
        return np.where(np.isnan(numbers), np.inf, -numbers if down else numbers)
    codes = view.keep(("codes", name), lambda: _codes(view.bound.frame.iloc[:, view.columns[name]]))[at]
    return np.where(codes < 0, np.iinfo(np.int64).max, -codes if down else codes)


def _codes(series: pd.Series) -> npt.NDArray[np.int64]:
    """Ranks of the values, −1 where missing; cells that cannot be compared are ranked by their text."""
    try:
        return series.astype("category").cat.codes.to_numpy().astype(np.int64)
    except TypeError:
        return series.astype(str).astype("category").cat.codes.to_numpy().astype(np.int64)


def sort_values(view: View, state: Mapping[str, Any], name: str) -> npt.NDArray[np.float64]:
    """Loss of the model, closeness to the threshold, or disagreement of two models, per row."""
    model, other = state["model"], state["against"]
    if name == "loss":
        return view.loss(model)
    if name == "margin":
        return view.keep(("margin", model, state["threshold"]), lambda: _margin(view, model, state["threshold"]))
    return view.keep(("disagreement", model, other), lambda: _disagreement(view, model, other))


def _margin(view: View, name: str, threshold: float | None) -> npt.NDArray[np.float64]:
    """How near a decision was: minus the distance to the threshold, or of the two greatest scores."""
    model = view.bound.model(name)
    if view.has_threshold(model):
        cut = view.bound.threshold(model) if threshold is None else threshold
        return -np.abs(view.score(model) - cut)
    if len(model.y_score) > 1:
        scores = np.column_stack([view.bound.numbers(c, "y_score").all() for c in model.y_score])
        greatest = np.sort(scores, axis=1)[:, -2:]
        return greatest[:, 0] - greatest[:, 1]
    return np.full(view.bound.n, np.nan)


def _disagreement(view: View, name: str, other: str | None) -> npt.NDArray[np.float64]:
    """How far two models are apart on a row."""
    if other is None or view.task == "outcomes":
        return np.full(view.bound.n, np.nan)
    a, b = view.bound.model(name), view.bound.model(other)
    if view.task == "regression":
        return np.abs(view.residual(name) - view.residual(other))
    if a.y_score and len(a.y_score) == len(b.y_score):
        pairs = zip(a.y_score, b.y_score, strict=True)
        total = np.zeros(view.bound.n)
        for one, two in pairs:
            total += np.abs(view.bound.numbers(one, "y_score").all() - view.bound.numbers(two, "y_score").all())
        return total / (2 if len(a.y_score) > 1 else 1)
    return (view.predicted(name, None) != view.predicted(other, None)).astype(float)


def page_of(view: View, state: State) -> dict[str, Any]:
    """One page of the selected rows, or how far the search has come."""
    text = state["rows"]["search"]
    search = searched(view, text) if text else None
    if search is not None and not search.run(PATIENCE):
        return {"progress": search.share}
    rows = state["rows"]
    total = len(selected(view, state))
    page = min(rows["page"], max(0, (total - 1) // SIZE))
    at = _first(view, state, (page + 1) * SIZE)[page * SIZE :]
    names = [name for name in (rows["columns"] or default_columns(view, state)) if name in view.columns]
    places = [view.columns[name] for name in names]
    part = view.bound.frame.iloc[at, places]
    body = [[cell_text(value) for value in part.iloc[:, i].to_numpy(dtype=object)] for i in range(len(places))]
    extras = _extras(view, state, at)
    return {
        "total": total,
        "page": page,
        "size": SIZE,
        "columns": names,
        "numeric": [bool(types.is_numeric_dtype(part.dtypes.iloc[i])) for i in range(len(places))],
        "extras": extras,
        "rows": [
            {"at": int(position), "index": visible(index)[:80], "cells": [column[i] for column in body]}
            for i, (position, index) in enumerate(zip(at, part.index, strict=True))
        ],
    }


def _extras(view: View, state: State, at: npt.NDArray[np.intp]) -> list[dict[str, Any]]:
    """Columns that are worked out: how wrong the row is (or what it is sorted by), and the prediction where no column holds it."""
    found = []
    name = state["rows"]["sort"] if state["rows"]["sort"] in SORTS else "loss"
    if view.task != "outcomes" or len(view.bound.roles.outcomes) == 1:
        values = sort_values(view, state, name)[at]
        if not (len(values) and np.isnan(values).all()):
            found.append({"name": name, "numeric": True, "cells": [_number(v) for v in values]})
    model = view.bound.model(state["model"])
    if view.bound.classifies and (model.y_pred is None or state["threshold"] is not None):
        codes = view.predicted(state["model"], state["threshold"])[at]
        labels = [visible(label) for label in view.bound.labels]
        found.append({"name": "predicted", "numeric": False, "cells": [labels[code] for code in codes]})
    return found


def default_columns(view: View, state: Mapping[str, Any], most: int = 10) -> list[str]:
    """Label, predictions, outcomes and cohort columns first, then texts, then the others."""
    roles = view.bound.roles
    wanted: list[Any] = [roles.id, roles.y_true]
    model = view.bound.model(state["model"])
    wanted += [model.y_pred, *(model.y_score if len(model.y_score) < 4 else ())]
    if state["against"] is not None:
        other = view.bound.model(state["against"])
        wanted += [other.y_pred, *(other.y_score if len(other.y_score) < 4 else ())]
    for outcome in roles.outcomes:
        wanted += [outcome.column, f"{outcome.column}_reason"]
    wanted += [state["rating"]["a"], state["rating"]["b"]]
    frame = view.bound.frame
    wanted += [frame.columns[place] for place in search_columns(frame)]
    names = [visible(name) for name in wanted if name is not None]
    many = {visible(c) for m in view.bound.models if len(m.y_score) >= 4 for c in m.y_score}  # no score per class
    names += [name for name in view.columns if name not in many]
    return [name for name in dict.fromkeys(names) if name in view.columns][:most]


def cell_text(value: Any) -> list[Any]:
    """A cell as [text, whether there is more, whether it is structured]; never fails, never reads much."""
    structured = isinstance(value, dict | list | tuple)
    text = written(value, SHORT + 1, pretty=False)
    looks = isinstance(value, str) and value[:1] in "{[" and value.rstrip()[-1:] in "}]"
    more = len(text) > SHORT or structured or looks
    return [printable(text[:SHORT]), more, structured or looks]


def whole_cell(value: Any) -> str:
    """The whole cell as text; JSON and tool calls on several lines."""
    return printable(written(value, LONG, pretty=True))


def written(value: Any, limit: int, *, pretty: bool) -> str:
    """A cell of any kind as text of at most so many characters; never fails."""
    if isinstance(value, str):
        return _pretty(value, limit) if pretty else value[:limit]
    try:
        if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
            return "–"
        if isinstance(value, bool | np.bool_):
            return str(bool(value))
        if isinstance(value, float | np.floating):
            return f"{float(value):.5g}"
        if isinstance(value, dict | list | tuple):
            return json.dumps(value, indent=2 if pretty else None, ensure_ascii=False, default=_brief)[:limit]
        if isinstance(value, int | np.integer | pd.Timestamp | pd.Timedelta):
            return str(value)
        return _brief(value)[:limit]
    except Exception as error:  # a cell of any class may fail to be written; its row must still be shown
        return f"({type(value).__name__}: {type(error).__name__})"


def _pretty(text: str, limit: int) -> str:
    if len(text) <= limit and text[:1] in "{[":
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)[:limit]
        except (ValueError, RecursionError):
            return text
    return text[:limit]


def _brief(value: Any) -> str:
    """Arrays, images and bytes by their size, other things by their text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value):,} bytes)"
    shape = getattr(value, "shape", None)
    if shape is not None and hasattr(value, "dtype"):
        return f"({type(value).__name__} {' × '.join(map(str, shape))}, {value.dtype})"
    if hasattr(value, "size") and hasattr(value, "mode") and hasattr(value, "getpixel"):
        return f"(image {value.size[0]} × {value.size[1]}, {value.mode})"
    return str(value)


def printable(text: str) -> str:
    """Hidden characters made visible, but line breaks kept."""
    return "\n".join("\t".join(visible(piece) for piece in line.split("\t")) for line in text.split("\n"))


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.4g}"


def _frozen(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def marked(view: View, marks: Mapping[str, Any]) -> tuple[list[int], list[Any]]:
    """Row places and marks, in the order of the frame."""
    at = sorted(map(int, marks))
    return at, [marks[str(i)] for i in at]
