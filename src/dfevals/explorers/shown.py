"""Where an explorer of a result starts: what the result shows, as far as an explorer can show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfevals.explorers.state import LEVELS, State
from dfevals.explorers.view import View

__all__ = ["fitting"]


def fitting(view: View, shown: Mapping[str, Any]) -> State:
    """The parts of a state that fit the evaluation; the nearest level of the intervals, no tab that there is not.

    Parameters
    ----------
    view : View
    shown : mapping
        `by`, and what a result knows of `view`, `model`, `against`, `metric`, `level`, `threshold`, `cost` and `min_n`.
    """
    found = {"by": shown["by"]} | {key: shown[key] for key in ("metric", "cost") if shown.get(key) is not None}
    if shown.get("min_n") is not None:
        found["table"] = {"min_n": shown["min_n"]}
    names = [model.name for model in view.bound.models]
    for key in ("model", "against"):
        if shown.get(key) in names:
            found[key] = shown[key]
    if shown.get("view") in view.views:
        found["view"] = shown["view"]
    if shown.get("level") is not None:
        found["level"] = min(LEVELS, key=lambda level: abs(level - shown["level"]))
    model = view.bound.model(found.get("model", names[0]))
    if shown.get("threshold") is not None and view.has_threshold(model):
        found["threshold"] = shown["threshold"]
    return found
