"""Intervals of corrected rates hold what they promise; at length by scripts/validate_judged.py."""

from __future__ import annotations

import pytest
from judged_coverage import JUDGES, RATES, coverage_of_judged, coverage_of_picked

from dfevals.inference.judged import prediction_powered, rogan_gladen

N = 400
CHANCE = 3 * (0.95 * 0.05 / N) ** 0.5  # three standard errors of a simulated coverage


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("judge", ["useless", "good", "excellent"])
def test_prediction_powered(rate: float, judge: str) -> None:
    coverage, width = coverage_of_judged(prediction_powered, rate, JUDGES[judge], N)
    assert coverage > 0.945 - CHANCE
    assert width < 1.02
    assert judge == "useless" or width < 0.9


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_rogan_gladen(rate: float) -> None:
    assert coverage_of_judged(rogan_gladen, rate, JUDGES["good"], N)[0] > 0.945 - CHANCE


def test_picked_labels_leave_the_estimate_unbiased() -> None:
    coverage, error, _ = coverage_of_picked(0.3, JUDGES["good"], 120)
    assert coverage > 0.95 - 3 * (0.95 * 0.05 / 120) ** 0.5
    assert abs(error) < 3 * 0.045 / 120**0.5
