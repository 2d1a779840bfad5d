"""Populations with known truth, and many samples of each as the cohorts of one frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit, ndtr, ndtri

__all__ = ["Design", "clustered", "errors", "fitted", "multiclass", "outcomes", "scored"]

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], dict[str, Any]]
LARGE = 2_000_000  # rows of the sample that stands for a population without a formula


@dataclass(frozen=True)
class Design:
    """A population: `draw(rng, rows)` gives independent rows, or clusters of them with a column `cluster`.

    `sides` gives for a metric the expected share of a row in each kind of event that its interval rests on; a cell
    is meant to be honest where every n · share is at least five. Metrics not named rest on the number of rows.
    """

    name: str
    rate: str
    draw: Draw
    roles: Mapping[str, Any]
    metrics: tuple[Any, ...]
    truth: Mapping[str, float] = field(default_factory=dict)
    sides: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    cluster_size: int = 1
    population: pd.DataFrame | None = None  # every kind of row with its share in the column `share`, where few

    def sample(self, rng: np.random.Generator, n: int, cohorts: int) -> pd.DataFrame:
        """`cohorts` samples of n rows each, named by the column `sample`."""
        frame = pd.DataFrame(self.draw(rng, n * cohorts))
        sample = np.repeat(np.arange(cohorts), n)
        frame["sample"] = pd.Categorical.from_codes(sample, [f"{i:05d}" for i in range(cohorts)])
        return frame

    def truths(self) -> dict[str, float]:
        """True values: from formulas where there are some, else from a very large sample."""
        wanted = [m for m in self.metrics if str(m) not in self.truth]
        found = dict(self.truth)
        if wanted:
            roles = {key: value for key, value in self.roles.items() if key != "cluster"}
            if self.population is None:
                rng = np.random.default_rng(20240607)
                frame = pd.DataFrame(self.draw(rng, LARGE - LARGE % self.cluster_size))
            else:
                frame, roles = self.population, roles | {"sample_weight": "share"}
            result = frame.evals(**roles).metrics(wanted, ci=None).frame
            found |= dict(zip(result["metric"], result["value"], strict=True))
        return found

    def expected(self, metric: str, n: int) -> float:
        """The least expected number of events; infinite where the metric knows no events."""
        return n * min(self.sides[metric]) if metric in self.sides else np.inf


CELLS = (
    "accuracy",
    "error_rate",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "npv",
    "fpr",
    "fnr",
    "fdr",
    "jaccard",
    "selection_rate",
    "base_rate",
    "f1",
    "fbeta",
    "mcc",
    "cohen_kappa",
    "g_mean",
    "youden_j",
    "lr_plus",
    "lr_minus",
)
RANKS = ("roc_auc", "gini", "ks", "average_precision", "somers_d", "concordant", "discordant")
LOSSES = ("log_loss", "brier", "brier_skill")


def scored(p: float, d: float, *, metrics: tuple[Any, ...] = (*CELLS, *RANKS, *LOSSES), weights: float = 0) -> Design:
    """Binary: positives N(d, 1), negatives N(0, 1); calibrated scores; predicted positive above d / 2.

    `weights` > 0 adds importance weights, lognormal with that σ and independent of the rest.
    """

    def draw(rng: np.random.Generator, rows: int) -> dict[str, Any]:
        y = rng.random(rows) < p
        x = rng.normal(size=rows) + d * y
        columns = {
            "y": y.astype(np.int8),
            "p": expit(d * x - d * d / 2 + logit(p)),
            "pred": (x >= d / 2).astype(np.int8),
        }
        if weights:
            columns["w"] = np.exp(weights * rng.normal(size=rows))
        return columns

    right = float(ndtr(d / 2))
    tp, fn, fp, tn = p * right, p * (1 - right), (1 - p) * (1 - right), (1 - p) * right
    auc = float(ndtr(d / np.sqrt(2)))
    x = np.linspace(-9, 9 + d, 200_001)
    step = x[1] - x[0]
    density = np.exp(-0.5 * np.stack([x, x - d]) ** 2) / np.sqrt(2 * np.pi) * step
    above = density[:, ::-1].cumsum(axis=1)[:, ::-1]
    precision = p * above[1] / (p * above[1] + (1 - p) * above[0])
    score = expit(d * x - d * d / 2 + logit(p))
    brier = float((p * density[1] * (1 - score) ** 2 + (1 - p) * density[0] * score**2).sum())
    loss = -float((p * density[1] * np.log(score) + (1 - p) * density[0] * np.log1p(-score)).sum())
    expected = p * (tp + fp) + (1 - p) * (tn + fn)
    truth = {
        "accuracy": right,
        "error_rate": 1 - right,
        "balanced_accuracy": right,
        "recall": right,
        "specificity": right,
        "fpr": 1 - right,
        "fnr": 1 - right,
        "precision": tp / (tp + fp),
        "fdr": fp / (tp + fp),
        "npv": tn / (tn + fn),
        "jaccard": tp / (tp + fp + fn),
        "selection_rate": tp + fp,
        "base_rate": p,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "fbeta": 5 * tp / (5 * tp + 4 * fn + fp),
        "mcc": (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
        "cohen_kappa": (right - expected) / (1 - expected),
        "g_mean": right,
        "youden_j": 2 * right - 1,
        "lr_plus": right / (1 - right),
        "lr_minus": (1 - right) / right,
        "roc_auc": auc,
        "concordant": auc,
        "discordant": 1 - auc,
        "gini": 2 * auc - 1,
        "somers_d": 2 * auc - 1,
        "ks": 2 * right - 1,
        "average_precision": float((density[1] * precision).sum()),
        "log_loss": loss,
        "brier": brier,
        "brier_skill": 1 - brier / (p * (1 - p)),
    }
    truth |= {str(m): truth[getattr(m, "name", str(m))] for m in metrics if getattr(m, "name", str(m)) in truth}
    shares = {
        "accuracy": (right, 1 - right),
        "error_rate": (right, 1 - right),
        "precision": (tp, fp),
        "fdr": (tp, fp),
        "recall": (tp, fn),
        "fnr": (tp, fn),
        "specificity": (tn, fp),
        "fpr": (tn, fp),
        "npv": (tn, fn),
        "jaccard": (tp, fp + fn),
        "f1": (tp, fp + fn),
        "fbeta": (tp, fp + fn),
        "selection_rate": (tp + fp, tn + fn),
        "base_rate": (p, 1 - p),
        "lr_plus": (tp, fp),
        "lr_minus": (fn, tn),
    }
    whole = ("mcc", "cohen_kappa", "balanced_accuracy", "youden_j", "g_mean")
    shares |= dict.fromkeys(whole, (right, 1 - right, p, 1 - p))
    shares |= dict.fromkeys((*RANKS, *LOSSES), (p, 1 - p))
    roles = {"y_true": "y", "y_pred": "pred", "y_score": "p", "pos_label": 1}
    if weights:
        roles["sample_weight"] = "w"
    kind = f"binary, d' = {d:g}" + (f", weights σ = {weights:g}" if weights else "")
    return Design(kind, f"{p:g}", draw, roles, metrics, truth, shares)


AVERAGES = tuple(
    f"{name}_{average}"
    for name in ("precision", "recall", "f1", "jaccard", "specificity")
    for average in ("macro", "weighted", "micro")
)
WHOLE = ("accuracy", "balanced_accuracy", "mcc", "cohen_kappa", "cohen_kappa_linear", "cohen_kappa_quadratic", "g_mean")


def multiclass(shares: tuple[float, ...], right: float, metrics: tuple[Any, ...] = (*WHOLE, *AVERAGES)) -> Design:
    """K classes of the given shares, each predicted right with probability `right`, else as any other, evenly."""
    k = len(shares)
    matrix = np.full((k, k), (1 - right) / (k - 1))
    np.fill_diagonal(matrix, right)
    cells = np.asarray(shares)[:, None] * matrix
    edges = np.cumsum(cells.ravel())

    def draw(rng: np.random.Generator, rows: int) -> dict[str, Any]:
        cell = np.minimum(np.searchsorted(edges, rng.random(rows)), k * k - 1)
        return {"y": cell // k, "pred": cell % k}

    least = min(min(shares), right, 1 - right)
    sides = {str(m): (least,) for m in metrics}
    sides |= dict.fromkeys(("accuracy", *(a for a in AVERAGES if a.endswith("micro"))), (right, 1 - right))
    truth = {"accuracy": right, "balanced_accuracy": right, "g_mean": right, "recall_macro": right}
    rate = "/".join(f"{s:g}" for s in shares)
    roles = {"y_true": "y", "y_pred": "pred", "task": "multiclass", "labels": list(range(k))}
    every = pd.DataFrame({"y": np.arange(k * k) // k, "pred": np.arange(k * k) % k, "share": cells.ravel()})
    return Design(f"{k} classes, {right:.0%} right", rate, draw, roles, metrics, truth, sides, population=every)


REGRESSION = ("mae", "mse", "rmse", "mean_error", "r2", "explained_variance", "pearson_r", "median_ae", "smape")
POSITIVE = (
    "mape",
    "msle",
    "rmsle",
    "smape",
    "mean_poisson_deviance",
    "mean_gamma_deviance",
    "mean_tweedie_deviance",
    "mae",
    "mse",
    "r2",
    "pearson_r",
)


def errors(kind: str, r2: float, metrics: tuple[Any, ...], *, weights: float = 0) -> Design:
    """Regression: "normal" or "t5" errors about a normal signal, or "gamma": positive truth, multiplicative errors.

    `r2` is the share of the variance of the truth that the signal explains (for "gamma": of its logarithm).
    """

    def draw(rng: np.random.Generator, rows: int) -> dict[str, Any]:
        signal = rng.normal(size=rows) * np.sqrt(r2)
        if kind == "gamma":
            shape = 1 / (1 - r2)
            prediction = np.exp(1 + signal)
            y = prediction * rng.gamma(shape, size=rows) / shape + 0.05
        else:
            noise = rng.normal(size=rows) if kind == "normal" else rng.standard_t(5, size=rows) / np.sqrt(5 / 3)
            prediction, y = signal, signal + np.sqrt(1 - r2) * noise
        half = 1.2816 * np.sqrt(1 - r2) * np.exp(0.4 * rng.normal(size=rows))
        columns = {"y": y, "pred": prediction, "low": prediction - half, "high": prediction + half}
        if weights:
            columns["w"] = np.exp(weights * rng.normal(size=rows))
        return columns

    roles = {"y_true": "y", "y_pred": "pred", "y_lower": "low", "y_upper": "high", "task": "regression"}
    if weights:
        roles["sample_weight"] = "w"
    name = f"{kind} errors" + (f", weights σ = {weights:g}" if weights else "")
    truth: dict[str, float] = {}
    if kind != "gamma":
        truth = {"mse": 1 - r2, "rmse": np.sqrt(1 - r2), "mean_error": 0.0, "r2": r2, "explained_variance": r2}
        truth["pearson_r"] = np.sqrt(r2)
    if kind == "normal":
        truth |= {"mae": np.sqrt((1 - r2) * 2 / np.pi), "median_ae": np.sqrt(1 - r2) * 0.6744897501960817}
    sides = {"interval_coverage": (0.76, 0.24)}
    return Design(name, f"{r2:g}", draw, roles, metrics, truth, sides)


def fitted(r2: float, n_features: int = 3) -> Design:
    """Regression fitted by least squares on the rows of each sample itself: what adjusted R² is for."""
    import dfevals

    def draw(rng: np.random.Generator, rows: int) -> dict[str, Any]:
        return {"y": np.zeros(rows), "pred": np.zeros(rows)}

    metric = dfevals.metrics.adjusted_r2(n_features=n_features)
    roles = {"y_true": "y", "y_pred": "pred", "task": "regression"}
    return Fitted("fitted on the rows", f"{r2:g}", draw, roles, (metric,), {str(metric): r2}, r2=r2, k=n_features)


@dataclass(frozen=True)
class Fitted(Design):
    """Samples that each carry the predictions of their own least-squares fit."""

    r2: float = 0.5
    k: int = 3

    def sample(self, rng: np.random.Generator, n: int, cohorts: int) -> pd.DataFrame:
        """As any design, with predictions fitted within each sample."""
        x = rng.normal(size=(cohorts, n, self.k))
        y = np.sqrt(self.r2 / self.k) * x.sum(axis=2) + np.sqrt(1 - self.r2) * rng.normal(size=(cohorts, n))
        full = np.concatenate([np.ones((cohorts, n, 1)), x], axis=2)
        gram = np.swapaxes(full, 1, 2)
        coefficients = np.linalg.solve(gram @ full, gram @ y[..., None])
        frame = pd.DataFrame({"y": y.ravel(), "pred": (full @ coefficients).ravel()})
        frame["sample"] = pd.Categorical.from_codes(
            np.repeat(np.arange(cohorts), n), [f"{i:05d}" for i in range(cohorts)]
        )
        return frame


OUTCOMES: dict[str, tuple[Callable[[np.random.Generator, int], Floats], dict[str, float], Callable[[float], Any]]] = {
    "normal": (lambda rng, rows: rng.normal(3, 2, rows), {"mean": 3.0, "std": 2.0}, lambda q: 3 + 2 * ndtri(q)),
    "uniform": (lambda rng, rows: rng.random(rows), {"mean": 0.5, "std": np.sqrt(1 / 12)}, lambda q: q),
    "exponential": (
        lambda rng, rows: rng.exponential(2, rows),
        {"mean": 2.0, "std": 2.0},
        lambda q: -2 * np.log(1 - q),
    ),
    "lognormal": (
        lambda rng, rows: np.exp(rng.normal(size=rows)),
        {"mean": float(np.exp(0.5)), "std": float(np.sqrt((np.e - 1) * np.e))},
        lambda q: np.exp(ndtri(q)),
    ),
}


def outcomes(kind: str) -> Design:
    """An outcome column (a latency, a score) of a named distribution."""
    from dfevals import Outcome

    sample, known, quantile = OUTCOMES[kind]
    truth = known | {f"p{q}": float(quantile(q / 100)) for q in (50, 90, 95, 99)}
    metrics = ("mean", "std", "p50", "p90", "p95", "p99")

    def draw(rng: np.random.Generator, rows: int) -> dict[str, Any]:
        return {"x": sample(rng, rows)}

    roles = {"outcomes": [Outcome("x", kind="score")]}
    sides = {f"p{q}": (q / 100, 1 - q / 100) for q in (50, 90, 95, 99)}
    return Design(f"{kind} outcome", "", draw, roles, metrics, truth, sides)


def clustered(p: float, icc: float, size: int, metrics: tuple[Any, ...]) -> Design:
    """Binary rows in clusters: latent labels and scores share a random effect within a cluster."""

    def draw(rng: np.random.Generator, rows: int) -> dict[str, Any]:
        groups = rows // size
        cluster = np.repeat(np.arange(groups), size)
        share, own = np.sqrt(icc), np.sqrt(1 - icc)

        def latent() -> Floats:
            return share * rng.normal(size=groups)[cluster] + own * rng.normal(size=rows)

        y = ndtr(latent()) < p
        x = latent() + 1.5 * y
        score = expit(1.5 * x - 1.125 + logit(p))
        return {
            "y": y.astype(np.int8),
            "p": score,
            "pred": (x >= 0.75).astype(np.int8),
            "c": cluster,
        }

    roles = {"y_true": "y", "y_pred": "pred", "y_score": "p", "pos_label": 1, "cluster": "c"}
    base = scored(p, 1.5, metrics=metrics)
    return Design(f"clusters of {size}, ICC {icc:g}", f"{p:g}", draw, roles, metrics, base.truth, base.sides, size)
