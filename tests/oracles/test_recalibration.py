"""Recalibration and smooth ECE against the reference packages, from answers recorded once with their versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from dfevals.inference.calibrators import fit_calibrator
from dfevals.metrics.reliability import smooth_ece_of
from dfevals.tally import ScoreTally
from dfevals.tally.ties import TieTable

RECORDED = pd.read_csv(Path(__file__).parent / "fixtures" / "recalibration.csv", comment="#")
DESIGNS = tuple(RECORDED["design"].unique())


def fitted_and_new(design: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = RECORDED[RECORDED["design"] == design]
    return rows[rows["beta"].isna()], rows[rows["beta"].notna()]


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(("method", "column", "atol"), [("venn-abers", "venn_abers", 1e-8), ("beta", "beta", 2e-3)])
def test_maps_are_those_of_the_reference_packages(design: str, method: str, column: str, atol: float) -> None:
    """betacal stops its optimiser early: 2e-3 is its distance from the maximum, which statsmodels finds elsewhere."""
    fitted, new = fitted_and_new(design)
    calibrator = fit_calibrator(method, fitted["p"].to_numpy(), fitted["y"].to_numpy(float))
    np.testing.assert_allclose(calibrator(new["p"].to_numpy()), new[column], atol=atol)


def smoothed_residual(p: np.ndarray, y: np.ndarray, width: float) -> float:
    """Mean absolute residual, smoothed by a Gaussian that is reflected at 0 and 1."""
    grid = (np.arange(500) + 0.5) / 500
    centres = [mirrored + 2 * shift for shift in (-1, 0, 1) for mirrored in (p, -p)]
    kernel = sum(norm.pdf(grid[:, None], centre, width) for centre in centres)
    return float(np.abs(kernel @ (y - p)).mean() / len(p))


@pytest.mark.parametrize("design", DESIGNS)
def test_smooth_ece_is_its_definition_and_the_reference_packages(design: str) -> None:
    """The width that equals its own smoothed residual; relplot searches it in steps of 2⁻¹⁰."""
    rows = RECORDED[RECORDED["design"] == design]
    p, y = rows["p"].to_numpy(), rows["y"].to_numpy(float)
    value = smooth_ece_of(TieTable.of(ScoreTally.collect(np.zeros(len(p), int), 1, p, y > 0, None))).item()
    assert value == pytest.approx(smoothed_residual(p, y, value), abs=1e-4)
    assert value == pytest.approx(rows["smooth_ece"].iloc[0], abs=1.5e-3)
