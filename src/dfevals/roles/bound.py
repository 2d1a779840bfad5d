"""Roles resolved against one frame: the task, the labels, the models, and the columns as numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from dfevals.cohorts import Cohorts, resolve
from dfevals.cohorts.plain import columns_of
from dfevals.columns.numbers import BLOCK, VERDICTS, Numbers, contents, outcome_values, verdict_word
from dfevals.exceptions import DataError, MetricError, RoleError, did_you_mean
from dfevals.expressions import Expression
from dfevals.roles.declared import Model, Outcome, Roles, column, specs
from dfevals.roles.labels import encode_labels, find_labels, found_labels
from dfevals.roles.meaning import Meaning
from dfevals.roles.models import find_models, has_score_per_class, unlabelled_lists
from dfevals.roles.scores import Spread, spread
from dfevals.roles.tasks import find_task
from dfevals.roles.weights import weight_range

__all__ = ["BLOCK", "Bound", "bind"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
SUM_ROUNDING = 1e-2  # sums of probabilities this far from one are rounding (two digits are often kept)


@dataclass(frozen=True)
class Bound(Meaning):
    """What the roles mean for this frame, and its columns as codes and numbers; `n` is the number of rows.

    `held` is the frame; `dfevals.roles.streamed.StreamBound` holds what reads it instead.
    """

    held: Any = field(kw_only=True)
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False, kw_only=True)

    @classmethod
    def of(cls, frame: pd.DataFrame, meaning: Meaning, known: dict[Any, Any] | None = None) -> Bound:
        """The columns of a frame under a meaning; `known` is what other rows have settled."""
        settled = {part.name: getattr(meaning, part.name) for part in fields(Meaning)}
        return cls(**settled, held=frame, _cache=known or {})

    @property
    def meaning(self) -> Meaning:
        """What the roles mean, without rows: small, and may be sent elsewhere."""
        return Meaning(**{part.name: getattr(self, part.name) for part in fields(Meaning)})

    @property
    def frame(self) -> pd.DataFrame:
        """All rows and columns."""
        found: pd.DataFrame = self.held
        return found

    @property
    def head(self) -> pd.DataFrame:
        """Rows that show which columns there are and of which types; the values of others are not to be read from it."""
        return self.frame

    @property
    def n(self) -> int:
        return len(self.frame)

    @property
    def index(self) -> pd.Index:
        """Names of the rows."""
        return self.frame.index

    @property
    def has_rows(self) -> bool:
        """Whether rows can be read, which those of a tally cannot."""
        return True

    @property
    def engine(self) -> str:
        """How the rows are read, in words."""
        return "pandas"

    def series(self, name: Any, role: str) -> pd.Series:
        """One column of all rows; a RoleError where there is none of that name."""
        return column(self.frame, name, role)

    def rows(self, at: Array) -> pd.DataFrame:
        """Rows by place or mask, with all columns."""
        return self.frame.iloc[at]

    def at(self, places: Array) -> Bound:
        """The same meaning for the rows at these places."""
        return self.take(self.rows(places))

    def mask(self, condition: Expression) -> npt.NDArray[np.bool_]:
        """Which rows a condition selects."""
        return condition.mask(self.frame)

    def cohorts(self, by: Any, min_n: int | None = None) -> Cohorts:
        """Cohorts of these rows."""
        return resolve(by, self.frame, min_n=min_n)

    @cached_property
    def columns(self) -> tuple[Any, ...]:
        """Every column that a role reads, once, in the order of the roles."""
        outcomes = [name for o in self.roles.outcomes for name in (o.column, o.error_column) if name is not None]
        models = [name for model in self.models for name in model.columns]
        cohorts = [name for item in self.roles.cohorts for name in columns_of(item, self.head)]
        return tuple(dict.fromkeys([*self.roles.single().values(), *models, *outcomes, *cohorts]))

    @property
    def ordered(self) -> bool:
        """Whether the order of the labels means something: as declared, of numbers, of an ordered categorical."""
        dtype = None if self.roles.y_true is None else self.head[self.roles.y_true].dtype
        known = isinstance(dtype, pd.CategoricalDtype) and dtype.ordered
        numbers = not any(isinstance(label, str) for label in self.labels)
        return len(self.labels) <= 2 or self.roles.labels is not None or numbers or bool(known)

    def codes(self, name: str, role: str) -> Array:
        """Class codes of a label column, −1 where it is missing (cached; one or two bytes a row)."""
        key = ("codes", name)
        if key not in self._cache:
            self._cache[key] = encode_labels(self.series(name, role), self.labels, role)
        return self._cache[key]

    def numbers(self, name: str, role: str) -> Numbers:
        """A column as float64, a block at a time."""
        key = ("numbers", name)
        if key not in self._cache:
            self._cache[key] = Numbers(self.series(name, role), role)
        return self._cache[key]

    @cached_property
    def weight(self) -> Numbers | None:
        """Weights of the rows; None where there are none, or where importance weights are all equal and so say nothing.

        Raises
        ------
        DataError
            Negative or infinite weights; for frequency weights, fractions.
        """
        name = self.roles.sample_weight
        if name is None:
            return None
        equal = self._cache.get("equal weights")
        numbers = self.numbers(name, "sample_weight")
        if equal is None:
            equal = weight_range(numbers, self.n, self.roles).equal(self.roles)
        return None if equal and not self.additive else numbers

    @cached_property
    def incomplete(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Rows without a value that every row needs (weight, cluster, fold, …), by reason; a row has one reason."""
        found: dict[str, npt.NDArray[np.bool_]] = {}
        for role, name in self.roles.needed().items():
            missing = self.series(name, role).isna().to_numpy(bool)
            for other in found.values():
                missing = missing & ~other
            if missing.any():
                found[f"missing {role} ({name})"] = missing
        return found

    @cached_property
    def complete(self) -> npt.NDArray[np.bool_]:
        """Rows that have all such values; only they can be judged."""
        found = np.ones(self.n, bool)
        for missing in self.incomplete.values():
            found &= ~missing
        return found

    @cached_property
    def has_model(self) -> npt.NDArray[np.bool_]:
        """In a long frame, rows that belong to a model."""
        assert self.roles.model is not None
        return self.series(self.roles.model, "model").notna().to_numpy(bool)

    @property
    def incomplete_counts(self) -> dict[str, int]:
        """How many rows have no such value, by reason."""
        return {reason: int(missing.sum()) for reason, missing in self.incomplete.items()}

    def incomplete_note(self) -> list[str]:
        """What to say of rows that no model is judged on, because such a value is missing."""
        counts = self.incomplete_counts
        total = sum(counts.values())
        parts = "; ".join(f"{count:,} {reason}" for reason, count in counts.items())
        return [f"{total:,} row{'s' * (total != 1)} left out: {parts}."] if total else []

    @cached_property
    def cluster(self) -> tuple[npt.NDArray[np.int64], Array] | None:
        """Code of every row's cluster (−1 if missing) and the cluster labels; None where rows are independent.

        Clusters are those of the role `cluster`; else units, whose rows are trials of one task; else, with repeats of a
        cross-validation, the rows that the repeats have in common: many repeats do not make data.

        Raises
        ------
        RoleError
            It is not known which rows of the repeats are the same.
        """
        return None if self.alone else self._clusters()

    def _clusters(self) -> tuple[npt.NDArray[np.int64], Array] | None:
        name = self.roles.cluster if self.roles.cluster is not None else self.roles.unit
        if name is not None:
            series: pd.Series | pd.Index | None = self.series(name, "cluster")
        else:
            series = self._repeated()
        if series is None:
            return None
        codes, labels = pd.factorize(series)
        return codes.astype(np.int64), np.asarray([str(label) for label in labels], dtype=object)

    @property
    def dependence(self) -> str:
        """Which rows are not independent, as the subject of a sentence; empty where all are."""
        name = self.roles.cluster if self.roles.cluster is not None else self.roles.unit
        if self.cluster is None:
            return ""
        return "Repeats of one row" if name is None else f"Rows of one {name!r}"

    def _repeated(self) -> pd.Series | pd.Index | None:
        """What names the row behind every repeat: the role id, or the index; None where nothing is repeated."""
        roles = self.roles
        if roles.repeat is None:
            return None
        repeat = self.series(roles.repeat, "repeat")
        if repeat.nunique() < 2:
            return None
        if roles.id is not None:
            return self.series(roles.id, "id")
        index = self.index
        keys: dict[str, Any] = {"row": pd.factorize(index)[0], "repeat": repeat.to_numpy()}
        if roles.model is not None:
            keys["model"] = self.codes_of_models()
        twice = pd.DataFrame(keys).duplicated().any()
        if index.is_unique or twice:
            raise RoleError(
                f"repeat={roles.repeat!r} says that rows occur in several repeats, but not which of them are the same row: "
                "the index names every row once. Pass id= with the column that names the row (or keep the index of "
                "dfevals.cross_validate, which does)."
                if index.is_unique
                else f"The index repeats within a value of repeat={roles.repeat!r}, so it does not name the rows. Pass id= "
                "with the column that does."
            )
        return index

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
        codes, labels = pd.factorize(self.series(name, "unit"))
        return codes.astype(np.int64), np.asarray([str(label) for label in labels], dtype=object)

    def score_kind(self, model: Model) -> str | None:
        """ "probability" or "margin", declared or by where the scores lie; "unclear" where neither can be told.

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
        found = self._spread(model)
        if self.roles.score_kind == "probability" and not found.within:
            raise DataError(
                f"y_score of model {model.name!r} is declared as a probability but ranges from {found.low:g} to "
                f"{found.high:g}: {found.outside:,} of {found.n:,} lie outside [0, 1], the first {found.place}. "
                "Use score_kind='margin', or turn the scores into probabilities first."
            )
        return self.roles.score_kind or found.kind(self.task == "binary")

    def _spread(self, model: Model) -> Spread:
        return spread([(name, self.numbers(name, "y_score")) for name in model.y_score], self.n)

    def decides(self, model: Model) -> bool:
        """Whether it is known what a model predicts: it says so, or its scores can be cut."""
        if model.y_pred is not None or not model.y_score:
            return model.y_pred is not None
        cut = self.task == "binary" and self.roles.threshold is not None
        return self.classifies and (cut or self.score_kind(model) != "unclear")

    def doubt(self, model: Model) -> str:
        """Why decisions of a model are left out, and the fix; empty where they are not."""
        if not self.classifies or not model.y_score or self.decides(model):
            return ""
        key = ("doubt", model.y_score)
        if key not in self._cache:
            self._cache[key] = self._spread(model).doubt(model.name)
        return self._cache[key]

    def unbalanced(self, model: Model) -> int:
        """Rows whose probabilities of all classes do not sum to one (cached); 0 where there are no such probabilities."""
        if self.task != "multiclass" or len(model.y_score) < 2 or self.score_kind(model) != "probability":
            return 0
        key = ("unbalanced", model.y_score)
        if key not in self._cache:
            columns = [self.numbers(name, "y_score") for name in model.y_score]
            self._cache[key] = 0
            for start in range(0, self.n, BLOCK):
                total = np.zeros(min(BLOCK, self.n - start))
                for numbers in columns:
                    total += numbers.block(start, start + BLOCK)
                self._cache[key] += int((np.abs(total - 1) > SUM_ROUNDING).sum())
        return self._cache[key]

    def threshold(self, model: Model) -> float:
        """Scores from here on are predicted positive: as declared, or 0.5 for probabilities and 0 for margins.

        Raises
        ------
        MetricError
            The scores do not tell.
        """
        if self.roles.threshold is not None:
            return self.roles.threshold
        doubt = self.doubt(model)
        if doubt:
            raise MetricError(doubt)
        return 0.5 if self.score_kind(model) != "margin" else 0.0

    def codes_of_models(self) -> Array:
        """In a long frame, the index of the model of every row (−1: none)."""
        keys = tuple(model.key for model in self.models)
        key = ("models", keys)  # the cache is shared with the same frame under fewer models
        if key not in self._cache:
            assert self.roles.model is not None
            series = self.series(self.roles.model, "model")
            known = series.dropna().unique().tolist()
            codes = encode_labels(series, known, "model")
            index = np.array([*(keys.index(k) if k in keys else -1 for k in known), -1], codes.dtype)
            self._cache[key] = index[codes]
        return self._cache[key]

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What to know of numbers made from these columns: durations become seconds."""
        times = [o.column for o in self.roles.outcomes if contents(self.head[o.column]) == "durations"]
        return (f"Durations are in seconds: {', '.join(map(str, times))}.",) if times else ()

    def outcome_numbers(self, name: str) -> Floats:
        """Values of an outcome as float64, NaN where there is none (cached)."""
        key = ("outcome", name)
        if key not in self._cache:
            outcome = self.outcome(name)
            series = self.series(name, "outcomes")
            values = outcome_values(series, name)
            if outcome.error_column is not None:
                values = np.where(self._outcome_failed(outcome), np.nan, values)
            self._cache[key] = values
        return self._cache[key]

    def outcome_missing(self, name: str) -> npt.NDArray[np.bool_]:
        """Whether the evaluation of a row gave no result."""
        if self.outcome(name).kind != "category":
            return np.isnan(self.outcome_numbers(name))
        return self.series(name, "outcomes").isna().to_numpy() | self._outcome_failed(self.outcome(name))

    def _outcome_failed(self, outcome: Outcome) -> npt.NDArray[np.bool_]:
        """Whether the error column of an outcome holds a message (or True)."""
        if outcome.error_column is None:
            return np.zeros(self.n, bool)
        message = self.series(outcome.error_column, "error_column")
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
            verdicts = f"{name}_passed"
            beside = any(other.column == verdicts for other in self.roles.outcomes)
            raise DataError(
                f"Outcome {name!r} is a score from {known[0]:g} to {known[-1]:g}, not a verdict. "
                + (f"Its verdicts are the outcome {verdicts!r}: ask for that one, or say" if beside else "Say")
                + f" from where it passes: Outcome({name!r}, pass_at=0.5)."
            )
        return 1 - values if outcome.better == "lower" else values

    def take(self, frame: pd.DataFrame) -> Bound:
        """The same meaning for other rows: task, labels and kinds of score stay as they are."""
        scored = [model for model in self.models if model.y_score]
        kinds: dict[Any, Any] = {("kind", model.y_score): self.score_kind(model) for model in scored}
        kinds |= {("doubt", model.y_score): self.doubt(model) for model in scored if self.doubt(model)}
        return Bound.of(frame, self, kinds)


