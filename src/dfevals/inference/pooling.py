"""Partial pooling: values of many cohorts drawn towards what they have in common, by empirical Bayes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dfevals.inference.levels import normal_quantile

__all__ = ["Pooled", "pool_means", "pool_shares", "rows_behind"]

Floats = npt.NDArray[np.float64]
COARSE = np.linspace(-14.0, 14.0, 57)  # logits of the shrinkage of a usual cohort that are tried first
FINE = 41  # and between those that are likely
LIKELY = 16.0  # log-likelihood below the greatest that still counts
EVENTS = 0.5  # what the cohorts' law is worth in events at least: Jeffreys' prior, which none of few cohorts can outdo
SIDES = np.linspace(-5.0, 5.0, 15)  # standard errors of the centre that are tried


@dataclass(frozen=True)
class Pooled:
    """Shrunken values with their intervals, the centre of all cohorts and their spread beyond sampling error."""

    value: Floats
    low: Floats
    high: Floats
    centre: float
    spread: float
    mixed: tuple[float, float] = (np.nan, np.nan)  # a weighted sum of the true values and its standard error


def pool_shares(k: Floats, n: Floats, level: float = 0.95, mix: Floats | None = None) -> Pooled:
    """Shares of many cohorts, drawn towards their common mean by the beta-binomial law.

    Every cohort's share is taken to come from one beta distribution with mean μ and size M. The posterior is averaged over
    both, so that the interval allows for not knowing them: over μ evenly, over M by the prior of `pool_means`, where the law
    is worth half an event at least, as Jeffreys' prior is; without that cohorts without events would seem sure. The interval is that of the beta distribution with the same mean and variance.

    Parameters
    ----------
    k, n : ndarray (cohorts,)
        Events and rows; need not be whole (effective numbers). Cohorts with n of 0 take no part and get the centre.
    level : float
    mix : ndarray (cohorts,), optional
        Weights of a sum of all cohorts' shares; their errors go together, as all are drawn to one centre.

    Examples
    --------
    >>> found = pool_shares(np.array([0.0, 3, 2, 4]), np.array([5.0, 30, 20, 50]))
    >>> found.value.round(2).tolist()
    [0.09, 0.11, 0.11, 0.09]

    References
    ----------
    Morris (1983), "Parametric empirical Bayes inference", JASA 78; Kleinman (1973), JASA 68.
    """
    from scipy.special import betaincinv

    some = n > 0
    usual = some.sum() / (1 / n[some]).sum()
    ks, ns = k[some], n[some]

    def likelihood(logit: float, sides: Floats) -> tuple[Floats, float, Floats]:
        size = usual * np.exp(logit)
        centre, volume = _centres(ks, ns, size, sides)
        fits = np.minimum(centre, 1 - centre) * size >= EVENTS
        return (
            centre,
            size,
            np.where(fits, _beta_binomial(ks, ns, centre, size) + volume, -np.inf) + _prior(logit, len(ns)),
        )

    middle = np.zeros(1)
    nodes = _likely(np.array([likelihood(logit, middle)[2][0] for logit in COARSE]))
    tried = [likelihood(logit, SIDES) for logit in nodes]
    weight = _weights(np.stack([log for _, _, log in tried]))
    mean, square, centre, spread = np.zeros(len(n)), np.zeros(len(n)), 0.0, 0.0
    mix, sums = np.zeros(len(n)) if mix is None else mix, np.zeros(2)
    for (mu, size, _), share in zip(tried, weight, strict=True):
        at = (k + mu[:, None] * size) / (n + size)
        own = at * (1 - at) / (n + size + 1)
        mean += share @ at
        square += share @ (at**2 + own)
        sums += share @ np.stack([at @ mix, (at @ mix) ** 2 + own @ mix**2], axis=1)
        centre += float(share @ mu)
        spread += float(share @ np.sqrt(mu * (1 - mu) / (size + 1)))
    inner = mean * (1 - mean)
    variance = np.clip(square - mean**2, 1e-12 * inner, inner * (1 - 1e-9))
    total = inner / variance - 1
    tail = (1 - level) / 2
    low, high = (betaincinv(mean * total, (1 - mean) * total, q) for q in (tail, 1 - tail))
    return Pooled(mean, low, high, centre, spread, _moments(sums))


def _moments(sums: Floats) -> tuple[float, float]:
    """Mean and standard error from the means of a number and of its square."""
    return float(sums[0]), float(np.sqrt(max(sums[1] - sums[0] ** 2, 0.0)))


def _centres(k: Floats, n: Floats, size: float, sides: Floats) -> tuple[Floats, Floats]:
    """Means to try for a size, and the log of how much each stands for: a uniform prior on logits evenly apart."""
    weight, row = (n / (n + size)), 1 / (1 + size)
    mean = float((weight @ (k / n) + row) / (weight.sum() + 2 * row))
    apart = 1 / np.sqrt(mean * (1 - mean) * (size + 1) * (weight.sum() + 2 * row))
    centre = 1 / (1 + np.exp(-np.clip(np.log(mean / (1 - mean)) + apart * sides, -700, 700)))
    centre = np.clip(centre, 1e-12, 1 - 1e-12)
    return centre, np.log(centre * (1 - centre) * apart)


def _beta_binomial(k: Floats, n: Floats, centre: Floats, size: float) -> Floats:
    """Log-likelihood of all cohorts at every centre, but for what does not depend on the law."""
    from scipy.special import betaln

    a, b = centre[:, None] * size, (1 - centre[:, None]) * size
    return np.asarray((betaln(k + a, n - k + b) - betaln(a, b)).sum(axis=1))


def _prior(logit: float, cohorts: int) -> float:
    """Log density that an even prior of τ² has on the logit of the shrinkage S; S to a higher power for few cohorts."""
    power = max(-1.0, 0.6 - (cohorts - 1) / 2)
    return float(-power * np.logaddexp(0, -logit) - np.logaddexp(0, logit))


def _likely(log: Floats) -> Floats:
    """Fine steps over the logits that the coarse ones leave likely."""
    inside = np.flatnonzero(log > log.max() - LIKELY)
    step = COARSE[1] - COARSE[0]
    return np.linspace(COARSE[inside[0]] - step, COARSE[inside[-1]] + step, FINE)


def _weights(log: Floats) -> Floats:
    weight = np.exp(log - log.max())
    return np.asarray(weight / weight.sum())


def pool_means(value: Floats, se: Floats, level: float = 0.95, mix: Floats | None = None) -> Pooled:
    """Values of many cohorts with normal errors, drawn towards their common mean.

    The true values are taken to be normal about a centre with spread τ. The posterior is averaged over both: over the centre
    and τ² evenly (of four cohorts and fewer with a tail that makes it proper). So the interval allows for not knowing
    them, as Hartung and Knapp's does for the centre; with a single estimate of τ it would be too short for few cohorts.

    Parameters
    ----------
    value, se : ndarray (cohorts,)
        Estimates and their standard errors; all finite, errors above 0.
    level : float
    mix : ndarray (cohorts,), optional
        As for `pool_shares`.

    Examples
    --------
    >>> found = pool_means(np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18]))
    >>> found.value.round(1).tolist(), round(found.spread, 1)
    ([14.6, 8.0, 4.6, 7.6, 3.3, 4.9, 12.8, 9.1], 11.4)

    References
    ----------
    Morris (1983), "Parametric empirical Bayes inference", JASA 78; Morris and Tang (2011), Statistical Science 26.
    """
    variance = se**2
    usual = len(variance) / (1 / variance).sum()

    def tried(logits: Floats) -> Iterator[tuple[Floats, float, float, float]]:
        for logit in logits:
            spread = usual * np.exp(-logit)
            weight = 1 / (variance + spread)
            total = float(weight.sum())
            centre = float(weight @ value) / total
            log = np.log(weight).sum() - np.log(total) - weight @ (value - centre) ** 2
            yield weight, centre, total, float(log) / 2 + _prior(float(logit), len(value))

    nodes = _likely(np.array([log for *_, log in tried(COARSE)]))
    fine = list(tried(nodes))
    share = _weights(np.array([log for *_, log in fine]))
    mean, square = np.zeros(len(value)), np.zeros(len(value))
    middle, spread, sums = 0.0, 0.0, np.zeros(2)
    mix = np.zeros(len(value)) if mix is None else mix
    for part, logit, (weight, centre, total, _) in zip(share, nodes, fine, strict=True):
        shrink = variance * weight
        at = value + shrink * (centre - value)
        mean += part * (at - value)
        square += part * ((at - value) ** 2 + (1 - shrink) * variance + shrink**2 / total)
        moved = float(mix @ (at - value))
        own = float(mix**2 @ ((1 - shrink) * variance)) + float(mix @ shrink) ** 2 / total
        sums += part * np.array([moved, moved**2 + own])
        middle += float(part * centre)
        spread += float(part * np.sqrt(usual * np.exp(-logit)))
    half = normal_quantile(level) * np.sqrt(np.maximum(square - mean**2, 0))
    mean = value + mean
    moved, error = _moments(sums)
    return Pooled(mean, mean - half, mean + half, middle, spread, (float(mix @ value) + moved, error))


def rows_behind(share: Floats, width: Floats, level: float) -> Floats:
    """Rows from which Wilson's interval of a share would be so wide: an effective number for any value in [0, 1].

    Examples
    --------
    >>> from dfevals.inference import wilson
    >>> found = wilson(np.array([0, 7, 40]), np.array([12, 30, 50]))
    >>> rows_behind(np.array([0, 7 / 30, 0.8]), found.ci_high - found.ci_low, 0.95).round(6).tolist()
    [12.0, 30.0, 50.0]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = 4 * share * (1 - share) - 2 * width**2
        root = np.sqrt(slope**2 + 4 * (1 - width**2) * width**2)
        ratio = 2 * width**2 / (slope + root)
        rows = normal_quantile(level) ** 2 / ratio
    return np.where(width >= 1, 0.0, rows)
