"""Numbers behind a reliability diagram, from tie tables: points, bands, bars, errors and the summary, all as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.calibration.bands import (
    binned_consistency,
    consistency_band,
    hosmer_lemeshow,
    isotonic_confidence,
    mean_bias,
    smooth_curve,
)
from dfevals.inference.levels import normal_quantile, t_quantile
from dfevals.inference.proportions import wilson
from dfevals.inference.records import agreeing
from dfevals.metrics.reliability import (
    CUTS,
    ScoreSums,
    decompose,
    ece_of,
    logistic_recalibration,
    ratio,
    smooth_ece_of,
    spiegelhalter_of,
)
from dfevals.tally.scores import ScoreTally
from dfevals.tally.ties import BinSums, TieTable, quantile_cuts, uniform_cuts

__all__ = [
    *("BARS", "ERROR_BINS", "NO_BAND", "Placed", "Settings", "bars_of", "before_and_after", "binned_points"),
    *("errors_of", "even_sums", "points_of", "summary_names", "summary_of"),
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Placed = tuple[Ints, dict[str, Any]]  # the cohort of every row, and columns
FEW_EVENTS = 5  # of an outcome, expected or seen
GROUPS = 10  # of the Hosmer–Lemeshow test
ERROR_BINS = 15
BARS = 40  # of the histogram of scores


@dataclass(frozen=True)
class Settings:
    """How curves are made."""

    strategy: str = "corp"
    bins: int = 10
    band: str | None = "consistency"
    level: float = 0.95
    n_resamples: int = 1000


def even_sums(ties: TieTable, *bins: int) -> list[BinSums]:
    """Sums over bins of equal width, for several numbers of bins."""
    return ties.sums_of(*(uniform_cuts(ties, number) for number in bins))


def errors_of(even: BinSums, rows: Floats, level: float) -> dict[str, Any]:
    """Errors of every cohort, binned by `ERROR_BINS` bins of equal width."""
    errors = ece_of(even, len(rows))
    low, high = errors.bounds(level)
    return {
        "n": whole(rows),
        "ece": errors.debiased,
        "ece_low": low,
        "ece_high": high,
        "ece_plugin": errors.plugin,
        "mce": errors.greatest,
    }


NO_BAND: Placed = (np.zeros(0, np.int64), {"score": np.zeros(0), "low": np.zeros(0), "high": np.zeros(0)})


def points_of(run: Settings, ties: TieTable, rng: np.random.Generator) -> tuple[Placed, Placed]:
    """Points of the curves with their intervals, and the band between the points."""
    if run.strategy == "smooth":
        return _smooth_points(run, ties)
    if run.strategy == "corp":
        starts = ties.pools()
        sums = ties.sums(starts)
        if run.band == "consistency":
            groups, low, high = consistency_band(ties, run.n_resamples, run.level, rng)
            ends = [_between(groups, edge, sums) for edge in (low, high)]
            return _placed(sums, *ends), (groups.cohort, {"score": groups.score, "low": low, "high": high})
        if run.band == "confidence":
            most = int(np.clip(12_800 / max(ties.n_cohorts, 1), 100, 400))
            low, high = isotonic_confidence(ties, starts, run.level, most)
            low, high = np.fmin(low, sums.observed), np.fmax(high, sums.observed)
            points = _placed(sums, low, high)
            return points, (sums.cohort, {"score": sums.score_mean, "low": low, "high": high})
        none = np.full(len(starts), np.nan)
        return _placed(sums, none, none), NO_BAND
    return binned_points(run, ties.sums(CUTS[run.strategy](ties, run.bins)), rng), NO_BAND


def binned_points(run: Settings, sums: BinSums, rng: np.random.Generator) -> Placed:
    """Points of binned curves with their intervals."""
    if run.band is None:
        low = high = np.full(len(sums.n), np.nan)
    elif run.band == "consistency":
        low, high = binned_consistency(sums, run.n_resamples, run.level, rng)
    else:
        found = wilson(sums.observed * sums.n_eff, sums.n_eff, run.level)
        low, high = np.asarray(found.ci_low), np.asarray(found.ci_high)
    return _placed(sums, low, high)


def _placed(sums: BinSums, low: Floats, high: Floats) -> Placed:
    columns = {
        "bin": np.arange(len(sums.n)) - np.searchsorted(sums.cohort, sums.cohort),
        "score_mean": sums.score_mean,
        "observed": sums.observed,
        "ci_low": low,
        "ci_high": high,
        "n": whole(sums.n),
        "score_min": sums.low,
        "score_max": sums.high,
    }
    return sums.cohort, columns


def whole(values: Floats) -> npt.NDArray[Any]:
    """Counts as whole numbers, sums of weights as they are."""
    return values.astype(np.int64) if (values % 1 == 0).all() else values


def _between(groups: TieTable, edge: Floats, sums: BinSums) -> Floats:
    """The band's edge at the mean scores of the bins."""
    out = np.empty(len(sums.n))
    bounds = np.searchsorted(sums.cohort, np.arange(groups.n_cohorts + 1))
    for i, (first, last) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        part = slice(groups.offsets[i], groups.offsets[i + 1])
        if last > first:
            out[first:last] = np.interp(sums.score_mean[first:last], groups.score[part], edge[part])
    return out