def bind(frame: pd.DataFrame, roles: Roles) -> Bound:
    """Resolve roles against a frame.

    Raises
    ------
    RoleError
        A column is missing, ambiguous or contradicts another.
    DataError
        The values cannot play their role.
    """
    for role, name in roles.single().items():
        column(frame, name, role)
    for item in roles.cohorts:
        for name in columns_of(item, frame):
            column(frame, name, "cohorts")
    roles = replace(roles, outcomes=tuple(_completed(outcome, frame) for outcome in roles.outcomes))
    if roles.y_true is None:
        return _without_labels(frame, roles)
    truth = column(frame, roles.y_true, "y_true")
    preds = specs(roles.y_pred)
    single_score = roles.y_score is not None and not has_score_per_class(roles, frame)
    task, reason = find_task(roles, frame, truth, preds, single_score)
    if task in ("multilabel", "clustering"):
        raise RoleError(f"task={task!r} is not supported yet. Tasks: 'binary', 'multiclass', 'regression'.")
    if task == "regression":
        if roles.y_score is not None:
            raise RoleError(
                "A regression has predictions, not scores: pass y_pred= instead of y_score=. If y_true holds classes, "
                "say task='binary' or task='multiclass'."
            )
        return Bound(roles, task, (), find_models(roles, frame, (), False), (reason,), held=frame)
    labels, label_reason = find_labels(roles, frame, truth, preds, task)
    if task == "binary" and len(labels) > 2:
        task, reason = "multiclass", f"{len(labels)} classes have a score"
    models = find_models(roles, frame, labels, task == "multiclass")
    if roles.threshold is not None and any(model.y_pred for model in models):
        raise RoleError("Both y_pred and threshold= are given. Drop y_pred to cut the scores at the threshold.")
    matched = ("score columns matched to the labels by their names",) if unlabelled_lists(roles) else ()
    return Bound(roles, task, labels, models, (reason, label_reason, *matched), held=frame)


