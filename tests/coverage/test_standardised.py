"""Standardised values cover where the reference over-samples cohorts; the short version of scripts/validate_fairness.py."""

from __future__ import annotations

import numpy as np
import pytest
from fairness_coverage import STANDARDISED, standardised


@pytest.mark.parametrize(("rows", "sampled", "clusters"), [(400, 0, 0), (400, 200, 0), (1000, 0, 5)])
def test_standardised_values_cover(rows: int, sampled: int, clusters: int) -> None:
    found = standardised(rows, 80, sampled, clusters)
    for name in STANDARDISED:
        assert found[name] >= 0.94 - 3 * np.sqrt(0.06 * 0.94 / 80), (name, found)
