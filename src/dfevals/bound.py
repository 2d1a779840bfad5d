"""Roles resolved against one frame: the task, the labels, the models, and the columns as numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from dfevals.exceptions import DataError, RoleError, did_you_mean
from dfevals.roles import Model, Outcome, Roles, column, find_models, pattern_labels, stand_in

__all__ = ["BLOCK", "Bound", "bind"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
BLOCK = 1 << 18  # rows encoded at a time
MANY_CLASSES = 50  # more distinct whole numbers than this are a regression target
ROUNDING = 1e-4  # probabilities this far outside [0, 1] are rounding and are clipped
MISSING = -1
VERDICTS = {"pass": 1.0, "passed": 1.0, "true": 1.0, "yes": 1.0, "fail": 0.0, "failed": 0.0, "false": 0.0, "no": 0.0}


@dataclass(frozen=True)
class Bound:
    """What the roles mean for this frame.

    `labels` are the classes in order (binary: the positive label last); `reasons` say how the task and the labels
    were found; `n` is the number of rows.
    """

    frame: pd.DataFrame
    roles: Roles
    task: str
    labels: tuple[Any, ...]
    models: tuple[Model, ...]
    reasons: tuple[str, ...] = ()
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def n(self) -> int:
        return len(self.frame)

    @property
    def pos_label(self) -> Any:
        """The positive label of a binary task."""
        return self.labels[-1] if self.task == "binary" else None

    @property
    def classifies(self) -> bool:
        """Whether labels are classes."""
        return self.task in ("binary", "multiclass")

    def model(self, name: Any) -> Model:
        """A model by name.

        Raises
        ------
        RoleError
            Unknown model.
        """
        for model in self.models:
            if model.name == str(name):
                return model
        raise RoleError(
            f"There is no model {name!r}. {did_you_mean(name, [m.name for m in self.models], noun='Models')}"
        )

    def codes(self, name: str, role: str) -> Array:
        """Class codes of a label column, −1 where it is missing (cached; one or two bytes a row)."""
        key = ("codes", name)
        if key not in self._cache:
            self._cache[key] = encode_labels(column(self.frame, name, role), self.labels, role)
        return self._cache[key]

    def numbers(self, name: str, role: str) -> Numbers:
        """A column as float64, a block at a time."""
        key = ("numbers", name)
        if key not in self._cache:
            self._cache[key] = Numbers(column(self.frame, name, role), role)
        return self._cache[key]

    @cached_property
    def weight(self) -> Numbers | None:
        """Weights of the rows.

        Raises
        ------
        DataError
            Negative or infinite weights; for frequency weights, fractions.
        """
        name = self.roles.sample_weight
        if name is None:
            return None
        numbers = self.numbers(name, "sample_weight")
        for start in range(0, self.n, BLOCK):
            block = numbers.block(start, start + BLOCK)
            bad = block < 0
            if bad.any():
                at = start + int(np.argmax(bad))
                raise DataError(
                    f"sample_weight column {name!r} has negative weights, such as {block[bad][0]:g} at row {at}. "
                    "Weights must be 0 or more."
                )
            if np.isinf(block).any():
                raise DataError(f"sample_weight column {name!r} has infinite weights. Weights must be finite.")
            if self.roles.weight_kind == "frequency" and (np.nan_to_num(block) % 1 != 0).any():
                raise DataError(
                    f"sample_weight column {name!r} has fractions, but weight_kind='frequency' counts repeated rows. "
                    "Use weight_kind='importance'."
                )
        return numbers

    @cached_property
    def cluster(self) -> tuple[npt.NDArray[np.int64], Array] | None:
        """Code of every row's cluster (−1 if missing) and the cluster labels."""
        if self.roles.cluster is None:
            return None
        series = column(self.frame, self.roles.cluster, "cluster")
        codes, labels = pd.factorize(series)
        return codes.astype(np.int64), np.asarray([str(label) for label in labels], dtype=object)

    @cached_property
    def unit(self) -> tuple[npt.NDArray[np.int64], Array]:
        """Code of every row's unit (role unit, or id; −1 if missing) and the unit labels.

        Raises
        ------
        RoleError
            Neither role is declared.
        """
        name = self.roles.unit if self.roles.unit is not None else self.roles.id
        if name is None:
            raise RoleError(
                "Repeated trials need to know their task: pass unit= (or id=) with the column that names it."
            )
        codes, labels = pd.factorize(column(self.frame, name, "unit"))
        return codes.astype(np.int64), np.asarray([str(label) for label in labels], dtype=object)

    def score_kind(self, model: Model) -> str | None:
        """ "probability" or "margin": declared, or by whether all scores lie in [0, 1].

        Raises
        ------
        DataError
            Scores declared as probabilities that are none.
        """
        if not model.y_score:
            return None
        key = ("kind", model.y_score)
        if key not in self._cache:
            self._cache[key] = self._score_kind(model)
        return self._cache[key]

    def _score_kind(self, model: Model) -> str:
        low, high = math.inf, -math.inf
        for name in model.y_score:
            numbers = self.numbers(name, "y_score")
            for start in range(0, self.n, BLOCK):
                block = numbers.block(start, start + BLOCK)
                block_low, block_high = float(block.min()), float(block.max())
                if not math.isfinite(block_low + block_high):
                    block = block[np.isfinite(block)]
                    if not len(block):
                        continue
                    block_low, block_high = float(block.min()), float(block.max())
                low, high = min(low, block_low), max(high, block_high)
        within = low >= -ROUNDING and high <= 1 + ROUNDING
        if self.roles.score_kind == "probability" and not within and low <= high:
            raise DataError(
                f"y_score of model {model.name!r} is declared as a probability but ranges from {low:g} to {high:g}. "
                "Use score_kind='margin', or turn the scores into probabilities first."
            )
        return self.roles.score_kind or ("probability" if within else "margin")

    def threshold(self, model: Model) -> float:
        """Scores from here on are predicted positive: as declared, or 0.5 for probabilities and 0 for margins."""
        if self.roles.threshold is not None:
            return self.roles.threshold
        return 0.5 if self.score_kind(model) != "margin" else 0.0

    def codes_of_models(self) -> Array:
        """In a long frame, the index of the model of every row (−1: none)."""
        key = ("models",)
        if key not in self._cache:
            assert self.roles.model is not None
            keys = [model.key for model in self.models]
            self._cache[key] = encode_labels(column(self.frame, self.roles.model, "model"), keys, "model")
        return self._cache[key]

    def outcome(self, name: str) -> Outcome:
        """A declared outcome by its column."""
        for outcome in self.roles.outcomes:
            if outcome.column == name:
                return outcome
        raise RoleError(
            f"There is no outcome {name!r}. {did_you_mean(name, [o.column for o in self.roles.outcomes], noun='Outcomes')}"
        )

    def outcome_numbers(self, name: str) -> Floats:
        """Values of an outcome as float64, NaN where there is none (cached)."""
        key = ("outcome", name)
        if key not in self._cache:
            outcome = self.outcome(name)
            series = column(self.frame, name, "outcomes")
            values = _outcome_values(series, name)
            if outcome.error_column is not None:
                values = np.where(self._outcome_failed(outcome), np.nan, values)
            self._cache[key] = values
        return self._cache[key]

    def outcome_missing(self, name: str) -> npt.NDArray[np.bool_]:
        """Whether the evaluation of a row gave no result."""
        if self.outcome(name).kind != "category":
            return np.isnan(self.outcome_numbers(name))
        return column(self.frame, name, "outcomes").isna().to_numpy() | self._outcome_failed(self.outcome(name))

    def _outcome_failed(self, outcome: Outcome) -> npt.NDArray[np.bool_]:
        """Whether the error column of an outcome holds a message (or True)."""
        if outcome.error_column is None:
            return np.zeros(self.n, bool)
        message = column(self.frame, outcome.error_column, "error_column")
        if types.is_bool_dtype(message.dtype):
            return message.to_numpy(dtype=bool, na_value=False)
        return message.notna().to_numpy() & (message.astype(object) != "").to_numpy(dtype=bool, na_value=False)

    def outcome_passed(self, name: str) -> Floats:
        """1 passed, 0 failed, NaN no verdict."""
        outcome, values = self.outcome(name), self.outcome_numbers(name)
        if outcome.pass_at is not None:
            ahead = values >= outcome.pass_at if outcome.better != "lower" else values <= outcome.pass_at
            return np.where(np.isnan(values), np.nan, ahead)
        known = np.unique(values[~np.isnan(values)])
        if not np.isin(known, (0.0, 1.0)).all():
            raise DataError(
                f"Outcome {name!r} is a score from {known[0]:g} to {known[-1]:g}, not a verdict. "
                f"Say from where it passes: Outcome({name!r}, pass_at=0.5)."
            )
        return 1 - values if outcome.better == "lower" else values

    def take(self, frame: pd.DataFrame) -> Bound:
        """The same meaning for other rows: task, labels and kinds of score stay as they are."""
        kinds = {("kind", model.y_score): self.score_kind(model) for model in self.models if model.y_score}
        return Bound(frame, self.roles, self.task, self.labels, self.models, self.reasons, kinds)


