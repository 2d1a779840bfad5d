"""Does a score of 0.8 mean 80 %? Reliability curves and calibration numbers per cohort (`ev.calibration`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render
from dfevals.analyses.calibration.reliability import (
    BARS,
    ERROR_BINS,
    NO_BAND,
    Placed,
    Settings,
    bars_of,
    binned_points,
    errors_of,
    even_sums,
    points_of,
    summary_names,
    summary_of,
)
from dfevals.cohorts import Cohorts
from dfevals.engines import collect
from dfevals.estimates.asked import Viewed, views_of
from dfevals.exceptions import MetricError, check_choice
from dfevals.inference.levels import check_level
from dfevals.inference.multiple import holm
from dfevals.inference.seeds import check_resamples, generator
from dfevals.metrics.calibration import event_rows, event_score, scores_of
from dfevals.needs import Need, RowBlock, RowFunction, ScoreBins, Scores, Values
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import as_texts, by_title, cohort_names, drawn_models, framed, left_out
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.tally import BinTally, RowTally, ScoreTally
from dfevals.tally.ties import BinSums, TieTable, uniform_edges

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BANDS", "KINDS", "STRATEGIES", "CalibrationResult", "calibration", "check_probabilities"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
STRATEGIES = ("corp", "quantile", "uniform", "smooth")
BANDS = ("consistency", "confidence")
KINDS = ("confidence", "top-label", "class-wise")
BINS = {"quantile": 10, "uniform": 10}
EVENT_TESTS = ("bias_p", "calibration_slope_p", "spiegelhalter_p")
FEW_FOR_ECE = 1000  # rows below which what is subtracted for noise takes much of a small error along
FEW = 30  # rows below which no verdict is given


class CalibrationResult(Result):
    """Reliability curves, one row per bin, cohort and model; numbers per cohort and model in `summary`.

    Frame columns: cohort columns, `model` (and `class`), `bin, score_mean, observed, ci_low, ci_high, n, score_min,
    score_max, is_overall`. Bins without rows are not listed.
    """

    _tab = "calibration"

    def __init__(self, frame: pd.DataFrame, run: _Run, **described: Any) -> None:
        super().__init__(frame, **described)
        self._run, self._level = run, run.level

    @property
    def strategy(self) -> str:
        """How scores were put into bins."""
        return self._run.strategy

    @cached_property
    def errors(self) -> pd.DataFrame:
        """Binned errors per cohort and model: `ece` with `ece_low, ece_high`, `ece_plugin`, `mce`."""
        return self._run.labelled([curve.errors for curve in self._run.curves])

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Numbers per cohort and model; worked out when first read.

        Besides `errors`: `ace`, `n, observed, score_mean, bias` (mean score less observed rate) with its interval and p-value,
        `smooth_ece`, `calibration_intercept` and `calibration_slope` with intervals, `calibration_in_the_large`,
        `spiegelhalter_z, spiegelhalter_p`, `hosmer_lemeshow, hosmer_lemeshow_df, hosmer_lemeshow_p` (10 groups of equal
        mass), the parts of the Brier score and of the log loss, `refinement` (uncertainty − discrimination),
        `p_value` (the least of the tests of bias, slope and Spiegelhalter, times their number), `p_corrected` (Holm over
        these tests and the cohorts of a model) and `verdict`: "too high" or "too low" by the bias, "overconfident" or
        "underconfident" by the slope, both where both are sure, "miscalibrated" where only Spiegelhalter's test is.
        """
        return self._run.summary()

    @cached_property
    def band(self) -> pd.DataFrame:
        """The band over the whole range of scores: `score, low, high` per cohort and model (empty for binned curves)."""
        return self._run.labelled([curve.band for curve in self._run.curves])

    @cached_property
    def histogram(self) -> pd.DataFrame:
        """Rows per bar of scores: `score_min, score_max, n` per cohort and model."""
        return self._run.labelled([curve.bars for curve in self._run.curves])

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """One row per cohort: the numbers that answer whether its scores can be taken at their word."""
        del width
        summary = self.summary
        columns = [
            *self.cohort_columns,
            "model",
            *(["class"] if "class" in summary else []),
            "n",
            "observed",
            "score_mean",
        ]
        columns += ["ece", "ece_low", "ece_high", "calibration_slope", "brier_miscalibration", "p_corrected", "verdict"]
        shown = summary[columns].copy()
        few = summary["verdict"] == "too few"
        for name in ("ece", "ece_low", "ece_high", "calibration_slope", "brier_miscalibration"):
            shown[name] = shown[name].where(~few | (summary["n"] > 0))
        return plain_table(
            shown, title=self.title, notes=self.notes, cohort_columns=self.cohort_columns, max_rows=max_rows
        )

    def plot(
        self,
        *,
        model: str | Sequence[str] | None = None,
        label: Any = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Any:
        """Reliability diagram with the histogram of scores below it, one panel per model and cohort.

        Parameters
        ----------
        model : str or list of str, optional
            All models when absent; the first where there is an `ax`.
        label : optional
            Class, where the curves are per class; all of them when absent.
        ax : Axes, optional
            For a single panel; its lower part then holds the histogram.
        **options
            For `dfevals.plots.calibration.draw`, such as `dark=True` or `limit=8`.
        """
        from dfevals.plots.calibration import draw
        from dfevals.plots.forest import names

        known = list(dict.fromkeys(self._frame["model"])) or list(self._run.models[:1])
        wanted = drawn_models(known, model, ax)
        frames = []
        for frame in (self._frame, self.band, self.histogram, self.errors):
            part = frame[frame["model"].isin(wanted)]
            frames.append(part if label is None or "class" not in part else part[part["class"] == str(label)])
        points, band, bars, errors = frames
        keys, title = list(self.cohort_columns), wanted[0] if len(known) > 1 else ""
        if len(wanted) > 1:  # a row of panels per cohort, so that no model is left out where panels are many
            place = pd.factorize(np.array(names(errors, keys), dtype=object))[0]
            errors = errors.iloc[np.argsort(place, kind="stable")]
            keys, title = ["model", *keys], ""
            options = {"limit": max(9, 2 * len(wanted)), "columns": min(len(wanted), 4), **options}
        return draw(
            points,
            band,
            bars,
            errors,
            ax=ax,
            cohort_columns=keys,
            strategy=self._run.strategy,
            band_kind=self._run.band,
            level=self._run.level,
            event=self._run.event,
            **{"title": title, **options},
        )


def check_probabilities(bound: Bound, models: Sequence[Model], what: str = "Calibration") -> None:
    """Refuse what cannot be judged, naming the fix.

    Raises
    ------
    MetricError
        No classes, no scores, or scores outside [0, 1].
    """
    if not bound.classifies:
        other = "ev.residuals() judges predicted numbers" if bound.task == "regression" else "pass y_true= and y_score="
        raise MetricError(f"{what} needs classes and their probabilities; this evaluation is {bound.task}: {other}.")
    if not models:
        raise MetricError(f"{what} needs probabilities. Pass y_score=.")
    for model in models:
        if not model.y_score:
            raise MetricError(f"{what} needs probabilities, but model {model.name!r} has labels only. Pass y_score=.")
        if bound.score_kind(model) != "probability":
            values = np.concatenate([bound.numbers(name, "y_score").all() for name in model.y_score])
            low, high = np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf)
            raise MetricError(
                f"{what} needs probabilities, but the scores of model {model.name!r} range from {low:g} to {high:g}, "
                "outside [0, 1]. Turn them into probabilities first: ev.recalibrate(method='sigmoid').data has such a "
                "column; log-odds become probabilities by 1 / (1 + exp(−score)). Ranking charts (ev.roc, ev.gains) take "
                "them as they are."
            )


