"""Where and how is a regression wrong? Errors per cohort, by size of the target, and the charts of them (`ev.residuals`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render
from dfevals.analyses.metrics import measure
from dfevals.cohorts import Cohorts
from dfevals.engines import collect
from dfevals.estimates.asked import views_of
from dfevals.exceptions import MetricError, check_choice
from dfevals.inference.levels import check_level, normal_quantile, t_quantile
from dfevals.inference.multiple import holm
from dfevals.inference.shapes import Cloud, hexagons, normal_quantiles, quantiles
from dfevals.needs import RowFunction, Values
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import OVERALL, by_title, framed
from dfevals.roles.bound import BLOCK, Bound
from dfevals.roles.declared import Model
from dfevals.tally import RowTally

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KINDS", "ResidualsResult", "residuals"]

Floats = npt.NDArray[np.float64]
KINDS = ("overview", "residual", "actual", "qq", "distribution", "decile", "map", "interval", "worst")
ROWS = Values(
    (
        RowFunction("actual", lambda rows: rows.y_true, ("y_true",)),
        RowFunction("predicted", lambda rows: rows.y_pred, ("y_pred",)),
    )
)
MEASURED = ("mean_error", "mae", "rmse")
INTERVAL = ("interval_coverage", "interval_width")
SHARES = {"q05": 0.05, "q25": 0.25, "median_error": 0.5, "q75": 0.75, "q95": 0.95}
FEW = 10


class ResidualsResult(Result):
    """Errors (predicted − actual) of every model, one row per cohort.

    Frame columns: cohort columns, `model, n, mean_error` with `ci_low, ci_high, p_value, p_corrected` (no bias; Holm over
    the cohorts of a model) and `verdict`, `mae` and `rmse` with intervals, `std`, the quantiles `q05, q25, median_error,
    q75, q95` of the errors, `mean_actual, mean_predicted`, `share_of_error` (of the sum of absolute errors), `flag` (mae
    higher or lower than that of the other rows, Holm), and with predicted intervals `interval_coverage` and
    `interval_width` with intervals.
    """

    _tab = "residuals"

    def __init__(self, frame: pd.DataFrame, run: _Run, **described: Any) -> None:
        super().__init__(frame, **described)
        self._run, self._level = run, run.level

    def _focus(self) -> dict[str, Any]:
        return {"metric": "mae", **super()._focus()}

    @cached_property
    def deciles(self) -> pd.DataFrame:
        """Errors by decile of the actual values: `bin, actual_min, actual_max, mean_error, ci_low, ci_high, mae, n`.

        The deciles are those of all rows of a model, so that cohorts can be compared.
        """
        return self._run.deciles()

    @property
    def worst(self) -> pd.DataFrame:
        """The cohorts in the order of their mean absolute error, greatest first; overall left out."""
        cohorts = self._frame[~self._frame["is_overall"]]
        return cohorts.sort_values("mae", ascending=False, ignore_index=True)

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """Bias, mean absolute error and what they hide; other columns are in `frame`."""
        del width
        columns = [
            *self.cohort_columns,
            "model",
            "n",
            "mean_error",
            "ci_low",
            "ci_high",
            "verdict",
            "mae",
            "flag",
            "rmse",
        ]
        columns += ["median_error", "share_of_error"]
        columns += [name for name in INTERVAL if name in self._frame]
        return plain_table(
            self._frame[columns],
            title=self.title,
            notes=self.notes,
            cohort_columns=self.cohort_columns,
            max_rows=max_rows,
        )

    def plot(
        self,
        kind: str | None = None,
        *,
        model: str | None = None,
        cohort: str | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Any:
        """Draw the errors.

        Parameters
        ----------
        kind : {"overview", "residual", "actual", "qq", "distribution", "decile", "map", "interval", "worst"}, optional
            Error against prediction, prediction against actual value, normal quantiles, error per cohort, error by
            decile of the target, bias over two cohort columns, coverage of the predicted intervals, mean absolute error
            per cohort; "overview" is the first three and the deciles. Default: "distribution" with cohorts.
        model : str, optional
            The first model when absent.
        cohort : str, optional
            For "residual", "actual" and "qq": one cohort instead of all rows; names of several columns are joined by " · ".
        ax : Axes, optional
            For kinds with one panel.
        **options
            For the chart, such as `dark=True`.
        """
        from dfevals.plots.residuals import draw

        kind = kind or ("distribution" if self.cohort_columns else "overview")
        check_choice("kind", kind, KINDS, MetricError)
        names = list(dict.fromkeys(self._frame["model"]))
        chosen = names[0] if model is None else model
        check_choice("model", chosen, tuple(names), MetricError)
        if kind == "map" and len(self.cohort_columns) != 2:
            raise MetricError(
                f"A map of the bias needs two cohort columns, but by= gives {len(self.cohort_columns)}. Pass by=['a', 'b']."
            )
        if kind == "interval" and "interval_coverage" not in self._frame:
            raise MetricError("There are no predicted intervals. Pass y_lower= and y_upper=.")
        frame = self._frame[self._frame["model"] == chosen]
        cloud = self._run.cloud(chosen, cohort) if kind in ("overview", "residual", "actual", "qq") else None
        deciles = self.deciles[self.deciles["model"] == chosen] if kind in ("overview", "decile") else None
        return draw(
            kind, frame, cloud=cloud, deciles=deciles, ax=ax, cohort_columns=list(self.cohort_columns), **options
        )


@dataclass
class _Run:
    """The rows of every model, grouped by atom; kept for the charts."""

    bound: Bound
    cohorts: Cohorts
    models: tuple[Model, ...]
    level: float

    def rows(self, model: Model) -> RowTally:
        tally = collect(self.bound, model, self.cohorts, [ROWS]).parts[ROWS]
        assert isinstance(tally, RowTally)
        return tally

    def grouped(self, model: Model) -> list[tuple[npt.NDArray[np.int64], RowTally]]:
        """Places of the cohorts of every view and their rows."""
        atoms = self.rows(model)
        return [
            (v.cohorts, atoms if v.positions is None else atoms.regroup(v.positions, len(v.cohorts)))
            for v in views_of(self.cohorts)
            if len(v.cohorts)
        ]

    def names(self) -> list[str]:
        """Names of overall and the cohorts."""
        if not self.cohorts.n_cohorts:
            return [OVERALL]
        joined = (
            " · ".join(part for part in parts if part != "(all)") for parts in zip(*self.cohorts.labels, strict=True)
        )
        return [OVERALL, *joined]

    def cloud(self, model: str, cohort: str | None) -> Cloud:
        names = self.names()
        if cohort is not None:
            check_choice("cohort", cohort, tuple(names), MetricError)
        at = 0 if cohort is None else names.index(cohort)
        for places, tally in self.grouped(self.bound.model(model)):
            hit = np.flatnonzero(places == at)
            if len(hit):
                return _cloud(names[at], *_columns(tally, int(hit[0])))
        raise AssertionError

    def deciles(self) -> pd.DataFrame:
        frames = []
        for model in self.models:
            views = self.grouped(model)
            actual, _, weight = _columns(views[-1][1], 0)
            edges = np.unique(quantiles(actual, np.arange(1, 10) / 10, weight)) if len(actual) else np.zeros(0)
            for places, tally in views:
                for i, place in enumerate(places):
                    frames.append(
                        _decile_rows(*_columns(tally, i), _clusters(tally, i), edges, self.level).assign(
                            place=place, model=model.name
                        )
                    )
        order = {model.name: i for i, model in enumerate(self.models)}
        frame = pd.concat(frames, ignore_index=True)
        frame = frame.iloc[np.lexsort((frame["bin"], frame["place"], frame["model"].map(order)))].reset_index(drop=True)
        place = frame.pop("place").to_numpy()
        frame.insert(0, "model", frame.pop("model"))
        return framed(self.cohorts, place, dict(frame))


def residuals(
    bound: Bound,
    cohorts: Cohorts,
    models: tuple[Model, ...],
    *,
    level: float = 0.95,
    provenance: Any = None,
) -> ResidualsResult:
    """Errors of every model, overall and per cohort; see `Evaluation.residuals`."""
    check_level(level, "level")
    if bound.task != "regression":
        raise MetricError(
            f"Residuals are for numbers; this evaluation is {bound.task}. "
            + (
                "For classes ask ev.confusion() or ev.calibration()."
                if bound.classifies
                else "Pass y_true= and y_pred=."
            )
        )
    models = tuple(model for model in models if model.y_pred is not None)
    if not models:
        raise MetricError("Residuals need predictions. Pass y_pred=.")
    run = _Run(bound, cohorts, models, level)
    frames, notes = [], list(cohorts.notes)
    for model in models:
        bounded = model.y_lower is not None and model.y_upper is not None
        measured = measure(bound, cohorts, [*MEASURED, *(INTERVAL if bounded else ())], models=(model,), ci=level)
        notes += [note for note in measured.notes if note not in notes]
        notes += [_crossed(bound, model)] if bounded else []
        frames.append(_model_frame(run, model, measured))
    notes = list(filter(None, notes))
    frame = pd.concat(frames, ignore_index=True)
    frame["verdict"] = _verdicts(frame, 1 - level)
    frame = framed(
        cohorts, np.tile(np.arange(cohorts.n_cohorts + 1), len(models)), dict(frame.drop(columns="is_overall"))
    )
    notes.append("Errors are predicted − actual: above 0 the model predicts too high.")
    names = tuple(frame.columns[: len(cohorts.names)])
    title = by_title("Residuals", cohorts)
    return ResidualsResult(frame, run, provenance=provenance, title=title, notes=notes, cohort_columns=names)


def _crossed(bound: Bound, model: Model) -> str:
    """What to know about predicted intervals that end before they begin."""
    assert model.y_lower is not None
    assert model.y_upper is not None
    low, high = bound.numbers(model.y_lower, "y_lower"), bound.numbers(model.y_upper, "y_upper")
    mine = slice(None) if model.key is None else bound.codes_of_models() == bound.models.index(model)
    crossed = [low.block(at, at + BLOCK) > high.block(at, at + BLOCK) for at in range(0, bound.n, BLOCK)]
    rows = int(np.concatenate([[], *crossed])[mine].sum())
    if not rows:
        return ""
    plural = "s" * (rows != 1)
    return (
        f"{model.name}: y_lower is above y_upper in {rows:,} row{plural}, which cover nothing. Are the columns swapped?"
    )


# One row per cohort


def _model_frame(run: _Run, model: Model, measured: Any) -> pd.DataFrame:
    long = measured.frame
    first = long[long["metric"] == "mean_error"].reset_index(drop=True)
    frame = first[["model", "n"]].copy()
    for name in dict.fromkeys(long["metric"]):
        part = long[long["metric"] == name].reset_index(drop=True)
        ends = ("ci_low", "ci_high") if name == "mean_error" else (f"{name}_low", f"{name}_high")
        frame[name], frame[ends[0]], frame[ends[1]] = part["value"], part["ci_low"], part["ci_high"]
    frame["note"] = first["note"]
    frame["flag"] = measured.flags[(long["metric"] == "mae").to_numpy()].to_numpy()
    frame["p_value"] = _p_of_bias(frame, run.level)
    overall = first["is_overall"].to_numpy(dtype=bool)
    frame["p_corrected"] = np.where(overall, frame["p_value"], holm(np.where(overall, np.nan, frame["p_value"])))
    for name, values in _shapes(run, model, len(frame)).items():
        frame[name] = values
    frame["is_overall"] = overall
    return frame


def _p_of_bias(frame: pd.DataFrame, level: float) -> Floats:
    """At which level the interval of the mean error would touch 0."""
    from scipy.special import ndtr

    value, low, high = (frame[name].to_numpy(float) for name in ("mean_error", "ci_low", "ci_high"))
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.where(value > 0, value - low, high - value)
        z = np.abs(value) / np.where(half > 0, half, np.nan) * normal_quantile(level)
    return np.where(value == 0, 1.0, 2 * ndtr(-z))


def _shapes(run: _Run, model: Model, size: int) -> dict[str, Floats]:
    """Spread and quantiles of the errors, means, and the share of all absolute error."""
    names = ("std", *SHARES, "mean_actual", "mean_predicted", "share_of_error")
    out = {name: np.full(size, np.nan) for name in names}
    for places, tally in run.grouped(model):
        for i, place in enumerate(places):
            actual, predicted, weight = _columns(tally, i)
            if not len(actual) or (weight is not None and not weight.any()):
                continue
            error = predicted - actual
            mean = np.average(error, weights=weight)
            out["std"][place] = np.sqrt(np.average((error - mean) ** 2, weights=weight))
            out["mean_actual"][place] = np.average(actual, weights=weight)
            out["mean_predicted"][place] = np.average(predicted, weights=weight)
            out["share_of_error"][place] = np.abs(error).sum() if weight is None else (weight * np.abs(error)).sum()
            for name, value in zip(SHARES, quantiles(error, np.array(list(SHARES.values())), weight), strict=True):
                out[name][place] = value
    total = out["share_of_error"][0]
    out["share_of_error"] /= total if total > 0 else np.nan
    return out


def _clusters(tally: RowTally, cohort: int) -> npt.NDArray[Any] | None:
    """Clusters of the rows that `_columns` gives."""
    columns = tally.rows(cohort)
    cluster, weight = columns.get("cluster"), columns.get("sample_weight")
    if cluster is None or not tally.frequency or weight is None:
        return cluster
    return np.repeat(cluster, weight.astype(np.int64))


def _columns(tally: RowTally, cohort: int) -> tuple[Floats, Floats, Floats | None]:
    """Actual values, predictions and weights of one cohort; equal weights say nothing."""
    columns = tally.rows(cohort)
    none = np.zeros(0)
    actual, predicted, weight = columns.get("value 0", none), columns.get("value 1", none), columns.get("sample_weight")
    if tally.frequency and weight is not None:  # a weight is a number of equal rows
        count = weight.astype(np.int64)
        return np.repeat(actual, count), np.repeat(predicted, count), None
    if weight is not None and len(weight) and weight[0] > 0 and np.ptp(weight) <= 1e-12 * weight[0]:
        weight = None
    return actual, predicted, weight


def _verdicts(frame: pd.DataFrame, alpha: float) -> npt.NDArray[np.object_]:
    verdict = np.full(len(frame), "no evidence", dtype=object)
    sure = frame["p_corrected"].to_numpy() < alpha
    verdict[sure & (frame["mean_error"].to_numpy() > 0)] = "too high"
    verdict[sure & (frame["mean_error"].to_numpy() < 0)] = "too low"
    verdict[(frame["n"].to_numpy() < FEW) | frame["p_value"].isna().to_numpy()] = "too few"
    return verdict


# Charts


def _decile_rows(
    actual: Floats,
    predicted: Floats,
    weight: Floats | None,
    cluster: npt.NDArray[Any] | None,
    edges: Floats,
    level: float,
) -> pd.DataFrame:
    """Errors of one cohort in the bins between the edges; t intervals, with weights by Σw², with clusters by their sums."""
    cell = np.searchsorted(edges, actual, "left")
    w = np.ones(len(actual)) if weight is None else weight
    error = predicted - actual
    used = np.flatnonzero(np.bincount(cell, w, len(edges) + 1) > 0)

    def add(values: Floats) -> Floats:
        return np.asarray(np.bincount(cell, values, len(edges) + 1)[used], float)

    total, square = add(w), add(w * w)
    mean = add(w * error) / total
    n = total**2 / square
    whole = np.zeros(len(edges) + 1)
    whole[used] = mean
    move = w * (error - whole[cell])
    if cluster is not None:
        names, place = np.unique(cell * (len(cluster) + 1) + pd.factorize(cluster)[0], return_inverse=True)
        owner, move = names // (len(cluster) + 1), np.asarray(np.bincount(place, move, len(names)), float)
        n = np.bincount(owner, minlength=len(edges) + 1)[used].astype(float)
    else:
        owner = cell
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.asarray(np.bincount(owner, move**2, len(edges) + 1)[used], float)
        variance = spread / total**2 * n / (n - 1)
        half = np.where(n > 1, np.asarray(t_quantile(level, np.maximum(n - 1, 1))) * np.sqrt(variance), np.nan)
    least, greatest = np.full(len(edges) + 1, np.inf), np.full(len(edges) + 1, -np.inf)
    np.minimum.at(least, cell, actual)
    np.maximum.at(greatest, cell, actual)
    columns = {
        "bin": used,
        "actual_min": least[used],
        "actual_max": greatest[used],
        "mean_error": mean,
        "ci_low": mean - half,
        "ci_high": mean + half,
        "mae": add(w * np.abs(error)) / total,
        "n": np.bincount(cell, minlength=len(edges) + 1)[used],
    }
    return pd.DataFrame(columns)


def _cloud(name: str, actual: Floats, predicted: Floats, weight: Floats | None) -> Cloud:
    if weight is not None and not weight.any():
        actual, predicted, weight = actual[:0], predicted[:0], None
    error = predicted - actual
    normal, sample = normal_quantiles(error, weight)
    centre = float(np.average(error, weights=weight)) if len(error) else np.nan
    spread = float(np.sqrt(np.average((error - centre) ** 2, weights=weight))) if len(error) else np.nan
    return Cloud(
        name, len(error), hexagons(predicted, error), hexagons(actual, predicted), normal, sample, centre, spread
    )
