"""Gains, lift and KS by quantiles of the score, and what contacting the best pays (`ev.gains`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import words
from dfevals.analyses.gains.gain_bounds import gain_bounds
from dfevals.analyses.gains.profit import Money, at_cuts, profit
from dfevals.analyses.scores.ranked import Ranked, ranked
from dfevals.analyses.scores.score_steps import depth_sums
from dfevals.cohorts import Cohorts
from dfevals.estimates.intervals import interval
from dfevals.exceptions import MetricError
from dfevals.inference.levels import check_level
from dfevals.inference.seeds import check_resamples, generator
from dfevals.metrics.estimands import Rank, divide
from dfevals.results.result import Result
from dfevals.results.tidy import Piece, by_title, tidy_all
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GainsResult", "gains"]

Floats = npt.NDArray[np.float64]
#: Depths at which the gain curve is read: fine where campaigns are cut.
DEPTHS = np.unique(np.round(np.concatenate([[0.0], np.geomspace(1e-4, 0.05, 60), np.linspace(0.05, 1, 191)]), 6))


class GainsResult(Result):
    """The gains table: the rows in order of the score, cut into bins of equal size, per model and cohort.

    Parameters
    ----------
    frame : DataFrame
        One row per bin, the highest scores first: `bin, n, n_pos, score_min, score_max, rate, cum_n, cum_pos, gain, lift,
        cum_lift, ks` and intervals.
    curve : DataFrame
        The cumulative gain at 240 depths, for charts.
    summary : DataFrame
        KS with its score, AUC, Gini and concordance per model and cohort.
    profit : DataFrame or None
        Profit and return by depth, where money was given.
    best_profit : DataFrame or None
        The depth of greatest profit per model and cohort.
    level : float
    """

    _tab = "gains"

    def __init__(
        self,
        frame: pd.DataFrame,
        curve: pd.DataFrame,
        summary: pd.DataFrame,
        profit: pd.DataFrame | None,
        best_profit: pd.DataFrame | None,
        level: float,
        **described: Any,
    ) -> None:
        super().__init__(frame, **described)
        self._curve, self._summary, self._level = curve, summary, level
        self._profit, self._best_profit = profit, best_profit

    @property
    def curve(self) -> pd.DataFrame:
        """Cumulative gain and lift by depth: `depth, gain, gain_low, gain_high, cum_lift, ks, threshold`."""
        return self._curve.copy()

    @property
    def summary(self) -> pd.DataFrame:
        """KS (and the score where it is reached), AUC, Gini, concordance, row counts and base rate."""
        return self._summary.copy()

    @property
    def profit(self) -> pd.DataFrame:
        """Profit and return on investment by depth.

        Raises
        ------
        MetricError
            No value of a response was given.
        """
        if self._profit is None:
            raise MetricError(
                "Profit needs money: ev.gains(value=100, cost=5), value per response and cost per contact."
            )
        return self._profit.copy()

    @property
    def best_profit(self) -> pd.DataFrame:
        """Depth of greatest profit with its interval, and the profit after the optimism of having chosen it."""
        if self._best_profit is None:
            raise MetricError(
                "Profit needs money: ev.gains(value=100, cost=5), value per response and cost per contact."
            )
        return self._best_profit.copy()

    def table(self, max_rows: int = 60, width: int | None = None) -> Any:
        """The gains table, without its intervals; they are in `.frame`."""
        from dfevals.render.plain_tables import plain_table

        del width
        hidden = [name for name in self._frame.columns if name.endswith(("_low", "_high"))]
        hidden += [name for name in ("note",) if not self._frame[name].astype(bool).any()]
        shown = self._frame.drop(columns=hidden)
        return plain_table(
            shown,
            title=self.title,
            notes=[*self._captions(), *self.notes],
            cohort_columns=self.cohort_columns,
            max_rows=max_rows,
            detail=f"highest scores first; {words.bounds(self._level)} in .frame",
        )

    def _captions(self) -> list[str]:
        """AUC, Gini, KS and concordance of every model, overall."""
        from dfevals.plots.gains import caption

        several = self._summary["model"].nunique() > 1 or "class" in self._summary
        out = []
        for _, row in self._summary[self._summary["is_overall"]].head(8).iterrows():
            name = " · ".join(str(row[key]) for key in ("model", "class") if key in row)
            out.append(f"{name}: {caption(row)}" if several else caption(row))
        return out

    def plot(
        self,
        kind: str = "gain",
        *,
        model: str | Sequence[str] | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Any:
        """Draw a chart of the table, one panel per cohort.

        Parameters
        ----------
        kind : {"gain", "lift", "rate", "ks", "profit", "roi"}
            Cumulative gain with the perfect and the random line; lift per bin; rate of positives per bin; the two score
            distributions with their greatest distance; profit or return on investment by depth.
        model : str or list of str, optional
            All models when absent (KS: the first).
        ax : Axes, optional
            All cohorts go into it.
        """
        from dfevals.plots.gains import draw

        frames = {"frame": self._frame, "curve": self._curve, "summary": self._summary}
        if kind in ("profit", "roi"):
            frames |= {"profit": self.profit, "best": self.best_profit}
        return draw(frames, kind, ax, cohort_columns=self.cohort_columns, level=self._level, model=model, **options)


def gains(
    bound: Bound,
    cohorts: Cohorts,
    models: tuple[Model, ...],
    *,
    quantiles: int | Sequence[float] = 10,
    value: float | str | None = None,
    cost: float = 0.0,
    fixed_cost: float = 0.0,
    level: float = 0.95,
    n_resamples: int = 400,
    random_state: Any = 0,
    provenance: Any = None,
) -> GainsResult:
    """Gains of every model (and class), overall and per cohort."""
    check_level(level)
    check_resamples(n_resamples, least=1 if value is not None else 0)
    cuts = _cuts(quantiles)
    money = None if value is None else Money.of(value, cost, fixed_cost)
    rng = generator(random_state)
    notes: list[str] = []
    parts: dict[str, list[Piece]] = {"frame": [], "curve": [], "summary": [], "profit": [], "best": []}
    few = False
    for source in ranked(bound, cohorts, models, notes, "Gains", decisions=False):
        every = np.union1d(cuts, DEPTHS)
        sums = depth_sums(source.tally, every)  # one walk for the table and its chart
        of_table, of_curve = ([part[:, np.isin(every, some)] for part in sums] for some in (cuts, DEPTHS))
        table, few_scores = _table(source, cuts, of_table, level)
        few = few or few_scores
        parts["frame"].append(table)
        parts["curve"].append(_curve(source, of_curve, level))
        parts["summary"].append(_summary(source, level))
        if money is not None:
            by_depth, best = profit(bound, cohorts, source, money, level, n_resamples, rng)
            parts["profit"].append(by_depth)
            parts["best"].append(best)
            parts["frame"][-1] = replace(table, columns={**table.columns, "profit": at_cuts(table, by_depth, money)})
    if few:
        notes.append("Where a cut falls into rows of equal score, they are split between the bins in proportion.")
    if bound.weight is not None:
        notes.append("Rows are weighted: n and cuts are in weight, intervals use effective numbers of rows.")
    frames, names = tidy_all(cohorts, parts)
    assert frames["frame"] is not None
    assert frames["curve"] is not None
    assert frames["summary"] is not None
    return GainsResult(
        frames["frame"],
        frames["curve"],
        frames["summary"],
        frames["profit"],
        frames["best"],
        level,
        provenance=provenance,
        title=by_title("Gains", cohorts),
        notes=list(dict.fromkeys(notes)),
        cohort_columns=names,
    )


def _cuts(quantiles: int | Sequence[float]) -> Floats:
    """Depths of the cuts, 0 and 1 included."""
    if isinstance(quantiles, int | np.integer) and not isinstance(quantiles, bool):
        if not 1 <= quantiles <= 1000:
            raise MetricError(f"quantiles={quantiles} must be a number of bins from 1 to 1,000.")
        return np.arange(quantiles + 1) / quantiles
    try:
        found = np.asarray(quantiles, float)
    except (TypeError, ValueError):
        found = np.zeros(0)
    inner = found[(found > 0) & (found < 1)]
    wrong = found.ndim != 1 or not len(found) or np.isnan(found).any() or found.min() < 0 or found.max() > 1
    if isinstance(quantiles, bool | str) or wrong or (np.diff(found) <= 0).any():
        raise MetricError(
            f"quantiles={quantiles!r} must be a number of bins, or rising shares between 0 and 1 such as [0.01, 0.05, 0.1]."
        )
    return np.concatenate([[0.0], inner, [1.0]])


def _table(source: Ranked, cuts: Floats, sums: Sequence[Floats], level: float) -> tuple[Piece, bool]:
    """The gains table of disjoint cohorts, and whether ties are cut."""
    pos, neg, inner, outer = sums
    total_pos, total_neg = pos[:, -1:], neg[:, -1:]
    n_pos, cum_pos = np.diff(pos), pos[:, 1:]
    total = total_pos + total_neg
    base = divide(total_pos, total)
    depth = cuts * total
    depth = np.where(np.abs(depth - np.rint(depth)) < 1e-9 * total, np.rint(depth), depth)
    n, cum_n = np.diff(depth), depth[:, 1:]
    rate, cum_rate = divide(n_pos, n), divide(cum_pos, cum_n)
    columns: dict[str, Any] = {
        "bin": np.broadcast_to(np.arange(1, len(cuts)), n.shape),
        "n": n,
        "n_pos": n_pos,
        "score_min": inner[:, 1:],
        "score_max": outer[:, :-1],
        "rate": rate,
        "cum_n": cum_n,
        "cum_pos": cum_pos,
        "gain": divide(cum_pos, np.broadcast_to(total_pos, n.shape)),
        "lift": divide(rate, np.broadcast_to(base, n.shape)),
        "cum_lift": divide(cum_rate, np.broadcast_to(base, n.shape)),
        "ks": divide(cum_pos, np.broadcast_to(total_pos, n.shape))
        - divide(neg[:, 1:], np.broadcast_to(total_neg, n.shape)),
        "capture": divide(n_pos, np.broadcast_to(total_pos, n.shape)),
    }
    columns |= gain_bounds(source.tally, n_pos, n, cum_pos, cum_n, level)
    note = np.select(
        [total == 0, total_pos == 0, total_neg == 0, n <= 0],
        ["no rows", "no positives", "no negatives", "no rows in the bin"],
        "",
    )
    columns["note"] = np.broadcast_to(note, n.shape).astype(object)
    place = np.repeat(source.at, n.shape[1])
    flat = {name: np.asarray(values).ravel() for name, values in columns.items()}
    ties = bool((inner[:, 1:-1] == outer[:, 1:-1]).any())
    return Piece(source.model.name, source.label, place, flat), ties


def _curve(source: Ranked, sums: Sequence[Floats], level: float) -> Piece:
    """Gain by depth, for charts."""
    pos, neg, inner, _ = sums
    total_pos, total_neg = pos[:, -1:], neg[:, -1:]
    cum_n = pos + neg
    bounds = gain_bounds(source.tally, pos, cum_n, pos, cum_n, level)
    wide = np.broadcast_to
    columns = {
        "depth": wide(DEPTHS, pos.shape),
        "threshold": inner,
        "gain": divide(pos, wide(total_pos, pos.shape)),
        "gain_low": bounds["gain_low"],
        "gain_high": bounds["gain_high"],
        "cum_lift": divide(divide(pos, cum_n), wide(divide(total_pos, total_pos + total_neg), pos.shape)),
        "negatives": divide(neg, wide(total_neg, pos.shape)),
    }
    columns["ks"] = columns["gain"] - columns["negatives"]
    flat = {name: np.asarray(values).ravel() for name, values in columns.items()}
    return Piece(source.model.name, source.label, np.repeat(source.at, pos.shape[1]), flat)


def _summary(source: Ranked, level: float) -> Piece:
    sums = source.tally.rank_sums()
    ks, auc, concordant = Rank("ks", sums), Rank("roc_auc", sums), Rank("concordant", sums)
    columns: dict[str, Any] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, estimand in (("ks", ks), ("roc_auc", auc)):
            found = interval(estimand, level, bounds=(0.0, 1.0))
            missing = np.isnan(estimand.value)
            columns |= {
                name: estimand.value,
                f"{name}_low": np.where(missing, np.nan, found.low),
                f"{name}_high": np.where(missing, np.nan, found.high),
            }
    total = sums.pos + sums.neg
    columns |= {
        "ks_score": sums.ks_score,
        "ks_depth": divide(sums.pos * (1 - sums.ks_pos) + sums.neg * (1 - sums.ks_neg), total),
        "ks_gain": 1 - sums.ks_pos,
        "ks_negatives": 1 - sums.ks_neg,
        "gini": 2 * auc.value - 1,
        "concordant": concordant.value,
        "n": total if source.tally.frequency else sums.n_pos + sums.n_neg,
        "n_pos": sums.n_pos,
        "base_rate": divide(sums.pos, total),
        "note": np.select(
            [total == 0, sums.pos == 0, sums.neg == 0], ["no rows", "no positives", "no negatives"], ""
        ).astype(object),
    }
    return Piece(source.model.name, source.label, source.at, columns)
