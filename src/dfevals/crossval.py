"""Models in, evaluation frame out: cross-validation on identical splits, with all columns that cohorts need."""

from __future__ import annotations

import json
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.exceptions import DataError, check_choice
from dfevals.roles.declared import Roles

__all__ = ["cross_validate", "cv_times"]

Array = npt.NDArray[Any]
METHODS = ("auto", "predict_proba", "decision_function", "predict")
TIMES = "dfevals_cv"
PREFIX = {"predict_proba": "p_", "decision_function": "score_", "predict": "pred_"}


def cross_validate(
    estimators: Any,
    X: Any,
    y: Any,
    cv: Any = 10,
    *,
    data: pd.DataFrame | None = None,
    groups: Any = None,
    cohorts: Any = None,
    method: str = "auto",
    n_jobs: int | None = None,
    progress: bool = True,
    keep_train: bool = False,
) -> pd.DataFrame:
    """Out-of-fold predictions of several models on identical splits, as a frame that is ready for `.evals()`.

    Parameters
    ----------
    estimators : {name: estimator}, or one estimator
        scikit-learn estimators; they are cloned, never fitted in place.
    X, y : DataFrame, array or sparse matrix, and labels
    cv : int, splitter or iterable of splits
        As in scikit-learn: a number makes stratified folds for classifiers. Repeated, group and time-series splitters
        work; rows tested several times are there once per repeat, rows never tested have no fold and no prediction.
    data : DataFrame, optional
        Its columns are carried along (cohorts, ids, times): rows of the same index where X (or y) has one, else row by
        row as X.
    groups : array, optional
        For group splitters; becomes the column `group` with the role `cluster`.
    cohorts : optional
        Default cohorts (the role `cohorts`); columns of X that they name are carried along.
    method : {"auto", "predict_proba", "decision_function", "predict"}
        "auto" takes the first that an estimator has (regressors: predict).
    n_jobs : int, optional
        Fits in parallel, as in joblib.
    progress : bool
        Show a progress bar.
    keep_train : bool
        Also predict every row once by a model that was trained on it (columns `train_…` and `train_fold`), from which
        `ev.folds()` takes the gap between training and test rows.

    Returns
    -------
    DataFrame
        Indexed like X: `y_true`; `p_{model}` (multiclass `p_{model}_{label}`), `score_{model}` or `pred_{model}`, the last
        also beside scores where a model's predictions are not the cut of its scores; `fold`, `repeat`; the columns of
        `data`. The roles are set. `dfevals.crossval.cv_times(frame)` has the times.

    Raises
    ------
    DataError
        Lengths differ, rows of `data`, `y` or `groups` are in another order than those of X, names clash, or an estimator
        lacks the method.

    Examples
    --------
    >>> import dfevals
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = make_classification(200, random_state=0)
    >>> frame = dfevals.cross_validate({"logistic": LogisticRegression(), "bayes": GaussianNB()}, X, y, progress=False)
    >>> list(frame.columns)
    ['y_true', 'p_logistic', 'p_bayes', 'fold', 'repeat']
    >>> frame.evals().compare(metrics="roc_auc").frame["test"].item()
    'corrected resampled t (Nadeau–Bengio)'
    """
    from sklearn.base import is_classifier
    from sklearn.model_selection import check_cv
    from sklearn.utils import indexable

    check_choice("method", method, METHODS, DataError)
    models = _named(estimators)
    X, y, groups = indexable(X, y, groups)
    data = _beside(data, _index(X, y, groups))
    labels = np.asarray(y)
    if labels.ndim != 1:
        raise DataError(f"y has shape {labels.shape}; one label per row is needed.")
    classifies = {name: is_classifier(model) for name, model in models.items()}
    if len(set(classifies.values())) > 1:
        kinds = ", ".join(f"{name} {'classifies' if c else 'predicts numbers'}" for name, c in classifies.items())
        raise DataError(f"Classifiers and regressors cannot be compared: {kinds}.")
    classifier = all(classifies.values())
    classes = np.unique(labels) if classifier else np.zeros(0)
    splits = _Splits.of(list(check_cv(cv, labels, classifier=classifier).split(X, labels, groups)), len(labels))
    columns = {name: _Columns.of(name, model, method, classes) for name, model in models.items()}
    out = {name: _empty(splits, c) for name, c in columns.items()}
    kept = {name: _empty(splits, c) for name, c in columns.items()} if keep_train else {}
    times: list[dict[str, Any]] = []
    tasks = [(name, at) for at in range(len(splits.pairs)) for name in models]
    for name, at, tested, trained, seconds in _run(
        tasks, models, columns, X, labels, splits, keep_train, n_jobs, progress
    ):
        out[name][splits.place(at)] = tested
        if keep_train:
            kept[name][splits.train_place(at)] = trained
        n_train, n_test = len(splits.pairs[at][0]), len(splits.pairs[at][1])
        fold, repeat = splits.fold[at], splits.repeat[at]
        times.append({"model": name, "repeat": repeat, "fold": fold, "n_train": n_train, "n_test": n_test, **seconds})
    ordered = _is_ordered(y) or classes.dtype.kind in "biuf"  # the order of texts is the alphabet's, and means nothing
    frame = _frame(X, y, splits, columns, out, kept, data, groups, cohorts)
    roles = _roles(columns, _order(y, classes), classifier, groups is not None, cohorts, ordered)
    frame, roles = _with_decisions(frame, roles, columns)
    frame.attrs["dfevals"] = roles.to_json()
    frame.attrs[TIMES] = json.dumps(times)
    return frame


