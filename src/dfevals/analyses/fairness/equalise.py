"""What it would cost to treat groups alike by a threshold for each (`ev.equalise`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render
from dfevals.analyses.fairness.criteria import costs_of
from dfevals.analyses.scores.ranked import Ranked, ranked
from dfevals.analyses.scores.score_steps import Steps, steps
from dfevals.cohorts import Cohorts
from dfevals.exceptions import CohortError, MetricError, check_choice
from dfevals.inference.levels import check_level, normal_quantile
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import by_title, framed
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EqualisedResult", "equalise"]

Floats = npt.NDArray[np.float64]
EXACT = 200_000  # distinct scores of a group up to which every one of them is tried
BINS = 400
"""Steps of the rate within which groups count as equal."""
CRITERIA = ("demographic_parity", "equal_opportunity", "predictive_equality")


class EqualisedResult(Result):
    """A threshold for every group that equalises a criterion; `frame` has cohort columns, `model, threshold, rate, cost,
    threshold_now, rate_now, cost_now, n`.

    Rates are those of the criterion, costs are per row of the group; `…_now` with the threshold that all share.
    """

    def __init__(self, frame: pd.DataFrame, tradeoff: pd.DataFrame, price: pd.DataFrame, **described: Any) -> None:
        super().__init__(frame, **described)
        self._tradeoff, self._price = tradeoff, price

    @property
    def tradeoff(self) -> pd.DataFrame:
        """The least cost per row for every difference between groups that is allowed: `model, difference, cost`."""
        return self._tradeoff.copy()

    @property
    def price(self) -> pd.DataFrame:
        """What equalising costs per row beside one threshold: `model, cost_now, cost, price, price_low, price_high,
        difference_now, difference`."""
        return self._price.copy()

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """Thresholds, rates and costs of every group."""
        del width
        shown = self._frame if self._frame["model"].nunique() > 1 else self._frame.drop(columns="model")
        return plain_table(
            shown, title=self.title, notes=self.notes, cohort_columns=self.cohort_columns, max_rows=max_rows
        )

    def plot(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """The trade-off: cost per row over the difference between groups that is allowed.

        Parameters
        ----------
        ax : Axes, optional
        **options
            `title`, `dark`.
        """
        from dfevals.plots.tradeoff import draw

        return draw(self._tradeoff, self._price, ax, criterion=self._criterion, **options)

    _criterion = ""


@dataclass(frozen=True)
class _Group:
    """Thresholds of one group by rising rate: the rate of the criterion, the cost of all its rows, and the threshold."""

    rate: Floats
    cost: Floats
    threshold: Floats

    @classmethod
    def of(cls, points: Steps, i: int, criterion: str, cost: Mapping[str, float]) -> _Group:
        """Of the i-th group."""
        at = points.of(i)
        tp, fp, pos, neg = points.tp[at], points.fp[at], float(points.total.pos[i]), float(points.total.neg[i])
        top, bottom = {
            "demographic_parity": (tp + fp, pos + neg),
            "equal_opportunity": (tp, pos),
            "predictive_equality": (fp, neg),
        }[criterion]
        rate = top / bottom if bottom > 0 else np.full(len(tp), np.nan)
        return cls(rate, cost["fp"] * fp + cost["fn"] * (pos - tp), points.threshold[at])

    def place(self, threshold: float) -> int:
        """The step of a threshold, of which steps go down: the last whose threshold is not below it."""
        return int(np.searchsorted(-self.threshold, -threshold, "right")) - 1

    def binned(self) -> tuple[Floats, npt.NDArray[np.intp]]:
        """The least cost within every step of the rate, and which threshold has it."""
        code = np.minimum((self.rate * BINS).astype(int), BINS - 1)
        order = np.lexsort((self.cost, code))
        first = order[np.unique(code[order], return_index=True)[1]]
        least, which = np.full(BINS, np.inf), np.zeros(BINS, np.intp)
        least[code[first]], which[code[first]] = self.cost[first], first
        return least, which


def equalise(
    bound: Bound,
    cohorts: Cohorts,
    criterion: str = "demographic_parity",
    *,
    models: Sequence[Model],
    cost: Mapping[str, float] | None = None,
    level: float = 0.95,
    provenance: Any = None,
) -> EqualisedResult:
    """Thresholds by group and their price; see `Evaluation.equalise`.

    Raises
    ------
    CohortError, MetricError
        There are fewer than two groups, they overlap, or there are no scores of two classes.
    """
    check_level(level)
    check_choice("criterion", criterion, CRITERIA, MetricError)
    if bound.task != "binary":
        raise MetricError(f"Thresholds by group need scores of two classes; this evaluation is {bound.task}.")
    if cohorts.n_cohorts < 2 or cohorts.views is not None:
        raise CohortError(
            "Equalising needs two or more groups that do not overlap: by= a column, or a list of columns."
        )
    prices = costs_of(cost if cost is not None else {"fp": 1.0, "fn": 1.0})
    notes: list[str] = []
    frames, tradeoffs, told = [], [], []
    for source in ranked(bound, cohorts, models, notes, "Thresholds by group", decisions=False):
        if len(source.at) == 1 and source.at[0] == 0:
            continue  # all rows together
        rows, curve, price = _of_model(source, bound, criterion, prices, level)
        frames.append(framed(cohorts, np.asarray(source.at), rows).drop(columns="is_overall"))
        tradeoffs.append(curve)
        told.append(price)
    frame = pd.concat(frames, ignore_index=True)
    result = EqualisedResult(
        frame, pd.concat(tradeoffs, ignore_index=True), pd.DataFrame(told),
        provenance=provenance,
        title=f"{by_title('Equalised', cohorts)}: {criterion}",
        notes=[*map(_said, told), "Thresholds were chosen on these rows; judge them on others before they are used.", *dict.fromkeys(notes)],
        cohort_columns=tuple(frame.columns[: len(cohorts.names)]),
    )  # fmt: skip
    result._criterion, result._level = criterion, level
    return result


def _of_model(
    source: Ranked, bound: Bound, criterion: str, cost: Mapping[str, float], level: float
) -> tuple[dict[str, Any], pd.DataFrame, dict[str, Any]]:
    points = steps(source.tally, EXACT)
    groups = [_Group.of(points, i, criterion, cost) for i in range(len(source.at))]
    used = [i for i, group in enumerate(groups) if len(group.rate) and not np.isnan(group.rate).any()]
    if len(used) < 2:
        raise MetricError(
            f"{source.model.name!r}: fewer than two groups have rows of the classes that {criterion} is about."
        )
    total = points.total.pos + points.total.neg
    n = float(total[used].sum())
    now = _shared(source, groups, used)
    curve, picked = _frontier([groups[i] for i in used], n)
    chosen = np.full(len(groups), -1)
    chosen[used] = picked
    before, after = (
        np.array([g.cost[at] if at >= 0 else np.nan for g, at in zip(groups, place, strict=True)])
        for place in (now, chosen)
    )
    rows: dict[str, Any] = {"model": np.full(len(groups), source.model.name, dtype=object)}
    for end, place, costs in (("", chosen, after), ("_now", now, before)):
        rows[f"threshold{end}"] = _read(groups, place, "threshold")
        rows[f"rate{end}"] = _read(groups, place, "rate")
        rows[f"cost{end}"] = np.divide(costs, total, out=np.full(len(total), np.nan), where=total > 0)
    rows["n"] = total
    price = float((after - before)[used].sum()) / n
    half = normal_quantile(level) * np.sqrt(_variance(points, groups, now, chosen, used, cost, price))
    told: dict[str, Any] = {
        "model": source.model.name,
        "cost_now": before[used].sum() / n,
        "cost": after[used].sum() / n,
    }
    told |= {"price": price, "price_low": price - half, "price_high": price + half}
    told |= {"difference_now": float(np.ptp(rows["rate_now"][used])), "difference": float(np.ptp(rows["rate"][used]))}
    return rows, pd.DataFrame({"model": source.model.name, **curve}), told


def _read(groups: list[_Group], place: npt.NDArray[Any], name: str) -> Floats:
    return np.array([getattr(g, name)[at] if at >= 0 else np.nan for g, at in zip(groups, place, strict=True)])


def _shared(source: Ranked, groups: list[_Group], used: list[int]) -> npt.NDArray[np.intp]:
    """Where the model's threshold, or without one the cheapest that all share, cuts every group."""
    cut = source.threshold
    if not np.isfinite(cut):
        tried = np.unique(np.concatenate([groups[i].threshold for i in used]))[-2000:]
        costs = [sum(groups[i].cost[groups[i].place(t)] for i in used) for t in tried]
        cut = float(tried[int(np.argmin(costs))])
    return np.array([group.place(cut) if i in used else -1 for i, group in enumerate(groups)], np.intp)


