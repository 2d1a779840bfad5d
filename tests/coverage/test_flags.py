"""Cohorts of pure noise are rarely flagged, whatever the metric; the short version of scripts/validate_flags.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from flag_noise import CLASSIFIERS, Noise, classes, clustered, each_tested, flagged, losses, risks, weighted

FRAMES = 100
OF_ROWS = ["log_loss", "brier", "accuracy", "balanced_accuracy", "precision", "recall", "f1"]
OF_CLASSES = ["log_loss", "brier", "accuracy", "balanced_accuracy", "f1", "mcc"]
OF_NUMBERS = ["mae", "mse", "rmse", "r2", "mean_error"]


def check(found: pd.Series, frames: int = FRAMES) -> None:
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / frames)  # three simulation errors
    assert (found <= most).all(), found.to_string()


@pytest.mark.parametrize(("prevalence", "cohorts", "n"), [(0.03, 20, 60), (0.1, 50, 100), (0.5, 50, 30)])
def test_equal_cohorts_of_a_classifier_are_rarely_flagged(prevalence: float, cohorts: int, n: int) -> None:
    frames = FRAMES if n < 100 else 20  # areas of complements take long
    found = flagged(risks(prevalence), cohorts, n, frames)
    assert set(found.index) == set(CLASSIFIERS)
    check(found, frames)


@pytest.mark.parametrize(
    ("noise", "cohorts", "n", "metrics"),
    [
        *(
            (losses(kind), 50, 30, OF_NUMBERS)
            for kind in ("t, 3 degrees of freedom", "log-normal, σ 1.2", "95 % zeros")
        ),
        (classes(0.03), 20, 60, OF_CLASSES),  # some cohorts lack a class
        (classes(0.03), 20, 200, OF_CLASSES),  # and some have nothing right in it
        (weighted(risks(0.1)), 20, 200, OF_ROWS),
        (weighted(losses("95 % zeros")), 20, 200, OF_NUMBERS),
        (clustered(risks(0.3)), 20, 60, OF_ROWS),
        (clustered(losses("normal")), 20, 60, OF_NUMBERS),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_equal_cohorts_are_rarely_flagged(noise: Noise, cohorts: int, n: int, metrics: list[str]) -> None:
    check(flagged(noise, cohorts, n, FRAMES, metrics=metrics))


@pytest.mark.parametrize(
    "noise",
    [
        risks(0.3),
        classes(0.2),
        losses("normal"),
        weighted(risks(0.3)),
        clustered(risks(0.5)),
        clustered(losses("normal")),
    ],
    ids=lambda noise: noise.name,
)
def test_frames_simulated_together_are_tested_as_each_alone(noise: Noise) -> None:
    frame = noise.frame(np.random.default_rng(3), 10, 40)
    together = each_tested(frame, noise.roles, 5)
    for i in range(2):
        alone = (
            frame[frame["cohort"] // 5 == i].evals(**noise.roles).metrics(by="cohort", relative_to="complement").frame
        )
        for metric, tested in together.items():
            own = alone[(alone["metric"] == metric) & ~alone["is_overall"]]
            expected = own[["difference_low", "difference_high", "p_value"]].to_numpy(float).T
            found = np.stack([tested.low, tested.high, tested.p_value])[:, 5 * i : 5 * i + 5]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7, err_msg=metric)
