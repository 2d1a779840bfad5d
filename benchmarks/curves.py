"""Curves, gains and thresholds: dfevals against pandas and scikit-learn on the same frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from cohort_metrics import scored
from harness import Fact, Row, cpu, extra_peak

from dfevals.analyses.thresholds.costs import Costs
from dfevals.analyses.thresholds.objectives import cell_metric
from dfevals.analyses.thresholds.threshold_table import threshold_table
from dfevals.analyses.thresholds.thresholds import METRICS
from dfevals.tally.scores import ScoreTally


def decile_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The usual recipe: sort, number, group."""
    ordered = frame[["y", "p0"]].sort_values("p0", ascending=False)
    ordered["bin"] = np.arange(len(ordered)) * 10 // len(ordered)
    table = ordered.groupby("bin").agg(n=("y", "size"), n_pos=("y", "sum"), low=("p0", "min"), high=("p0", "max"))
    table["gain"] = table["n_pos"].cumsum() / table["n_pos"].sum()
    return table


def roc_loop(frame: pd.DataFrame) -> list[Any]:
    """scikit-learn's curve and area in every cohort."""
    from sklearn.metrics import roc_auc_score, roc_curve

    return [(roc_curve(g["y"], g["p0"]), roc_auc_score(g["y"], g["p0"])) for _, g in frame.groupby("cohort")]


def table_loop(frame: pd.DataFrame, thresholds: np.ndarray) -> list[Any]:
    """Counts at every threshold in every cohort from sorted scores."""
    found = []
    for _, part in frame.groupby("cohort"):
        order = np.argsort(part["p0"].to_numpy())
        score, label = part["p0"].to_numpy()[order], part["y"].to_numpy()[order]
        below = np.searchsorted(score, thresholds)
        positives = np.concatenate([[0], np.cumsum(label)])[below]
        found.append((below, positives))
    return found


def run(rows: int) -> list[Row | Fact]:
    """The rows of this group."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    large = scored(10 * rows, 1)[["y", "p0"]]
    ev = large.evals(y_true="y", y_score="p0")
    out: list[Row | Fact] = [
        Row(f"gains table with intervals, KS and AUC, {10 * rows:,} rows", "pandas sort + groupby",
            cpu(ev.gains, 2), cpu(lambda: decile_table(large), 2), "≥ 2.5×"),
        Fact(f"extra memory of that table, {10 * rows:,} rows", f"{extra_peak(ev.gains):,.0f} MiB", "≤ 150 MiB"),
    ]  # fmt: skip
    frame = scored(rows, 100)
    evaluation = frame.evals(y_true="y", y_score="p0")
    out.append(
        Row(f"ROC curves with bands, {rows:,} rows × 100 cohorts", "scikit-learn loop, no bands",
            cpu(lambda: evaluation.roc(by="cohort")), cpu(lambda: roc_loop(frame), 1))
    )  # fmt: skip
    codes = frame["cohort"].astype("category").cat.codes.to_numpy()
    tally = ScoreTally.collect(codes, 100, frame["p0"].to_numpy(), frame["y"].to_numpy() == 1)
    grid = np.linspace(0, 1, 1000)
    metrics, costs = [cell_metric(name) for name in METRICS], Costs.of({"fp": 1, "fn": 5})
    seconds = cpu(lambda: threshold_table(tally, grid, metrics, costs), 10)
    out.append(Fact("1,000 thresholds × 100 cohorts from a tally", f"{1000 * seconds:.1f} ms", "≤ 10 ms"))
    out.append(
        Row(f"threshold tables with metrics and costs, {rows:,} rows × 100 cohorts", "numpy loop, two counts",
            cpu(lambda: evaluation.thresholds(by="cohort", thresholds=grid.tolist(), cost={"fp": 1}, n_resamples=0), 2),
            cpu(lambda: table_loop(frame, grid), 2))
    )  # fmt: skip
    for name, result in (
        ("ROC", evaluation.roc()),
        ("gain", evaluation.gains()),
        ("threshold", evaluation.thresholds()),
    ):
        seconds = cpu(lambda result=result: result.plot().figure.canvas.draw(), 2)
        plt.close("all")
        out.append(Fact(f"drawing the {name} chart of {rows:,} rows", f"{seconds:.2f} s", "≤ 1 s"))
    return out
