"""What travels with a page that has no kernel: the counts, the first rows, and the answers to what it would ask next."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from dfevals.explorers import answers, rows
from dfevals.explorers.reading import texts
from dfevals.explorers.state import State
from dfevals.explorers.view import View

__all__ = ["packed", "squeezed", "travelling"]

MOST_BYTES = 1_900_000  # of all that travels, compressed and as text
#: What an answer depends on, as paths in the state; "cut" is whether there is a threshold at all.
DEPENDS: dict[str, tuple[str, ...]] = {
    "counts": ("by", "model", "cut"),
    "estimates": ("by", "model", "threshold", "level", "metric"),
    "matrix": ("by", "model", "threshold", "selection.cohort"),
    "comparison": ("by", "model", "against", "threshold"),
    "verdicts": ("by", "model", "against", "threshold", "level", "metric"),
    "residuals": ("by", "model", "selection.cohort", "selection.compare"),
    "outcomes": ("by", "model"),
    "folds": ("by", "model", "threshold", "level", "metric", "selection.cohort"),
    "ranking": ("view", "by", "model", "threshold", "level", "selection.cohort"),
    "bands": ("view", "by", "model", "level", "selection.cohort", "selection.compare"),
    "text": ("by", "model", "against", "threshold", "selection", "rows", "text", "view"),
    "rows": ("by", "model", "against", "threshold", "selection", "rows"),
}
#: What a tab asks when it is opened.
ASKED: dict[str, tuple[str, ...]] = {
    "confusion": ("matrix",),
    "pairs": ("matrix",),
    "roc": ("ranking", "bands"),
    "pr": ("ranking", "bands"),
    "gains": ("ranking", "bands"),
    "calibration": ("ranking",),
    "residuals": ("residuals",),
    "compare": ("comparison", "verdicts"),
    "folds": ("folds",),
    "outcomes": ("outcomes",),
    "text": ("text",),
}


def travelling(view: View, state: State, *, every: bool, with_rows: bool = True) -> dict[str, Any]:
    """The state and answers that a page without a kernel draws from.

    Parameters
    ----------
    view : View
    state : dict
        What is on view.
    every : bool
        All tabs, models and default metrics (a page to be sent away) instead of what is on view (a copy in a notebook).
    with_rows : bool
        Whether the page of rows on view travels too.

    Returns
    -------
    dict
        `state`; `depends`, the paths that an answer depends on; `answers`, each with the question, the values at those
        paths, the answer, and its bytes in base 64; `left_out`, what was too large to travel.
    """
    found: list[dict[str, Any]] = []
    left_out: list[str] = []
    seen: set[str] = set()
    size = 0
    for what, ask, at in _questions(view, state, every):
        if ask in ("rows", "text") and not with_rows:
            continue
        key = json.dumps([ask, [_part(at, path) for path in DEPENDS[ask]]])
        if key in seen or what in left_out:
            continue
        seen.add(key)
        try:
            answer, buffers = _answer(view, at, ask)
        except Exception:  # the page says that this one needs the kernel, which says why
            continue
        entry = {"ask": ask, "at": [_part(at, path) for path in DEPENDS[ask]], "answer": answer}
        if buffers:
            entry["bytes"] = base64.b64encode(buffers[0]).decode("ascii")
        weight = len(packed(entry))
        if found and size + weight > MOST_BYTES:
            left_out.append(what)
            continue
        size += weight
        found.append(entry)
    depends = {ask: list(paths) for ask, paths in DEPENDS.items()}
    return {"state": state, "depends": depends, "answers": found, "left_out": left_out, "rows": with_rows}


def packed(value: Mapping[str, Any]) -> str:
    """Plain JSON, squeezed."""
    return squeezed(json.dumps(value))


def squeezed(text: str) -> str:
    """A text compressed (zlib) and in base 64: letters, digits, + / and = alone, safe inside any markup."""
    return base64.b64encode(zlib.compress(text.encode("utf-8"), 6)).decode("ascii")


def _questions(view: View, state: State, every: bool) -> Iterator[tuple[str, str, State]]:
    """What, question and state, the most needed first."""
    yield "counts", "counts", state
    yield from _of_tab(view, state, "what is on view")
    yield "rows", "rows", state
    if not every:
        return
    for name in view.views:
        yield from _of_tab(view, state | {"view": name}, f"tab {name}")
    for model in view.bound.models:
        if model.name == state["model"]:
            continue
        at = _with_model(view, state, model.name)
        yield f"model {model.name}", "counts", at
        for name in view.views:
            yield from _of_tab(view, at | {"view": name}, f"model {model.name}")
    for metric in _default_metrics(view):
        yield f"metric {metric}", "estimates", state | {"metric": metric}


def _of_tab(view: View, state: State, what: str) -> Iterator[tuple[str, str, State]]:
    if not _is_live(view, state["metric"]):
        yield what, "estimates", state
    for ask in ASKED.get(state["view"], ()):
        if ask != "matrix" or view.task != "binary":  # the page has the cells of a binary task in its counts
            yield what, ask, state


def _with_model(view: View, state: State, name: str) -> State:
    """The state after another model was chosen in the page's menu."""
    record = view.bound.model(name)
    cut = view.has_threshold(record) and record.y_pred is None
    threshold = (0.5 if state["threshold"] is None else state["threshold"]) if cut else None
    against = state["model"] if state["against"] == name else state["against"]
    return state | {"model": name, "against": against, "threshold": threshold}


def _is_live(view: View, metric: str) -> bool:
    return any(choice["name"] == metric and choice["live"] for choice in answers.metric_choices(view))


def _default_metrics(view: View) -> list[str]:
    """Default metrics that the page cannot work out itself."""
    from dfevals.estimates.asked import requested

    if view.task == "outcomes":
        return [choice["name"] for choice in answers.metric_choices(view)]
    live = {choice["name"] for choice in answers.metric_choices(view) if choice["live"]}
    return [request.label for request in requested(view.bound, view.bound.models, None) if request.label not in live]


def _answer(view: View, state: State, ask: str) -> tuple[Any, list[bytes]]:
    if ask == "counts":
        return answers.counts(view, state)
    if ask == "rows":
        return rows.page_of(view, state), []
    if ask == "text":
        return texts.row_on_view(view, state), []
    return answers.ANSWERS[ask](view, state), []


def _part(state: Mapping[str, Any], path: str) -> Any:
    if path == "cut":
        return state["threshold"] is not None
    found: Any = state
    for key in path.split("."):
        found = found[key]
    return found
