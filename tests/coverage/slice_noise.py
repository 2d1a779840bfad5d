"""Rows in which slices are pure noise, or in which one is planted, and what a search finds in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

import dfevals  # noqa: F401 - the accessor
from dfevals.expressions import parse

Roles = dict[str, Any]
Maker = Callable[[int, int], tuple[pd.DataFrame, Roles]]
LABELS: Roles = {"y_true": "y", "y_pred": "p"}


def _columns(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Ten columns: numbers, and categories of two to six values."""
    return {f"x{i}": rng.integers(0, 2 + i % 5, n) if i % 2 else rng.normal(size=n) for i in range(10)}


def _labelled(rng: np.random.Generator, wrong: Any, columns: dict[str, Any]) -> pd.DataFrame:
    y = rng.integers(0, 2, len(wrong))
    return pd.DataFrame({**columns, "y": y, "p": np.where(wrong, 1 - y, y)})


def rates(rate: float) -> Maker:
    """Errors of one rate."""

    def make(seed: int, n: int) -> tuple[pd.DataFrame, Roles]:
        rng = np.random.default_rng(seed)
        return _labelled(rng, rng.random(n) < rate, _columns(rng, n)), LABELS

    return make


def weighted(seed: int, n: int) -> tuple[pd.DataFrame, Roles]:
    """Weights that differ tenfold and go with a column."""
    rng = np.random.default_rng(seed)
    frame = _labelled(rng, rng.random(n) < 0.1, _columns(rng, n))
    frame["w"] = np.exp(0.7 * rng.normal(size=n) + 0.5 * (frame["x1"] == 0))
    return frame, {**LABELS, "sample_weight": "w"}


def clustered(seed: int, n: int) -> tuple[pd.DataFrame, Roles]:
    """Clusters of one to fifty rows with rates of their own; half of the columns are those of the cluster."""
    rng = np.random.default_rng(seed)
    size = rng.geometric(0.1, n // 10)
    who = np.repeat(np.arange(len(size)), size)
    columns = _columns(rng, len(who))
    columns |= {f"x{i}": rng.integers(0, 3 + i % 3, len(size))[who] for i in range(5)}
    wrong = rng.random(len(who)) < expit(logit(0.15) + rng.normal(0, 1.5, len(size))[who])
    return _labelled(rng, wrong, columns).assign(who=who), {**LABELS, "cluster": "who"}


def both(seed: int, n: int) -> tuple[pd.DataFrame, Roles]:
    """Clusters and weights."""
    frame, roles = clustered(seed, n)
    weight = np.random.default_rng(seed + 1).gamma(2, 1, len(frame))
    return frame.assign(w=weight), {**roles, "sample_weight": "w"}


def tails(seed: int, n: int) -> tuple[pd.DataFrame, Roles]:
    """Absolute errors with log-normal tails."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    return pd.DataFrame({**_columns(rng, n), "y": y, "p": y + rng.lognormal(0, 1, n)}), {**LABELS, "task": "regression"}


NOISE: dict[str, Maker] = {
    "errors of 20 %": rates(0.2),
    "errors of 3 %": rates(0.03),
    "weights": weighted,
    "clusters": clustered,
    "clusters and weights": both,
    "log-normal losses": tails,
}


def false_slices(make: Maker, n: int, runs: int, **options: Any) -> int:
    """Frames of noise in which some slice is found at 5 %."""
    found = 0
    for seed in range(runs):
        frame, roles = make(seed, n)
        asked = {"direction": "both", "top": 1, "random_state": seed, **options}
        result = frame.evals(**roles).slices(**asked).frame
        found += bool((result["p_corrected"] <= 0.05).any())
    return found


VALUES = (2, 3, 4, 5, 7, 7, 7, 10, 5, 4)


def planted(seed: int, n: int = 50_000) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """Ten columns of text, and two conditions that hold in 2 % of the rows, where the error is .3 instead of .2."""
    rng = np.random.default_rng(seed)
    columns = {f"x{i}": np.array(list("abcdefghij"))[rng.integers(0, k, n)] for i, k in enumerate(VALUES)}
    true = (columns["x4"] == "a") & (columns["x5"] == "b")
    return _labelled(rng, rng.random(n) < np.where(true, 0.3, 0.2), columns), true


def overlap(expressions: list[str], frame: pd.DataFrame, true: np.ndarray[Any, Any]) -> float:
    """Greatest Jaccard overlap of a slice with the planted one."""
    masks = [parse(text).mask(frame) for text in expressions]
    return max((float((mask & true).sum() / (mask | true).sum()) for mask in masks), default=0.0)
