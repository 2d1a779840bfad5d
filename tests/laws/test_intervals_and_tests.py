"""An interval and the p beside it never disagree about 0, whatever the metric, the test and the roles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals  # noqa: F401

COHORTS, ROWS = 24, 40
CLASSES = ["accuracy", "recall", "precision", "f1", "mcc", "roc_auc", "average_precision", "ks", "log_loss", "brier"]
NUMBERS = ["mae", "rmse", "mse", "r2", "mean_error"]
RATES = ["tango", "mcnemar", "mcnemar-exact", "mcnemar-chi2", "mcnemar-chi2-cc", "delta", "bootstrap"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng, n = np.random.default_rng(5), COHORTS * ROWS
    y = (rng.random(n) < 0.4).astype(int)
    found = pd.DataFrame({"g": (np.arange(n) // ROWS).astype(str), "y": y, "fold": np.arange(n) % 5})
    for name, effect in (("a", 1.0), ("b", 0.0)):
        found[name] = 1 / (1 + np.exp(-((1.5 + effect) * (y - 0.5) + rng.normal(size=n))))
        found[f"pred_{name}"] = found["y"] + rng.normal(size=n) * (1.3 - effect / 2)
    found["w"], found["c"] = rng.integers(1, 4, n), np.arange(n) // 3
    return found.assign(release=rng.choice(["a", "b"], n))


def assert_agree(found: pd.DataFrame) -> None:
    found = found[found["ci_low"].notna()]
    excludes = (found["ci_low"] > 0) | (found["ci_high"] < 0)
    wrong = found[excludes != (found["p_value"] <= 0.05)]
    assert wrong.empty, wrong[["metric", "test", "difference", "ci_low", "ci_high", "p_value"]].head()
    assert ((found["ci_low"] <= found["difference"]) & (found["difference"] <= found["ci_high"])).all()
    assert excludes.any()
    assert not excludes.all()


@pytest.mark.parametrize(
    ("metrics", "roles", "options"),
    [
        (CLASSES, {}, {}),
        (["accuracy", "f1", "roc_auc", "log_loss"], {"sample_weight": "w"}, {}),
        (["accuracy", "f1", "log_loss"], {"sample_weight": "w", "weight_kind": "frequency"}, {}),
        (["accuracy", "f1", "roc_auc", "log_loss"], {"cluster": "c"}, {}),
        (["accuracy", "log_loss"], {"fold": "fold"}, {}),
        *((["accuracy"], {}, {"test": test, "n_resamples": 199}) for test in RATES),
        *((["log_loss"], {}, {"test": test, "n_resamples": 199}) for test in ("t", "wilcoxon", "sign-flip")),
    ],
)
def test_pairs_of_models(frame: pd.DataFrame, metrics: list[str], roles: Any, options: Any) -> None:
    ev = frame.evals(y_true="y", y_score={"a": "a", "b": "b"}, **roles)
    assert_agree(ev.compare("a", "b", by="g", metrics=metrics, **options).frame)


def test_pairs_of_models_of_numbers(frame: pd.DataFrame) -> None:
    ev = frame.evals(y_true="y", y_pred={"a": "pred_a", "b": "pred_b"}, task="regression")
    assert_agree(ev.compare("a", "b", by="g", metrics=NUMBERS).frame)


@pytest.mark.parametrize("cluster", [None, "c"])
def test_different_rows(frame: pd.DataFrame, cluster: str | None) -> None:
    better = frame.assign(a=np.where(frame["release"] == "a", frame["a"], 1 - frame["a"]))
    ev = better.evals(y_true="y", y_score="a", release="release", cluster=cluster)
    found = ev.compare("a", "b", by="g", metrics=["accuracy", "roc_auc", "log_loss", "f1"]).frame
    assert_agree(pd.concat([found, ev.compare(by="g", against="complement", metrics=["accuracy", "brier"]).frame]))