def _without_labels(frame: pd.DataFrame, roles: Roles) -> Bound:
    if not roles.outcomes:
        hint = did_you_mean("y_true", frame.columns, noun="Columns")
        raise RoleError(
            "Which column holds the truth? Pass y_true='…' (and y_score= or y_pred=), or outcomes=[...] for score "
            f"columns made by evaluators or people. {hint}"
        )
    models = _long_models(roles, frame)
    return Bound(roles, "outcomes", (), models, ("no y_true, so the outcomes are evaluated",), held=frame)


def _long_models(roles: Roles, frame: pd.DataFrame) -> tuple[Model, ...]:
    if roles.model is None:
        return (Model(roles.outcomes[0].column if len(roles.outcomes) == 1 else "outcomes"),)
    return find_models(replace(roles, y_pred=None, y_score=None), frame, (), False)


def _completed(outcome: Outcome, frame: pd.DataFrame) -> Outcome:
    """Fill kind, and the error column that `annotate` writes, from the frame."""
    series = column(frame, outcome.column, "outcomes")
    kind = outcome.kind
    if kind is None:
        numeric = contents(series) in ("numbers", "durations")
        values = set() if numeric else {verdict_word(value) for value in found_labels(series, "outcomes")[:20]}
        kind = "score" if numeric else "pass" if values <= {0, 1, *VERDICTS} else "category"
    if outcome.error_column is not None:
        column(frame, outcome.error_column, "error_column")
    return replace(outcome, kind=kind)
