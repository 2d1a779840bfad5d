"""Metrics: one record each in a registry, and the parametric ones as functions (`dfevals.metrics.fbeta(beta=2)`)."""

from __future__ import annotations

from typing import Any

from dfevals.metrics.registry import Metric, metric, names, table

__all__ = ["Metric", "metric", "names", "table"]


def __getattr__(name: str) -> Any:
    from dfevals.metrics.registry import _PARAMETRIC, records

    found = records().get(name)
    if name in _PARAMETRIC:
        return _PARAMETRIC[name]
    if found is not None:
        return found
    raise AttributeError(f"module 'dfevals.metrics' has no attribute {name!r}")
