"""Which scores are probabilities: a score that is neither that nor a margin decides nothing in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, recall_score, roc_auc_score

import dfevals
from dfevals.exceptions import DataError, MetricError

rng = np.random.default_rng(8)
Y = rng.random(1000) < 0.4
P = np.clip(rng.normal(0.3 + 0.4 * Y, 0.2), 0.01, 0.99).round(4)
DECISIONS = {"accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc"}


def evaluation(scores: Any, **roles: Any) -> Any:
    return pd.DataFrame({"y": Y, "p": scores}).evals(y_true="y", y_score="p", **roles)


def with_one(value: float) -> Any:
    scores = P.copy()
    scores[17] = value
    return scores


UNCLEAR = {
    "one of 1.001": (with_one(1.001), "1 of 1,000 lie outside [0, 1], the first 1.001 at row 17"),
    "one of -1": (with_one(-1.0), "1 of 1,000 lie outside [0, 1], the first -1 at row 17"),
    "one of 999": (with_one(999.0), "the first 999 at row 17"),
    "percent": ((100 * P).round(2), "nothing lies below 0"),
    "deciles": (np.ceil(10 * P), "nothing lies below 0"),
    "logarithms": (
        np.log(P),
        f"the first below 0 is {np.log(P[0]):.8g} at row 0 of column 'p') and nothing lies above 0",
    ),
    "scorecard": (300 + 550 * P, f"the first above 1 is {300 + 550 * P[0]:.8g} at row 0"),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_unclear_scores_rank_and_do_not_decide(name: str) -> None:
    scores, why = UNCLEAR[name]
    ev = evaluation(scores)
    result = ev.metrics()
    found = result.frame.set_index("metric")["value"]
    assert found["roc_auc"] == pytest.approx(roc_auc_score(Y, scores))
    assert not DECISIONS & set(found.index)
    assert any(why in note and "threshold=" in note and "score_kind=" in note for note in result.notes)
    assert why in repr(ev)
    for ask in (lambda: ev.metrics("recall"), ev.confusion, ev.errors, ev.worst, ev.power, ev.explore):
        with pytest.raises(MetricError) as caught:
            ask()
        assert why in str(caught.value)
    assert ev.roc().summary["operating_fpr"].isna().all()
    assert any(why in note for note in ev.roc().notes)
    assert ev.thresholds(n_resamples=0).best["value"].notna().all()


def test_what_is_said_decides() -> None:
    score = 300 + 550 * P
    told = evaluation(score, threshold=575).metrics(["accuracy", "recall"]).frame["value"].tolist()
    assert told == pytest.approx([accuracy_score(Y, score >= 575), recall_score(Y, score >= 575)])
    assert evaluation(score, score_kind="margin").metrics("recall").frame["value"].item() == 1.0
    with pytest.raises(DataError, match=r"1 of 1,000 lie outside \[0, 1\], the first 1.001 at row 17 of column 'p'"):
        evaluation(with_one(1.001), score_kind="probability").metrics("recall")


def test_probabilities_and_margins_are_what_they_were() -> None:
    right = accuracy_score(Y, P >= 0.5)
    for scores in (P, np.where(P > 0.98, 1.00005, P)):  # rounding is no mistake
        assert evaluation(scores).metrics("accuracy").frame["value"].item() == pytest.approx(right)
    logits = np.log(P / (1 - P))
    assert evaluation(logits).metrics("accuracy").frame["value"].item() == pytest.approx(accuracy_score(Y, logits >= 0))


def test_rows_selected_keep_the_kind_of_the_whole() -> None:
    ev = evaluation(with_one(999.0))
    some = ev.where(np.arange(1000) > 500)
    assert not DECISIONS & set(some.metrics().frame["metric"])
    with pytest.raises(MetricError, match="the first 999 at row 17"):
        some.confusion()


def test_class_scores_with_a_mistake_decide_nothing() -> None:
    truth = rng.integers(0, 3, 300)
    p = rng.dirichlet([1, 1, 1], 300) * 0.4 + 0.6 * np.eye(3)[truth]
    frame = pd.DataFrame(p, columns=["p_0", "p_1", "p_2"]).assign(y=truth)
    roles: dict[str, Any] = {"y_true": "y", "y_score": "p_{label}"}
    percent = frame.assign(**{f"p_{k}": 100 * frame[f"p_{k}"] for k in range(3)})
    right = accuracy_score(truth, p.argmax(axis=1))
    for clear in (frame, percent):  # the greatest of the classes needs no cut
        assert clear.evals(**roles).metrics("accuracy").frame["value"].item() == pytest.approx(right)
    frame.loc[40, "p_1"] = 999.0
    with pytest.raises(MetricError, match=r"1 of 900 lie outside .* the first 999 at row 40 of column 'p_1'"):
        frame.evals(**roles).metrics("accuracy")


def test_weighted_kappa_knows_the_order_of_ranks_or_is_refused() -> None:
    ranks = ["low", "medium", "high"]
    truth = rng.integers(0, 3, 400)
    guess = np.clip(truth + rng.integers(-1, 2, 400), 0, 2)
    frame = pd.DataFrame({"y": np.array(ranks)[truth], "g": np.array(ranks)[guess]})
    roles = {"y_true": "y", "y_pred": "g"}
    numbers = pd.DataFrame({"y": truth, "g": guess}).evals(**roles, task="multiclass")
    ordered = frame.astype(pd.CategoricalDtype(ranks, ordered=True)).evals(**roles)
    for name, weights in (("cohen_kappa_linear", "linear"), ("cohen_kappa_quadratic", "quadratic")):
        right = cohen_kappa_score(truth, guess, weights=weights)
        for ev in (numbers, ordered, frame.evals(**roles, labels=ranks)):
            assert ev.metrics(name).frame["value"].item() == pytest.approx(right)
        ev = frame.evals(**roles)
        for ask in (
            lambda name=name, ev=ev: ev.metrics(name),
            lambda name=name, ev=ev: ev.collect("accuracy").metrics(name),
            lambda name=name, ev=ev: ev.gate([dfevals.Gate(name, ">=", 0.1)]),
        ):
            with pytest.raises(MetricError, match=r"order of the classes.*labels=\[…\].*ordered categorical"):
                ask()
    two = frame[frame["y"] != "medium"].assign(g=lambda d: d["g"].replace("medium", "low"))
    assert two.evals(**roles, pos_label="high").metrics("cohen_kappa_linear").frame["value"].notna().all()