def _smooth_points(run: Settings, ties: TieTable) -> tuple[Placed, Placed]:
    """The kernel curve on a grid; its width is 1.06 standard deviations of the scores · n^(−1/3).

    That is narrower than the n^(−1/5) with the least squared error: at that width the bias is as large as the standard error,
    and no interval holds its level.
    """
    n = np.where(ties.rows > 0, ties.rows, 1)
    total = np.where(ties.total(ties.n) > 0, ties.total(ties.n), 1)
    mean = ties.total(ties.n * ties.score) / total
    spread = np.sqrt(ties.total(ties.n * (ties.score - mean[ties.cohort]) ** 2) / total)
    width = np.clip(1.06 * spread * n ** (-1 / 3), 0.01, 1)
    curve = smooth_curve(ties, width)
    cohort, place = np.nonzero(np.isfinite(curve.observed))
    at = (cohort, place)
    if run.band == "consistency":
        reach = normal_quantile(run.level) * curve.null_se[at]
        low, high = np.clip(curve.score[at] - reach, 0, 1), np.clip(curve.score[at] + reach, 0, 1)
    else:
        found = wilson(curve.observed[at] * curve.n[at], curve.n[at], run.level)
        low, high = np.asarray(found.ci_low), np.asarray(found.ci_high)
    if run.band is None:
        low = high = np.full(len(cohort), np.nan)
    score = curve.score[at]
    first = np.searchsorted(cohort, np.arange(ties.n_cohorts))
    columns = {
        "bin": np.arange(len(cohort)) - first[cohort],
        "score_mean": score,
        "observed": curve.observed[at],
        "ci_low": low,
        "ci_high": high,
        "n": curve.n[at],
        "score_min": score,
        "score_max": score,
    }
    return (cohort, columns), (cohort, {"score": score, "low": low, "high": high})


def bars_of(sums: BinSums) -> Placed:
    """The histogram of the scores, from sums over `BARS` bins."""
    bar = np.clip(np.ceil(sums.high * BARS - 1e-9).astype(np.int64) - 1, 0, BARS - 1)
    return sums.cohort, {"score_min": bar / BARS, "score_max": (bar + 1) / BARS, "n": sums.n}


