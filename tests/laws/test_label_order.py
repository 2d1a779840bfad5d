"""The order of labels and of score columns, the names of classes and which is positive change no number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import recall_score, roc_auc_score

import dfevals
from dfevals.exceptions import RoleError

rng = np.random.default_rng(3)
BAD = rng.random(400) < 0.3
P = np.clip(rng.normal(0.3 + 0.4 * BAD, 0.2), 0.01, 0.99)
Q = np.clip(rng.normal(0.4 + 0.2 * BAD, 0.2), 0.01, 0.99)
GROUP = rng.choice(["north", "south"], 400)
NAMES: dict[str, tuple[Any, Any]] = {
    "text": ("good", "bad"),
    "text, positive first in the alphabet": ("b", "a"),
    "int": (0, 1),
    "int, positive is the smaller": (2, 1),
    "Boolean": (True, False),
    "float": (0.0, 7.0),
}
QUESTIONS: dict[str, Callable[[Any], pd.DataFrame]] = {
    "metrics": lambda ev: ev.metrics(by="group").frame,
    "compare": lambda ev: ev.compare(metrics=["roc_auc", "recall", "brier"], by="group").frame,
    "gains": lambda ev: ev.gains(by="group", n_resamples=0).frame,
    "thresholds": lambda ev: ev.thresholds(by="group", n_resamples=0).frame,
    "calibration": lambda ev: ev.calibration(by="group").frame,
    "roc": lambda ev: ev.roc().frame,
    "gate": lambda ev: (
        ev.gate([dfevals.Gate("recall", ">=", 0.7), dfevals.Gate("roc_auc", ">=", 0.9)], model="m").frame
    ),
    "worst": lambda ev: ev.worst(20)[["row", "loss"]],
    "confusion": lambda ev: ev.confusion().frame.assign(
        y_true=lambda d: d["y_true"].map(str) == str(ev.pos_label),
        y_pred=lambda d: d["y_pred"].map(str) == str(ev.pos_label),
    ),
}


def _frame(negative: Any, positive: Any) -> pd.DataFrame:
    label = pd.Series(np.where(BAD, 1, 0)).map({0: negative, 1: positive})
    scores = {"m_pos": P, "m_neg": 1 - P, "k_pos": Q, "k_neg": 1 - Q}
    return pd.DataFrame({"y": label, **scores, "group": GROUP, "row": range(len(BAD))})


SPELLINGS: dict[str, Callable[[Any, Any], dict[str, Any]]] = {
    "positive last": lambda n, p: {"labels": [n, p], "y_score": _listed("neg", "pos")},
    "positive first": lambda n, p: {"labels": [p, n], "y_score": _listed("pos", "neg")},
    "labels the other way round": lambda n, p: {"labels": [p, n], "y_score": _listed("pos")},
    "columns of the positive class": lambda n, p: {"y_score": _listed("pos")},
}


def _listed(*ends: str) -> dict[str, Any]:
    return {model: [f"{model}_{end}" for end in ends] for model in ("m", "k")}


@pytest.fixture(scope="module")
def plain() -> dict[str, pd.DataFrame]:
    ev = _frame(0, 1).evals(y_true="y", y_score=_listed("pos"))
    assert ev.metrics("roc_auc", models="m").frame["value"].item() == pytest.approx(roc_auc_score(BAD, P))
    assert ev.metrics("recall", models="m").frame["value"].item() == pytest.approx(recall_score(BAD, P >= 0.5))
    return {name: ask(ev) for name, ask in QUESTIONS.items()}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("names", NAMES)
def test_no_number_depends_on_the_spelling(names: str, spelling: str, plain: dict[str, pd.DataFrame]) -> None:
    negative, positive = NAMES[names]
    ev = _frame(negative, positive).evals(y_true="y", pos_label=positive, **SPELLINGS[spelling](negative, positive))
    for name, ask in QUESTIONS.items():
        found, expected = ask(ev), plain[name]
        keys = [c for c in ("group", "model", "metric", "a", "b", "y_true", "y_pred", "bin", "threshold") if c in found]
        keys = keys if name in ("confusion", "metrics") else []
        found, expected = (f.sort_values(keys) if keys else f for f in (found, expected))
        for column in expected.select_dtypes("number"):
            assert_allclose(found[column], expected[column], rtol=1e-9, atol=1e-9, err_msg=f"{name} {column}")


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 0, 2], [2, 1, 0]])
def test_many_classes_in_any_order(order: list[int]) -> None:
    truth = rng.integers(0, 3, 300)
    p = rng.dirichlet([1, 1, 1], 300) * 0.5 + 0.5 * np.eye(3)[truth]
    frame = pd.DataFrame({"y": np.array(["u", "v", "w"])[truth], **{f"s{i}": p[:, i] for i in range(3)}})
    metrics = ["accuracy", "log_loss", "roc_auc_ovr", "f1_macro", "brier"]
    expected = frame.evals(y_true="y", y_score=["s0", "s1", "s2"], labels=["u", "v", "w"]).metrics(metrics).frame
    columns, labels = [f"s{i}" for i in order], [["u", "v", "w"][i] for i in order]
    found = frame.evals(y_true="y", y_score=columns, labels=labels).metrics(metrics).frame
    assert_allclose(found["value"], expected["value"], rtol=1e-12)
    assert expected["value"].iloc[0] == pytest.approx((p.argmax(1) == truth).mean())


def test_a_recorded_score_is_that_of_its_class() -> None:
    from sklearn.linear_model import LogisticRegression

    X = np.column_stack([P, Q])
    frame = dfevals.cross_validate({"m": LogisticRegression()}, X, np.where(BAD, "bad", "good"), 3, progress=False)
    right = frame.evals().metrics("roc_auc").frame["value"].item()
    assert frame.evals().pos_label == "good"
    for door in (
        lambda: frame.evals(pos_label="bad"),
        lambda: frame.evals(y_true="y_true", y_score={"m": "p_m"}, pos_label="bad"),
        lambda: dfevals.evaluate(frame, frame.evals().roles, pos_label="bad"),
        lambda: dfevals.evaluate(frame, {"y_true": "y_true", "y_score": "p_m", "pos_label": "bad"}),
    ):
        with pytest.raises(RoleError, match=r"recorded as the score of 'good'.*1 - df\['p_m'\]"):
            door()
    turned = frame.assign(p=1 - frame["p_m"]).evals(y_score="p", pos_label="bad")
    assert turned.metrics("roc_auc").frame["value"].item() == pytest.approx(right)


def test_more_columns_than_classes_may_be_models() -> None:
    frame = _frame(0, 1).rename(columns={"m_pos": 0, "m_neg": 1, "k_pos": 2})
    with pytest.raises(RoleError, match=r"y_score=\{'0': 0, '1': 1, '2': 2\}"):
        frame.evals(y_true="y", y_score=[0, 1, 2], labels=[0, 1])
    assert frame.evals(y_true="y", y_score={"a": 0, "b": 2}).models == ("a", "b")
    with pytest.raises(RoleError, match=r"y_score=\{'0': 0, '2': 2\}"):
        frame.evals(y_true="y", y_score=[0, 2])  # which class would each belong to?
    guesses = frame.assign(g=frame["y"], h=1)
    with pytest.raises(RoleError, match=r"a model has one. .* pass y_pred=\{'g': 'g', 'h': 'h'\}"):
        guesses.evals(y_true="y", y_pred=["g", "h"])
