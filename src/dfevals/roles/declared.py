"""Which column plays which role: the only place that resolves and validates columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from dfevals.columns.numbers import plain_number
from dfevals.exceptions import RoleError, check_choice, did_you_mean
from dfevals.roles.records import BY_MODEL, COLUMN, RECORDS, Role, roles_of

__all__ = [
    "Model",
    "Outcome",
    "PerModel",
    "Roles",
    "column",
    "label_key",
    "not_named",
    "one_each",
    "specs",
    "stand_in",
]

OUTCOME_KINDS = ("pass", "score", "category")


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
    range : (float, float), optional
        Least and greatest score there can be, where both are known: intervals of the mean then keep to it.

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
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.range is not None:
            low, high = map(float, self.range)
            if not low < high:
                raise RoleError(f"range={self.range!r} of the outcome {self.column!r} must be (least, greatest).")
            object.__setattr__(self, "range", (low, high))
        if self.kind is not None:
            check_choice("kind", self.kind, OUTCOME_KINDS, RoleError)
        if self.better is not None:
            check_choice("better", self.better, ("higher", "lower"), RoleError)


@dataclass(frozen=True, repr=False)
class PerModel(Mapping[str, Any]):
    """What a role declares for each model: {model: column, pattern or columns}, hashable."""

    pairs: tuple[tuple[str, Any], ...]

    def __getitem__(self, name: str) -> Any:
        return dict(self.pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self.pairs))

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        return repr(dict(self.pairs))


def specs(value: Any) -> list[Any]:
    """What a role declares, model by model."""
    return list(value.values()) if isinstance(value, PerModel) else [value] if value is not None else []


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
    response: str | None = None
    reference: str | None = None
    context: str | None = None
    tool_calls: str | None = None
    trajectory: str | None = None
    tokens: str | None = None
    cost: str | None = None
    latency: str | None = None
    error: str | None = None
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
        if not (base is None or isinstance(base, Roles | Mapping)):
            raise not_named(base)
        values = base.declared() if isinstance(base, Roles) else dict(base or {})
        values.update(given)
        for name in values:
            if name not in RECORDS:
                raise RoleError(f"There is no role {name!r}. {did_you_mean(name, RECORDS, noun='Roles')}")
        return cls(**{name: _checked(RECORDS[name], value) for name, value in values.items() if value is not None})

    def inferred(self, columns: pd.Index) -> Roles:
        """Fill y_true, y_pred, y_score and sample_weight from columns of exactly these names."""
        names = [role.name for role in RECORDS.values() if role.inferred and getattr(self, role.name) is None]
        found: dict[str, Any] = {
            name: name for name in names if name in columns and not (name == "y_true" and self.outcomes)
        }
        if self.y_score is not None or self.y_pred is not None:  # declared predictions are the whole declaration
            found.pop("y_pred", None)
            found.pop("y_score", None)
        return replace(self, **found)

    def cut_anew(self) -> Roles:
        """Without the predictions of models that have scores, which a threshold cuts."""
        if not isinstance(self.y_pred, PerModel) or not isinstance(self.y_score, PerModel):
            return self
        left = tuple((name, spec) for name, spec in self.y_pred.pairs if name not in self.y_score)
        return replace(self, y_pred=PerModel(left) if left else None)

    def declared(self) -> dict[str, Any]:
        """The roles that were set, as keyword arguments."""
        default = Roles()
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value != getattr(default, name)}

    def single(self) -> dict[str, str]:
        """The column of every role that is one column, by role."""
        found = {name: getattr(self, name) for name in roles_of(COLUMN)}
        return {name: column for name, column in found.items() if column is not None}

    def needed(self) -> dict[str, str]:
        """The columns without whose values a row cannot be judged, by role."""
        return {name: column for name, column in self.single().items() if RECORDS[name].needed}

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
            return json.dumps(values, ensure_ascii=False, default=_as_dict)
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
    if found is None and isinstance(name, tuple) and all(part in frame.columns for part in name):
        raise RoleError(f"{role}={list(name)!r} lists {len(name)} columns, but a model has one. {one_each(role, name)}")
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


def _checked(role: Role, value: Any) -> Any:
    """A value as its role keeps it: hashable, of Python's own types.

    Raises
    ------
    RoleError
        A value that the role cannot have.
    """
    if role.kind == COLUMN and isinstance(value, pd.Series | pd.DataFrame | np.ndarray | list | Mapping):
        raise _not_data(role.name)
    if role.kind == "choice":
        check_choice(role.name, value, role.options, RoleError)
    make = _MAKE.get(role.kind)
    return value if make is None else make(value, role.name)


def one_each(role: str, columns: tuple[Any, ...]) -> str:
    """How to say that each of the columns is a model's."""
    shown = ", ".join(f"{str(name)!r}: {name!r}" for name in columns[:4]) + (", …" if len(columns) > 4 else "")
    return f"If each is that of a model, pass {role}={{{shown}}}."


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
    """A column name, a tuple of columns, or {model: any of these}: hashable and JSON-able."""
    if isinstance(value, Mapping):
        if not value:
            raise RoleError("The dict of models is empty. Pass {model name: column, ...}.")
        return PerModel(tuple((str(name), _normal(spec, role)) for name, spec in value.items()))
    if (isinstance(value, np.ndarray) and value.dtype.kind in "fiub") or isinstance(value, pd.Series | pd.DataFrame):
        raise _not_data(role)
    if isinstance(value, list | tuple | np.ndarray | pd.Index):
        items = tuple(value)
        if items[:1] == ("models",) and len(items) == 2 and isinstance(items[1], list | tuple):
            return _normal(dict(items[1]), role)  # as frames of older versions keep it
        if not items:
            raise RoleError("The list of score columns is empty.")
        if any(isinstance(item, list | set | Mapping) for item in items):
            raise RoleError(
                f"{role}={value!r:.60} names columns one by one; a list or a table cannot stand in the list."
            )
        return items if len(items) > 1 else items[0]
    return value


