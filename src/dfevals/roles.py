"""Which column plays which role: the only place that resolves and validates columns."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from dfevals.exceptions import RoleError, check_choice, did_you_mean

__all__ = [
    "Model",
    "Outcome",
    "Roles",
    "column",
    "find_models",
    "has_score_per_class",
    "not_named",
    "pattern_labels",
    "stand_in",
    "unlabelled_lists",
]

TASKS = ("binary", "multiclass", "multilabel", "regression", "clustering", "outcomes")
WEIGHT_KINDS = ("importance", "frequency")
SCORE_KINDS = ("probability", "margin")
OUTCOME_KINDS = ("pass", "score", "category")
INFERRED = ("y_true", "y_pred", "y_score", "sample_weight")
SINGLE = ("y_true", "sample_weight", "cluster", "unit", "id", "model", "fold", "repeat", "time", "release")


@dataclass(frozen=True)
class Outcome:
    """A column of results made by an evaluator or a person, beside (or instead of) labels.

    Parameters
    ----------
    column : str
        The column.
    kind : {"pass", "score", "category"}, optional
        A pass/fail verdict, a number, or a category; taken from the dtype when absent.
    better : {"higher", "lower"}, optional
        Direction of a score; "higher" when absent.
    pass_at : float, optional
        A score passes when it is at least (at most, if lower is better) this.
    error_column : str, optional
        Column with the message of an evaluation that failed; such rows are counted as errors.

    Examples
    --------
    >>> import dfevals
    >>> dfevals.Outcome("toxicity", kind="score", better="lower", pass_at=0.2).pass_at
    0.2
    """

    column: str
    kind: Literal["pass", "score", "category"] | None = None
    better: Literal["higher", "lower"] | None = None
    pass_at: float | None = None
    error_column: str | None = None

    def __post_init__(self) -> None:
        if self.kind is not None:
            check_choice("kind", self.kind, OUTCOME_KINDS, RoleError)
        if self.better is not None:
            check_choice("better", self.better, ("higher", "lower"), RoleError)


@dataclass(frozen=True)
class Model:
    """The columns of one model: a prediction, one score per class (or one), interval bounds.

    In a long frame all models share the columns and `key` is the model's value in the model column.
    """

    name: str
    y_pred: str | None = None
    y_score: tuple[str, ...] = ()
    y_lower: str | None = None
    y_upper: str | None = None
    key: Hashable = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the model, in a fixed order."""
        single = (self.y_pred, *self.y_score, self.y_lower, self.y_upper)
        return tuple(name for name in single if name is not None)


