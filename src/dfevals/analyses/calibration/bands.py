"""Bands of reliability curves and tests of calibration; tie tables and sums in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dfevals.inference.isotonic import isotonic
from dfevals.inference.levels import t_quantile
from dfevals.metrics.reliability import ScoreSums
from dfevals.tally.ties import BinSums, TieTable

__all__ = [
    "SmoothCurve",
    "binned_consistency",
    "consistency_band",
    "hosmer_lemeshow",
    "isotonic_confidence",
    "mean_bias",
    "smooth_curve",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DRAWS = 3_000_000  # of a band, about
PIECE = 100_000  # of them at a time, so that they stay in the cache
FEWEST, MOST = 44, 800  # groups of scores per cohort
NORMAL = 6  # variance of a count from which its draws come from a normal one


def consistency_band(
    ties: TieTable, n_resamples: int, level: float, rng: np.random.Generator
) -> tuple[TieTable, Floats, Floats]:
    """Where isotonic curves of calibrated scores lie: outcomes drawn from the scores, regressed, quantiles taken.

    Parameters
    ----------
    ties : TieTable
    n_resamples : int
    level : float
        Pointwise.
    rng : Generator

    Returns
    -------
    groups : TieTable
        Neighbouring scores in groups, so that the number of draws stays bounded; few scores stand alone.
    low, high : array, one per group

    References
    ----------
    Dimitriadis, Gneiting and Jordan 2021, section 3.
    """
    sizes = np.diff(ties.offsets)
    budget = DRAWS / max(n_resamples, 1)
    most = int(np.clip(budget / max(int((sizes > 0).sum()), 1), FEWEST, MOST))
    groups = ties.grouped(most)
    n, score = groups.n, np.clip(groups.score, 0, 1)
    square = n if not groups.weighted else groups.pos_sq + groups.neg_sq
    count = np.maximum(np.rint(np.divide(n**2, square, out=np.ones_like(n), where=square > 0)), 1).astype(np.int64)
    low, high = np.empty_like(score), np.empty_like(score)
    ranks = _ranks(n_resamples, level)
    step = max(1, PIECE // max(n_resamples, 1))
    for first, last in _runs(groups.offsets, step):
        part = slice(first, last)
        drawn = _drawn(count[part], score[part], n_resamples, rng)
        series = groups.cohort[part] - groups.cohort[first]
        every = (np.arange(n_resamples)[:, None] * (series[-1] + 1) + series).ravel()
        fitted, _ = isotonic(drawn.T.ravel(), np.tile(n[part], n_resamples), every)
        ordered = np.partition(fitted.astype(np.float32).reshape(n_resamples, -1).T, ranks, axis=1)
        low[part], high[part] = np.clip(ordered[:, ranks[0]], 0, 1), np.clip(ordered[:, ranks[1]], 0, 1)
    return groups, low, high


def _drawn(count: Ints, p: Floats, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Observed rates of calibrated groups, (groups, replicates): binomial; by Cornish and Fisher's expansion where wide."""
    out = np.empty((len(count), n_resamples))
    variance = count * p * (1 - p)
    many = variance >= NORMAL
    z = rng.standard_normal((int(many.sum()), n_resamples), dtype=np.float32)
    sd = np.sqrt(variance[many])[:, None]
    k = sd * z + ((1 - 2 * p[many, None]) / 6) * (z * z - 1)
    k += (count * p)[many, None]
    out[many] = np.rint(k, out=k) / count[many, None]
    few = ~many
    out[few] = rng.binomial(count[few, None], p[few, None], (int(few.sum()), n_resamples)) / count[few, None]
    return np.clip(out, 0, 1, out=out)


def _ranks(n: int, level: float) -> tuple[int, int]:
    """Places of the order statistics with (1 − level) / 2 of the replicates beyond them."""
    beyond = int(np.floor((n + 1) * (1 - level) / 2 + 1e-9))
    low = max(beyond - 1, 0)
    return low, n - 1 - low