def calibration(
    bound: Bound,
    cohorts: Cohorts,
    models: tuple[Model, ...],
    *,
    strategy: str = "corp",
    bins: int | None = None,
    band: str | None = "auto",
    level: float = 0.95,
    kind: str | None = None,
    n_resamples: int = 1000,
    random_state: Any = 0,
    provenance: Any = None,
) -> CalibrationResult:
    """Reliability curves of every model, overall and per cohort; see `Evaluation.calibration`."""
    check_choice("strategy", strategy, STRATEGIES, MetricError)
    if band == "auto":
        band = "consistency" if strategy == "corp" else "confidence"
    if band is not None:
        check_choice("band", band, BANDS, MetricError)
    check_level(level, "level")
    for name, number in (("bins", bins), ("n_resamples", n_resamples)):
        if number is not None:
            check_resamples(number, name)
    if bins is not None and strategy in ("corp", "smooth"):
        raise MetricError(f"strategy={strategy!r} has no bins to choose: drop bins=, or use 'quantile' or 'uniform'.")
    check_probabilities(bound, models)
    if bound.task == "multiclass":
        kind = kind or "confidence"
        check_choice("kind", kind, KINDS, MetricError)
    elif kind is not None:
        raise MetricError(f"kind={kind!r} is for more than two classes; a binary score has one curve. Drop kind=.")
    rng = generator(random_state)
    run = _Run(cohorts, bound, strategy, bins or BINS.get(strategy, 0), band, level, kind, int(n_resamples))
    dropped = []
    for model in models:
        run.models.append(model.name)
        sources = list(_sources(run, model))
        for source in sources:
            run.curves += [_curve(run, source, view, rng) for view in views_of(cohorts)]
        if sources:
            dropped += left_out(model.name, sources[0].dropped)
    frame = run.labelled([curve.points for curve in run.curves])
    title = by_title(f"Calibration ({_named(run)})", cohorts)
    notes = [*cohorts.notes, *dropped, *_notes(run, bound, frame)]
    return CalibrationResult(frame, run, provenance=provenance, title=title, notes=notes, cohort_columns=run.names)


