"""The default interval of every kind of estimand, chosen by simulated coverage; arrays over cohorts in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.estimates.bounds import ROUNDING, Bounds, CellContext, rows_worth
from dfevals.estimates.delta import (
    FourCells,
    cell_gradient,
    cell_variance,
    four_gradients,
    moment_variance,
    one_class,
    plain_variance,
)
from dfevals.exceptions import MetricError, did_you_mean
from dfevals.inference.levels import normal_quantile, t_quantile
from dfevals.inference.proportions import agresti_coull, clopper_pearson, wilson
from dfevals.metrics.estimands import Mean, MeanOfRatios, Rank, Ratio, Smooth, SmoothMoments, Through, Value

__all__ = ["METHODS", "interval"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
FEW = 5 - 1e-9  # (less rounding) events on either side below which no interval is honest
SPENT = 3  # rows that estimating the second moments of two numbers takes from the standard error
USUAL = 0.951  # levels up to here are covered with few rows too
SKEWED = 0.5  # skewness from which the far quantiles of a mean need many rows
FAR = 30  # rows per squared quantile that they need: simulated errors at 0.1 % are near nominal from there
HEAVY = 0.8  # share of the greatest possible skewness, √n, from which Hall's correction no longer suffices
PEAKED = 7  # kurtosis (5 in small samples) from which the variance of a square is not known
TIED = "no interval for shares of pairs when scores are tied"
CONSTANT = "constant, so no interval"
NO_SPREAD = "rows that do not vary, or too few, so no interval"
ONE_CLUSTER = "one cluster, so no interval"
METHODS = (
    "auto",
    "wilson",
    "clopper-pearson",
    "agresti-coull",
    "wald",
    "hall",
    "t",
    "delta",
    "delong",
    "newcombe",
    "bootstrap",
)
SHARES: dict[str, Callable[..., Any]] = {
    "wilson": wilson,
    "clopper-pearson": clopper_pearson,
    "agresti-coull": agresti_coull,
}


@dataclass(frozen=True)
class _Part:
    """A part of an estimand, as a value of its own."""

    value: Array


def _residual(share: Ratio, p: Floats, den: Floats) -> _Part:
    """What moves a share from its value `p`: the numerator less p times the denominator, over `den`."""
    return _Part((share.num - p * share.den) / den)


def interval(
    estimand: Any,
    level: float,
    method: str = "auto",
    cells: CellContext | None = None,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Bounds:
    """Confidence interval of an estimand for every cohort.

    Parameters
    ----------
    estimand : Estimand
        What a metric returned.
    level : float
        Such as 0.95.
    method : str
        "auto" is the default of the estimand's kind; others where they apply.
    cells : CellContext, optional
        For estimands of confusion cells.
    bounds : tuple of float
        Range of the metric, to which the interval is cut.

    Raises
    ------
    MetricError
        The method does not apply to the estimand.
    """
    if isinstance(estimand, Through):
        inner = None if cells is None else replace(cells, function=lambda view: cells.function(view).base)
        base = interval(estimand.base, level, method, inner)
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = estimand.f(base.low), estimand.f(base.high)
        if estimand.decreasing:
            low, high = high, low
        low, high = (  # bounds beyond what the function is defined for are the ends of the range
            np.where(np.isnan(end) & ~np.isnan(base.low + base.high), limit, end)
            for end, limit in zip((low, high), bounds, strict=True)
        )
        return _cut(replace(base, low=low, high=high, variance=None), bounds)
    if isinstance(estimand, Ratio):
        found = _ratio(estimand, level, method, cells)
    elif isinstance(estimand, MeanOfRatios):
        found = _mean_of_ratios(estimand, level, method, cells)
    elif isinstance(estimand, Smooth):
        found = _smooth(estimand, level, method, cells)
    elif isinstance(estimand, Mean):
        found = _mean(estimand, level, method, bounds)
    elif isinstance(estimand, SmoothMoments):
        found = _smooth_moments(estimand, level, method)
    elif isinstance(estimand, Rank):
        found = _rank(estimand, level, method)
    elif isinstance(estimand, Value):
        found = _value(estimand, level, method)
    else:
        raise MetricError(
            f"A metric must return an estimand of dfevals.metrics.estimands, not {type(estimand).__name__}."
        )
    return _cut(found, bounds)


def _cut(found: Bounds, bounds: tuple[float, float]) -> Bounds:
    low, high = np.clip(found.low, *bounds), np.clip(found.high, *bounds)
    return replace(found, low=low, high=high)


def _refuse(method: str, allowed: tuple[str, ...], what: str) -> None:
    if method not in allowed:
        raise MetricError(
            f"interval={method!r} does not apply to {what}. {did_you_mean(method, allowed, noun='Methods')}"
        )


def _share(k: Floats, n: Floats, level: float, method: str) -> tuple[Floats, Floats, str]:
    """Bounds of a share by a named method (auto: Wilson)."""
    method = "wilson" if method in ("auto", "delta") else method
    if method == "wald":
        with np.errstate(divide="ignore", invalid="ignore"):
            p = k / n
            half = normal_quantile(level) * np.sqrt(p * (1 - p) / n)
        return p - half, p + half, "wald"
    _refuse(method, (*SHARES, "wald", "bootstrap"), "a share")
    with np.errstate(divide="ignore", invalid="ignore"):
        found = SHARES[method](k, n, level)
    return np.asarray(found.ci_low), np.asarray(found.ci_high), method


def _few_events(k: Floats, n: Floats) -> npt.NDArray[np.bool_]:
    """Fewer than five events on either side (and at least one row, else the value is undefined anyway)."""
    return (n > 0) & (np.minimum(k, n - k) < FEW - 1e-9)


def _ratio(estimand: Ratio, level: float, method: str, cells: CellContext | None) -> Bounds:
    if cells is not None and cells.view.kind == "micro":
        return _micro(level, method, cells)
    if cells is None or cells.plain:
        low, high, name = _share(estimand.num, estimand.den, level, method)
        few = _few_events(estimand.num, estimand.den)
        return Bounds(low, high, name, few, "events", holds=name in SHARES)
    p = estimand.value
    variance, kish, df = cells.once("share", lambda: _ratio_variance(cells))
    with np.errstate(divide="ignore", invalid="ignore"):
        # a handful of weights can make the estimated variance much too small, so Kish's number is the most it may say
        inner = np.maximum(p * (1 - p), 0)
        some = variance > ROUNDING * inner  # less is rounding: the share is 0 or 1
        n_eff = np.where(some & (inner > 0), np.fmin(inner / variance, np.inf if df is not None else kish), kish)
        n_eff = np.where(estimand.den == 0, 0.0, n_eff)
        if df is not None:
            n_eff = n_eff * _as_t(level, np.maximum(df, 1))
        low, high, name = _share(p * n_eff, n_eff, level, method)
    kind = "cluster-robust" if cells.tally.clusters is not None else "weighted"
    few = _few_events(np.nan_to_num(p * n_eff), n_eff)
    clusters = None if df is None else df + 1
    return Bounds(low, high, f"{name}, {kind}", few, "events", n_eff=n_eff, holds=name in SHARES, clusters=clusters)


def _as_t(level: float, df: Floats) -> Floats:
    """Factor of n that makes a Wilson interval, which depends on z² / n alone, use Student's t instead of z."""
    return np.asarray((normal_quantile(level) / t_quantile(level, df)) ** 2)


