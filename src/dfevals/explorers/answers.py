"""What the panes ask the kernel: estimates per cohort, confusion matrices, comparisons, residuals, outcomes and folds.

Every number with an interval or a test comes from the Evaluation's own results; the rest are counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.estimates.asked import provided
from dfevals.evaluation import Evaluation
from dfevals.explorers.bands import bands
from dfevals.explorers.counts import count
from dfevals.explorers.reading.texts import row_on_view
from dfevals.explorers.state import State
from dfevals.explorers.verdicts import is_affordable, verdicts
from dfevals.explorers.view import OUTCOMES, View
from dfevals.metrics.planning import plan
from dfevals.metrics.registry import find, records
from dfevals.words import visible

__all__ = ["ANSWERS", "LIVE", "check_metric", "counts", "default_metric", "matrix", "metric_choices"]

#: Metrics whose value and interval the page works out from counts by a closed form (`arithmetic.mjs`).
LIVE = (
    "f1",
    "precision",
    "recall",
    "fpr",
    "accuracy",
    "specificity",
    "npv",
    "fnr",
    "fdr",
    "jaccard",
    "error_rate",
    "selection_rate",
    "base_rate",
)
#: What each curve amounts to.
SUMMARIES = {"roc": ("roc_auc",), "pr": ("average_precision",), "gains": ("ks",), "calibration": ("ece", "brier")}
BINS = 48
MOST_CLASSES = 40


def metric_choices(view: View) -> list[dict[str, Any]]:
    """Metrics that can be shown: name, better direction, range, and whether the page computes it."""
    bound = view.bound
    given = provided(bound, bound.models) if view.task != "outcomes" else set()
    exact = bound.weight is None and bound.cluster is None
    names: list[str] = []
    if view.task != "outcomes":
        usable = [r for r in records().values() if view.task in r.tasks and set(r.requires) <= given]
        names = [r.name for r in usable]
        if view.task == "binary":
            names = [n for n in LIVE if n in names] + [n for n in names if n not in LIVE]
    requests = {name: find(name) for name in names}
    if bound.roles.outcomes:
        requests |= {request.label: request for request in plan(None, view.task, given, bound.roles.outcomes)}
    found = []
    for name, request in requests.items():
        low, high = request.metric.range
        found.append(
            {
                "name": name,
                "better": request.better,
                "range": [low if np.isfinite(low) else None, high if np.isfinite(high) else None],
                "live": view.task == "binary" and exact and name in LIVE,
                "doc": request.metric.doc,
            }
        )
    return found


def default_metric(view: View) -> str:
    """The metric an explorer starts with."""
    first = {"binary": "f1", "multiclass": "accuracy", "regression": "mae"}.get(view.task, "")
    names = [choice["name"] for choice in metric_choices(view)]
    return first if first in names else names[0]


def counts(view: View, state: State) -> tuple[dict[str, Any], list[bytes]]:
    """Cohort names and sizes, and for a binary task the counts."""
    cohorts = view.cohorts(state["by"])
    about: dict[str, Any] = {
        "names": list(cohorts.names),
        "paths": view.paths(cohorts) if cohorts.n_cohorts else [],
        "notes": list(cohorts.notes),
        "sizes": _sizes(view, state),
        "dropped": view.dropped(state["model"]),
    }
    if view.task != "binary":
        return about, []
    buffer, packed = count(view, state["by"], state["model"], state["threshold"]).packed()
    return about | packed, [buffer]


def _sizes(view: View, state: State) -> list[int]:
    """Rows of every cohort that can be judged, and of all last."""
    cohorts, valid = view.cohorts(state["by"]), view.valid(state["model"])
    total = view.bound.n if valid is None else int(valid.sum())
    if valid is None:
        return [*map(int, cohorts.sizes), total] if cohorts.n_cohorts else [total]
    atoms = np.bincount(cohorts.codes[valid], minlength=cohorts.n_atoms)
    return [*(int(atoms[members].sum()) for members in cohorts.atoms), total] if cohorts.n_cohorts else [total]


def estimates(view: View, state: State) -> dict[str, Any]:
    """Metric of every cohort and overall (last): value, interval, difference to overall, corrected p, note."""
    metric, by = state["metric"], state["by"]
    key = ("estimates", state["model"], state["threshold"], state["level"], metric, repr(by))
    return view.keep(key, lambda: _estimates(view, state, metric))


def _estimates(view: View, state: State, metric: str) -> dict[str, Any]:
    from dfevals.explorers.dimensions import from_plain

    cohorts = view.cohorts(state["by"])
    affordable = is_affordable(view, metric, cohorts.n_cohorts)
    result = view.at(state).metrics(
        [metric],
        by=from_plain(state["by"]),
        level=state["level"],
        relative_to="overall" if cohorts.n_cohorts and affordable else None,
    )
    frame = result.frame.assign(few=result.flags == "too few")
    frame = frame[frame["model"] == state["model"]] if (frame["model"] == state["model"]).any() else frame
    order = np.r_[np.arange(1, len(frame)), 0]  # overall last
    take: dict[str, list[float | None] | None]
    take = {name: _plain(frame[name].to_numpy()[order]) for name in ("value", "ci_low", "ci_high") if name in frame}
    for name in ("difference", "p_corrected"):
        take[name] = _plain(frame[name].to_numpy()[order]) if name in frame else None
    return {
        "metric": metric,
        **take,
        "note": [str(note) for note in frame["note"].to_numpy()[order]],
        "few": [bool(few) for few in frame["few"].to_numpy()[order]],
        "method": str(frame["method"].iloc[0]),
    }


def _plain(values: npt.NDArray[Any]) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values.astype(float)]


def matrix(view: View, state: State) -> dict[str, Any]:
    """Counts of true × predicted class of the selected cohort."""
    labels = [visible(label) for label in view.bound.labels]
    table = _matrix(view, state)
    total = table.sum(axis=1) + table.sum(axis=0)
    shown = np.arange(len(labels))
    if len(labels) > MOST_CLASSES:
        shown = np.sort(np.argsort(-total, kind="stable")[:MOST_CLASSES])
    off = table.copy()
    np.fill_diagonal(off, 0)
    pairs = np.argsort(-off, axis=None, kind="stable")[:60]
    rows = [(int(p // len(labels)), int(p % len(labels))) for p in pairs if off.flat[p]]
    return {
        "labels": [labels[i] for i in shown],
        "counts": table[np.ix_(shown, shown)].tolist(),
        "hidden": len(labels) - len(shown),
        "pairs": [
            {"true": labels[i], "pred": labels[j], "count": off[i, j].item(), "of": table[i].sum().item()}
            for i, j in rows
        ],
        "errors": off.sum().item(),
        "n": table.sum().item(),
    }


def _matrix(view: View, state: State) -> npt.NDArray[Any]:
    mask = view.mask(state | {"selection": state["selection"] | {"cell": None}})
    k = len(view.bound.labels)
    joint = view.truth()[mask].astype(np.int64) * k + view.predicted(state["model"], state["threshold"])[mask]
    weights = None if view.bound.weight is None else view.bound.weight.all()[mask]
    return np.bincount(joint, weights, minlength=k * k).reshape(k, k)


def comparison(view: View, state: State) -> dict[str, Any]:
    """Rows that one model has right and the other wrong, per cohort; see `verdicts` for the test."""
    other, threshold = state["against"], state["threshold"]
    mask = view.mask(state | {"selection": {"cohort": None, "compare": None, "cell": None}})
    theirs = view.valid(other)
    mask = mask if theirs is None else mask & theirs
    joint = view.right(state["model"], threshold).astype(np.int64) * 2 + view.right(other, threshold)
    cohorts = view.cohorts(state["by"])
    atoms = np.bincount(cohorts.codes[mask].astype(np.int64) * 4 + joint[mask], minlength=4 * cohorts.n_atoms)
    atoms = atoms.reshape(cohorts.n_atoms, 4)
    sums = [*(atoms[m].sum(axis=0).tolist() for m in cohorts.atoms), atoms.sum(axis=0).tolist()]
    if not cohorts.n_cohorts:
        sums = sums[-1:]
    order = {name: 2 * mine + their for name, (mine, their) in OUTCOMES.items()}
    return {
        "names": list(order),
        "counts": [[row[place] for place in order.values()] for row in sums],
        "tolerance": view.tolerance() if view.task == "regression" else None,
    }


def residuals(view: View, state: State) -> dict[str, Any]:
    """Histograms of prediction less truth for all rows, the selected and the compared cohort."""
    values = view.residual(state["model"])
    whole = view.mask(state | {"selection": {"cohort": None, "compare": None, "cell": None}})
    known = values[whole]
    if not len(known):
        return {"edges": [], "groups": []}
    low, high = np.quantile(known, [0.005, 0.995])
    if not low < high:
        low, high = float(known.min()) - 0.5, float(known.max()) + 0.5
    step = (high - low) / BINS
    edges = np.round(low + step * np.arange(BINS + 1), max(0, int(-np.floor(np.log10(step))) + 2))
    edges = np.unique(np.r_[min(known.min(), edges[0]), edges[1:-1], np.nextafter(max(known.max(), edges[-1]), np.inf)])
    groups = [("all", whole)]
    for key in ("cohort", "compare"):
        if state["selection"][key] is not None:
            selected = {"cohort": state["selection"][key], "compare": None, "cell": None}
            groups.append((key, view.mask(state | {"selection": selected})))
    found = []
    for name, mask in groups:
        part = values[mask]
        found.append({"group": name, "n": len(part), "counts": np.histogram(part, edges)[0].tolist()})
    return {"edges": edges.tolist(), "low": float(low), "high": float(high), "groups": found}


def outcomes(view: View, state: State) -> dict[str, Any]:
    """Passed, failed and without a verdict, per outcome and cohort."""
    cohorts = view.cohorts(state["by"])
    mask = view.valid(state["model"])
    found: list[dict[str, Any]] = []
    for outcome in view.bound.roles.outcomes:
        try:
            passed = view.passed(outcome.column)
        except ValueError as error:
            found.append({"column": visible(outcome.column), "problem": visible(error), "counts": []})
            continue
        code = np.where(np.isnan(passed), 2, 1 - np.nan_to_num(passed)).astype(np.int64)
        joint = cohorts.codes.astype(np.int64) * 3 + code
        atoms = np.bincount(joint if mask is None else joint[mask], minlength=3 * cohorts.n_atoms).reshape(-1, 3)
        sums = [*(atoms[m].sum(axis=0).tolist() for m in cohorts.atoms)] if cohorts.n_cohorts else []
        found.append(
            {"column": visible(outcome.column), "problem": None, "counts": [*sums, atoms.sum(axis=0).tolist()]}
        )
    return {"outcomes": found}


def folds(view: View, state: State) -> dict[str, Any]:
    """The metric per fold of the selected cohort or all rows: value, interval and rows of every fold, all folds together last."""
    keys = ("model", "threshold", "level", "metric", "by")
    key = ("folds", repr(state["selection"]["cohort"]), *(repr(state[k]) for k in keys))
    return view.keep(key, lambda: _folds(view, state))


def _folds(view: View, state: State) -> dict[str, Any]:
    fold = view.bound.roles.fold
    result = _selected(view, state).metrics([state["metric"]], by=fold, level=state["level"])
    frame = result.frame
    order = np.r_[1 : len(frame), 0]  # all folds together last
    labels = frame[result.cohort_columns[0]].to_numpy()[order[:-1]]
    found: dict[str, Any] = {"folds": [visible(label) for label in labels]}
    found |= {name: _plain(frame[name].to_numpy()[order]) for name in ("value", "ci_low", "ci_high")}
    found["n"] = [int(n) for n in frame["n"].to_numpy()[order]]
    return found | {"note": [str(note) for note in frame["note"].to_numpy()[order]]}


def _selected(view: View, state: State) -> Evaluation:
    """The evaluation of the selected cohort's rows, else of all rows."""
    evaluation = view.at(state)
    if state["selection"]["cohort"] is None:
        return evaluation
    return evaluation.where(view.mask(state | {"selection": state["selection"] | {"cell": None}}))