class Numbers:
    """A column as float64, converted a block at a time (floats are not copied)."""

    def __init__(self, series: pd.Series, role: str) -> None:
        self._role, self._name = role, series.name
        self._plain = series.to_numpy() if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub" else None
        self._series = series
        if self._plain is None and not types.is_numeric_dtype(series.dtype) and not types.is_bool_dtype(series.dtype):
            self._plain = self._parsed(series)

    def _parsed(self, series: pd.Series) -> Floats:
        """Numbers in an object or text column, if all of them are numbers."""
        if not types.is_object_dtype(series.dtype):
            raise DataError(
                f"{self._role} column {self._name!r} has dtype {series.dtype}; numbers are needed. "
                f"Convert it first: df[{self._name!r}].astype(float)."
            )
        values = series.to_numpy(dtype=object)
        kinds = {type(value) for value in values}
        bad = [
            kind
            for kind in kinds
            if not issubclass(kind, int | float | np.number | np.bool_ | type(None) | type(pd.NA))
        ]
        if bad and not all(issubclass(kind, Decimal) for kind in bad):
            raise DataError(
                f"{self._role} column {self._name!r} holds {bad[0].__name__} values; numbers are needed. "
                f"Convert it first: pd.to_numeric(df[{self._name!r}])."
            )
        return np.array([np.nan if value is None or value is pd.NA else float(value) for value in values])

    def block(self, start: int, stop: int) -> Floats:
        """Rows start..stop as float64; NaN where missing."""
        if self._plain is not None:
            return self._plain[start:stop].astype(np.float64, copy=False)
        return self._series.iloc[start:stop].to_numpy(dtype=np.float64, na_value=np.nan)

    def all(self) -> Floats:
        """The whole column."""
        return self.block(0, len(self._series))