def _ratio_variance(cells: CellContext) -> tuple[Floats, Floats, Floats | None]:
    """Variance of a share of weighted or clustered cells, its effective n when it is 0 or 1, degrees of freedom."""
    tally = cells.tally
    if cells.whole or cells.view.kind == "binary":
        estimate = cells.function(cells.view)
        with np.errstate(divide="ignore", invalid="ignore"):
            p, den = estimate.value, estimate.den
            slopes = cell_gradient(lambda view: _residual(cells.function(view), p, den), cells.view)
            of_den = cell_gradient(lambda view: _Part(cells.function(view).den), cells.view)
            variance, df = cell_variance(slopes, tally, size=of_den)
            kish = den**2 / tally.quadratic(of_den)
        return _with_clusters(variance, df, kish)
    four, square = FourCells.of(cells.view), FourCells.of(tally.squares(cells.view.kind))
    estimate = cells.function(four)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, den = estimate.value, estimate.den
        by_num = four_gradients(lambda c: cells.function(c).num, four)
        by_den = four_gradients(lambda c: cells.function(c).den, four)
        g = {name: np.nan_to_num((by_num[name] - p * by_den[name]) / den) for name in by_num}
        kish = den**2 / sum(by_den[name] ** 2 * getattr(square, name) for name in by_den)
        if tally.clusters is None:
            return np.asarray(sum(g[name] ** 2 * getattr(square, name) for name in g)), kish, None
    return _with_clusters(*_by_class(g, tally, size=by_den), kish)


