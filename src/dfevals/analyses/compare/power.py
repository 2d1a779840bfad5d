"""Planning from the rows at hand: what each cohort can show, and the rows that a difference needs (`ev.power`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render
from dfevals.analyses.compare.aligned import Pair, align, chosen, contenders
from dfevals.analyses.compare.gaps import joint_needs
from dfevals.analyses.compare.influence import kind_of
from dfevals.analyses.compare.paired import paired, paired_rate
from dfevals.analyses.compare.units import of_units, paired_units
from dfevals.cohorts import Cohorts
from dfevals.engines import collect
from dfevals.estimates.asked import needs, requested, views_of
from dfevals.estimates.estimate import Options, Part, estimate
from dfevals.estimates.tested import FEW_ROWS, TestOptions
from dfevals.exceptions import DataError, DfevalsError, RoleError, check_choice
from dfevals.inference.levels import check_probability, normal_quantile
from dfevals.inference.planning import power as plan_power
from dfevals.metrics.registry import Request
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import by_title, framed
from dfevals.roles.bound import Bound

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PowerResult", "power"]

Floats = npt.NDArray[np.float64]
DEFAULTS = {"binary": ("accuracy",), "multiclass": ("accuracy",), "regression": ("mae",), "outcomes": ()}


class PowerResult(Result):
    """`frame`: cohort columns, `metric, a, b, n, difference, detectable, target, rows_needed, power, sd, design_effect,
    method, note, is_overall`.

    `detectable` is the smallest difference that the n rows find with the power asked for; `rows_needed` and `power` are
    for the `target` difference.
    """

    target_power: float | None = None

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """One row per cohort and metric."""
        del width
        shown = self._frame.drop(columns=["sd"])
        for name in ("a", "b", "metric", "method", "note"):
            if shown[name].nunique() <= 1 and name != "metric":
                shown = shown.drop(columns=name)
        if (shown["design_effect"] == 1).all():
            shown = shown.drop(columns="design_effect")
        shown["rows_needed"] = shown["rows_needed"].round().astype("Int64")
        return plain_table(
            shown,
            title=self.title,
            notes=self.notes,
            cohort_columns=self.cohort_columns,
            max_rows=max_rows,
            headings={"difference": "observed"},
        )

    def plot(self, *, metric: str | None = None, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw per cohort the smallest difference that its rows find, beside the difference in question.

        Parameters
        ----------
        metric : str, optional
            The first when absent.
        ax : matplotlib Axes, optional
        **options
            For `dfevals.plots.power.draw`.
        """
        from dfevals.plots.power import draw

        metrics = list(dict.fromkeys(self._frame["metric"]))
        name = metrics[0] if metric is None else metric
        check_choice("metric", name, metrics, DfevalsError)
        options = {"cohort_columns": self.cohort_columns, "target_power": self.target_power, **options}
        return draw(self._frame[self._frame["metric"] == name], ax, **options)


