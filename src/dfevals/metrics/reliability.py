"""Estimators of miscalibration from tie tables, vectorised over cohorts: numbers and standard errors, no records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.tally.ties import BinSums, TieTable, quantile_cuts, uniform_cuts

__all__ = [
    "CUTS",
    "Decomposition",
    "Ece",
    "Line",
    "decompose",
    "ece_of",
    "logistic_recalibration",
    "smooth_ece_of",
    "spiegelhalter_of",
]

Floats = npt.NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)
CUTS = {"uniform": uniform_cuts, "quantile": quantile_cuts}
CELLS = 256  # groups of scores on which a logistic fit starts
LONGEST = 8.0  # step of a logistic fit: where scores are 0 and 1 the likelihood is flat far from its top
GRID = 1024  # cells of [0, 1] on which residuals are smoothed


def ratio(a: Floats, b: Floats) -> Floats:
    """a / b, NaN where b is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(b == 0, np.nan, a / np.where(b == 0, 1, b)))


# Binned errors


@dataclass(frozen=True)
class Ece:
    """Binned calibration errors of every cohort, (cohorts,): plug-in, debiased with `bounds`, and the greatest."""

    plugin: Floats
    debiased: Floats
    greatest: Floats
    noise: Floats
    se: Floats

    def bounds(self, level: float) -> tuple[Floats, Floats]:
        """Interval of the binned error.

        Below: the debiased estimate less z standard errors, never under 0; its bias is never upward. Above: a given error
        is least visible when it is spread so that all bins are off by equally many standard errors, because the mean of a
        folded normal variable is convex; the bound is the largest spread error under which a plug-in value this small
        still has the chance (1 − level) / 2.
        """
        from scipy.special import ndtri

        z = float(ndtri((1 + level) / 2))
        low = np.maximum(self.debiased - z * self.se, 0)
        high = self.noise * _unfolded(ratio(self.plugin + z * self.se, self.noise))
        high = np.where(self.noise > 0, high, self.plugin)
        return low, np.minimum(np.maximum(high, self.debiased), 1)


def _unfolded(mean: Floats) -> Floats:
    """t for which a folded normal variable |N(t, 1)| has this mean; 0 where no t has one so small."""
    from scipy.special import erf

    low, high = np.zeros_like(mean), np.nan_to_num(mean)
    for _ in range(40):
        t = (low + high) / 2
        above = np.sqrt(2 / np.pi) * np.exp(-t * t / 2) + t * erf(t / np.sqrt(2)) > mean
        low, high = np.where(above, low, t), np.where(above, t, high)
    return (low + high) / 2


def ece_of(sums: BinSums, n_cohorts: int) -> Ece:
    """Binned errors from the sums over bins.

    The plug-in value Σ w |d| (w: share of the rows in a bin, d: observed rate less mean score) is biased upward, because
    noise never cancels in |d|. As in Kumar et al. (2019) the bias is estimated bin by bin and subtracted; here as
    (2 / √π) σ exp(−d² / 2σ²), whose expectation is the bias σ √(2 / π) where the bin is calibrated, and which
    vanishes where the bin is plainly off.
    """

    def add(values: Floats) -> Floats:
        return np.asarray(np.bincount(sums.cohort, values, n_cohorts), float)

    total = add(sums.n)
    share = sums.n / np.where(total > 0, total, 1)[sums.cohort]
    gap = sums.observed - sums.score_mean
    size = sums.n_eff
    spread = np.maximum(sums.residual / sums.square - gap * gap, 0)
    variance = (
        spread * size + sums.null / sums.square
    ) / size**2  # one pseudo-row keeps lone outcomes from having none
    sd = np.sqrt(variance)
    with np.errstate(all="ignore"):  # without variance nothing is expected; −gap²/0 is −∞, and so is its overflow
        expected = 2 / np.sqrt(np.pi) * sd * np.exp(np.where(sd > 0, -gap * gap / (2 * variance), -np.inf))
    plugin = add(share * np.abs(gap))
    rows = ratio(total**2, add(sums.square))
    between = np.maximum(add(share * gap * gap) - plugin**2, 0) / np.where(rows > 0, rows, 1)
    greatest = np.full(n_cohorts, np.nan)
    np.fmax.at(greatest, sums.cohort, np.abs(gap))
    empty = total == 0
    return Ece(
        np.where(empty, np.nan, plugin),
        np.where(empty, np.nan, np.clip(plugin - add(share * expected), 0, 1)),
        greatest,
        np.where(empty, np.nan, add(share * sd)),
        np.sqrt(add(share**2 * variance) + between),
    )