def _by_class(
    gradient: dict[str, Floats], tally: Any, pseudo: Any = 0.0, size: dict[str, Floats] | None = None
) -> tuple[Floats, Floats]:
    """Cluster-robust variance and degrees of freedom of a function of each class against the rest."""
    k = tally.n_classes

    def of(g: dict[str, Floats], i: int) -> Any:
        return one_class({name: np.broadcast_to(v, (k, tally.n_cohorts))[i] for name, v in g.items()}, i, k)

    parts = [
        cell_variance(of(gradient, i), tally, pseudo, size=None if size is None else of(size, i)) for i in range(k)
    ]
    return np.stack([variance for variance, _ in parts]), np.stack([np.asarray(df) for _, df in parts])


def _with_clusters(variance: Floats, df: Floats | None, kish: Floats) -> tuple[Floats, Floats, Floats | None]:
    return variance, kish if df is None else np.minimum(kish, df + 1), df


def _micro(level: float, method: str, cells: CellContext) -> Bounds:
    """Micro averages are functions of the accuracy, so they take its interval: pooled cells count an error twice."""
    tally, k = cells.tally, cells.tally.n_classes
    accuracy = CellContext(tally, tally.view(), lambda view: Ratio(view.correct, view.n), True, (0.0, 1.0))
    base = _ratio(accuracy.function(accuracy.view), level, method, accuracy)
    ends = []
    for share in (base.low, base.high):
        right = share * 1.0
        micro = FourCells(right, 1 - right, 1 - right, (k - 2) + right)
        ends.append(np.asarray(cells.function(micro).value))
    return replace(base, low=np.fmin(*ends), high=np.fmax(*ends), method=f"{base.method} of the accuracy")


