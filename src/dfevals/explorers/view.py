"""An evaluation as an explorer looks at it: which rows a state selects, and the evaluation under the state's threshold."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from dfevals.analyses.worst import losses
from dfevals.cohorts import Cohorts, resolve
from dfevals.engines.block import Block, validity
from dfevals.evaluation import Evaluation
from dfevals.exceptions import check_choice, did_you_mean
from dfevals.explorers.dimensions import choices, from_plain, to_plain
from dfevals.explorers.reading.text_roles import has_texts
from dfevals.explorers.state import State, StateError
from dfevals.roles.bound import BLOCK, Bound
from dfevals.roles.declared import Model
from dfevals.words import visible

__all__ = ["View"]

Mask = npt.NDArray[np.bool_]
_T = TypeVar("_T")
ROWS_OF_A_GROUP = 5  # on average, in the cohorts of a first view
KEPT = 24  # things remembered of the latest states


class View:
    """Rows and cohorts of one evaluation; everything costly is remembered for the latest states."""

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self.bound: Bound = evaluation._bound
        self._kept: dict[Hashable, tuple[Any]] = {}

    def keep(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What `make` returns, made once per key; what was not asked for longest is forgotten first."""
        # Each line changes the store in one step: cells of the user and questions of the page run in different threads.
        kept = self._kept.pop(key, None)
        found: _T = make() if kept is None else kept[0]
        self._kept[key] = (found,)
        for oldest in list(self._kept)[:-KEPT]:
            self._kept.pop(oldest, None)
        return found

    # What a state may say

    @property
    def task(self) -> str:
        """The evaluation's task."""
        return self.bound.task

    @property
    def views(self) -> tuple[str, ...]:
        """Tabs that this evaluation has."""
        found: list[str] = []
        if self.bound.classifies:
            found.append("confusion")
        if self.task == "multiclass":
            found.append("pairs")
        if self.task == "binary" and any(model.y_score for model in self.bound.models):
            found += ["roc", "pr", "calibration", "gains"]
        if self.task == "regression":
            found.append("residuals")
        if len(self.bound.models) > 1 and self.task != "outcomes":
            found.append("compare")
        if self.bound.roles.fold is not None:
            found.append("folds")
        if self.bound.roles.outcomes:
            found.append("outcomes")
        if self.keep("has texts", lambda: has_texts(self.bound, self.columns)):
            found.append("text")
        return (*found, "rate")

    def complete(self, state: State) -> State:
        """The state with what was left open filled in.

        Raises
        ------
        StateError, CohortError, ExpressionError, MetricError
            A model, metric, cohort or column that this evaluation does not have.
        """
        bound, state = self.bound, dict(state)
        names = [model.name for model in bound.models]
        if not names:
            raise StateError("There is nothing to explore: no predictions, scores or outcomes are declared.")
        state["model"] = names[0] if state["model"] is None else state["model"]
        for key in ("model", "against"):
            if state[key] is not None:
                check_choice(key, state[key], names, StateError)
        if state["against"] is None and len(names) > 1:
            state["against"] = next(name for name in names if name != state["model"])
        columns = [outcome.column for outcome in bound.roles.outcomes]
        if columns and state["outcome"] is None:
            state["outcome"] = columns[0]
        if state["outcome"] is not None:
            check_choice("outcome", state["outcome"], columns, StateError)
        views = self.views
        state["view"] = views[0] if state["view"] is None else state["view"]
        check_choice("view", state["view"], views, StateError)
        model = bound.model(state["model"])
        if state["threshold"] is not None and not self.has_threshold(model):
            raise StateError(f"Model {model.name!r} has no score to cut, so threshold must be None.")
        if state["threshold"] is None and self.has_threshold(model) and model.y_pred is None:
            state["threshold"] = bound.threshold(model)
        self._check_selection(state)
        self._check_rows(state)
        return state

    def _check_selection(self, state: State) -> None:
        cohorts = self.cohorts(state["by"])
        for key in ("cohort", "compare"):
            path = state["selection"][key]
            if path is not None and self.place(cohorts, path) is None:
                known = [" × ".join(p) for p in self.paths(cohorts)[:5000]]
                raise StateError(
                    f"There is no cohort {path!r:.120} here. {did_you_mean(' × '.join(path), known, noun='Cohorts')}"
                )
        cell = state["selection"]["cell"]
        if cell is None:
            return
        labels = [visible(label) for label in self.bound.labels]
        if cell["kind"] == "confusion":
            for key in ("true", "pred"):
                check_choice(f"cell {key}", cell[key], labels, StateError)
        elif cell["kind"] == "outcome":
            check_choice("cell column", cell["column"], [o.column for o in self.bound.roles.outcomes], StateError)
        elif cell["kind"] == "comparison" and state["against"] is None:
            raise StateError("A comparison needs two models.")
        elif cell["kind"] == "residual" and self.task != "regression":
            raise StateError("Only a regression has residuals.")
        elif cell["kind"] == "score" and not self.has_threshold(self.bound.model(state["model"])):
            raise StateError("Only a binary task with a score has rows by score.")
        elif cell["kind"] == "fold" and self.bound.roles.fold is None:
            raise StateError("There is no fold role.")

    def _check_rows(self, state: State) -> None:
        known = self.columns
        rows, rating = state["rows"], state["rating"]
        wanted = [*(rows["columns"] or []), *(v for v in (rating["a"], rating["b"]) if v is not None)]
        if rows["sort"] not in (None, "loss", "margin", "disagreement"):
            wanted.append(rows["sort"])
        for name in wanted:
            if name not in known:
                raise StateError(f"There is no column {name!r:.80}. {did_you_mean(name, known, noun='Columns')}")
        for key in ("tags", "ratings"):
            if any(int(at) >= self.bound.n for at in state[key]):
                raise StateError(f"State {key!r} marks a row beyond the last of {self.bound.n:,}.")

    @property
    def columns(self) -> dict[str, int]:
        """Place of every column by the text it is shown as; of columns with the same text the first."""

        def make() -> dict[str, int]:
            found: dict[str, int] = {}
            for place, name in enumerate(self.bound.frame.columns):
                found.setdefault(visible(name), place)
            return found

        return self.keep("columns", make)

    def default_by(self) -> Any:
        """The first declared cohort, else the first column that divides the rows into few groups, not into single rows."""
        offers = choices(self.bound.frame, limit=60)
        roles = self.bound.roles
        taken = {*self.bound.columns} - {roles.time, roles.release}
        for cohort in roles.cohorts:
            plain = to_plain(list(cohort) if isinstance(cohort, tuple) else cohort)
            if len(plain) == 1 and isinstance(plain[0], str):
                fitting = [o["value"] for o in offers if _column_of(o["value"]) == plain[0]]
                plain = [fitting[0]] if fitting and plain[0] not in fitting else plain
            return plain
        free = [o["value"] for o in offers if isinstance(o["value"], str) and _hashed(o["value"]) not in taken]
        head = self.bound.frame.iloc[:10_000]
        grouping = (name for name in free if head[name].nunique() * ROWS_OF_A_GROUP <= len(head))
        name = next(grouping, next(iter(free), None))
        return None if name is None else [name]

    # Cohorts

    def cohorts(self, by: Any) -> Cohorts:
        """Cohorts of a plain definition."""
        key = ("cohorts", json.dumps(by, sort_keys=False))
        return self.keep(key, lambda: resolve(from_plain(by), self.bound.frame))

    def paths(self, cohorts: Cohorts) -> list[tuple[str, ...]]:
        """The labels of every cohort, hidden characters made visible."""
        return list(zip(*([visible(label) for label in labels] for labels in cohorts.labels), strict=True))

    def place(self, cohorts: Cohorts, path: Any) -> int | None:
        """Which cohort has these labels."""
        index: dict[tuple[str, ...], int] = self.keep(
            ("index", id(cohorts)),
            lambda: _IndexOf(cohorts, {p: i for i, p in reversed(list(enumerate(self.paths(cohorts))))}),
        ).places
        return index.get(tuple(path))

    # The evaluation under a state

    def has_threshold(self, model: Model) -> bool:
        """Whether a threshold can be moved over the model's score."""
        return self.task == "binary" and len(model.y_score) == 1

    def at(self, state: State, models: tuple[str, ...] | None = None) -> Evaluation:
        """The evaluation of some models (default: the state's) with the threshold of the state."""
        key = ("at", state["threshold"], models or state["model"])
        return self.keep(key, lambda: self._at(state["threshold"], models or (state["model"],)))

    def _at(self, threshold: float | None, names: tuple[str, ...]) -> Evaluation:
        bound = self.bound
        chosen = [bound.model(name) for name in names]
        if threshold is not None:
            chosen = [replace(m, y_pred=None) if self.has_threshold(m) else m for m in chosen]
        roles = bound.roles if threshold is None else replace(bound.roles, threshold=threshold)
        changed = replace(bound, roles=roles, models=tuple(chosen))
        return Evaluation(bound.frame, self.evaluation.roles, _bound=changed)

    # Rows

    def valid(self, name: str) -> Mask | None:
        """Rows that can be judged for a model; None where all can."""
        return self.keep(("valid", name), lambda: self._validity(name)[0])

    def dropped(self, name: str) -> dict[str, int]:
        """Rows that cannot be judged for a model, by reason."""
        return self.keep(("dropped", name), lambda: self._validity(name)[1])

    def _validity(self, name: str) -> tuple[Mask | None, dict[str, int]]:
        reasons: dict[str, int] = {}
        bound, model = self.bound, self.bound.model(name)
        out = np.ones(bound.n, bool)
        for start in range(0, bound.n, BLOCK):
            stop = min(start + BLOCK, bound.n)
            kept = validity(Block(bound, model, start, stop), reasons)
            if kept is not None:
                out[start:stop] = kept
        return (None if out.all() else out), reasons

    def truth(self) -> npt.NDArray[Any]:
        """Class codes of y_true, −1 where missing."""
        name = self.bound.roles.y_true
        assert name is not None
        return self.bound.codes(name, "y_true")

    def predicted(self, name: str, threshold: float | None) -> npt.NDArray[Any]:
        """Class codes that a model predicts."""
        return self.keep(("predicted", name, threshold), lambda: self._predicted(name, threshold))

    def _predicted(self, name: str, threshold: float | None) -> npt.NDArray[Any]:
        bound, model = self.bound, self.bound.model(name)
        if threshold is None and model.y_pred is not None:
            return bound.codes(model.y_pred, "y_pred")
        if self.task == "binary":
            cut = bound.threshold(model) if threshold is None else threshold
            return (self.score(model) >= cut).view(np.int8)
        out = np.empty(bound.n, np.int16)
        for start in range(0, bound.n, BLOCK):
            stop = min(start + BLOCK, bound.n)
            out[start:stop] = Block(bound, model, start, stop).raw_scores.argmax(axis=1)
        return out

    def score(self, model: Model) -> npt.NDArray[np.float64]:
        """Score of the positive class as it stands in the frame."""
        return self.bound.numbers(model.y_score[0], "y_score").all()

    def residual(self, name: str) -> npt.NDArray[np.float64]:
        """Prediction less truth."""
        bound, model = self.bound, self.bound.model(name)
        assert model.y_pred is not None
        assert bound.roles.y_true is not None
        return bound.numbers(model.y_pred, "y_pred").all() - bound.numbers(bound.roles.y_true, "y_true").all()

    def loss(self, name: str) -> npt.NDArray[np.float64]:
        """Loss of every row, NaN where it cannot be judged."""
        return self.keep(("loss", name), lambda: losses(self.bound, self.bound.model(name)))

    def mask(self, state: Mapping[str, Any]) -> Mask:
        """Rows that the cohort and the cell of a state select; rows that cannot be judged are left out."""
        selection = state["selection"]
        if selection["cohort"] is None:
            out = np.ones(self.bound.n, bool)
        else:
            cohorts = self.cohorts(state["by"])
            place = self.place(cohorts, selection["cohort"])
            assert place is not None
            out = cohorts.rows(place)
        valid = self.valid(state["model"])
        if valid is not None:
            out &= valid
        if selection["cell"] is not None:
            out &= self._cell(state, selection["cell"])
        return out

    def _cell(self, state: Mapping[str, Any], cell: Mapping[str, Any]) -> Mask:
        kind, model = cell["kind"], state["model"]
        if kind == "confusion":
            labels = [visible(label) for label in self.bound.labels]
            predicted = self.predicted(model, state["threshold"]) == labels.index(cell["pred"])
            return (self.truth() == labels.index(cell["true"])) & predicted
        if kind == "comparison":
            other = self.valid(state["against"])
            mine, theirs = self.right(model, state["threshold"]), self.right(state["against"], state["threshold"])
            wanted_mine, wanted_theirs = OUTCOMES[cell["value"]]
            found: Mask = (mine == wanted_mine) & (theirs == wanted_theirs)
            return found if other is None else found & other
        if kind == "outcome":
            passed = self.passed(cell["column"])
            return np.isnan(passed) if cell["value"] == "none" else passed == (cell["value"] == "pass")
        if kind == "residual":
            return _between(self.residual(model), cell)
        if kind == "score":
            return _between(self.score(self.bound.model(model)), cell)
        return self.folds() == cell["value"]

    def right(self, name: str, threshold: float | None) -> Mask:
        """Rows that a model predicts right; in a regression within the median absolute error of the first model."""
        if self.task == "regression":
            return np.abs(self.residual(name)) <= self.tolerance()
        found: Mask = self.predicted(name, threshold) == self.truth()
        return found

    def tolerance(self) -> float:
        """What counts as a small error in a regression: the median absolute error of the first model, rounded up."""

        def make() -> float:
            errors = np.abs(self.residual(self.bound.models[0].name))
            errors = errors[np.isfinite(errors)]
            middle = float(np.median(errors)) if len(errors) else 0.0
            if middle == 0:
                return 0.0
            step = 10.0 ** (np.floor(np.log10(middle)) - 1)
            return float(f"{np.ceil(middle / step) * step:.6g}")

        return self.keep("tolerance", make)

    def passed(self, column: str) -> npt.NDArray[np.float64]:
        """1 passed, 0 failed, NaN no verdict."""
        return self.keep(("passed", column), lambda: self.bound.outcome_passed(column))

    def folds(self) -> npt.NDArray[Any]:
        """The fold of every row as text."""
        name = self.bound.roles.fold
        cohorts = self.cohorts([name])
        texts = np.array([visible(label) for label in cohorts.labels[0]], dtype=object)
        return np.asarray(texts[cohorts.codes] if cohorts.views is None else texts.take(cohorts.codes))


#: (the model is right, the other model is right)
OUTCOMES = {"fixed": (True, False), "broken": (False, True), "both right": (True, True), "both wrong": (False, False)}


class _IndexOf:
    """Places of cohorts by labels; holds the cohorts, so that their id stays theirs."""

    def __init__(self, cohorts: Cohorts, places: dict[tuple[str, ...], int]) -> None:
        self.cohorts, self.places = cohorts, places


def _between(values: npt.NDArray[np.float64], cell: Mapping[str, Any]) -> Mask:
    found: Mask = (values >= cell["low"]) & (values < cell["high"])
    return found


def _column_of(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return next(value[key] for key in ("bins", "quantiles", "period", "top") if key in value)


def _hashed(value: Any) -> Hashable:
    return value if isinstance(value, Hashable) else repr(value)
