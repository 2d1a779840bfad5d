"""Would recalibrated probabilities be better, and for whom? Cross-fitted recalibration (`ev.recalibrate`)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render
from dfevals.analyses.calibration.calibration import check_probabilities
from dfevals.cohorts import Cohorts
from dfevals.engines.block import Block, validity
from dfevals.estimates.asked import views_of
from dfevals.exceptions import MetricError, check_choice
from dfevals.inference.calibrators import METHODS, fit_calibrator, fit_temperature
from dfevals.inference.clusters import worth_of
from dfevals.inference.levels import check_level, t_quantile
from dfevals.metrics.reliability import decompose, ece_of, logistic_recalibration, smooth_ece_of, spiegelhalter_of
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import OVERALL, drawn_models, framed, left_out
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.tally import ScoreTally
from dfevals.tally.ties import TieTable, uniform_cuts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RecalibrationResult", "recalibrate"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
EPS = float(np.finfo(np.float64).eps)
SMALL = 50  # rows of either outcome below which a cohort is too small for a map of its own
LOSSES = ("log_loss", "brier")


class RecalibrationResult(Result):
    """Numbers before and after recalibration; the frame with the new score columns is `data`.

    Frame columns: cohort columns, `model, metric, before, after, difference` (after − before) with `ci_low, ci_high,
    p_value` of the paired difference for losses, `before_low, before_high, after_low, after_high, n, is_overall`.
    """

    def __init__(
        self, frame: pd.DataFrame, data: pd.DataFrame, columns: dict[str, Any], run: _Run, **described: Any
    ) -> None:
        super().__init__(frame, **described)
        self._data, self._columns, self._run = data, columns, run

    @property
    def data(self) -> pd.DataFrame:
        """The rows with the recalibrated scores in new columns; every score was made by a map fitted on other rows."""
        return self._data.copy()

    @property
    def columns(self) -> dict[str, Any]:
        """New column (or list of columns, one per class) of every model: `result.data.evals(y_score=result.columns, …)`."""
        return dict(self._columns)

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """Before, after and the difference; other columns are in `frame`."""
        del width
        hidden = ["before_low", "before_high", "after_low", "after_high", "is_overall"]
        return plain_table(
            self._frame.drop(columns=hidden),
            title=self.title,
            notes=self.notes,
            cohort_columns=self.cohort_columns,
            max_rows=max_rows,
        )

    def wide(self) -> pd.DataFrame:
        """One row per cohort and model, the metrics before and after side by side."""
        index = [*self.cohort_columns, "model"]
        return self._frame.pivot(index=index, columns="metric", values=["before", "after"]).swaplevel(axis=1)

    def plot(self, *, model: str | Sequence[str] | None = None, ax: Axes | None = None, **options: Any) -> Any:
        """Reliability diagrams of all rows before and after, side by side, a row of them per model.

        Parameters
        ----------
        model : str or list of str, optional
            All models when absent; the first where there is an `ax`.
        **options
            For `dfevals.plots.calibration.draw`.
        """
        from dfevals.plots.calibration import draw

        known = list(self._run.models)
        wanted = drawn_models(known, model, ax)
        points, band, bars, errors = (
            pd.concat(parts) for parts in zip(*(self._stages(name) for name in wanted), strict=True)
        )
        keys = ["model", "stage"] if len(wanted) > 1 else ["stage"]
        many = {"limit": max(9, 2 * len(wanted)), "columns": 2} if len(wanted) > 1 else {}
        named = {"title": wanted[0] if len(known) > 1 and len(wanted) == 1 else "", **many, **options}
        return draw(points, band, bars, errors, ax=ax, cohort_columns=keys, **named)

    def _stages(self, model: str) -> list[pd.DataFrame]:
        """What a reliability diagram draws, before and after, of one model."""
        from dfevals.analyses.calibration.reliability import before_and_after

        both = zip(("before", "after"), self._run.models[model].events, strict=True)
        stages = {stage: event for stage, event in both if np.isfinite(event.score).all()}
        ties = [event.ties(np.zeros(len(event.y), np.int64), 1) for event in stages.values()]
        return [frame.assign(model=model) for frame in before_and_after(list(stages), ties)]


@dataclass(frozen=True)
class _Event:
    """Scores and outcomes of what is judged: the positive class, or whether the predicted class is right."""

    score: Floats
    y: Bools
    weight: Floats | None
    frequency: bool
    cluster: npt.NDArray[np.int64] | None = None

    def of(self, inside: Bools) -> _Event:
        """Some of the rows."""
        weight = None if self.weight is None else self.weight[inside]
        cluster = None if self.cluster is None else self.cluster[inside]
        return _Event(self.score[inside], self.y[inside], weight, self.frequency, cluster)

    def ties(self, cohort: npt.NDArray[np.int64], n_cohorts: int) -> TieTable:
        return TieTable.of(
            ScoreTally.collect(
                cohort,
                n_cohorts,
                self.score,
                self.y,
                self.weight,
                None if self.cluster is None else self.cluster.astype(np.int32),
                frequency=self.frequency,
            )
        )


@dataclass(frozen=True)
class _Judged:
    """One model's rows before and after: events, losses per row and the atoms of the rows."""

    events: tuple[_Event, _Event]
    losses: dict[str, tuple[Floats, Floats]]
    atoms: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Run:
    models: dict[str, _Judged]