def _outcomes(value: Any, role: str) -> tuple[Outcome, ...]:
    items = (value,) if isinstance(value, str | Outcome | Mapping) else value
    return tuple(_outcome(item) for item in items)


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


def _cohorts(value: Any, role: str) -> tuple[Any, ...]:
    items = tuple(value) if isinstance(value, list | tuple) else (value,)
    return tuple(tuple(item) if isinstance(item, list) else item for item in items)


def _labels(value: Any, role: str) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise RoleError(f"labels={value!r} must be a list of all labels, in order.")
    labels = tuple(_plain(label) for label in value)
    if any(isinstance(label, list | set | Mapping) for label in labels):
        raise RoleError(f"labels={list(labels)!r:.60} must be texts, numbers or truth values.")
    return labels


def stand_in(positive: Any) -> Any:
    """A stand-in for the negative label where all rows are positive."""
    if isinstance(positive, bool):
        return not positive
    if isinstance(positive, int | float):
        return 0 if positive != 0 else 1
    return f"not {positive}"


def _plain(value: Any, role: str = "") -> Any:
    """numpy scalars as Python's, so that they are JSON-able and print short."""
    return value.item() if isinstance(value, np.generic) else value


def _as_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, PerModel):
        return dict(value)
    raise TypeError(f"{type(value).__name__} {value!r} has no JSON form")


def label_key(label: Any) -> Any:
    """Equal for labels that mean the same: 1, 1.0, True and Decimal(1), but not "1"; long integers stay apart."""
    return plain_number(label)


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number):
        raise RoleError(f"{name}={value!r:.40} is not a finite number.")
    return number


#: How a value of a kind becomes hashable; columns and choices stay as they are.
_MAKE: dict[str, Callable[[Any, str], Any]] = {
    BY_MODEL: _normal,
    "number": _number,
    "label": _plain,
    "labels": _labels,
    "outcomes": _outcomes,
    "cohorts": _cohorts,
}