def summary_of(ties: TieTable, errors: dict[str, Any], level: float) -> dict[str, Any]:
    """All numbers of every cohort."""
    from scipy.special import stdtr

    size = ties.n_cohorts
    line, z = logistic_recalibration(ties), spiegelhalter_of(ties)
    brier, log = decompose(ties)
    groups, equal = ties.sums_of(quantile_cuts(ties, GROUPS), quantile_cuts(ties, ERROR_BINS))
    statistic, degrees, p = hosmer_lemeshow(groups, size)
    bias, bias_low, bias_high, bias_z = mean_bias(ties, level)
    sums = ScoreSums.of(ties)
    total = np.where(sums.n > 0, sums.n, np.nan)
    intercept_reach = t_quantile(level, line.intercept_df) * line.intercept_se
    slope_reach = t_quantile(level, line.slope_df) * line.slope_se
    spiegelhalter_p = _two_sided(ties, z, sums.spread, sums.spread_third)
    bias_p = _two_sided(ties, -bias_z, sums.null, sums.null_third)
    slope_z = ratio(line.slope - 1, line.slope_se)
    slope_p = 2 * stdtr(np.where(line.slope_df > 0, line.slope_df, np.nan), -np.abs(slope_z))
    bias_low, bias_high = agreeing(bias_low, bias_high, bias, bias_p, level)
    columns: dict[str, Any] = {
        "n": whole(ties.rows),
        "observed": sums.pos / total,
        "score_mean": sums.score / total,
        "bias": bias,
        "bias_low": bias_low,
        "bias_high": bias_high,
        "bias_p": bias_p,
        **{name: values for name, values in errors.items() if name != "n"},
        "ace": ece_of(equal, size).plugin,
        "smooth_ece": smooth_ece_of(ties),
        "calibration_intercept": line.intercept,
        "calibration_intercept_low": line.intercept - intercept_reach,
        "calibration_intercept_high": line.intercept + intercept_reach,
        "calibration_slope": line.slope,
        "calibration_slope_low": line.slope - slope_reach,
        "calibration_slope_high": line.slope + slope_reach,
        "calibration_slope_p": slope_p,
        "calibration_in_the_large": line.large,
        "spiegelhalter_z": z,
        "spiegelhalter_p": spiegelhalter_p,
        "hosmer_lemeshow": statistic,
        "hosmer_lemeshow_df": degrees,
        "hosmer_lemeshow_p": p,
    }
    for name, parts in (("brier", brier), ("log_loss", log)):
        columns |= {
            name: parts.score,
            f"{name}_miscalibration": parts.miscalibration,
            f"{name}_discrimination": parts.discrimination,
            f"{name}_uncertainty": parts.uncertainty,
        }
    columns["refinement"] = brier.uncertainty - brier.discrimination
    columns["few"] = ties.rows * _rarer(sums) < FEW_EVENTS
    return columns


@lru_cache(maxsize=1)
def summary_names() -> tuple[str, ...]:
    """Names of all numbers, those of `errors_of` left out."""
    score, label = np.array([0.2, 0.4, 0.6, 0.8]), np.array([False, True, False, True])
    ties = TieTable.of(ScoreTally.collect(np.zeros(4, np.int8), 1, score, label))
    return tuple(summary_of(ties, {}, 0.95))


def _rarer(sums: ScoreSums) -> Floats:
    """Share of the rarer outcome, expected or observed, whichever is more: few of neither tell nothing."""
    total = np.where(sums.n > 0, sums.n, np.nan)
    expected, observed = sums.score / total, sums.pos / total
    return np.minimum(np.maximum(expected, observed), 1 - np.minimum(expected, observed))


def _two_sided(ties: TieTable, z: Floats, variance: Floats, third: Floats) -> Floats:
    """p of a standardised sum of outcomes if the scores are calibrated, from its second and third moment; t with clusters.

    Sums over rare outcomes are skewed, so their law is that of a gamma variable with the same skewness (Pearson's type III).
    """
    from scipy.special import gammainc, gammaincc, stdtr

    if ties.clusters is not None:
        return np.asarray(2 * stdtr(np.where(ties.df > 0, ties.df, np.nan), -np.abs(z)))
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = third / variance**1.5
    shape = 4 / np.maximum(np.abs(skew), 1e-3) ** 2
    at = np.maximum(shape + np.where(skew < 0, -z, z) * np.sqrt(shape), 0)
    return np.asarray(np.minimum(2 * np.minimum(gammainc(shape, at), gammaincc(shape, at)), 1))


def before_and_after(stages: list[str], ties: list[TieTable]) -> list[pd.DataFrame]:
    """Points, band, bars and errors of some tie tables of one cohort each, named in the column `stage`."""
    rng = np.random.default_rng(0)
    found: list[list[pd.DataFrame]] = [[], [], [], []]
    for stage, table in zip(stages, ties, strict=True):
        points, band = points_of(Settings(), table, rng)
        even, histogram = even_sums(table, ERROR_BINS, BARS)
        numbers, bars = errors_of(even, table.rows, 0.95), bars_of(histogram)
        for frames, columns in zip(found, (points[1], band[1], bars[1], numbers), strict=True):
            frames.append(pd.DataFrame({"stage": stage, **columns, "is_overall": False}))
    return [pd.concat(frames, ignore_index=True) for frames in found]