def ranking(view: View, state: State) -> dict[str, Any]:
    """What the curve on view amounts to, such as the ROC AUC, for the selected cohort or all rows, with intervals."""
    if not view.bound.model(state["model"]).y_score:
        return {"metrics": []}
    known = {choice["name"] for choice in metric_choices(view)}
    names = [name for name in SUMMARIES.get(state["view"], ()) if name in known]
    if not names:
        return {"metrics": []}
    frame = _selected(view, state).metrics(names, level=state["level"]).frame
    parts = (_plain(frame[name].to_numpy()) for name in ("value", "ci_low", "ci_high"))
    return {"metrics": [list(row) for row in zip(names, *parts, strict=True)]}


ANSWERS = {
    "estimates": estimates,
    "matrix": matrix,
    "comparison": comparison,
    "residuals": residuals,
    "outcomes": outcomes,
    "folds": folds,
    "ranking": ranking,
    "text": row_on_view,
    "bands": bands,
    "verdicts": verdicts,
}


def check_metric(view: View, name: Any) -> None:
    """Whether the metric fits; raises MetricError with the nearest names."""
    if name not in {choice["name"] for choice in metric_choices(view)}:
        given = provided(view.bound, view.bound.models) if view.task != "outcomes" else set()
        plan([name], view.task, given, view.bound.roles.outcomes)
