"""Pooled intervals cover and pooled values are nearer the truth; the short version of scripts/validate_fairness.py."""

from __future__ import annotations

import pytest
from fairness_coverage import Population, losses, pooling, shares

CASES = [
    (shares(0.8, 0.08), 12, 40, 0.9),
    (shares(0.97, 0.02), 12, 40, 0.9),
    (shares(0.7, 0.0), 8, 60, 0.5),
    (shares(0.7, 0.1), 3, 50, 1.05),
    (losses(0.15), 12, 40, 0.9),
]


@pytest.mark.parametrize(("population", "cohorts", "rows", "most"), CASES)
def test_pooled_values_cover_and_are_nearer(population: Population, cohorts: int, rows: int, most: float) -> None:
    found = pooling(population, cohorts, rows, 720 // (cohorts + 2))
    assert found["coverage"] >= 0.93, found
    assert found["error / raw error"] <= most, found
    assert found["width / raw width"] <= 1.02, found
