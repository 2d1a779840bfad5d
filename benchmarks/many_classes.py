"""Default metrics of many classes with intervals, against scikit-learn's functions one after the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
from harness import Fact, Row, cpu, extra_peak


def predicted(rows: int, classes: int) -> pd.DataFrame:
    """Labels of equally frequent classes, seven in ten predicted right."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, rows)
    return pd.DataFrame({"y": y, "p": np.where(rng.random(rows) < 0.7, y, rng.integers(0, classes, rows))})


def ours(frame: pd.DataFrame) -> pd.DataFrame:
    """The whole call."""
    return frame.evals(y_true="y", y_pred="p", task="multiclass").metrics().frame


def sklearn(frame: pd.DataFrame) -> list[float]:
    """The same four values."""
    from sklearn import metrics as sk

    y, p = frame["y"].to_numpy(), frame["p"].to_numpy()
    macro = sk.f1_score(y, p, average="macro")
    return [sk.accuracy_score(y, p), sk.balanced_accuracy_score(y, p), macro, sk.matthews_corrcoef(y, p)]


def run(rows: int) -> list[Row | Fact]:
    """200 classes against the peer, and the memory of 10 000."""
    few, many = predicted(rows, 200), predicted(rows, 10_000)
    ours(few)
    peak = extra_peak(lambda: ours(many))
    return [
        Row(f"4 metrics of 200 classes, {rows:,} rows", "scikit-learn (no intervals)", cpu(lambda: ours(few)),
            cpu(lambda: sklearn(few), 1), "≥ 0.67×"),
        Fact(f"extra peak memory, 4 metrics of 10,000 classes, {rows:,} rows", f"{peak:,.0f} MiB", "≤ 1,024 MiB"),
    ]  # fmt: skip