def bind(frame: pd.DataFrame, roles: Roles) -> Bound:
    """Resolve roles against a frame.

    Raises
    ------
    RoleError
        A column is missing, ambiguous or contradicts another.
    DataError
        The values cannot play their role.
    """
    for role in ("y_true", "sample_weight", "cluster", "unit", "id", "model", "fold", "repeat", "time", "release"):
        if getattr(roles, role) is not None:
            column(frame, getattr(roles, role), role)
    roles = replace(roles, outcomes=tuple(_completed(outcome, frame) for outcome in roles.outcomes))
    if roles.y_true is None:
        return _without_labels(frame, roles)
    truth = column(frame, roles.y_true, "y_true")
    preds = _prediction_columns(roles.y_pred)
    single_score = roles.y_score is not None and not _per_class(roles, frame)
    task, reason = _task(roles, frame, truth, preds, single_score)
    if task in ("multilabel", "clustering"):
        raise RoleError(f"task={task!r} is not supported yet. Tasks: 'binary', 'multiclass', 'regression'.")
    if task == "regression":
        if roles.y_score is not None:
            raise RoleError(
                "A regression has predictions, not scores: pass y_pred= instead of y_score=. If y_true holds classes, "
                "say task='binary' or task='multiclass'."
            )
        return Bound(frame, roles, task, (), find_models(roles, frame, (), False), (reason,))
    labels, label_reason = _labels(roles, frame, truth, preds, task)
    if task == "binary" and len(labels) > 2:
        task, reason = "multiclass", f"{len(labels)} classes have a score"
    models = find_models(roles, frame, labels, task == "multiclass")
    if roles.threshold is not None and any(model.y_pred for model in models):
        raise RoleError("Both y_pred and threshold= are given. Drop y_pred to cut the scores at the threshold.")
    return Bound(frame, roles, task, labels, models, (reason, label_reason))


