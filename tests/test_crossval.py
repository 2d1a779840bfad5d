"""cross_validate against scikit-learn: the same splits and predictions, and frames ready to be evaluated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import accuracy_score, cohen_kappa_score, recall_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GroupKFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import dfevals
from dfevals.crossval import cv_times
from dfevals.exceptions import DataError, MetricError

X, y = make_classification(150, 6, random_state=0)
MODELS = {"bayes": GaussianNB(), "tree": DecisionTreeClassifier(max_depth=3, random_state=0)}


def run(*args: object, **options: object) -> pd.DataFrame:
    return dfevals.cross_validate(*args, progress=False, **options)


def test_predictions_are_those_of_scikit_learn() -> None:
    frame = run(MODELS, X, y, 5)
    for name, model in MODELS.items():
        expected = cross_val_predict(model, X, y, cv=5, method="predict_proba")[:, 1]
        np.testing.assert_allclose(frame[f"p_{name}"], expected)
    folds = [test for _, test in StratifiedKFold(5).split(X, y)]
    for at, test in enumerate(folds):
        assert (frame["fold"].iloc[test] == at).all()
    ev = frame.evals()
    assert ev.models == ("bayes", "tree")
    assert ev.pos_label == 1
    assert ev.roles.fold == "fold"


def test_frame_is_indexed_like_x_and_carries_data() -> None:
    index = pd.Index([f"r{i}" for i in range(150)])
    data = pd.DataFrame({"sex": np.where(np.arange(150) % 2, "F", "M"), "id": range(150)}, index=index)
    frame = run(
        MODELS,
        pd.DataFrame(X, index=index).rename(columns=str),
        np.where(y == 1, "yes", "no"),
        4,
        data=data,
        cohorts=["sex", "0"],
    )
    assert frame.index.equals(index)
    assert (frame["id"] == data["id"]).all()
    np.testing.assert_array_equal(frame["0"], X[:, 0])
    assert frame.evals().pos_label == "yes"
    assert frame.evals().folds(by="sex", metrics="accuracy").summary["n_folds"].eq(4).all()


def test_multiclass_probabilities_per_label() -> None:
    iris = load_iris()
    labels = iris.target_names[iris.target]
    frame = run({"nb": GaussianNB()}, iris.data, labels, 3)
    expected = cross_val_predict(GaussianNB(), iris.data, labels, cv=3, method="predict_proba")
    np.testing.assert_allclose(frame[["p_nb_setosa", "p_nb_versicolor", "p_nb_virginica"]], expected)
    assert frame.evals().task == "multiclass"
    assert frame.evals().metrics("roc_auc_ovr").frame["value"].item() > 0.9


def test_margins_and_labels() -> None:
    frame = run({"ridge": RidgeClassifier(), "bayes": GaussianNB()}, X, y, 3)
    expected = cross_val_predict(RidgeClassifier(), X, y, cv=3, method="decision_function")
    np.testing.assert_allclose(frame["score_ridge"], expected)
    assert frame.evals().compare(metrics=["roc_auc", "accuracy"]).frame["p_value"].notna().all()
    labels = run({"ridge": RidgeClassifier()}, X, y, 3, method="predict")
    assert (labels["pred_ridge"] == cross_val_predict(RidgeClassifier(), X, y, cv=3)).all()
    words = run({"ridge": RidgeClassifier()}, X, np.where(y, "b", "a"), 3, method="predict")
    assert set(words["pred_ridge"]) == {"a", "b"}


def test_regression() -> None:
    inputs, target = make_regression(100, 4, noise=5, random_state=0)
    frame = run({"line": LinearRegression()}, inputs, target, 5)
    np.testing.assert_allclose(frame["pred_line"], cross_val_predict(LinearRegression(), inputs, target, cv=5))
    assert frame.evals().task == "regression"
    assert frame.evals().folds(metrics="rmse").summary["n_folds"].item() == 5


def test_repeats_are_rows_of_their_own() -> None:
    cv = RepeatedStratifiedKFold(n_splits=2, n_repeats=5, random_state=0)
    frame = run(MODELS, X, y, cv)
    assert len(frame) == 5 * 150
    assert frame["repeat"].tolist() == np.repeat(range(5), 150).tolist()
    train, test = next(cv.split(X, y))
    expected = GaussianNB().fit(X[train], y[train]).predict_proba(X[test])[:, 1]
    np.testing.assert_allclose(frame["p_bayes"].iloc[test], expected)
    assert frame.evals().compare(metrics="accuracy", test="5x2cv-t").frame["test"].item() == "5x2cv t (Dietterich)"


def test_time_series_leaves_the_first_rows_without_a_fold() -> None:
    frame = run(MODELS, X, y, TimeSeriesSplit(4))
    assert len(frame) == 150
    assert frame["fold"].isna().sum() == frame["p_bayes"].isna().sum() == 150 - 4 * 30
    assert frame.evals().folds(metrics="accuracy").summary["n_folds"].eq(4).all()


def test_groups_become_clusters() -> None:
    groups = np.arange(150) // 5
    frame = run(MODELS, X, y, GroupKFold(3), groups=groups)
    assert (frame.groupby("group")["fold"].nunique() == 1).all()
    assert frame.evals().roles.cluster == "group"


def test_parallel_fits_give_the_same_frame() -> None:
    from joblib import parallel_config

    with parallel_config(backend="threading"):  # processes take seconds to start
        parallel = run(MODELS, X, y, 3, n_jobs=2)
    pd.testing.assert_frame_equal(run(MODELS, X, y, 3), parallel)


def test_training_predictions_come_from_a_model_that_saw_the_row() -> None:
    frame = run(MODELS, X, y, 5, keep_train=True)
    assert (frame["train_fold"] != frame["fold"]).all()
    assert ((frame["fold"] + 1) % 5 == frame["train_fold"]).all()
    train, _ = list(StratifiedKFold(5).split(X, y))[2]
    fitted = MODELS["tree"].fit(X[train], y[train])
    own = (frame["train_fold"] == 2).to_numpy()
    np.testing.assert_allclose(frame.loc[own, "train_p_tree"], fitted.predict_proba(X[own])[:, 1])
    result = frame.evals().folds(metrics="accuracy", models="tree")
    accuracy = ((frame["train_p_tree"] >= 0.5) == frame["y_true"]).groupby(frame["train_fold"]).mean()
    np.testing.assert_allclose(result.frame["train_value"], accuracy)
    assert result.summary["gap"].item() == pytest.approx(accuracy.mean() - result.summary["mean"].item())


def test_times_and_progress(capsys: pytest.CaptureFixture[str]) -> None:
    frame = run(MODELS, X, y, 3)
    times = cv_times(frame)
    assert len(times) == 6
    assert (times["fit_seconds"] > 0).all()
    assert times["n_test"].tolist() == [50] * 6
    assert capsys.readouterr() == ("", "")
    with pytest.raises(DataError, match="no times"):
        cv_times(pd.DataFrame())


def test_a_class_missing_from_training_has_no_probability() -> None:
    labels = np.array(["a"] * 6 + ["b"] * 6 + ["c"] * 6)
    splits = [(np.arange(12), np.arange(12, 18)), (np.arange(6, 18), np.arange(6))]
    frame = run({"nb": GaussianNB()}, X[:18], labels, splits)
    assert (frame["p_nb_c"].iloc[12:] == 0).all()


def test_mistakes_name_the_fix() -> None:
    with pytest.raises(DataError, match="data has 3 rows but X has 150"):
        run(MODELS, X, y, data=pd.DataFrame({"a": [1, 2, 3]}))
    with pytest.raises(DataError, match="rename"):
        run(MODELS, X, y, 3, data=pd.DataFrame({"fold": np.zeros(150)}))
    with pytest.raises(DataError, match="no decision_function"):
        run(MODELS, X, y, 3, method="decision_function")
    with pytest.raises(DataError, match="cannot be compared"):
        run({"a": LinearRegression(), "b": LogisticRegression()}, X, y)
    with pytest.raises(DataError, match="without fit"):
        run({"a": 3}, X, y)
    with pytest.raises(DataError, match="same class"):
        run([GaussianNB(), GaussianNB()], X, y)
    with pytest.raises(DataError, match="one label per row"):
        run(MODELS, X, np.column_stack([y, y]))


@pytest.mark.parametrize("labels", [y, np.where(y, "b", "a"), y.astype(bool)], ids=["int", "text", "Boolean"])
def test_predictions_that_are_not_the_cut_of_the_scores_stand_beside_them(labels: np.ndarray) -> None:
    positive = np.unique(labels)[1]
    models = {
        "plain": LogisticRegression(),
        "early": FixedThresholdClassifier(LogisticRegression(), threshold=0.2, pos_label=positive),
        "ties": KNeighborsClassifier(4),  # half of the neighbours is no majority, but a score of 0.5
    }
    frame = run(models, X, labels, 4)
    assert [c for c in frame.columns if c.startswith("pred_")] == ["pred_early", "pred_ties"]
    ev = frame.evals()
    found = ev.metrics(["recall", "accuracy"]).frame.set_index(["model", "metric"])["value"]
    for name, model in models.items():
        predicted = cross_val_predict(model, X, labels, cv=4)
        assert found[name, "recall"] == pytest.approx(recall_score(labels, predicted, pos_label=positive))
        assert found[name, "accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    again = frame.evals(threshold=0.2).metrics("recall").frame.set_index("model")["value"]
    assert again["plain"] == again["early"] == pytest.approx(found["early", "recall"])


def test_classes_predicted_against_the_greatest_score_keep_their_predictions() -> None:
    iris = load_iris()
    labels = iris.target_names[iris.target]
    model = SVC(decision_function_shape="ovr", break_ties=False)
    rare = _Second()
    frame = run({"second": rare, "svc": model}, iris.data, labels, 3)
    assert (frame["pred_second"] == cross_val_predict(rare, iris.data, labels, cv=3)).all()
    accuracy = frame.evals().metrics("accuracy").frame.set_index("model")["value"]
    for name, one in {"second": rare, "svc": model}.items():
        assert accuracy[name] == pytest.approx(accuracy_score(labels, cross_val_predict(one, iris.data, labels, cv=3)))
    trained = run({"second": rare}, iris.data, labels, 3, keep_train=True)
    assert trained.evals().folds(metrics="accuracy").frame["train_value"].notna().all()


class _Second(GaussianNB):
    """Predicts the class of the second greatest probability."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.classes_[np.argsort(self.predict_proba(X), axis=1)[:, -2]]