@dataclass(frozen=True)
class Roles:
    """What the columns of a frame mean, as declared by the user.

    The fields are the keyword arguments of `df.evals(...)`. Equal roles compare equal, and
    `df2.evals(ev.roles)` reuses them on another frame.
    """

    y_true: str | None = None
    y_pred: Any = None
    y_score: Any = None
    y_lower: Any = None
    y_upper: Any = None
    outcomes: tuple[Outcome, ...] = ()
    sample_weight: str | None = None
    weight_kind: str = "importance"
    cluster: str | None = None
    unit: str | None = None
    id: str | None = None
    model: str | None = None
    fold: str | None = None
    repeat: str | None = None
    time: str | None = None
    release: str | None = None
    pos_label: Any = None
    labels: tuple[Any, ...] | None = None
    threshold: float | None = None
    score_kind: str | None = None
    task: str | None = None
    cohorts: tuple[Any, ...] = ()

    @classmethod
    def build(cls, base: Roles | Mapping[str, Any] | None = None, **given: Any) -> Roles:
        """Roles from another Roles (or mapping) and keyword arguments that override it.

        Raises
        ------
        RoleError
            Unknown role name, or a value that no role can have.
        """
        known = [field.name for field in fields(cls)]
        if not (base is None or isinstance(base, Roles | Mapping)):
            raise not_named(base)
        values: dict[str, Any] = (
            {} if base is None else ({f: getattr(base, f) for f in known} if isinstance(base, Roles) else dict(base))
        )
        values.update(given)
        for name in values:
            if name not in known:
                raise RoleError(f"There is no role {name!r}. {did_you_mean(name, known, noun='Roles')}")
        for name in SINGLE:
            if isinstance(values.get(name), pd.Series | pd.DataFrame | np.ndarray | list | Mapping):
                raise _not_data(name)
        for name in ("y_pred", "y_score", "y_lower", "y_upper"):
            values[name] = _normal(values.get(name), name)
        outcomes = values.get("outcomes") or ()
        outcomes = (outcomes,) if isinstance(outcomes, str | Outcome | Mapping) else outcomes
        values["outcomes"] = tuple(_outcome(item) for item in outcomes)
        cohorts = values.get("cohorts") or ()
        cohorts = tuple(cohorts) if isinstance(cohorts, list | tuple) else (cohorts,)
        values["cohorts"] = tuple(tuple(item) if isinstance(item, list) else item for item in cohorts)
        if values.get("labels") is not None:
            if isinstance(values["labels"], str) or not isinstance(values["labels"], Iterable):
                raise RoleError(f"labels={values['labels']!r} must be a list of all labels, in order.")
            values["labels"] = tuple(_plain(label) for label in values["labels"])
        values["pos_label"] = _plain(values.get("pos_label"))
        values["weight_kind"] = values.get("weight_kind") or "importance"
        check_choice("weight_kind", values["weight_kind"], WEIGHT_KINDS, RoleError)
        for name, options in (("task", TASKS), ("score_kind", SCORE_KINDS)):
            if values.get(name) is not None:
                check_choice(name, values[name], options, RoleError)
        if values.get("threshold") is not None:
            values["threshold"] = _number("threshold", values["threshold"])
        return cls(**values)

    def inferred(self, columns: pd.Index) -> Roles:
        """Fill y_true, y_pred, y_score and sample_weight from columns of exactly these names."""
        found: dict[str, Any] = {
            name: name
            for name in INFERRED
            if getattr(self, name) is None and name in columns and not (name == "y_true" and self.outcomes)
        }
        if self.y_score is not None or self.y_pred is not None:  # declared predictions are the whole declaration
            found.pop("y_pred", None)
            found.pop("y_score", None)
        return replace(self, **found)

    def declared(self) -> dict[str, Any]:
        """The roles that were set, as keyword arguments."""
        default = Roles()
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value != getattr(default, name)}

    def to_json(self) -> str:
        """One small JSON string; the form that lives in `df.attrs["dfevals"]`.

        Raises
        ------
        RoleError
            A value (such as a Boolean mask as a cohort) has no JSON form.
        """
        values = self.declared()
        if "outcomes" in values:
            values["outcomes"] = [{k: v for k, v in asdict(item).items() if v is not None} for item in self.outcomes]
        if self.cohorts:
            from dfevals.cohorts.plain import to_plain

            values["cohorts"] = [to_plain(item) for item in self.cohorts]
        try:
            return json.dumps(values, ensure_ascii=False)
        except TypeError as error:
            raise RoleError(
                f"These roles cannot be stored with the frame: {error}. Pass them to df.evals(...)."
            ) from None

    @classmethod
    def from_json(cls, text: str) -> Roles:
        """Inverse of `to_json`."""
        try:
            values = json.loads(text)
        except (TypeError, ValueError):
            values = None
        if not isinstance(values, dict):
            raise RoleError("df.attrs['dfevals'] does not hold roles. Set them again: df.evals.set_roles(...).")
        if values.get("cohorts"):
            from dfevals.cohorts.plain import from_plain

            values["cohorts"] = [from_plain(item) for item in values["cohorts"]]
        return cls.build(values)

    def __repr__(self) -> str:
        return "Roles(" + ", ".join(f"{name}={value!r}" for name, value in self.declared().items()) + ")"


