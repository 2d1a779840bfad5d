"""Out-of-fold scores of scikit-learn models: every row is scored by a model that has not seen it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from datasets.recipe import Figures

JOBS = 2
SEED = 0


def one_hot(scaler: BaseEstimator | None = None) -> ColumnTransformer:
    """Standardised numbers and one-hot categories (rare ones together)."""
    return ColumnTransformer(
        [
            ("numbers", scaler or StandardScaler(), make_column_selector(dtype_include="number")),
            (
                "categories",
                OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20, sparse_output=False),
                make_column_selector(dtype_include="category"),
            ),
        ]
    )


def logistic(C: float = 1.0) -> BaseEstimator:
    """Logistic regression on standardised numbers and one-hot categories."""
    return make_pipeline(one_hot(), LogisticRegression(C=C, max_iter=2000))


def boosting(**options: Any) -> BaseEstimator:
    """Histogram gradient boosting on the columns as they are."""
    options = {"learning_rate": 0.06, "max_iter": 200, "random_state": SEED} | options
    return HistGradientBoostingClassifier(categorical_features="from_dtype", early_stopping=False, **options)


def forest(**options: Any) -> BaseEstimator:
    """Random forest on ordinal codes."""
    codes = ColumnTransformer(
        [
            (
                "categories",
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
                make_column_selector(dtype_include="category"),
            )
        ],
        remainder="passthrough",
    )
    return make_pipeline(codes, RandomForestClassifier(**{"n_estimators": 200, "random_state": SEED, **options}))


def stratified_folds(y: np.ndarray, n_folds: int = 10) -> np.ndarray:
    """Fold number of every row, 0 … n_folds − 1, with the classes in equal shares; seeded."""
    fold = np.empty(len(y), dtype=np.int64)
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=SEED)
    for number, (_, test) in enumerate(splitter.split(np.zeros(len(y)), y)):
        fold[test] = number
    return fold


def out_of_fold(
    model: BaseEstimator,
    X: pd.DataFrame,
    y: np.ndarray,
    fold: np.ndarray,
    *,
    positive: object = None,
    decimals: int = 6,
) -> np.ndarray:
    """Predictions of every row by the model fitted on the other folds; P(positive) if `positive` is given."""

    def fit_one(number: int) -> np.ndarray:
        fitted = clone(model).fit(X[fold != number], y[fold != number])
        if positive is None:
            return np.asarray(fitted.predict(X[fold == number]), dtype=float)
        return np.asarray(fitted.predict_proba(X[fold == number])[:, list(fitted.classes_).index(positive)])

    values = np.empty(len(y))
    numbers = np.unique(fold)
    # one thread per fit: sums in a fixed order give the same bytes again
    parallel = Parallel(n_jobs=JOBS, backend="loky", inner_max_num_threads=1)
    for number, part in zip(numbers, parallel(delayed(fit_one)(n) for n in numbers), strict=True):
        values[fold == number] = part
    return values.round(decimals)


def binary_figures(y_true: str, positive: object, *scores: str) -> Figures:
    """ROC AUC and log loss of each score column, over all rows."""

    def figures(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
        y = np.asarray(frame[y_true] == positive)
        return {
            score: {
                "roc_auc": round(float(roc_auc_score(y, frame[score])), 4),
                "log_loss": round(float(log_loss(y, frame[score].clip(0, 1))), 4),
            }
            for score in scores
        }

    return figures