def test_data_in_another_order_is_aligned_or_refused() -> None:
    index = pd.Index([f"r{i}" for i in range(150)])
    inputs, truth = pd.DataFrame(X, index=index), pd.Series(y, index=index)
    data = pd.DataFrame({"mine": range(150)}, index=index)
    shuffled = data.sample(frac=1, random_state=0)
    expected = run(MODELS, inputs, truth, 3, data=data)
    pd.testing.assert_frame_equal(run(MODELS, inputs, truth, 3, data=shuffled), expected)
    pd.testing.assert_frame_equal(
        run(MODELS, X, truth, 3, data=shuffled).reset_index(drop=True), expected.reset_index(drop=True)
    )
    with pytest.raises(DataError, match=r"data=data.set_axis\(X.index\)"):
        run(MODELS, inputs, truth, 3, data=data.reset_index(drop=True))
    with pytest.raises(DataError, match=r"y has the rows of X in another order. Pass y.loc\[X.index\]"):
        run(MODELS, inputs, truth.loc[shuffled.index], 3)
    assert run(MODELS, X, y, 3, data=shuffled)["mine"].tolist() == shuffled["mine"].tolist()


def test_order_of_classes_is_known_where_labels_say_it() -> None:
    ranks = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
    truth = pd.Series(np.array(["low", "mid", "high"])[load_iris().target], dtype=ranks)
    frame = run({"nb": GaussianNB()}, load_iris().data, truth, 3)
    predicted = cross_val_predict(GaussianNB(), load_iris().data, load_iris().target, cv=3)
    right = cohen_kappa_score(load_iris().target, predicted, weights="quadratic")
    assert frame.evals().labels == ("low", "mid", "high")
    assert frame.evals().metrics("cohen_kappa_quadratic").frame["value"].item() == pytest.approx(right)
    with pytest.raises(MetricError, match="order of the classes"):
        run({"nb": GaussianNB()}, load_iris().data, truth.astype(object), 3).evals().metrics("cohen_kappa_linear")
