"""Agreement of raters: Cohen's kappa, Fleiss' kappa and Krippendorff's alpha."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfevals.exceptions import DataError, check_choice
from dfevals.inference.levels import check_level, normal_quantile, t_quantile
from dfevals.inference.proportions import wilson
from dfevals.inference.records import Estimate, HypothesisTest, agreeing

__all__ = ["cohen_kappa", "fleiss_kappa", "krippendorff_alpha"]

Floats = NDArray[np.float64]
NAN = float("nan")
PSEUDO_COUNTS = 2.0
MAX_LABELS = 2000  # the table of all pairs of labels is held in memory
FEW_UNITS = 10
NO_INTERVAL = "no interval: units do not vary in disagreement"


def cohen_kappa(
    a: ArrayLike, b: ArrayLike, weights: str | None = None, labels: ArrayLike | None = None, level: float = 0.95
) -> HypothesisTest:
    """Cohen's kappa of two raters: agreement beyond chance.

    Parameters
    ----------
    a, b : array, shape (n,)
        Labels given by the two raters; rows where one is missing are left out.
    weights : {None, "linear", "quadratic"}
        Credit for near misses, by the distance of the labels in their order.
    labels : array, optional
        The categories in order; by default the sorted labels seen.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        `estimate` is kappa in [−1, 1]; `statistic` and `p_value` test kappa = 0. The interval is the envelope of Wilson's
        on the observed agreement, with the effective size that gives kappa's delta variance, and the delta interval on
        Fisher's z with two pseudo-counts: simulated coverage .90 to 1 from n = 30 for kappa 0 to .96. NaN where both
        raters use one and the same label.

    Raises
    ------
    DataError
        Lengths differ, or a label is not among `labels`.

    Examples
    --------
    >>> test = cohen_kappa(["y", "y", "n", "n", "y", "n", "y", "y"], ["y", "n", "n", "n", "y", "n", "y", "n"])
    >>> round(test.estimate, 4)
    0.5294

    References
    ----------
    Cohen (1960), Educational and Psychological Measurement 20; Fleiss, Cohen & Everitt (1969), "Large sample standard
    errors of kappa and weighted kappa", Psychological Bulletin 72.
    """
    check_choice("weights", weights, (None, "linear", "quadratic"), DataError)
    check_level(level)
    return kappa_of_counts(_cross_table(a, b, labels), weights, level)


def kappa_of_counts(counts: Floats, weights: str | None = None, level: float = 0.95) -> HypothesisTest:
    """Cohen's kappa from the table of both raters' labels, (k, k); see `cohen_kappa`.

    Examples
    --------
    >>> round(kappa_of_counts(np.array([[5.0, 0.0], [1.0, 4.0]])).estimate, 3)
    0.8
    """
    n, k = counts.sum(), counts.shape[0]
    method = "Cohen's kappa" + (f", {weights} weights" if weights else "")
    if n == 0:
        return HypothesisTest(method=method, level=level, n=0, note="no rows rated by both")
    credit = _credit(k, weights)
    kappa, se, null_se = _kappa(counts, credit)
    if np.isnan(kappa):
        return HypothesisTest(method=method, level=level, n=int(n), note="both raters use one and the same label")
    statistic = kappa / null_se if null_se > 0 else NAN
    p_value = _normal_p(statistic)
    low, high = agreeing(*_kappa_bounds(counts, credit, kappa, se, level), kappa, p_value, level)
    return HypothesisTest(
        estimate=kappa,
        ci_low=float(low),
        ci_high=float(high),
        statistic=statistic,
        p_value=p_value,
        level=level,
        method=method,
        n=int(n),
    )


def _cross_table(a: ArrayLike, b: ArrayLike, labels: ArrayLike | None) -> Floats:
    """Counts of each pair of labels, over the rows where neither is missing."""
    first, second = pd.Series(_as_ratings(a)), pd.Series(_as_ratings(b))
    if len(first) != len(second):
        raise DataError(f"a and b must have the same length; found {len(first)} and {len(second)}.")
    rated = (first.notna() & second.notna()).to_numpy()
    first, second = first[rated], second[rated]
    seen = pd.Index(pd.concat([first, second]).unique())
    order = pd.Index(sorted(seen, key=lambda v: (isinstance(v, str), v)) if labels is None else np.asarray(labels))
    unknown = seen.difference(order, sort=False)
    if len(unknown):
        raise DataError(f"label {unknown[0]!r} is not among labels={list(order)!r}.")
    k = len(order)
    if k > MAX_LABELS:
        raise DataError(
            f"a and b hold {k:,} different labels, more than {MAX_LABELS:,}. For numbers use "
            "krippendorff_alpha([a, b], level='interval')."
        )
    pairs = order.get_indexer(first) * k + order.get_indexer(second)
    return np.bincount(pairs, minlength=k * k).reshape(k, k).astype(np.float64)


def _as_ratings(values: ArrayLike) -> NDArray[np.generic]:
    """An array that keeps missing values beside text, which NumPy would turn into the word "nan"."""
    return np.asarray(values) if hasattr(values, "dtype") else np.asarray(values, dtype=object)


def _credit(k: int, weights: str | None) -> Floats:
    """Agreement weights: 1 on the diagonal, less with distance."""
    if weights is None:
        return np.eye(k)
    distance = np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / max(k - 1, 1)
    return np.asarray(1 - distance if weights == "linear" else 1 - distance**2)


def _kappa(counts: Floats, credit: Floats) -> tuple[float, float, float]:
    """Kappa, its standard error, and its standard error if kappa were 0."""
    n = counts.sum()
    share = counts / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    chance = np.outer(rows, columns)
    observed, expected = (credit * share).sum(), (credit * chance).sum()
    if expected >= 1 - 1e-12:
        return NAN, NAN, NAN
    kappa = (observed - expected) / (1 - expected)
    mean_credit = (credit @ columns)[:, None] + (rows @ credit)[None, :]
    variance = (share * (credit - mean_credit * (1 - kappa)) ** 2).sum() - (kappa - expected * (1 - kappa)) ** 2
    null = (chance * (credit - mean_credit) ** 2).sum() - expected**2
    scale = np.sqrt(n) * (1 - expected)
    return float(kappa), float(np.sqrt(max(variance, 0)) / scale), float(np.sqrt(max(null, 0)) / scale)


def _kappa_bounds(counts: Floats, credit: Floats, kappa: float, se: float, level: float) -> tuple[float, float]:
    """Envelope of two intervals: one holds its level near 1 and with few disagreements, the other for rare labels."""
    n, share = counts.sum(), counts / counts.sum()
    observed = (credit * share).sum()
    expected = (credit * np.outer(share.sum(axis=1), share.sum(axis=0))).sum()
    spread = (se * (1 - expected)) ** 2
    effective = observed * (1 - observed) / spread if spread > 0 and observed < 1 else n
    agreed = wilson(observed * effective, effective, level)
    bounds = [(end - expected) / (1 - expected) for end in (agreed.ci_low, agreed.ci_high)]
    smooth, smooth_se, _ = _kappa(counts + PSEUDO_COUNTS / counts.size, credit)
    half = normal_quantile(level) * smooth_se / (1 - smooth**2)
    bounds += [np.tanh(np.arctanh(smooth) - half), np.tanh(np.arctanh(smooth) + half)]
    return float(max(min(*bounds, kappa), -1)), float(min(max(*bounds, kappa), 1))


def fleiss_kappa(counts: ArrayLike, level: float = 0.95) -> HypothesisTest:
    """Fleiss' kappa of several raters who each rate every unit once.

    Parameters
    ----------
    counts : array, shape (units, categories)
        How many raters put each unit into each category; all rows have the same sum of at least 2. Rows of zeros are
        left out.
    level : float
        Confidence level.

    Returns
    -------
    HypothesisTest
        `estimate` is kappa in [−1, 1], `n` the units. The interval treats units as the sample (Gwet 2008), on the
        scale of log(1 − kappa); `statistic` and `p_value` test kappa = 0. NaN where all ratings are of one category.

    Raises
    ------
    DataError
        Units with different numbers of ratings (`krippendorff_alpha` allows them), or fewer than two raters.

    Examples
    --------
    >>> round(fleiss_kappa([[3, 0], [2, 1], [0, 3], [1, 2], [3, 0]]).estimate, 4)
    0.4444

    References
    ----------
    Fleiss (1971), "Measuring nominal scale agreement among many raters", Psychological Bulletin 76; Fleiss, Nee &
    Landis (1979), Psychological Bulletin 86; Gwet (2008), "Computing inter-rater reliability and its variance in the
    presence of high agreement", British Journal of Mathematical and Statistical Psychology 61.
    """
    check_level(level)
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2:
        raise DataError(f"counts must have shape (units, categories); found {table.shape}.")
    table = table[table.sum(axis=1) > 0]
    units = table.shape[0]
    if units == 0:
        return HypothesisTest(method="Fleiss' kappa", level=level, n=0, note="no units")
    raters = table[0].sum()
    if (table.sum(axis=1) != raters).any() or raters < 2:
        found = sorted(set(table.sum(axis=1).tolist()))
        raise DataError(
            f"every unit needs the same number of ratings, at least 2; found {found}. "
            "Use krippendorff_alpha for missing ratings."
        )
    share = table.mean(axis=0) / raters
    agreed = ((table**2).sum(axis=1) - raters) / (raters * (raters - 1))
    expected = (share**2).sum()
    if expected >= 1 - 1e-12:
        return HypothesisTest(method="Fleiss' kappa", level=level, n=units, note="all ratings are of one category")
    kappa = (agreed.mean() - expected) / (1 - expected)
    influence = (agreed - expected) / (1 - expected)
    influence = influence - 2 * (1 - kappa) * (table @ share / raters - expected) / (1 - expected)
    se = influence.std(ddof=1) / np.sqrt(units) if units > 1 else NAN
    bounds = _below_one(float(1 - kappa), float(se), float(t_quantile(level, units - 1)))
    statistic = kappa / _fleiss_null_se(share, units, raters)
    p_value = _normal_p(statistic)
    low, high = agreeing(max(bounds[0], -1.0), bounds[1], kappa, p_value, level)
    return HypothesisTest(
        estimate=float(kappa),
        ci_low=float(low),
        ci_high=float(high),
        statistic=float(statistic),
        p_value=p_value,
        level=level,
        method="Fleiss' kappa",
        n=units,
        note=_interval_note(float(low), units),
    )


def _interval_note(low: float, units: int) -> str:
    if not np.isfinite(low):
        return NO_INTERVAL
    return f"too few units: {units}" if units < FEW_UNITS else ""


def _fleiss_null_se(share: Floats, units: int, raters: float) -> float:
    """Standard error of Fleiss' kappa if raters agreed by chance alone (Fleiss, Nee & Landis 1979)."""
    p_q = share * (1 - share)
    total = p_q.sum()
    spread = total**2 - (p_q * (1 - 2 * share)).sum()
    return float(np.sqrt(2 * spread / (units * raters * (raters - 1))) / total)


