"""Tests of pairs that assume no distribution: Wilcoxon's signed ranks and sign flips."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError
from dfevals.inference.levels import check_level, normal_quantile
from dfevals.inference.paired import differences_of
from dfevals.inference.records import HypothesisTest, saying_left_out
from dfevals.inference.seeds import generator

__all__ = ["sign_flip_permutation", "wilcoxon"]

Floats = NDArray[np.float64]
EXACT_PAIRS = 16
"""All 2¹⁶ sign patterns are enumerated up to this many pairs."""
NAN = float("nan")


def wilcoxon(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> HypothesisTest:
    """Wilcoxon's signed-rank test of pairs.

    Parameters
    ----------
    a, b : array, shape (n,)
        Values of the two models on the same rows; incomplete pairs are left out, and differences of 0 do not rank.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        `estimate` is the Hodges–Lehmann pseudo-median of a − b with its signed-rank interval, `statistic` the smaller
        rank sum, `n` the complete pairs. Exact without ties up to 50 differences, else normal with tie correction.
        p is 1 where all differences are 0.

    Examples
    --------
    >>> wilcoxon([125, 115, 130, 140, 140, 115, 140, 125], [110, 122, 125, 120, 140, 124, 123, 137])
    HypothesisTest(estimate=4, ci_low=-9, ci_high=17, level=0.95, method='Wilcoxon signed rank, exact', n=8, statistic=9, p_value=0.4688)

    References
    ----------
    Wilcoxon (1945), "Individual comparisons by ranking methods", Biometrics Bulletin 1; Hollander, Wolfe & Chicken
    (2014), "Nonparametric statistical methods", 3rd ed., section 3.
    """
    check_level(level)
    gaps, complete = differences_of(a, b)
    if gaps.ndim != 1:
        raise DataError(f"a and b must be one-dimensional; found shape {gaps.shape}.")
    return saying_left_out(_signed_rank(gaps[complete], level), int((~complete).sum()), "pair")


def _signed_rank(gaps: Floats, level: float) -> HypothesisTest:
    from scipy.stats import wilcoxon as signed_rank

    method = "Wilcoxon signed rank"
    if gaps.size == 0:
        return HypothesisTest(method=method, level=level, n=0, note="no complete pairs")
    if not gaps.any():
        note = "all differences are 0"
        return HypothesisTest(estimate=0.0, p_value=1.0, method=method, level=level, n=gaps.size, note=note)
    moved = gaps[gaps != 0]
    untied = np.unique(np.abs(moved)).size == moved.size
    exact = untied and moved.size <= 50
    test = signed_rank(moved, correction=False, method="exact" if exact else "approx")
    low, high = _signed_rank_bounds(gaps, level)
    return HypothesisTest(
        estimate=_hodges_lehmann(gaps),
        ci_low=low,
        ci_high=high,
        statistic=float(test.statistic),
        p_value=float(test.pvalue),
        level=level,
        method=f"{method}, {'exact' if exact else 'normal'}",
        n=gaps.size,
        note="" if np.isfinite(low) else "too few pairs for an interval",
    )


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
    total = n * (n + 1) // 2
    if n > 50:
        sd = np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return int(np.floor(total / 2 + 0.5 - normal_quantile(level) * sd))
    counts = np.zeros(total + 1)
    counts[0] = 1.0
    for rank in range(1, n + 1):
        counts[rank:] = (counts[rank:] + counts[:-rank]) / 2
        counts[:rank] /= 2
    return int(np.searchsorted(np.cumsum(counts), (1 - level) / 2, side="right"))


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
    a, b : array, shape (n,)
        Values of the two models on the same rows; incomplete pairs are left out.
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
        (quantiles of subset means). Exact p by enumeration, else (1 + count) / (1 + n_resamples).

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
    gaps, complete = differences_of(a, b)
    if gaps.ndim != 1:
        raise DataError(f"a and b must be one-dimensional; found shape {gaps.shape}.")
    test = _sign_flips(gaps[complete], n_resamples, random_state, level)
    return saying_left_out(test, int((~complete).sum()), "pair")


def _sign_flips(
    gaps: Floats, n_resamples: int, random_state: int | np.random.Generator | None, level: float
) -> HypothesisTest:
    n, method = gaps.size, "sign-flip permutation"
    if n == 0:
        return HypothesisTest(method=method, level=level, n=0, note="no complete pairs")
    mean = float(gaps.mean())
    if not gaps.any():
        note = "all differences are 0"
        return HypothesisTest(estimate=0.0, p_value=1.0, method=method, level=level, n=n, note=note)
    exact = n <= EXACT_PAIRS
    if exact:
        sums, kept = _all_subsets(gaps)
    else:
        sums, kept = _random_subsets(gaps, n_resamples, generator(random_state))
    # the sum with flipped signs is the total less twice the subset that is flipped
    extreme = np.abs(gaps.sum() - 2 * sums) >= abs(gaps.sum()) - 1e-12 * np.abs(gaps).sum()
    p_value = extreme.mean() if exact else (1 + extreme.sum()) / (1 + n_resamples)
    low, high = _typical_value_bounds(sums, kept, level)
    return HypothesisTest(
        estimate=mean,
        ci_low=low,
        ci_high=high,
        statistic=mean,
        p_value=float(p_value),
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


def _typical_value_bounds(sums: Floats, sizes: NDArray[np.int64], level: float) -> tuple[float, float]:
    """Equal-tailed quantiles of the subset means, which are typical values of the centre of symmetry."""
    means = np.sort(sums[sizes > 0] / sizes[sizes > 0])
    rank = int(np.floor((means.size + 1) * (1 - level) / 2))
    if rank < 1:
        return NAN, NAN
    return float(means[rank - 1]), float(means[-rank])
