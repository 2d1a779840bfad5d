"""How far two distributions lie apart, from counts and from sorted values: measures, intervals and tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FLOOR", "Apart", "apart", "divergence_interval", "jensen_shannon", "kish", "like", "psi", "steps_apart"]

Floats = npt.NDArray[np.float64]
FLOOR = 1e-4  # least share of a bin in the population stability index
FEW = 200  # tied values whose counts are divided again at random
STEP = np.log(2) * 8  # of the Jensen-Shannon divergence in bits, to a chi-square statistic


def jensen_shannon(p: Floats, q: Floats) -> float:
    """Jensen-Shannon distance to base 2: 0 for equal shares, 1 for shares that never meet.

    Parameters
    ----------
    p, q : array of shares
        Each sums to one.

    Examples
    --------
    >>> round(jensen_shannon(np.array([0.5, 0.5, 0]), np.array([0.5, 0, 0.5])), 5)
    0.70711

    References
    ----------
    Endres and Schindelin (2003), "A new metric for probability distributions".
    """
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(x > 0, x * np.log2(x / middle), 0).sum() for x in (p, q)]
    return float(np.sqrt(max(sum(parts) / 2, 0.0)))


def psi(p: Floats, q: Floats, floor: float = FLOOR) -> float:
    """Population stability index of `q` against `p`; empty bins count as a share of `floor`.

    Examples
    --------
    >>> round(psi(np.array([0.5, 0.5, 0]), np.array([0.5, 0, 0.5])), 5)
    8.51549

    References
    ----------
    Siddiqi (2006), "Credit Risk Scorecards".
    """
    p, q = np.maximum(p, floor), np.maximum(q, floor)
    return float(((q - p) * np.log(q / p)).sum())


def like(p: Floats, q: Floats, n: float, m: float) -> float:
    """P-value of Pearson's chi-square test that shares of n and of m rows are of one distribution."""
    from scipy import stats

    pooled = (n * p + m * q) / (n + m)
    seen = pooled > 0
    statistic = float(((p - q)[seen] ** 2 / pooled[seen]).sum() * n * m / (n + m))
    return float(stats.chi2.sf(statistic, seen.sum() - 1)) if seen.sum() > 1 else 1.0


def divergence_interval(distance: float, bins: int, n: float, m: float, level: float) -> tuple[float, float, float]:
    """Distance less its bias, and its interval.

    With shares of `bins` bins from n and m rows, 8 ln 2 (1/n + 1/m)⁻¹ times the squared distance is about a noncentral
    chi-square variable with bins − 1 degrees of freedom, whose noncentrality is the same multiple of the true squared
    distance: two like distributions have a distance above 0 by chance alone, and this takes it off.

    Returns
    -------
    tuple of float
        Distance, lower and upper bound.
    """
    if bins < 2:
        return 0.0, 0.0, 0.0
    scale, df = STEP / (1 / n + 1 / m), bins - 1
    statistic, tail = scale * distance**2, (1 - level) / 2
    low = _noncentrality(statistic, df, 1 - tail)
    high = _noncentrality(max(statistic, df), df, tail)  # shares more alike than chance makes them prove no more
    bounds = [float(min(np.sqrt(value / scale), 1.0)) for value in (low, high)]
    centre = float(np.sqrt(max(statistic - df, 0) / scale))
    return min(max(centre, bounds[0]), bounds[1]), bounds[0], bounds[1]


def _noncentrality(statistic: float, df: int, share: float) -> float:
    """The noncentrality under which a statistic as great as this one has that share below it; 0 where none has."""
    from scipy import special, stats

    if stats.chi2.cdf(statistic, df) <= share:
        return 0.0
    found = float(special.chndtrinc(statistic, df, share))
    if np.isfinite(found) and found < 1e6:
        return max(found, 0.0)
    root = np.sqrt(statistic) - stats.norm.ppf(share)  # far out the root is normal with variance one
    return float(max(root, 0.0) ** 2)


@dataclass(frozen=True)
class Apart:
    """Two samples of numbers: the greatest gap of their distribution functions, its p-value, and the area between them."""

    ks: float
    p_value: float
    wasserstein: float
    tied: bool