def power(
    bound: Bound,
    cohorts: Cohorts,
    a: Any = None,
    b: Any = None,
    metrics: Any = None,
    *,
    difference: float | None = None,
    target_power: float = 0.8,
    alpha: float = 0.05,
    correct_for_cohorts: bool = False,
    provenance: Any = None,
) -> PowerResult:
    """Plan comparisons per cohort; see `Evaluation.power`."""
    check_probability(alpha, "alpha")
    check_probability(target_power, "power")
    if difference is not None and not abs(float(difference)) > 0:
        raise DataError(f"difference={difference!r} must not be 0: the difference that is to be found.")
    requests = requested(bound, bound.models, metrics or DEFAULTS[bound.task] or None)
    known = contenders(bound)
    if not known:
        raise RoleError("There are no predictions to plan with. Pass y_pred= or y_score=.")
    names = [name for name in (a, b) if name is not None]
    sides = chosen(known, names) if names else known[:2]
    if len(names) == 1:
        sides = (*sides, *[c for c in known if c.name != sides[0].name][:1])
    level = 1 - (alpha / max(cohorts.n_cohorts, 1) if correct_for_cohorts else alpha)
    by_task = len(sides) == 2 and all(of_units(request, bound) for request in requests)
    rows = "" if by_task else align(bound, sides) if len(sides) == 2 else "there is one model"
    if by_task:
        parts = [_by_task(bound, cohorts, request, sides) for request in requests]
        why = "Paired plan by task: n, and the rows that are needed, are tasks with trials of both."
    elif isinstance(rows, str):
        parts = [_unpaired(bound, cohorts, request, sides) for request in requests]
        why = f"Unpaired plan ({rows}): as many rows of another model or release as there are here."
    else:
        pair = Pair(rows, cohorts, [need for request in requests for need in joint_needs(request, bound)])
        parts = [
            _by_task(bound, cohorts, request, sides) if of_units(request, bound) else _paired(pair, request)
            for request in requests
        ]
        why = "Paired plan: both models are judged on the same rows."
    frame = pd.concat(
        [
            _frame(cohorts, r, sides, p, difference, target_power, 1 - level)
            for r, p in zip(requests, parts, strict=True)
        ],
        ignore_index=True,
    )
    left = bound.incomplete_note() if isinstance(rows, str) else pair.notes
    notes = [
        why,
        *left,
        f"Power {target_power:g} at α = {1 - level:g}"
        + (f" (Bonferroni over {cohorts.n_cohorts} cohorts)." if correct_for_cohorts else "."),
    ]
    if difference is None:
        notes.append("rows_needed and power are for the observed difference; say difference=… for another.")
    result = PowerResult(
        frame,
        provenance=provenance,
        title=by_title("Power", cohorts),
        notes=[*notes, *cohorts.notes],
        cohort_columns=tuple(frame.columns[: len(cohorts.names)]),
    )
    result.target_power = float(target_power)
    return result


def _paired(pair: Pair, request: Request) -> dict[str, Any]:
    """Observed difference, discordance (rates) or spread of the difference, and design effect of every cohort."""
    size = pair.cohorts.n_cohorts + 1
    out = _nothing(size)
    out["few"], out["paired"] = np.zeros(size, bool), True
    bound = pair.aligned.bounds[0]
    cells = kind_of(request, len(bound.labels), bound.task) == "cells"
    for at, view in pair.views():
        tested = paired(request, view, TestOptions())
        n = view.counts()
        out["n"][at], out["gap"][at] = n, tested.gap
        out["few"][at] = (n < FEW_ROWS) | np.isnan(tested.gap)
        with np.errstate(invalid="ignore"):
            out["sd"][at] = tested.se * np.sqrt(n)
        rate = paired_rate(request, view.joint) if cells else None
        if rate is not None:
            hit_a, hit_b, counted = rate
            rows = view.joint
            among, different = (
                np.bincount(rows.codes[part], rows.count[part], rows.size)
                for part in (counted, counted & (hit_a != hit_b))
            )
            with np.errstate(divide="ignore", invalid="ignore"):
                out["discordance"][at], out["counted"][at] = different / among, among
                # spread that independent rows would have, for the design effect
                out["plain_sd"][at] = np.sqrt(np.maximum(different / among - tested.gap**2, 0) / among * n)
    out["clustered"] = bound.cluster is not None
    return out


def _nothing(size: int) -> dict[str, Any]:
    return {key: np.full(size, np.nan) for key in ("n", "gap", "sd", "plain_sd", "discordance", "counted")}


def _by_task(bound: Bound, cohorts: Cohorts, request: Request, sides: Any) -> dict[str, Any]:
    """Observed difference and its spread over the tasks that both tried."""
    out = _nothing(cohorts.n_cohorts + 1)
    out["few"], out["paired"], out["clustered"] = np.zeros(cohorts.n_cohorts + 1, bool), True, False
    parts, out["n"], _ = paired_units(request, bound, cohorts, sides, TestOptions())
    for at, tested in parts:
        out["gap"][at] = tested.gap
        out["few"][at] = (out["n"][at] < FEW_ROWS) | np.isnan(tested.gap)
        with np.errstate(invalid="ignore"):
            out["sd"][at] = tested.se * np.sqrt(out["n"][at])
    return out