# Collecting


@dataclass
class _Source:
    """Score and event of one model (and class) per atom; `bins` where they are enough for the curves."""

    model: str
    label: str | None
    collect: Callable[[], ScoreTally]
    dropped: Mapping[str, int]
    bins: BinTally | None = None
    rows: Floats | None = None  # of the atoms, with `bins`

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "ties"}  # made again from the scores

    @cached_property
    def scores(self) -> ScoreTally:
        """Sorted scores; collected when first read."""
        return self.collect()

    @cached_property
    def ties(self) -> TieTable:
        """Rows of equal score, per atom."""
        return TieTable.of(self.scores)


def _sources(run: _Run, model: Model) -> Iterator[_Source]:
    """One source, or one of every class."""
    bound, cohorts = run.bound, run.cohorts
    if run.kind in ("confidence", "top-label"):
        values = Values((event_score, event_rows, predicted_class))
        tally = collect(bound, model, cohorts, [values])
        for k in [None] if run.kind == "confidence" else range(len(bound.labels)):
            label = None if k is None else str(bound.labels[k])
            yield _Source(model.name, label, partial(_of_rows, tally.parts[values], k), tally.dropped)  # type: ignore[arg-type]
        return
    edges = _edges(run)
    for k in [None] if run.kind is None else range(len(bound.labels)):
        label = None if k is None else str(bound.labels[k])
        scores = Scores(k, probability=True)
        need: Need = ScoreBins(edges, k) if edges else scores
        tally = collect(bound, model, cohorts, [need])
        part = tally.parts[need]
        if isinstance(part, BinTally):
            again = partial(_sorted, run, model, scores)
            yield _Source(model.name, label, again, tally.dropped, part, tally.n)
        else:
            yield _Source(model.name, label, partial(_as_it_is, part), tally.dropped)  # type: ignore[arg-type]


def _as_it_is(scores: ScoreTally) -> ScoreTally:
    return scores


def _edges(run: _Run) -> tuple[float, ...]:
    """Edges of every bin that a curve of equal bins needs; none where sorted scores are needed, or take less room."""
    if run.strategy != "uniform" or run.bound.cluster is not None:
        return ()
    edges = np.unique(np.concatenate([uniform_edges(bins) for bins in (run.bins, ERROR_BINS, BARS)]))
    return tuple(edges.tolist()) if len(edges) * run.cohorts.n_atoms <= run.bound.n else ()


def _sorted(run: _Run, model: Model, need: Scores) -> ScoreTally:
    return collect(run.bound, model, run.cohorts, [need]).parts[need]  # type: ignore[return-value]


def _predicted(rows: RowBlock) -> npt.NDArray[Any]:
    return rows.scores.argmax(axis=1)


predicted_class = RowFunction("predicted class", _predicted, ("y_score",))


def _of_rows(rows: RowTally, predicted: int | None) -> ScoreTally:
    cohort = np.repeat(np.arange(rows.n_cohorts), np.diff(rows.offsets))
    none = np.zeros(0)
    score, event, label = (rows.columns.get(f"value {i}", none) for i in range(3))
    return scores_of(rows, cohort, score, event > 0, slice(None) if predicted is None else label == predicted)


# One model, class and view of the cohorts


@dataclass(frozen=True)
class _Numbers:
    """Columns of one curve's frame; `cohort` is the place in the result, 0 for overall."""

    model: str
    label: str | None
    cohort: Ints
    columns: dict[str, Any]


@dataclass(frozen=True)
class _Curve:
    """What one view of one source gives."""

    source: _Source
    view: Viewed
    points: _Numbers
    errors: _Numbers
    band: _Numbers
    bars: _Numbers