def _index(X: Any, y: Any, groups: Any) -> pd.Index | None:
    """The index that rows have, of X or of y.

    Raises
    ------
    DataError
        Labels or groups have the rows of X in another order.
    """
    index = next((part.index for part in (X, y) if isinstance(part, pd.DataFrame | pd.Series)), None)
    for name, part in (("y", y), ("groups", groups)):
        if index is not None and isinstance(part, pd.Series) and _another_order(part.index, index):
            raise DataError(f"{name} has the rows of X in another order. Pass {name}.loc[X.index].")
    return index


def _another_order(index: pd.Index, other: pd.Index) -> bool:
    return not index.equals(other) and len(index) == len(other) and bool(index.isin(other).all())


def _beside(data: pd.DataFrame | None, index: pd.Index | None) -> pd.DataFrame | None:
    """The rows of `data` in the order of X.

    Raises
    ------
    DataError
        Its index is not that of X.
    """
    if data is None or index is None or len(data) != len(index) or data.index.equals(index):
        return data
    if index.is_unique and _another_order(data.index, index):
        return data.loc[index]
    raise DataError(
        "data has another index than X, so which rows belong together is not known. If they do row by row, pass "
        "data=data.set_axis(X.index); else give both the same index."
    )


def cv_times(frame: pd.DataFrame) -> pd.DataFrame:
    """Seconds of every fit and prediction of a frame made by `cross_validate`.

    Returns
    -------
    DataFrame
        `model, repeat, fold, n_train, n_test, fit_seconds, predict_seconds`.

    Raises
    ------
    DataError
        The frame has no record of them.
    """
    text = frame.attrs.get(TIMES)
    if not isinstance(text, str):
        raise DataError(
            "This frame has no times. They come with dfevals.cross_validate(...) and are lost by merge and concat."
        )
    return pd.DataFrame(json.loads(text)).sort_values(["model", "repeat", "fold"], kind="stable", ignore_index=True)


def _named(estimators: Any) -> dict[str, Any]:
    if isinstance(estimators, Mapping):
        found = {str(name): model for name, model in estimators.items()}
    elif isinstance(estimators, list | tuple):
        found = {type(model).__name__.lower(): model for model in estimators}
        if len(found) < len(estimators):
            raise DataError("Two estimators are of the same class, so give names: {'small': …, 'large': …}.")
    else:
        found = {type(estimators).__name__.lower(): estimators}
    if not found:
        raise DataError("There are no estimators.")
    for name, model in found.items():
        if not hasattr(model, "fit"):
            raise DataError(f"{name!r} is a {type(model).__name__} without fit(). Pass scikit-learn estimators.")
    return found