def krippendorff_alpha(ratings: ArrayLike, level: str = "nominal", confidence: float = 0.95) -> Estimate:
    """Krippendorff's alpha of any number of raters, with missing ratings.

    Parameters
    ----------
    ratings : array, shape (raters, units)
        One row per rater, one column per unit; missing values (NaN, None) are allowed. Only "nominal" takes text.
    level : {"nominal", "ordinal", "interval", "ratio"}
        Level of measurement.
    confidence : float
        Confidence level of the interval.

    Returns
    -------
    Estimate
        `estimate` is alpha, at most 1; `n` the units with two ratings or more, on which alone it rests. The interval is
        a delta interval over units on the scale of log(1 − alpha), cut at −1; with fewer than ten units `note` says so.
        NaN where all ratings are alike.

    Raises
    ------
    DataError
        Not two-dimensional, an unknown level, text at a numeric level, or negative values at the ratio level.

    Examples
    --------
    >>> round(krippendorff_alpha([[1, 2, 3, 3], [1, 2, 3, 2], [float("nan"), 2, 3, 3]]).estimate, 3)
    0.737

    References
    ----------
    Krippendorff (2011), "Computing Krippendorff's alpha-reliability", University of Pennsylvania; Hayes & Krippendorff
    (2007), "Answering the call for a standard reliability measure for coding data", Communication Methods and
    Measures 1.
    """
    check_choice("level", level, ("nominal", "ordinal", "interval", "ratio"), DataError)
    check_level(confidence, "confidence")
    codes, values = _pairable(ratings, level)
    method = f"Krippendorff's alpha, {level}"
    units = codes.shape[1]
    if units == 0:
        return Estimate(method=method, level=confidence, n=0, note="no unit has two ratings")
    totals = np.bincount(codes[codes >= 0], minlength=values.size).astype(np.float64)
    if level == "ordinal":  # the count of ratings between two values, half of either end, is a difference of mid-ranks
        values = np.cumsum(totals) - totals / 2
    per_unit = (codes >= 0).sum(axis=0).astype(np.float64)
    observed = _within_units(codes, values, level) / (per_unit - 1)
    expected = np.where(codes >= 0, _to_all(values, totals, level)[codes], 0.0).sum(axis=0)
    if expected.sum() <= 0:
        return Estimate(method=method, level=confidence, n=units, note="all ratings are alike")
    total = per_unit.sum()
    disagreement = (total - 1) * observed.sum() / expected.sum()
    low, high = _log_delta(disagreement, observed, per_unit, expected, confidence)
    return Estimate(
        estimate=float(1 - disagreement),
        ci_low=max(low, min(-1.0, 1 - disagreement)),  # two raters who always differ have −1, more raters more
        ci_high=high,
        level=confidence,
        method=method,
        n=units,
        note=_interval_note(low, units),
    )


