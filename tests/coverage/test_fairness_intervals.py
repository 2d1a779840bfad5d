"""Differences and ratios of extreme groups cover, equal groups or not; the short version of scripts/validate_fairness.py."""

from __future__ import annotations

import numpy as np
import pytest
from fairness_coverage import between_groups


@pytest.mark.parametrize(("groups", "spread"), [(2, 0.0), (2, 0.15), (5, 0.0), (20, 0.0), (20, 0.2)])
def test_the_greatest_difference_is_covered(groups: int, spread: float) -> None:
    truth = np.stack([0.6 + spread * np.linspace(0, 1, groups), 0.3 + spread * np.linspace(1, 0, groups)])
    found = between_groups(truth, 150, 60)
    for name in (
        "equal_opportunity difference",
        "equal_opportunity ratio",
        "equalized_odds difference",
        "equalized_odds ratio",
    ):
        assert found[name] >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 60), (name, found)
    assert found["bias, corrected"] < max(found["bias"], 0.02)
    assert found["width"] < 0.5
