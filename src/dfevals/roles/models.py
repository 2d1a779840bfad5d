"""The models that the roles name, each with its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from dfevals.columns.numbers import contents
from dfevals.exceptions import RoleError, did_you_mean
from dfevals.roles.declared import Model, PerModel, Roles, _plain, column, label_key, one_each, specs

__all__ = ["check_classes", "find_models", "has_score_per_class", "pattern_labels", "unlabelled_lists"]


def find_models(roles: Roles, frame: pd.DataFrame, labels: Sequence[Any], multiclass: bool) -> tuple[Model, ...]:
    """The models that the roles name, each with its columns.

    Parameters
    ----------
    roles : Roles
        The declaration.
    frame : DataFrame
        Checked for the columns.
    labels : sequence
        Class labels, in order; used by the pattern `"p_{label}"`.
    multiclass : bool
        Whether a single score column is too few.

    Returns
    -------
    tuple of Model
        Empty when no prediction is declared.
    """
    declared = {name: getattr(roles, name) for name in ("y_score", "y_pred", "y_lower", "y_upper")}
    names = list(dict.fromkeys(name for value in declared.values() if isinstance(value, PerModel) for name in value))
    parts: dict[str, dict[str, Any]] = {}
    for role, value in declared.items():
        for name, spec in _per_model(declared, role, names).items() if value is not None else ():
            found = _score_columns(spec, roles, frame, labels, multiclass) if role == "y_score" else spec
            parts.setdefault(name, {})[role] = found
    models = [_checked(Model(name, **values), frame) for name, values in parts.items()]
    return _long(roles, frame, tuple(models))


def _per_model(declared: dict[str, Any], role: str, names: list[str]) -> dict[str, Any]:
    """What a role declares for each model."""
    value = declared[role]
    if isinstance(value, PerModel):
        return dict(value)
    if not names:
        return {_only_name(declared, value): value}
    if len(names) == 1 or role in ("y_lower", "y_upper"):
        return dict.fromkeys(names, value)  # one interval serves all models
    raise RoleError(
        f"{role}={value!r} is one column but there are {len(names)} models ({', '.join(map(repr, names))}). "
        f"Pass {role}={{model: column, ...}}."
    )


def _checked(model: Model, frame: pd.DataFrame) -> Model:
    """A model whose columns are there."""
    for role in ("y_pred", "y_lower", "y_upper"):
        if getattr(model, role) is not None:
            column(frame, getattr(model, role), role)
    for score in model.y_score:
        column(frame, score, "y_score")
    if (model.y_lower is None) != (model.y_upper is None):
        given, absent = ("y_upper", "y_lower") if model.y_lower is None else ("y_lower", "y_upper")
        raise RoleError(
            f"{given}={getattr(model, given)!r} is one end of a predicted interval; the other one is missing. "
            f"Pass {absent}= too, or drop {given}=."
        )
    return model


def _long(roles: Roles, frame: pd.DataFrame, models: tuple[Model, ...]) -> tuple[Model, ...]:
    """One Model per value of the model column of a long frame."""
    if roles.model is None:
        return models
    keys = column(frame, roles.model, "model").dropna().unique()
    if len(models) > 1:
        raise RoleError(
            f"model={roles.model!r} makes a long frame, in which all models share the columns, but {len(models)} models "
            "were declared. Drop model= or declare a single y_pred/y_score column."
        )
    shared = models[0] if models else Model("")
    return tuple(replace(shared, name=str(_plain(key)), key=_plain(key)) for key in keys)


def _score_columns(
    spec: Any, roles: Roles, frame: pd.DataFrame, labels: Sequence[Any], multiclass: bool
) -> tuple[str, ...]:
    """Score columns of one model in the order of the labels; for a binary task the positive class's only."""
    if isinstance(spec, str) and "{label}" in spec and spec not in frame.columns:
        found = _of_pattern(spec, frame, labels)
    elif isinstance(spec, tuple):
        found = _listed(spec, roles, labels)
    else:
        found = (spec,)
        column(frame, spec, "y_score")
        if multiclass:
            raise RoleError(
                f"y_score={spec!r} is one column but there are {len(labels)} classes. Pass a pattern such as "
                "'p_{label}', or a list of columns with labels=[...]."
            )
    if len(found) == 2 and not multiclass:
        return (found[1],)  # labels put the positive class last
    return found


def _of_pattern(spec: str, frame: pd.DataFrame, labels: Sequence[Any]) -> tuple[str, ...]:
    """The column of every label."""
    wanted = [spec.replace("{label}", str(label)) for label in labels]
    for name, label in zip(wanted, labels, strict=True):
        if name not in frame.columns:
            hint = did_you_mean(name, frame.columns, noun="Columns")
            raise RoleError(f"y_score pattern {spec!r} needs the column {name!r} for the label {label!r}. {hint}")
    return tuple(wanted)