def _pairable(ratings: ArrayLike, level: str) -> tuple[NDArray[np.intp], Floats]:
    """Codes of the ratings of the units with two or more, packed upwards with −1 below, and the values of the codes."""
    table = _as_ratings(ratings)
    if table.ndim != 2:
        raise DataError(f"ratings must have shape (raters, units); found {table.shape}.")
    if level != "nominal":
        try:
            numeric = np.asarray(table, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"level={level!r} needs numbers; text ratings are level='nominal'.") from error
        if level == "ratio" and (numeric < 0).any():
            raise DataError("level='ratio' needs values of 0 or more; found a negative rating.")
        table = numeric
    flat, _ = pd.factorize(table.ravel())
    codes = -np.sort(-flat.reshape(table.shape), axis=0)
    several = (codes >= 0).sum(axis=0) > 1
    codes = codes[: int((codes >= 0).sum(axis=0).max(initial=0)), several]
    if level == "nominal":
        numbers = np.arange(flat.max(initial=-1) + 1, dtype=np.float64)
        return codes, numbers
    rated = np.asarray(table[:, several], dtype=np.float64)
    numbers = np.unique(rated[~np.isnan(rated)])
    ordered = -np.sort(-rated, axis=0)[: codes.shape[0]]  # missing values sort last
    packed = np.where(np.isnan(ordered), -1, np.searchsorted(numbers, ordered))
    return packed.astype(np.intp), numbers


