"""Tests that may be looked at every day: has a series changed at some unknown time, and where is its mean?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Change", "change", "control_limits", "e_bh", "forecast_residuals", "running_mean"]

Floats = npt.NDArray[np.float64]
FIRST = 5  # periods before the first that is judged
SHIFTS = np.array(
    [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0]
)  # sizes of a change that are looked for, in its errors
AFTER = 20  # looks after an alarm that still tell when the change began
LATE = 20.0  # how evenly the chance of a change is spread over time


def forecast_residuals(values: Floats, errors: Floats, first: int = FIRST) -> Floats:
    """How far every value lies from what those before it foretell, as standard normal deviates; NaN for the first ones.

    A value varies by its own sampling error and between periods. The second part is estimated from the values before it
    (DerSimonian and Laird 1986); what is foretold allows for the error of the mean, and the deviation is judged by Student's
    t of the values before it. Without a change the deviates are independent and standard normal, up to the approximation of
    the variance (recursive residuals: Brown, Durbin and Evans 1975).

    Parameters
    ----------
    values, errors : array, shape (periods,)
        Values in order of time, and their standard errors.
    first : int
        Values before the first that is judged.
    """
    from scipy import stats

    found = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values) & np.isfinite(errors) & (errors > 0))
    y, v = values[known], errors[known] ** 2
    w = 1 / v
    s0, s1, s2, sq = (np.cumsum(part) for part in (w, w * y, w * y**2, w**2))
    for at in range(first, len(known)):
        k = at - 1  # the sums of the values before
        spread = max(s2[k] - s1[k] ** 2 / s0[k] - k, 0.0) / (s0[k] - sq[k] / s0[k])
        trust = 1 / (v[:at] + spread)
        centre = float((trust * y[:at]).sum() / trust.sum())
        scale = np.sqrt(v[at] + spread + 1 / trust.sum())
        deviate = (y[at] - centre) / scale
        tail = stats.t.logsf(abs(deviate), at - 1)
        found[known[at]] = np.sign(deviate) * -stats.norm.ppf(np.exp(max(tail, -700.0)))
    return found


@dataclass(frozen=True)
class Change:
    """Evidence of a change by every look, and where it began.

    Attributes
    ----------
    evidence : array
        E-value after each look: expected to be at most 1 at any time without a change, so that 1 / alpha is crossed ever
        with a chance of at most alpha (Ville 1939), however often one looks.
    alarm : array of bool
        Looks at which the evidence has been enough.
    since, since_low, since_high : int
        The likeliest first value of the new state, and an interval of it; −1 without an alarm.
    """

    evidence: Floats
    alarm: npt.NDArray[np.bool_]
    since: int
    since_low: int
    since_high: int


def change(deviates: Floats, alpha: float = 0.05, direction: int = 0, level: float = 0.95) -> Change:
    """Has a series of standard normal deviates moved, at a time and by an amount that are not known?

    A mixture of likelihood ratios over beginnings and sizes of the change: for every beginning the evidence is a test
    martingale, and so is their average with weights that sum to one (Shin, Ramdas and Rinaldo 2023, "E-detectors", with
    summable weights, so that false alarms are bounded for ever).

    Parameters
    ----------
    deviates : array
        NaN where a look brought nothing.
    alpha : float
        Chance of a false alarm ever.
    direction : {0, 1, -1}
        Changes of both directions, upwards or downwards alone.
    level : float
        Of the interval of the beginning.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> quiet = rng.normal(size=300)
    >>> bool(change(quiet).alarm.any()), change(np.r_[quiet, quiet[:10] - 4]).since
    (False, 300)
    """
    shifts = {0: np.r_[SHIFTS, -SHIFTS], 1: SHIFTS, -1: -SHIFTS}[direction]
    weights, rest = _beginnings(len(deviates))
    evidence = np.empty(len(deviates))
    ratio = np.zeros(len(shifts))
    for t, z in enumerate(deviates):
        with np.errstate(over="ignore"):
            gain = np.exp(shifts * z - shifts**2 / 2) if np.isfinite(z) else 1.0
            ratio = np.minimum((ratio + weights[t]) * gain, 1e250)
        evidence[t] = ratio.mean() + rest[t]
    alarm = np.maximum.accumulate(evidence) >= 1 / alpha if len(evidence) else np.zeros(0, bool)
    if not alarm.any():
        return Change(evidence, alarm, -1, -1, -1)
    seen = int(alarm.argmax()) + 1 + AFTER
    return Change(evidence, alarm, *_began(deviates[:seen], shifts, level))


def _beginnings(looks: int) -> tuple[Floats, Floats]:
    """Weight of a change that begins at each look, and what is left for later ones; they fall about as 1 / t log² t."""
    at = np.arange(looks) + LATE
    left = 1 / np.log(np.append(at, looks + LATE)) * np.log(LATE)
    return left[:-1] - left[1:], left[1:]


def _began(deviates: Floats, shifts: Floats, level: float) -> tuple[int, int, int]:
    """The likeliest beginning of a change that has just been seen, and the shortest stretch that holds it."""
    z = np.nan_to_num(deviates)
    sums = np.cumsum(z[::-1])[::-1]
    counts = np.cumsum(np.isfinite(deviates)[::-1])[::-1]
    with np.errstate(divide="ignore"):
        each = shifts[:, None] * sums - shifts[:, None] ** 2 * counts / 2
    top = each.max()
    likely = np.exp(each - top).sum(axis=0)
    likely /= likely.sum()
    best = int(likely.argmax())
    order = np.argsort(-likely, kind="stable")
    held = order[: int(np.searchsorted(np.cumsum(likely[order]), level)) + 1]
    return best, int(held.min()), int(held.max())


def control_limits(
    values: Floats, errors: Floats, quiet: slice = slice(None), width: float = 3.0
) -> tuple[float, Floats, Floats]:
    """Centre and limits of a run chart that allow for sampling and for what varies between periods (Laney 2002, p′).

    The standardised values' spread is taken from their moving ranges, so that a step does not widen it; it is never taken
    below 1. Centre and spread are those of the `quiet` part, the limits are for all.
    """
    known = np.isfinite(values[quiet]) & np.isfinite(errors[quiet]) & (errors[quiet] > 0)
    if known.sum() < 2:
        nothing = np.full(len(values), np.nan)
        return np.nan, nothing, nothing
    y, s = values[quiet][known], errors[quiet][known]
    centre = float(np.average(y, weights=1 / s**2))
    z = (y - centre) / s
    spread = max(float(np.abs(np.diff(z)).mean()) / 1.128, 1.0)
    centre = float(np.average(y, weights=1 / (s**2 + (spread**2 - 1) * float(np.median(s**2)))))
    reach = width * spread * errors
    return centre, centre - reach, centre + reach


def running_mean(values: Floats, errors: Floats, level: float = 0.95, best_at: int = 30) -> tuple[Floats, Floats]:
    """A confidence sequence of the mean over periods: it holds at all looks together (Waudby-Smith et al. 2021, asymptotic).

    Parameters
    ----------
    values, errors : array, shape (periods,)
    level : float
    best_at : int
        The look at which it is narrowest.
    """
    alpha = 1 - level
    rho2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / best_at
    known = np.isfinite(values)
    t = np.cumsum(known)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.cumsum(np.where(known, values, 0)) / t
        square = np.cumsum(np.where(known, values**2, 0)) / t
        own = np.cumsum(np.where(known, np.nan_to_num(errors) ** 2, 0)) / t
        variance = np.maximum(np.maximum(square - mean**2, 0) * t / np.maximum(t - 1, 1), own)
        reach = np.sqrt(variance * 2 * (t * rho2 + 1) / (t**2 * rho2) * np.log(np.sqrt(t * rho2 + 1) / alpha))
    reach[t < 2] = np.nan
    return mean - reach, mean + reach


def e_bh(evidence: Floats, alpha: float = 0.05) -> npt.NDArray[np.bool_]:
    """Which of several series have changed, at a false discovery rate of `alpha` under any dependence (Wang and Ramdas 2022).

    Examples
    --------
    >>> e_bh(np.array([100.0, 25.0, 1.0])).tolist()
    [True, False, False]
    """
    evidence = np.nan_to_num(np.asarray(evidence, float), posinf=np.finfo(float).max)
    k = len(evidence)
    order = np.argsort(-evidence, kind="stable")
    enough = evidence[order] * np.arange(1, k + 1) >= k / alpha
    found = np.zeros(k, bool)
    if enough.any():
        found[order[: int(np.flatnonzero(enough).max()) + 1]] = True
    return found
