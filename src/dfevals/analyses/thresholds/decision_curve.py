"""Net benefit of acting at a threshold probability, against acting on all and on none (decision curves)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dfevals.analyses.scores.ranked import Ranked
from dfevals.analyses.scores.score_steps import rows_below, sums_below
from dfevals.inference.proportions import wilson
from dfevals.metrics.estimands import divide
from dfevals.results.tidy import Piece

__all__ = ["decision_curve"]

Floats = npt.NDArray[np.float64]
PROBABILITIES = np.arange(1, 100) / 100


def decision_curve(source: Ranked, level: float) -> Piece:
    """Net benefit at threshold probabilities of .01 … .99, per cohort.

    Net benefit is tp / n − fp / n · p / (1 − p): true positives per row, less false positives at the exchange rate that
    the threshold probability p implies. Its interval joins the Wilson intervals of the two shares, which are negatively
    correlated (MOVER), so that it has width where nobody, or nobody rightly, is acted on.

    References
    ----------
    Vickers & Elkin (2006), "Decision curve analysis: a novel method for evaluating prediction models", Medical Decision
    Making 26. Zou & Donner (2008), "Construction of confidence limits about effect measures", Statistics in Medicine 27.
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
    down, up = _reach(tp, fp, odds, divide(total**2, square), level)
    columns = {
        "threshold": np.broadcast_to(PROBABILITIES, total.shape),
        "net_benefit": benefit,
        "ci_low": benefit - down,
        "ci_high": benefit + up,
        "treat_all": base - (1 - base) * odds,
        "treat_none": np.zeros(total.shape),
        "n": np.broadcast_to(np.diff(tally.offsets)[:, None], total.shape).astype(float),
    }
    flat = {name: np.asarray(values).ravel() for name, values in columns.items()}
    return Piece(source.model.name, source.label, np.repeat(source.at, len(PROBABILITIES)), flat)


def _reach(tp: Floats, fp: Floats, odds: Floats, size: Floats, level: float) -> tuple[Floats, Floats]:
    """How far the interval of tp − odds · fp reaches below and above, for shares of `size` rows."""
    tp, fp = np.clip(tp, 0, 1), np.clip(fp, 0, 1)
    gain, loss = (wilson(np.nan_to_num(share * size), np.nan_to_num(size), level) for share in (tp, fp))
    spread = np.sqrt(np.maximum((1 - tp) * (1 - fp), 0))
    together = -np.sqrt(tp * fp) / np.where(spread > 0, spread, 1)  # correlation of two shares of the same rows

    def joined(a: Floats, b: Floats) -> Floats:
        return np.sqrt(np.maximum(a**2 + b**2 - 2 * together * a * b, 0))

    down = joined(tp - gain.ci_low, odds * (loss.ci_high - fp))
    return down, joined(gain.ci_high - tp, odds * (fp - loss.ci_low))