def _without_labels(frame: pd.DataFrame, roles: Roles) -> Bound:
    if not roles.outcomes:
        hint = did_you_mean("y_true", frame.columns, noun="Columns")
        raise RoleError(
            "Which column holds the truth? Pass y_true='…' (and y_score= or y_pred=), or outcomes=[...] for score "
            f"columns made by evaluators or people. {hint}"
        )
    models = _long_models(roles, frame)
    return Bound(frame, roles, "outcomes", (), models, ("no y_true, so the outcomes are evaluated",))


def _long_models(roles: Roles, frame: pd.DataFrame) -> tuple[Model, ...]:
    if roles.model is None:
        return (Model(roles.outcomes[0].column if len(roles.outcomes) == 1 else "outcomes"),)
    return find_models(replace(roles, y_pred=None, y_score=None), frame, (), False)


def _completed(outcome: Outcome, frame: pd.DataFrame) -> Outcome:
    """Fill kind, and the error column that `annotate` writes, from the frame."""
    series = column(frame, outcome.column, "outcomes")
    kind = outcome.kind
    if kind is None:
        numeric = types.is_numeric_dtype(series.dtype) and not types.is_bool_dtype(series.dtype)
        values = set() if numeric else {_word(value) for value in _found_labels(series, "outcomes")[:20]}
        kind = "score" if numeric and outcome.kind is None else "pass" if values <= {0, 1, *VERDICTS} else "category"
    if outcome.error_column is not None:
        column(frame, outcome.error_column, "error_column")
    return replace(outcome, kind=kind)


