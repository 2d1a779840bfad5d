"""Cohorts of pure noise are rarely flagged, whatever the metric; the short version of scripts/validate_flags.py."""

from __future__ import annotations

import numpy as np
import pytest
from flag_noise import CLASSIFIERS, flagged, losses, risks

FRAMES = 40
MOST = 0.05 + 3 * np.sqrt(0.05 * 0.95 / FRAMES)  # three simulation errors


@pytest.mark.parametrize(("prevalence", "cohorts", "n"), [(0.03, 20, 60), (0.1, 50, 100), (0.5, 50, 30)])
def test_equal_cohorts_of_a_classifier_are_rarely_flagged(prevalence: float, cohorts: int, n: int) -> None:
    found = flagged(risks(prevalence), cohorts, n, FRAMES)
    assert set(found.index) == set(CLASSIFIERS)
    assert (found <= MOST).all(), found.to_string()


@pytest.mark.parametrize("kind", ["t, 3 degrees of freedom", "log-normal, σ 1.2", "95 % zeros"])
def test_equal_cohorts_of_a_regression_are_rarely_flagged(kind: str) -> None:
    found = flagged(losses(kind), 50, 30, FRAMES, metrics=["mae", "mse", "rmse", "r2", "mean_error"])
    assert (found <= MOST).all(), found.to_string()
