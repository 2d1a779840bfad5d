"""Tests of pairs that assume no distribution: Wilcoxon's signed ranks and sign flips."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError
from dfevals.inference.levels import check_level, normal_quantile
from dfevals.inference.paired import differences_of, rounding_of
from dfevals.inference.records import HypothesisTest, agreeing, saying_left_out
from dfevals.inference.seeds import generator

__all__ = ["sign_flip_permutation", "wilcoxon"]

Floats = NDArray[np.float64]
EXACT_PAIRS = 16
"""All 2¹⁶ sign patterns are enumerated up to this many pairs."""
EXACT_RANKS = 50
"""The signed-rank distribution is enumerated up to this many differences."""
NAN = float("nan")


def wilcoxon(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> HypothesisTest:
    """Wilcoxon's signed-rank test of pairs.

    Parameters
    ----------
    a, b : array, shape (..., n)
        Values of the two models on the same rows; leading axes are cohorts. Incomplete pairs are left out, and
        differences of 0 do not rank. Differences that differ by rounding alone are ties.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        `estimate` is the Hodges–Lehmann pseudo-median of a − b with its signed-rank interval, which holds 0 exactly where
        p > 1 − level; `statistic` the smaller rank sum, `n` the complete pairs. Exact up to 50 differences, ties included
        (the distribution over all signs of the mid-ranks), else normal with tie correction. p is 1 where all differences
        are 0; there is no interval where they are all alike.

    Examples
    --------
    >>> wilcoxon([125, 115, 130, 140, 140, 115, 140, 125], [110, 122, 125, 120, 140, 124, 123, 137])
    HypothesisTest(estimate=4, ci_low=-9, ci_high=17, level=0.95, method='Wilcoxon signed rank, exact', n=8, statistic=9, p_value=0.4688)
    >>> wilcoxon([0.82, 0.52, 0.72, 0.62, 0.92], [0.80, 0.50, 0.70, 0.60, 0.90]).p_value
    0.0625

    References
    ----------
    Wilcoxon (1945), "Individual comparisons by ranking methods", Biometrics Bulletin 1; Hollander, Wolfe & Chicken
    (2014), "Nonparametric statistical methods", 3rd ed., section 3; Streitberg & Röhmel (1986), "Exact distributions for
    permutation and rank tests", Statistical Software Newsletter 12 (ties).
    """
    check_level(level)
    return _by_cohort(a, b, lambda gaps, rounding: _signed_rank(gaps, rounding, level))


def _by_cohort(a: ArrayLike, b: ArrayLike, test: Callable[[Floats, Floats], HypothesisTest]) -> HypothesisTest:
    """One test of the complete pairs of every cohort, in one record."""
    gaps, complete = differences_of(a, b)
    rounding, shape = rounding_of(a, b), gaps.shape[:-1]
    found = [test(gaps[at][complete[at]], rounding[at][complete[at]]) for at in np.ndindex(shape)]
    left_out = (~complete).sum(axis=-1)
    if not shape:
        return saying_left_out(found[0], int(left_out), "pair")
    names = ("estimate", "ci_low", "ci_high", "statistic", "p_value", "n", "note")
    columns = {name: np.array([getattr(one, name) for one in found]).reshape(shape) for name in names}
    ways = sorted({one.method for one in found}, key=lambda method: (len(method), method))
    method = " or ".join([*ways[-1:], *(way.rpartition(", ")[2] for way in ways[:-1] if "," in way)])
    level = found[0].level if found else 0.95
    return saying_left_out(HypothesisTest(**columns, level=level, method=method), left_out, "pair")


def _signed_rank(gaps: Floats, rounding: Floats, level: float) -> HypothesisTest:
    from scipy.special import ndtr

    method = "Wilcoxon signed rank"
    if not gaps.any():
        return _nothing(method, gaps.size, level)
    moved = gaps != 0
    ranks = _doubled_ranks(np.abs(gaps[moved]), rounding[moved])
    total, positive = int(ranks.sum()), int(ranks[gaps[moved] > 0].sum())
    smaller = min(positive, total - positive)
    exact = ranks.size <= EXACT_RANKS
    if exact:
        p_value = min(2 * float(_rank_sums(tuple(np.sort(ranks).tolist()))[smaller]), 1.0)
    else:
        p_value = float(2 * ndtr((smaller - total / 2) / (np.sqrt((ranks.astype(float) ** 2).sum()) / 2)))
    estimate = _hodges_lehmann(gaps)
    alike = np.ptp(gaps) <= rounding.max()
    bounds = (NAN, NAN) if alike else _signed_rank_bounds(gaps, level)
    low, high = agreeing(*bounds, estimate, p_value, level)
    few = "constant differences" if alike else "too few pairs for an interval"
    if np.isnan(low) and not np.isnan(bounds[0]):
        few = "no interval: the middle of the differences is 0, but those that are not 0 rank higher on one side"
    return HypothesisTest(
        estimate=estimate,
        ci_low=float(low),
        ci_high=float(high),
        statistic=smaller / 2,
        p_value=p_value,
        level=level,
        method=f"{method}, {'exact' if exact else 'normal'}",
        n=gaps.size,
        note="" if np.isfinite(low) else few,
    )


def _nothing(method: str, n: int, level: float) -> HypothesisTest:
    """Record of no pairs, or of differences that are all 0."""
    if n == 0:
        return HypothesisTest(method=method, level=level, n=0, note="no complete pairs")
    return HypothesisTest(estimate=0.0, p_value=1.0, method=method, level=level, n=n, note="all differences are 0")


def _doubled_ranks(size: Floats, rounding: Floats) -> NDArray[np.int64]:
    """Twice the mid-ranks, which are whole numbers; sizes that rounding alone tells apart are ties."""
    order = np.argsort(size, kind="stable")
    opens = np.ones(size.size, bool)
    opens[1:] = np.diff(size[order]) > rounding[order][1:] + rounding[order][:-1]
    first = np.flatnonzero(opens)
    last = np.append(first[1:], size.size) - 1
    ranks = np.empty(size.size, np.int64)
    ranks[order] = (first + last + 2)[np.cumsum(opens) - 1]
    return ranks


@lru_cache(maxsize=256)
def _rank_sums(ranks: tuple[int, ...]) -> Floats:
    """P(sum of the ranks with positive signs ≤ s), s = 0, 1, …, if every sign is a fair coin."""
    chance = np.zeros(sum(ranks) + 1)
    chance[0] = 1.0
    for rank in ranks:
        chance[rank:] = (chance[rank:] + chance[:-rank]) / 2
        chance[:rank] /= 2
    return np.cumsum(chance)


def _hodges_lehmann(gaps: Floats) -> float:
    """Median of the Walsh averages (d_i + d_j) / 2, i ≤ j."""
    total = gaps.size * (gaps.size + 1) // 2
    ordered = np.sort(gaps)
    return (_walsh_average(ordered, (total + 1) // 2) + _walsh_average(ordered, total // 2 + 1)) / 2


def _signed_rank_bounds(gaps: Floats, level: float) -> tuple[float, float]:
    """Interval between two Walsh averages; NaN where even the widest covers less than `level`."""
    n = gaps.size
    total = n * (n + 1) // 2
    rank = _lower_critical_rank(n, level)
    if rank < 1:
        return NAN, NAN
    ordered = np.sort(gaps)
    return _walsh_average(ordered, rank), _walsh_average(ordered, total + 1 - rank)


def _lower_critical_rank(n: int, level: float) -> int:
    """The largest r with P(signed-rank sum < r) ≤ (1 − level)/2 under the hypothesis: exact to 50 pairs, then normal."""
    if n > EXACT_RANKS:
        sd = np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return int(np.floor(n * (n + 1) / 4 - normal_quantile(level) * sd)) + 1
    return int(np.searchsorted(_rank_sums(tuple(range(1, n + 1))), (1 - level) / 2, side="right"))


def _walsh_average(ordered: Floats, rank: int) -> float:
    """The rank-th smallest Walsh average of sorted differences."""
    n = ordered.size
    if n <= 1000:
        upper = np.triu_indices(n)
        averages = (ordered[upper[0]] + ordered[upper[1]]) / 2
        return float(np.partition(averages, rank - 1)[rank - 1])
    low, high = ordered[0], ordered[-1]
    for _ in range(100):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        partners = np.searchsorted(ordered, 2 * middle - ordered, side="right") - np.arange(n)
        if np.maximum(partners, 0).sum() >= rank:
            high = middle
        else:
            low = middle
    return float(high)


def sign_flip_permutation(
    a: ArrayLike,
    b: ArrayLike,
    n_resamples: int = 9999,
    random_state: int | np.random.Generator | None = None,
    level: float = 0.95,
) -> HypothesisTest:
    """Permutation test of the mean difference of pairs: under no difference each sign is a fair coin.

    Parameters
    ----------
    a, b : array, shape (..., n)
        Values of the two models on the same rows; leading axes are cohorts. Incomplete pairs are left out.
    n_resamples : int
        Random sign patterns where there are more than 2¹⁶ of them; below that all are enumerated.
    random_state : int, Generator or None
        Seed of the random patterns.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        `estimate` is the mean of a − b, and the interval is the set of differences that the same test does not reject
        (quantiles of subset means): it holds 0 exactly where p > 1 − level. Exact p by enumeration, else
        (1 + count) / (1 + n_resamples).

    Raises
    ------
    DataError
        n_resamples is not positive.

    Examples
    --------
    >>> sign_flip_permutation([3.1, 2.4, 5.0, 4.2, 3.3, 4.4], [2.9, 2.5, 4.1, 3.6, 3.0, 4.0])
    HypothesisTest(estimate=0.3833, ci_low=-0.1, ci_high=0.9, level=0.95, method='sign-flip permutation, exact', n=6, statistic=0.3833, p_value=0.0625)

    References
    ----------
    Fisher (1935), "The design of experiments", section 21; Hartigan (1969), "Using subsample values as typical values",
    JASA 64; Phipson & Smyth (2010), "Permutation p-values should never be zero", Statistical Applications in Genetics
    and Molecular Biology 9.
    """
    check_level(level)
    if n_resamples < 1:
        raise DataError(f"n_resamples={n_resamples} must be at least 1.")
    rng = generator(random_state)
    return _by_cohort(a, b, lambda gaps, _: _sign_flips(gaps, n_resamples, rng, level))


def _sign_flips(gaps: Floats, n_resamples: int, rng: np.random.Generator, level: float) -> HypothesisTest:
    n, method = gaps.size, "sign-flip permutation"
    if not gaps.any():
        return _nothing(method, n, level)
    exact = n <= EXACT_PAIRS
    sums, kept = _all_subsets(gaps) if exact else _random_subsets(gaps, n_resamples, rng)
    total = gaps.sum()
    if not exact:  # what is left of a subset is as probable as the subset
        sums, kept = np.concatenate([sums, total - sums]), np.concatenate([kept, n - kept])
    sums[np.abs(sums) <= 1e-12 * np.abs(gaps).sum()] = 0.0
    # the sum with flipped signs is the total less twice the subset: as extreme where the subset has the other sign
    beyond = int((sums <= 0).sum() if total > 0 else (sums >= 0).sum())
    patterns, own = (2 ** (n - 1), 0) if exact else (n_resamples + 1, 1)
    low, high = _typical_value_bounds(sums, kept, int(np.floor((1 - level) * patterns + 1e-9)) - own)
    mean = float(gaps.mean())
    return HypothesisTest(
        estimate=mean,
        ci_low=low,
        ci_high=high,
        statistic=mean,
        p_value=min((beyond + own) / patterns, 1.0),
        level=level,
        method=f"{method}, {'exact' if exact else f'{n_resamples} resamples'}",
        n=n,
        note="" if np.isfinite(low) else "too few pairs for an interval",
    )


def _all_subsets(gaps: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Sum and size of every subset of the differences."""
    sums, sizes = np.zeros(1), np.zeros(1, dtype=np.int64)
    for gap in gaps:
        sums, sizes = np.concatenate([sums, sums + gap]), np.concatenate([sizes, sizes + 1])
    return sums, sizes