def _listed(columns: tuple[Any, ...], roles: Roles, labels: Sequence[Any]) -> tuple[Any, ...]:
    """Listed columns in the order of the labels: each belongs to the label at its place in `labels=`, or of its name."""
    if len(columns) != len(labels):
        raise RoleError(
            f"y_score lists {len(columns)} columns for {len(labels)} labels {list(labels)!r}. One score per class: pass "
            f"labels=[...] in the order of the columns. {one_each('y_score', columns)}"
        )
    if roles.labels is None or len(roles.labels) != len(columns):
        return _by_label(columns, labels)
    place = {label_key(label): name for label, name in zip(roles.labels, columns, strict=True)}
    return tuple(place[label_key(label)] for label in labels)


def _by_label(columns: tuple[str, ...], labels: Sequence[Any]) -> tuple[str, ...]:
    """Score columns in the order of the labels, where every name is one and the same text with a label behind it."""
    texts = [str(label) for label in labels]
    for length in range(min(len(str(name)) for name in columns) + 1):
        before = str(columns[0])[:length]
        place = {str(name).removeprefix(before): name for name in columns if str(name).startswith(before)}
        if len(place) == len(columns) and set(place) == set(texts):
            return tuple(place[text] for text in texts)
    raise RoleError(
        f"y_score lists the columns {list(columns)!r}, but which class does each belong to? "
        f"Pass labels=[...] in the order of the columns; the labels are {list(labels)!r}. {one_each('y_score', columns)}"
    )


def unlabelled_lists(roles: Roles) -> bool:
    """Whether columns of scores are listed without saying which class each belongs to."""
    return roles.labels is None and any(isinstance(spec, tuple) for spec in specs(roles.y_score))


def has_score_per_class(roles: Roles, frame: pd.DataFrame) -> bool:
    """Whether some model has one score per class."""
    return any(
        isinstance(spec, tuple) or (isinstance(spec, str) and "{label}" in spec and spec not in frame.columns)
        for spec in specs(roles.y_score)
    )


def pattern_labels(roles: Roles, frame: pd.DataFrame) -> list[str]:
    """Label texts for which every `"…{label}…"` pattern has a numeric column."""
    found: list[set[str]] = []
    for spec in specs(roles.y_score):
        if isinstance(spec, str) and "{label}" in spec and spec not in frame.columns:
            before, after = spec.split("{label}", 1)
            places = {str(name): i for i, name in enumerate(frame.columns)}
            names = [n for n in places if n.startswith(before) and n.endswith(after)]
            numbers = [n for n in names if contents(frame.iloc[:, places[n]]) in ("numbers", "truths")]
            found.append({n[len(before) : len(n) - len(after)] for n in numbers})
    return sorted(set.intersection(*found)) if found else []


def _only_name(declared: dict[str, Any], value: Any) -> str:
    """Name of the only model: its score column, else its prediction column, else what its columns have in common."""
    score, pred = declared["y_score"], declared["y_pred"]
    if score is None and pred is None:
        ends = tuple(declared[role] for role in ("y_lower", "y_upper") if declared[role] is not None)
        return _model_name(ends if len(ends) == 2 else value)
    if score is None:
        return _model_name(pred)
    single = not isinstance(score, tuple) and "{label}" not in str(score)
    return _model_name(score if single or pred is None else pred)


def _model_name(spec: Any) -> str:
    """Name of the only model: its column, or what a pattern or a list of columns has in common."""
    if isinstance(spec, str) and "{label}" in spec:
        return spec.replace("{label}", "").strip(" _-.") or "model"
    if isinstance(spec, tuple):
        common = str(spec[0])
        for name in spec[1:]:
            while not str(name).startswith(common):
                common = common[:-1]
        return common.strip(" _-.") or "model"
    return str(spec)


def check_classes(recorded: Roles, roles: Roles, positive: Any) -> None:
    """Refuse a score of one class as the score of another: what was recorded of a column holds for it.

    Parameters
    ----------
    recorded : Roles
        Kept with the frame, as `cross_validate` and `set_roles` do.
    roles, positive
        The declaration now, and its positive label.

    Raises
    ------
    RoleError
        A column of scores belongs to another class than was recorded.
    """
    before, now = _classes(recorded, recorded.pos_label), _classes(roles, positive)
    for name in before.keys() & now.keys():
        old, new = before[name], now[name]
        if label_key(old) != label_key(new):
            raise RoleError(
                f"y_score column {name!r} is recorded as the score of {old!r}, so it cannot be that of {new!r}: ranks and "
                f"decisions would be turned round. Pass the scores of {new!r}: for probabilities df.assign(p=1 - df[{name!r}])"
                f".evals(y_score='p', pos_label={new!r}). If the record is wrong, set the roles again: df.evals.set_roles(...)."
            )


def _classes(roles: Roles, positive: Any) -> dict[Any, Any]:
    """The class whose score a column holds, where the declaration says it."""
    labels = roles.labels or ()
    positive = labels[-1] if positive is None and len(labels) == 2 else positive
    found: dict[Any, Any] = {}
    for spec in specs(roles.y_score):
        if isinstance(spec, tuple) and len(spec) == len(labels):
            found |= dict(zip(spec, labels, strict=True))
        elif isinstance(spec, str) and "{label}" not in spec and positive is not None:
            found[spec] = positive
    return found
