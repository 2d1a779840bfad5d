"""What users may well write and must not be answered by an exception of numpy, pandas or scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dfevals import Gate
from dfevals.exceptions import DfevalsError, MetricError

RNG = np.random.default_rng(0)
N = 210
Y = RNG.integers(0, 2, N)
FRAME = pd.DataFrame(
    {
        "y": Y,
        "p": np.clip(Y * 0.4 + 0.6 * RNG.random(N), 0, 1),
        "q": RNG.random(N),
        "g": RNG.choice(["a", "b"], N),
        "c": np.arange(N) // 70,
        "amount": RNG.gamma(2, 3, N),
    }
)
TWO = {"y_true": "y", "y_score": {"p": "p", "q": "q"}}
THREE = pd.DataFrame(RNG.dirichlet([1, 1, 1], N)).assign(y=RNG.integers(0, 3, N))
PAIR = pd.DataFrame({0: 1 - FRAME["p"], 1: FRAME["p"], "y": FRAME["y"]})


def test_columns_of_predict_proba() -> None:
    """`DataFrame(model.predict_proba(X))` has whole numbers as names of its columns."""
    from sklearn.metrics import accuracy_score, roc_auc_score

    frame = THREE.evals(y_true="y", y_score=[0, 1, 2]).metrics(["accuracy", "roc_auc_ovr"]).frame
    scores = THREE[[0, 1, 2]].to_numpy()
    expected = [accuracy_score(THREE["y"], scores.argmax(axis=1)), roc_auc_score(THREE["y"], scores, multi_class="ovr")]
    assert frame["value"].tolist() == pytest.approx(expected)
    for spec in ([0, 1], 1, {"m": 1}, {"m": [0, 1]}):
        found = PAIR.evals(y_true="y", y_score=spec).metrics("roc_auc").frame["value"].item()
        assert found == pytest.approx(roc_auc_score(PAIR["y"], PAIR[1]))


NUMBERED: dict[str, Callable[[], Any]] = {
    "card": lambda: (repr(THREE.evals(y_true="y", y_score=[0, 1, 2])), PAIR.evals(y_true="y", y_score=1)._repr_html_()),
    "calibration": lambda: THREE.evals(y_true="y", y_score=[0, 1, 2]).calibration().plot(),
    "explore": lambda: THREE.evals(y_true="y", y_score=[0, 1, 2]).explore().to_html(),
    "worst": lambda: PAIR.evals(y_true="y", y_score=1).worst(3),
    "by": lambda: PAIR.assign(z=FRAME["g"]).rename(columns={"z": 7}).evals(y_true="y", y_score=1).metrics(by=7),
    "set_roles": lambda: PAIR.copy().evals.set_roles(y_true="y", y_score=1).evals().metrics(),
    "provenance": lambda: dict(THREE.evals(y_true="y", y_score=[0, 1, 2], cohorts=[0]).metrics("accuracy").provenance),
    "gains": lambda: PAIR.rename(columns={0: 5}).evals(y_true="y", y_score=1).gains(value=5),
    "regression": lambda: FRAME.rename(columns={"amount": 0, "p": 1}).evals(y_true=0, y_pred=1).residuals(),
    "outcomes": lambda: FRAME.rename(columns={"amount": 0}).evals(outcomes=[0]).metrics(),
}


@pytest.mark.parametrize("name", NUMBERED)
def test_names_of_columns_may_be_numbers(name: str) -> None:
    NUMBERED[name]()


RESAMPLES: dict[str, Callable[[Any, Any], Any]] = {
    "gains": lambda ev, n: ev.gains(value=5.0, n_resamples=n),
    "gains of a column": lambda ev, n: ev.gains(value="amount", n_resamples=n),
    "metrics": lambda ev, n: ev.metrics(interval="bootstrap", n_resamples=n),
    "compare": lambda ev, n: ev.compare("p", "q", test="bootstrap", n_resamples=n),
    "calibration": lambda ev, n: ev.calibration(n_resamples=n),
}


@pytest.mark.parametrize("n", [0, -1, 2.5, "many", True])
@pytest.mark.parametrize("name", RESAMPLES)
def test_numbers_of_resamples(name: str, n: Any) -> None:
    with pytest.raises(MetricError, match=f"n_resamples={n!r} must be a whole number of at least 1"):
        RESAMPLES[name](FRAME.evals(**TWO), n)


@pytest.mark.parametrize("n", [-1, 2.5])
def test_numbers_of_resamples_that_may_be_none(n: Any) -> None:
    for ask in (lambda ev, n: ev.thresholds(n_resamples=n), lambda ev, n: ev.roc(n_resamples=n)):
        ask(FRAME.evals(**TWO), 0)
        with pytest.raises(MetricError, match="whole number of at least 0"):
            ask(FRAME.evals(**TWO), n)


ASKED = (
    "metrics",
    "confusion",
    "roc",
    "pr",
    "calibration",
    "gains",
    "thresholds",
    "errors",
    "compare",
    "route",
    "power",
)


@pytest.mark.parametrize("by", [None, "g"])
@pytest.mark.parametrize("question", [*ASKED, "recalibrate"])
def test_no_rows(question: str, by: Any) -> None:
    empty = FRAME.evals(**TWO).where("p > 5")
    if question in ("route", "recalibrate"):  # refused in words
        with pytest.raises(DfevalsError, match=r"cohorts|rows"):
            getattr(empty, question)(by=by)
        return
    result = getattr(empty, question)(by=by)
    assert str(result)
    assert result._repr_html_()


def test_no_rows_in_other_questions() -> None:
    empty = FRAME.evals(y_true="y", y_score="p").where("p > 5")
    assert len(empty.worst(3)) == 0
    assert empty.gate([Gate("recall", ">=", 0.5)], by="g").answer == "inconclusive"
    empty.explore().to_html()
    with pytest.raises(DfevalsError, match="0 rows"):
        empty.compare(by="g", against="complement")


@pytest.mark.parametrize(("clusters", "way"), [(3, "cv=3 or less"), (1, "One cluster")])
def test_fewer_clusters_than_folds(clusters: int, way: str) -> None:
    frame = FRAME.assign(c=np.arange(N) % clusters)
    with pytest.raises(MetricError, match=way):
        frame.evals(y_true="y", y_score="p", cluster="c").recalibrate()
    if clusters > 1:
        frame.evals(y_true="y", y_score="p", cluster="c").recalibrate(cv=clusters)


def test_a_splitter_that_does_not_fit() -> None:
    from sklearn.model_selection import GroupKFold, StratifiedKFold

    ev = FRAME.evals(y_true="y", y_score="p")
    for cv in (GroupKFold(5), StratifiedKFold(200), "five"):
        with pytest.raises(MetricError, match="cv="):
            ev.recalibrate(cv=cv)


def test_keywords_of_thresholds_are_explained() -> None:
    with pytest.raises(TypeError, match=r"no keyword 'costs'\. Did you mean 'cost'\?"):
        FRAME.evals(**TWO).thresholds(costs={"fp": 1, "fn": 5})
    best = FRAME.evals(**TWO).thresholds(metrics=["recall"], budget=[0.1], optimism="cross-fit", n_resamples=20)
    assert "recall" in best.frame
