"""What would it score on another mix of cohorts: post-stratified values with intervals (`ev.standardise`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render
from dfevals.analyses.standardise.targets import Target, target_of
from dfevals.cohorts import Cohorts
from dfevals.engines import collect as run_pass
from dfevals.estimates.asked import needs, requested, views_of
from dfevals.estimates.delta import matrix_gradient
from dfevals.estimates.estimate import Options, Part, estimate, zero_one
from dfevals.estimates.pooled import pool
from dfevals.estimates.strata import Strata, base_of, of_cells, of_estimand
from dfevals.exceptions import CohortError, MetricError
from dfevals.inference.levels import check_level, normal_quantile, t_quantile
from dfevals.inference.proportions import wilson
from dfevals.metrics.estimands import Mean
from dfevals.metrics.planning import needs_of
from dfevals.metrics.registry import Request
from dfevals.needs import Cells, Moments
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import by_title, left_out
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.tally import CellTally, CellView, ModelTally, MomentTally

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["StandardisedResult", "standardise"]

Floats = npt.NDArray[np.float64]
THIN = 10
"""Rows of a cohort below which its value rests on next to nothing."""
NEEDED = "a metric of decisions (accuracy, recall, f1, mcc, …) or an average over rows (log_loss, brier, mae, rmse, pass_rate, …)"


class StandardisedResult(Result):
    """Values for another mix of cohorts; `frame` has `model, metric, value, ci_low, ci_high, raw, share_covered, n, note`.

    `raw` is the value on the rows as they are.
    """

    def __init__(self, frame: pd.DataFrame, strata: pd.DataFrame, **described: Any) -> None:
        super().__init__(frame, **described)
        self._strata = strata

    @property
    def strata(self) -> pd.DataFrame:
        """Every cohort's share of the rows and of the mix, its rows, and how much each of its rows counts (`weight`)."""
        return self._strata.copy()

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """The standardised values beside the raw ones."""
        del width
        shown = self._frame if self._frame["model"].nunique() > 1 else self._frame.drop(columns="model")
        if not (shown["note"] != "").any():
            shown = shown.drop(columns="note")
        return plain_table(shown, title=self.title, notes=self.notes, max_rows=max_rows)

    def plot(self, *, metric: str | None = None, ax: Axes | None = None, **options: Any) -> Axes:
        """Standardised and raw value of every model.

        Parameters
        ----------
        metric : str, optional
            The first when absent.
        ax : Axes, optional
        """
        from dfevals.exceptions import check_choice
        from dfevals.plots import forest

        known = list(dict.fromkeys(self._frame["metric"]))
        chosen = known[0] if metric is None else metric
        check_choice("metric", chosen, known, MetricError)
        part = self._frame[(self._frame["metric"] == chosen).to_numpy()].drop(columns=["n", "note"])
        rows = part["raw"].to_numpy()
        raw = part.assign(value=rows, ci_low=np.nan, ci_high=np.nan, mix="as the rows are")
        both = pd.concat([part.assign(mix="standardised"), raw], ignore_index=True)
        return forest.draw(both, ax, cohort_columns=["mix"], level=self._level, **options)


@dataclass(frozen=True)
class _Ask:
    """What is asked of every model and metric."""

    bound: Bound
    cohorts: Cohorts
    target: Target
    level: float
    pooled: bool

    @property
    def covered(self) -> Floats:
        """Shares of the mix among the cohorts with rows, adding up to 1."""
        return np.asarray(self.target.share / max(self.target.covered, 1e-300))


def standardise(
    bound: Bound,
    cohorts: Cohorts,
    to: Any,
    by: Any,
    metrics: Any = None,
    *,
    models: Sequence[Model],
    pooled: bool = False,
    level: float = 0.95,
    provenance: Any = None,
) -> StandardisedResult:
    """Post-stratified values of every model and metric; see `Evaluation.standardise`.

    Raises
    ------
    CohortError, DataError, MetricError
        Cohorts are missing or overlap, `to` is no mix of them, or a metric cannot be standardised.
    """
    check_level(level)
    if not cohorts.n_cohorts or cohorts.views is not None:
        raise CohortError("Standardising needs cohorts that do not overlap: by= a column, or a list of columns.")
    ask = _Ask(bound, cohorts, target_of(to, by, cohorts, bound), level, pooled)
    requests = requested(bound, models, metrics)
    if metrics is None:
        requests = tuple(r for r in requests if _can(r, bound))
        if not requests:
            raise MetricError("No default metric of this task can be standardised here. Say which: metrics=[…].")
    rows, notes, strata = [], [*cohorts.notes, *ask.target.notes], []
    for model in models:
        tally = run_pass(bound, model, cohorts, needs(requests, bound, Options(level)))
        here = replace(ask, target=_with_rows(ask.target, tally, cohorts))
        rows += [{"model": model.name, **_row(request, tally, here)} for request in requests]
        notes += [*_said(model.name, tally, here), *left_out(model.name, tally.dropped)]
        strata.append(_strata_frame(model.name, tally, here))
    names = ["model", "metric", "value", "ci_low", "ci_high", "raw", "share_covered", "n", "note"]
    result = StandardisedResult(
        pd.DataFrame(rows)[names],
        pd.concat(strata, ignore_index=True),
        provenance=provenance,
        title=by_title("Standardised", cohorts),
        notes=list(dict.fromkeys(notes)),
    )
    result._level = level
    return result