@dataclass(frozen=True)
class _Splits:
    """Train and test rows of every split; its repeat, its fold in the repeat, and where its rows stand in the frame."""

    pairs: list[tuple[Array, Array]]
    repeat: list[int]
    fold: list[int]
    n: int
    trains: list[Array] = field(default_factory=list)
    train_fold: Array | None = None

    @classmethod
    def of(cls, pairs: list[tuple[Array, Array]], n: int) -> _Splits:
        """Splits whose test rows do not overlap make up a repeat."""
        pairs = [(np.asarray(train), np.asarray(test)) for train, test in pairs]
        if not pairs:
            raise DataError("cv= makes no splits.")
        seen: list[Array] = []
        repeat, fold, counts = [], [], []
        for _, test in pairs:
            at = next((i for i, taken in enumerate(seen) if not taken[test].any()), len(seen))
            if at == len(seen):
                seen.append(np.zeros(n, bool))
                counts.append(0)
            seen[at][test] = True
            repeat.append(at)
            fold.append(counts[at])
            counts[at] += 1
        trains, train_fold = _trained_once(pairs, repeat, fold, n)
        return cls(pairs, repeat, fold, n, trains, train_fold)

    @property
    def n_repeats(self) -> int:
        return max(self.repeat) + 1

    def place(self, at: int) -> Array:
        """Rows of the long result that split `at` predicts."""
        return self.repeat[at] * self.n + self.pairs[at][1]

    def train_place(self, at: int) -> Array:
        """Rows of the long result whose training prediction comes from split `at`."""
        return self.repeat[at] * self.n + self.trains[at]


def _trained_once(pairs: Any, repeat: list[int], fold: list[int], n: int) -> tuple[list[Array], Array]:
    """For every row and repeat one split that trained on it: the next after the one that tested it, or any."""
    size = (max(repeat) + 1) * n
    tested, train_fold = np.full(size, -1), np.full(size, -1)
    folds = [sum(r == i for r in repeat) for i in range(max(repeat) + 1)]
    for at, (_, test) in enumerate(pairs):
        tested[repeat[at] * n + test] = fold[at]
    trains = []
    for only_next in (True, False):
        for at, (train, _) in enumerate(pairs):
            place = repeat[at] * n + train
            free = train_fold[place] < 0
            if only_next:
                free &= (tested[place] + 1) % folds[repeat[at]] == fold[at]
            train_fold[place[free]] = fold[at]
    for at in range(len(pairs)):
        trains.append(np.flatnonzero(train_fold[repeat[at] * n : (repeat[at] + 1) * n] == fold[at]))
    return trains, train_fold


@dataclass(frozen=True)
class _Columns:
    """The columns of one model: which method fills them, and for which classes; `decides` adds the places of the classes
    that it predicts, in a last column.
    """

    name: str
    method: str
    columns: tuple[str, ...]
    classes: Array
    decides: bool = False

    @classmethod
    def of(cls, name: str, model: Any, method: str, classes: Array) -> _Columns:
        if method == "auto":
            order = ("predict_proba", "decision_function", "predict") if len(classes) else ("predict",)
            method = next(m for m in (*order, "predict") if hasattr(model, m) or m == "predict")
        elif not hasattr(model, method):
            raise DataError(f"{name!r} ({type(model).__name__}) has no {method}(). Use method='auto' or 'predict'.")
        stem = PREFIX[method] + name
        many = len(classes) > 2 and method != "predict"
        scores = tuple(f"{stem}_{c}" for c in classes) if many else (stem,)
        if method == "predict" or not hasattr(model, "predict"):
            return cls(name, method, scores, classes)
        return cls(name, method, (*scores, PREFIX["predict"] + name), classes, decides=True)

    @property
    def scores(self) -> tuple[str, ...]:
        """The columns without the last one of what it predicts."""
        return self.columns[:-1] if self.decides else self.columns

    def decided(self, values: Array, model: Any, X: Any) -> Array:
        """Scores and the places of the predicted classes."""
        if not self.decides or not len(values):
            return values if len(values) else np.zeros((0, len(self.columns)))
        return np.column_stack([values, pd.Index(self.classes).get_indexer(model.predict(X))])

    def predict(self, model: Any, X: Any) -> Array:
        """Predictions in the order of the columns, one row per row of X."""
        values = np.asarray(getattr(model, self.method)(X))
        if self.method == "predict":
            return values.reshape(-1, 1)
        own = list(model.classes_)
        if values.ndim == 1:
            values = np.column_stack([-values, values])
        empty = 0.0 if self.method == "predict_proba" else -np.inf
        full = np.full((len(values), len(self.classes)), empty)
        if len(own) == 1:  # a training fold of one class
            full[:, list(self.classes).index(own[0])] = values[:, -1]
        else:
            full[:, [list(self.classes).index(c) for c in own]] = values
        return full if len(self.scores) > 1 else full[:, 1:2]


