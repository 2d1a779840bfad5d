"""ROC, precision-recall, DET and cumulative accuracy curves per cohort (`ev.roc`, `ev.pr`, `ev.det`, `ev.cap`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import words
from dfevals.analyses.scores.ranked import Ranked, ranked
from dfevals.analyses.scores.score_steps import LIMIT, Steps, steps
from dfevals.cohorts import Cohorts
from dfevals.estimates.intervals import interval
from dfevals.exceptions import MetricError, check_choice
from dfevals.inference.bands import RatePoints, rate_bounds, rates_band, simultaneous_factor
from dfevals.inference.levels import check_level
from dfevals.inference.proportions import wilson
from dfevals.inference.seeds import check_resamples, generator
from dfevals.metrics.estimands import Rank, divide
from dfevals.results.result import Result
from dfevals.results.tidy import Piece, by_title, tidy_all
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CurveResult", "Kind", "curves"]

Floats = npt.NDArray[np.float64]
Kind = Literal["roc", "pr", "det", "cap"]
NAMES = {"roc": "ROC curves", "pr": "Precision-recall curves", "det": "DET curves", "cap": "Cumulative accuracy curves"}


class CurveResult(Result):
    """Points of a curve per model and cohort, with bands, and the numbers that belong to each curve.

    Parameters
    ----------
    frame : DataFrame
        One row per point; a curve that is not defined is one row of NaN with its reason in `note`.
    summary : DataFrame
        One row per curve.
    kind : {"roc", "pr", "det", "cap"}
    level : float
    """

    _tab = "roc"

    def __init__(self, frame: pd.DataFrame, summary: pd.DataFrame, kind: Kind, level: float, **described: Any) -> None:
        super().__init__(frame, **described)
        self._summary, self._kind, self._level = summary, kind, level

    @property
    def summary(self) -> pd.DataFrame:
        """One row per curve: area with its interval, the operating point, row counts, base rate, and why it is undefined."""
        return self._summary.copy()

    @property
    def kind(self) -> Kind:
        """ "roc", "pr", "det" or "cap"."""
        return self._kind

    def _focus(self) -> dict[str, Any]:
        return super()._focus() | {"view": {"det": "roc", "cap": "gains"}.get(self._kind, self._kind)}

    def table(self, max_rows: int = 60, width: int | None = None) -> Any:
        """The numbers of each curve; its points are in `.frame`."""
        from dfevals.render.plain_tables import plain_table

        del width
        frame = self._summary
        if not frame["note"].astype(bool).any():
            frame = frame.drop(columns="note")
        detail = f"{len(self._frame):,} points in .frame; {words.bounds(self._level)}"
        return plain_table(
            frame,
            title=self.title,
            notes=self.notes,
            cohort_columns=self.cohort_columns,
            max_rows=max_rows,
            detail=detail,
        )

    def plot(self, *, model: str | Sequence[str] | None = None, ax: Axes | None = None, **options: Any) -> Any:
        """Draw the curves: one panel per cohort with overall in grey, models in one panel, bands always drawn.

        Parameters
        ----------
        model : str or list of str, optional
            All models when absent.
        ax : Axes, optional
            All cohorts go into it.
        **options
            `dark`, `limit`, `title` as in `dfevals.plots.curves.draw`.
        """
        from dfevals.plots.curves import draw

        names = {"cohort_columns": self.cohort_columns, "level": self._level, "model": model}
        return draw(self._frame, self._summary, self._kind, ax, **{**names, **options})


def curves(
    bound: Bound,
    cohorts: Cohorts,
    models: tuple[Model, ...],
    kind: Kind,
    *,
    level: float = 0.95,
    band: str = "pointwise",
    max_fpr: float | None = None,
    n_resamples: int = 400,
    random_state: Any = 0,
    provenance: Any = None,
) -> CurveResult:
    """Curves of every model (and class), overall and per cohort."""
    check_level(level)
    check_resamples(n_resamples, least=0)
    check_choice("band", band, ("pointwise", "simultaneous"), MetricError)
    if max_fpr is not None and not 0 < max_fpr <= 1:
        raise MetricError(f"max_fpr={max_fpr!r} must lie in (0, 1]: the area up to that false positive rate is taken.")
    notes: list[str] = []
    rng = generator(random_state)
    ask = _Ask(kind, level, band == "simultaneous", max_fpr, n_resamples, rng)
    points, sums, thinned = [], [], False
    for source in ranked(bound, cohorts, models, notes, NAMES[kind]):
        found = _Curve(source, steps(source.tally), ask)
        thinned = thinned or bool(found.steps.thinned.any())
        points.append(found.points())
        sums.append(found.summary())
    frames, names = tidy_all(cohorts, {"frame": points, "summary": sums})
    frame, summary = frames["frame"], frames["summary"]
    assert frame is not None
    assert summary is not None
    notes += _notes(ask, thinned, bound)
    return CurveResult(
        frame,
        summary,
        kind,
        level,
        provenance=provenance,
        title=by_title(NAMES[kind], cohorts),
        notes=list(dict.fromkeys(notes)),
        cohort_columns=names,
    )


def _notes(ask: _Ask, thinned: bool, bound: Bound) -> list[str]:
    notes = []
    if thinned:
        notes.append(
            f"Curves of more than {LIMIT:,} distinct scores keep at most {LIMIT:,} exact points: at every 1/800 of either "
            "class and more at both ends. Areas, KS and operating points use all rows."
        )
    if ask.simultaneous:
        notes.append("Bounds at the thresholds hold for all thresholds at once (Kolmogorov–Smirnov rectangles).")
        if ask.kind == "roc":
            notes.append("The band holds the whole curve at once (widened by a bootstrap of the greatest distance).")
    if bound.weight is not None:
        notes.append("Rows are weighted: intervals use effective numbers of rows, (Σw)² / Σw².")
    if ask.kind == "pr":
        notes.append("The last point (recall 0, precision 1, threshold ∞) is scikit-learn's convention.")
    return notes


@dataclass(frozen=True)
class _Ask:
    kind: Kind
    level: float
    simultaneous: bool
    max_fpr: float | None
    n_resamples: int
    rng: np.random.Generator


@dataclass
class _Curve:
    """The curves of one model in disjoint cohorts."""

    source: Ranked
    steps: Steps
    ask: _Ask
    reason: npt.NDArray[np.object_] = field(init=False)

    def __post_init__(self) -> None:
        pos, neg = self.steps.total.pos, self.steps.total.neg
        needs_neg = self.ask.kind in ("roc", "det")
        self.reason = np.select(
            [pos + neg == 0, pos == 0, (neg == 0) & needs_neg], ["no rows", "no positives", "no negatives"], ""
        ).astype(object)

    def points(self) -> Piece:
        """Points of the defined curves; one row of NaN for each of the others."""
        s, source = self.steps, self.source
        with np.errstate(divide="ignore", invalid="ignore"):
            columns = getattr(self, f"_{self.ask.kind}")()
        order = self._ascending() if self.ask.kind == "pr" else np.arange(len(s.cohort))
        bad = self.reason[s.cohort] != ""
        order = order[~bad[order] | (np.isposinf(s.threshold[order]))]
        cohort = s.cohort[order]
        out = {name: np.where(bad, np.nan, values)[order] for name, values in columns.items()}
        out["n"] = self._n()[cohort]
        out["note"] = self.reason[cohort]
        return Piece(source.model.name, source.label, source.at[cohort], out)

    def _ascending(self) -> npt.NDArray[np.int64]:
        """Order by ascending threshold within each cohort, as scikit-learn gives precision and recall."""
        s = self.steps
        return (s.starts[s.cohort] + s.starts[s.cohort + 1] - 1) - np.arange(len(s.cohort))

    def _n(self) -> Floats:
        return np.diff(self.source.tally.offsets).astype(float) if not self.source.tally.frequency else self._weight()

    def _weight(self) -> Floats:
        return self.steps.total.pos + self.steps.total.neg

    @property
    def _sizes(self) -> tuple[Floats, Floats]:
        """Effective numbers of positives and negatives per cohort."""
        t = self.steps.total
        return divide(t.pos**2, t.pos_sq), divide(t.neg**2, t.neg_sq)

    def _rates(self) -> RatePoints:
        s = self.steps
        return RatePoints(s.cohort, divide(s.fp, s.neg), divide(s.tp, s.pos), *self._sizes)

    def _bounds(self, points: RatePoints) -> dict[str, Floats]:
        low, high, fpr_low, fpr_high = rate_bounds(points, self.ask.level, self.ask.simultaneous)
        return {"fpr_low": fpr_low, "fpr_high": fpr_high, "tpr_low": low, "tpr_high": high}

    def _roc(self) -> dict[str, Floats]:
        points = self._rates()
        low, high = rates_band(points, self.ask.level)
        if self.ask.simultaneous:
            low, high = self._widened(points, low, high)
        return {
            "fpr": points.fpr,
            "tpr": points.tpr,
            "threshold": self.steps.threshold,
            **self._bounds(points),
            "band_low": low,
            "band_high": high,
        }

    def _widened(self, points: RatePoints, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        factor = np.ones(len(points.n_pos))
        for cohort in np.flatnonzero(self.reason == ""):
            at = self.steps.of(int(cohort))
            curve = (points.fpr[at], points.tpr[at], low[at], high[at], points.n_pos[cohort], points.n_neg[cohort])
            factor[cohort] = simultaneous_factor(*curve, self.ask.level, self.ask.n_resamples, self.ask.rng)
        wide = factor[points.curve]
        return (
            np.clip(points.tpr - wide * (points.tpr - low), 0, 1),
            np.clip(points.tpr + wide * (high - points.tpr), 0, 1),
        )

    def _det(self) -> dict[str, Floats]:
        points = self._rates()
        bounds = self._bounds(points)
        return {
            "fpr": points.fpr,
            "fnr": 1 - points.tpr,
            "threshold": self.steps.threshold,
            "fpr_low": bounds["fpr_low"],
            "fpr_high": bounds["fpr_high"],
            "fnr_low": 1 - bounds["tpr_high"],
            "fnr_high": 1 - bounds["tpr_low"],
        }

    def _pr(self) -> dict[str, Floats]:
        s, points = self.steps, self._rates()
        flagged = s.tp + s.fp
        precision = np.where(flagged > 0, divide(s.tp, flagged), 1.0)
        bounds = self._bounds(points)
        if self.ask.simultaneous:
            low = divide(s.pos * bounds["tpr_low"], s.pos * bounds["tpr_low"] + s.neg * bounds["fpr_high"])
            high = divide(s.pos * bounds["tpr_high"], s.pos * bounds["tpr_high"] + s.neg * bounds["fpr_low"])
            low, high = np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), 1.0, high)
        else:
            tally = self.source.tally
            pos, neg, pos_sq, neg_sq, _, _ = tally.totals()
            effective = (
                divide(pos + neg, (pos_sq + neg_sq) * tally.designs().above)[s.cohort] * flagged
            )  # rows per weight
            effective = np.nan_to_num(effective)
            found = wilson(precision * effective, effective, self.ask.level)
            low, high = np.asarray(found.ci_low), np.asarray(found.ci_high)
        nothing = flagged == 0
        return {
            "precision": precision,
            "recall": points.tpr,
            "threshold": s.threshold,
            "precision_low": np.where(nothing, np.nan, low),
            "precision_high": np.where(nothing, np.nan, high),
            "recall_low": bounds["tpr_low"],
            "recall_high": bounds["tpr_high"],
        }

    def _cap(self) -> dict[str, Floats]:
        s, points = self.steps, self._rates()
        bounds = self._bounds(points)
        return {
            "selected": divide(s.tp + s.fp, s.pos + s.neg),
            "captured": points.tpr,
            "threshold": s.threshold,
            "captured_low": bounds["tpr_low"],
            "captured_high": bounds["tpr_high"],
        }

    def summary(self) -> Piece:
        """Areas, the operating point and counts of each curve."""
        source, t = self.source, self.steps.total
        sums = source.tally.rank_sums()
        if self.ask.kind == "pr":
            area = Rank("average_precision", sums)
            columns: dict[str, Any] = {"average_precision": area.value}
        else:
            area = Rank("roc_auc", sums)
            columns = {"roc_auc": area.value}
        with np.errstate(divide="ignore", invalid="ignore"):
            found = interval(area, self.ask.level, bounds=(0.0, 1.0))
        missing = np.isnan(area.value)
        columns |= {"ci_low": np.where(missing, np.nan, found.low), "ci_high": np.where(missing, np.nan, found.high)}
        if self.ask.kind == "cap":
            columns |= {"accuracy_ratio": 2 * area.value - 1}
        if self.ask.kind == "roc" and self.ask.max_fpr is not None:
            columns |= self._partial()
        columns |= self._operating()
        columns |= {"n": self._n(), "n_pos": sums.n_pos, "base_rate": divide(t.pos, t.pos + t.neg), "note": self.reason}
        return Piece(source.model.name, source.label, source.at, columns)

    def _operating(self) -> dict[str, Any]:
        """The point of the decisions as they are made."""
        cells = self.source.cells
        w = np.full((2, 2, len(self.source.at)), np.nan) if cells is None else cells.weight
        tp, fn, fp = w[1, 1], w[1, 0], w[0, 1]
        rates: Mapping[str, tuple[Floats, Floats]] = {
            "fpr": (fp, w[0].sum(axis=0)),
            "tpr": (tp, tp + fn),
            "fnr": (fn, tp + fn),
            "precision": (tp, tp + fp),
            "recall": (tp, tp + fn),
            "selected": (tp + fp, w.sum(axis=(0, 1))),
            "captured": (tp, tp + fn),
        }
        wanted = {
            "roc": ("fpr", "tpr"),
            "det": ("fpr", "fnr"),
            "pr": ("recall", "precision"),
            "cap": ("selected", "captured"),
        }
        found = {f"operating_{name}": divide(*rates[name]) for name in wanted[self.ask.kind]}
        return {"operating_threshold": np.full(w.shape[2], self.source.threshold), **found}

    def _partial(self) -> dict[str, Floats]:
        """Standardised area up to a false positive rate (McClish 1989), with a percentile bootstrap interval."""
        from dfevals.analyses.curves.partial_auc import partial_auc

        assert self.ask.max_fpr is not None
        return partial_auc(
            self.source.tally, self.steps, self.ask.max_fpr, self.ask.level, self.ask.n_resamples, self.ask.rng
        )
