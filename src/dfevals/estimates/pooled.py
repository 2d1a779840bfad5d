"""Partial pooling of a metric over cohorts: which law fits its range, and how sure each cohort's own value is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.estimates.estimate import Estimates
from dfevals.inference.levels import normal_quantile
from dfevals.inference.pooling import Pooled, pool_means, pool_shares, rows_behind
from dfevals.metrics.registry import Request

__all__ = ["LEFT_OUT", "pool"]

Floats = npt.NDArray[np.float64]
LEFT_OUT = "not pooled: no interval"


@dataclass(frozen=True)
class _Scale:
    """A scale on which errors are about normal, its inverse, and its slope."""

    to: Any
    back: Any
    slope: Any


PLAIN = _Scale(lambda v: v, lambda t: t, np.ones_like)
LOG = _Scale(np.log, np.exp, lambda v: 1 / v)
BELOW_ONE = _Scale(lambda v: -np.log(1 - v), lambda t: 1 - np.exp(-t), lambda v: 1 / (1 - v))


@np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore")
def pool(request: Request, found: Estimates, level: float, mix: Floats | None = None) -> Pooled:
    """The values of disjoint cohorts drawn towards their centre; NaN where a cohort has no value or no interval.

    `mixed` is the sum of the true values weighted by `mix`, with its standard error.

    How sure a value is follows from the interval that the metric's own method gave it, so that weights and clusters count.
    A metric with a range on both sides is taken as a share of as many rows as Wilson's interval of that width would have.
    Others have normal errors: on the log scale if they are positive, as losses are, and of R² on that of 1 − R².
    """
    values = np.stack([found.value, found.low, found.high])
    if request.negated:
        values = -values[[0, 2, 1]]
    low, high = request.metric.range
    if np.isfinite(low) and np.isfinite(high):
        pooled = _bounded((values - low) / (high - low), level, mix)
        total = 1.0 if mix is None else float(mix.sum())
        sums = low * total + (high - low) * pooled.mixed[0], (high - low) * pooled.mixed[1]
        pooled = replace(_moved(pooled, lambda v: low + (high - low) * v, high - low), mixed=sums)
    else:
        pooled = _unbounded(values, (low, high), level, mix)
    if not request.negated:
        return pooled
    return replace(_moved(pooled, np.negative, 1.0, flipped=True), mixed=(-pooled.mixed[0], pooled.mixed[1]))


def _moved(found: Pooled, back: Any, slope: float, *, flipped: bool = False) -> Pooled:
    ends = (found.high, found.low) if flipped else (found.low, found.high)
    value, low, high = (back(part) for part in (found.value, *ends))
    return Pooled(value, low, high, float(back(found.centre)), found.spread * slope, found.mixed)


def _spread_out(found: Pooled, used: npt.NDArray[np.bool_]) -> Pooled:
    def wide(part: Floats) -> Floats:
        out = np.full(len(used), np.nan)
        out[used] = part
        return out

    return Pooled(wide(found.value), wide(found.low), wide(found.high), found.centre, found.spread, found.mixed)


def _nothing(size: int) -> Pooled:
    none = np.full(size, np.nan)
    return Pooled(none, none, none, np.nan, np.nan)


def _bounded(values: Floats, level: float, mix: Floats | None) -> Pooled:
    """Of numbers in [0, 1]."""
    value, low, high = np.clip(values, 0, 1)
    rows = rows_behind(value, high - low, level)
    used = np.isfinite(rows)
    if not (rows[used] > 0).any():
        return _nothing(len(value))
    shares = None if mix is None else mix[used]
    return _spread_out(pool_shares(value[used] * rows[used], rows[used], level, shares), used)


def _unbounded(values: Floats, limits: tuple[float, float], level: float, mix: Floats | None) -> Pooled:
    value, low, high = values
    used = np.isfinite(value) & np.isfinite(high - low) & (high > low)
    if not used.any():
        return _nothing(len(value))
    inner = value[used]
    scale = PLAIN
    if limits[0] == 0 and (inner > 0).all():
        scale = LOG
    elif limits[1] == 1 and (inner < 1).all():
        scale = BELOW_ONE
    width = scale.to(high[used]) - scale.to(low[used])
    width = np.where(np.isfinite(width), width, (high - low)[used] * scale.slope(inner))
    at, se = scale.to(inner), width / (2 * normal_quantile(level))
    found = pool_means(at, se, level)
    if mix is not None:  # a sum on the scale of the metric, by its slopes at the pooled values
        pooled = scale.back(found.value)
        weights = mix[used] / scale.slope(pooled)
        error = pool_means(at, se, level, weights).mixed[1]
        found = replace(found, mixed=(float(mix[used] @ pooled), error))
    centre = scale.back(found.centre)
    slope = float(scale.slope(centre))
    return _spread_out(_moved(found, scale.back, 1 / slope), used)
