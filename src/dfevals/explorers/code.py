"""Code for what an explorer shows: expressions on the frame's name that give the same numbers and the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from dfevals.cohorts.intervals import quoted
from dfevals.explorers.dimensions import to_code
from dfevals.explorers.reading.texts import rows_on_view
from dfevals.explorers.rows import search_columns
from dfevals.explorers.state import State
from dfevals.explorers.view import OUTCOMES, View
from dfevals.roles.declared import Model, PerModel, Roles, label_key
from dfevals.roles.models import unlabelled_lists
from dfevals.words import visible

__all__ = ["evaluation_code", "rows_code", "table_code", "view_code"]

FEW_ROWS = 200  # rows written by their places where no expression selects them
_QUESTIONS = {
    "confusion": "confusion",
    "pairs": "confusion",
    "roc": "roc",
    "pr": "pr",
    "calibration": "calibration",
    "gains": "gains",
    "residuals": "residuals",
}


def evaluation_code(view: View, state: State) -> str:
    """`df.evals(…)` with the roles, and the threshold of the state.

    Examples
    --------
    >>> import dfevals
    >>> ev = dfevals.datasets.load("adult").evals(y_true="income", y_score="p_gbm", pos_label=">50K")
    >>> evaluation_code(View(ev), {"name": "df", "threshold": 0.3})
    "df.evals(y_true='income', y_score='p_gbm', pos_label='>50K', threshold=0.3)"
    """
    declared = view.evaluation.roles.declared()
    declared.pop("cohorts", None)
    if "outcomes" in declared:
        items = [{k: v for k, v in asdict(o).items() if v is not None} for o in view.evaluation.roles.outcomes]
        declared["outcomes"] = items
    for role in ("y_pred", "y_score", "y_lower", "y_upper"):
        if role in declared:
            declared[role] = _written(declared[role])
    if "labels" not in declared and view.task == "multiclass" and not unlabelled_lists(view.evaluation.roles):
        declared["labels"] = list(view.bound.labels)
    threshold = state["threshold"]
    if threshold is not None and (view.bound.roles.threshold != threshold) and threshold != _own(view):
        declared.pop("y_pred", None)
        declared["threshold"] = threshold
    elif threshold is not None and "y_pred" in declared:
        declared.pop("y_pred")
        declared["threshold"] = threshold
    written = {k: list(v) if isinstance(v, tuple) else v for k, v in declared.items()}
    return f"{state['name']}.evals({', '.join(f'{name}={value!r}' for name, value in written.items())})"


def _own(view: View) -> float | None:
    """The threshold that all models have without being told."""
    found = {view.bound.threshold(model) for model in view.bound.models if view.has_threshold(model)}
    return found.pop() if len(found) == 1 else None


def _written(value: Any) -> Any:
    """A role as the user writes it."""
    if isinstance(value, PerModel):
        return {name: _written(spec) for name, spec in value.items()}
    return list(value) if isinstance(value, tuple) else value


def table_code(view: View, state: State) -> str:
    """The table of cohorts: `df.evals(…).metrics(…)`."""
    parts = [repr(state["metric"])]
    parts += [f"by={to_code(state['by'])}"] if state["by"] is not None else []
    parts += [f"models={state['model']!r}"] if len(view.bound.models) > 1 else []
    parts += [f"level={state['level']}"] if state["level"] != 0.95 else []
    return f"{evaluation_code(view, state)}.metrics({', '.join(parts)})"


def view_code(view: View, state: State) -> str:
    """The tab on view."""
    name = state["view"]
    by = f"by={to_code(state['by'])}" if state["by"] is not None else ""
    if name == "text":
        return f"{state['name']}.iloc[{rows_on_view(view, state)}]"
    evaluation = evaluation_code(view, state)
    if name == "compare" and hasattr(view.evaluation, "compare"):
        level = f"level={state['level']}" if state["level"] != 0.95 else ""
        parts = (repr(state["model"]), repr(state["against"]), by, f"metrics={state['metric']!r}", level)
        return f"{evaluation}.compare({', '.join(p for p in parts if p)})"
    if name == "folds":
        level = f", level={state['level']}" if state["level"] != 0.95 else ""
        question = f"metrics({state['metric']!r}, by={view.bound.roles.fold!r}, models={state['model']!r}{level})"
        return f"{evaluation}{_where(*_of_cohort(view, state))}.{question}"
    method = _QUESTIONS.get(name)
    if method is None or not hasattr(view.evaluation, method):
        return table_code(view, state)
    models = f"models={state['model']!r}" if len(view.bound.models) > 1 and method == "confusion" else ""
    return f"{evaluation}.{method}({', '.join(p for p in (by, models) if p)})"


def rows_code(view: View, state: State) -> str:
    """The selected rows, as a DataFrame with the index of the source; the frame's name where all rows are selected."""
    conditions, masks = _of_cohort(view, state)
    conditions += _valid(view, state["model"])
    if state["selection"]["cell"] is not None:
        found = _cell(view, state, state["selection"]["cell"])
        if found is None:
            return _by_place(view, state)
        conditions += found
    if state["rows"]["search"]:
        conditions.append(_searched(view, state["rows"]["search"]))
    if not conditions and not masks:
        return str(state["name"])
    code = evaluation_code(view, state | {"threshold": _own(view)} if not masks else state)
    return f"{code}{_where(conditions, masks)}.frame"