def recalibrate(
    bound: Bound,
    cohorts: Cohorts,
    models: tuple[Model, ...],
    method: str = "isotonic",
    *,
    cv: Any = 5,
    random_state: Any = 0,
    level: float = 0.95,
    provenance: Any = None,
) -> RecalibrationResult:
    """Recalibrate scores by maps fitted on other rows, for all rows or for each cohort; see `Evaluation.recalibrate`."""
    check_choice("method", method, METHODS, MetricError)
    check_level(level)
    if not bound.classifies:
        raise MetricError(f"Recalibration needs classes and scores; this evaluation is {bound.task}.")
    if cohorts.views is not None and len(cohorts.views) > 1:
        raise MetricError(
            "by= of recalibrate must put every row into one cohort, but these overlap. Use a column, a list of columns, "
            "bins or quantiles."
        )
    data, columns, judged, notes = bound.frame.copy(), {}, {}, list(cohorts.notes)
    for model in models:
        _check(bound, model, method)
        rows = _Rows.of(bound, model, cohorts)
        after = _cross_fitted(rows, method, cv, random_state, notes)
        columns[model.name] = _write(data, bound, model, method, rows.keep, after)
        judged[model.name] = _judge(rows, after)
        notes += left_out(model.name, rows.dropped)
    frame = pd.concat(
        [_compared(name, item, cohorts, bound, level) for name, item in judged.items()], ignore_index=True
    )
    notes.append("Every row is recalibrated by a map fitted on other rows, and differences are after − before.")
    title = f"Recalibration ({method})" + (
        f" in each cohort of {', '.join(cohorts.names)}" if cohorts.n_cohorts else ""
    )
    return RecalibrationResult(
        frame,
        data,
        columns,
        _Run(judged),
        provenance=provenance,
        title=title,
        notes=notes,
        cohort_columns=tuple(frame.columns[: len(cohorts.names)]),
    )


def _in_rows(weight: Floats, kind: str) -> Floats:
    """Weights in units of rows: of importance weights only ratios matter, but a ridge and Platt's targets count rows."""
    total = weight.sum()
    return weight if kind == "frequency" or not total > 0 else weight * (len(weight) / total)


def _check(bound: Bound, model: Model, method: str) -> None:
    if not model.y_score:
        raise MetricError(f"Model {model.name!r} has no scores to recalibrate. Pass y_score=.")
    if bound.score_kind(model) != "probability" and (method in ("temperature", "beta") or bound.task == "multiclass"):
        if method in ("temperature", "beta"):
            raise MetricError(
                f"method={method!r} recalibrates probabilities, but the scores of model {model.name!r} lie outside [0, 1]. "
                "Use method='sigmoid' or 'isotonic', which take any score."
            )
        check_probabilities(bound, [model], "Recalibration of several classes")


# Rows


@dataclass(frozen=True)
class _Rows:
    """The rows of one model that can be judged."""

    keep: Bools
    scores: Floats  # (rows,) binary, (rows, classes) otherwise
    y: npt.NDArray[np.int64]
    weight: Floats | None
    frequency: bool
    groups: npt.NDArray[np.int64] | None
    atoms: npt.NDArray[np.int64]
    names: tuple[str, ...]
    margin: bool
    dropped: dict[str, int]
    eps: float

    @classmethod
    def of(cls, bound: Bound, model: Model, cohorts: Cohorts) -> _Rows:
        dropped: dict[str, int] = {}
        keep = validity(Block(bound, model, 0, bound.n), dropped)
        keep = np.ones(bound.n, bool) if keep is None else keep
        block = Block(bound, model, 0, bound.n, keep)
        margin = bound.score_kind(model) != "probability"
        binary = bound.task == "binary"
        scores = (block.raw_score if margin else block.score) if binary else block.scores
        names = _atom_names(cohorts)
        return cls(
            keep,
            _with_ends(np.array(scores, float)),
            np.asarray(block.y_true, np.int64),
            None if block.weight is None else _in_rows(np.array(block.weight, float), bound.roles.weight_kind),
            bound.weight is not None and bound.roles.weight_kind == "frequency",
            None if bound.cluster is None else bound.cluster[0][keep],
            np.asarray(cohorts.codes[keep], np.int64),
            names,
            margin,
            dropped,
            block.eps,
        )