def _word(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _outcome_values(series: pd.Series, name: str) -> Floats:
    if types.is_bool_dtype(series.dtype) or types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.full(len(series), np.nan)
    known = series.notna().to_numpy()
    for i, value in zip(np.flatnonzero(known), series[known].to_numpy(dtype=object), strict=True):
        if isinstance(value, bool | int | float | np.number | np.bool_):
            values[i] = float(value)
        elif isinstance(value, str) and _word(value) in VERDICTS:
            values[i] = VERDICTS[_word(value)]
        else:
            raise DataError(
                f"Outcome {name!r} holds {value!r}, which is neither a number nor a verdict (pass/fail, true/false, yes/no). "
                f"Map it first, for instance df[{name!r}] == {value!r}."
            )
    return values


def _per_class(roles: Roles, frame: pd.DataFrame) -> bool:
    """Whether some model has one score per class."""
    value = roles.y_score
    specs = [spec for _, spec in value[1]] if isinstance(value, tuple) and value[:1] == ("models",) else [value]
    return any(
        isinstance(s, tuple) or (isinstance(s, str) and "{label}" in s and s not in frame.columns) for s in specs
    )


def _prediction_columns(value: Any) -> list[str]:
    if value is None:
        return []
    return [spec for _, spec in value[1]] if isinstance(value, tuple) and value[:1] == ("models",) else [value]


def _task(
    roles: Roles, frame: pd.DataFrame, truth: pd.Series, preds: Sequence[str], single_score: bool
) -> tuple[str, str]:
    """The task, and why: our own rule, which knows missing values and looks at the predictions too."""
    if roles.task is not None:
        return roles.task, "as declared"
    if roles.y_lower is not None or roles.y_upper is not None:
        return "regression", "interval columns are given"
    dtype = truth.dtype
    if types.is_bool_dtype(dtype):
        return "binary", "y_true is Boolean"
    if types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        raise RoleError(f"y_true column {truth.name!r} holds times, which no metric here can judge.")
    if not types.is_numeric_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        if types.is_object_dtype(dtype) and _all_numbers(truth):
            return _task(roles, frame, _as_numbers(truth), preds, single_score)
        count = len(_found_labels(truth, "y_true"))
        if roles.labels is not None:
            count = len(roles.labels)
        declared = roles.pos_label is not None or single_score
        task = "binary" if count <= 2 and (declared or count == 2) else "multiclass"
        if _per_class(roles, frame) and count < 2:
            task = "multiclass"
        return task, f"y_true has {count} text label{'s' * (count != 1)}"
    if types.is_complex_dtype(dtype):
        raise DataError(f"y_true column {truth.name!r} holds complex numbers, which no metric here can judge.")
    numbers = np.asarray(_distinct(truth), dtype=float)
    values = numbers = numbers[np.isfinite(numbers)]  # infinite values count as missing
    if (numbers % 1 != 0).any():
        return "regression", "y_true has fractions"
    for name in preds:
        series = _as_numbers(column(frame, name, "y_pred"))
        if types.is_float_dtype(series.dtype):
            predicted = series.to_numpy(dtype=float, na_value=np.nan)
            if (predicted[np.isfinite(predicted)] % 1 != 0).any():
                return "regression", f"y_true has whole numbers but y_pred {name!r} has fractions"
        elif not types.is_numeric_dtype(series.dtype):
            return ("binary" if len(values) <= 2 else "multiclass"), "y_pred holds text labels"
    if roles.labels is not None:
        return ("binary" if len(roles.labels) == 2 else "multiclass"), f"{len(roles.labels)} labels are declared"
    if roles.pos_label is not None or (single_score and len(values) <= 2):
        return (
            "binary",
            "a positive label is declared"
            if roles.pos_label is not None
            else f"y_true has {len(values)} values and there is one score",
        )
    if _per_class(roles, frame):
        return ("binary" if len(values) <= 2 else "multiclass"), "there is one score per class"
    if len(values) <= 2 and set(numbers.tolist()) <= {0.0, 1.0, -1.0}:
        return "binary", f"y_true holds {sorted(numbers.tolist())}"
    if single_score:
        raise RoleError(
            f"y_true has {len(values)} distinct values but there is one score column. For classes pass one score per class "
            "(y_score='p_{label}'); for a regression pass y_pred= instead of y_score=."
        )
    few = len(values) <= min(MANY_CLASSES, max(2, math.isqrt(max(len(truth), 1))))
    if preds and few and _same_values(frame, preds, numbers):
        return (
            "binary" if len(values) <= 2 else "multiclass"
        ), f"y_true and y_pred hold the same {len(values)} whole numbers"
    return "regression", f"y_true holds {len(values)} whole numbers"


def _distinct(series: pd.Series) -> Any:
    """Values that occur, without missing ones; whole numbers of a small range are counted instead of hashed."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iu" and len(series):
        values = series.to_numpy()
        low, high = int(values.min()), int(values.max())
        if high - low < 1 << 16:
            present = np.zeros(high - low + 1, bool)
            for start in range(0, len(values), BLOCK):
                present[values[start : start + BLOCK].astype(np.int64) - low] = True
            return np.flatnonzero(present) + low
    return pd.unique(series.dropna())


def _all_numbers(series: pd.Series) -> bool:
    kinds = (int, float, np.number, Decimal)
    return all(isinstance(v, kinds) and not isinstance(v, bool) for v in series.dropna().to_numpy())


def _as_numbers(series: pd.Series) -> pd.Series:
    """A column of Python's numbers as float64; any other column as it is."""
    if not types.is_object_dtype(series.dtype) or not _all_numbers(series):
        return series
    return series.where(series.notna(), np.nan).astype(float)


def _same_values(frame: pd.DataFrame, preds: Sequence[str], known: Floats) -> bool:
    """Whether predictions hold no number far outside the labels'."""
    for name in preds:
        predicted = np.asarray(_distinct(column(frame, name, "y_pred")), dtype=float)
        if len(predicted) > MANY_CLASSES or not np.isin(predicted, known).mean() >= 0.5:
            return False
    return True


def _labels(
    roles: Roles, frame: pd.DataFrame, truth: pd.Series, preds: Sequence[str], task: str
) -> tuple[tuple[Any, ...], str]:
    """Classes in order (the positive one last in a binary task), and how they were found."""
    if roles.labels is not None:
        labels = list(roles.labels)
        if len(set(map(_key, labels))) != len(labels):
            raise RoleError(f"labels={labels!r} names a label twice.")
        reason = "labels as declared"
    else:
        labels = _found_labels(truth, "y_true")
        seen = {_key(label) for label in labels}
        for name in preds:
            series = column(frame, name, "y_pred")
            more = _found_labels(series, "y_pred")
            _check_kinds(labels, more, truth, series)
            labels += [label for label in more if _key(label) not in seen]
            seen |= {_key(label) for label in more}
        labels = _ordered(labels, truth)
        labels = _with_pattern(labels, roles, frame, task)
        reason = "labels as they occur"
    if task == "binary" and roles.task is None and len(labels) > 2 and _per_class(roles, frame):
        task = "multiclass"  # two classes occur, but more have a score
    if task != "binary":
        if len(labels) < 2:
            raise RoleError(
                f"y_true column {truth.name!r} holds {f'one label only, {labels[0]!r}' if labels else 'no labels'}. "
                "Pass labels=[...] with all classes."
            )
        return tuple(labels), reason
    return _binary_labels(labels, roles, truth), reason


def _binary_labels(labels: list[Any], roles: Roles, truth: pd.Series) -> tuple[Any, ...]:
    """(negative, positive)."""
    if len(labels) > 2:
        raise RoleError(
            f"A binary task has two labels, but y_true and y_pred hold {len(labels)}: {labels[:6]!r}. "
            "Is it task='multiclass'? Or pass labels=[negative, positive]."
        )
    positive = roles.pos_label
    if positive is not None:
        known = [label for label in labels if _key(label) == _key(positive)]
        if not known and len(labels) == 2:
            close = did_you_mean(positive, labels)
            close = f" {close}" if close else ""
            if any(str(label) == str(positive) for label in labels):
                close = f" The labels are of type {type(labels[0]).__name__}; pass pos_label={labels[[str(x) for x in labels].index(str(positive))]!r}."
            raise RoleError(f"pos_label={positive!r} is not a label of {truth.name!r}: {labels!r}.{close}")
        others = [label for label in labels if _key(label) != _key(positive)]
        return (others[0] if others else stand_in(positive), known[0] if known else positive)
    if roles.labels is not None:
        return tuple(labels)
    keys = {_key(label) for label in labels}
    for pair in ((0.0, 1.0), (-1.0, 1.0)):
        if keys <= set(pair):
            if len(labels) == 2:
                return tuple(sorted(labels, key=_key))
            return tuple(type(labels[0])(value) if labels else int(value) for value in pair)
    raise RoleError(
        f"Which label of {truth.name!r} is the positive one? Labels: {labels!r}. "
        f"Pass pos_label={labels[-1] if labels else 1!r}."
    )


def _with_pattern(labels: list[Any], roles: Roles, frame: pd.DataFrame, task: str) -> list[Any]:
    """Add classes that have a score column but occur in no row, if the scores then sum to one."""
    texts = pattern_labels(roles, frame)
    missing = [text for text in texts if text not in {str(label) for label in labels}]
    if not missing or not _per_class(roles, frame) or not set(map(str, labels)) <= set(texts):
        return labels
    value = roles.y_score
    spec = value[1][0][1] if isinstance(value, tuple) and value[:1] == ("models",) else value
    head = frame.iloc[:1000]
    total = sum(head[spec.replace("{label}", text)].to_numpy(dtype=float, na_value=np.nan) for text in texts)
    if len(head) and np.nanmax(np.abs(total - 1)) < 1e-3:
        kind = type(labels[0]) if labels else str
        return _ordered(
            [*labels, *[kind(text) if kind in (int, float) else text for text in missing]], pd.Series(dtype=object)
        )
    return labels


def _found_labels(series: pd.Series, role: str) -> list[Any]:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        used = np.unique(series.cat.codes.to_numpy())
        return [_tidy(value) for value in dtype.categories[used[used >= 0]]]
    try:
        values = _distinct(series)
    except TypeError:
        raise DataError(
            f"{role} column {series.name!r} holds unhashable values, such as lists; labels are needed."
        ) from None
    found = [_tidy(value) for value in values]
    return [label for label in found if not (isinstance(label, float) and not math.isfinite(label))]


def _tidy(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _key(label: Any) -> Any:
    """Equal for labels that mean the same: 1, 1.0 and True, but not "1"."""
    return float(label) if isinstance(label, int | float | np.number | np.bool_) else label


def _ordered(labels: list[Any], truth: pd.Series) -> list[Any]:
    if isinstance(truth.dtype, pd.CategoricalDtype) and truth.dtype.ordered:
        order = {_key(_tidy(value)): i for i, value in enumerate(truth.dtype.categories)}
        return sorted(labels, key=lambda label: order.get(_key(label), len(order)))
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda label: (isinstance(label, str), str(label)))


def _check_kinds(labels: list[Any], more: list[Any], truth: pd.Series, pred: pd.Series) -> None:
    """Refuse "1" against 1, which would make every row an error."""
    texts = [{isinstance(label, str) for label in group} for group in (labels, more)]
    if labels and more and texts[0].isdisjoint(texts[1]):
        kind = "str" if True in texts[0] else "float" if any(isinstance(v, float) for v in labels) else "int"
        raise RoleError(
            f"y_true column {truth.name!r} holds {labels[0]!r} ({type(labels[0]).__name__}) and y_pred column {pred.name!r} "
            f"holds {more[0]!r} ({type(more[0]).__name__}): they would never agree. "
            f"Convert one: df[{pred.name!r}] = df[{pred.name!r}].astype({kind})."
        )


def encode_labels(series: pd.Series, labels: Sequence[Any], role: str) -> Array:
    """Codes 0..K−1 of a label column, −1 where missing, in the smallest integers that hold them.

    Raises
    ------
    DataError
        A value that is not in `labels`.
    """
    kind = np.int8 if len(labels) < 127 else np.int16 if len(labels) < 32767 else np.int32
    out = np.empty(len(series), kind)
    dtype = series.dtype
    lookup = {_key(label): i for i, label in enumerate(labels)}

    def place(values: Any) -> Array:
        found = []
        for value in values:
            code = lookup.get(_key(_tidy(value)))
            if code is None:
                if isinstance(value, float) and not math.isfinite(value):
                    code = MISSING
                else:
                    raise DataError(
                        f"{role} column {series.name!r} holds {value!r}, which is not one of labels={list(labels)!r}. "
                        "Add it to labels= or drop those rows."
                    )
            found.append(code)
        return np.array([*found, MISSING], kind)  # the last serves code −1

    if isinstance(dtype, pd.CategoricalDtype):
        codes = series.cat.codes.to_numpy()
        used = np.unique(codes)
        table = np.full(len(dtype.categories) + 1, MISSING, kind)
        table[used[used >= 0]] = place(dtype.categories[used[used >= 0]])[:-1]
        return np.take(table, codes, out=out, mode="wrap")
    if isinstance(dtype, np.dtype) and dtype.kind == "b" and len(labels) == 2 and set(lookup) == {0.0, 1.0}:
        flags = series.to_numpy()
        return flags.astype(kind) if lookup[1.0] == 1 else (~flags).astype(kind)
    for start in range(0, len(series), BLOCK):
        part = series.iloc[start : start + BLOCK]
        if isinstance(dtype, np.dtype) and dtype.kind in "iu" and len(part):
            values = part.to_numpy()
            low, high = int(values.min()), int(values.max())
            if high - low < 1 << 16:
                shifted = values.astype(np.int64) - low
                present = np.flatnonzero(np.bincount(shifted, minlength=high - low + 1))
                table = np.full(high - low + 1, MISSING, kind)
                table[present] = place((present + low).tolist())[:-1]
                np.take(table, shifted, out=out[start : start + BLOCK])
                continue
        codes, uniques = pd.factorize(part)
        np.take(place(uniques), codes, out=out[start : start + BLOCK], mode="wrap")
    return out
