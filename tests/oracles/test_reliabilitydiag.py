"""The CORP decomposition against the published example of the R package reliabilitydiag, and against model-diagnostics."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import dfevals

#: Mean score, miscalibration, discrimination, uncertainty as `summary()` prints them (reliabilitydiag 0.1.4, its page on
#: summary.reliabilitydiag), three significant digits.
PUBLISHED = {
    "Logistic": (0.206, 0.0171, 0.0555, 0.244),
    "EMOS": (0.232, 0.0183, 0.0305, 0.244),
    "ENS": (0.266, 0.0661, 0.0441, 0.244),
    "EPC": (0.234, 0.0223, 0.0323, 0.244),
}
PARTS = ("", "_miscalibration", "_discrimination", "_uncertainty")

#: model-diagnostics 1.5.0: decompose(y, score, scoring_function=SquaredError() or LogLoss(), functional="mean").
MODEL_DIAGNOSTICS = {
    ("adult", "gbm", "brier"): (0.0869283979336, 0.000359729266832, 0.0954573336334, 0.1820260023),
    ("adult", "gbm", "log_loss"): (0.272702653147, 0.0015503651143, 0.279098331028, 0.55025061906),
    ("bank", "forest", "brier"): (0.0765431465677, 0.000463575859287, 0.0238836381392, 0.0999632088476),
    ("bank", "forest", "log_loss"): (0.273194780808, 0.00367631839035, 0.082510331002, 0.35202879342),
}


def forecasts() -> pd.DataFrame:
    return pd.read_csv(Path(__file__).parent / "fixtures" / "precip_niamey_2016.csv", comment="#")


@pytest.mark.parametrize("name", PUBLISHED)
def test_decomposition_is_the_published_one_to_all_digits_printed(name: str) -> None:
    ev = forecasts().evals(y_true="obs", y_score=name)
    summary = ev.calibration(band=None).summary.iloc[0]
    metrics = ev.metrics([f"brier{part}" for part in PARTS]).frame["value"]
    for part, published, metric in zip(PARTS, PUBLISHED[name], metrics, strict=True):
        assert float(f"{summary[f'brier{part}']:.3g}") == published
        assert metric == pytest.approx(summary[f"brier{part}"], rel=1e-12)


@pytest.mark.parametrize("key", MODEL_DIAGNOSTICS, ids="-".join)
def test_decomposition_of_real_scores_is_that_of_model_diagnostics(key: tuple[str, str, str]) -> None:
    name, model, score = key
    ev = dfevals.datasets.load(name).evals(**dfevals.datasets.describe(name).roles)
    summary = ev.calibration(band=None, models=model).summary.iloc[0]
    found = [summary[f"{score}{part}"] for part in PARTS]
    assert found == pytest.approx(MODEL_DIAGNOSTICS[key], rel=1e-9)