def _runs(offsets: Ints, step: int) -> list[tuple[int, int]]:
    """Runs of whole cohorts with about `step` blocks each."""
    runs, first = [], 0
    for end in offsets[1:].tolist():
        if end - first >= step or (end == offsets[-1] and end > first):
            runs.append((first, end))
            first = end
    return runs


def binned_consistency(
    sums: BinSums, n_resamples: int, level: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Where the observed rate of a bin lies if its scores are calibrated."""
    count = np.maximum(np.rint(sums.n_eff), 1).astype(np.int64)
    # unequal scores in a bin give a smaller variance than equal ones
    mean = np.clip(sums.score_mean, 0, 1)
    drawn = rng.binomial(count[:, None], mean[:, None], (len(count), n_resamples)) / count[:, None]
    shrink = np.sqrt(
        np.divide(sums.null, sums.square * mean * (1 - mean), out=np.ones_like(mean), where=mean * (1 - mean) > 1e-12)
    )
    ranks = _ranks(n_resamples, level)
    ordered = np.partition(drawn, ranks, axis=1)
    low, high = (mean + (ordered[:, k] - mean) * shrink for k in ranks)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


# Confidence band of the isotonic curve

#: Quantiles of the likelihood ratio of a monotone function at a point (Banerjee and Wellner 2001, their D), and of χ²₁.
D_LEVELS = (0.5, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999)
D_QUANTILES = (0.28506, 1.00, 1.61, 2.286, 2.997, 3.94, 4.66, 6.35)


def isotonic_confidence(ties: TieTable, starts: Ints, level: float, most: int = 400) -> tuple[Floats, Floats]:
    """Pointwise interval of the calibration curve at the middle of every isotonic pool, by likelihood ratio.

    The interval holds the rates θ that a monotone curve may have at this score without losing much likelihood
    (Banerjee 2007). The ratio's distribution does not depend on the curve where scores are continuous; where the pool is
    one large tie it is χ² with one degree, and in between the two are mixed by the share of the tie.

    Parameters
    ----------
    ties : TieTable
    starts : array of int
        First block of every pool.
    level : float
    most : int
        Groups of scores per cohort on which the curves are fitted.

    Returns
    -------
    low, high : array, one per pool
    """
    from scipy.special import ndtri

    n = ties.n
    owner = np.searchsorted(ties.offsets, starts, "right") - 1
    ends = np.append(starts[1:], len(n))[: len(starts)]
    pool_n = np.add.reduceat(n, starts) if len(starts) else np.zeros(0)
    greatest = np.maximum.reduceat(n, starts) if len(starts) else np.zeros(0)
    smooth = float(np.interp(level, D_LEVELS, D_QUANTILES))
    lumpy = float(ndtri((1 + level) / 2)) ** 2
    share = np.divide(greatest, pool_n, out=np.ones_like(pool_n), where=pool_n > 0)
    limit = smooth + (max(lumpy, smooth) - smooth) * share
    groups = ties.grouped(most)
    middle = _middles(n, starts, ends)
    low, high = np.full(len(starts), np.nan), np.full(len(starts), np.nan)
    for cohort in np.unique(owner):
        mine = np.flatnonzero(owner == cohort)
        part = slice(groups.offsets[cohort], groups.offsets[cohort + 1])
        square = groups.pos_sq[part] + groups.neg_sq[part]
        unit = np.divide(square, groups.n[part], out=np.ones_like(square), where=groups.n[part] > 0)
        pos, neg = groups.pos[part] / unit, groups.neg[part] / unit
        at = np.clip(np.searchsorted(groups.score[part], ties.score[middle[mine]]), 0, len(pos) - 1)
        low[mine], high[mine] = _ratio_bounds(pos, neg, at, limit[mine])
    return low, high


def _middles(n: Floats, starts: Ints, ends: Ints) -> Ints:
    """The block in which the middle row of every pool lies."""
    total = np.concatenate([[0.0], np.cumsum(n)])
    half = (total[starts] + total[ends]) / 2
    return np.clip(np.searchsorted(total, half, "right") - 1, starts, ends - 1)


def _ratio_bounds(pos: Floats, neg: Floats, at: Ints, limit: Floats) -> tuple[Floats, Floats]:
    """Bounds at the groups `at` of one cohort: twice the loss of log likelihood stays within `limit`."""
    k, weight = len(pos), pos + neg
    value = pos / np.where(weight > 0, weight, 1)
    weight = np.where(weight > 0, weight, 1e-300)
    place = np.arange(k)
    side = np.where(place < at[:, None], 0, np.where(place == at[:, None], 1, 2))
    series = (np.arange(len(at))[:, None] * 3 + side).ravel()
    free, _ = isotonic(np.tile(value, len(at)), np.tile(weight, len(at)), series)
    free = np.clip(free.reshape(len(at), k), 0, 1)
    whole, _ = isotonic(value, weight, np.zeros(k, np.int64))
    best = _log_likelihood(np.clip(whole, 0, 1)[None], pos, neg)

    def loss(theta: Floats) -> Floats:
        t = theta[:, None]
        held = np.where(side == 0, np.minimum(free, t), np.where(side == 1, t, np.maximum(free, t)))
        return 2 * (best - _log_likelihood(held, pos, neg))

    centre = np.clip(whole, 0, 1)[at]
    bounds = []
    for end in (0.0, 1.0):
        inside, outside = centre.copy(), np.full(len(at), end)
        for _ in range(26):
            theta = (inside + outside) / 2
            within = loss(theta) <= limit
            inside, outside = np.where(within, theta, inside), np.where(within, outside, theta)
        bounds.append(np.where(loss(np.full(len(at), end)) <= limit, end, outside))
    return bounds[0], bounds[1]


def _log_likelihood(p: Floats, pos: Floats, neg: Floats) -> Floats:
    from scipy.special import xlog1py, xlogy

    with np.errstate(divide="ignore"):
        return np.asarray((xlogy(pos, p) + xlog1py(neg, -p)).sum(axis=1))


# Kernel curve


@dataclass(frozen=True)
class SmoothCurve:
    """Kernel-smoothed curve of every cohort on a grid of scores; arrays are (cohorts, points), NaN outside the scores.

    Calibrated scores would give the score itself, with the standard error `null_se`; `n` is the number of rows of equal
    weight whose mean would vary as much as `observed`.
    """

    score: Floats
    observed: Floats
    null_se: Floats
    n: Floats
    width: Floats


def smooth_curve(ties: TieTable, width: Floats, points: int = 100, grid: int = 1000) -> SmoothCurve:
    """Observed rate by score: the score and a local line through what the outcomes are above it, weighted by a Gaussian.

    The outcome less its score is smoothed, so that calibrated scores give the diagonal without bias; the line has no bias at
    the ends of the scores either. `width` is the kernel's standard deviation per cohort. Where the kernel reaches fewer than
    five effective rows, or only rows to one side and two widths away, there is no value.

    References
    ----------
    Fan (1993), "Local linear regression smoothers and their minimax efficiencies", Annals of Statistics 21.
    """
    from scipy.fft import irfft, rfft, rfftfreq

    size, padded = ties.n_cohorts, 3 * grid  # room for the kernel beyond 0 and 1
    place = ties.cohort * padded + np.clip((ties.score * grid).astype(np.int64), 0, grid - 1)
    square = ties.pos_sq + ties.neg_sq
    score = ((np.arange(grid) + 0.5) / grid)[:: max(grid // points, 1)]
    turn = 2 * np.pi * grid * rfftfreq(padded)

    def sums(mass: Floats, most: int, *, squared: bool = False) -> list[Floats]:
        """Sums of kernel · mass · distance^k around the scores, k = 0 … most; distances in widths."""
        wave = rfft(np.bincount(place, mass, size * padded).reshape(size, padded), axis=1)
        w = width[:, None] / (np.sqrt(2) if squared else 1)
        with np.errstate(under="ignore"):
            base = wave * np.exp(-((w * turn) ** 2) / 2)
        parts = (base, 1j * w**2 * turn * base, (w**2 - w**4 * turn**2) * base)[: most + 1]
        scale = 1 / (2 * np.sqrt(np.pi) * width[:, None]) if squared else 1.0
        cells = [irfft(part, padded, axis=1)[:, :grid][:, :: max(grid // points, 1)] * grid * scale for part in parts]
        return [cell / width[:, None] ** k for k, cell in enumerate(cells)]

    def of_squares(mass: Floats, there: npt.NDArray[np.bool_]) -> Floats:
        """Sum of mass times the squared weight of its row in the local line."""
        q0, q1, q2 = sums(mass, 2, squared=True)
        total = (s2**2 * q0 - 2 * s1 * s2 * q1 + s1**2 * q2) / det**2
        return np.where(there, np.maximum(total, 0), np.nan)

    s0, s1, s2 = sums(ties.n, 2)
    s2 = s2 + 0.02 * s0  # a slope that few distinct scores do not give is level
    r0, r1 = sums(ties.pos - ties.n * ties.score, 1)
    det = s0 * s2 - s1**2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        there = (s0 > 1e-6 * s0.max(axis=1, keepdims=True, initial=0)) & (np.abs(s1) < 2 * s0)
        observed = np.clip(score + (s2 * r0 - s1 * r1) / det, 0, 1)
        n = np.where(there, 1 / of_squares(square, there), 0)
        null_se = np.sqrt(of_squares(square * ties.score * (1 - ties.score), there))
    seen = n >= 5
    observed, null_se = (np.where(seen, values, np.nan) for values in (observed, null_se))
    return SmoothCurve(np.broadcast_to(score, observed.shape), observed, null_se, np.where(seen, n, 0), width)


# Tests


def hosmer_lemeshow(sums: BinSums, n_cohorts: int) -> tuple[Floats, Floats, Floats]:
    """Hosmer–Lemeshow statistic, degrees of freedom and p-value per cohort, from the sums over groups of the score.

    The scores were not fitted to these rows, so the degrees are the number of groups (Hosmer, Lemeshow and Sturdivant
    2013, section 5.2.2). The variance of a group is Σ s(1 − s); groups without variance are left out.
    """
    from scipy.special import chdtrc

    usable = sums.null > 1e-12 * sums.square
    part = np.divide((sums.pos - sums.score) ** 2, sums.null, out=np.zeros_like(sums.null), where=usable)
    statistic = np.asarray(np.bincount(sums.cohort, part, n_cohorts), float)
    degrees = np.asarray(np.bincount(sums.cohort, usable.astype(float), n_cohorts), float)
    some = degrees > 0
    p = np.where(some, chdtrc(np.maximum(degrees, 1), statistic), np.nan)
    return np.where(some, statistic, np.nan), degrees, p


def mean_bias(ties: TieTable, level: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean score less observed rate per cohort, its interval, and the z of the test that it is 0.

    The interval uses the variance of the residuals, the test their variance if the scores are calibrated.
    """
    s, sums = ties.score, ScoreSums.of(ties)
    total, residual, null = sums.n, sums.residual, sums.null
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = residual / total
        actual = sums.raw - 2 * bias * sums.slope + bias**2 * sums.square  # about the bias
        if ties.clusters is not None:
            tilt = bias[ties.cohort]
            actual = null = ties.scatter(s - 1 - tilt, s - tilt)[0]
        half = t_quantile(level, ties.df) * np.sqrt(np.maximum(actual, 0)) / total
        z = np.where(null > 0, residual / np.sqrt(np.where(null > 0, null, 1)), np.nan)
    return bias, bias - half, bias + half, z
