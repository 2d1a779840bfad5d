"""How often intervals of corrected rates hold the true rate: judges from useless to nearly perfect, rare and frequent labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dfevals.inference.judged import Corrected, Judged, labels_alone

__all__ = ["JUDGES", "RATES", "coverage_of_judged", "coverage_of_picked"]

RATES = (0.02, 0.05, 0.1, 0.3, 0.5)
JUDGES = {
    "useless": (0.5, 0.5),
    "poor": (0.6, 0.97),
    "fair": (0.8, 0.9),
    "good": (0.9, 0.95),
    "excellent": (0.99, 0.99),
}


def verdicts(rng: np.random.Generator, label: Any, judge: tuple[float, float]) -> Any:
    """What a judge of this sensitivity and specificity says."""
    return (rng.random(len(label)) < np.where(label, judge[0], 1 - judge[1])).astype(float)


def coverage_of_judged(
    method: Callable[[Judged, float], Corrected],
    rate: float,
    judge: tuple[float, float],
    simulations: int,
    seed: int = 0,
) -> tuple[float, float]:
    """Coverage of the intervals that there are at 100 labels of 1,000 rows, and their mean width by that of the labels alone."""
    rng = np.random.default_rng(seed)
    held, known, widths, one = 0, 0, np.zeros(2), np.ones(1000)
    for _ in range(simulations):
        label = rng.random(1000) < rate
        human = np.where(np.arange(1000) < 100, label, np.nan)
        rows = Judged(verdicts(rng, label, judge), human, one, one)
        found, alone = method(rows, 0.95), labels_alone(rows)
        if not np.isnan(found.value):
            known += 1
            held += found.ci_low <= rate <= found.ci_high
            widths += [found.width, alone.width]
    return held / known, float(widths[0] / widths[1])


def coverage_of_picked(
    rate: float, judge: tuple[float, float], simulations: int, seed: int = 0
) -> tuple[float, float, float]:
    """Coverage, mean error of the labels so counted, and mean width where 60 labels at random are followed by 60 that `next_labels` picks."""
    rng = np.random.default_rng(seed)
    held, errors, widths = 0, [], []
    for i in range(simulations):
        label = rng.random(1000) < rate
        frame = pd.DataFrame(
            {"judge": verdicts(rng, label, judge), "human": np.where(np.arange(1000) < 60, label, np.nan)}
        )
        picked = frame.evals(outcomes=["judge", "human"]).corrected("judge", "human").next_labels(60, random_state=i)
        new = picked["label_next"].to_numpy()
        picked["human"] = np.where(new, label, picked["human"])
        ev = picked.evals(outcomes=["judge", "human"])
        row = ev.corrected("judge", "human", probability="probability").frame.iloc[0]
        held += row["ci_low"] <= rate <= row["ci_high"]
        errors.append(row["human_value"] - label.mean())
        widths.append(row["ci_high"] - row["ci_low"])
    return held / simulations, float(np.mean(errors)), float(np.mean(widths))
