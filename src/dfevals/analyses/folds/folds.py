"""K-fold summary: every metric in every fold, its mean with an interval that allows for shared training rows (`ev.folds`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render, words
from dfevals.analyses.folds.per_fold import Folds, find_folds, fold_values
from dfevals.cohorts import Cohorts
from dfevals.estimates.asked import requested, undecided
from dfevals.exceptions import DfevalsError, check_choice
from dfevals.inference.folds import calibrated_resampled_ttest
from dfevals.inference.levels import check_level
from dfevals.metrics.registry import Request
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import by_title, cohort_names, framed, left_out
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FoldsResult", "folds", "grubbs"]

Floats = npt.NDArray[np.float64]
OUTLIER = 0.05


class FoldsResult(Result):
    """Metrics per fold; `frame` has cohort columns, `model, metric, fold[, repeat], value[, train_value], n, note, is_overall`.

    `summary` has cohort columns, `model, metric, mean, std, ci_low, ci_high, n_folds`, then `worst_fold, worst_value,
    outlier_fold, outlier_p` and, where training predictions were kept, `train_mean, gap`.
    """

    _tab = "folds"

    def __init__(self, frame: pd.DataFrame, summary: pd.DataFrame, *, level: float, **described: Any) -> None:
        super().__init__(frame, **described)
        self._summary, self._level = summary, level

    @property
    def summary(self) -> pd.DataFrame:
        """Mean, standard deviation and corrected interval over the folds, per cohort, model and metric."""
        return self._summary.copy()

    def wide(self) -> pd.DataFrame:
        """One row per fold (and cohort), one column per metric and model."""
        index = [*self.cohort_columns, *(c for c in ("repeat", "fold") if c in self._frame)]
        wide = self._frame.pivot_table("value", index, ["metric", "model"], observed=True, sort=False, dropna=False)
        return wide.dropna(how="all")

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """The summary: one row per cohort, model and metric."""
        del width
        shown = self._summary.rename(columns={"mean": "value"}).drop(columns=["outlier_p"])
        shown = shown.dropna(axis=1, how="all")
        if not self.cohort_columns:
            shown = shown.drop(columns="is_overall")
        if "outlier_fold" in shown and not (shown["outlier_fold"] != "").any():
            shown = shown.drop(columns="outlier_fold")
        return plain_table(
            shown,
            title=self.title,
            notes=self.notes,
            cohort_columns=self.cohort_columns,
            max_rows=max_rows,
            detail=f"mean over folds with {words.bounds(self._level)}; std over folds",
        )

    def plot(
        self,
        *,
        metric: str | None = None,
        model: str | Sequence[str] | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Any:
        """One line per model over the folds, models of a fold joined; the means with their intervals at the right.

        Parameters
        ----------
        metric : str, optional
            The first when absent.
        model : str or list of str, optional
        ax : matplotlib Axes, optional
        """
        from dfevals.plots.folds import draw

        names = list(dict.fromkeys(self._frame["metric"]))
        metric = names[0] if metric is None else metric
        check_choice("metric", metric, names, DfevalsError)
        frame, summary = (
            part[(part["metric"] == metric) & part["is_overall"]] for part in (self._frame, self._summary)
        )
        if model is not None:
            wanted = [model] if isinstance(model, str) else list(model)
            frame, summary = (part[part["model"].isin(wanted)] for part in (frame, summary))
        if "repeat" in frame:
            frame = frame.assign(fold=frame["repeat"].astype(str) + "·" + frame["fold"].astype(str))
        outliers = {row["model"]: [row["outlier_fold"]] for row in summary.to_dict("records") if row["outlier_fold"]}
        return draw(frame, ax, summary=summary, outliers=outliers, **options)


def folds(
    bound: Bound,
    cohorts: Cohorts,
    metrics: Any = None,
    *,
    models: tuple[Model, ...],
    level: float = 0.95,
    provenance: Any = None,
) -> FoldsResult:
    """Metrics of every model in every fold, overall and per cohort.

    Raises
    ------
    RoleError
        There is no fold role.
    """
    check_level(level)
    found = find_folds(bound)
    requests = requested(bound, models, metrics)
    trained = _training(bound, found)
    frames, summaries, notes = [], [], [*cohorts.notes, *(undecided(bound, models) if metrics is None else [])]
    for model in models:
        values = fold_values(bound, model, cohorts, found, requests)
        train = None
        if trained is not None and (twin := _twin(bound, model)) is not None:
            train = fold_values(bound, twin, cohorts, trained, requests).value
        frames.append(_frame(model.name, values.value, values.n, train, cohorts, found, requests))
        summaries.append(_summary(model.name, values.value, train, cohorts, found, requests, level))
        notes += left_out(model.name, values.dropped)
    frame, summary = pd.concat(frames, ignore_index=True), pd.concat(summaries, ignore_index=True)
    names = cohort_names(cohorts, {*frame, *summary})
    frame, summary = (framed(cohorts, part.pop("place").to_numpy(), dict(part), names) for part in (frame, summary))
    return FoldsResult(
        frame,
        summary,
        level=level,
        provenance=provenance,
        title=by_title(f"Over {found.n} folds", cohorts),
        notes=[*notes, *_notes(found, bound, summary)],
        cohort_columns=names,
    )


def _notes(found: Folds, bound: Bound, summary: pd.DataFrame) -> list[str]:
    notes = []
    if found.n == 1:
        notes.append("There is one fold, so there is no spread and no interval.")
    else:
        notes.append("Intervals allow for training rows that folds share (Nadeau and Bengio 2003).")
    if found.n > 1 and found.n_test.max() <= 1:
        notes.append(
            "Every fold holds one row (leave-one-out): metrics that need both classes are not defined in a fold."
        )
    if found.ragged:
        notes.append("Repeats have different numbers of folds.")
    lost = int((found.codes < 0).sum())
    if lost:
        notes.append(f"{lost:,} row{'s' * (lost != 1)} without a fold are left out.")
    few = summary[summary["is_overall"] & (summary["n_folds"] < found.n)]
    for row in few.to_dict("records")[:4]:
        notes.append(f"{row['model']}, {row['metric']}: not defined in {found.n - row['n_folds']} of {found.n} folds.")
    odd = summary[summary["is_overall"] & (summary["outlier_fold"] != "")]
    for row in odd.to_dict("records")[:4]:
        notes.append(
            f"{_named(row['outlier_fold'])} is an outlier for {row['model']}, {row['metric']} (Grubbs p = {row['outlier_p']:.3g})."
        )
    del bound
    return notes


def _named(fold: str) -> str:
    """A fold in words: "Fold 3", but "Fold03" as it is."""
    return fold if fold.lower().startswith("fold") else f"Fold {fold}"


def _training(bound: Bound, found: Folds) -> Folds | None:
    """Folds of the training predictions that `cross_validate(keep_train=True)` leaves in the frame."""
    if "train_fold" not in bound.head.columns:
        return None
    roles = replace(bound.roles, fold="train_fold")
    known = bound.series("train_fold", "fold").to_numpy() >= 0
    train = find_folds(replace(bound, roles=roles))
    place = {key: at for at, key in enumerate(zip(found.repeats, found.labels, strict=True))}
    table = np.array([place.get(key, -1) for key in zip(train.repeats, train.labels, strict=True)])
    codes = np.where(known & (train.codes >= 0), table[train.codes], -1)
    return replace(found, codes=codes)


def _twin(bound: Bound, model: Model) -> Model | None:
    """The model made of the `train_…` columns of a model."""

    def other(name: str | None) -> str | None:
        return None if name is None else f"train_{name}"

    names = [other(name) for name in model.columns]
    if not names or any(name not in bound.head.columns for name in names):
        return None
    return replace(model, y_pred=other(model.y_pred), y_score=tuple(f"train_{name}" for name in model.y_score))


def _frame(
    model: str,
    value: Floats,
    n: Floats,
    train: Floats | None,
    cohorts: Cohorts,
    found: Folds,
    requests: tuple[Request, ...],
) -> pd.DataFrame:
    size, k = n.shape
    parts = []
    several = len(set(found.repeats)) > 1
    for m, request in enumerate(requests):
        columns = {"place": np.repeat(np.arange(size), k), "model": model, "metric": request.label}
        columns |= {"repeat": np.tile(np.array(found.repeats, dtype=object), size)} if several else {}
        columns |= {"fold": np.tile(np.array(found.labels, dtype=object), size), "value": value[m].ravel()}
        columns |= {"train_value": train[m].ravel()} if train is not None else {}
        missing = np.isnan(value[m].ravel())
        rows = n.ravel()
        note = np.where(missing, np.where(rows == 0, "no rows in this fold", "not defined in this fold"), "")
        columns |= {"n": rows.astype(np.int64), "note": note}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _summary(
    model: str,
    value: Floats,
    train: Floats | None,
    cohorts: Cohorts,
    found: Folds,
    requests: tuple[Request, ...],
    level: float,
) -> pd.DataFrame:
    parts = []
    for m, request in enumerate(requests):
        test: Any = calibrated_resampled_ttest(
            value[m], np.maximum(found.n_train, 1), found.n_test, found.n_repeats, level
        )
        known = ~np.isnan(value[m])
        count = known.sum(axis=1)
        mean = np.where(count > 0, np.where(known, value[m], 0).sum(axis=1) / np.maximum(count, 1), np.nan)
        spread = np.where(known, value[m] - mean[:, None], 0)
        with np.errstate(invalid="ignore"):
            std = np.where(count > 1, np.sqrt((spread**2).sum(axis=1) / np.maximum(count - 1, 1)), np.nan)
        worst = _worst(value[m], request)
        names = np.array([*found.names, ""], dtype=object)
        p, at = grubbs(value[m])
        low, high = request.metric.range if not request.negated else (-np.inf, np.inf)
        columns = {
            "place": np.arange(len(mean)),
            "model": model,
            "metric": request.label,
            "mean": mean,
            "std": std,
            "ci_low": np.clip(test.ci_low, low, high),
            "ci_high": np.clip(test.ci_high, low, high),
            "n_folds": count,
            "worst_fold": names[worst],
            "worst_value": np.append(value[m].T, [np.full(len(value[m]), np.nan)], axis=0)[
                worst, np.arange(len(worst))
            ],
            "outlier_fold": names[np.where(p < OUTLIER, at, -1)],
            "outlier_p": p,
        }
        if train is not None:
            inside = ~np.isnan(train[m])
            total = inside.sum(axis=1)
            train_mean = np.where(total > 0, np.where(inside, train[m], 0).sum(axis=1) / np.maximum(total, 1), np.nan)
            columns |= {"train_mean": train_mean, "gap": train_mean - mean}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _worst(value: Floats, request: Request) -> npt.NDArray[np.intp]:
    """The fold with the worst value, −1 where there is none or no direction."""
    if request.better not in ("higher", "lower"):
        return np.full(len(value), -1)
    sign = 1.0 if request.better == "higher" else -1.0
    signed = np.where(np.isnan(value), np.inf, sign * value)
    return np.where(np.isnan(value).all(axis=1), -1, signed.argmin(axis=1))


def grubbs(values: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Grubbs' two-sided test for one outlier in each row: p-values, and the place of the value furthest from the mean.

    Parameters
    ----------
    values : ndarray (..., n)
        NaN values are left out; p is NaN with fewer than three values or without spread.

    Examples
    --------
    >>> p, at = grubbs(np.array([[0.80, 0.81, 0.79, 0.80, 0.82, 0.60]]))
    >>> p.round(5), at
    (array([0.00049]), array([5]))

    References
    ----------
    Grubbs (1969), "Procedures for detecting outlying observations in samples", Technometrics 11.
    """
    from scipy.special import stdtr

    known = ~np.isnan(values)
    n = known.sum(axis=-1).astype(float)
    filled = np.where(known, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = filled.sum(axis=-1) / n
        away = np.where(known, np.abs(values - mean[..., None]), -1.0)
        sd = np.sqrt(np.where(known, (values - mean[..., None]) ** 2, 0.0).sum(axis=-1) / (n - 1))
        at = away.argmax(axis=-1)
        g = away.max(axis=-1) / np.where(sd > 1e-12 * np.abs(mean), sd, np.nan)
        room = (n - 1) ** 2 - n * g**2
        t = np.sqrt(n * (n - 2) * g**2 / np.where(room > 0, room, np.nan))
        t = np.where((room <= 1e-12) & (g > 0), np.inf, t)
        p = np.minimum(2 * n * stdtr(np.where(n > 2, n - 2, np.nan), -t), 1.0)
    return np.where(n > 2, p, np.nan), at
