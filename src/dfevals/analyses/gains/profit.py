"""Profit and return of contacting the best-scored rows: value per response, cost per contact, fixed cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.scores.amounts import above, amounts_of, check_amounts
from dfevals.analyses.scores.ranked import Ranked
from dfevals.analyses.scores.score_steps import Steps, steps
from dfevals.cohorts import Cohorts
from dfevals.estimates.bootstrap import percentiles
from dfevals.exceptions import MetricError
from dfevals.inference.levels import normal_quantile
from dfevals.metrics.estimands import divide
from dfevals.results.tidy import Piece
from dfevals.roles.bound import Bound

__all__ = ["Money", "at_cuts", "profit"]

Floats = npt.NDArray[np.float64]
_POINTS = 1000


@dataclass(frozen=True)
class Money:
    """What a response brings (a number, or a column of amounts), what a contact costs, and what is paid anyway."""

    value: float
    column: str | None
    cost: float
    fixed: float

    @classmethod
    def of(cls, value: float | str, cost: float, fixed: float) -> Money:
        """Check and build.

        Raises
        ------
        MetricError
            An amount is negative or not finite.
        """
        numbers = {"cost": cost, "fixed_cost": fixed} | ({} if isinstance(value, str) else {"value": value})
        for name, number in numbers.items():
            if isinstance(number, bool | str) or not np.isfinite(number) or number < 0:
                raise MetricError(f"{name}={number!r} must be an amount of 0 or more.")
        column = value if isinstance(value, str) else None
        return cls(0.0 if column is not None else float(value), column, float(cost), float(fixed))


def at_cuts(table: Piece, by_depth: Piece, money: Money) -> Floats:
    """Profit after each bin of the gains table; of amounts, rows of equal score bring their share."""
    cum_n, cum_pos = (np.asarray(table.columns[name], dtype=float) for name in ("cum_n", "cum_pos"))
    revenue = money.value * cum_pos
    if money.column is not None:
        for place in np.unique(table.place):
            rows, known = table.place == place, by_depth.place == place
            ends = (by_depth.columns[name][known] for name in ("contacts", "revenue"))
            revenue[rows] = np.interp(cum_n[rows], *ends)
    return np.asarray(revenue - money.cost * cum_n - money.fixed * (cum_n > 0))


def profit(
    bound: Bound,
    cohorts: Cohorts,
    source: Ranked,
    money: Money,
    level: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> tuple[Piece, Piece]:
    """Profit by depth, and the depth of greatest profit with its interval and optimism, per cohort."""
    points = steps(source.tally, _POINTS)
    revenue, revenue_sq = _revenue(bound, cohorts, source, money, points)
    n = points.tp + points.fp
    spent = money.cost * n + money.fixed * (n > 0)
    gain = revenue - spent
    unit = np.nan_to_num(divide(source.tally.effective_square(), points.total.pos + points.total.neg))
    half = normal_quantile(level) * np.sqrt(np.maximum(_variance(points, revenue, revenue_sq, money, unit), 0))
    total = (points.total.pos + points.total.neg)[points.cohort]
    columns = {
        "depth": divide(n, total),
        "threshold": points.threshold,
        "contacts": n,
        "responses": points.tp,
        "revenue": revenue,
        "spending": spent,
        "profit": gain,
        "profit_low": gain - half,
        "profit_high": gain + half,
        "roi": divide(gain, spent),
        "roi_low": divide(gain - half, spent),
        "roi_high": divide(gain + half, spent),
    }
    by_depth = Piece(source.model.name, source.label, source.at[points.cohort], columns)
    rows = [
        _best(points, cohort, revenue, revenue_sq, money, level, n_resamples, rng, float(unit[cohort]))
        for cohort in range(source.tally.n_cohorts)
    ]
    best = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    best["note"] = best["note"].astype(object)
    return by_depth, Piece(source.model.name, source.label, source.at, best)


def _revenue(bound: Bound, cohorts: Cohorts, source: Ranked, money: Money, points: Steps) -> tuple[Floats, Floats]:
    """Revenue of the rows at least as good as each point, and the sum of its squares over the rows."""
    if money.column is None:
        return money.value * points.tp, money.value**2 * points.tp
    column = money.column
    check_amounts(bound, (column,), "value")
    sums = amounts_of(
        bound, cohorts, source, (column,), lambda label, columns: (columns[column] * label, np.zeros(len(label)))
    )
    revenue, square = np.zeros(len(points.tp)), np.zeros(len(points.tp))
    for cohort in range(source.tally.n_cohorts):
        at = points.of(cohort)
        rising = points.threshold[at][::-1]
        earned = above(sums.acted, rising)
        revenue[at] = earned.pos[cohort, ::-1]
        square[at] = earned.pos_sq[cohort, ::-1]
    return revenue, square


def _variance(points: Steps, revenue: Floats, revenue_sq: Floats, money: Money, unit: Floats) -> Floats:
    """Variance of the sum over all rows of (revenue − cost) for the rows contacted, at fixed thresholds.

    `unit` is the weight of an effective row in every cohort.
    """
    n, total = points.tp + points.fp, points.pos + points.neg
    square = revenue_sq - 2 * money.cost * revenue + money.cost**2 * n
    mean = divide(revenue - money.cost * n, total)
    return np.asarray((square - np.nan_to_num(mean) ** 2 * total) * unit[points.cohort])


def _best(
    points: Steps,
    cohort: int,
    revenue: Floats,
    revenue_sq: Floats,
    money: Money,
    level: float,
    n_resamples: int,
    rng: np.random.Generator,
    unit: float,
) -> dict[str, Any]:
    """The depth of greatest profit of one cohort; the bootstrap resamples the rows between neighbouring points."""
    at = points.of(cohort)
    tp, fp, earned = points.tp[at], points.fp[at], revenue[at]
    n = tp + fp
    gain = earned - money.cost * n - money.fixed * (n > 0)
    if len(n) < 2 or points.total.pos[cohort] == 0:
        reason = "no rows" if len(n) < 2 else "no positives: contacting nobody is best"
        missing = ("depth", "depth_low", "depth_high", "threshold", "contacts", "profit", "profit_low", "profit_high")
        return dict.fromkeys((*missing, "optimism"), np.nan) | {"note": reason}
    cells = [np.diff(values, prepend=0.0) for values in (tp, fp, earned, revenue_sq[at])]
    drawn_pos, drawn_neg = (rng.poisson(np.maximum(c, 0) / unit, (n_resamples, len(n))) * unit for c in cells[:2])
    mean = np.divide(cells[2], cells[0], out=np.zeros_like(cells[2]), where=cells[0] > 0)
    second = np.divide(cells[3], cells[0], out=np.zeros_like(cells[3]), where=cells[0] > 0)
    spread = np.sqrt(np.maximum(second - mean**2, 0) * drawn_pos * unit)
    drawn_revenue = np.cumsum(drawn_pos * mean + spread * rng.standard_normal(spread.shape), axis=1)
    contacted = np.cumsum(drawn_pos + drawn_neg, axis=1)
    drawn = drawn_revenue - money.cost * contacted - money.fixed * (np.arange(len(n)) > 0)
    top = int(np.argmax(gain))
    best = drawn.argmax(axis=1)
    depth = n / n[-1]
    optimism = float(np.mean(drawn.max(axis=1) - gain[best]))
    low, high = percentiles(drawn[:, top] - optimism, level)
    edges = np.quantile(depth[best], [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    note = "contacting nobody is best: no response pays for its contacts" if top == 0 else ""
    note = "contacting everybody is best" if top == len(n) - 1 else note
    return {
        "depth": depth[top],
        "depth_low": edges[0],
        "depth_high": edges[1],
        "threshold": points.threshold[at][top],
        "contacts": n[top],
        "profit": gain[top],
        "profit_low": float(low),
        "profit_high": float(high),
        "optimism": optimism,
        "note": note,
    }
