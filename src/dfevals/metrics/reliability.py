"""Estimators of miscalibration from tie tables, vectorised over cohorts: numbers and standard errors, no records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.tally.ties import EPS, BinSums, TieTable, quantile_cuts, uniform_cuts

__all__ = [
    "CUTS",
    "Decomposition",
    "Ece",
    "Line",
    "ScoreSums",
    "decompose",
    "ece_of",
    "logistic_recalibration",
    "smooth_ece_of",
    "spiegelhalter_of",
]

Floats = npt.NDArray[np.float64]
CUTS = {"uniform": uniform_cuts, "quantile": quantile_cuts}
CELLS = 256  # groups of scores on which a logistic fit starts
LONGEST = 8.0  # step of a logistic fit: where scores are 0 and 1 the likelihood is flat far from its top
POLISHES = 20  # Newton steps on all scores, at most
SMALL_STEP = 2e-7  # step after which parameters are known to twice as many digits
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

    size, total = ties.n_cohorts, ScoreSums.of(ties).n
    mass = ties.added(f"residuals {grid}", partial(_on_grid, grid=grid)).T / np.where(total > 0, total, 1)[:, None]
    wave = dct(mass, axis=1, norm="ortho")
    square = (np.pi * np.arange(grid)) ** 2 / 2
    low, high = np.zeros(size), np.ones(size)
    at_low, at_high = np.abs(mass).sum(axis=1), np.full(size, -1.0)
    width, side, settled = low, np.full(size, -1), np.zeros(size, bool)
    for _ in range(60):  # false position (Illinois): a handful of steps, for each cohort as for it alone
        previous = width
        new = low + (high - low) * np.clip(ratio(at_low, at_low - at_high), 0, 1)
        width = np.where(settled | np.isnan(new), width, new)
        with np.errstate(under="ignore"):
            smoothed = idct(wave * np.exp(-(width[:, None] ** 2) * square), axis=1, norm="ortho")
        excess = np.abs(smoothed).sum(axis=1) - width
        above = excess > 0
        at_low = np.where(above, excess, np.where(side == 0, at_low / 2, at_low))
        at_high = np.where(above, np.where(side == 1, at_high / 2, at_high), excess)
        low, high, side = np.where(above, width, low), np.where(above, high, width), above.astype(int)
        settled |= ~(np.abs(width - previous) > 1e-10)
        if settled.all():
            break
    return np.where(total > 0, width, np.nan)


def _on_grid(ties: TieTable, grid: int) -> Floats:
    """Residuals of every cohort shared out to the two nearest points of a grid, (grid, cohorts)."""
    sums = np.zeros((ties.n_cohorts, grid))
    for part, cohorts, starts in ties.pieces():
        at = ties.score[part] * grid - 0.5
        left = np.clip(at.astype(np.int64), 0, grid - 2)
        share = np.clip(at - left, 0, 1)
        residual = ties.pos[part] - ties.n[part] * ties.score[part]
        first, sizes = cohorts[0], np.diff(np.append(starts, len(at)))
        place = np.repeat((cohorts - first) * grid, sizes) + left
        cells = (cohorts[-1] - first + 1) * grid
        for shift, values in ((0, residual * (1 - share)), (1, residual * share)):
            sums[first : cohorts[-1] + 1] += np.bincount(place + shift, values, cells).reshape(-1, grid)
    return sums.T


# Decompositions and tests


@dataclass(frozen=True)
class ScoreSums:
    """Sums over the rows of every cohort, each (cohorts,); w² is w without weights.

    `n` Σw, `pos` Σwy, `score` Σws, `square` Σw²; of residuals s − y `residual` Σw, `raw` Σw²(…)² and `slope` Σw²(…); `null`
    Σw²s(1 − s), `brier` and `log` the losses. With the tilt t = 1 − 2s, `excess` Σwt(y − s), `spread` Σw²t²s(1 − s), and the
    third moments of calibrated outcomes `null_third` Σw³ts(1 − s) and `spread_third` Σw³t⁴s(1 − s).
    """

    n: Floats
    pos: Floats
    score: Floats
    square: Floats
    residual: Floats
    raw: Floats
    slope: Floats
    null: Floats
    brier: Floats
    log: Floats
    excess: Floats
    spread: Floats
    null_third: Floats
    spread_third: Floats

    @classmethod
    def of(cls, ties: TieTable) -> ScoreSums:
        """In one walk over the blocks, or from the sums of the parts of a table."""
        return cls(*ties.added("score sums", _score_sums))


def _score_sums(ties: TieTable) -> Floats:
    log_s, log_rest = ties.logs

    def sums(part: slice) -> tuple[Floats, ...]:
        s, n, pos, neg = ties.score[part], ties.n[part], ties.pos[part], ties.neg[part]
        hit, miss, tilt = ties.pos_sq[part], ties.neg_sq[part], 1 - 2 * s
        square, rest, mass = hit + miss, 1 - s, n * s
        under, over, null = hit * rest, miss * s, square * s * rest
        gap, spread = mass - pos, null * tilt * tilt
        third = null * tilt if square is n or not ties.weighted else null * tilt * ratio(square, n)
        brier = pos * rest * rest + neg * s * s
        log = -pos * log_s[part] - neg * log_rest[part]
        return (
            *(n, pos, mass, square, gap, under * rest + over * s, over - under, null),
            *(brier, log, -tilt * gap, spread, third, third * tilt * tilt * tilt),
        )

    return ties.add_up(sums)


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
    sums = ScoreSums.of(ties)
    total, positives, own = sums.n, sums.pos, (sums.brier, sums.log)
    rate = ratio(positives, total)

    def pooled(values: Floats) -> Floats:
        return ratio(np.asarray(np.bincount(owner, values, ties.n_cohorts), float), total)

    def split(loss: Floats, fitted: Floats, uncertainty: Floats) -> Decomposition:
        score = ratio(loss, total)
        return Decomposition(score, np.maximum(score - fitted, 0), np.maximum(uncertainty - fitted, 0), uncertainty)

    brier = split(own[0], pooled(pos * neg / n), rate * (1 - rate))
    log = split(
        own[1],
        pooled(-xlogy(pos, pos / n) - xlogy(neg, neg / n)),
        -xlogy(rate, rate) - xlogy(1 - rate, 1 - rate),
    )
    return brier, log


def spiegelhalter_of(ties: TieTable) -> Floats:
    """Spiegelhalter's z per cohort: how far the Brier score is from what calibrated scores would have.

    Positive: worse than expected, so the scores are too extreme (overconfident). Standard normal if calibrated.
    """

    sums = ScoreSums.of(ties)
    excess, variance = sums.excess, sums.spread
    if ties.clusters is not None:
        tilt = 1 - 2 * ties.score
        variance = np.nan_to_num(ties.scatter(tilt * (1 - ties.score), -tilt * ties.score)[0])
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
    pos, neg = ScoreSums.of(ties).pos, ties.added("negatives", lambda table: table.total(table.neg))
    one_class = (pos <= 0) | (neg <= 0)
    constant, separated = _degenerate(ties)
    table, one_cohort = ties.parts_alone
    x = table.logit
    small, centre = _coarse(table, x)
    if one_cohort:  # sums need no order: the blocks of the cohorts serve, and their groups of neighbouring scores
        small, ties = small.as_one(), table.as_one()
    usable = ~(one_class | constant | separated)
    one = np.stack([np.zeros(ties.n_cohorts), np.ones(ties.n_cohorts)])
    flat = np.stack([np.log(np.where(one_class, 1, pos)) - np.log(np.where(one_class, 1, neg)), 0 * one[0]])
    start = np.where(_likelihood(small, centre, flat) > _likelihood(small, centre, one), flat, one)
    rough = _newton(small, centre, start, usable, 60, 1e-8)
    fitted, info = _polished(ties, x, rough, usable)
    variance = np.stack(_covariance(info, _meat(ties, x, fitted)))
    df = np.stack([ties.df, ties.df])
    if ties.clusters is not None:
        variance, df = ties.clusters.line(_chances(ties, x, fitted), x, usable)
    flat = np.stack([_newton(small, centre, one, ~one_class, 60, 1e-8, slope=False)[0], one[1]])
    flat, flat_info = _polished(ties, x, flat, ~one_class, slope=False)
    flat_meat = _meat(ties, x, flat)
    with np.errstate(divide="ignore", invalid="ignore"):
        flat_variance = 1 / flat_info[0] if flat_meat is None else flat_meat[0] / flat_info[0] ** 2
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


def _coarse(ties: TieTable, x: Floats) -> tuple[TieTable, Floats]:
    """Groups of as many neighbouring blocks, at most `CELLS` per cohort, and the mean logit of each: a fit starts there."""
    sizes = np.diff(ties.offsets)
    if (sizes <= CELLS).all():
        return ties, x
    count = np.minimum(sizes, CELLS)
    offsets = np.concatenate([[0], np.cumsum(count)])
    owner = np.repeat(np.arange(len(sizes)), count)
    starts = (
        ties.offsets[owner] + (np.arange(offsets[-1]) - offsets[owner]) * sizes[owner] // np.maximum(count, 1)[owner]
    )
    pos, n, sums = (np.add.reduceat(values, starts) for values in (ties.pos, ties.n, ties.n * x))
    centre = np.where(n > 0, sums / np.where(n > 0, n, 1), x[starts])
    return TieTable(offsets, ties.score[starts], pos, n - pos, pos, n - pos, ties.rows), centre


def _degenerate(ties: TieTable) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Cohorts with one distinct score, and cohorts whose scores separate the classes."""
    size = ties.n_cohorts
    constant, separated = np.zeros(size, bool), np.zeros(size, bool)
    low, high = ({True: np.full(size, np.inf), False: np.full(size, np.inf)} for _ in range(2))
    for side, weight in ((True, ties.pos), (False, ties.neg)):
        some = np.flatnonzero(weight > 0)
        high[side] = np.full(size, -np.inf)
        first = np.searchsorted(some, ties.offsets)
        owners = np.flatnonzero(first[1:] > first[:-1])
        low[side][owners], high[side][owners] = ties.score[some[first[owners]]], ties.score[some[first[owners + 1] - 1]]
    least, greatest = np.minimum(low[True], low[False]), np.maximum(high[True], high[False])
    constant = least == greatest
    separated = ~constant & ((high[False] <= low[True]) | (high[True] <= low[False]))
    return constant, separated


