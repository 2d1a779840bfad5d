"""A row whose value is missing in a role's column is left out and counted, in every question alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import dfevals
from dfevals.roles.records import RECORDS

N, GONE = 480, 60
rng = np.random.default_rng(12)
Y = np.repeat(rng.random(N // 2) < 0.4, 2)
#: Columns that roles need; rows of a model, a release or a case stand side by side.
FRAME = pd.DataFrame(
    {
        "y": Y,
        "p": np.clip(rng.normal(0.3 + 0.4 * Y, 0.2), 0.01, 0.99),
        "q": np.clip(rng.normal(0.35 + 0.3 * Y, 0.2), 0.01, 0.99),
        "ok": (rng.random(N) < 0.8).astype(float),
        "region": rng.choice(["north", "south"], N),
        "sample_weight": rng.gamma(2.0, 1.0, N),
        "cluster": rng.integers(0, 90, N),
        "unit": rng.integers(0, 120, N),
        "id": np.repeat(range(N // 2), 2),
        "model": np.tile(["a", "b"], N // 2),
        "fold": rng.integers(0, 5, N),
        "repeat": rng.integers(0, 2, N),
        "time": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 90, N), unit="D"),
        "release": np.tile(["v1", "v2"], N // 2),
    }
)
ROLES = [role.name for role in RECORDS.values() if role.needed]
TWO: dict[str, Any] = {"y_true": "y", "y_score": {"p": "p", "q": "q"}}
ONE: dict[str, Any] = {"y_true": "y", "y_score": "p"}
QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "metrics": lambda ev: ev.metrics(["accuracy", "roc_auc"], by="region"),
    "confusion": lambda ev: ev.confusion(),
    "errors": lambda ev: ev.errors(),
    "roc": lambda ev: ev.roc(),
    "calibration": lambda ev: ev.calibration(),
    "gains": lambda ev: ev.gains(n_resamples=0),
    "thresholds": lambda ev: ev.thresholds(n_resamples=0),
    "recalibrate": lambda ev: ev.recalibrate(),
    "compare": lambda ev: ev.compare(metrics="accuracy"),
    "compare cohorts": lambda ev: ev.compare(metrics="accuracy", by="region", against="complement"),
    "power": lambda ev: ev.power(metrics="accuracy"),
    "route": lambda ev: ev.route(by="region", metric="accuracy"),
    "equalise": lambda ev: ev.equalise("region"),
    "fairness": lambda ev: ev.fairness("region"),
    "monitor": lambda ev: ev.monitor("accuracy", "month"),
    "standardise": lambda ev: ev.standardise(FRAME, "region"),
    "attribute_change": lambda ev: ev.attribute_change(ev.frame, by="region"),
    "slices": lambda ev: ev.slices("accuracy", "region", n_resamples=20),
    "agreement": lambda ev: ev.agreement(),
    "corrected": lambda ev: ev.corrected("q", "p", by="region"),
    "folds": lambda ev: ev.folds(metrics="accuracy"),
    "gate": lambda ev: ev.gate([dfevals.Gate("accuracy", ">=", 0.5)], model=ev.models[0]),
}


def asked(role: str, question: str) -> dict[str, Any]:
    """The roles under which a question can be asked with this role."""
    roles = {**(ONE if role in ("model", "release") else TWO), role: role}
    if question in ("route", "agreement", "power") and role in ("model", "release"):
        roles["id"] = "id"
    if role == "repeat" or question == "folds":
        roles["fold"] = "fold"
    if question == "monitor":
        roles["time"] = "time"
    if role == "repeat":
        roles["id"] = "id"
    return roles


def possible(role: str, question: str) -> bool:
    """A single model has nothing to agree with; a release is no model to be routed to or to rate."""
    return not (role == "release" and question in ("agreement", "route"))


CASES = [(role, question) for role in ROLES for question in QUESTIONS if possible(role, question)]


def with_holes(role: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frame with missing values of a role, and the frame without those rows."""
    gone = np.zeros(N, bool)
    gone[np.random.default_rng(5).choice(N, GONE, replace=False)] = True
    return FRAME.assign(**{role: FRAME[role].mask(gone)}), FRAME[~gone]


@pytest.mark.parametrize(("role", "question"), CASES)
def test_missing_values_are_left_out_and_counted(role: str, question: str) -> None:
    holes, rest = with_holes(role)
    roles, ask = asked(role, question), QUESTIONS[question]
    found, expected = ask(holes.evals(**roles)), ask(rest.evals(**roles))
    said = " ".join([*found.notes, *(f"{k} {v}" for k, v in found.provenance.items())])
    assert f"{GONE} missing {role} ({role})" in said or f"{GONE} rows without a fold" in said
    for column in [name for name in ("value", "n", "count", "difference", "observed", "tpr") if name in expected.frame]:
        assert_allclose(found.frame[column], expected.frame[column], rtol=1e-9, atol=1e-9, err_msg=column)


def test_reasons_add_up_to_the_rows_that_are_gone() -> None:
    frame = FRAME.copy()
    for i, role in enumerate(ROLES):
        frame[role] = frame[role].mask(np.arange(N) % 16 == i)
        frame[role] = frame[role].mask(np.arange(N) % 16 == 15)  # rows with nothing have one reason
    frame["y"] = frame["y"].astype("boolean").mask(np.arange(N) % 16 == 14)
    names = [role for role in ROLES if role not in ("model", "release")]
    result = frame.evals(**TWO, **{name: name for name in names}).metrics("accuracy")
    lost = (len(names) + 2) * N // 16
    assert sum(f"{lost} rows left out" in note for note in result.notes) == 2
    assert result.frame["n"].eq(N - lost).all()


def test_the_explorer_leaves_out_the_same_rows() -> None:
    from dfevals.explorers.view import View

    holes, _ = with_holes("time")
    view = View(holes.evals(**TWO, time="time"))
    assert view.dropped("p") == {"missing time (time)": GONE}