def _with_ends(scores: Floats) -> Floats:
    """Scores of which infinite ones stand beyond the finite ones by their range, where a map can be fitted."""
    finite = scores[np.isfinite(scores)]
    if len(finite) == scores.size or not len(finite):
        return scores
    low, high = float(finite.min()), float(finite.max())
    return np.clip(scores, 2 * low - high, 2 * high - low)


def _atom_names(cohorts: Cohorts) -> tuple[str, ...]:
    """A name for every atom of disjoint cohorts."""
    view = views_of(cohorts)[0]
    if not cohorts.n_cohorts:
        return (OVERALL,) * max(cohorts.n_atoms, 1)
    place = np.arange(cohorts.n_atoms) if view.positions is None else view.positions
    texts = [" · ".join(parts) for parts in zip(*cohorts.labels, strict=True)]
    return tuple(texts[view.cohorts[p] - 1] if p >= 0 else "(none)" for p in place)


# Cross-fitting


def _cross_fitted(rows: _Rows, method: str, cv: Any, random_state: Any, notes: list[str]) -> Floats:
    """Recalibrated scores; the map of a row was fitted on rows of other folds (and other clusters)."""
    out = np.full(rows.scores.shape, np.nan)
    folds = list(_folds(rows, cv, random_state))
    small = _small_atoms(rows)
    if small.any():
        names = ", ".join(sorted({rows.names[a] for a in np.flatnonzero(small)}))
        text = (
            f"Too few rows of an outcome (under {SMALL}) for a map of their own: {names}. Their scores are recalibrated by "
            "the map of all rows."
        )
        warnings.warn(text, UserWarning, stacklevel=5)
        notes.append(text)
    for train, test in folds:
        whole = None
        for atom in np.unique(rows.atoms[test]):
            mine = test[rows.atoms[test] == atom]
            if small[atom] or small.size == 1:
                whole = whole or _fitted(rows, train, method)
                out[mine] = whole(rows.scores[mine])
            else:
                out[mine] = _fitted(rows, train[rows.atoms[train] == atom], method)(rows.scores[mine])
    return out


def _small_atoms(rows: _Rows) -> Bools:
    """Cohorts with too few rows of some class, where there are several cohorts."""
    size = len(rows.names)
    if size == 1:
        return np.zeros(1, bool)
    classes = max(int(rows.y.max(initial=1)) + 1, 2)
    counts = np.bincount(rows.atoms * classes + rows.y, minlength=size * classes).reshape(size, classes)
    occurs = np.bincount(rows.y, minlength=classes) > 0
    present = counts.sum(axis=1) > 0
    return np.asarray((counts[:, occurs] < SMALL).any(axis=1) & present)


def _folds(rows: _Rows, cv: Any, random_state: Any) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    strata = rows.atoms * (int(rows.y.max(initial=0)) + 1) + rows.y
    if hasattr(cv, "split") and not isinstance(cv, str):
        splitter = cv
    else:
        if isinstance(cv, bool) or not isinstance(cv, int | np.integer) or cv < 2:
            raise MetricError(
                f"cv={cv!r} must be a whole number of folds of at least 2, or a splitter of scikit-learn."
            )
        counts = np.bincount(rows.y)
        if len(rows.y) < 2 * cv or (counts[counts > 0] < cv).any() or (counts > 0).sum() < 2:
            raise MetricError(
                f"Recalibration in {cv} folds needs at least {cv} rows of each of two classes; found "
                f"{', '.join(f'{c:,}' for c in counts) or 'none'}. Use a smaller cv= or more rows."
            )
        n_clusters = cv if rows.groups is None else len(np.unique(rows.groups))
        if n_clusters < cv:
            raise MetricError(
                f"Recalibration in {cv} folds needs at least {cv} clusters, which stay whole; found {n_clusters:,}. "
                + (f"Use cv={n_clusters} or less." if n_clusters > 1 else "One cluster cannot be judged by another.")
            )
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

        kind = StratifiedKFold if rows.groups is None else StratifiedGroupKFold
        splitter = kind(int(cv), shuffle=True, random_state=random_state)
        sizes = np.bincount(strata)
        if (sizes[strata] < cv).any():
            strata = rows.y
    try:
        yield from splitter.split(np.zeros((len(strata), 1)), strata, rows.groups)
    except ValueError as error:  # a splitter of the user that does not fit the rows
        raise MetricError(f"cv={cv!r} does not split these rows: {error}") from error


