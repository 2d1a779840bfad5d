"""The simulations behind the tables of calibration and bands in docs/validation.md, a tenth as long."""

from __future__ import annotations

import numpy as np
from calibration_coverage import SAMPLES, coverage_of_bands, sizes_of_calibration


def test_tests_of_calibration_find_nothing_in_calibrated_scores() -> None:
    table = sizes_of_calibration(10).set_index("question").astype(float)
    for (n, samples), column in zip(SAMPLES.items(), table, strict=True):
        slack = 3 * np.sqrt(0.05 * 0.95 / (samples / 10))
        for name in table.index[:5]:
            assert abs(table.loc[name, column] - 0.05) < 0.02 + slack, (name, n)
        assert table.loc[table.index[5], column] < 0.05 + 0.02 + slack * np.sqrt(10)
        assert table.loc["ECE above 0 (one-sided, nominal .025)", column] < 0.025 + 0.02 + slack
        assert table.loc["mean debiased ECE", column] < 0.25 * table.loc["mean plug-in ECE", column]


def test_bands_cover_at_every_size() -> None:
    table = coverage_of_bands(10).set_index("band").astype(float)
    for (n, samples), column in zip(SAMPLES.items(), table, strict=True):
        slack = 3 * np.sqrt(0.05 * 0.95 / (samples / 20))  # points of one curve depend on each other
        for name, coverage in table[column].items():
            assert 0.95 - 0.02 - slack < coverage <= 1, (name, n)