def _empty(splits: _Splits, columns: _Columns) -> Array:
    size = (splits.n_repeats * splits.n, len(columns.columns))
    if columns.method == "predict" and columns.classes.dtype.kind not in "fiub":
        return np.full(size, None, dtype=object)
    return np.full(size, np.nan)


def _run(
    tasks: list[tuple[str, int]],
    models: dict[str, Any],
    columns: dict[str, _Columns],
    X: Any,
    y: Array,
    splits: _Splits,
    keep_train: bool,
    n_jobs: int | None,
    progress: bool,
) -> Iterator[Any]:
    """Fits one after another or in parallel, with a progress bar."""
    from tqdm.auto import tqdm

    calls = (
        (name, at, models[name], columns[name], X, y, *splits.pairs[at], splits.trains[at] if keep_train else None)
        for name, at in tasks
    )
    if n_jobs in (None, 1):
        done: Any = (_fit(*call) for call in calls)
    else:
        from joblib import Parallel, delayed

        done = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(delayed(_fit)(*call) for call in calls)
    yield from tqdm(done, total=len(tasks), disable=not progress, desc="cross_validate", unit="fit")


def _fit(
    name: str, at: int, model: Any, columns: _Columns, X: Any, y: Array, train: Array, test: Array, again: Array | None
) -> tuple[str, int, Array, Array | None, dict[str, float]]:
    from sklearn.base import clone
    from sklearn.utils import _safe_indexing

    start = time.perf_counter()
    fitted = clone(model).fit(_safe_indexing(X, train), y[train])
    middle = time.perf_counter()
    rows = _safe_indexing(X, test)
    tested = columns.predict(fitted, rows)
    seconds = {"fit_seconds": middle - start, "predict_seconds": time.perf_counter() - middle}
    tested = columns.decided(tested, fitted, rows)
    trained = None
    if again is not None:
        rows = _safe_indexing(X, again)
        trained = columns.decided(columns.predict(fitted, rows) if len(again) else np.zeros((0, 0)), fitted, rows)
    return name, at, tested, trained, seconds


def _frame(
    X: Any,
    y: Any,
    splits: _Splits,
    columns: dict[str, _Columns],
    out: dict[str, Array],
    kept: dict[str, Array],
    data: pd.DataFrame | None,
    groups: Any,
    cohorts: Any,
) -> pd.DataFrame:
    n, repeats = splits.n, splits.n_repeats
    fold = np.full(n * repeats, -1)
    for at in range(len(splits.pairs)):
        fold[splits.place(at)] = splits.fold[at]
    truth = np.tile(np.asarray(y), repeats)
    made: dict[Hashable, Any] = {"y_true": pd.Categorical(truth, dtype=y.dtype) if _is_ordered(y) else truth}
    for name, c in columns.items():
        made |= dict(zip(c.columns, out[name].T, strict=True))
    made["fold"] = fold if (fold >= 0).all() else pd.array(np.where(fold < 0, 0, fold), dtype="Int64")
    if (fold < 0).any():
        made["fold"][fold < 0] = pd.NA
    made["repeat"] = np.repeat(np.arange(repeats), n)
    if kept:
        made["train_fold"] = splits.train_fold
        for name, c in columns.items():
            made |= {f"train_{column}": v for column, v in zip(c.columns, kept[name].T, strict=True)}
    if groups is not None:
        made["group"] = np.tile(np.asarray(groups), repeats)
    index = X.index if isinstance(X, pd.DataFrame) else data.index if data is not None else pd.RangeIndex(n)
    carried = _carried(X, data, cohorts, n)
    clash = [name for name in carried.columns if name in made]
    if clash:
        raise DataError(
            f"data has the column{'s' * (len(clash) > 1)} {', '.join(map(repr, clash))}, which cross_validate makes itself. "
            f"Rename first: data.rename(columns={{{clash[0]!r}: '{clash[0]}_before'}})."
        )
    frame = pd.DataFrame(made)
    for column, values in frame.items():
        if values.dtype == object and not str(column).startswith("y_true"):
            frame[column] = values.infer_objects()
    frame.index = index.append([index] * (repeats - 1)) if repeats > 1 else index
    if len(carried.columns):
        tiled = carried.iloc[np.tile(np.arange(n), repeats)]
        tiled.index = frame.index
        frame = pd.concat([frame, tiled], axis=1)
    used = fold >= 0
    return frame if repeats == 1 else frame.loc[used]


