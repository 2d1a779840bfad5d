"""Sizes of the tests of calibration and coverage of the bands of curves, simulated on calibrated scores.

`scripts/validate_tests.py` publishes the tables; a tenth of the simulations runs with the tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import dfevals  # noqa: F401  # df.evals


def calibrated(n: int, samples: int, seed: int, slope: float = 1) -> pd.DataFrame:
    """Samples of n rows whose scores are exactly calibrated, or off by a calibration slope."""
    rng = np.random.default_rng(seed)
    score = rng.beta(1.2, 2, n * samples)
    label = (rng.random(n * samples) < _bent(score, slope)).astype(int)
    return pd.DataFrame({"g": np.repeat(np.arange(samples), n), "y": label, "p": score})


def _bent(score: Any, slope: float) -> Any:
    """The probability behind a score with this calibration slope."""
    return score**slope / (score**slope + (1 - score) ** slope)


SAMPLES = {100: 2000, 1000: 800, 10_000: 200}


def sizes_of_calibration(scale: int) -> pd.DataFrame:
    """How often tests of calibration find something in calibrated scores, and intervals miss the truth."""
    columns = {}
    for n, samples in SAMPLES.items():
        frame = calibrated(n, samples // scale, n)
        s = frame.evals(y_true="y", y_score="p").calibration(by="g", band=None).summary.query("~is_overall")
        slope, intercept = ((s[f"calibration_{k}_low"], s[f"calibration_{k}_high"]) for k in ("slope", "intercept"))
        family = s["p_value"].to_numpy()[: len(s) // 10 * 10].reshape(-1, 10).min(axis=1) * 10
        columns[f"n = {n:,}"] = {
            "Spiegelhalter": (s["spiegelhalter_p"] < 0.05).mean(),
            "mean score against observed rate": (s["bias_p"] < 0.05).mean(),
            "Hosmer–Lemeshow": (s["hosmer_lemeshow_p"] < 0.05).mean(),
            "interval of the slope misses 1": ((slope[0] > 1) | (slope[1] < 1)).mean(),
            "interval of the intercept misses 0": ((intercept[0] > 0) | (intercept[1] < 0)).mean(),
            "any of 10 cohorts miscalibrated by any test (Holm)": (family < 0.05).mean(),
            "ECE above 0 (one-sided, nominal .025)": (s["ece_low"] > 0).mean(),
            "mean plug-in ECE": s["ece_plugin"].mean(),
            "mean debiased ECE": s["ece"].mean(),
        }
    return pd.DataFrame(columns).rename_axis("question").map("{:.3f}".format).reset_index()


def coverage_of_bands(scale: int) -> pd.DataFrame:
    """Share of points of a curve whose band holds the truth, or whose consistency band holds the curve."""
    truth, columns = calibrated(1_000_000, 1, 0), {}
    at = truth["p"].quantile([0.2, 0.5, 0.8]).to_numpy()
    above = [truth["p"] >= t for t in at]
    for n, samples in SAMPLES.items():
        ev = calibrated(n, samples // scale // 2, n + 1).evals(y_true="y", y_score="p")
        found = {
            "ROC: true positive rate": _at(ev.roc(by="g").frame, at, "tpr", [p[truth["y"] == 1].mean() for p in above]),
            "PR: precision": _at(ev.pr(by="g").frame, at, "precision", [truth["y"][p].mean() for p in above]),
        }
        for strategy in ("quantile", "uniform", "corp", "smooth"):
            frame = ev.calibration(by="g", strategy=strategy, band="confidence").frame.query("~is_overall")
            frame = frame[frame["n"] >= 5]
            inside = (frame["ci_low"] <= frame["score_mean"]) & (frame["score_mean"] <= frame["ci_high"])
            found[f"calibration, {strategy}: observed rate"] = inside.mean()
        result = ev.calibration(by="g", n_resamples=400)
        found["calibration, corp: consistency band"] = _consistent(result, (0.2, 0.35, 0.5))
        smooth = ev.calibration(by="g", strategy="smooth", band="consistency").frame.query("~is_overall")
        found["calibration, smooth: consistency band"] = (
            smooth["observed"].between(smooth["ci_low"], smooth["ci_high"]).mean()
        )
        for name, slope in (("overconfident", 0.5), ("underconfident", 2.0)):
            bent = calibrated(n, samples // scale // 2, n + 2, slope).evals(y_true="y", y_score="p")
            frame = bent.calibration(by="g", strategy="smooth").frame.query("~is_overall")
            truth_at = _bent(frame["score_mean"], slope)
            inside = (frame["ci_low"] <= truth_at) & (truth_at <= frame["ci_high"])
            found[f"calibration, smooth: observed rate of {name} scores"] = inside.mean()
        columns[f"n = {n:,}"] = found
    return pd.DataFrame(columns).rename_axis("band").map("{:.3f}".format).reset_index()


def _at(frame: pd.DataFrame, at: Any, name: str, truth: list[float]) -> float:
    """Share of the bounds at three thresholds that hold the truth."""
    hits = []
    for _, part in frame.query("~is_overall").sort_values("threshold").groupby("g"):
        row = part.iloc[np.minimum(np.searchsorted(part["threshold"], at), len(part) - 1)]
        hits.append((row[f"{name}_low"] <= truth) & (truth <= row[f"{name}_high"]))
    return float(np.mean(hits))


def _consistent(result: Any, at: tuple[float, ...]) -> float:
    """Share of the places at which the isotonic curve lies in its consistency band."""
    curves = dict(iter(result.frame.groupby("g")))
    hits = []
    for name, band in result.band.query("~is_overall").groupby("g"):
        curve = curves[name]
        for score in at:
            place = band.iloc[(band["score"] - score).abs().argmin()]
            pool = min(int(np.searchsorted(curve["score_max"], place["score"])), len(curve) - 1)
            hits.append(place["low"] - 1e-6 <= curve["observed"].iloc[pool] <= place["high"] + 1e-6)
    return float(np.mean(hits))
