"""Curves of dependent rows: copies of rows tell nothing new, and clusters keep tests and bands at their level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

import dfevals  # noqa: F401  # df.evals


def clustered(groups: int, size: int, cohorts: int, seed: int, icc: float = 0.4) -> pd.DataFrame:
    """Calibrated scores; half of their variance, and outcomes given the score, are shared within clusters."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(groups * cohorts), size)
    n = len(cluster)

    def mixed(share: float) -> Any:
        return np.sqrt(share) * rng.normal(size=groups * cohorts)[cluster] + np.sqrt(1 - share) * rng.normal(size=n)

    score = expit(1.2 * mixed(0.5) - 0.5)
    label = (norm.cdf(mixed(icc)) < score).astype(int)
    cohort = np.repeat(np.arange(cohorts), groups * size)
    return pd.DataFrame({"y": label, "p": score, "person": cluster, "g": cohort, "w": rng.integers(1, 4, n)})


@pytest.fixture(scope="module")
def copies() -> tuple[Any, Any]:
    """Rows, and the same rows four times with each one's copies as a cluster."""
    df = clustered(1500, 1, 2, 0)
    df["p"] = df["p"].round(3)
    many = df.loc[df.index.repeat(4)].reset_index(drop=True)
    return df.evals(y_true="y", y_score="p"), many.evals(y_true="y", y_score="p", cluster="person")


def widths(frame: pd.DataFrame, low: str, high: str) -> Any:
    return (frame[high] - frame[low]).to_numpy()


@pytest.mark.parametrize("ask", ["roc", "pr", "rate", "cumulated", "decision", "uniform", "smooth", "isotonic"])
def test_copies_of_rows_do_not_narrow_a_band(copies: tuple[Any, Any], ask: str) -> None:
    asked: dict[str, Any] = {
        "roc": lambda ev: (ev.roc(by="g").frame, "tpr_low", "tpr_high"),
        "pr": lambda ev: (ev.pr(by="g").frame.iloc[:-1], "precision_low", "precision_high"),
        "rate": lambda ev: (ev.gains(by="g").frame, "rate_low", "rate_high"),
        "cumulated": lambda ev: (ev.gains(by="g").frame, "cum_lift_low", "cum_lift_high"),
        "decision": lambda ev: (ev.thresholds(by="g", n_resamples=0).net_benefit, "ci_low", "ci_high"),
        "uniform": lambda ev: (ev.calibration(by="g", strategy="uniform").frame, "ci_low", "ci_high"),
        "smooth": lambda ev: (ev.calibration(by="g", strategy="smooth").frame, "ci_low", "ci_high"),
        "isotonic": lambda ev: (ev.calibration(by="g", band="confidence").frame, "ci_low", "ci_high"),
    }
    few, many = (widths(*asked[ask](ev)) for ev in copies)
    tolerance = {"smooth": 0.35, "decision": 0.15}.get(ask, 0.1)  # the kernel is narrower with more rows
    assert np.nanmean(many) == pytest.approx(np.nanmean(few), rel=tolerance)


def test_copies_of_rows_do_not_sharpen_the_numbers_of_calibration(copies: tuple[Any, Any]) -> None:
    few, many = (ev.calibration(by="g", band=None).summary for ev in copies)
    for name in ("calibration_slope", "calibration_intercept", "brier", "brier_miscalibration"):
        np.testing.assert_allclose(many[name], few[name], rtol=1e-6, atol=1e-9)
    for name in ("calibration_slope", "calibration_intercept", "bias"):
        a, b = (widths(s, f"{name}_low", f"{name}_high") for s in (few, many))
        np.testing.assert_allclose(b, a, rtol=0.06)
    np.testing.assert_allclose(many["spiegelhalter_z"], few["spiegelhalter_z"], rtol=0.06)
    np.testing.assert_allclose(many["hosmer_lemeshow"], few["hosmer_lemeshow"], rtol=0.25, atol=1)
    np.testing.assert_allclose(many["ece_high"], few["ece_high"], rtol=0.15)
    metric, summary = (ev.metrics(["ece", "calibration_slope"], by="g").frame for ev in copies)
    np.testing.assert_allclose(widths(summary, "ci_low", "ci_high"), widths(metric, "ci_low", "ci_high"), rtol=0.2)


def test_tests_of_calibration_keep_their_size_in_clusters_and_would_not_without() -> None:
    df = clustered(60, 8, 400, 1)
    roles: dict[str, Any] = {"y_true": "y", "y_score": "p"}
    robust, naive = (
        df.evals(**roles, **more).calibration(by="g", band=None).summary.query("~is_overall")
        for more in ({"cluster": "person"}, {})
    )
    slack = 3 * np.sqrt(0.05 * 0.95 / 400)
    for name in ("bias_p", "spiegelhalter_p", "hosmer_lemeshow_p"):
        assert abs((robust[name] < 0.05).mean() - 0.05) < 0.02 + slack, name
        assert (naive[name] < 0.05).mean() > (robust[name] < 0.05).mean(), name
    assert (naive["bias_p"] < 0.05).mean() > 0.2
    for name, truth in (("calibration_slope", 1), ("calibration_intercept", 0)):
        inside = (robust[f"{name}_low"] <= truth) & (truth <= robust[f"{name}_high"])
        assert abs(inside.mean() - 0.95) < 0.02 + slack, name
    assert (robust["ece_low"] > 0).mean() < 0.025 + 0.02 + slack


def test_bands_of_curves_cover_in_clusters() -> None:
    many, df = clustered(60, 8, 1500, 2), clustered(60, 8, 200, 3)
    at = np.quantile(many["p"], [0.3, 0.6, 0.9])
    above = [many["p"] >= t for t in at]
    truths = {
        "roc": ("tpr", [part[many["y"] == 1].mean() for part in above]),
        "pr": ("precision", [many["y"][part].mean() for part in above]),
    }
    for kind, (name, truth) in truths.items():
        covered = []
        for more in ({"cluster": "person"}, {}):
            frame = getattr(df.evals(y_true="y", y_score="p", **more), kind)(by="g").frame.query("~is_overall")
            hits = []
            for _, part in frame.sort_values("threshold").groupby("g"):
                row = part.iloc[np.searchsorted(part["threshold"], at)]
                hits.append((row[f"{name}_low"] <= truth) & (truth <= row[f"{name}_high"]))
            covered.append(np.mean(hits))
        assert abs(covered[0] - 0.95) < 0.03
        assert covered[1] < 0.9


def test_the_band_of_calibrated_scores_covers_in_clusters() -> None:
    df = clustered(60, 8, 150, 4)
    ev = df.evals(y_true="y", y_score="p", cluster="person")
    for band, low, inner, high in (
        ("confidence", "ci_low", "score_mean", "ci_high"),
        ("consistency", "ci_low", "observed", "ci_high"),
    ):
        frame = ev.calibration(by="g", strategy="quantile", band=band, n_resamples=200).frame.query("~is_overall")
        inside = (frame[low] - 1e-9 <= frame[inner]) & (frame[inner] <= frame[high] + 1e-9)
        assert abs(inside.mean() - 0.95) < 0.02 + 0.015  # the second for 1,500 bins, dependent within a sample


def test_a_note_says_what_clusters_do() -> None:
    ev = clustered(30, 4, 1, 5).evals(y_true="y", y_score="p", cluster="person", sample_weight="w")
    for result in (ev.calibration(), ev.roc(), ev.gains(), ev.thresholds(n_resamples=0)):
        assert any("not independent" in note and "design" in note for note in result.notes)
