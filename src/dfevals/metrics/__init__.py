"""Metrics: one record each in a registry, and the parametric ones as functions (`dfevals.metrics.fbeta(beta=2)`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dfevals.metrics.registry import Metric, metric, names, table

if TYPE_CHECKING:
    from dfevals.metrics.estimands import Mean as Mean
    from dfevals.metrics.estimands import MeanOfRatios as MeanOfRatios
    from dfevals.metrics.estimands import Rank as Rank
    from dfevals.metrics.estimands import Ratio as Ratio
    from dfevals.metrics.estimands import Smooth as Smooth
    from dfevals.metrics.estimands import SmoothMoments as SmoothMoments
    from dfevals.metrics.estimands import Through as Through
    from dfevals.metrics.estimands import Value as Value

_ESTIMANDS = ("Mean", "MeanOfRatios", "Rank", "Ratio", "Smooth", "SmoothMoments", "Through", "Value")

__all__ = ["Metric", "metric", "names", "table", *_ESTIMANDS]


def __getattr__(name: str) -> Any:
    from dfevals.metrics.registry import _PARAMETRIC, records

    if name in _ESTIMANDS:
        return getattr(import_module("dfevals.metrics.estimands"), name)
    found = records().get(name)
    if name in _PARAMETRIC:
        return _PARAMETRIC[name]
    if found is not None:
        return found
    raise AttributeError(f"module 'dfevals.metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    from dfevals.metrics.registry import records

    return sorted({*__all__, *records(), *(name for name in globals() if name.startswith("__"))})