def column(frame: pd.DataFrame, name: Any, role: str) -> pd.Series:
    """The column that plays a role.

    Raises
    ------
    RoleError
        The column is not there, or its name is not unique.
    """
    if isinstance(frame.columns, pd.MultiIndex):
        raise RoleError(
            "The frame has MultiIndex columns. Flatten them first: df.columns = ['_'.join(map(str, c)) for c in df.columns]."
        )
    try:
        found = frame[name] if name in frame.columns else None
    except TypeError:
        found = None
    if found is None:
        hint = did_you_mean(name, frame.columns, noun="Columns")
        lost = (
            ""
            if frame.attrs.get("dfevals") or role != "y_true"
            else " Roles do not survive merge, concat or CSV: pass them again with df.evals(ev.roles)."
        )
        raise RoleError(f"{role} column {name!r} is not in the frame. {hint}{lost}")
    if isinstance(found, pd.DataFrame):
        raise RoleError(
            f"{role} column {name!r} is there {found.shape[1]} times. Keep one: df.loc[:, ~df.columns.duplicated()]."
        )
    return found


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
    parts: dict[str, dict[str, Any]] = {}
    declared = {name: getattr(roles, name) for name in ("y_score", "y_pred", "y_lower", "y_upper")}
    names = [
        name
        for value in declared.values()
        if isinstance(value, tuple) and value[:1] == ("models",)
        for name, _ in value[1]
    ]
    names = list(dict.fromkeys(names))
    for role, value in declared.items():
        if value is None:
            continue
        if isinstance(value, tuple) and value[:1] == ("models",):
            per_model = dict(value[1])
        elif not names:
            per_model = {_only_name(declared, value): value}
        elif len(names) == 1 or role in ("y_lower", "y_upper"):
            per_model = dict.fromkeys(names, value)  # one interval serves all models
        else:
            raise RoleError(
                f"{role}={value!r} is one column but there are {len(names)} models ({', '.join(map(repr, names))}). "
                f"Pass {role}={{model: column, ...}}."
            )
        for name, spec in per_model.items():
            parts.setdefault(str(name), {})[role] = (
                _score_columns(spec, roles, frame, labels, multiclass) if role == "y_score" else spec
            )
    models = []
    for name, values in parts.items():
        model = Model(name, **values)
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
        models.append(model)
    return _long(roles, frame, tuple(models))


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
        wanted = [spec.replace("{label}", str(label)) for label in labels]
        for name, label in zip(wanted, labels, strict=True):
            if name not in frame.columns:
                hint = did_you_mean(name, frame.columns, noun="Columns")
                raise RoleError(f"y_score pattern {spec!r} needs the column {name!r} for the label {label!r}. {hint}")
        found: tuple[str, ...] = tuple(wanted)
    elif isinstance(spec, tuple):
        found = spec
        if len(found) != len(labels):
            raise RoleError(
                f"y_score lists {len(found)} columns for {len(labels)} labels {list(labels)!r}. "
                "Pass labels=[...] in the order of the columns."
            )
        if roles.labels is None:
            found = _by_label(found, labels)
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
        f"Pass labels=[...] in the order of the columns; the labels are {list(labels)!r}."
    )


def unlabelled_lists(roles: Roles) -> bool:
    """Whether columns of scores are listed without saying which class each belongs to."""
    return roles.labels is None and any(isinstance(spec, tuple) for spec in _score_specs(roles))


def has_score_per_class(roles: Roles, frame: pd.DataFrame) -> bool:
    """Whether some model has one score per class."""
    specs = _score_specs(roles)
    return any(
        isinstance(s, tuple) or (isinstance(s, str) and "{label}" in s and s not in frame.columns) for s in specs
    )


def pattern_labels(roles: Roles, frame: pd.DataFrame) -> list[str]:
    """Label texts for which every `"…{label}…"` pattern has a numeric column."""
    specs = _score_specs(roles)
    found: list[set[str]] = []
    for spec in specs:
        if isinstance(spec, str) and "{label}" in spec and spec not in frame.columns:
            before, after = spec.split("{label}", 1)
            dtypes = zip(frame.columns, frame.dtypes, strict=True)
            names = [str(name) for name, dtype in dtypes if pd.api.types.is_numeric_dtype(dtype)]
            found.append(
                {n[len(before) : len(n) - len(after)] for n in names if n.startswith(before) and n.endswith(after)}
            )
    return sorted(set.intersection(*found)) if found else []


