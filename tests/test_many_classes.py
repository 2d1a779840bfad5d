"""Many classes: the numbers of tables of all cells, without the tables."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

import dfevals
from dfevals.estimates.delta import cell_gradient, matrix_gradient
from dfevals.metrics.registry import find
from dfevals.tally import CellView, ManyCells

NAMES = [
    *("accuracy", "balanced_accuracy", "f1", "mcc", "precision", "recall_weighted", "f1_micro", "specificity", "npv"),
    *("cohen_kappa", "cohen_kappa_linear", "cohen_kappa_quadratic", "g_mean", "jaccard", "fbeta(beta=2)", "youden_j"),
]
ROLES = [
    {},
    {"sample_weight": "weight"},
    {"sample_weight": "times", "weight_kind": "frequency"},
    {"cluster": "unit"},
    {"cluster": "unit", "sample_weight": "weight"},
]


def predicted(n: int, classes: int, seed: int = 0) -> pd.DataFrame:
    """Labels, predictions, cohorts, weights and clusters; later classes are rarer."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, classes + 1)
    y, other = (rng.choice(classes, n, p=share / share.sum()) for _ in range(2))
    frame = pd.DataFrame({"y": y, "p": np.where(rng.random(n) < 0.7, y, other)})
    frame["g"], frame["unit"] = rng.integers(0, 3, n).astype(str), rng.integers(0, n // 5, n)
    return frame.assign(weight=rng.random(n), times=rng.integers(0, 4, n))


def evaluated(frame: pd.DataFrame, **roles: object) -> dfevals.Evaluation:
    """The frame as a multiclass evaluation."""
    return frame.evals(y_true="y", y_pred="p", task="multiclass", **roles)


@pytest.mark.parametrize("roles", ROLES, ids=str)
def test_numbers_are_those_of_tables(monkeypatch: pytest.MonkeyPatch, roles: dict[str, object]) -> None:
    frame, by_class = predicted(200, 5), ["recall", "precision", "f1", "fbeta(beta=2)", "lr_plus"]

    def numbers() -> list[pd.DataFrame]:
        evaluation = evaluated(frame, **roles)
        halves = [
            evaluated(part, labels=range(5), **roles).collect(NAMES, by="g") for part in (frame[::2], frame[1::2])
        ]
        return [
            evaluation.metrics(NAMES, by="g").frame,
            evaluation.metrics(by_class, by=dfevals.each("g", "y"), by_class=True).frame,
            evaluation.metrics(NAMES[:4], by="g", relative_to="complement").frame,
            evaluation.metrics(["f1", "mcc"], by="g", interval="bootstrap", n_resamples=20, random_state=0).frame,
            (halves[0] + halves[1]).metrics().frame,
        ]

    tables = numbers()
    for module in ("engines.frame", "tally.cells"):
        monkeypatch.setattr(f"dfevals.{module}.FEW_CLASSES", 2)
    many = numbers()
    monkeypatch.setattr("dfevals.engines.frame.DENSE", 10)
    monkeypatch.setattr("dfevals.estimates.estimate.HELD", 10)
    for expected, found, sorted_ in zip(tables, many, numbers(), strict=True):
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9)
        pd.testing.assert_frame_equal(sorted_, expected, rtol=1e-9)


def test_values_are_those_of_scikit_learn() -> None:
    frame = predicted(3000, 150)
    found = evaluated(frame).metrics(NAMES[:11]).frame.set_index("metric")["value"]
    y, p = frame["y"], frame["p"]
    expected = {
        "accuracy": sk.accuracy_score(y, p),
        "balanced_accuracy": sk.recall_score(y, p, average="macro", labels=np.unique(y), zero_division=0),
        "f1": sk.f1_score(y, p, average="macro"),
        "mcc": sk.matthews_corrcoef(y, p),
        "precision": sk.precision_score(y, p, average="macro", zero_division=0),
        "recall_weighted": sk.recall_score(y, p, average="weighted", zero_division=0),
        "f1_micro": sk.f1_score(y, p, average="micro"),
        "cohen_kappa": sk.cohen_kappa_score(y, p),
    }
    assert found[list(expected)].to_dict() == pytest.approx(expected, rel=1e-12)
    for weights in ("linear", "quadratic"):
        kappa = evaluated(frame, labels=range(150)).metrics(f"cohen_kappa_{weights}").frame["value"].iloc[0]
        assert kappa == pytest.approx(sk.cohen_kappa_score(y, p, weights=weights, labels=range(150)), rel=1e-12)


@pytest.mark.parametrize("name", ["mcc", "cohen_kappa", "cohen_kappa_linear", "cohen_kappa_quadratic", "g_mean"])
def test_derivatives_are_those_by_every_cell(name: str) -> None:
    rng = np.random.default_rng(3)
    table = rng.random((2, 12, 12)) + 3 * np.eye(12)
    many, metric = ManyCells.of_table(table), find(name).metric
    gradient = cell_gradient(metric, many.view())
    true, pred, cohort = np.ogrid[:12, :12, :2]
    expected = matrix_gradient(lambda view: metric(view).value, table.transpose(1, 2, 0))
    np.testing.assert_allclose(gradient.at(true, pred, cohort), expected, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(gradient.pseudo(None), (expected**2).sum(axis=(0, 1)), rtol=1e-9)
    present = rng.random((12, 2)) < 0.6
    both = present[:, None] & present[None, :]
    np.testing.assert_allclose(gradient.pseudo(present), (expected**2 * both).sum(axis=(0, 1)), rtol=1e-9)


def test_what_lies_outside_a_class_keeps_small_weights() -> None:
    table = np.full((1, 10, 10), 1e-12)
    table[0, 3, 3] = 1e6
    many = ManyCells.of_table(table)
    np.testing.assert_allclose(many.view("classes").tn, CellView(table.transpose(1, 2, 0), "classes").tn, rtol=1e-12)


def test_ten_thousand_classes_fit() -> None:
    frame = predicted(10_000, 10_000)
    tracemalloc.start()
    found = evaluated(frame, labels=range(10_000)).metrics(by="g").frame
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    overall = found[found["is_overall"]].set_index("metric")
    assert overall.loc["mcc", "value"] == pytest.approx(sk.matthews_corrcoef(frame["y"], frame["p"]), rel=1e-12)
    assert (overall["ci_low"] < overall["value"]).all()
    assert (overall["ci_high"] > overall["value"]).all()
    assert peak < 2**30


def test_a_table_that_would_not_fit_is_refused() -> None:
    frame = predicted(2000, 6000)
    with pytest.raises(dfevals.exceptions.MetricError, match="6,000 classes"):
        evaluated(frame, labels=range(6000)).confusion()