def _unpaired(bound: Bound, cohorts: Cohorts, request: Request, sides: Any) -> dict[str, Any]:
    """Spread of one value from its interval, for a comparison with as many other rows."""
    if bound.roles.release is not None or bound.roles.model is not None:
        rows = sides[0].rows
        bound = bound.at(rows)
        from dataclasses import replace

        cohorts = replace(cohorts, codes=cohorts.codes[rows])
    size = cohorts.n_cohorts + 1
    out = _nothing(size)
    tally = collect(bound, sides[0].model, cohorts, needs((request,), bound, Options()))
    for view in views_of(cohorts):
        if not len(view.cohorts):
            continue
        part = Part(tally, view.positions, len(view.cohorts))
        n = part.rows(tally.n)
        found = estimate(request, part, Options(), bound.labels, bound.task)
        out["n"][view.cohorts] = n
        with np.errstate(invalid="ignore"):
            out["sd"][view.cohorts] = (found.high - found.low) / (2 * normal_quantile(0.95)) * np.sqrt(n)
    out["few"], out["paired"], out["clustered"] = out["n"] < FEW_ROWS, False, False
    return out


def _frame(
    cohorts: Cohorts,
    request: Request,
    sides: Any,
    found: dict[str, Any],
    difference: float | None,
    target: float,
    alpha: float,
) -> pd.DataFrame:
    n, sd = found["n"], found["sd"]
    is_paired = found["paired"]
    few = found["few"] | ~(n > 1) | np.isnan(sd)
    rate = is_paired and not np.isnan(found["discordance"]).all() and not found["clustered"]
    share = np.ones_like(n)
    if rate:  # McNemar on the rows that the metric counts
        inputs: dict[str, Any] = {"kind": "proportion", "discordance": np.where(few, 0.5, found["discordance"])}
        share = np.divide(found["counted"], n, out=np.ones_like(n), where=~few)
        method = "McNemar"
    else:
        inputs = {"kind": "mean", "sd": np.where(few, 1.0, np.maximum(sd, 1e-300)), "paired": is_paired}
        method = "t, from the observed standard error"
    used = np.where(few, 100.0, n * share)
    detectable = np.where(few, np.nan, plan_power(n=used, power=target, alpha=alpha, **inputs).difference)
    gap = found["gap"] if difference is None else np.full_like(n, abs(float(difference)))
    known = ~few & ~np.isnan(gap) & (gap != 0)
    needed, chance = np.full_like(n, np.nan), np.full_like(n, np.nan)
    wider = np.zeros(len(n), bool)
    if rate:  # a difference needs at least as many rows that differ
        wider = known & (np.abs(gap) > found["discordance"])
        inputs["discordance"] = np.where(wider, np.abs(gap), inputs["discordance"])
    if known.any():
        some = {k: (v[known] if isinstance(v, np.ndarray) else v) for k, v in inputs.items()}
        needed[known] = np.ceil(
            np.asarray(plan_power(difference=gap[known], power=target, alpha=alpha, **some).n) / share[known]
        )
        chance[known] = plan_power(n=used[known], difference=gap[known], alpha=alpha, **some).power
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.where(found["clustered"], (sd / found["plain_sd"]) ** 2, 1.0)
    zero = ~few & (gap == 0)
    beyond = ~few & np.isnan(detectable)
    note = np.select(
        [few, zero, wider, beyond],
        [
            "too few rows to plan from",
            "no difference to find",
            "planned as if the models differed on as many rows as the difference needs",
            "even if one model won all rows that differ, these rows would be too few",
        ],
        "",
    )
    return framed(
        cohorts,
        np.arange(len(n)),
        {
            "metric": request.label,
            "a": sides[0].name,
            "b": sides[1].name if len(sides) > 1 else "",
            "n": np.nan_to_num(n).astype(np.int64),
            "difference": found["gap"],
            "detectable": detectable,
            "target": gap,
            "rows_needed": needed,
            "power": chance,
            "sd": sd,
            "design_effect": effect,
            "method": method,
            "note": note.astype(object),
        },
    )