def _fitted(rows: _Rows, train: npt.NDArray[np.intp], method: str) -> Any:
    """A map from scores to recalibrated scores, fitted on some rows; those of weight 0 are none."""
    train = train if rows.weight is None else train[rows.weight[train] > 0]
    weight = None if rows.weight is None else rows.weight[train]
    scores, y = rows.scores[train], rows.y[train]
    if scores.ndim == 1:
        if len(np.unique(y)) < 2:
            raise MetricError(
                "A fold of the recalibration holds one class only. Use a smaller cv=, or coarser cohorts."
            )
        return fit_calibrator(method, scores, y.astype(float), weight, margin=rows.margin)
    if method == "temperature":
        return fit_temperature(scores, y, weight)
    maps = []
    for k in range(scores.shape[1]):
        event = (y == k).astype(float)
        some = event.any() and not event.all()
        maps.append(fit_calibrator(method, scores[:, k], event, weight) if some else None)

    def every(s: Floats) -> Floats:
        out = np.column_stack([s[:, k] if m is None else m(s[:, k]) for k, m in enumerate(maps)])
        total = out.sum(axis=1, keepdims=True)
        return np.where(total > 0, out / np.where(total > 0, total, 1), 1 / out.shape[1])

    return every


def _write(data: pd.DataFrame, bound: Bound, model: Model, method: str, keep: Bools, after: Floats) -> Any:
    """Add the new columns; rows that could not be judged have no value."""
    names = []
    for k, column in enumerate(model.y_score):
        name = stem = f"{column}_{method.replace('-', '_')}" + (f"_{model.name}" if model.key is not None else "")
        count = 2
        while name in data:
            name, count = f"{stem}_{count}", count + 1
        values = np.full(bound.n, np.nan)
        values[keep] = after if after.ndim == 1 else after[:, k]
        data[name] = values
        names.append(name)
    return names[0] if len(names) == 1 else names


# Before and after


def _judge(rows: _Rows, after: Floats) -> _Judged:
    """Events and losses of the rows before and after."""
    before = np.full_like(rows.scores, np.nan) if rows.margin else rows.scores
    events = tuple(_event(rows, scores) for scores in (before, after))
    losses = {name: (_loss(name, before, rows.y, rows.eps), _loss(name, after, rows.y)) for name in LOSSES}
    return _Judged(events, losses, rows.atoms)  # type: ignore[arg-type]


def _event(rows: _Rows, scores: Floats) -> _Event:
    if scores.ndim == 1:
        return _Event(scores, rows.y == 1, rows.weight, rows.frequency, rows.groups)
    right = scores.argmax(axis=1) == rows.y
    return _Event(scores.max(axis=1), right, rows.weight, rows.frequency, rows.groups)


def _loss(name: str, scores: Floats, y: npt.NDArray[np.int64], eps: float = EPS) -> Floats:
    if scores.ndim == 1:
        if name == "brier":
            return (scores - y) ** 2
        own = np.where(y == 1, scores, 1 - scores)
    else:
        own = np.take_along_axis(scores, y[:, None], axis=1)[:, 0]
        if name == "brier":
            return np.asarray((scores**2).sum(axis=1) - 2 * own + 1)
    return np.asarray(-np.log(np.clip(own, eps, 1 - eps)))