def _polished(
    ties: TieTable, x: Floats, beta: Floats, usable: npt.NDArray[np.bool_], slope: bool = True
) -> tuple[Floats, Floats]:
    """Newton steps from a start near the top until they no longer matter; the parameters and the information there.

    The last step is so small that the information at its start is that at its end.
    """
    for _ in range(POLISHES):
        gradient, info = (_slopes if slope else _level_slopes)(ties, x, beta)
        move = np.where(usable, np.nan_to_num(_solve(info, gradient, slope)), 0)
        beta = beta + move
        if float(np.abs(move).max(initial=0)) < SMALL_STEP:
            break
    return beta, info


def _slopes(ties: TieTable, x: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """Gradient (2, cohorts) of the likelihood and the information (3, cohorts), some blocks at a time."""

    def sums(part: slice) -> tuple[Floats, ...]:
        at, n, cohort = x[part], ties.n[part], ties.cohort[part]
        if len(cohort) and cohort[0] == cohort[-1]:
            cohort = cohort[:1]
        with np.errstate(over="ignore"):
            p = 1 / (1 + np.exp(-beta[0][cohort] - beta[1][cohort] * at))
        expected = n * p
        rest, w = ties.pos[part] - expected, expected * (1 - p)
        pull = w * at
        return rest, rest * at, w, pull, pull * at

    out = ties.add_up(sums)
    return out[:2], out[2:]


def _level_slopes(ties: TieTable, x: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """The same for the intercept alone: the odds of a score times a number need no exponentials."""
    del x
    odds = np.exp(np.clip(beta[0], -700, 700))

    def sums(part: slice) -> tuple[Floats, Floats]:
        s, n, cohort = np.clip(ties.score[part], EPS, 1 - EPS), ties.n[part], ties.cohort[part]
        up = s * odds[cohort if len(cohort) and cohort[0] != cohort[-1] else cohort[:1]]
        p = up / (up + (1 - s))
        expected = n * p
        return ties.pos[part] - expected, expected * (1 - p)

    rest, weight = ties.add_up(sums)
    none = np.zeros_like(rest)
    return np.stack([rest, none]), np.stack([weight, none, none])


def _meat(ties: TieTable, x: Floats, beta: Floats) -> Floats | None:
    """Σw²-products of the scores of the rows; None where weights are none."""
    if not ties.weighted:
        return None
    p = _chances(ties, x, beta)
    return np.stack(ties.scatter(1 - p, -p, x))


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
        gradient, info = _slopes(ties, x, beta)
        move = np.where(usable, np.clip(np.nan_to_num(_solve(info, gradient, slope)), -LONGEST, LONGEST), 0)
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