# Smooth error


def smooth_ece_of(ties: TieTable, grid: int = GRID) -> Floats:
    """Smooth calibration error of every cohort (Błasiok and Nakkiran 2023).

    Residuals are smoothed with a Gaussian kernel reflected at 0 and 1; the value is the width σ at which the mean
    absolute smoothed residual equals σ. On a grid of [0, 1] the reflected kernel is a product in the cosine transform.
    """
    from scipy.fft import dct, idct

    size = ties.n_cohorts
    at = ties.score * grid - 0.5
    left = np.clip(np.floor(at), 0, grid - 2).astype(np.int64)
    share = np.clip(at - left, 0, 1)
    residual = ties.pos - ties.n * ties.score
    place = ties.cohort * grid + left
    parts = [np.bincount(place + k, residual * w, size * grid) for k, w in ((0, 1 - share), (1, share))]
    total = ties.total(ties.n)
    mass = (parts[0] + parts[1]).reshape(size, grid) / np.where(total > 0, total, 1)[:, None]
    wave = dct(mass, axis=1, norm="ortho")
    square = (np.pi * np.arange(grid)) ** 2 / 2
    low, high = np.zeros(size), np.ones(size)
    for _ in range(24):
        width = (low + high) / 2
        with np.errstate(under="ignore"):
            smoothed = idct(wave * np.exp(-(width[:, None] ** 2) * square), axis=1, norm="ortho")
        above = np.abs(smoothed).sum(axis=1) > width
        low, high = np.where(above, width, low), np.where(above, high, width)
    return np.where(total > 0, (low + high) / 2, np.nan)


# Decompositions and tests


@dataclass(frozen=True)
class Decomposition:
    """Mean score = miscalibration − discrimination + uncertainty, per cohort (Dimitriadis, Gneiting and Jordan 2021)."""

    score: Floats
    miscalibration: Floats
    discrimination: Floats
    uncertainty: Floats


def decompose(ties: TieTable, starts: npt.NDArray[np.int64] | None = None) -> tuple[Decomposition, Decomposition]:
    """CORP decompositions of the Brier score and of the log loss; recalibrated by isotonic regression.

    `starts` are the pools, if they are known. Scores are kept ε away from 0 and 1 in the log loss.
    """
    from scipy.special import xlogy

    starts = ties.pools() if starts is None else starts
    owner = np.searchsorted(ties.offsets, starts, "right") - 1
    pos = np.add.reduceat(ties.pos, starts) if len(starts) else np.zeros(0)
    neg = np.add.reduceat(ties.neg, starts) if len(starts) else np.zeros(0)
    n = np.where(pos + neg > 0, pos + neg, 1)
    total, positives = ties.total(ties.n), ties.total(ties.pos)
    rate = ratio(positives, total)
    s, inner = ties.score, np.clip(ties.score, EPS, 1 - EPS)

    def pooled(values: Floats) -> Floats:
        return ratio(np.asarray(np.bincount(owner, values, ties.n_cohorts), float), total)

    def split(own: Floats, fitted: Floats, uncertainty: Floats) -> Decomposition:
        score = ratio(ties.total(own), total)
        return Decomposition(score, np.maximum(score - fitted, 0), np.maximum(uncertainty - fitted, 0), uncertainty)

    brier = split(ties.pos * (1 - s) ** 2 + ties.neg * s * s, pooled(pos * neg / n), rate * (1 - rate))
    log = split(
        -ties.pos * np.log(inner) - ties.neg * np.log1p(-inner),
        pooled(-xlogy(pos, pos / n) - xlogy(neg, neg / n)),
        -xlogy(rate, rate) - xlogy(1 - rate, 1 - rate),
    )
    return brier, log


