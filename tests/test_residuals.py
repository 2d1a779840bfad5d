"""Errors of regressions: numbers against numpy and the metrics, deciles, clouds, quantiles, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dfevals.exceptions import MetricError
from dfevals.inference.shapes import hexagons, normal_quantiles, quantiles


def predicted(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.gamma(3, 20, n)
    group = rng.choice(["a", "b", "c"], n)
    pred = 0.8 * y + 12 + rng.normal(0, 5, n) + np.where(group == "b", 4, 0)
    return pd.DataFrame(
        {
            "y": y,
            "p": pred,
            "g": group,
            "h": rng.choice(["u", "v"], n),
            "low": pred - 8,
            "high": pred + 8,
            "w": 1 + rng.integers(0, 3, n),
        }
    )


def test_numbers_of_every_cohort() -> None:
    df = predicted(900, 0)
    result = df.evals(y_true="y", y_pred="p", y_lower="low", y_upper="high").residuals(by="g")
    frame = result.frame.set_index("g")
    assert list(frame.index) == ["(overall)", "a", "b", "c"]
    total = (df["p"] - df["y"]).abs().sum()
    for group, part in [("(overall)", df), *df.groupby("g")]:
        error = part["p"] - part["y"]
        row = frame.loc[group]
        assert row["n"] == len(part)
        assert row["mean_error"] == pytest.approx(error.mean())
        assert row["mae"] == pytest.approx(error.abs().mean())
        assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
        assert row["std"] == pytest.approx(error.std(ddof=0))
        assert row[["q05", "q25", "median_error", "q75", "q95"]].tolist() == pytest.approx(
            np.quantile(error, [0.05, 0.25, 0.5, 0.75, 0.95])
        )
        assert row["share_of_error"] == pytest.approx(error.abs().sum() / total)
        assert row["interval_coverage"] == pytest.approx(part["y"].between(part["low"], part["high"]).mean())
        assert row["interval_width"] == pytest.approx(16)
        assert row["mae_low"] < row["mae"] < row["mae_high"]
    assert frame.loc[["a", "b", "c"], "share_of_error"].sum() == pytest.approx(1)


def test_bias_is_tested_and_corrected() -> None:
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(1)
    df = pd.DataFrame({"y": rng.normal(0, 1, 1500), "g": np.repeat(["fair", "high", "low"], 500)})
    df["p"] = df["y"] + rng.normal(0, 1, 1500) + df["g"].map({"fair": 0, "high": 0.4, "low": -0.4})
    frame = df.evals(y_true="y", y_pred="p").residuals(by="g").frame.set_index("g")
    assert frame["verdict"].to_dict() == {
        "(overall)": "no evidence",
        "fair": "no evidence",
        "high": "too high",
        "low": "too low",
    }
    plain = ttest_1samp((df["p"] - df["y"])[df["g"] == "fair"], 0).pvalue
    assert frame.loc["fair", "p_value"] == pytest.approx(plain, abs=0.01)
    assert (frame["p_corrected"] >= frame["p_value"]).all()


def test_false_verdicts_are_rare() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(60):
        df = pd.DataFrame({"y": rng.gamma(2, 1, 400), "g": rng.integers(0, 5, 400).astype(str)})
        df["p"] = df["y"] + rng.normal(0, 1, 400)
        frame = df.evals(y_true="y", y_pred="p").residuals(by="g").frame
        wrong += (frame.loc[~frame["is_overall"], "verdict"] != "no evidence").any()
    assert wrong <= 8  # 60 × 5 % = 3 expected


def test_deciles_are_those_of_all_rows() -> None:
    df = predicted(1000, 3)
    deciles = df.evals(y_true="y", y_pred="p").residuals(by="g").deciles
    cell = pd.qcut(df["y"], 10, labels=False)
    error = df["p"] - df["y"]
    whole = deciles[deciles["is_overall"]]
    np.testing.assert_allclose(whole["mean_error"], error.groupby(cell).mean())
    np.testing.assert_allclose(whole["mae"], error.abs().groupby(cell).mean())
    assert whole["n"].tolist() == [100] * 10
    mine = deciles[deciles["g"] == "b"].set_index("bin")["mean_error"]
    np.testing.assert_allclose(mine, error[df["g"] == "b"].groupby(cell).mean())
    width = (whole["ci_high"] - whole["ci_low"]) / 2
    from scipy.stats import t

    np.testing.assert_allclose(width, t.ppf(0.975, 99) * error.groupby(cell).sem())


def test_worst_cohorts_come_first() -> None:
    result = predicted(900, 4).evals(y_true="y", y_pred="p").residuals(by="g")
    assert result.worst["g"].iloc[0] == "b"
    assert result.worst["mae"].is_monotonic_decreasing
    assert result.frame.set_index("g").loc["b", "flag"] == "higher"


def test_frequency_weights_repeat_rows() -> None:
    df = predicted(300, 5)
    weighted = df.evals(y_true="y", y_pred="p", sample_weight="w", weight_kind="frequency").residuals(by="g").frame
    repeated = df.loc[df.index.repeat(df["w"])].evals(y_true="y", y_pred="p").residuals(by="g").frame
    names = [name for name in repeated if repeated[name].dtype == float]
    np.testing.assert_allclose(weighted[names], repeated[names], rtol=1e-9)


def test_hexagons_count_every_row_near_its_centre() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=5000), rng.normal(size=5000) * 100
    cells = hexagons(x, y)
    assert cells.count.sum() == 5000
    u, v = (cells.x - x.min()) / cells.width, (cells.y - y.min()) / cells.height
    for place in (2 * u, 2 * v):
        np.testing.assert_allclose(place, np.rint(place), atol=1e-6)
    dx = (x[:, None] - cells.x) / cells.width
    dy = (y[:, None] - cells.y) / cells.height
    nearest = np.bincount((dx**2 + 3 * dy**2).argmin(axis=1), minlength=len(cells.x))
    assert np.abs(nearest - cells.count).sum() <= 4  # ties of the distance


def test_quantiles_with_weights() -> None:
    values, weight = np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 7.0])
    assert quantiles(values, np.array([0.1, 0.5, 0.95]), weight).tolist() == [1.0, 2.0, 3.0]
    z, sample = normal_quantiles(np.random.default_rng(0).normal(5, 2, 50_000))
    assert np.abs(sample - (5 + 2 * z))[50:-50].max() < 0.1
    assert len(z) <= 400


def test_bad_requests_name_the_fix() -> None:
    df = predicted(50, 7)
    result = df.evals(y_true="y", y_pred="p").residuals(by="g")
    with pytest.raises(MetricError, match=r"by=\['a', 'b'\]"):
        result.plot("map")
    with pytest.raises(MetricError, match="y_lower"):
        result.plot("interval")
    with pytest.raises(MetricError, match="overview"):
        result.plot("overviw")
    with pytest.raises(MetricError, match="cohort"):
        result.plot("qq", cohort="z")
    classes = df.assign(c=(df["y"] > 50).astype(int), s=0.5)
    with pytest.raises(MetricError, match="calibration"):
        classes.evals(y_true="c", y_score="s").residuals()


def test_tiny_and_empty_cohorts() -> None:
    df = predicted(60, 8)
    df.loc[0, "g"] = "lone"
    df.loc[[1, 2], "p"] = np.nan
    result = df.evals(y_true="y", y_pred="p").residuals(by="g")
    frame = result.frame.set_index("g")
    assert frame.loc["lone", "verdict"] == "too few"
    assert np.isnan(frame.loc["lone", "ci_low"])
    assert any("2 rows left out" in note for note in result.notes)
    none = df.evals(y_true="y", y_pred="p").where("y < 0").residuals()
    assert none.frame["n"].tolist() == [0]
    assert len(none.deciles) == 0


def test_overlapping_cohorts_and_two_columns() -> None:
    df = predicted(400, 9)
    ev = df.evals(y_true="y", y_pred="p")
    named = ev.residuals(by={"small": "y < 60", "b": "g == 'b'"}).frame.set_index("cohort")
    assert named.loc["small", "n"] == (df["y"] < 60).sum()
    assert named.loc["b", "mean_error"] == pytest.approx((df["p"] - df["y"])[df["g"] == "b"].mean())
    both = ev.residuals(by=["g", "h"]).frame
    assert len(both) == 7


def test_names_are_escaped() -> None:
    df = predicted(90, 10)
    df["g"] = df["g"].replace({"a": "<b>x</b>"})
    assert "<b>x</b>" not in df.evals(y_true="y", y_pred="p").residuals(by="g")._repr_html_()


def test_intervals_that_end_before_they_begin_are_noted() -> None:
    df = predicted(90, 11)
    df["low"], df["high"] = df["p"] - 10, df["p"] + 10
    assert not any(
        "swapped" in note for note in df.evals(y_true="y", y_pred="p", y_lower="low", y_upper="high").residuals().notes
    )
    df.loc[:2, "low"] = df["p"] + 20
    df.loc[3, "low"] = np.nan
    ev = df.evals(y_true="y", y_pred="p", y_lower="low", y_upper="high")
    said = "p: y_lower is above y_upper in 3 rows, which cover nothing. Are the columns swapped?"
    assert said in ev.residuals(by="g").notes
    long = pd.concat([df.assign(model="old"), df.assign(model="new", low=df["p"] - 10)], ignore_index=True)
    ev = long.evals(y_true="y", y_pred="p", y_lower="low", y_upper="high", model="model")
    assert [note for note in ev.residuals().notes if "swapped" in note] == [said.replace("p:", "old:")]