def _of_cohort(view: View, state: State) -> tuple[list[str], list[str]]:
    """Conditions of the selected cohort, and masks where no condition says it."""
    path = state["selection"]["cohort"]
    if path is None:
        return [], []
    cohorts = view.cohorts(state["by"])
    place = view.place(cohorts, path)
    assert place is not None
    written = cohorts.expressions[place]
    if written:
        return [_grouped(written)], []
    return [], [f"dfevals.cohorts.resolve({to_code(state['by'])}, {state['name']}).rows({place})"]


def _where(conditions: list[str], masks: list[str]) -> str:
    found = "".join(f".where({mask})" for mask in masks)
    return f"{found}.where({' and '.join(dict.fromkeys(conditions))!r})" if conditions else found


def _grouped(text: str) -> str:
    return f"({text})" if " or " in text else text


def _by_place(view: View, state: State) -> str:
    """Rows by their places, where the language of conditions has no words for them."""
    at = np.flatnonzero(view.mask(state))
    if len(at) <= FEW_ROWS:
        return f"{state['name']}.iloc[{at.tolist()}]"
    start = f"import_module('dfevals.explorers').explore({evaluation_code(view, state)}"
    return f"__import__('importlib').{start}, by={state['by']!r}, selection={state['selection']!r}).selection"


def _valid(view: View, name: str) -> list[str]:
    """Conditions that leave out the rows that cannot be judged."""
    model, found = view.bound.model(name), []
    if model.key is not None:
        key = view.bound.roles.model
        found.append(f"{quoted(key)} == {_literal(view.bound.frame[key], model.key)}")
    for reason in view.dropped(name):
        column = reason[reason.index("(") + 1 : -1]
        label = next(c for c in view.bound.frame.columns if str(c) == column)
        if reason.startswith("missing"):
            found.append(f"not isna({quoted(label)})")
        else:
            found.append(f"-1e308 <= {quoted(label)} <= 1e308")
    return found