def spiegelhalter_of(ties: TieTable) -> Floats:
    """Spiegelhalter's z per cohort: how far the Brier score is from what calibrated scores would have.

    Positive: worse than expected, so the scores are too extreme (overconfident). Standard normal if calibrated.
    """
    s = ties.score
    tilt = 1 - 2 * s
    excess = ties.total(tilt * (ties.pos * (1 - s) - ties.neg * s))
    if ties.clusters is None:
        variance = ties.total((ties.pos_sq + ties.neg_sq) * tilt * tilt * s * (1 - s))
    else:
        variance = np.nan_to_num(ties.scatter(tilt * (1 - s), -tilt * s)[0])
    return ratio(excess, np.sqrt(np.where(variance > 1e-300, variance, 0)))


# Logistic recalibration


@dataclass(frozen=True)
class Line:
    """Logistic recalibration of every cohort: logit P(y = 1) = intercept + slope · logit(score).

    `large` is the intercept when the slope is held at 1 (calibration in the large). There is no fit where the scores
    are `constant` or `separated` by class. Without clusters the degrees of freedom are infinite.
    """

    intercept: Floats
    slope: Floats
    intercept_se: Floats
    slope_se: Floats
    large: Floats
    large_se: Floats
    intercept_df: Floats
    slope_df: Floats
    large_df: Floats
    separated: npt.NDArray[np.bool_]
    constant: npt.NDArray[np.bool_]


def logistic_recalibration(ties: TieTable) -> Line:
    """Fit by Newton steps for all cohorts at once: to convergence on groups of scores, then exactly on all of them.

    Standard errors come from the information matrix, with weights from the sandwich, with clusters from the bias-reduced
    one with its own degrees of freedom. There is no fit where a cohort has one class, one distinct score, or scores that separate the classes.
    """
    x = _logit(ties.score)
    small = ties.grouped(CELLS)
    centre = _logit(small.score) if small is ties else _group_means(ties, small, x)
    pos, neg = ties.total(ties.pos), ties.total(ties.neg)
    one_class = (pos <= 0) | (neg <= 0)
    constant, separated = _degenerate(ties)
    usable = ~(one_class | constant | separated)
    one = np.stack([np.zeros(ties.n_cohorts), np.ones(ties.n_cohorts)])
    flat = np.stack([np.log(np.where(one_class, 1, pos)) - np.log(np.where(one_class, 1, neg)), 0 * one[0]])
    start = np.where(_likelihood(small, centre, flat) > _likelihood(small, centre, one), flat, one)
    rough = _newton(small, centre, start, usable, 60, 1e-8)
    fitted, _, _ = _steps(ties, x, rough, 3 if small is not ties else 1, usable)
    _, info, meat = _steps(ties, x, fitted, 0, usable)
    variance = np.stack(_covariance(info, meat if ties.weighted else None))
    df = np.stack([ties.df, ties.df])
    if ties.clusters is not None:
        variance, df = ties.clusters.line(_chances(ties, x, fitted), x, usable)
    flat = np.stack([_newton(small, centre, one, ~one_class, 60, 1e-8, slope=False)[0], one[1]])
    flat, _, _ = _steps(ties, x, flat, 2, ~one_class, slope=False)
    _, flat_info, flat_meat = _steps(ties, x, flat, 0, ~one_class)
    with np.errstate(divide="ignore", invalid="ignore"):
        flat_variance = 1 / flat_info[0] if not ties.weighted else flat_meat[0] / flat_info[0] ** 2
        ses = [np.sqrt(np.where(usable, v, np.nan)) for v in variance]
    fitted = np.where(usable, fitted, np.nan)
    large = np.where(one_class, np.nan, flat[0])
    return Line(
        intercept=fitted[0],
        slope=fitted[1],
        intercept_se=ses[0],
        slope_se=ses[1],
        large=large,
        large_se=np.where(one_class, np.nan, np.sqrt(flat_variance)),
        intercept_df=df[0],
        slope_df=df[1],
        large_df=ties.df,
        separated=separated,
        constant=constant,
    )


def _logit(score: Floats) -> Floats:
    inner = np.clip(score, EPS, 1 - EPS)
    return np.log(inner) - np.log1p(-inner)


def _group_means(ties: TieTable, groups: TieTable, x: Floats) -> Floats:
    """Weighted mean logit of every group of blocks."""
    n = ties.n
    ends = np.cumsum(groups.n)
    place = np.minimum(np.searchsorted(ends, np.cumsum(n) - 0.5 * n), len(ends) - 1)
    return np.bincount(place, n * x, len(ends)) / np.bincount(place, n, len(ends))


