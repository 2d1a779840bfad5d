"""Metrics that need the rows themselves: order statistics and any callable."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.metrics.estimands import Value
from dfevals.tally.table import RowTally

__all__ = ["on_rows", "order_statistic", "weighted_quantile"]

Array = npt.NDArray[Any]
SCORE_NAMES = ("y_score", "y_prob", "y_proba", "y_scores", "probas_pred", "pred_decision")


def on_rows(f: Callable[..., Any]) -> Callable[[RowTally], Value]:
    """A function of the rows of every cohort from `f(y_true, y_pred, sample_weight=None)`.

    A second parameter called `y_score` (or `y_proba`, ...) gets the score instead of the prediction. An exception
    in `f` is the reason of a NaN.
    """
    try:
        parameters = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):
        parameters = ["y_true", "y_pred"]
    second = "y_score" if len(parameters) > 1 and parameters[1] in SCORE_NAMES else "y_pred"
    weighted = "sample_weight" in parameters

    def call(columns: dict[str, Array]) -> tuple[float, str]:
        if len(columns["y_true"]) == 0:
            return np.nan, "no rows"
        if second not in columns:
            return np.nan, f"needs {second}, which the roles do not give"
        weight = columns.get("sample_weight")
        extra = {"sample_weight": weight} if weight is not None and weighted else {}
        if weight is not None and not weighted:
            return np.nan, "the function takes no sample_weight but the rows are weighted"
        try:
            return float(f(columns["y_true"], columns[second], **extra)), ""
        except Exception as error:  # a user's function may raise anything; the reason is shown in place
            return np.nan, f"{type(error).__name__}: {error}"[:200]

    def estimate(rows: RowTally) -> Value:
        every = [call(rows.rows(i)) for i in range(rows.n_cohorts)]

        def resample(cohort: int, rng: np.random.Generator) -> float:
            columns = rows.rows(cohort)
            draw = rng.integers(0, max(len(columns["y_true"]), 1), len(columns["y_true"]))
            return call({name: values[draw] for name, values in columns.items()})[0]

        return Value(
            np.array([value for value, _ in every]),
            np.diff(rows.offsets).astype(float),
            reasons=tuple(reason for _, reason in every),
            method="none",
            resample=resample,
        )

    estimate.__doc__ = f.__doc__
    return estimate


def order_statistic(rows: RowTally, value: Callable[[dict[str, Array]], Array], q: float) -> Value:
    """Quantile `q` of a number of the rows, with the order-statistic interval (Hahn and Meeker 1991, 5.2).

    The interval needs no assumption about the distribution; its bounds are two of the values. Where no pair of
    order statistics reaches the level, the bound is the extreme value and the coverage is less.
    """
    parts = []
    for i in range(rows.n_cohorts):
        columns = rows.rows(i)
        x = np.asarray(value(columns), float)
        keep = ~np.isnan(x)
        weight = columns.get("sample_weight")
        order = np.argsort(x[keep], kind="stable")
        parts.append((x[keep][order], None if weight is None else weight[keep][order]))
    weighted = any(weight is not None for _, weight in parts)
    values = np.array(
        [np.nan if len(x) == 0 else np.quantile(x, q) if w is None else weighted_quantile(x, w, q) for x, w in parts]
    )

    def bounds(level: float) -> tuple[Array, Array]:
        from scipy.special import ndtri

        low, high = np.full(len(parts), np.nan), np.full(len(parts), np.nan)
        z = float(ndtri((1 + level) / 2))
        for i, (x, w) in enumerate(parts):
            n = len(x) if w is None else float(w.sum() ** 2 / (w**2).sum()) if len(w) else 0
            if len(x) < 2:
                continue
            half = z * np.sqrt(n * q * (1 - q))
            lo, hi = (np.floor(n * q - half) - (n < 0)) / n, (np.ceil(n * q + half) + 1) / n
            if w is None:
                low[i], high[i] = x[max(int(round(lo * n)) - 1, 0)], x[min(int(round(hi * n)) - 1, len(x) - 1)]
            else:
                low[i], high[i] = (weighted_quantile(x, w, float(np.clip(edge, 0, 1))) for edge in (lo, hi))
        return low, high

    def resample(cohort: int, rng: np.random.Generator) -> float:
        x, w = parts[cohort]
        if len(x) == 0:
            return np.nan
        draw = np.sort(rng.integers(0, len(x), len(x)))
        return float(np.quantile(x[draw], q)) if w is None else weighted_quantile(x[draw], w[draw], q)

    return Value(
        values,
        np.array([len(x) for x, _ in parts], float),
        "no values",
        bounds=bounds,
        method="order statistics" + (" at the effective n" if weighted else ""),
        resample=resample,
    )


def weighted_quantile(x: Array, weight: Array, q: float) -> float:
    """Quantile of weighted values in ascending order: the averaged inverse of the distribution function."""
    cumulative = np.cumsum(weight)
    if cumulative[-1] <= 0:
        return np.nan
    target = q * cumulative[-1]
    at = int(np.searchsorted(cumulative, target, "left"))
    at = min(at, len(x) - 1)
    on_edge = np.isclose(cumulative[at], target, rtol=1e-12)
    following = at + 1
    while on_edge and following < len(x) and weight[following] == 0:
        following += 1
    return float((x[at] + x[following]) / 2) if on_edge and following < len(x) else float(x[at])
