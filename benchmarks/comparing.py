"""Comparison of two models per cohort: McNemar against mlxtend and statsmodels, DeLong against ranks per cohort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from cohort_metrics import scored
from harness import Fact, Row, cpu

from dfevals.inference import delong_by_group, mcnemar


def groups_of(frame: pd.DataFrame) -> list[np.ndarray]:
    """Rows of every cohort; found before the peers' clocks start."""
    return list(frame.groupby("cohort", observed=True).indices.values())


def ours_mcnemar(y: np.ndarray, a: np.ndarray, b: np.ndarray, codes: np.ndarray, n: int) -> Any:
    """Discordant counts of all cohorts by one bincount, then both tests."""
    kind = (a == y) * 2 + (b == y)
    counts = np.bincount(codes * 4 + kind, minlength=4 * n).reshape(n, 4)
    return mcnemar(counts[:, 2], counts[:, 1], "exact"), mcnemar(counts[:, 2], counts[:, 1], "chi2")


def mlxtend_mcnemar(y: np.ndarray, a: np.ndarray, b: np.ndarray, groups: list[np.ndarray]) -> None:
    """The table from vectors and both tests, cohort by cohort."""
    from mlxtend.evaluate import mcnemar as test
    from mlxtend.evaluate import mcnemar_table

    for rows in groups:
        table = mcnemar_table(y[rows], a[rows], b[rows])
        test(table, exact=True)
        test(table, exact=False, corrected=False)


def statsmodels_mcnemar(y: np.ndarray, a: np.ndarray, b: np.ndarray, groups: list[np.ndarray]) -> None:
    """A cross table and both tests, cohort by cohort."""
    from statsmodels.stats.contingency_tables import mcnemar as test

    for rows in groups:
        right_a, right_b = pd.Series(a[rows] == y[rows]), pd.Series(b[rows] == y[rows])
        table = pd.crosstab(right_a, right_b).reindex(index=[True, False], columns=[True, False], fill_value=0)
        test(table, exact=True)
        test(table, exact=False, correction=False)


def rank_delong(y: np.ndarray, scores: list[np.ndarray], groups: list[np.ndarray]) -> list[Any]:
    """DeLong's covariance by mid-ranks (Sun and Xu 2014), cohort by cohort."""
    from scipy.stats import rankdata

    found = []
    for rows in groups:
        positive = y[rows] == 1
        m, n = positive.sum(), (~positive).sum()
        v10, v01 = [], []
        for score in scores:
            s = score[rows]
            every, pos, neg = rankdata(s), rankdata(s[positive]), rankdata(s[~positive])
            v10.append((every[positive] - pos) / n)
            v01.append(1 - (every[~positive] - neg) / m)
        found.append(np.cov(v10) / m + np.cov(v01) / n)
    return found


def cross_validation() -> list[Row | Fact]:
    """Overhead of cross_validate over scikit-learn's cross_val_predict for fits of a tenth of a second and more."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    import dfevals

    x, y = make_classification(4000, 20, random_state=0)
    features, labels = pd.DataFrame(x).add_prefix("x"), pd.Series(y, name="y")
    model = RandomForestClassifier(30, random_state=0)
    folds = StratifiedKFold(5)
    mine = cpu(lambda: dfevals.cross_validate({"forest": model}, features, labels, cv=folds, progress=False))
    theirs = cpu(lambda: cross_val_predict(model, features, labels, cv=folds, method="predict_proba"))
    return [Fact("cross_validate against cross_val_predict, 5 folds", f"{mine / theirs - 1:+.1%}", "≤ +5 %")]


def run(rows: int) -> list[Row | Fact]:
    """All comparisons at a number of rows and 1 000 cohorts."""
    frame = scored(rows, 1000, models=2)
    y = frame["y"].to_numpy()
    scores = [frame[name].to_numpy() for name in ("p0", "p1")]
    a, b = ((score >= 0.5).astype(int) for score in scores)
    codes = frame["cohort"].factorize()[0].astype(np.intp)
    groups = groups_of(frame)
    evaluation = frame.evals(y_true="y", y_score={"a": "p0", "b": "p1"})
    evaluation.compare("a", "b", by="cohort", metrics="accuracy")
    arrays = cpu(lambda: ours_mcnemar(y, a, b, codes, 1000), 5)
    whole = cpu(lambda: evaluation.compare("a", "b", by="cohort", metrics="accuracy"))
    mlxtend = cpu(lambda: mlxtend_mcnemar(y, a, b, groups), 2)
    statsmodels = cpu(lambda: statsmodels_mcnemar(y, a, b, groups), 1)
    delong = cpu(lambda: delong_by_group(codes, y, *scores, n_groups=1000))
    ranks = cpu(lambda: rank_delong(y, scores, groups), 2)
    size = f"{rows:,} rows × 1,000 cohorts"
    return [
        Row(f"McNemar exact and chi2, {size}", "mlxtend per cohort", arrays, mlxtend, "≥ 8×"),
        Row(f"McNemar exact and chi2, {size}", "statsmodels per cohort", arrays, statsmodels, "≥ 300×"),
        Row(f"ev.compare of accuracy, {size}, whole call", "mlxtend per cohort", whole, mlxtend),
        Row(f"ev.compare of accuracy, {size}, whole call", "statsmodels per cohort", whole, statsmodels, "≥ 300×"),
        Row(f"paired DeLong, {size}", "mid-ranks per cohort", delong, ranks, "≥ 4×"),
        *cross_validation(),
    ]