def _can(request: Request, bound: Bound) -> bool:
    """Whether a default metric is one of cells or a mean."""
    need = needs_of(request.metric, len(bound.labels), bound.task)[0][0]
    return isinstance(need, Cells) or (isinstance(need, Moments) and len(need.functions) == 1)


def _with_rows(target: Target, tally: ModelTally, cohorts: Cohorts) -> Target:
    """The mix among the cohorts that have rows which can be judged; the others are not covered."""
    some = np.asarray(tally.weight) > 0
    lost = [(_name(cohorts, i), float(target.share[i])) for i in np.flatnonzero(~some & (target.share > 0))]
    return replace(target, share=np.where(some, target.share, 0.0), beside=(*target.beside, *lost))


def _name(cohorts: Cohorts, i: Any) -> str:
    return " · ".join(str(labels[i]) for labels in cohorts.labels)


def _row(request: Request, tally: ModelTally, ask: _Ask) -> dict[str, Any]:
    """One metric: its value for the mix, with the interval."""
    bound, share = ask.bound, ask.covered
    need = needs_of(request.metric, len(bound.labels), bound.task)[0][0]
    whole = Part(tally, views_of(ask.cohorts)[-1].positions, 1)
    raw = float(estimate(request, whole, Options(None), bound.labels, bound.task).value.ravel()[0])
    base: dict[str, Any] = {"metric": request.label, "raw": raw, "share_covered": ask.target.covered}
    base["n"] = round(float(tally.n.sum()))
    part = tally.parts[need]
    if not share.sum() > 0:
        return {**base, "value": np.nan, "ci_low": np.nan, "ci_high": np.nan, "note": "no row of the mix is covered"}
    found: tuple[float, float, float] | None = None
    if ask.pooled:
        found = _pooled(request, tally, ask)
    elif isinstance(part, MomentTally):
        found = _of_mean(request, part, ask)
    elif isinstance(part, CellTally):
        found = _of_cells(request, part, ask)
    if found is None:
        raise MetricError(f"{request.label!r} does not follow from the cohorts' sums. Standardising needs {NEEDED}.")
    value, low, high = found
    note = "" if np.isfinite(value) else "not defined for this mix"
    if request.negated:
        value, low, high = -value, -high, -low
    return {**base, "value": value, "ci_low": low, "ci_high": high, "note": note}


def _of_mean(request: Request, part: MomentTally, ask: _Ask) -> tuple[float, float, float] | None:
    """A mean, or a function of one, for the mix."""
    base, applied = base_of(request.metric(part.view()))
    if not isinstance(base, Mean):
        return None
    strata = of_estimand(lambda _: base, part)
    assert strata is not None
    limits = (0.0, 1.0) if zero_one(part) else request.metric.range
    if applied(0.25) != 0.25:  # the range is that of the function
        limits = (0.0, np.inf)
    share = ask.covered
    value = float(share @ np.nan_to_num(strata.value))
    variance, df = _variance(strata, share, np.nan_to_num(strata.value) - value, ask)
    low, high = _bounds(value, variance, df, ask.level, limits)
    value, low, high = (float(applied(end)) for end in (value, low, high))
    return (value, *sorted((low, high)))  # type: ignore[return-value]


def _of_cells(request: Request, part: CellTally, ask: _Ask) -> tuple[float, float, float] | None:
    """A function of the cells, weighted to the mix; its variance is that of the influence of a row within its cohort."""
    kind: Any = "binary" if ask.bound.task == "binary" or request.metric.whole else "classes"
    if request.average == "micro":
        kind = "micro"
    total = part.weight.sum(axis=(0, 1))
    factor = np.divide(ask.covered, total, out=np.zeros_like(total), where=total > 0)
    mixed = (part.weight * factor).sum(axis=-1, keepdims=True)

    def function(view: CellView) -> Any:
        found = request.metric(CellView(view.matrix, kind)).value
        return found if kind != "classes" else _averaged(found, view, request.average)

    value = float(np.asarray(function(CellView(mixed))).ravel()[0])
    if not np.isfinite(value):
        return np.nan, np.nan, np.nan
    slopes = np.nan_to_num(matrix_gradient(function, mixed)[..., 0])
    strata = of_cells(part, np.ones_like(slopes), slopes)
    variance, df = _variance(strata, ask.covered, np.nan_to_num(strata.value), ask)
    low, high = _bounds(value, variance, df, ask.level, request.metric.range)
    return value, low, high


def _averaged(per_class: Any, view: CellView, average: str | None) -> Any:
    """Macro or weighted average over the classes; a class for which the metric is undefined counts 0."""
    known = np.where(np.isnan(per_class.real if np.iscomplexobj(per_class) else per_class), 0, per_class)
    weight = view.true_totals if average == "weighted" else (view.true_totals.real + view.pred_totals.real > 0) * 1.0
    return (known * weight).sum(axis=0) / weight.sum(axis=0)


