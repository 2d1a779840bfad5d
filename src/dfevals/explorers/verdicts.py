"""Is the difference of the two models on view real? The numbers of `ev.compare` for every cohort and all rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from dfevals.analyses.metrics import AFFORDABLE
from dfevals.explorers.dimensions import from_plain
from dfevals.explorers.state import State
from dfevals.explorers.view import View
from dfevals.metrics.planning import needs_of
from dfevals.metrics.registry import find, records
from dfevals.needs import Cells, Moments
from dfevals.words import visible

__all__ = ["is_affordable", "verdicts"]


def is_affordable(view: View, metric: str, n_cohorts: int) -> bool:
    """Whether cohorts can be tested without being asked: metrics of counts and moments always, others on few rows."""
    if metric.split("(")[0] not in records():
        return True
    needs = needs_of(find(metric).metric, 2, view.task)
    cheap = all(isinstance(need, Cells | Moments) for group in needs for need in group)
    return cheap or view.bound.n * max(n_cohorts, 1) <= AFFORDABLE


def verdicts(view: View, state: State) -> dict[str, Any]:
    """Difference (first model less second), its interval, corrected p and verdict per cohort, all rows last."""
    key = ("verdicts", *(repr(state[k]) for k in ("model", "against", "threshold", "level", "metric", "by")))
    return view.keep(key, lambda: _verdicts(view, state))


def _verdicts(view: View, state: State) -> dict[str, Any]:
    cohorts, pair = view.cohorts(state["by"]), (state["model"], state["against"])
    by = from_plain(state["by"]) if is_affordable(view, state["metric"], cohorts.n_cohorts) else None
    result = view.at(state, pair).compare(*pair, by=by, metrics=[state["metric"]], level=state["level"])
    frame = result.frame
    order = np.r_[np.arange(1, len(frame)), 0] if len(frame) == cohorts.n_cohorts + 1 else np.zeros(1, int)
    found: dict[str, Any] = {"metric": state["metric"], "why": result.why, "cohorts": len(order) > 1}
    for name in ("value_a", "value_b", "difference", "ci_low", "ci_high", "p_corrected"):
        values = frame[name].to_numpy(float)[order]
        found[name] = [float(v) if np.isfinite(v) else None for v in values]
    for name in ("test", "verdict", "note"):
        found[name] = [visible(text) for text in frame[name].to_numpy()[order]]
    return found
