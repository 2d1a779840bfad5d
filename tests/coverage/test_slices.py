"""Slices stay silent on noise and find what is planted; `make validate` measures both at length."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from slice_noise import NOISE, false_slices, overlap, planted

import dfevals  # noqa: F401 - the accessor

RUNS = 30


@pytest.mark.parametrize("noise", NOISE)
def test_noise_has_no_slices(noise: str) -> None:
    assert false_slices(NOISE[noise], 600, RUNS, n_resamples=99) <= binom.ppf(0.999, RUNS, 0.05)


@pytest.mark.parametrize("inference", ["confirm", "bh"])
def test_other_ways_of_inference_are_silent_too(inference: str) -> None:
    assert false_slices(NOISE["errors of 20 %"], 600, RUNS, inference=inference) <= binom.ppf(0.999, RUNS, 0.05)


def test_losses_with_long_tails_are_silent_by_the_share_of_false_ones_too() -> None:
    asked = {"inference": "bh", "n_resamples": 99}
    assert false_slices(NOISE["log-normal losses"], 600, RUNS, **asked) <= binom.ppf(0.999, RUNS, 0.05)


def test_a_planted_slice_is_found() -> None:
    for seed in range(3):
        frame, true = planted(seed)
        found = frame.evals(y_true="y", y_pred="p").slices(max_depth=2, n_resamples=99).frame
        assert overlap(found["slice"].head(1).tolist(), frame, true) >= 0.9
        assert found["p_corrected"].iloc[0] <= 0.05


def test_family_wise_p_values_are_those_of_permutations() -> None:
    """In groups of equal size the order of the statistics is that of plain differences, which need no package."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(6), 100)
    for seed in range(4):
        wrong = np.random.default_rng(seed).random(600) < np.where(group == 2, 0.28, 0.2)
        frame = pd.DataFrame({"g": group.astype(str), "y": 0, "p": wrong.astype(int)})
        frame.loc[0, "y"], frame.loc[0, "p"] = 1, int(not wrong[0])
        asked = {"direction": "both", "redundant": True, "n_resamples": 4000}
        found = frame.evals(y_true="y", y_pred="p").slices(**asked).frame.set_index("slice")
        sums = np.stack([np.bincount(group, rng.permutation(wrong)) for _ in range(4000)])
        high, low = (sums.max(axis=1), sums.min(axis=1))
        for name, own in enumerate(np.bincount(group, wrong)):
            expected = np.mean((high >= own) if own > sums.mean() else (low <= own))
            seen = found.loc[f"g == '{name}'", "p_corrected"]
            if expected < 0.4:  # of one side; the other side adds as much again for the greatest, and less for others
                assert expected - 0.03 <= seen <= 2 * expected + 0.03