@dataclass
class _Run:
    """What was asked, and the curves."""

    cohorts: Cohorts
    bound: Bound
    strategy: str
    bins: int
    band: str | None
    level: float
    kind: str | None
    n_resamples: int
    models: list[str] = field(default_factory=list)
    curves: list[_Curve] = field(default_factory=list)

    @property
    def event(self) -> tuple[str, str]:
        """Names of the axes: what is predicted, what is observed."""
        if self.kind in ("confidence", "top-label"):
            return "confidence", "share right"
        if self.kind == "class-wise":
            return "predicted probability of the class", "share of the class"
        return "predicted probability", f"share of {self.bound.pos_label}"

    def labelled(self, parts: list[_Numbers]) -> pd.DataFrame:
        """One frame, ordered by model, class and cohort, overall first."""
        order = {
            (model, None if self.kind in (None, "confidence") else str(label)): i
            for i, (model, label) in enumerate(
                (m, label) for m in self.models for label in (self.bound.labels or (None,))
            )
        }
        place = np.concatenate([p.cohort for p in parts]) if parts else np.zeros(0, np.int64)
        group = np.concatenate([np.full(len(p.cohort), order.get((p.model, p.label), 0)) for p in parts] or [place])
        sort = np.lexsort((place, group))
        columns: dict[str, Any] = {}
        owner = np.repeat(np.arange(len(parts)), [len(p.cohort) for p in parts])[sort]
        columns["model"] = as_texts([p.model for p in parts], owner)
        if self.kind in ("top-label", "class-wise"):
            columns["class"] = as_texts([str(p.label) for p in parts], owner)
        for key in parts[0].columns if parts else ():
            columns[key] = np.concatenate([np.asarray(p.columns[key]) for p in parts])[sort]
        return framed(self.cohorts, place[sort], columns, self.names)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Cohort columns, the same in the frame and in the summary."""
        own = [{*curve.points.columns, *curve.errors.columns} for curve in self.curves[:1]]
        return cohort_names(self.cohorts, {"p_value", "p_corrected", "verdict", *summary_names()}.union(*own))

    @property
    def tests(self) -> tuple[str, ...]:
        """Columns of the p-values behind a verdict: of a probability three, of a confidence that of its mean."""
        return ("bias_p",) if self.kind in ("confidence", "top-label") else EVENT_TESTS

    @property
    def settings(self) -> Settings:
        """How the curves are made."""
        return Settings(self.strategy, self.bins, self.band, self.level, self.n_resamples)

    def _numbers(self, curve: _Curve) -> _Numbers:
        columns = summary_of(_ties(curve.source, curve.view), curve.errors.columns, self.level)
        return _Numbers(curve.source.model, curve.source.label, curve.view.cohorts, columns)

    def summary(self) -> pd.DataFrame:
        """All numbers per cohort and model."""
        frame = self.labelled([self._numbers(curve) for curve in self.curves])
        tests = frame[list(self.tests)].to_numpy(float)
        corrected = np.full(tests.shape, np.nan)
        overall = frame["is_overall"].to_numpy()
        for _, part in frame.groupby("model", sort=False):
            for rows in (part.index[overall[part.index]], part.index[~overall[part.index]]):
                corrected[rows] = np.asarray(holm(tests[rows].ravel())).reshape(-1, tests.shape[1])
        known = (~np.isnan(tests)).sum(axis=1)
        frame["p_value"] = np.where(known > 0, np.minimum(np.fmin.reduce(tests, axis=1) * known, 1), np.nan)
        frame["p_corrected"] = np.fmin.reduce(corrected, axis=1)
        sure = {name: p < 1 - self.level for name, p in zip(self.tests, corrected.T, strict=True)}
        frame["verdict"] = _verdicts(frame, sure)
        return frame[[*(c for c in frame if c != "is_overall"), "is_overall"]]


def _curve(run: _Run, source: _Source, view: Viewed, rng: np.random.Generator) -> _Curve:
    band: Placed
    if source.bins is None:
        ties = _ties(source, view)
        points, band = points_of(run.settings, ties, rng)
        rows, (even, bars) = ties.rows, even_sums(ties, ERROR_BINS, BARS)
    else:
        rows, own, even, bars = _counted(run, source, view)
        points, band = binned_points(run.settings, own, rng), NO_BAND

    def numbers(place: Ints, columns: dict[str, Any]) -> _Numbers:
        return _Numbers(source.model, source.label, view.cohorts[place], columns)

    errors = numbers(np.arange(len(view.cohorts)), errors_of(even, rows, run.level))
    return _Curve(source, view, numbers(*points), errors, numbers(*band), numbers(*bars_of(bars)))


def _ties(source: _Source, view: Viewed) -> TieTable:
    if view.positions is None:
        return source.ties
    found = TieTable.of(source.scores.regroup(view.positions, len(view.cohorts)))
    return found.made_of(source.ties, view.positions)


def _counted(run: _Run, source: _Source, view: Viewed) -> tuple[Floats, BinSums, BinSums, BinSums]:
    """Rows of every cohort, and its sums over the bins of the curve, of the errors and of the histogram."""
    assert source.bins is not None
    assert source.rows is not None
    tally, rows, size = source.bins, source.rows, len(view.cohorts)
    if view.positions is not None:
        keep = view.positions >= 0
        tally = tally.regroup(view.positions, size)
        rows = np.asarray(np.bincount(view.positions[keep], rows[keep], size), float)
    own, even, bars = (tally.sums(uniform_edges(bins)) for bins in (run.bins, ERROR_BINS, BARS))
    return rows, own, even, bars


# Numbers


def _verdicts(frame: pd.DataFrame, sure: dict[str, Bools]) -> npt.NDArray[np.object_]:
    """What the tests that are sure after correction say: the level by the bias, the spread by the slope.

    A confidence that is too high is overconfidence. Without a slope (the scores separate the classes) Spiegelhalter's z tells.
    """
    too_high, z = frame["bias"].to_numpy() > 0, frame["spiegelhalter_z"].to_numpy()
    few = frame.pop("few").to_numpy() | (frame["n"].to_numpy() < FEW) | frame["p_value"].isna().to_numpy()
    if len(sure) == 1:
        texts = _said(sure["bias_p"], too_high, "overconfident", "underconfident")
    else:
        slope = frame["calibration_slope"].to_numpy()
        level = _said(sure["bias_p"], too_high, "too high", "too low")
        spread = _said(sure["calibration_slope_p"], slope < 1, "overconfident", "underconfident")
        rest = np.where(np.isnan(slope) & (z < 0), "underconfident", "miscalibrated")
        spread = np.where((level == "") & (spread == "") & sure["spiegelhalter_p"], rest, spread)
        texts = level + np.where((level != "") & (spread != ""), ", ", "") + spread
    return np.asarray(np.where(few, "too few", np.where(texts == "", "no evidence", texts)), object)


def _said(sure: Bools, first: Bools, yes: str, no: str) -> npt.NDArray[np.object_]:
    return np.where(sure, np.where(first, yes, no), "").astype(object)


# Words


def _named(run: _Run) -> str:
    names = {"corp": "CORP, isotonic", "smooth": "kernel smoothed", "quantile": "bins of equal mass"}
    text = names.get(run.strategy, "bins of equal width")
    return f"{text}; {run.kind}" if run.kind else text


def _notes(run: _Run, bound: Bound, frame: pd.DataFrame) -> list[str]:
    level = f"{run.level:.0%}"
    notes = []
    if run.band == "consistency":
        notes.append(
            f"Bands are {level} consistency bands: where the curve of calibrated scores would lie, point by point"
            + (f" ({run.n_resamples:,} draws)." if run.strategy != "smooth" else ".")
        )
    elif run.band == "confidence":
        how = {"corp": "likelihood ratio of a monotone curve"}.get(run.strategy, "Wilson")
        notes.append(f"Bands are {level} confidence intervals of the observed rate, point by point ({how}).")
    which = "the tests of bias and slope and Spiegelhalter's"
    if run.tests != EVENT_TESTS:
        which = "the test of mean confidence against accuracy"
    over = "them and the cohorts" if run.tests == EVENT_TESTS else "the cohorts"
    notes.append(
        f"Verdicts by {which} at {level}, Holm over {over}; ece is debiased, on {ERROR_BINS} bins of equal width."
    )
    if (np.concatenate([curve.errors.columns["n"] for curve in run.curves] or [np.zeros(0)]) < FEW_FOR_ECE).any():
        notes.append(f"With fewer than {FEW_FOR_ECE:,} rows ece can be half of a small true error: read ece_high.")
    if run.strategy in BINS and len(frame):
        keys = [*run.names, "model", *(["class"] if "class" in frame else [])]
        filled = frame.groupby(keys, sort=False).size()
        if (filled < run.bins).any():
            notes.append(f"Some curves have fewer than {run.bins} bins: the others hold no rows or repeat a score.")
    if bound.cluster is not None:
        notes.append(
            f"{bound.dependence} are not independent: tests and intervals use sums over them, and bands as many "
            "rows as these are worth (design effects)."
        )
    if bound.weight is not None and bound.roles.weight_kind == "importance":
        notes.append("Rows are weighted: n is the sum of weights, and intervals use the effective number of rows.")
    return notes
