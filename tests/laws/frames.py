"""Frames on which the laws and oracles are checked: ties, missing values, weights, clusters, rare classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from dfevals.metrics.registry import AVERAGES, records
from dfevals.needs import Units


@dataclass(frozen=True)
class Case:
    """A frame, its roles, and the metrics that its task knows."""

    name: str
    frame: pd.DataFrame
    roles: dict[str, Any]
    task: str = field(default="binary")

    def evaluation(self, frame: pd.DataFrame | None = None, **more: Any) -> Any:
        """The evaluation of the frame, or of another frame with the same roles."""
        return (self.frame if frame is None else frame).evals(**{**self.roles, **more})


def metric_names(task: str, weighted: bool = False) -> list[str]:
    """All metrics of a task, with averages, and the parametric ones with other parameters; those that take weights."""
    found = []
    for record in records().values():
        if weighted and any(isinstance(need, Units) for need in record.needs):
            continue
        if task in record.tasks and record.family != "custom":
            found.append(record.name)
            if task == "multiclass" and record.averages:
                found += [f"{record.name}_{a}" for a in AVERAGES if a != "micro" or "score" not in record.requires]
    extra = {
        "binary": ["fbeta(beta=0.5)", "f1_macro", "f1_weighted", "precision_micro", "neg_log_loss"],
        "multiclass": ["fbeta(beta=3)", "top_k_accuracy(k=1)", "top_k_accuracy(k=3)"],
        "regression": [
            "pinball(alpha=0.9)",
            "mean_tweedie_deviance(power=0)",
            "mean_tweedie_deviance(power=1.2)",
            "mean_tweedie_deviance(power=3)",
            "adjusted_r2(n_features=4)",
            "neg_mean_squared_error",
        ],
        "outcomes": ["quantile(q=0.3)"],
    }
    return found + extra[task]


def _cohorts(rng: np.random.Generator, n: int) -> dict[str, Any]:
    sex = np.array(["F", "M", None], dtype=object)[rng.choice(3, n, p=[0.5, 0.45, 0.05])]
    return {
        "sex": sex,
        "region": rng.choice(["north", "south", "east"], n),
        "age": rng.integers(18, 80, n),
        "user": rng.integers(0, max(n // 4, 2), n),
        "w": rng.gamma(2.0, 1.0, n),
        "f": rng.integers(0, 4, n),
    }


def _holes(values: Any, rng: np.random.Generator, share: float) -> Any:
    out = np.array(values, dtype=float)
    out[rng.random(len(out)) < share] = np.nan
    return out


def binary(n: int = 600, seed: int = 0, missing: float = 0.03) -> Case:
    """Text labels, rounded scores of two models; one also predicts."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.4
    scores = [1 / (1 + np.exp(-(shift * truth - 0.4 + rng.normal(size=n)))) for shift in (1.5, 0.7)]
    frame = pd.DataFrame(_cohorts(rng, n))
    frame["y"] = np.where(truth, "yes", "no").astype(object)
    frame.loc[rng.random(n) < missing, "y"] = None
    frame["a"], frame["b"] = (_holes(s.round(2), rng, missing) for s in scores)
    return Case("binary", frame, {"y_true": "y", "y_score": {"a": "a", "b": "b"}, "pos_label": "yes"})


def multiclass(k: int = 3, n: int = 600, seed: int = 1, missing: float = 0.03) -> Case:
    """k classes of unequal size; scores are multiples of 1/20 that sum to one, with many ties."""
    rng = np.random.default_rng(seed)
    labels = [f"c{i:02d}" for i in range(k)]
    share = np.arange(1, k + 1) / np.arange(1, k + 1).sum()
    truth = rng.choice(k, n, p=share)
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[truth]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    p = rng.multinomial(20, p) / 20
    frame = pd.DataFrame(_cohorts(rng, n))
    frame["y"] = np.array(labels, dtype=object)[truth]
    frame.loc[rng.random(n) < missing, "y"] = None
    frame["guess"] = np.array(labels, dtype=object)[np.where(rng.random(n) < 0.1, rng.integers(0, k, n), p.argmax(1))]
    for i, label in enumerate(labels):
        frame[f"p_{label}"] = p[:, i]
    frame.loc[rng.random(n) < missing, "p_c01"] = np.nan
    return Case(
        f"multiclass {k}",
        frame,
        {"y_true": "y", "y_score": "p_{label}", "y_pred": "guess", "labels": labels},
        "multiclass",
    )


def regression(n: int = 600, seed: int = 2, missing: float = 0.03) -> Case:
    """Positive amounts with a large common offset, two models, predicted intervals."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(_cohorts(rng, n))
    y = rng.gamma(2.0, 3.0, n).round(2) + 0.01
    frame["y"] = _holes(y, rng, missing)
    frame["a"] = _holes(y * rng.lognormal(0, 0.3, n), rng, missing)
    frame["b"] = y * rng.lognormal(0.1, 0.5, n)
    frame["low"], frame["high"] = frame["a"] * 0.6, frame["a"] * 1.5
    roles = {"y_true": "y", "y_pred": {"a": "a", "b": "b"}, "y_lower": "low", "y_upper": "high"}
    return Case("regression", frame, roles, "regression")


def outcomes(n: int = 600, seed: int = 3, missing: float = 0.05) -> Case:
    """A score with a passing level, for which some evaluations failed."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(_cohorts(rng, n))
    frame["quality"] = _holes(rng.beta(3, 2, n).round(2), rng, missing)
    frame["quality_error"] = np.where(frame["quality"].isna(), "time out", None)
    import dfevals

    outcome = dfevals.Outcome("quality", pass_at=0.5, error_column="quality_error")
    return Case("outcomes", frame, {"outcomes": [outcome], "unit": "user"}, "outcomes")


def cases(n: int = 600, missing: float = 0.03) -> list[Case]:
    """One case per task."""
    return [
        binary(n, missing=missing),
        multiclass(3, n, missing=missing),
        regression(n, missing=missing),
        outcomes(n, missing=missing),
    ]
