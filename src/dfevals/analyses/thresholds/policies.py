"""Best thresholds of all cohorts of one model: each by itself, and against one threshold for all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.scores.amounts import AmountSums
from dfevals.analyses.scores.ranked import Ranked
from dfevals.analyses.scores.score_steps import steps
from dfevals.analyses.thresholds.best_threshold import FOLDS, Candidates, Choice, best, choose
from dfevals.analyses.thresholds.objectives import Counts, Objective
from dfevals.estimates.bootstrap import percentiles
from dfevals.results.tidy import Piece

__all__ = ["Policies"]

Floats = npt.NDArray[np.float64]
EXACT = 200_000  # distinct scores of a cohort up to which every one of them is tried
COARSE = 250  # of either class: thresholds that resampling chooses among


@dataclass
class Policies:
    """Chooses thresholds view by view, overall first, and adds up what the cohorts' own thresholds bring."""

    objective: Objective
    level: float
    n_resamples: int
    rng: np.random.Generator
    cross_fit: bool = False
    shared: float = np.nan
    sums: dict[str, list[Counts]] = field(default_factory=dict)

    def view(self, source: Ranked, amounts: AmountSums | None) -> Piece:
        """Rows of the frame of best thresholds, for the cohorts of one view."""
        points = steps(source.tally, EXACT)
        rows = []
        square = source.tally.effective_square()
        for i, place in enumerate(source.at):
            every = Candidates.of(points, i, amounts, float(square[i]))
            rows.append(self._cohort(every, source, i, overall=place == 0))
        columns: dict[str, Any] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        columns["note"] = columns["note"].astype(object)
        return Piece(source.model.name, source.label, source.at, columns)

    def _cohort(self, every: Candidates, source: Ranked, i: int, *, overall: bool) -> dict[str, Any]:
        objective = self.objective
        at = choose(every, objective)
        if overall:
            self.shared = float(every.threshold[at]) if at >= 0 else np.nan
        shared = _index(every.threshold, self.shared)
        few = every if len(every.threshold) <= 2 * COARSE else _coarse(every, [at, shared])
        drawn = few.drawn(max(self.n_resamples, 1), self.rng)
        held = None
        if self.cross_fit and self.n_resamples and every.pos + every.neg > 0:
            held = few.held_out(objective, max(self.n_resamples // FOLDS, 1), self.rng)
        choice = best(few, objective, drawn, self.level, held)
        if self.n_resamples == 0:
            choice = _plain(choice)
        now = self._now(every, source, i)
        sign = 1.0 if objective.higher else -1.0
        row: dict[str, Any] = {
            "threshold": choice.threshold,
            "threshold_low": choice.low,
            "threshold_high": choice.high,
            "value": choice.value,
            "optimism": choice.optimism,
            "corrected": choice.value - choice.optimism,
            "ci_low": choice.value_low,
            "ci_high": choice.value_high,
        }
        if objective.constraint is not None:
            row |= {"held": choice.limited, "held_corrected": choice.limited - choice.limited_optimism}
        at_shared = np.nan
        if shared >= 0 and choice.index >= 0:
            at_shared = float(objective.value(every.at(np.array([shared])))[0])
        row |= {
            "value_now": now,
            "value_shared": at_shared,
            "gain": np.nan if overall else sign * (choice.value - at_shared) + 0.0,
            "gain_corrected": np.nan if overall else sign * (choice.value - choice.optimism - at_shared) + 0.0,
            "n": every.pos + every.neg,
            "n_pos": every.pos,
            "note": choice.note,
        }
        if not overall and choice.index >= 0 and shared >= 0:
            self._add(few, choice, _index(few.threshold, self.shared), drawn, held)
        return row

    def _now(self, every: Candidates, source: Ranked, i: int) -> float:
        """The value as decisions are made now."""
        if every.pos + every.neg == 0:
            return np.nan
        if np.isfinite(source.threshold):
            index = _index(every.threshold, source.threshold)
            return float(self.objective.value(every.at(np.array([index])))[0])
        if every.money is not None or source.cells is None:
            return np.nan
        w = source.cells.weight[..., i]
        counts = Counts(w[1, 1], w[0, 1], w[1].sum(), w[0].sum())
        return float(self.objective.value(counts))

    def _add(self, few: Candidates, choice: Choice, shared: int, drawn: Counts, held: Counts | None) -> None:
        rows = np.arange(self.n_resamples if self.n_resamples else 1)
        picked = choice.picked if choice.picked is not None else np.full(len(rows), choice.index)
        own = np.array([choice.index])
        for name, counts in (
            ("own", few.at(own)),
            ("shared", few.at(np.array([shared]))),
            ("picked", few.at(picked)),
            ("drawn picked", _take(drawn, rows, picked)),
            ("drawn own", _take(drawn, rows, np.full(len(rows), choice.index))),
            ("drawn shared", _take(drawn, rows, np.full(len(rows), shared))),
        ):
            self.sums.setdefault(name, []).append(counts)
        if held is not None:
            self.sums.setdefault("held", []).append(held)

    def compared(self, model: str, label: Any) -> Piece | None:
        """One threshold for all cohorts against one for each, over the rows of all cohorts; None without cohorts."""
        if not self.sums:
            return None
        value = {name: self.objective.value(_summed(parts)) for name, parts in self.sums.items()}
        sign = 1.0 if self.objective.higher else -1.0
        own, shared = float(value["own"][0]), float(value["shared"][0])
        optimism, low, high = np.nan, np.nan, np.nan
        if self.n_resamples:
            seen = own - value["held"] if "held" in value else value["drawn picked"] - value["picked"]
            optimism = float(np.nanmean(seen))
            learnt = value["picked"] - value["picked"].mean()  # other rows would have chosen other thresholds
            gains = sign * (value["drawn own"] - value["drawn shared"] - optimism + learnt)
            low, high = (float(edge) for edge in percentiles(gains, self.level))
        gain = sign * (own - shared) + 0.0
        columns = {
            "policy": np.array(["one threshold for all", "one per cohort"], dtype=object),
            "value": np.array([shared, own]),
            "corrected": np.array([shared, own - optimism]),
            "gain": np.array([0.0, gain]),
            "gain_corrected": np.array([0.0, gain - sign * optimism]),
            "gain_low": np.array([np.nan, low]),
            "gain_high": np.array([np.nan, high]),
        }
        return Piece(model, label, np.zeros(2, np.int64), columns)


def _index(threshold: Floats, at: float) -> int:
    """The candidate that decides as the threshold `at` does; −1 if that is NaN."""
    if np.isnan(at) or not len(threshold):
        return -1
    return int(np.searchsorted(-threshold, -at, "right")) - 1


def _coarse(every: Candidates, keep: list[int]) -> Candidates:
    """At most two times `COARSE` candidates, evenly spread over either class, and those to keep."""
    picks = [np.searchsorted(values, np.linspace(0, values[-1], COARSE)) for values in (every.tp, every.fp)]
    picks.append(np.array([0, len(every.threshold) - 1, *(index for index in keep if index >= 0)]))
    at = np.unique(np.minimum(np.concatenate(picks), len(every.threshold) - 1))
    money = None if every.money is None else every.money[:, :, at]
    return Candidates(every.threshold[at], every.tp[at], every.fp[at], every.pos, every.neg, every.unit, money)


def _plain(choice: Choice) -> Choice:
    """Without what resampling says."""
    return Choice(choice.index, choice.threshold, value=choice.value, limited=choice.limited, note=choice.note)


def _take(drawn: Counts, rows: Any, at: Any) -> Counts:
    amount = None if drawn.amount is None else drawn.amount[rows, at]
    return Counts(drawn.tp[rows, at], drawn.fp[rows, at], drawn.pos[rows, 0], drawn.neg[rows, 0], amount)


def _summed(parts: list[Counts]) -> Counts:
    """Decisions of all cohorts together."""
    tp, fp, pos, neg = (sum(getattr(part, name) for part in parts) for name in ("tp", "fp", "pos", "neg"))
    amount = None if parts[0].amount is None else np.asarray(sum(part.amount for part in parts))  # type: ignore[misc]
    return Counts(np.asarray(tp), np.asarray(fp), np.asarray(pos), np.asarray(neg), amount)
