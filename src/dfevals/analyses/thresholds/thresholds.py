"""From score to decision: the threshold table, the best threshold, budgets and net benefit (`ev.thresholds`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.scores.amounts import AmountSums
from dfevals.analyses.scores.ranked import Ranked, ranked
from dfevals.analyses.scores.score_steps import depth_sums, steps
from dfevals.analyses.thresholds.best_threshold import FOLDS
from dfevals.analyses.thresholds.costs import Costs
from dfevals.analyses.thresholds.decision_curve import decision_curve
from dfevals.analyses.thresholds.objectives import Objective, cell_metric
from dfevals.analyses.thresholds.policies import Policies
from dfevals.analyses.thresholds.threshold_table import threshold_table
from dfevals.cohorts import Cohorts
from dfevals.exceptions import MetricError, check_choice
from dfevals.inference.levels import check_level
from dfevals.inference.seeds import check_resamples, generator
from dfevals.metrics.estimands import divide
from dfevals.metrics.registry import Request
from dfevals.results.result import Result
from dfevals.results.tidy import Piece, by_title, tidy_all
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ThresholdsResult", "thresholds"]

Floats = npt.NDArray[np.float64]
METRICS = ("precision", "recall", "fpr", "f1", "accuracy", "selection_rate")
BUDGETS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
MOST = 1000  # rows of the table per cohort


class ThresholdsResult(Result):
    """The threshold table per model and cohort, and the decisions that follow from it.

    Parameters
    ----------
    frame : DataFrame
        `threshold, tp, fp, fn, tn`, one column per metric, `cost` (mean per row).
    best, policies, budget, net_benefit : DataFrame or None
        See the properties.
    objective : Objective
    level : float
    """

    _tab = ""

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        best: pd.DataFrame,
        policies: pd.DataFrame | None,
        budget: pd.DataFrame,
        net_benefit: pd.DataFrame | None,
        objective: Objective,
        level: float,
        **described: Any,
    ) -> None:
        super().__init__(frame, **described)
        self._best, self._policies, self._budget, self._net_benefit = best, policies, budget, net_benefit
        self._objective, self._level = objective, level

    @property
    def best(self) -> pd.DataFrame:
        """The best threshold per model and cohort.

        `threshold` with the interval that resampling gives; `value` there, its `optimism` and the `corrected` value with
        its interval; `value_now` as the model decides now; `value_shared` at the threshold that is best overall, and the
        `gain` of the cohort's own threshold over it (positive is better), also `gain_corrected` for the optimism.
        """
        return self._best.copy()

    @property
    def policies(self) -> pd.DataFrame:
        """One threshold for all cohorts against one per cohort, over the rows of all cohorts.

        Raises
        ------
        MetricError
            There are no cohorts, or they overlap.
        """
        if self._policies is None:
            raise MetricError("Policies compare cohorts that do not overlap: ev.thresholds(by='column').")
        return self._policies.copy()

    @property
    def budget(self) -> pd.DataFrame:
        """What the best k % of the rows give: `depth, threshold, selected, precision, recall, lift, cost`."""
        return self._budget.copy()

    @property
    def net_benefit(self) -> pd.DataFrame:
        """Decision curves: `threshold, net_benefit, ci_low, ci_high, treat_all, treat_none`.

        Raises
        ------
        MetricError
            The scores are no probabilities.
        """
        if self._net_benefit is None:
            raise MetricError(
                "Net benefit weighs errors by the threshold probability, and these scores are no probabilities. "
                "Recalibrate them first."
            )
        return self._net_benefit.copy()

    def _focus(self) -> dict[str, Any]:
        """The best threshold of all rows, with what errors cost where that is a number for each kind."""
        found, sought = super()._focus(), self._objective
        best = self._best[self._best["is_overall"]] if "is_overall" in self._best else self._best
        if len(best) and np.isfinite(best["threshold"].iloc[0]):
            found["threshold"] = float(best["threshold"].iloc[0])
        price = {kind: sought.costs.numbers.get(kind, np.nan) for kind in ("fp", "fn")}
        if sought.costs.given and all(np.isfinite(v) and v >= 0 for v in price.values()):
            found["cost"] = price
        return found if sought.metric is None else {"metric": sought.metric.label, **found}

    def table(self, max_rows: int = 60, width: int | None = None) -> Any:
        """The best thresholds; the whole table is in `.frame`."""
        from dfevals.render.plain_tables import plain_table

        del width
        frame = self._best.copy()
        frame["n"] = frame["n"].to_numpy()
        order = ["threshold", "threshold_low", "threshold_high", "value", "optimism", "corrected", "ci_low", "ci_high"]
        lead = [name for name in frame if name in (*self.cohort_columns, "model", "class")]
        rest = ["held", "held_corrected", "value_now", "value_shared", "gain_corrected", "n", "note", "is_overall"]
        shown = frame[[*lead, *(name for name in (*order, *rest) if name in frame)]]
        if not shown["note"].astype(bool).any():
            shown = shown.drop(columns="note")
        return plain_table(
            shown,
            title=f"{self.title}: best for {self._objective.text}",
            notes=self.notes,
            cohort_columns=self.cohort_columns,
            max_rows=max_rows,
            detail=f"{len(self._frame):,} rows of the threshold table in .frame; {self._level:.0%} intervals",
            headings={"ci_low": "low", "ci_high": "high"},
        )

    def plot(
        self,
        kind: str = "objective",
        *,
        model: str | Sequence[str] | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Any:
        """Draw a chart, one panel per cohort.

        Parameters
        ----------
        kind : {"objective", "metrics", "decision", "best"}
            The objective by threshold with the best one marked; metrics by threshold, a panel per model; net benefit by
            threshold probability; the best thresholds of the cohorts with their intervals.
        model : str or list of str, optional
            All models when absent ("best": the first, and "metrics" where there is an `ax`).
        ax : Axes, optional
            All cohorts go into it.
        """
        from dfevals.plots.thresholds import draw

        frames = {"frame": self._frame, "best": self._best}
        if kind == "decision":
            frames["net_benefit"] = self.net_benefit
        return draw(
            frames,
            kind,
            ax,
            quantity=self._objective.name,
            higher=self._objective.higher,
            cohort_columns=self.cohort_columns,
            level=self._level,
            model=model,
            **options,
        )


def thresholds(
    bound: Bound,
    cohorts: Cohorts,
    models: tuple[Model, ...],
    *,
    cost: Any = None,
    objective: str | None = None,
    metrics: Iterable[str] = METRICS,
    thresholds: int | Sequence[float] | None = None,
    budget: Sequence[float] = BUDGETS,
    level: float = 0.95,
    n_resamples: int = 300,
    random_state: Any = 0,
    optimism: str = "auto",
    provenance: Any = None,
) -> ThresholdsResult:
    """Threshold tables of every model (and class), overall and per cohort."""
    check_level(level)
    check_resamples(n_resamples, least=0)
    check_choice("optimism", optimism, ("auto", "bootstrap", "cross-fit"), MetricError)
    costs = Costs.of(cost)
    if optimism == "auto":
        optimism = "bootstrap" if costs.columns else "cross-fit"
    if costs.columns and optimism == "cross-fit":
        raise MetricError(
            "optimism='cross-fit' splits counts of rows, and a column of amounts differs from row to row. "
            "Use optimism='bootstrap'."
        )
    aim = Objective.of(objective, costs)
    wanted = [cell_metric(name) for name in ([metrics] if isinstance(metrics, str) else metrics)]
    if aim.metric is not None and aim.metric.label not in {request.label for request in wanted}:
        wanted.append(aim.metric)
    depths = _depths(budget)
    notes: list[str] = []
    rng = generator(random_state)
    parts: dict[str, list[Piece]] = {"frame": [], "best": [], "policies": [], "budget": [], "net_benefit": []}
    for _, group in groupby(ranked(bound, cohorts, models, notes, "Thresholds"), lambda s: s.model.name):
        by_class: dict[Any, list[Ranked]] = {}
        for source in group:
            by_class.setdefault(source.label, []).append(source)
        for label, views in by_class.items():
            views = sorted(views, key=lambda source: int(source.at[0]))  # overall first
            grid = _grid(views[0], thresholds)
            policies = Policies(aim, level, n_resamples, rng, optimism == "cross-fit")
            for source in views:
                amounts = costs.amounts(bound, cohorts, source)
                parts["frame"].append(_table(source, grid, wanted, costs, amounts))
                parts["best"].append(policies.view(source, amounts))
                parts["budget"].append(_budget(source, depths, costs, amounts))
                if bound.score_kind(source.model) == "probability":
                    parts["net_benefit"].append(decision_curve(source, level))
            compared = policies.compared(views[0].model.name, label) if len(views) == 2 else None
            parts["policies"] += [] if compared is None else [compared]
    frames, names = tidy_all(cohorts, parts)
    assert frames["frame"] is not None
    assert frames["best"] is not None
    assert frames["budget"] is not None
    return ThresholdsResult(
        frames["frame"],
        best=frames["best"],
        policies=None if frames["policies"] is None else frames["policies"].drop(columns=["is_overall", *names]),
        budget=frames["budget"],
        net_benefit=frames["net_benefit"],
        objective=aim,
        level=level,
        provenance=provenance,
        title=by_title("Thresholds", cohorts),
        notes=list(dict.fromkeys([*_notes(aim, costs, n_resamples, random_state, optimism, bound), *notes])),
        cohort_columns=names,
    )


def _notes(aim: Objective, costs: Costs, n_resamples: int, random_state: Any, optimism: str, bound: Bound) -> list[str]:
    notes = [costs.describe() if costs.given else "No costs were given, so `cost` counts every error as 1."]
    if aim.constraint is not None:
        notes.append(f"Greatest {aim.name} at which {aim.text} holds; `held` is {aim.constraint.label}.")
    if n_resamples:
        folds = f"{FOLDS} folds, {max(n_resamples // FOLDS, 1):,} times: chosen on nine, judged on the tenth"
        how = f"{n_resamples:,} resamples" if optimism == "bootstrap" else folds
        rest = " Of such resamples a third of it can remain." if optimism == "bootstrap" else ""
        notes.append(
            f"Optimism is how much better the chosen threshold looks on the rows that chose it; corrected = value − optimism "
            f"({how}, random_state={random_state!r}).{rest}"
        )
    if bound.weight is not None:
        notes.append("Rows are weighted: counts are sums of weights.")
    return notes


def _depths(budget: Sequence[float]) -> Floats:
    found = np.atleast_1d(np.asarray(budget, float))
    if found.ndim != 1 or not len(found) or not ((found > 0) & (found <= 1)).all():
        raise MetricError(f"budget={budget!r} must be shares of the rows in (0, 1], such as [0.05, 0.1].")
    return np.unique(found)


def _grid(source: Ranked, asked: int | Sequence[float] | None) -> Floats:
    """Thresholds of the table, ascending: as asked, or the scores that occur (at most 1,000), and where decisions are cut."""
    if asked is None or isinstance(asked, int | np.integer):
        if isinstance(asked, bool) or (asked is not None and asked < 2):
            raise MetricError(f"thresholds={asked!r} must be a number of at least 2, or a list of scores.")
        found = steps(source.tally, MOST).threshold
        if asked is not None and len(found) > asked:
            found = found[np.unique(np.linspace(0, len(found) - 1, asked).astype(int))]
        elif np.isfinite(source.threshold):
            found = np.append(found, source.threshold)
        return np.unique(found)
    values = np.asarray(asked, float)
    if values.ndim != 1 or not len(values) or np.isnan(values).any():
        raise MetricError(f"thresholds={asked!r} must be a list of scores.")
    return np.unique(values)


def _table(source: Ranked, grid: Floats, metrics: Sequence[Request], costs: Costs, amounts: AmountSums | None) -> Piece:
    amount = None if amounts is None else amounts.total(grid)
    columns = threshold_table(source.tally, grid, metrics, costs, amount)
    rows = columns["tp"] + columns["fp"] + columns["fn"] + columns["tn"]
    pos = columns["tp"] + columns["fn"]
    columns["n"] = (
        rows if source.tally.frequency else np.broadcast_to(np.diff(source.tally.offsets)[:, None], rows.shape)
    )
    columns["note"] = np.select([rows == 0, pos == 0, pos == rows], ["no rows", "no positives", "no negatives"], "")
    columns["note"] = columns["note"].astype(object)
    flat = {name: np.asarray(values).ravel() for name, values in columns.items()}
    return Piece(source.model.name, source.label, np.repeat(source.at, len(grid)), flat)


def _budget(source: Ranked, depths: Floats, costs: Costs, amounts: AmountSums | None) -> Piece:
    """What the best-scored shares of each cohort give; ties at the cut count in proportion."""
    cuts = np.unique(np.append(depths, 1.0))
    tp, fp, inner, _ = depth_sums(source.tally, cuts)
    pos, neg = tp[:, -1:], fp[:, -1:]
    tp, fp, inner = (values[:, np.isin(cuts, depths)] for values in (tp, fp, inner))
    total, selected = np.broadcast_to(pos + neg, tp.shape), tp + fp
    amount = None
    if amounts is not None:
        amount = np.full(tp.shape, np.nan)
        for i in range(len(tp)):
            rising, back = np.unique(np.nan_to_num(inner[i]), return_inverse=True)
            amount[i] = amounts.total(rising)[i][back]
    columns = {
        "depth": np.broadcast_to(depths, tp.shape),
        "threshold": inner,
        "selected": selected,
        "tp": tp,
        "precision": divide(tp, selected),
        "recall": divide(tp, np.broadcast_to(pos, tp.shape)),
        "lift": divide(divide(tp, selected), divide(np.broadcast_to(pos, tp.shape), total)),
        "cost": divide(costs.total(tp, fp, pos, neg, amount), total),
    }
    flat = {name: np.asarray(values).ravel() for name, values in columns.items()}
    return Piece(source.model.name, source.label, np.repeat(source.at, len(depths)), flat)