def _compared(name: str, judged: _Judged, cohorts: Cohorts, bound: Bound, level: float) -> pd.DataFrame:
    """Metrics of one model before and after, overall and per cohort."""
    parts = []
    for view in views_of(cohorts):
        size = len(view.cohorts)
        if not size:
            continue
        place = judged.atoms if view.positions is None else view.positions[judged.atoms]
        inside = place >= 0
        stages = [_numbers(event, place, inside, size, bound.task == "binary", level) for event in judged.events]
        n = np.bincount(place[inside], minlength=size)
        for metric in (*LOSSES, *stages[1]):
            columns = (
                _paired(*judged.losses[metric], judged.events[0], place, inside, size, level)
                if metric in LOSSES
                else _side_by_side(stages[0][metric], stages[1][metric])
            )
            parts.append(pd.DataFrame({"place": view.cohorts, "metric": metric, "n": n, **columns}))
    frame = pd.concat(parts, ignore_index=True)
    order = {metric: i for i, metric in enumerate(dict.fromkeys(frame["metric"]))}
    frame = frame.iloc[np.lexsort((frame["place"], frame["metric"].map(order)))].reset_index(drop=True)
    frame.insert(0, "model", name)
    shown = ["metric", "before", "after", "difference", "ci_low", "ci_high", "p_value"]
    more = ["before_low", "before_high", "after_low", "after_high", "n"]
    return framed(cohorts, frame["place"].to_numpy(), dict(frame[["model", *shown, *more]]))


Bounded = tuple[Floats, Floats, Floats]


def _numbers(
    event: _Event, place: npt.NDArray[np.int64], inside: Bools, size: int, binary: bool, level: float
) -> dict[str, Bounded]:
    """Calibration numbers with their intervals."""
    names = ["ece", "smooth_ece", "brier_miscalibration"]
    names += ["calibration_slope", "calibration_intercept", "spiegelhalter_z"] if binary else []
    none = np.full(size, np.nan)
    if np.isnan(event.score).any():
        return dict.fromkeys(names, (none, none, none))
    ties = event.of(inside).ties(place[inside], size)
    error = ece_of(ties.sums(uniform_cuts(ties, 15)), size)
    found: dict[str, Bounded] = {
        "ece": (error.debiased, *error.bounds(level)),
        "smooth_ece": (smooth_ece_of(ties), none, none),
        "brier_miscalibration": (decompose(ties)[0].miscalibration, none, none),
    }
    if binary:
        line = logistic_recalibration(ties)
        for name, value, se, df in (
            ("calibration_slope", line.slope, line.slope_se, line.slope_df),
            ("calibration_intercept", line.intercept, line.intercept_se, line.intercept_df),
            ("spiegelhalter_z", spiegelhalter_of(ties), np.ones(size), ties.df),
        ):
            half = t_quantile(level, df) * se
            found[name] = value, value - half, value + half
    return found


def _side_by_side(before: Bounded, after: Bounded) -> dict[str, Any]:
    none = np.full(len(before[0]), np.nan)
    return {
        "before": before[0],
        "after": after[0],
        "difference": after[0] - before[0],
        "ci_low": none,
        "ci_high": none,
        "p_value": none,
        **dict(zip(("before_low", "before_high"), before[1:], strict=True)),
        **dict(zip(("after_low", "after_high"), after[1:], strict=True)),
    }


def _paired(
    before: Floats,
    after: Floats,
    event: _Event,
    place: npt.NDArray[np.int64],
    inside: Bools,
    size: int,
    level: float,
) -> dict[str, Any]:
    """Mean losses and their paired difference with a t interval; importance weights enter by Σw², clusters by their sums."""
    rows = event.of(inside)
    at, d = place[inside], (after - before)[inside]
    w = np.ones(len(d)) if rows.weight is None else rows.weight
    power = w if rows.frequency else w * w

    def add(values: Floats) -> Floats:
        return np.asarray(np.bincount(at, values, size), float)

    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        total = add(w)
        mean = add(w * d) / total
        df = total**2 / add(power) - 1
        variance = add(power * (d - mean[at]) ** 2) * (df + 1) / df
        if rows.cluster is not None:
            width = int(rows.cluster.max(initial=0)) + 1
            pair, inverse = np.unique(at * width + rows.cluster, return_inverse=True)
            worth = worth_of(np.bincount(inverse, w), pair // width, size)
            variance, df = worth.variance(np.bincount(inverse, w * (d - mean[at]))), worth.df
        se = np.where(df > 0, np.sqrt(variance) / total, np.nan)
        half = np.asarray(t_quantile(level, df)) * se
        p = 2 * stdtr(np.where(df > 0, df, np.nan), -np.abs(mean) / np.where(se > 0, se, np.nan))
        columns = {"before": add(w * before[inside]) / total, "after": add(w * after[inside]) / total}
    none = np.full(size, np.nan)
    return {
        **columns,
        "difference": mean,
        "ci_low": mean - half,
        "ci_high": mean + half,
        "p_value": p,
        **dict.fromkeys(("before_low", "before_high", "after_low", "after_high"), none),
    }