def _frontier(groups: list[_Group], n: float) -> tuple[dict[str, Floats], npt.NDArray[np.intp]]:
    """The least cost for every width of the window in which all rates must lie, and the thresholds of the narrowest."""
    binned = [group.binned() for group in groups]
    least = np.stack([costs for costs, _ in binned])
    found, narrowest, best = [], None, np.inf
    for width in np.unique(np.concatenate([np.arange(1, 21), np.geomspace(20, BINS, 40).astype(int)])):
        window = np.lib.stride_tricks.sliding_window_view(least, width, axis=1)
        total = window.min(axis=2).sum(axis=0)
        at = int(np.argmin(total))
        if not np.isfinite(total[at]):
            continue
        places = at + window[:, at].argmin(axis=1)
        picked = np.array([which[place] for (_, which), place in zip(binned, places, strict=True)], np.intp)
        if narrowest is None:
            narrowest = picked
        if total[at] < best:
            best = float(total[at])
            rates = [group.rate[i] for group, i in zip(groups, picked, strict=True)]
            found.append((float(np.ptp(rates)), best / n))
    assert narrowest is not None
    difference, cost = np.array(found).T
    return {"difference": difference, "cost": cost}, narrowest


def _variance(
    points: Steps, groups: list[_Group], now: Any, chosen: Any, used: list[int], cost: Mapping[str, float], price: float
) -> float:
    """Variance of the mean change of a row's cost: only rows between the two thresholds of their group change it."""
    square = 0.0
    for i in used:
        start = points.of(i).start
        moved = [abs(float(side[start + chosen[i]] - side[start + now[i]])) for side in (points.fp, points.tp)]
        square += cost["fp"] ** 2 * moved[0] + cost["fn"] ** 2 * moved[1]
    weight = float((points.total.pos + points.total.neg)[used].sum())
    rows = weight**2 / max(float((points.total.pos_sq + points.total.neg_sq)[used].sum()), 1e-300)
    return max(square / weight - price**2, 0.0) / rows


def _said(price: Mapping[str, Any]) -> str:
    return (
        f"{price['model']}: a threshold for each group brings the difference from {price['difference_now']:.3g} to "
        f"{price['difference']:.3g} and costs {price['price']:+.3g} [{price['price_low']:.3g}, {price['price_high']:.3g}] per row."
    )
