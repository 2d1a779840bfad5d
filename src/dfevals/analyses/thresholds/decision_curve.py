"""Net benefit of acting at a threshold probability, against acting on all and on none (decision curves)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dfevals.analyses.scores.ranked import Ranked
from dfevals.analyses.scores.score_steps import rows_below, sums_below
from dfevals.inference.levels import normal_quantile
from dfevals.metrics.estimands import divide
from dfevals.results.tidy import Piece

__all__ = ["decision_curve"]

Floats = npt.NDArray[np.float64]
PROBABILITIES = np.arange(1, 100) / 100


def decision_curve(source: Ranked, level: float) -> Piece:
    """Net benefit at threshold probabilities of .01 … .99, per cohort.

    Net benefit is tp / n − fp / n · p / (1 − p): true positives per row, less false positives at the exchange rate that
    the threshold probability p implies. Its interval is the normal one of a mean of n rows.

    References
    ----------
    Vickers & Elkin (2006), "Decision curve analysis: a novel method for evaluating prediction models", Medical Decision
    Making 26.
    """
    tally = source.tally
    below = sums_below(tally, rows_below(tally, PROBABILITIES))
    whole = sums_below(tally, tally.offsets[1:, None])
    total = np.broadcast_to(whole.pos + whole.neg, below.pos.shape)
    square = np.broadcast_to(tally.effective_square()[:, None], below.pos.shape)
    odds = PROBABILITIES / (1 - PROBABILITIES)
    tp, fp = divide(whole.pos - below.pos, total), divide(whole.neg - below.neg, total)
    base = divide(np.broadcast_to(whole.pos, total.shape), total)
    benefit = tp - fp * odds
    size = divide(total**2, square)
    half = normal_quantile(level) * np.sqrt(np.maximum(tp + fp * odds**2 - benefit**2, 0) / size)
    columns = {
        "threshold": np.broadcast_to(PROBABILITIES, total.shape),
        "net_benefit": benefit,
        "ci_low": benefit - half,
        "ci_high": benefit + half,
        "treat_all": base - (1 - base) * odds,
        "treat_none": np.zeros(total.shape),
        "n": np.broadcast_to(np.diff(tally.offsets)[:, None], total.shape).astype(float),
    }
    flat = {name: np.asarray(values).ravel() for name, values in columns.items()}
    return Piece(source.model.name, source.label, np.repeat(source.at, len(PROBABILITIES)), flat)
