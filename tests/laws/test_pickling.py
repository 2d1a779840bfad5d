"""Everything public passes through pickle, copy.deepcopy and joblib, and answers the same afterwards."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals import Gate, Outcome
from dfevals.metrics.registry import records

N = 300
RNG = np.random.default_rng(3)
TRUTH = RNG.random(N) < 0.4
FRAME = pd.DataFrame(
    {
        "y": TRUTH.astype(int),
        "a": np.clip(RNG.normal(0.3 + 0.4 * TRUTH, 0.25), 0.01, 0.99),
        "b": np.clip(RNG.normal(0.3 + 0.3 * TRUTH, 0.25), 0.01, 0.99),
        "g": np.where(np.arange(N) % 2, "u", "v"),
        "who": np.arange(N) % 60,
        "fold": np.arange(N) % 5,
        "size": RNG.normal(10, 3, N),
        "near": RNG.normal(10, 3, N),
        "far": RNG.normal(10, 4, N),
        "ok": TRUTH,
        "took": RNG.gamma(2, 1, N),
    }
)
BINARY = {"y_true": "y", "y_score": {"a": "a", "b": "b"}}
NUMBERS = {"y_true": "size", "y_pred": {"near": "near", "far": "far"}}

QUESTIONS: dict[str, Callable[[], Any]] = {
    "evaluation": lambda: FRAME.evals(**BINARY),
    "roles": lambda: FRAME.evals(**BINARY).roles,
    "metrics": lambda: FRAME.evals(**BINARY).metrics(by="g"),
    "parameters": lambda: FRAME.evals(**BINARY).metrics([dfevals.metrics.fbeta(beta=2), "ece(bins=5)"], by="g"),
    "clustered": lambda: FRAME.evals(**BINARY, cluster="who").metrics(by="g"),
    "tally": lambda: FRAME.evals(**BINARY).collect(by="g"),
    "tally of numbers": lambda: FRAME.evals(**NUMBERS).collect(["rmse", "r2", "median_ae", "pinball(alpha=.9)"], by="g"),
    "tally of outcomes": lambda: FRAME.evals(outcomes=["ok", Outcome("took")]).collect(by="g"),
    "confusion": lambda: FRAME.evals(**BINARY).confusion(by="g"),
    "errors": lambda: FRAME.evals(**BINARY).errors(by="g"),
    "roc": lambda: FRAME.evals(**BINARY).roc(by="g"),
    "gains": lambda: FRAME.evals(**BINARY).gains(by="g", value=3, cost=1, n_resamples=10),
    "thresholds": lambda: FRAME.evals(**BINARY).thresholds(by="g", n_resamples=10),
    "calibration": lambda: FRAME.evals(**BINARY).calibration(by="g", n_resamples=10),
    "recalibrate": lambda: FRAME.evals(**BINARY).recalibrate("sigmoid"),
    "compare": lambda: FRAME.evals(**BINARY).compare("a", "b", by="g"),
    "compare losses": lambda: FRAME.evals(**NUMBERS).compare(by="g"),
    "compare folds": lambda: FRAME.evals(**BINARY, fold="fold").compare("a", "b"),
    "folds": lambda: FRAME.evals(**BINARY, fold="fold").folds(by="g"),
    "residuals": lambda: FRAME.evals(**NUMBERS).residuals(by="g"),
    "power": lambda: FRAME.evals(**BINARY).power(by="g"),
    "route": lambda: FRAME.evals(**BINARY).route(by="g"),
    "fairness": lambda: FRAME.evals(**BINARY).fairness("g"),
    "equalise": lambda: FRAME.evals(**BINARY).equalise("g"),
    "flip": lambda: FRAME.evals(**BINARY).flip("g", lambda rows: np.full(len(rows), 0.4)),
    "standardise": lambda: FRAME.evals(**BINARY).standardise(FRAME, "g"),
    "attribute_change": lambda: FRAME.evals(**BINARY).attribute_change(FRAME, by="g"),
    "monitor": lambda: FRAME.assign(at=pd.date_range("2026-01-01", periods=len(FRAME), freq="h")).evals(**BINARY, time="at").monitor("recall", "day", "g"),
    "drift": lambda: FRAME.evals(**BINARY).drift(FRAME.iloc[::2], by="g"),
    "slices": lambda: FRAME.evals(**BINARY).slices(features=["g", "size"], n_resamples=20),
    "slices, the map": lambda: FRAME.evals(**BINARY).slices(features=["g", "size"], n_resamples=20).map(),
    "slices, the tree": lambda: FRAME.evals(**BINARY).slices(features=["g", "size"], n_resamples=20).tree(),
    "slices, pairs": lambda: FRAME.evals(**BINARY).slices(features=["g", "size"], n_resamples=20).pairs(),
    "gate": lambda: FRAME.evals(**BINARY).gate([Gate("recall", ">=", 0.5), Gate("f1", vs="baseline")], model="a", baseline="b", by="g"),
    "corrected": lambda: FRAME.evals(**BINARY).corrected("ok", "y", by="g"),
    "agreement": lambda: FRAME.evals(**BINARY).agreement("y", "ok"),
}  # fmt: skip


def _same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, dfevals.Evaluation):
        _same(one.metrics(by="g"), other.metrics(by="g"))
    elif isinstance(one, dfevals.Tally):
        _same(one.metrics(), other.metrics())
        _same((one + other).metrics(), (other + one).metrics())
    elif hasattr(one, "frame"):
        pd.testing.assert_frame_equal(one.frame, other.frame)
        assert dict(one.provenance) == dict(other.provenance)
        assert str(one) == str(other)
        for name in ("summary", "best", "mix", "discordant", "deciles", "classes"):
            if isinstance(getattr(type(one), name, None), property) or name in vars(one):
                mine, its = (getattr(getattr(x, name), "frame", getattr(x, name)) for x in (one, other))
                pd.testing.assert_frame_equal(mine, its)
    else:
        assert str(one) == str(other)


@pytest.mark.parametrize("question", QUESTIONS)
def test_results_survive_pickle_deepcopy_and_joblib(question: str, tmp_path: Any) -> None:
    found = QUESTIONS[question]()
    copies = [pickle.loads(pickle.dumps(found)), copy.deepcopy(found), copy.copy(found)]  # noqa: S301 - our own bytes
    joblib.dump(found, tmp_path / "found")
    for other in (*copies, joblib.load(tmp_path / "found")):
        _same(found, other)


def test_a_pickled_result_that_shows_no_rows_holds_none() -> None:
    frame = FRAME.assign(secret=[f"secret-{i}" for i in range(N)])
    for result in (
        frame.evals(**BINARY).metrics(by="g"),
        frame.evals(**BINARY).gains(),
        frame.evals(**BINARY).collect(),
    ):
        assert b"secret-7" not in pickle.dumps(result)


def test_every_metric_pickles_and_stays_equal() -> None:
    for record in records().values():
        assert pickle.loads(pickle.dumps(record)) == record  # noqa: S301 - our own bytes