def _carried(X: Any, data: pd.DataFrame | None, cohorts: Any, n: int) -> pd.DataFrame:
    """Columns of `data`, and of X where cohorts name them."""
    if data is not None and len(data) != n:
        raise DataError(f"data has {len(data):,} rows but X has {n:,}. They must match row by row.")
    parts = [] if data is None else [data.reset_index(drop=True)]
    if isinstance(X, pd.DataFrame) and cohorts is not None:
        have = set() if data is None else set(data.columns)
        names = [c for c in _column_names(cohorts) if c in X.columns and c not in have]
        parts.append(X[list(dict.fromkeys(names))].reset_index(drop=True))
    return pd.concat(parts, axis=1) if parts else pd.DataFrame(index=pd.RangeIndex(n))


def _column_names(cohorts: Any) -> list[Any]:
    items = cohorts if isinstance(cohorts, list | tuple) else [cohorts]
    return [getattr(item, "column", item) for item in items if not isinstance(item, Mapping)]


def _is_ordered(y: Any) -> bool:
    dtype = getattr(y, "dtype", None)
    return isinstance(dtype, pd.CategoricalDtype) and bool(dtype.ordered)


def _order(y: Any, classes: Array) -> Array:
    """Classes from lowest to highest where the labels are an ordered categorical."""
    return np.array([c for c in y.dtype.categories if c in classes], classes.dtype) if _is_ordered(y) else classes


def _with_decisions(frame: pd.DataFrame, roles: Roles, columns: dict[str, _Columns]) -> tuple[pd.DataFrame, Roles]:
    """Predictions as labels where they are not the cut of the scores; elsewhere without them."""
    from dfevals.engines.block import Block
    from dfevals.roles.bound import bind

    own: dict[str, str] = {}
    bound = bind(frame, roles)
    labels = np.asarray(bound.labels, dtype=object)
    for name, c in columns.items():
        if not c.decides:
            continue
        column, model = c.columns[-1], bound.model(name)
        codes = frame[column].to_numpy(dtype=float)
        known = ~np.isnan(codes)
        predicted = np.where(known, c.classes.astype(object)[np.where(known, codes, 0).astype(int)], None)
        cut = labels[Block(bound, model, 0, bound.n).y_pred.astype(int)] if bound.decides(model) else None
        both = [column, *([f"train_{column}"] if f"train_{column}" in frame else [])]
        if cut is not None and (cut == predicted)[known].all():
            frame = frame.drop(columns=both)
            continue
        for one in both:
            frame[one] = _labels_of(frame[one].to_numpy(dtype=float), c.classes)
        own[name] = column
    return frame, Roles.build(roles, y_pred={**dict(roles.y_pred or {}), **own} or None)


def _labels_of(codes: Array, classes: Array) -> Array:
    known = ~np.isnan(codes)
    return pd.Series(classes[np.where(known, codes, 0).astype(int)]).where(known).to_numpy()


def _roles(
    columns: dict[str, _Columns], classes: Array, classifier: bool, grouped: bool, cohorts: Any, ordered: bool
) -> Roles:
    scores, preds = {}, {}
    for name, c in columns.items():
        if c.method == "predict":
            preds[name] = c.columns[0]
        else:
            scores[name] = c.scores[0] if len(c.scores) == 1 else f"{PREFIX[c.method]}{name}_{{label}}"
    given: dict[str, Any] = {"y_true": "y_true", "fold": "fold", "repeat": "repeat"}
    given |= {"y_score": scores} if scores else {}
    given |= {"y_pred": preds} if preds else {}
    given |= {"cluster": "group"} if grouped else {}
    given |= {"cohorts": cohorts} if cohorts is not None else {}
    if not classifier:
        given["task"] = "regression"
    elif len(classes) == 2:
        given |= {"task": "binary", "pos_label": classes[1]}
    else:
        given |= {"task": "multiclass"} | ({"labels": _plain(classes)} if ordered else {})
    return Roles.build(**given)


def _plain(classes: Array) -> Sequence[Any]:
    return [c.item() if isinstance(c, np.generic) else c for c in classes]
