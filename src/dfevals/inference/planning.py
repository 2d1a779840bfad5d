"""Planning: power, rows needed and the smallest difference that a comparison can find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError, check_choice
from dfevals.inference.levels import check_probability, normal_quantile
from dfevals.inference.records import FloatOrArray, as_given, label_where

__all__ = ["PowerRecord", "design_effect", "power"]

Floats = NDArray[np.float64]
PowerOf = Callable[[Floats, Floats], Floats]
"""Power as a function of the (effective) rows of a model and the difference."""
KINDS = ("proportion", "mean", "auc")
MOST_ROWS = 1e12


@dataclass(frozen=True, kw_only=True)
class PowerRecord:
    """A plan: the numbers given and the one solved for.

    Attributes
    ----------
    solved : str
        "power", "n" or "difference": what was worked out.
    n : float or array
        Rows that each model is judged on: the pairs of a paired comparison, the rows of the *first* sample of an
        unpaired one.
    n_total : float or array
        All rows: n if paired, n + ratio·n if not.
    difference : float or array
        Absolute difference of the two models.
    power : float or array
        Chance of p < alpha if the difference is real.
    alpha : float
        Two-sided level of the test.
    design_effect : float or array
        1 + (cluster_size − 1)·icc; effective rows are rows / design_effect.
    method : str
        The test planned for.
    note : str or array of str
        Why something is NaN.
    """

    solved: str
    n: FloatOrArray
    n_total: FloatOrArray
    difference: FloatOrArray
    power: FloatOrArray
    alpha: float
    design_effect: FloatOrArray
    method: str
    note: FloatOrArray = ""


def power(
    kind: str = "proportion",
    *,
    n: ArrayLike | None = None,
    difference: ArrayLike | None = None,
    power: ArrayLike | None = None,
    paired: bool = True,
    alpha: float = 0.05,
    baseline: ArrayLike | None = None,
    discordance: ArrayLike | None = None,
    sd: ArrayLike | None = None,
    correlation: ArrayLike = 0.5,
    prevalence: ArrayLike = 0.5,
    ratio: float = 1.0,
    cluster_size: ArrayLike = 1.0,
    icc: ArrayLike = 0.0,
) -> PowerRecord:
    """Work out the power, the rows or the difference of a comparison of two models from the other two.

    Leave out exactly one of `n`, `difference` and `power`; a `power` that is left out together with another is .8. So
    `n` alone gives the minimal detectable difference, `difference` alone the rows needed. Everything broadcasts, so one
    call plans all cohorts.

    Parameters
    ----------
    kind : {"proportion", "mean", "auc"}
        What is compared: rates (accuracy, recall, pass rates), means (losses, scores, latency), or areas under the
        ROC curve.
    n : float or array, optional
        Rows of a model; for unpaired comparisons those of the first sample.
    difference : float or array, optional
        Difference to be found; its sign does not matter.
    power : float or array, optional
        Chance of finding it.
    paired : bool
        Both models on the same rows, or on different rows.
    alpha : float
        Two-sided level of the test; divide by the number of cohorts to allow for a Bonferroni correction.
    baseline : float or array, optional
        Rate (unpaired proportions) or AUC of one model. The other is on the side of it with room: baseline + difference,
        or baseline − difference where that would leave [0, 1].
    discordance : float or array, optional
        Share of rows on which exactly one of two paired models is right, (b + c) / n.
    sd : float or array, optional
        Standard deviation: of the paired *differences*, or of the values of one row if unpaired.
    correlation : float or array
        Correlation of the two paired AUC estimates.
    prevalence : float or array
        Share of positives (AUC).
    ratio : float
        Rows of the second sample per row of the first (unpaired).
    cluster_size, icc : float or array
        Mean rows of a cluster and their intraclass correlation: rows count 1 / (1 + (cluster_size − 1)·icc).

    Returns
    -------
    PowerRecord
        `n` is whole where it was solved for. NaN with a note where no difference or number of rows will do.

    Raises
    ------
    DataError
        Too much or too little is given, a needed number is missing, or a value is out of range.

    Examples
    --------
    Rows needed to find 2 points of accuracy between models that differ on 10 % of the rows:

    >>> power("proportion", difference=0.02, discordance=0.1).n
    1960.0

    Minimal detectable differences of three cohorts:

    >>> power("proportion", n=[100, 1000, 10000], discordance=0.1).difference.round(3)
    array([0.088, 0.028, 0.009])

    References
    ----------
    Connor (1987), "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43;
    Fleiss, Levin & Paik (2003), "Statistical methods for rates and proportions"; Hanley & McNeil (1982, 1983),
    Radiology 143 and 148; Donner & Klar (2000), "Design and analysis of cluster randomization trials".
    """
    check_choice("kind", kind, KINDS, DataError)
    check_probability(alpha, "alpha")
    solved, target = _unknown(n, difference, power)
    deff = design_effect(cluster_size, icc)
    if not ratio > 0:
        raise DataError(f"ratio={ratio!r} must be positive.")
    offered = {
        "baseline": (baseline, 0.0, 1.0),
        "correlation": (correlation, -1.0, 1.0),
        "discordance": (discordance, 0.0, 1.0),
        "prevalence": (prevalence, 0.0, 1.0),
        "sd": (sd, 0.0, np.inf),
    }
    numbers = {name: _in_range(name, *offered[name], kind) for name in _needs(kind, paired)}
    given = np.broadcast_arrays(
        np.asarray(np.nan if n is None else n, dtype=np.float64),
        np.abs(np.asarray(np.nan if difference is None else difference, dtype=np.float64)),
        np.asarray(target, dtype=np.float64),
        np.asarray(deff, dtype=np.float64),
        *numbers.values(),
    )
    rows, gap, wanted, deffs = (np.asarray(array) for array in given[:4])
    inputs = dict(zip(numbers, given[4:], strict=True))
    power_of, widest, method = _design(kind, paired, ratio, normal_quantile(1 - alpha), alpha, inputs)
    if solved == "power":
        wanted = power_of(rows / deffs, gap)
    elif solved == "n":
        rows = _rows_needed(power_of, gap, wanted, deffs)
    else:
        gap = _smallest_difference(power_of, rows / deffs, wanted, widest)
    unsolved = np.isnan({"power": wanted, "n": rows, "difference": gap}[solved])
    return PowerRecord(
        solved=solved,
        n=as_given(rows),
        n_total=as_given(rows if paired else rows + np.ceil(rows * ratio)),
        difference=as_given(gap),
        power=as_given(wanted),
        alpha=alpha,
        design_effect=as_given(deffs),
        method=method,
        note=label_where(rows.shape, unsolved=(unsolved, _UNSOLVED[solved])),
    )


def _needs(kind: str, paired: bool) -> tuple[str, ...]:
    """The numbers that a plan rests on."""
    if kind == "proportion":
        return ("discordance",) if paired else ("baseline",)
    return ("sd",) if kind == "mean" else ("baseline", "prevalence", "correlation")


_UNSOLVED = {
    "power": "the difference does not fit the other numbers",
    "n": "no number of rows will do: the difference is 0 or does not fit the other numbers",
    "difference": "even the largest possible difference needs more rows",
}


def design_effect(cluster_size: ArrayLike, icc: ArrayLike) -> FloatOrArray:
    """Design effect of clustered rows, 1 + (cluster_size − 1)·icc.

    Parameters
    ----------
    cluster_size : float or array
        Mean rows of a cluster, at least 1.
    icc : float or array
        Intraclass correlation in [0, 1].

    Raises
    ------
    DataError
        A value is out of range.

    Examples
    --------
    >>> round(design_effect(5, 0.1), 2)
    1.4

    References
    ----------
    Kish (1965), "Survey sampling"; Donner & Klar (2000).
    """
    size = _in_range("cluster_size", cluster_size, 1, np.inf, "clusters")
    within = _in_range("icc", icc, 0, 1, "clusters")
    return as_given(1 + (size - 1) * within)


def _unknown(n: ArrayLike | None, difference: ArrayLike | None, target: ArrayLike | None) -> tuple[str, ArrayLike]:
    """Which of the three is asked for, and the power aimed at."""
    if n is None and difference is None:
        raise DataError("give n (for the minimal detectable difference), difference (for the rows needed), or both.")
    if n is not None and difference is not None:
        if target is not None:
            raise DataError("n, difference and power are all given: leave out the one that is asked for.")
        return "power", np.nan
    wanted = np.asarray(0.8 if target is None else target, dtype=np.float64)
    if not ((wanted > 0) & (wanted < 1)).all():
        raise DataError(f"power={target!r} must lie strictly between 0 and 1.")
    return ("n" if n is None else "difference"), wanted


def _in_range(name: str, value: ArrayLike | None, low: float, high: float, kind: str) -> Floats:
    if value is None:
        raise DataError(f"{name} is needed to plan for {kind!r}.")
    array = np.asarray(value, dtype=np.float64)
    wrong = (array < low) | (array > high)
    if wrong.any():
        raise DataError(f"{name} must lie in [{low:g}, {high:g}]; found {array[wrong].ravel()[0]:g}.")
    return array


def _design(
    kind: str, paired: bool, ratio: float, z: float, alpha: float, inputs: dict[str, Floats]
) -> tuple[PowerOf, Floats, str]:
    """Power function, the largest difference that is possible, and the name of the test."""
    if kind == "mean":
        sd = inputs["sd"]
        return _t_power(sd, paired, ratio, alpha), np.full(sd.shape, np.inf), "paired t" if paired else "two-sample t"
    if kind == "proportion" and paired:
        return _mcnemar_power(inputs["discordance"], z), inputs["discordance"], "McNemar"
    baseline = inputs["baseline"]
    widest = np.maximum(baseline, 1 - baseline)
    if kind == "proportion":
        return _two_rates_power(baseline, ratio, z), widest, "score z of two proportions"
    name = "DeLong, paired" if paired else "DeLong, unpaired"
    return _auc_power(inputs, paired, ratio, z), widest, name


def _normal_power(gap: Floats, z: float, null_se: Floats, se: Floats) -> Floats:
    """Chance that a normal estimate around `gap` lies beyond z null standard errors on either side."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = ndtr((gap - z * null_se) / se) + ndtr((-gap - z * null_se) / se)
        certain = np.where(gap > z * null_se, 1.0, 0.0)
        return np.asarray(np.where(se > 0, beyond, np.where(null_se > 0, certain, np.nan)))