def _variance(strata: Strata, share: Floats, by_share: Floats, ask: _Ask) -> tuple[float, float]:
    """Variance within cohorts, and that of the mix where it was counted from a sample of rows."""
    own, df = strata.variance(share, np.zeros_like(share))
    return own + _of_mix(share, by_share, ask), df


def _of_mix(share: Floats, by_share: Floats, ask: _Ask) -> float:
    """What counting the mix from a sample adds to the variance (multinomial); nothing where its shares are given."""
    n = ask.target.n * ask.target.covered
    with np.errstate(over="ignore", invalid="ignore"):  # values beyond all numbers have no variance
        return float(share @ by_share**2 - (share @ by_share) ** 2) / n if n > 0 else 0.0


def _bounds(value: float, variance: float, df: float, level: float, limits: tuple[float, float]) -> tuple[float, float]:
    """Wilson's interval at the effective number of rows for what has two ends, else Student's."""
    if not np.isfinite(variance) or not df > 0:
        return np.nan, np.nan
    low, high = limits
    q = float(t_quantile(level, df))
    if np.isfinite(low) and np.isfinite(high):
        at = float(np.clip((value - low) / (high - low), 0, 1))
        inner = max(at * (1 - at), 1e-9)
        rows = inner / max(variance / (high - low) ** 2, 1e-300) * (normal_quantile(level) / q) ** 2
        found = wilson(at * rows, rows, level)
        return low + (high - low) * float(found.ci_low), low + (high - low) * float(found.ci_high)
    half = q * np.sqrt(variance)
    return max(value - half, low), min(value + half, high)


def _pooled(request: Request, tally: ModelTally, ask: _Ask) -> tuple[float, float, float]:
    """An average over all rows whose cohorts' values are drawn together before they are mixed."""
    bound = ask.bound
    part = tally.parts[needs_of(request.metric, len(bound.labels), bound.task)[0][0]]
    rate = of_estimand(request.metric, part) if isinstance(part, CellTally | MomentTally) else None
    if rate is None or (isinstance(part, CellTally) and not np.allclose(rate.weight, part.weight.sum(axis=(0, 1)))):
        raise MetricError(
            f"pooled=True draws averages over all rows together, and {request.label!r} is none. Leave the metric or pooled= out."
        )
    request = replace(request, negated=False)
    found = estimate(request, Part(tally, None, ask.cohorts.n_cohorts), Options(ask.level), bound.labels, bound.task)
    half = normal_quantile(ask.level) * np.sqrt(rate.of_values)  # of one row: as the rows of the others vary
    low = np.where(np.isnan(found.low), found.value - half, found.low)
    high = np.where(np.isnan(found.high), found.value + half, found.high)
    drawn = pool(request, replace(found, low=low, high=high), ask.level, ask.covered)
    left = (ask.covered > 0) & np.isnan(drawn.value)
    if left.any():
        return np.nan, np.nan, np.nan
    value, error = drawn.mixed
    mixed = _of_mix(ask.covered, np.nan_to_num(drawn.value) - value, ask)
    return (value, *_bounds(value, error**2 + mixed, np.inf, ask.level, request.metric.range))


def _said(model: str, tally: ModelTally, ask: _Ask) -> list[str]:
    """What the mix holds that the rows do not, and which of it rests on few rows."""
    notes = []
    missing = sorted(ask.target.beside, key=lambda item: -item[1])
    if missing:
        named = ", ".join(f"{name} ({share:.1%})" for name, share in missing[:5])
        notes.append(
            f"{model}: no row covers {1 - ask.target.covered:.1%} of the mix: {named}{', …' * (len(missing) > 5)}. The values are for the rest."
        )
    rows = np.asarray(tally.n)
    thin = np.flatnonzero((ask.target.share > 0) & (rows < THIN))
    if len(thin):
        named = ", ".join(
            f"{_name(ask.cohorts, i)} ({rows[i]:.0f} rows for {ask.target.share[i]:.1%})" for i in thin[:5]
        )
        advice = "" if ask.pooled else " pooled=True draws them towards the other cohorts."
        notes.append(f"{model}: thin cohorts: {named}{', …' * (len(thin) > 5)}.{advice}")
    if ask.pooled:
        notes.append("Cohorts' values are drawn together (partial pooling, empirical Bayes) before they are mixed.")
    return notes


def _strata_frame(model: str, tally: ModelTally, ask: _Ask) -> pd.DataFrame:
    from dfevals.results.tidy import framed

    own = np.asarray(tally.weight) / max(float(np.sum(tally.weight)), 1e-300)
    columns = {"model": np.full(len(own), model, dtype=object), "share": own, "share_to": ask.target.share}
    weight = np.divide(ask.covered, own, out=np.full(len(own), np.nan), where=own > 0)
    columns |= {"weight": weight, "n": np.asarray(tally.n)}
    return framed(ask.cohorts, np.arange(1, len(own) + 1), columns).drop(columns="is_overall")
