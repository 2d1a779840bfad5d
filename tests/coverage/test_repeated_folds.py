"""The simulation behind the degrees of freedom over repeated folds, a tenth as long, and the product's use of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from repeated_folds import LEARNERS, sizes
from scipy.special import stdtr

import dfevals

STEADY = [name for name in LEARNERS if name != "best of five features"]


@pytest.mark.parametrize("learner", STEADY)
@pytest.mark.parametrize("k", [2, 5, 10])
def test_calibrated_degrees_lie_between_two_that_miss_the_level(learner: str, k: int) -> None:
    samples = 200
    table = sizes(learner, k, samples)
    slack = 3 * np.sqrt(0.06 * 0.94 / samples)
    assert (table["calibrated"] <= 0.06 + slack).all()
    assert (table["calibrated"] <= table["k·r − 1"]).all()
    assert (table["calibrated"] >= table["k − 1"]).all()
    assert table["df"].tolist() == [min(k * r - 1, max(k - 1, 6)) if r > 1 else k - 1 for r in (1, 2, 3, 5, 10, 20)]


def test_repeats_do_not_make_more_sure() -> None:
    rng = np.random.default_rng(4)
    n, k, repeats = 100, 5, 20
    y = np.tile(rng.integers(0, 2, n), repeats)
    fold = np.concatenate([rng.permutation(n) % k for _ in range(repeats)])
    frame = pd.DataFrame({"y": y, "fold": fold, "repeat": np.repeat(np.arange(repeats), n)})
    for name in ("a", "b"):
        frame[name] = (np.tile(rng.random(n), repeats) < 0.6).astype(int) ^ (1 - y)
    ev = frame.evals(y_true="y", y_pred={"a": "a", "b": "b"}, fold="fold", repeat="repeat")
    row = ev.compare("a", "b", metrics="accuracy").frame.iloc[0]
    assert row["p_value"] == pytest.approx(2 * stdtr(6, -abs(row["statistic"])))
    assert row["test"].endswith("calibrated")
    gaps = ev.folds(metrics="accuracy").wide()["accuracy"]
    published = dfevals.inference.corrected_resampled_ttest((gaps["a"] - gaps["b"]).to_numpy(), 80, 20)
    assert (published.df, published.statistic) == (99, pytest.approx(row["statistic"]))
    assert published.p_value < row["p_value"]