def _mean_of_ratios(estimand: MeanOfRatios, level: float, method: str, cells: CellContext | None) -> Bounds:
    """MOVER: squared distances of the parts' bounds add up (Zou and Donner 2008)."""
    if cells is not None and cells.view.kind == "micro" and not cells.whole:
        return _micro(level, method, cells)
    if cells is not None and not cells.plain:
        return _smooth(Smooth(estimand.value, estimand.support), level, "delta", replace(cells, range=(0.0, 1.0)))
    used = estimand.den != 0
    count = used.sum(axis=0)
    shrink = _as_t(level, np.maximum(estimand.den.sum(axis=0) - count, 1))  # each part has a mean of its own
    low, high, name = _share(estimand.num * shrink, estimand.den * shrink, level, method)
    p = np.where(used, estimand.num / np.where(used, estimand.den, 1), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.sqrt((np.where(used, p - low, 0) ** 2).sum(axis=0)) / count
        above = np.sqrt((np.where(used, high - p, 0) ** 2).sum(axis=0)) / count
    value = estimand.value
    few = _few_parts(estimand.num, estimand.den)
    what = "rows right or wrong, or in a class"
    return Bounds(value - below, value + above, f"MOVER of {name}", few, what, holds=name in SHARES)


def _few_parts(num: Floats, den: Floats) -> npt.NDArray[np.bool_]:
    """Fewer than five rows in one of the parts, or right or wrong in all of them together."""
    used = den > 0
    right, every = np.where(used, num, 0).sum(axis=0), den.sum(axis=0)
    return used.any(axis=0) & ((np.minimum(right, every - right) < FEW) | (used & (den < FEW)).any(axis=0))


def _transforms(limits: tuple[float, float]) -> tuple[str, Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Name, transform, its derivative and its inverse for a metric of this range."""
    if limits == (0.0, 1.0):
        return "logit", lambda v: np.log(v / (1 - v)), lambda v: 1 / (v * (1 - v)), lambda t: 1 / (1 + np.exp(-t))
    if limits == (-1.0, 1.0):
        return "Fisher z", np.arctanh, lambda v: 1 / (1 - v * v), np.tanh
    if limits[0] == 0.0:
        return "log", np.log, lambda v: 1 / v, np.exp
    return "identity", lambda v: v, np.ones_like, lambda t: t


def _smooth(estimand: Smooth, level: float, method: str, cells: CellContext | None) -> Bounds:
    """Delta method with two pseudo-rows spread over the cells, on the scale that the range suggests."""
    _refuse(method, ("auto", "delta", "wald"), "a function of the cells")
    assert cells is not None
    if cells.view.kind == "micro" and not cells.whole:
        return _micro(level, "auto" if method == "delta" else method, cells)
    plain = method == "wald"
    centre, variance, df = cells.once(f"smooth, {plain}", lambda: _smooth_variance(cells, plain))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        name, to, slope, back = _transforms(cells.range) if method != "wald" else _transforms((-np.inf, np.inf))
        half = cell_quantile(level, cells, df) * slope(centre) * np.sqrt(variance)
        low, high = back(to(centre) - half), back(to(centre) + half)
    low, high = with_value(low, high, estimand.value, variance)
    few = _few_cells(cells) if estimand.events is None else _few_of(estimand.events, cells)
    what, clusters = "rows right or wrong, or in a class", None if df is None else df + 1
    return Bounds(low, high, f"delta, {name}", few, what, (ONE_CLUSTER,), variance=variance, clusters=clusters)


def _smooth_variance(cells: CellContext, plain: bool) -> tuple[Floats, Floats, Floats | None]:
    """Value, variance and degrees of freedom with two pseudo-rows (`plain`: none) spread over the cells."""
    tally, size = cells.tally, cells.pseudo_row
    extra = 2.0 / tally.n_classes**2 * (not plain)
    pseudo = extra * size**2
    by_class = cells.view.kind == "classes" and not cells.whole
    padded = tally.padded(extra * size, "classes" if by_class else "binary", None)
    with np.errstate(divide="ignore", invalid="ignore"):
        if by_class:
            return _per_class(cells, padded, pseudo)
        return cells.function(padded).value, *cell_variance(cell_gradient(cells.function, padded), tally, pseudo)


def with_value(low: Floats, high: Floats, value: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Delta bounds widened to hold the value, which the pseudo-rows can move them off; NaN without value or variance.

    With more than 10¹⁵ rows the centre rounds to the edge of the range, where the transform has no bound; the value is
    then the bound to all digits.
    """
    unknown = np.isnan(value) | np.isnan(variance)
    return np.where(unknown, np.nan, np.fmin(low, value)), np.where(unknown, np.nan, np.fmax(high, value))


def _per_class(cells: CellContext, padded: Any, pseudo: Floats) -> tuple[Floats, Floats, Floats | None]:
    """Value, variance and degrees of freedom of a function of one class against the rest, for every class."""
    tally, k = cells.tally, cells.tally.n_classes
    four = FourCells.of(padded)
    centre = cells.function(four).value
    g = {name: np.nan_to_num(v) for name, v in four_gradients(lambda c: cells.function(c).value, four).items()}
    if tally.clusters is not None:
        return centre, *_by_class(g, tally, pseudo)
    square = FourCells.of(tally.squares("classes"))
    of_four = {"tp": 1, "fp": k - 1, "fn": k - 1, "tn": (k - 1) ** 2}  # cells of the table in each
    return centre, np.asarray(sum(g[n] ** 2 * (getattr(square, n) + pseudo * of_four[n]) for n in g)), None


def cell_quantile(level: float, cells: CellContext, df: Floats | None) -> Floats:
    """Normal for two classes, whose pseudo-rows suffice; else Student's t with the degrees of clusters or effective rows."""
    if df is None and cells.tally.n_classes == 2:
        return np.asarray(normal_quantile(level))
    if df is None:
        df = _effective(cells.tally.total, cells.tally.total_square) - 1
    return np.asarray(t_quantile(level, np.maximum(df, 1)))


def _few_of(events: Floats, cells: CellContext) -> npt.NDArray[np.bool_]:
    """Fewer than five (effective) events of the kind that the metric divides."""
    n = cells.tally.total
    scale = np.divide(n, cells.tally.total_square, out=np.zeros_like(n), where=n > 0) * cells.worth
    return (events * scale < FEW) & (n > 0)


def _few_cells(cells: CellContext) -> npt.NDArray[np.bool_]:
    """Fewer than five (effective) rows right or wrong, or in a class that occurs."""
    view = cells.tally.view()
    if cells.plain:
        scale = np.ones(1)
    else:
        scale = np.divide(view.n, cells.tally.total_square, out=np.zeros_like(view.n), where=view.n > 0) * cells.worth
    wrong = view.n - view.correct
    few = np.minimum(view.correct, wrong) * scale < FEW
    totals = view.true_totals * scale
    few |= ((totals > 0) & (totals < FEW)).any(axis=0)
    few &= view.n > 0
    if cells.view.kind != "classes":
        return few
    sides = FourCells.of(cells.view)
    least = np.minimum(sides.tp, sides.fp + sides.fn) * scale
    return (least < FEW) & (view.n > 0)


def hall_statistic(t: Floats, a: Floats) -> Floats:
    """Hall's (1992) transform of a t statistic; `a` is the skewness of the mean. `hall_bounds` inverts it."""
    a = np.nan_to_num(a)
    return t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6


def hall_bounds(mean: Floats, se: Floats, skewness: Floats, n: Floats, q: Floats) -> tuple[Floats, Floats]:
    """Hall's (1992) interval of a mean by the monotone cubic transform that removes its skewness."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a = np.nan_to_num(skewness / np.sqrt(n))
        small = np.abs(a) < 1e-6
        safe = np.where(small, 1, a)

        def inverse(x: Floats) -> Floats:
            return np.where(small, x, 3 / safe * (np.cbrt(1 + safe * (x - safe / 6)) - 1))

        return mean - se * inverse(q), mean - se * inverse(-q)


def _mean(estimand: Mean, level: float, method: str, limits: tuple[float, float] = (-np.inf, np.inf)) -> Bounds:
    tally = estimand.moments.tally
    n, value = tally.n, estimand.value
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        second, third = estimand.moments.central(2), estimand.moments.central(3)
        if tally.clusters is not None:
            same = SmoothMoments(estimand.moments, lambda means, _: means[0])
            variance, df = moment_variance(same)
            if method == "wald":
                variance = plain_variance(tally)
            skewness, n_eff = np.zeros_like(n), df + 1
        else:
            sums = n if tally.square is None else tally.square.n
            n_eff = n**2 / sums
            about = tally.central[0] if tally.square is None else tally.square.about(tally.mean)[0]
            variance = about / n**2 * n_eff / (n_eff - 1)
            skewness, df = third / second**1.5, n_eff - 1
        variance = np.where(df > 0, variance, np.nan)
    clusters = None if tally.clusters is None else df + 1
    constant = (second <= (ROUNDING * value) ** 2) & (n_eff > 1)
    if estimand.proportion and method == "wald":  # with n − 1, as evaluation harnesses print it
        half = normal_quantile(level) * np.sqrt(variance)
        few = _few_events(np.nan_to_num(value * n_eff), n_eff)
        return Bounds(
            value - half, value + half, "wald", few, "events", n_eff=n_eff, variance=variance, clusters=clusters
        )
    if estimand.proportion:
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = (variance > 0) & (value > 0) & (value < 1)
            effective = np.where(inner, value * (1 - value) / variance, n_eff)
            if tally.square is not None and tally.clusters is None:
                effective = np.fmin(effective, n_eff)
            if tally.clusters is not None:
                effective = effective * _as_t(level, np.maximum(df, 1))
            plain = tally.square is None and tally.clusters is None and not estimand.units
            effective = n if plain else effective
            low, high, name = _share(value * effective, effective, level, method)
        return Bounds(
            low,
            high,
            name,
            _few_events(np.nan_to_num(value * effective), effective),
            "events",
            n_eff=effective,
            variance=variance,
            holds=name in SHARES,
            clusters=clusters,
        )
    _refuse(method, ("auto", "hall", "t", "wald"), "a mean")
    q = np.asarray(t_quantile(level, df)) if method != "wald" else np.full_like(n, normal_quantile(level))
    se = np.sqrt(variance)
    if method in ("t", "wald") or tally.clusters is not None:
        name = "t, cluster-robust" if tally.clusters is not None else method
        simple = Bounds(
            value - q * se, value + q * se, name, (n > 0) & (n_eff < 10), "rows", variance=variance, clusters=clusters
        )
        if tally.clusters is not None:  # as many independent rows as would know the mean as well
            with np.errstate(divide="ignore", invalid="ignore"):
                most = n if tally.square is None else n**2 / tally.square.n
                n_eff = np.where((variance > 0) & (second > 0), np.fmin(second / variance, most), n_eff)
        if method == "wald" and np.isfinite(limits).all():  # asked for by name: as it is, also near an end
            return simple
        return _within(simple, value, n_eff, constant, level, limits)
    low, high = hall_bounds(value, se, skewness, n_eff, q)
    # Bounds cannot be honest where a handful of rows makes the whole loss.
    heavy = np.abs(skewness) > HEAVY * np.sqrt(n_eff)
    notes = ("heavy tail: the interval is too narrow",)
    few = (n > 0) & ((n_eff < 10) | (np.nan_to_num(heavy) > 0))
    if level > USUAL:
        few |= (n > 0) & (np.abs(np.nan_to_num(skewness)) > SKEWED) & (n_eff < FAR * q**2)
    name = "hall" if tally.square is None else "hall, weighted"
    found = Bounds(low, high, name, few, "rows beside the tail", notes if heavy.any() else (), n_eff, variance)
    return _within(found, value, n_eff, constant, level, limits)


def _within(
    found: Bounds, value: Floats, n: Floats, constant: Array, level: float, limits: tuple[float, float]
) -> Bounds:
    """The interval of a mean of numbers whose range may be known; none of equal numbers where it is not.

    Near an end of the range a sample may lack the rows that are far from it, so where the mean is worth fewer than five
    of those, or all numbers are equal, the interval is also that of a share (Wilson): of all numbers with a range and a
    mean those at the two ends vary most.
    """
    low, high = limits
    if not np.isfinite(limits).all():
        ends = [np.where(constant, np.nan, end) for end in (found.low, found.high)]
        notes = (*found.notes, CONSTANT) if constant.any() else found.notes
        return replace(found, low=ends[0], high=ends[1], notes=notes)
    with np.errstate(divide="ignore", invalid="ignore"):
        events = np.clip((value - low) / (high - low), 0, 1) * n
        near = constant | (np.fmin(events, n - events) < FEW)
        wide = [low + (high - low) * edge for edge in _share(events, n, level, "wilson")[:2]]
    return replace(
        found,
        low=np.where(near, np.fmin(found.low, wide[0]), found.low),
        high=np.where(near, np.fmax(found.high, wide[1]), found.high),
        few=None if found.few is None else found.few & ~near,
    )


def _smooth_moments(estimand: SmoothMoments, level: float, method: str) -> Bounds:
    _refuse(method, ("auto", "delta"), "a function of moments")
    variance, df = moment_variance(estimand)
    value = estimand.value
    scales: dict[str, tuple[Any, Any, Any]] = {
        "identity": (lambda v: v, np.ones_like, lambda t: t),
        "log": (np.log, lambda v: 1 / v, np.exp),
        "log1m": (lambda v: -np.log(1 - v), lambda v: 1 / (1 - v), lambda t: 1 - np.exp(-t)),
        "fisher": (np.arctanh, lambda v: 1 / (1 - v * v), np.tanh),
    }
    to, slope, back = scales[estimand.scale]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        q = np.asarray(t_quantile(level, df)) * np.maximum((df + 1) / (df + 1 - SPENT), 1)
        half = q * slope(value) * np.sqrt(variance)
        low, high = back(to(value) - half), back(to(value) + half)
    n = estimand.moments.n
    few = df < 19 if estimand.events is None else (df < 19) | (estimand.events < FEW)
    if estimand.kurtosis is not None:
        few = few | (np.nan_to_num(estimand.kurtosis) > np.minimum(5 + (df + 1) / 500, PEAKED))
    clustered = estimand.moments.tally.clusters is not None
    name = f"influence, {estimand.scale}{', cluster-robust' if clustered else ''}"
    size = df + 1 if clustered else None
    return Bounds(low, high, name, (n > 0) & few, "rows", (NO_SPREAD,), variance=variance, clusters=size)


def _logit_bounds(value: Floats, se: Floats, q: Floats | float) -> tuple[Floats, Floats]:
    """Symmetric on the logit."""
    inner = np.clip(value, 1e-12, 1 - 1e-12)
    centre = np.log(inner / (1 - inner))
    half = q * se / (inner * (1 - inner))
    with np.errstate(over="ignore"):  # a bound that far out is 0 or 1
        return 1 / (1 + np.exp(-(centre - half))), 1 / (1 + np.exp(-(centre + half)))


def delong_variance(estimand: Rank) -> tuple[Floats, Floats, Floats]:
    """DeLong's variance of the AUC and the effective numbers of positives and negatives."""
    s = estimand.sums
    auc = np.nan_to_num(np.asarray(Rank("roc_auc", s).value))
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.zeros_like(auc)
        effective = []
        for own, other, squares, place, place_1 in (
            (s.pos, s.neg, s.pos_sq, s.place_pos, s.place_pos_1),
            (s.neg, s.pos, s.neg_sq, s.place_neg, s.place_neg_1),
        ):
            spread_ = place / other**2 - 2 * auc * place_1 / other + auc**2 * squares
            size = own**2 / squares
            effective.append(size)
            several = size > 1 + 1e-9  # one effective row, but for rounding, has no variance
            total = total + np.where(several, spread_ / own**2 * size / np.where(several, size - 1, 1), np.nan)
        variance = np.maximum(total, 0)
    if s.clustered is not None:
        variance = s.clustered
    return variance, effective[0], effective[1]


def rank_worth(sums: Any) -> Any:
    """Independent rows that a row of dependent clusters is worth for the AUC; 1 without clusters."""
    if sums.clustered is None or sums.n_clusters is None:
        return 1.0
    naive, pos, neg = delong_variance(Rank("roc_auc", replace(sums, clustered=None)))
    return rows_worth(naive, sums.clustered, sums.n_clusters, pos + neg)


def _rank(estimand: Rank, level: float, method: str) -> Bounds:
    s, value = estimand.sums, np.asarray(estimand.value)
    z = normal_quantile(level)
    none = np.full_like(value, np.nan)
    if estimand.kind == "average_precision":
        _refuse(method, ("auto", "delta"), "average precision")
        return _average_precision(estimand, level)
    if estimand.kind == "ks":
        return _ks(estimand, level)
    if estimand.kind == "tied":
        return Bounds(none, none, "none", notes=(TIED,))
    _refuse(method, ("auto", "delong", "delong-logit", "newcombe"), "an AUC")
    variance, pos, neg = delong_variance(estimand)
    at_end = (value >= 1 - 1e-12) | (value <= 1e-12)  # perfect order has no variance, whatever rounding leaves
    variance = np.where(at_end, 0.0, variance)
    q: Any = z
    if s.n_clusters is not None:
        q = t_quantile(level, np.maximum(s.n_clusters - 1.0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.sqrt(variance)
        low, high = _logit_bounds(value, se, q)
        name = "DeLong, logit" + (", cluster-robust" if s.clustered is not None else "")
        worth = rank_worth(s)
        pos, neg = pos * worth, neg * worth
        least = np.minimum(pos, neg)
        weak = ~(least * np.minimum(value, 1 - value) >= FEW - 1e-9)
        if method == "delong":
            low, high, name = value - q * se, value + q * se, "DeLong"
        elif method != "delong-logit" and (method == "newcombe" or weak.any()):
            from dfevals.inference.auc import newcombe_auc

            use = weak if method == "auto" else np.ones_like(weak)
            use = use & (pos > 0) & (neg > 0)
            if use.any():
                found = newcombe_auc(value[use], pos[use], neg[use], level)
                keep_low, keep_high = (low[use], high[use]) if method == "auto" else (np.nan, np.nan)
                low[use], high[use] = np.fmin(keep_low, found.ci_low), np.fmax(keep_high, found.ci_high)
            name = "newcombe" if method == "newcombe" else name
    few = (pos > 0) & (neg > 0) & (least < FEW)
    if estimand.kind != "roc_auc":  # without ties the share of concordant pairs is the AUC
        low, high, variance = (np.where(s.tied > 0, np.nan, v) for v in (low, high, variance))
    notes = (TIED,) if estimand.kind != "roc_auc" else ()
    return Bounds(low, high, name, few, "positives or negatives", notes, variance=variance, clusters=s.n_clusters)


def _average_precision(estimand: Rank, level: float) -> Bounds:
    """Logit interval from the sum of squared influences of the rows; t with the effective number of positives.

    In small samples the variance is too small, so it is mixed with Boyd's binomial one, which counts as three
    positives; where nothing is ranked wrong (or everything) the interval is Wilson's.
    """
    s, value = estimand.sums, np.asarray(estimand.value)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = s.pos**2 / s.pos_sq
        size, name = n, "influence, logit"
        own = (s.ap_pos - 2 * value * s.ap_pos_1 + value**2 * s.pos_sq + s.ap_neg) / s.pos**2 * n / (n - 1)
        others = _effective(s.neg, s.neg_sq)
        if s.clustered_ap is not None and s.n_clusters_ap is not None:
            worth = rows_worth(np.where(value < 1, own, 0), s.clustered_ap, s.n_clusters_ap, n + others)
            n, others, own = n * worth, others * worth, s.clustered_ap
            size, name = np.minimum(n, s.n_clusters_ap), "influence, logit, cluster-robust"
        variance = (size * np.maximum(own, 0) + 3 * value * (1 - value) / size) / (size + 3)
        low, high = _logit_bounds(value, np.sqrt(variance), t_quantile(level, size - 1))
        inside = (value > 1e-12) & (value < 1 - 1e-12) & (size > 1 + 1e-9)
        edge_low, edge_high, _ = _share(value * size, size, level, "wilson")
    low, high = np.where(inside, low, edge_low), np.where(inside, high, edge_high)
    few = (n > 0) & (np.minimum(n, others) < FEW)
    return Bounds(low, high, name, few, "positives or negatives", variance=variance, clusters=s.n_clusters_ap)


def _effective(weight: Floats, square: Floats) -> Floats:
    """Kish's effective number of rows, 0 where there are none."""
    return np.divide(weight**2, square, out=np.zeros_like(weight), where=square > 0)


def _ks(estimand: Rank, level: float) -> Bounds:
    """Newcombe's hybrid difference of the two shares at the greatest gap, moved down because it was searched for.

    The greatest gap of two samples exceeds that of the populations. Near its peak the gap is a parabola on which
    the sampling error walks like Brownian motion, so that the excess is 0.78 (2 σ⁴ / κ)^(1/3) (Chernoff 1964), with
    σ² the variance and κ the curvature per unit of score; for two normal populations both follow from the gap. The
    lower bound moves by half of that, the upper bound by a quarter, which simulated coverage asks for.
    """
    from scipy.special import ndtri

    s = estimand.sums
    pos, neg = _effective(s.pos, s.pos_sq), _effective(s.neg, s.neg_sq)
    worth = rank_worth(s)
    pos, neg = pos * worth, neg * worth
    with np.errstate(divide="ignore", invalid="ignore"):
        sides = []
        for share, n in ((s.ks_pos, pos), (s.ks_neg, neg)):
            low, high, _ = _share(share * n, n, level, "wilson")
            sides.append((share, low, high))
        (a, a_low, a_high), (b, b_low, b_high) = sides
        flip = a < b
        a, a_low, a_high, b, b_low, b_high = (
            np.where(flip, y, x)
            for x, y in ((a, b), (a_low, b_low), (a_high, b_high), (b, a), (b_low, a_low), (b_high, a_high))
        )
        gap, size = a - b, pos * neg / (pos + neg)
        apart = 2 * ndtri((1 + np.clip(gap, 1e-9, 1 - 1e-9)) / 2)
        density = np.exp(-(apart**2) / 8) / np.sqrt(2 * np.pi)
        excess = (2 * density / apart / size**2) ** (1 / 3)
        null = 0.87 / np.sqrt(size)  # mean of Kolmogorov's distribution: the excess where nothing differs
        low = gap - np.minimum(0.55 * excess, null) - np.sqrt((a - a_low) ** 2 + (b_high - b) ** 2)
        high = gap - np.minimum(0.25 * excess, null) + np.sqrt((a_high - a) ** 2 + (b - b_low) ** 2)
        high = np.maximum(high, gap)
    few = (pos > 0) & (neg > 0) & (np.minimum(pos, neg) < FEW)
    name = "Newcombe hybrid at the greatest gap, less its excess"
    return Bounds(low, high, name, few, "positives or negatives", (NO_SPREAD,))


def _value(estimand: Value, level: float, method: str) -> Bounds:
    _refuse(method, ("auto", "order"), "this metric")
    if estimand.bounds is None:
        none = np.full(np.shape(estimand.value), np.nan)
        hint = ("no formula for its interval; interval='bootstrap' resamples the rows",) if estimand.resample else ()
        return Bounds(none, none, "none", notes=hint)
    low, high = estimand.bounds(level)
    n = np.asarray(estimand.support)
    few = n < 2 * FEW if estimand.events is None else estimand.events < FEW
    what = "values" + " beyond the quantile" * (estimand.events is not None)
    notes = () if estimand.clusters is None else (ONE_CLUSTER,)
    return Bounds(low, high, estimand.method, (n > 0) & few, what, notes, clusters=estimand.clusters)