def _squared_distance(first: Floats, second: Floats, level: str) -> Floats:
    """Krippendorff's squared difference of values at a level of measurement."""
    if level == "nominal":
        return np.asarray(first != second, dtype=np.float64)
    gaps = first - second
    if level == "ratio":
        sums = first + second
        gaps = np.divide(gaps, sums, out=np.zeros(np.shape(gaps)), where=sums > 0)
    squared: Floats = gaps**2
    return squared


def _within_units(codes: NDArray[np.intp], values: Floats, level: str) -> Floats:
    """Sum over the ordered pairs of ratings of each unit of their squared distance."""
    total = np.zeros(codes.shape[1])
    for later in range(1, codes.shape[0]):
        both = codes[later] >= 0  # packed: earlier ratings are then there too
        here = values[codes[later, both]]
        for earlier in range(later):
            total[both] += 2 * _squared_distance(values[codes[earlier, both]], here, level)
    return total


def _to_all(values: Floats, totals: Floats, level: str) -> Floats:
    """Squared distance of each value to all ratings together."""
    if level == "nominal":
        return np.asarray(totals.sum() - totals)
    if level != "ratio":
        mean = (totals @ values) / totals.sum()
        return np.asarray(totals.sum() * (values - mean) ** 2 + totals @ (values - mean) ** 2)
    blocks = np.array_split(values, 1 + values.size**2 // 10**6)
    return np.concatenate([_squared_distance(block[:, None], values[None, :], level) @ totals for block in blocks])


def _log_delta(
    disagreement: float, observed: Floats, per_unit: Floats, expected: Floats, confidence: float
) -> tuple[float, float]:
    """Interval of alpha from the influence of each unit on log(1 − alpha)."""
    units = observed.size
    if disagreement <= 0 or units < 2:
        return NAN, NAN
    influence = observed / observed.sum() + per_unit / (per_unit.sum() - 1) - 2 * expected / expected.sum()
    se = disagreement * influence.std(ddof=1) * np.sqrt(units)
    return _below_one(disagreement, float(se), float(t_quantile(confidence, units - 1)))


def _below_one(disagreement: float, se: float, quantile: float) -> tuple[float, float]:
    """Interval of 1 − disagreement that is symmetric on the scale of log(disagreement), so that it stays below 1."""
    if not (disagreement > 0 and se > 0):
        return NAN, NAN
    factor = np.exp(quantile * se / disagreement)
    return float(1 - disagreement * factor), float(1 - disagreement / factor)


def _normal_p(statistic: float) -> float:
    """Two-sided p-value of a standard normal statistic."""
    from scipy.special import ndtr

    return float(2 * ndtr(-abs(statistic)))
