"""Cohorts of pure noise: how often any of them is called different from the rest, which should be at most 5 %."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import dfevals  # noqa: F401  (registers df.evals)

__all__ = ["CLASSIFIERS", "LOSSES", "Noise", "flagged", "losses", "risks"]

Draw = Callable[[np.random.Generator, int], dict[str, np.ndarray]]
LOSSES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "t, 3 degrees of freedom": lambda rng, n: rng.standard_t(3, n),
    "log-normal, σ .5": lambda rng, n: rng.lognormal(0, 0.5, n),
    "log-normal, σ 1.2": lambda rng, n: rng.lognormal(0, 1.2, n),
    "95 % zeros": lambda rng, n: np.where(rng.random(n) < 0.05, rng.standard_normal(n), 0.0),
}
"""Errors of a regression by their distribution."""
CLASSIFIERS = ("log_loss", "brier", "accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "average_precision")  # fmt: skip


@dataclass(frozen=True)
class Noise:
    """A population without cohorts: `draw(rng, rows)` gives the columns, `roles` what they are."""

    name: str
    draw: Draw
    roles: dict[str, Any]

    def frame(self, rng: np.random.Generator, cohorts: int, n: int) -> pd.DataFrame:
        """Rows in `cohorts` cohorts of `n` rows that are all alike."""
        return pd.DataFrame({**self.draw(rng, cohorts * n), "cohort": np.repeat(np.arange(cohorts), n)})


def risks(prevalence: float, separation: float = 1.5) -> Noise:
    """Calibrated probabilities from two normal populations."""

    def draw(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
        y = rng.random(rows) < prevalence
        z = rng.standard_normal(rows) + separation * (y - 0.5)
        return {"y": y.astype(int), "p": 1 / (1 + np.exp(-separation * z) * (1 - prevalence) / prevalence)}

    return Noise(f"{prevalence:.0%} positives", draw, {"y_true": "y", "y_score": "p"})


def losses(kind: str) -> Noise:
    """Predictions that leave errors of one of the distributions."""

    def draw(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
        prediction, error = 2 * rng.standard_normal(rows), LOSSES[kind](rng, rows)
        return {"y": prediction + error, "pred": prediction}

    return Noise(kind, draw, {"y_true": "y", "y_pred": "pred", "task": "regression"})


def flagged(noise: Noise, cohorts: int, n: int, frames: int, seed: int = 0, **options: Any) -> pd.Series:
    """Share of frames in which some cohort is flagged, for every metric."""
    rng = np.random.default_rng([seed, cohorts, n, zlib.crc32(noise.name.encode())])
    total: Any = 0
    for _ in range(frames):
        result = noise.frame(rng, cohorts, n).evals(**noise.roles).metrics(by="cohort", **options)
        marked = result.frame["flag"].isin(["higher", "lower"])
        total = total + marked.groupby(result.frame["metric"], sort=False).any()
    return total / frames
