"""A metric by period, with limits and alarms (`ev.monitor`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.monitor.monitor_result import MonitorResult
from dfevals.inference.sequential import FIRST, Change, change, control_limits, e_bh, forecast_residuals, running_mean
from dfevals.results.result import MetricsResult
from dfevals.results.tidy import OVERALL

__all__ = ["WAYS", "monitor"]

Floats = npt.NDArray[np.float64]
WAYS = ("worse", "better", "both")
MISSING = "<NA>"


@dataclass(frozen=True)
class Asked:
    """What every series is asked."""

    level: float
    alpha: float
    least: float
    direction: str


def monitor(parts: Sequence[tuple[MetricsResult, str]], ask: Asked, *, provenance: Any, title: str) -> MonitorResult:
    """Judge the series of one metric.

    Parameters
    ----------
    parts : sequence of (MetricsResult, str)
        Values by period, and by cohort and period, each with the name of its period column.
    """
    frame, cohorts = _long(parts)
    way = _way(ask.direction, parts[0][0])
    keys = [*cohorts, "model", "metric"]
    pieces, found = [], []
    for key, rows in frame.groupby(keys, sort=False, observed=True):
        piece, seen = _judged(rows, ask, way)
        pieces.append(piece)
        found.append((key, piece, seen))
    whole = pd.concat(pieces, ignore_index=True) if pieces else frame
    whole["alarm"] = _alarms(whole, keys, ask)
    alarms = _told(found, keys, whole, ask)
    if ask.least > 0:  # a change that is certain and too small is no alarm
        loud = alarms[alarms["difference"].abs() >= ask.least]
        marked = pd.MultiIndex.from_frame(whole[keys]).isin(pd.MultiIndex.from_frame(loud[keys]))
        whole["alarm"] &= marked
        alarms = loud.reset_index(drop=True)
    notes = list(dict.fromkeys(note for result, _ in parts for note in result.notes if "flags" not in note.lower()))
    return MonitorResult(
        whole, alarms=alarms, level=ask.level, title=title, provenance=provenance,
        notes=[*_method(ask, way, len(found)), *notes], cohort_columns=tuple(cohorts),
    )  # fmt: skip


def _long(parts: Sequence[tuple[MetricsResult, str]]) -> tuple[pd.DataFrame, list[str]]:
    """Values of all series, one after the other, each in order of time; the cohort columns in front."""
    names = [name for name in parts[-1][0].cohort_columns if name != parts[-1][1]]
    frames = []
    for result, column in parts:
        rows = result.frame
        rows = rows[~rows["is_overall"] & (rows[column] != MISSING)]
        rows = rows.assign(period=rows[column].astype(str), **{name: OVERALL for name in names if name not in rows})
        frames.append(rows.sort_values("period", kind="stable"))
    kept = [*names, "model", "metric", "period", "value", "ci_low", "ci_high", "n", "note"]
    found = pd.concat(frames, ignore_index=True)[kept]
    return found.assign(is_overall=(found[names] == OVERALL).all(axis=1) if names else True), names


def _way(direction: str, result: MetricsResult) -> int:
    """1 and −1 where only a rise or a fall is looked for, 0 for both."""
    better = next(iter(result._better.values()), None)
    if direction == "both" or better is None:
        return 0
    return (1 if better == "higher" else -1) * (1 if direction == "better" else -1)


def _judged(rows: pd.DataFrame, ask: Asked, way: int) -> tuple[pd.DataFrame, Change]:
    from scipy import stats

    value, n = rows["value"].to_numpy(float), rows["n"].to_numpy(float)
    reach = (rows["ci_high"] - rows["ci_low"]).to_numpy(float) / 2
    own = reach / stats.norm.ppf((1 + ask.level) / 2)
    errors = _pooled(own, n)
    deviates = forecast_residuals(value, errors)
    seen = change(deviates, ask.alpha, way, ask.level)
    quiet = slice(None, seen.since if seen.since >= 2 else None)
    centre, least, most = control_limits(value, errors, quiet)
    low, high = running_mean(value, errors, ask.level)
    columns = {
        "limit_low": least, "limit_high": most, "sequence_low": low, "sequence_high": high, "deviate": deviates,
        "evidence": seen.evidence,
    }  # fmt: skip
    piece = rows.assign(centre=centre, **columns)
    piece["outside"] = (piece["value"] < piece["limit_low"]) | (piece["value"] > piece["limit_high"])
    return piece, seen


def _pooled(own: Floats, n: Floats) -> Floats:
    """Standard errors from the variance of a row over all periods until then, not from a period's own few rows: a period
    that is low by chance would be sure of itself."""
    known = np.isfinite(own) & (n > 0)
    share = np.cumsum(np.where(known, own**2 * n * n, 0.0)) / np.maximum(np.cumsum(np.where(known, n, 0.0)), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.sqrt(share / n)
    return np.where(known & (found > 0), found, np.nan)


def _alarms(whole: pd.DataFrame, keys: list[str], ask: Asked) -> npt.NDArray[np.bool_]:
    """Which looks are in alarm: all series together by e-BH at every period; an alarm stays."""
    series = whole.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
    period = pd.factorize(whole["period"], sort=True)[0]
    table = np.ones((int(series.max()) + 1, int(period.max()) + 1)) if len(whole) else np.ones((0, 0))
    table[series, period] = whole["evidence"]
    found = np.zeros(table.shape, bool)
    for at in range(table.shape[1]):
        found[:, at] = e_bh(table[:, at], ask.alpha) | (found[:, at - 1] if at else False)
    return found[series, period]


def _told(
    found: Sequence[tuple[Any, pd.DataFrame, Change]], keys: list[str], whole: pd.DataFrame, ask: Asked
) -> pd.DataFrame:
    """One row per series in alarm: since when, from what to what."""
    rows = []
    for key, piece, seen in found:
        marked = np.logical_and.reduce([whole[name] == part for name, part in zip(keys, key, strict=True)])
        mine = whole[marked]
        if seen.since < 0 or not mine["alarm"].any():
            continue
        value, n = piece["value"].to_numpy(float), piece["n"].to_numpy(float)
        sides = [_mean(value[part], n[part]) for part in (slice(None, seen.since), slice(seen.since, None))]
        period = piece["period"].tolist()
        rows.append(
            dict(zip(keys, key, strict=True))
            | {"alarm_at": mine["period"][mine["alarm"]].iloc[0], "since": period[seen.since]}
            | {"since_low": period[seen.since_low], "since_high": period[seen.since_high]}
            | {"before": sides[0], "after": sides[1], "difference": sides[1] - sides[0]}
            | {"evidence": float(piece["evidence"].max())}
        )
    names = ("alarm_at", "since", "since_low", "since_high", "before", "after", "difference", "evidence")
    return pd.DataFrame(rows, columns=[*keys, *names])


def _mean(values: Floats, n: Floats) -> float:
    known = np.isfinite(values) & (n > 0)
    return float(np.average(values[known], weights=n[known])) if known.any() else np.nan


def _method(ask: Asked, way: int, series: int) -> list[str]:
    looked = {0: "a change", 1: "a rise", -1: "a fall"}[way]
    together = f" over the {series} series together (e-BH)" if series > 1 else ""
    return [
        f"alarm: {looked} at some unknown time, at a chance of {ask.alpha:g} of ever being wrong{together}, however often one "
        f"looks; from the period after the first {FIRST} on. Limits: three standard deviations, of sampling and between periods "
        f"(Laney). sequence: {ask.level:.0%} confidence sequence of the mean over periods."
    ]
