"""Twelve metrics per cohort: dfevals with intervals against Fairlearn, pandas with scikit-learn, and Polars without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from harness import Fact, Row, cpu, extra_peak

import dfevals

METRICS = [
    *("accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "fpr", "selection_rate"),
    *("log_loss", "brier", "roc_auc", "average_precision"),
]
COUNTS = METRICS[:8]


def scored(rows: int, cohorts: int, models: int = 1, seed: int = 0) -> pd.DataFrame:
    """Random scores of models with an AUC near 0.8, and a text cohort column."""
    rng = np.random.default_rng(seed)
    names = np.array([f"cohort {i:05d}" for i in range(cohorts)], dtype=object)
    y = (rng.random(rows) < 0.3).astype(np.int64)
    frame = pd.DataFrame({"y": y, "cohort": names[rng.integers(0, cohorts, rows)]})
    for i in range(models):
        frame[f"p{i}"] = 1 / (1 + np.exp(-(rng.normal(0, 1.5, rows) + 1.2 * y - 0.8)))
    return frame


def ours(frame: pd.DataFrame, metrics: list[str] = METRICS, by: Any = "cohort", **roles: Any) -> pd.DataFrame:
    """The whole call: roles, validation, cohorts, pass, intervals, frame."""
    return frame.evals(y_true="y", y_score=roles.pop("y_score", "p0"), **roles).metrics(metrics, by=by).frame


def fairlearn(frame: pd.DataFrame) -> Any:
    """MetricFrame for labels and for scores."""
    from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_negative_rate
    from sklearn import metrics as sk

    labels = {
        "accuracy": sk.accuracy_score,
        "balanced_accuracy": sk.balanced_accuracy_score,
        "precision": sk.precision_score,
        "recall": sk.recall_score,
        "f1": sk.f1_score,
        "specificity": true_negative_rate,
        "fpr": false_positive_rate,
        "selection_rate": selection_rate,
    }
    scores = {
        "log_loss": sk.log_loss,
        "brier": sk.brier_score_loss,
        "roc_auc": sk.roc_auc_score,
        "average_precision": sk.average_precision_score,
    }
    predicted = (frame["p0"] >= 0.5).astype(int)
    common = {"y_true": frame["y"], "sensitive_features": frame["cohort"]}
    by_label = MetricFrame(metrics=labels, y_pred=predicted, **common).by_group
    by_score = MetricFrame(metrics=scores, y_pred=frame["p0"], **common).by_group
    return by_label, by_score


def pandas_sklearn(frame: pd.DataFrame) -> pd.DataFrame:
    """groupby.apply with one scikit-learn call per metric."""
    from sklearn import metrics as sk

    def one(part: pd.DataFrame) -> pd.Series:
        y, s, p = part["y"], part["p0"], part["predicted"]
        return pd.Series(
            {
                "accuracy": sk.accuracy_score(y, p),
                "balanced_accuracy": sk.balanced_accuracy_score(y, p),
                "precision": sk.precision_score(y, p),
                "recall": sk.recall_score(y, p),
                "f1": sk.f1_score(y, p),
                "specificity": sk.recall_score(y, p, pos_label=0),
                "fpr": 1 - sk.recall_score(y, p, pos_label=0),
                "selection_rate": p.mean(),
                "log_loss": sk.log_loss(y, s),
                "brier": sk.brier_score_loss(y, s),
                "roc_auc": sk.roc_auc_score(y, s),
                "average_precision": sk.average_precision_score(y, s),
            }
        )

    table = frame.assign(predicted=(frame["p0"] >= 0.5).astype(int))
    return table.groupby("cohort", observed=True)[["y", "p0", "predicted"]].apply(one)


def polars_counts(frame: Any) -> Any:
    """The eight count metrics, log loss and Brier in Polars (it has no ranking metrics)."""
    import polars as pl

    y, s = pl.col("y"), pl.col("p0")
    p = (s >= 0.5).cast(pl.Int64)
    chosen = pl.when(y == 1).then(s).otherwise(1 - s).clip(2.2e-16, 1)
    cells = frame.group_by("cohort").agg(
        tp=(y * p).sum(),
        fp=((1 - y) * p).sum(),
        fn=(y * (1 - p)).sum(),
        n=pl.len(),
        log_loss=-chosen.log().mean(),
        brier=((s - y) ** 2).mean(),
    )
    return cells.with_columns(
        precision=pl.col("tp") / (pl.col("tp") + pl.col("fp")), recall=pl.col("tp") / (pl.col("tp") + pl.col("fn"))
    )


def run(rows: int) -> list[Row | Fact]:
    """All comparisons at a number of rows."""
    found: list[Row | Fact] = []
    size = f"{rows:,} rows"
    for cohorts, aim in ((10, "≥ 100×"), (1000, "≥ 300×")):
        frame = scored(rows, cohorts)
        ours(frame)
        time = cpu(lambda frame=frame: ours(frame), 5)
        found.append(
            Row(
                f"12 metrics × {cohorts:,} cohorts, {size}",
                "Fairlearn MetricFrame (no intervals)",
                time,
                cpu(lambda frame=frame: fairlearn(frame), 1),
                aim,
            )
        )
        found.append(
            Row(
                f"12 metrics × {cohorts:,} cohorts, {size}",
                "pandas groupby + scikit-learn (no intervals)",
                time,
                cpu(lambda frame=frame: pandas_sklearn(frame), 1),
                "≥ 80×" if cohorts == 1000 else "",
            )
        )
    found += polars_row(scored(rows, 1000), size)
    found += scaling(rows)
    found += bootstrap(rows)
    return found


def polars_row(frame: pd.DataFrame, size: str) -> list[Row | Fact]:
    """Ten of the twelve metrics: the ones that Polars can express."""
    import polars as pl

    table = pl.DataFrame({"y": frame["y"].to_numpy(), "p0": frame["p0"].to_numpy(), "cohort": frame["cohort"].tolist()})
    wanted = [*COUNTS, "log_loss", "brier"]
    time = cpu(lambda: ours(frame, wanted), 5)
    return [
        Row(
            f"10 metrics × 1,000 cohorts, {size}",
            "Polars group_by (no intervals, no ranking)",
            time,
            cpu(lambda: polars_counts(table), 5),
        )
    ]


def scaling(rows: int) -> list[Row | Fact]:
    """Cost against rows and cohorts."""
    thousand, many = scored(rows, 1000), scored(rows, 20_000)
    four = scored(4 * rows, 1000)
    times = [cpu(lambda frame=frame: ours(frame), 3) for frame in (thousand, many, four)]
    further = (times[1] - times[0]) / (12 * 19_000)
    return [
        Fact(
            "20,000 cohorts against 1,000",
            f"{times[1] / times[0]:.2f}× ({further * 1e6:.2f} µs per further number)",
            "≤ 2×, or ≤ 0.8 µs",
        ),
        Fact("4 times the rows, 1,000 cohorts", f"{times[2] / times[0]:.2f}×", "≤ 4.4× (n log n)"),
    ]


def bootstrap(rows: int) -> list[Row | Fact]:
    """1 000 replicates of every count metric of 10 cohorts against the pass."""
    frame = scored(rows, 10)
    evaluation = frame.evals(y_true="y", y_score="p0")
    tally = evaluation.collect(COUNTS, by="cohort")
    collect = cpu(lambda: frame.evals(y_true="y", y_score="p0").collect(COUNTS, by="cohort"))
    replicate = cpu(lambda: tally.metrics(interval="bootstrap", n_resamples=1000, random_state=0))
    return [
        Fact(
            "1,000 bootstrap replicates of 8 count metrics × 10 cohorts, as a share of the pass",
            f"{replicate / collect:.2f}",
            "≤ 1",
        )
    ]


def memory(rows: int) -> list[Row | Fact]:
    """Extra peak resident memory of large frames."""
    frame = scored(rows, 1000, models=2)
    rng = np.random.default_rng(1)
    frame["weight"], frame["age"] = rng.random(rows), rng.integers(18, 90, rows).astype(np.int8)
    ours(scored(1000, 3))
    named = {"young": "age < 30", "old": "age >= 60", "middle": "age > 25 and age < 70"}
    cases = [
        ("one model", "≤ 400 MiB", {}),
        ("two models", "≤ 400 MiB", {"y_score": {"a": "p0", "b": "p1"}}),
        ("weights", "≤ 600 MiB", {"sample_weight": "weight"}),
        ("three named expressions", "≤ 600 MiB", {"by": named}),
    ]
    return [
        Fact(
            f"extra peak memory, {rows:,} rows × 1,000 cohorts, {what}",
            f"{extra_peak(lambda o=options: ours(frame, **dict(o))):,.0f} MiB",
            aim,
        )
        for what, aim, options in cases
    ]


__all__ = ["dfevals", "memory", "run"]