def _degenerate(ties: TieTable) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Cohorts with one distinct score, and cohorts whose scores separate the classes."""
    size = ties.n_cohorts
    constant, separated = np.zeros(size, bool), np.zeros(size, bool)
    low, high = ({True: np.full(size, np.inf), False: np.full(size, np.inf)} for _ in range(2))
    cohort = ties.cohort
    for side, weight in ((True, ties.pos), (False, ties.neg)):
        some = np.flatnonzero(weight > 0)
        high[side] = np.full(size, -np.inf)
        owners, first = np.unique(cohort[some], return_index=True)
        last = np.append(first[1:], len(some))[: len(first)] - 1
        low[side][owners], high[side][owners] = ties.score[some[first]], ties.score[some[last]]
    least, greatest = np.minimum(low[True], low[False]), np.maximum(high[True], high[False])
    constant = least == greatest
    separated = ~constant & ((high[False] <= low[True]) | (high[True] <= low[False]))
    return constant, separated


def _steps(
    ties: TieTable, x: Floats, beta: Floats, count: int, usable: npt.NDArray[np.bool_], slope: bool = True
) -> tuple[Floats, Floats, Floats]:
    """Newton steps from `beta` (2, cohorts); the parameters, and the information and Σw²-score products at the last."""
    n = ties.n
    for left in range(count, -1, -1):
        p = _chances(ties, x, beta)
        w, r = n * p * (1 - p), ties.pos - n * p
        info = np.stack([ties.total(w), ties.total(w * x), ties.total(w * x * x)])
        if left == 0:
            return beta, info, np.stack(ties.scatter(1 - p, -p, x))
        move = _solve(info, np.stack([ties.total(r), ties.total(r * x)]), slope)
        beta = beta + np.where(usable, np.nan_to_num(move), 0)
    raise AssertionError


def _chances(ties: TieTable, x: Floats, beta: Floats) -> Floats:
    """Probability of every block by the line of its cohort."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-beta[0][ties.cohort] - beta[1][ties.cohort] * x)))


def _solve(info: Floats, gradient: Floats, slope: bool) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        if not slope:
            return np.stack([gradient[0] / info[0], np.zeros_like(gradient[0])])
        det = info[0] * info[2] - info[1] ** 2
        return (
            np.stack([info[2] * gradient[0] - info[1] * gradient[1], info[0] * gradient[1] - info[1] * gradient[0]])
            / det
        )


def _newton(
    ties: TieTable,
    x: Floats,
    beta: Floats,
    usable: npt.NDArray[np.bool_],
    most: int,
    tolerance: float,
    slope: bool = True,
) -> Floats:
    """Newton to convergence; a step that lowers the likelihood of a cohort is halved."""
    value = _likelihood(ties, x, beta)
    for _ in range(most):
        moved, _, _ = _steps(ties, x, beta, 1, usable, slope)
        move = np.clip(moved - beta, -LONGEST, LONGEST)
        for _ in range(12):
            after = _likelihood(ties, x, beta + move)
            worse = ~(after >= value - 1e-9 * np.abs(value))
            if not worse.any():
                break
            move = np.where(worse, move / 2, move)
        beta, value = beta + move, after
        if float(np.abs(move).max(initial=0)) < tolerance:
            break
    return beta


def _likelihood(ties: TieTable, x: Floats, beta: Floats) -> Floats:
    """Log likelihood of every cohort."""
    sizes = np.diff(ties.offsets)
    eta = np.repeat(beta[0], sizes) + np.repeat(beta[1], sizes) * x
    return ties.total(ties.pos * eta - ties.n * np.logaddexp(0, eta))


def _covariance(info: Floats, meat: Floats | None) -> tuple[Any, Any]:
    """Variances of intercept and slope."""
    with np.errstate(divide="ignore", invalid="ignore"):
        det = info[0] * info[2] - info[1] ** 2
        a, b, c = info[2] / det, -info[1] / det, info[0] / det
        if meat is None:
            return a, c
        return (
            a * a * meat[0] + 2 * a * b * meat[1] + b * b * meat[2],
            b * b * meat[0] + 2 * b * c * meat[1] + c * c * meat[2],
        )
