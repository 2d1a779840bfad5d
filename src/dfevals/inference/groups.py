"""Differences and ratios between many independent groups, from the interval of each: simultaneous, and of the extremes.

An estimate is the triple (value, low, high) of arrays over groups. Bounds are joined by MOVER, which needs no standard
error: squared distances of the bounds from their values add up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dfevals.inference.levels import normal_quantile

__all__ = ["difference", "excess", "greatest", "least_ratio", "pairwise_level", "ratio", "sidak_level"]

Floats = npt.NDArray[np.float64]
Triple = tuple[Floats, Floats, Floats]
DRAWS = 4_000_000  # numbers drawn at most to see how far noise alone spreads groups


def difference(a: Triple, b: Triple) -> Triple:
    """a − b with its interval.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27; Newcombe (1998) for shares.
    """
    gap = a[0] - b[0]
    low = gap - np.hypot(a[0] - a[1], b[2] - b[0])
    return gap, low, gap + np.hypot(a[2] - a[0], b[0] - b[1])


def ratio(a: Triple, b: Triple) -> Triple:
    """a / b of numbers that are not negative, with its interval; x / 0 is infinite, 0 / 0 undefined.

    References
    ----------
    Donner and Zou (2012), "Closed-form confidence intervals for functions of the normal mean and standard deviation",
    Statistical Methods in Medical Research 21; Newcombe (2016), MOVER-R, ibid. 25.
    """
    product = a[0] * b[0]
    least = b[1] * (2 * b[0] - b[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where((a[0] == 0) & (b[0] == 0), np.nan, a[0] / b[0])
        below = product**2 - a[1] * b[2] * (2 * a[0] - a[1]) * (2 * b[0] - b[2])
        above = product**2 - a[2] * b[1] * (2 * a[0] - a[2]) * (2 * b[0] - b[1])
        low = (
            a[1] * (2 * a[0] - a[1]) / (product + np.sqrt(np.maximum(below, 0)))
        )  # not (product − √) / …, which is 0 / 0
        high = np.where(least > 0, (product + np.sqrt(np.maximum(above, 0))) / least, np.inf)
    known = ~np.isnan(a[1] + b[1])
    return value, np.where(known, np.clip(np.nan_to_num(low), 0, None), np.nan), np.where(known, high, np.nan)


def sidak_level(level: float, looks: int) -> float:
    """Level of each of so many intervals that hold together at `level`, however they depend on each other."""
    return float(level ** (1 / max(looks, 1)))


def pairwise_level(level: float, groups: int) -> float:
    """Level of each interval between two of `groups` groups, so that all hold together: Tukey's studentised range.

    Examples
    --------
    >>> round(pairwise_level(0.95, 2), 6), round(pairwise_level(0.95, 20), 5)
    (0.95, 0.99961)

    References
    ----------
    Tukey (1953); conservative for groups of unlike size (Hayter 1984, Annals of Statistics 12).
    """
    from scipy.special import ndtr

    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _range_law(middle, groups) < level else (low, middle)
    return float(2 * ndtr(high / np.sqrt(2)) - 1)


def _range_law(width: float, groups: int) -> float:
    """Chance that the range of so many standard normals is at most `width`."""
    from scipy.special import ndtr

    x = np.linspace(-8, 8, 1601)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    inside: Floats = density * (ndtr(x + width) - ndtr(x)) ** (groups - 1)
    return float(groups * inside.sum() * (x[1] - x[0]))


def greatest(alone: Triple, together: Triple) -> tuple[float, float, float]:
    """The greatest difference between any two groups, with an interval that allows for having picked them.

    Parameters
    ----------
    alone, together : triples (groups,)
        The groups' intervals at the level asked for, and at `pairwise_level`.

    Returns
    -------
    value, low, high : float
        The lower bound is the greatest of all pairs' simultaneous lower bounds. That the greatest difference is below the
        upper bound means that every pair's is, so each pair is tested at the plain level (intersection–union test) and the
        upper bound is the greatest of their bounds.

    References
    ----------
    Berger (1982), "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24.
    """
    low, high = (-np.inf, -np.inf)
    for i in range(len(alone[0])):
        low = max(low, float(difference(_one(together, i), together)[1].max()))
        high = max(high, float(difference(_one(alone, i), alone)[2].max()))
    return float(np.ptp(alone[0])), max(low, 0.0), high


def least_ratio(alone: Triple, together: Triple) -> tuple[float, float, float]:
    """The least over the greatest value of any two groups, with its interval, as `greatest` does for the difference."""
    top = alone[0].max()
    value = float(alone[0].min() / top) if top > 0 else np.nan
    low, high = np.inf, 1.0
    for i in range(len(alone[0])):
        low = min(low, float(ratio(_one(alone, i), alone)[1].min()))
        high = min(high, float(np.nan_to_num(ratio(_one(together, i), together)[2], nan=1.0).min()))
    return value, min(low, 1.0), high


def _one(triple: Triple, i: int) -> Triple:
    value, low, high = (part[i : i + 1] for part in triple)
    return value, low, high


def excess(alone: Triple, centre: Floats, level: float, random_state: int = 0) -> float:
    """How much noise alone adds to the difference between the extremes, on average.

    The groups' true values are taken as `centre` (values drawn together), stretched about their mean so that they vary as much
    as the estimates do beyond their errors; then noise is added again.
    """
    se = (alone[2] - alone[1]) / (2 * normal_quantile(level))
    middle = centre.mean()
    varied = max(float(alone[0].var(ddof=1) - (se**2).mean()), 0.0)
    spread = float(centre.var(ddof=1))
    true = middle + (centre - middle) * np.sqrt(varied / spread) if spread > 0 else centre
    rng = np.random.default_rng(random_state)
    draws = int(np.clip(DRAWS / len(se), 100, 2000))
    noisy = true + se * rng.standard_normal((draws, len(se)))
    return float((noisy.max(axis=1) - noisy.min(axis=1)).mean() - np.ptp(true))