def _mcnemar_power(discordance: Floats, z: float) -> PowerOf:
    def power_of(rows: Floats, gap: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.sqrt(np.maximum(discordance - gap**2, 0) / rows)
            chance = _normal_power(gap, z, np.sqrt(discordance / rows), spread)
        return np.where(gap > discordance * (1 + 1e-12), np.nan, chance)

    return power_of


def _other_rate(baseline: Floats, gap: Floats) -> Floats:
    """The other model's rate or area, on the side of the baseline where there is room; NaN where there is none."""
    other = np.where(baseline + gap <= 1 + 1e-12, baseline + gap, baseline - gap)
    return np.where(other < -1e-12, np.nan, np.clip(other, 0, 1))


def _two_rates_power(baseline: Floats, ratio: float, z: float) -> PowerOf:
    def power_of(rows: Floats, gap: Floats) -> Floats:
        other = _other_rate(baseline, gap)
        pooled = (baseline + ratio * other) / (1 + ratio)
        with np.errstate(divide="ignore", invalid="ignore"):
            null_se = np.sqrt(pooled * (1 - pooled) * (1 + 1 / ratio) / rows)
            se = np.sqrt((baseline * (1 - baseline) + other * (1 - other) / ratio) / rows)
        return np.where(np.isnan(other), np.nan, _normal_power(gap, z, null_se, se))

    return power_of


def _auc_power(inputs: dict[str, Floats], paired: bool, ratio: float, z: float) -> PowerOf:
    baseline, prevalence, correlation = inputs["baseline"], inputs["prevalence"], inputs["correlation"]

    def variance(area: Floats, rows: Floats) -> Floats:
        m, n = rows * prevalence, rows * (1 - prevalence)
        q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
        spread = area * (1 - area) + (m - 1) * (q1 - area**2) + (n - 1) * (q2 - area**2)
        return np.where((m >= 1) & (n >= 1), spread / (m * n), np.inf)

    def power_of(rows: Floats, gap: Floats) -> Floats:
        other = _other_rate(baseline, gap)
        with np.errstate(divide="ignore", invalid="ignore"):
            v1, v2 = variance(baseline, rows), variance(other, rows if paired else rows * ratio)
            shared = 2 * correlation * np.sqrt(v1 * v2) if paired else 0.0
            se = np.where(np.isfinite(v1 + v2), np.sqrt(np.maximum(v1 + v2 - shared, 0)), np.inf)
            chance = np.where(np.isinf(se), 0.0, _normal_power(gap, z, se, se))
        return np.where(np.isnan(other), np.nan, chance)

    return power_of


def _t_power(sd: Floats, paired: bool, ratio: float, alpha: float) -> PowerOf:
    from scipy.special import nctdtr, stdtrit

    def power_of(rows: Floats, gap: Floats) -> Floats:
        df = rows - 1 if paired else rows * (1 + ratio) - 2
        enough = df > 0
        df = np.where(enough, df, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            se = sd / np.sqrt(rows) if paired else sd * np.sqrt((1 + 1 / ratio) / rows)
            shift = np.where(se > 0, gap / se, np.nan)
        df = np.minimum(df, 1e6)  # from there on normal, and the noncentral t loses its digits
        critical = stdtrit(df, 1 - alpha / 2)
        above = 1 - nctdtr(df, shift, critical)
        above = np.where(np.isnan(above) & (shift > critical), 1.0, above)  # it fails at some far shifts
        below = np.where(shift > 5, 0.0, nctdtr(df, np.minimum(shift, 5), -critical))
        chance = above + below
        return np.where(enough, chance, 0.0)

    return power_of


def _rows_needed(power_of: PowerOf, gap: Floats, wanted: Floats, deff: Floats) -> Floats:
    """The fewest whole rows with the power wanted, by bisection on the logarithm; NaN where there are none."""
    with np.errstate(invalid="ignore"):
        possible = power_of(np.full(gap.shape, MOST_ROWS), gap) >= wanted
    low, high = np.zeros(gap.shape), np.full(gap.shape, np.log(MOST_ROWS))
    for _ in range(60):
        middle = (low + high) / 2
        reached = power_of(np.exp(middle) / deff, gap) >= wanted
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return np.where(possible & (gap > 0), np.ceil(np.exp(high) - 1e-6), np.nan)


def _smallest_difference(power_of: PowerOf, rows: Floats, wanted: Floats, widest: Floats) -> Floats:
    """The smallest difference found with the power wanted, by bisection; NaN where even the widest is not."""
    high = np.where(np.isinf(widest), 1.0, widest)
    for _ in range(200):  # means have no widest difference: double until it is found
        short = np.isinf(widest) & (power_of(rows, high) < wanted) & (high < 1e150)
        if not short.any():
            break
        high = np.where(short, high * 2, high)
    possible = power_of(rows, high) >= wanted
    low = np.zeros(rows.shape)
    for _ in range(55):
        middle = (low + high) / 2
        reached = power_of(rows, middle) >= wanted
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return np.where(possible, high, np.nan)