def steps_apart(a: Floats, b: Floats, wa: Floats | None, wb: Floats | None) -> tuple[float, float, bool]:
    """Greatest gap and area between two empirical distribution functions, and whether values are tied.

    Parameters
    ----------
    a, b : sorted arrays
    wa, wb : arrays of weights in the same order, or None
    """
    values = np.concatenate([a, b])
    order = np.argsort(values, kind="stable")  # two sorted runs are merged in one walk
    values = values[order]
    step = np.concatenate(
        [
            np.full(len(a), 1 / len(a)) if wa is None else wa / wa.sum(),
            np.full(len(b), -1 / len(b)) if wb is None else -wb / wb.sum(),
        ]
    )
    gap = np.abs(np.cumsum(step[order])[:-1])
    width = np.diff(values)
    apart_ = width > 0
    greatest = float(gap[apart_].max()) if apart_.any() else 0.0
    return min(greatest, 1.0), float((gap * width).sum()), not bool(apart_.all())


def apart(
    a: Floats,
    b: Floats,
    wa: Floats | None = None,
    wb: Floats | None = None,
    sizes: tuple[float, float] | None = None,
    n_resamples: int = 999,
    random_state: int = 0,
) -> Apart:
    """Kolmogorov-Smirnov and Wasserstein distances of two samples, with a p-value that allows for ties.

    Parameters
    ----------
    a, b : sorted arrays of finite numbers
    wa, wb : arrays, optional
        Weights in the same order.
    sizes : tuple of float, optional
        Rows that the samples are worth where rows depend or have weights; their numbers when absent.
    n_resamples : int
        Permutations of counts where few distinct values are tied.

    Returns
    -------
    Apart

    Examples
    --------
    >>> a, b = np.sort([0.0] * 50 + [1.0] * 50), np.sort([0.0] * 40 + [1.0] * 60)
    >>> found = apart(a, b)
    >>> round(found.ks, 3), 0.15 < found.p_value < 0.25
    (0.1, True)
    """
    from scipy import stats

    ks, area, tied = steps_apart(a, b, wa, wb)
    n, m = sizes or (len(a), len(b))
    worth = n * m / (n + m)
    p = float(stats.kstwobign.sf(np.sqrt(worth) * ks))  # at most too great where values are tied
    values = np.unique(np.concatenate([np.unique(a), np.unique(b)])) if tied else a[:0]
    if 0 < len(values) <= FEW:
        sides = [
            np.rint(
                np.bincount(np.searchsorted(values, x), w, len(values)) * worth_ / (len(x) if w is None else w.sum())
            )
            for x, w, worth_ in ((a, wa, n), (b, wb, m))
        ]
        counts = np.stack(sides).astype(np.int64)
        if counts.sum(axis=1).min() > 0:
            p = min(p, _permuted(counts, n_resamples, random_state))
    elif not tied and max(n, m) <= 500 and sizes is None:
        p = float(stats.ks_2samp(a, b, method="exact").pvalue)
    return Apart(ks, p, area, tied)


def _permuted(counts: npt.NDArray[np.int64], resamples: int, seed: int) -> float:
    """Share of random divisions of the pooled rows with a gap at least as great as that of these counts (2, values)."""
    n, m = counts.sum(axis=1)
    total = counts.sum(axis=0)
    seen = np.abs(np.cumsum(counts[0] / n - counts[1] / m)).max()
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_hypergeometric(total, n, size=resamples, method="marginals").cumsum(axis=1)
    gaps = np.abs(drawn / n - (total.cumsum() - drawn) / m).max(axis=1)
    return float((1 + (gaps >= seen - 1e-12).sum()) / (resamples + 1))


def kish(
    codes: npt.NDArray[np.intp], bins: int, weights: Floats | None, clusters: npt.NDArray[np.intp] | None
) -> float:
    """Independent rows that the shares of `bins` rest on: fewer than there are with weights and with clusters.

    The number of rows over the mean design effect of the shares (Rao and Scott 1981).
    """
    n = len(codes)
    if (weights is None and clusters is None) or n == 0:
        return float(n)
    w = np.ones(n) if weights is None else weights
    total = w.sum()
    shares = np.bincount(codes, w, bins) / total
    owner = np.arange(n) if clusters is None else clusters
    if len(owner) and (owner == owner[0]).all():
        return 1.0
    effects = []
    for k in np.flatnonzero((shares > 0) & (shares < 1)):
        off = np.bincount(owner, w * ((codes == k) - shares[k]) / total)
        effects.append(float((off**2).sum()) / (shares[k] * (1 - shares[k])) * (1 - shares[k]))
    if not effects:
        return float(total**2 / (w**2).sum())
    return float((len(effects) - 1 if len(effects) > 1 else 1 - shares.max()) / sum(effects))
