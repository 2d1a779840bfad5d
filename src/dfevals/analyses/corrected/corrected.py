"""Cohort rates from many judged and few human-labelled rows (`ev.corrected`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.agreement import predictions_of
from dfevals.analyses.corrected.corrected_result import CorrectedResult
from dfevals.analyses.corrected.labelling import Labelling, Plan
from dfevals.cohorts import Cohorts
from dfevals.columns.numbers import outcome_values
from dfevals.exceptions import DataError, MetricError, RoleError, check_choice, did_you_mean
from dfevals.inference.judged import (
    Corrected,
    Judged,
    agreement_of,
    labels_alone,
    prediction_powered,
    rogan_gladen,
    sensitivity,
    specificity,
)
from dfevals.inference.levels import check_level
from dfevals.results.tidy import by_title, framed
from dfevals.roles.bound import Bound

__all__ = ["corrected"]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
METHODS: dict[str, Callable[[Judged, float], Corrected]] = {
    "ppi": prediction_powered,
    "rogan-gladen": rogan_gladen,
    "human": labels_alone,
}
FEW = 10


@dataclass(frozen=True)
class _Rows:
    """Rows with a verdict, and where they stand in the frame."""

    places: Places
    rows: Judged
    missing: int  # rows without a verdict
    wasted: int  # of these, rows with a label

    def of(self, member: npt.NDArray[np.bool_]) -> Judged:
        """Those of a cohort."""
        r = self.rows
        cluster = None if r.cluster is None else r.cluster[member]
        return Judged(r.judge[member], r.human[member], r.weight[member], r.inverse[member], cluster, r.two_valued)


def corrected(
    bound: Bound,
    cohorts: Cohorts,
    judge: str,
    human: str,
    *,
    method: str = "ppi",
    positive: Any = None,
    probability: str | None = None,
    level: float = 0.95,
    provenance: Any = None,
) -> CorrectedResult:
    """Means of the labels in every cohort; see `Evaluation.corrected`.

    Raises
    ------
    RoleError, DataError, MetricError
        An unknown column, values that are neither numbers nor verdicts, a probability outside (0, 1], or scores where
        verdicts are needed.
    """
    check_choice("method", method, tuple(METHODS), MetricError)
    check_level(level)
    held = _gathered(bound, judge, human, positive, probability)
    verdicts = held.rows.two_valued and bool(np.isin(held.rows.judge, (0, 1)).all())
    if method == "rogan-gladen" and not verdicts:
        raise MetricError(
            f"method='rogan-gladen' needs verdicts of 0 and 1, but {judge!r} or {human!r} holds scores. Use method='ppi', or "
            f"say from where they pass: Outcome({judge!r}, pass_at=0.5)."
        )
    table, plans = _table(bound, cohorts, held, method, level, verdicts)
    place = table.pop("place").to_numpy()
    frame = framed(cohorts, place, {"outcome": human, **dict(table)} if len(table) else dict(table))
    result = CorrectedResult(
        frame,
        plans=plans,
        labelling=_labelling(bound, held, probability),
        provenance=provenance,
        title=by_title(f"{human} by {judge}, corrected", cohorts),
        notes=[*_notes(bound, held, judge, human, probability), *bound.incomplete_note(), *cohorts.notes],
        cohort_columns=tuple(frame.columns[: len(cohorts.names)]),
    )
    result._level = level
    return result


def _table(
    bound: Bound, cohorts: Cohorts, held: _Rows, method: str, level: float, verdicts: bool
) -> tuple[pd.DataFrame, list[Plan]]:
    """One row per model and cohort, and what a plan needs of each."""
    codes, rows, plans = cohorts.codes[held.places], [], []
    for name, inside in _models(bound, held.places):
        for place in range(cohorts.n_cohorts + 1):
            member = inside & (cohorts.rows(place - 1, codes) if place else True)
            part = held.of(member)
            found = METHODS[method](part, level)
            rows.append({"place": place, **name, **_row(part, found, level, verdicts)})
            plans.append(Plan.of(part, agreement_of(part), level))
    return pd.DataFrame(rows), plans


def _models(bound: Bound, places: Places) -> list[tuple[dict[str, str], npt.NDArray[np.bool_]]]:
    """In a long frame every model with its rows, else all rows."""
    if bound.roles.model is None:
        return [({}, np.ones(len(places), bool))]
    codes = bound.codes_of_models()[places]
    return [({"model": model.name}, codes == i) for i, model in enumerate(bound.models)]


def _row(part: Judged, found: Corrected, level: float, verdicts: bool) -> dict[str, Any]:
    alone, all_ = labels_alone(part, level), part.shares[1]
    n_human = int(part.labelled.sum())
    if 0 < n_human < FEW:
        found = found.noted("few labels")
    y = part.human[part.labelled]
    if n_human and np.ptp(y) == 0:
        found = found.noted("all labels are alike")
    rates = [sensitivity(part)[0], specificity(part)[0]] if verdicts else [np.nan, np.nan]
    judged = float(all_ @ part.judge) if all_.any() else np.nan
    return {
        "value": found.value,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "n": len(part.judge),
        "n_judged": len(part.judge),
        "n_human": n_human,
        "judge_value": judged,
        "human_value": alone.value,
        "human_low": alone.ci_low,
        "human_high": alone.ci_high,
        "sensitivity": rates[0],
        "specificity": rates[1],
        "labels_saved": max(found.worth - alone.worth, 0.0),
        "method": found.method,
        "note": found.note,
    }


def _gathered(bound: Bound, judge: str, human: str, positive: Any, probability: str | None) -> _Rows:
    verdict, label = _values(bound, judge, positive), _values(bound, human, positive)
    weight = np.ones(bound.n) if bound.weight is None else np.nan_to_num(bound.weight.all())
    usable = bound.complete & (weight > 0)
    known = usable & ~np.isnan(verdict)
    places = np.flatnonzero(known)
    if bound.weight is not None and bound.roles.weight_kind == "frequency":  # a weight is a number of equal rows
        places = np.repeat(places, weight[places].astype(np.int64))
        weight = np.ones(bound.n)
    y = label[places]
    inverse = np.ones(len(places)) if probability is None else _inverse(bound, probability, places, ~np.isnan(y))
    cluster = None if bound.cluster is None else bound.cluster[0][places]
    two = bool(np.isin(y[~np.isnan(y)], (0, 1)).all())
    rows = Judged(verdict[places], y, weight[places], inverse, cluster, two)
    return _Rows(places, rows, int((usable & ~known).sum()), int((usable & ~known & ~np.isnan(label)).sum()))


def _inverse(bound: Bound, name: str, places: Places, labelled: npt.NDArray[np.bool_]) -> Floats:
    """1 / probability of the labelled rows; of others it is not needed."""
    found = bound.numbers(name, "probability").all()[places]
    wrong = labelled & ~((found > 0) & (found <= 1))
    if wrong.any():
        raise DataError(
            f"probability={name!r} must lie in (0, 1] for every labelled row; {int(wrong.sum()):,} have none or another, such "
            f"as {found[wrong][0]:g}. It is the chance with which a row was picked to be labelled."
        )
    return np.where(labelled, 1 / np.where(labelled, found, 1.0), 1.0)


def _values(bound: Bound, name: str, positive: Any) -> Floats:
    """A column (or what a model predicted) as numbers, verdicts as 1 and 0; NaN where there is none."""
    outcome = next((o for o in bound.roles.outcomes if o.column == name), None)
    if outcome is not None and positive is None and outcome.kind != "category":
        passes = outcome.kind == "pass" or outcome.pass_at is not None
        return bound.outcome_passed(name) if passes else bound.outcome_numbers(name)
    model = next((m for m in bound.models if m.name == name and bound.task != "outcomes"), None)
    if model is not None and (model.y_pred is not None or bound.classifies) and bound.decides(model):
        return _coded(bound, predictions_of(bound, model), name, positive)
    if name not in bound.head.columns:
        raise RoleError(f"There is no column {name!r}. {did_you_mean(name, list(bound.head.columns), noun='Columns')}")
    return _coded(bound, bound.series(name, "judge or human"), name, positive)


def _coded(bound: Bound, series: pd.Series, name: str, positive: Any) -> Floats:
    known = series.notna().to_numpy(bool)
    labels = bound.task == "binary" and bool(series[known].isin(list(bound.labels)).all())
    wanted = positive if positive is not None else bound.pos_label if labels else None
    if wanted is not None:
        same = (series.astype(object) == wanted).to_numpy(bool)
        return np.where(known, same, np.nan).astype(float)
    try:
        return outcome_values(series, name)
    except DataError as error:
        raise DataError(f"{error} Or say which value counts as 1: positive='…'.") from error


def _notes(bound: Bound, held: _Rows, judge: str, human: str, probability: str | None) -> list[str]:
    rows = held.rows
    picked = (
        f"Labels count by 1 / {probability}, the chance with which each row was picked."
        if probability is not None
        else "Holds if the rows with labels were picked at random within each cohort; else pass probability=."
    )
    notes = [f"{int(rows.labelled.sum()):,} of {len(rows.judge):,} judged rows have a label of {human!r}.", picked]
    if held.missing:
        also = f", {held.wasted:,} of them with a label" if held.wasted else ""
        notes.append(f"{held.missing:,} row{'s' * (held.missing != 1)} without a verdict of {judge!r} left out{also}.")
    if bound.weight is not None and bound.roles.weight_kind == "importance":
        notes.append("Rows are weighted: intervals use the effective number of rows.")
    if bound.cluster is not None:
        notes.append(f"{bound.dependence} are not independent: intervals use as many rows as they are worth.")
    return notes


def _labelling(bound: Bound, held: _Rows, probability: str | None) -> Labelling:
    """What picking further rows needs, each row of the frame once."""
    places, first = np.unique(held.places, return_index=True)
    rows = held.rows
    before = None if probability is None else bound.numbers(probability, "probability").all()[places]
    return Labelling(bound.frame, places, rows.judge[first], rows.human[first], rows.weight[first], before)
