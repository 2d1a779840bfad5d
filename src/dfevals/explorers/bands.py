"""Bands of the curve on view, from the Evaluation's own curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from dfevals.evaluation import Evaluation
from dfevals.explorers.state import State
from dfevals.explorers.view import View

__all__ = ["bands"]

POINTS = 160  # of a band
MOST = 200_000  # rows beyond which a band is no wider than its line
#: Tab → question, abscissa, bounds.
CURVES = {
    "roc": ("roc", "fpr", "band_low", "band_high"),
    "pr": ("pr", "recall", "precision_low", "precision_high"),
    "gains": ("cap", "selected", "captured_low", "captured_high"),
}


def bands(view: View, state: State) -> dict[str, Any]:
    """Pointwise bands of the selected cohort (or all rows) and of the compared one, as points of a closed line.

    Returns
    -------
    dict
        `bands`: {"all" | "cohort" | "compare": [[x, low, high], …]}.
    """
    if state["view"] not in CURVES or not view.has_threshold(view.bound.model(state["model"])):
        return {"bands": {}}
    selection = state["selection"]
    wanted = {key: selection[key] for key in ("cohort", "compare") if selection[key] is not None} or {"all": None}
    found = {}
    for name, path in wanted.items():
        mask = view.mask(state | {"selection": {"cohort": path, "compare": None, "cell": None}})
        if 0 < mask.sum() <= MOST:
            found[name] = _points(view.at(state).where(mask), state)
    return {"bands": found}


def _points(evaluation: Evaluation, state: State) -> list[list[float]]:
    question, *columns = CURVES[state["view"]]
    frame = getattr(evaluation, question)(level=state["level"]).frame
    points = frame[columns].to_numpy(float)
    points = points[np.isfinite(points).all(axis=1)]
    points = points[np.argsort(points[:, 0], kind="stable")]
    if len(points) > 2 * POINTS:  # evenly along the curve and along the axis
        along = np.linspace(0, len(points) - 1, POINTS).round().astype(int)
        first, last = points[[0, -1], 0].tolist()
        across = np.searchsorted(points[:, 0], np.linspace(first, last, POINTS))
        points = points[np.union1d(along, across)]
    return [[float(v) for v in row] for row in points.round(5)]