def _cell(view: View, state: State, cell: Mapping[str, Any]) -> list[str] | None:
    kind, model = cell["kind"], view.bound.model(state["model"])
    if kind == "confusion":
        labels = [visible(label) for label in view.bound.labels]
        return [
            _is_true(view, labels.index(cell["true"])),
            _is_predicted(view, model, state, labels.index(cell["pred"])),
        ]
    if kind == "comparison":
        wanted = OUTCOMES[cell["value"]]
        texts = []
        for name, right in zip((state["model"], state["against"]), wanted, strict=True):
            text = _is_right(view, view.bound.model(name), state)
            if text is None:
                return None
            texts.append(text if right else f"not {text}")
        return [*texts, *_valid(view, state["against"])]
    if kind == "outcome":
        return _outcome(view, cell)
    if kind == "residual":
        difference = f"{quoted(model.y_pred)} - {quoted(view.bound.roles.y_true)}"
        return [f"{difference} >= {cell['low']!r}", f"{difference} < {cell['high']!r}"]
    if kind == "score":
        score = quoted(model.y_score[0])
        return [f"{score} >= {cell['low']!r}", f"{score} < {cell['high']!r}"]
    cohorts = view.cohorts([view.bound.roles.fold])
    place = view.place(cohorts, [cell["value"]])
    return None if place is None or not cohorts.expressions[place] else [cohorts.expressions[place]]


def _is_true(view: View, code: int) -> str:
    roles: Roles = view.bound.roles
    return f"{quoted(roles.y_true)} == {_literal(view.bound.frame[roles.y_true], view.bound.labels[code])}"


def _is_predicted(view: View, model: Model, state: State, code: int) -> str:
    if view.has_threshold(model) and (state["threshold"] is not None or model.y_pred is None):
        cut = view.bound.threshold(model) if state["threshold"] is None else state["threshold"]
        return f"{quoted(model.y_score[0])} {'>=' if code == 1 else '<'} {cut!r}"
    if model.y_pred is not None:
        return f"{quoted(model.y_pred)} == {_literal(view.bound.frame[model.y_pred], view.bound.labels[code])}"
    mine = quoted(model.y_score[code])
    others = [(quoted(c), ">" if i < code else ">=") for i, c in enumerate(model.y_score) if i != code]
    return " and ".join(f"{mine} {sign} {other}" for other, sign in others)


def _is_right(view: View, model: Model, state: State) -> str | None:
    """Condition that a model is right; None where it would be too long to read."""
    if view.task == "regression":
        return f"({-view.tolerance()!r} <= {quoted(model.y_pred)} - {quoted(view.bound.roles.y_true)} <= {view.tolerance()!r})"
    k = len(view.bound.labels)
    if k > 12 or (k > 6 and model.y_pred is None):
        return None
    parts = [f"({_is_true(view, c)} and {_is_predicted(view, model, state, c)})" for c in range(k)]
    return f"({' or '.join(parts)})"


def _outcome(view: View, cell: Mapping[str, Any]) -> list[str] | None:
    outcome = view.bound.outcome(cell["column"])
    series = view.bound.frame[outcome.column]
    name = quoted(outcome.column)
    if outcome.error_column is not None or not pd.api.types.is_numeric_dtype(series.dtype):
        return None
    if cell["value"] == "none":
        return [f"isna({name})"]
    if outcome.pass_at is not None and not pd.api.types.is_bool_dtype(series.dtype):
        passed = f"{name} {'<=' if outcome.better == 'lower' else '>='} {outcome.pass_at!r}"
        return [passed if cell["value"] == "pass" else f"not {passed}", f"not isna({name})"]
    good = (cell["value"] == "pass") != (outcome.better == "lower")
    return [f"{name} == {good if pd.api.types.is_bool_dtype(series.dtype) else int(good)}"]


def _searched(view: View, text: str) -> str:
    frame = view.bound.frame
    names = [quoted(frame.columns[place]) for place in search_columns(frame)]
    return f"({' or '.join(f'contains({name}, {text!r})' for name in names)})" if names else "1 == 0"


def _literal(series: pd.Series, label: Any) -> str:
    """The label as the column holds it: 1 where y_pred is of whole numbers, True where it is Boolean."""
    if isinstance(label, str):
        return repr(label)
    values = series.cat.categories if isinstance(series.dtype, pd.CategoricalDtype) else series.dropna().unique()
    same = [v for v in values if label_key(v.item() if isinstance(v, np.generic) else v) == label_key(label)]
    value = same[0] if same else label
    return repr(value.item() if isinstance(value, np.generic) else value)