def _score_specs(roles: Roles) -> list[Any]:
    """What is declared as the scores of each model."""
    value = roles.y_score
    return [spec for _, spec in value[1]] if isinstance(value, tuple) and value[:1] == ("models",) else [value]


def _only_name(declared: dict[str, Any], value: Any) -> str:
    """Name of the only model: its score column, else its prediction column, else what its columns have in common."""
    score, pred = declared["y_score"], declared["y_pred"]
    if score is None:
        return _model_name(value if pred is None else pred)
    single = not isinstance(score, tuple) and "{label}" not in str(score)
    return _model_name(score if single or pred is None else pred)


def _model_name(spec: Any) -> str:
    """Name of the only model: its column, or what a pattern or a list of columns has in common."""
    if isinstance(spec, str) and "{label}" in spec:
        return spec.replace("{label}", "").strip(" _-.") or "model"
    if isinstance(spec, tuple):
        common = spec[0]
        for name in spec[1:]:
            while not str(name).startswith(common):
                common = common[:-1]
        return common.strip(" _-.") or "model"
    return str(spec)


def _not_data(role: str) -> RoleError:
    return RoleError(
        f"{role} must be the name of a column, not data. Put values into the frame: df.assign({role}=values).evals({role}={role!r})."
    )


def not_named(*given: Any) -> RoleError:
    """What to say of roles that were given by place instead of by name."""
    shown = ", ".join(repr(v) if isinstance(v, str) else type(v).__name__ for v in given)
    names = dict(zip(("y_true", "y_score"), given, strict=False))
    named = [f"{role}={value!r}" for role, value in names.items() if isinstance(value, str)] or ["y_true='label'"]
    if len(named) < 2:
        named.append("y_score='score'")
    return RoleError(
        f"Roles are given by name, not by place: got {shown}. Pass {', '.join(named)} (or y_pred= for predicted labels and "
        "numbers), or the roles of another evaluation, ev.roles."
    )


def _normal(value: Any, role: str) -> Any:
    """A column name, a tuple of columns, or ("models", ((name, columns), ...)): hashable and JSON-able."""
    if isinstance(value, Mapping):
        if not value:
            raise RoleError("The dict of models is empty. Pass {model name: column, ...}.")
        return ("models", tuple((str(name), _normal(spec, role)) for name, spec in value.items()))
    if (isinstance(value, np.ndarray) and value.dtype.kind in "fiub") or isinstance(value, pd.Series | pd.DataFrame):
        raise _not_data(role)
    if isinstance(value, list | tuple | np.ndarray | pd.Index):
        items = tuple(value)
        if items[:1] == ("models",) and len(items) == 2 and isinstance(items[1], list | tuple):
            return ("models", tuple((str(name), _normal(spec, role)) for name, spec in items[1]))
        if not items:
            raise RoleError("The list of score columns is empty.")
        return items if len(items) > 1 else items[0]
    return value


def _outcome(item: Any) -> Outcome:
    if isinstance(item, Outcome):
        return item
    if isinstance(item, Mapping):
        known = [field.name for field in fields(Outcome)]
        for name in item:
            if name not in known:
                raise RoleError(f"An outcome has no {name!r}. {did_you_mean(name, known, noun='Parameters')}")
        if "column" not in item:
            raise RoleError(f"The outcome {dict(item)!r} names no column.")
        return Outcome(**item)
    return Outcome(item)


def stand_in(positive: Any) -> Any:
    """A stand-in for the negative label where all rows are positive."""
    if isinstance(positive, bool):
        return not positive
    if isinstance(positive, int | float):
        return 0 if positive != 0 else 1
    return f"not {positive}"


def _plain(value: Any) -> Any:
    """numpy scalars as Python's, so that they are JSON-able and print short."""
    return value.item() if isinstance(value, np.generic) else value


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise RoleError(f"{name}={value!r} is not a finite number.")
    return number