def _random_subsets(gaps: Floats, count: int, rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Sum and size of `count` random subsets, eight differences per random byte through a table of their 256 sums."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    sums, sizes = np.zeros(count), np.zeros(count, dtype=np.int64)
    for start in range(0, gaps.size, 2048):
        block = gaps[start : start + 2048]
        groups = -(-block.size // 8)
        padded = np.zeros((2, groups * 8))
        padded[0, : block.size], padded[1, : block.size] = block, 1
        tables = padded.reshape(2, groups, 8) @ bits.T
        drawn = rng.integers(0, 256, size=(groups, count), dtype=np.uint8)
        for table, ones, byte in zip(*tables, drawn, strict=True):
            sums += table[byte]
            sizes += ones.astype(np.int64)[byte]
    return sums, sizes


def _typical_value_bounds(sums: Floats, sizes: NDArray[np.int64], most: int) -> tuple[float, float]:
    """Subset means with at most `most` others beyond: the differences that the test does not reject (Hartigan 1969)."""
    if not 0 < most < sums.size:
        return NAN, NAN
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums / sizes
    low, high = (
        np.partition(np.where(sizes > 0, means, end), at)[at] for end, at in ((-np.inf, most), (np.inf, -most - 1))
    )
    return (float(low), float(high)) if np.isfinite(low) and np.isfinite(high) else (NAN, NAN)
