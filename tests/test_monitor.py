"""A metric over time: false alarms over many looks, power after a quiet year, limits, series together, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dfevals.analyses.monitor.monitor_result import MonitorResult
from dfevals.exceptions import DfevalsError
from dfevals.inference import sequential


def days(rates: np.ndarray, n: int, seed: int = 0, group: str = "a") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    at = np.repeat(np.arange(len(rates)), n)
    stamp = pd.Timestamp("2026-01-01") + pd.to_timedelta(at, unit="D")
    return pd.DataFrame({"ok": rng.random(len(at)) < np.repeat(rates, n), "at": stamp, "g": group})


def of(frame: pd.DataFrame, **options: object) -> MonitorResult:
    return frame.evals(outcomes=["ok"], time="at").monitor("pass_rate", "day", **options)


def pooled(values: np.ndarray, n: int) -> np.ndarray:
    return np.sqrt(np.cumsum(values * (1 - values)) / np.arange(1, len(values) + 1) / n)


def test_deviates_are_standard_normal_without_a_change() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        values = rng.normal(5, np.hypot(0.3, 0.2), 60)
        found.append(sequential.forecast_residuals(values, np.full(60, 0.2))[15:])
    z = np.concatenate(found)
    assert abs(z.mean()) < 0.05
    assert abs(z.std() - 1) < 0.06
    assert stats.kstest(z, "norm").pvalue > 0.001


def test_false_alarms_over_many_looks() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for spread in (0.0, 0.01):
        for _ in range(20):
            rates = np.clip(0.9 + spread * rng.normal(size=300), 0, 1)
            values = rng.binomial(1000, rates) / 1000
            deviates = sequential.forecast_residuals(values, pooled(values, 1000))
            wrong += sequential.change(deviates).alarm.any()
    assert wrong <= 6  # of 40; 2 expected at most, 6 at the 99.9th percentile


def test_a_drop_of_five_points_is_found_within_three_days() -> None:
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(40):
        values = rng.binomial(1000, np.r_[np.full(200, 0.9), np.full(3, 0.85)]) / 1000
        seen = sequential.change(sequential.forecast_residuals(values, pooled(values, 1000)))
        found += seen.alarm.any() and seen.since >= 198
    assert found >= 36


def test_the_weights_of_beginnings_sum_to_one() -> None:
    weights, rest = sequential._beginnings(500)
    assert weights.sum() + rest[-1] == pytest.approx(1)
    assert (weights > 0).all()
    assert sequential.change(np.zeros(0)).since == -1


def test_a_confidence_sequence_holds_at_all_looks() -> None:
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(60):
        low, high = sequential.running_mean(rng.normal(2, 1, 400), np.full(400, 0.1))
        known = np.arange(400) >= 10
        missed += ((low > 2) | (high < 2))[known].any()
    assert missed <= 8


def test_limits_follow_laney() -> None:
    rng = np.random.default_rng(5)
    errors = np.full(200, 0.01)
    centre, low, high = sequential.control_limits(rng.normal(0.9, 0.01, 200), errors)
    assert (high - low).mean() == pytest.approx(0.06, rel=0.15)
    _, low, high = sequential.control_limits(rng.normal(0.9, 0.05, 200), errors)
    assert (high - low).mean() == pytest.approx(0.3, rel=0.15)
    assert centre == pytest.approx(0.9, abs=0.003)


def test_the_whole_road_finds_the_cohort_and_the_day() -> None:
    quiet = days(np.full(40, 0.9), 500, 1, "a")
    loud = days(np.r_[np.full(30, 0.9), np.full(10, 0.7)], 500, 2, "b")
    result = of(pd.concat([quiet, loud], ignore_index=True), by="g")
    alarms = result.alarms.set_index("g")
    assert "a" not in alarms.index
    assert alarms.loc["b", "since"] == "2026-01-31"
    assert alarms.loc["b", "before"] == pytest.approx(0.9, abs=0.02)
    frame = result.frame[result.frame["g"] == "b"].set_index("period")
    assert not frame.loc[:"2026-01-30", "alarm"].any()
    assert frame.loc["2026-02-03":, "alarm"].all()
    expected = loud.groupby(loud["at"].dt.strftime("%Y-%m-%d"))["ok"].mean()
    assert np.allclose(frame["value"], expected.loc[frame.index])
    assert set(result.frame["g"]) == {"(overall)", "a", "b"}
    text = result.prometheus()
    assert 'dfevals_alarm{g="b",model="ok",metric="pass_rate"} 1.0' in text
    for line in text.splitlines():
        assert line.startswith(("# HELP", "# TYPE", "dfevals_"))
    assert "changed from" in repr(result)
    assert result.plot(cohort="b").get_lines()
    with pytest.raises(DfevalsError, match="cohort"):
        result.plot(cohort="z")


def test_directions_and_the_least_effect() -> None:
    better = days(np.r_[np.full(30, 0.7), np.full(10, 0.9)], 500)
    assert not of(better).frame["alarm"].any()
    assert of(better, direction="better").frame["alarm"].any()
    assert of(better, direction="both").frame["alarm"].any()
    assert not of(better, direction="both", min_effect=0.5).frame["alarm"].any()


def test_gaps_missing_times_and_few_periods() -> None:
    frame = days(np.full(20, 0.9), 60)
    frame = frame[~frame["at"].dt.day.isin([5, 6])].reset_index(drop=True)
    frame.loc[:9, "at"] = pd.NaT
    result = of(frame)
    assert len(result.frame) == 18
    assert result.frame["n"].sum() == len(frame) - 10
    few = of(days(np.full(3, 0.9), 60))
    assert not few.frame["alarm"].any()
    assert few.frame["evidence"].le(1).all()


def test_what_cannot_be_asked_is_refused() -> None:
    frame = days(np.full(8, 0.9), 30)
    with pytest.raises(DfevalsError, match="time="):
        frame.evals(outcomes=["ok"]).monitor()
    ev = frame.evals(outcomes=["ok"], time="at")
    for period, text in (("weekday", "recurs"), ("fortnight", "grain")):
        with pytest.raises(DfevalsError, match=text):
            ev.monitor(period=period)
    with pytest.raises(DfevalsError, match="direction"):
        ev.monitor(direction="down")
    with pytest.raises(DfevalsError, match="cannot be crossed"):
        ev.monitor(by={"x": "g == 'a'"})


def test_labels_of_prometheus_are_escaped() -> None:
    frame = days(np.full(8, 0.9), 30, group='a"\n\\')
    text = of(frame, by="g").prometheus("my app")
    assert r'g="a\"\n\\"' in text
    assert text.count("\n") == len(text.splitlines())
    assert "my_app_value" in text
