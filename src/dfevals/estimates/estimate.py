"""Estimates of one metric for all cohorts of a tally: value, interval, support, method and notes as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.estimates.bootstrap import bootstrap_bounds, cell_replicates, rank_replicates, resampled, value_replicates
from dfevals.estimates.bounds import Bounds, CellContext
from dfevals.estimates.delta import (
    FourCells,
    Gradient,
    MarginGradient,
    average_gradient,
    cell_gradient,
    cell_variance,
    four_gradients,
)
from dfevals.estimates.events import FEW_OF_A_CLASS, rare_classes
from dfevals.estimates.intervals import ONE_CLUSTER, _few_cells, _transforms, cell_quantile, interval, with_value
from dfevals.exceptions import MetricError
from dfevals.inference.clusters import few_clusters
from dfevals.inference.seeds import generator
from dfevals.metrics.estimands import Mean, Smooth, SmoothMoments, Through, Value
from dfevals.metrics.planning import needs_of, pairs_of
from dfevals.metrics.registry import Request
from dfevals.needs import Cells, Classes, Extremes, Moments, Need, Scores
from dfevals.tally import (
    CellTally,
    CellView,
    ClassTally,
    ExtremeTally,
    ManyCells,
    ModelTally,
    MomentTally,
    RowTally,
    ScoreTally,
)
from dfevals.tally.clusters import ClusterSums

__all__ = ["Estimates", "Options", "Part", "cell_slopes", "estimate"]

Floats = npt.NDArray[np.float64]
HELD = 1 << 20  # classes × cohorts whose cells are evaluated at once


@dataclass(frozen=True)
class Options:
    """How intervals are made."""

    ci: float | None = 0.95
    interval: str = "auto"
    n_resamples: int = 1000
    random_state: Any = None
    by_class: bool = False


@dataclass(frozen=True)
class Estimates:
    """One metric over cohorts; arrays have shape (cohorts,), or (classes, cohorts) by class.

    `few` marks numbers on too few rows or events for the interval to hold its level; `holds` that it does all the same.
    `clusters` is the effective number of clusters on which they rest.
    """

    value: Floats
    low: Floats
    high: Floats
    support: Floats
    method: str
    masks: list[tuple[npt.NDArray[np.bool_], str]] = field(default_factory=list)
    few: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros((), bool))
    holds: bool = False
    clusters: Floats | None = None

    def notes(self, texts: dict[str, int]) -> npt.NDArray[np.int64]:
        """Codes of the reasons and warnings of every number; new texts are added to `texts`."""
        bits = np.zeros(self.value.shape, np.int64)
        for i, (mask, _) in enumerate(self.masks):
            bits |= mask.astype(np.int64) << i
        if not bits.any():
            return bits
        patterns, place = np.unique(bits, return_inverse=True)
        codes = []
        for pattern in patterns:
            said = dict.fromkeys(text for i, (_, text) in enumerate(self.masks) if pattern >> i & 1)
            codes.append(texts.setdefault("; ".join(said), len(texts)))
        return np.array(codes, np.int64)[place.reshape(bits.shape)]


class Part:
    """A ModelTally under one view of the cohorts; tallies are regrouped when first needed.

    `cohort_of` is None for the atoms as they are.
    """

    def __init__(self, tally: ModelTally, cohort_of: npt.NDArray[np.int64] | None, n_cohorts: int) -> None:
        self.tally, self.cohort_of, self.n_cohorts = tally, cohort_of, n_cohorts
        self._parts: dict[Need, Any] = {}
        self._replicates: dict[Any, Any] = {}
        self._memos: dict[Any, dict[Any, Any]] = {}

    def memo(self, request: Request, by_class: bool = False) -> dict[Any, Any]:
        """What was computed of a metric whatever the level of its interval."""
        return self._memos.setdefault((request.metric, request.average, request.outcome, by_class), {})

    def get(self, need: Need) -> Any:
        """The tally of a need under the view.

        Raises
        ------
        MetricError
            The need was not collected.
        """
        if need not in self._parts:
            if need not in self.tally.parts:
                raise MetricError(
                    "This tally was not collected for that metric. Collect it: ev.collect([...], by=...)."
                )
            whole = self.tally.parts[need]
            self._parts[need] = whole if self.cohort_of is None else whole.regroup(self.cohort_of, self.n_cohorts)
        return self._parts[need]

    @property
    def scale(self) -> float:
        """Rows per unit of weight: only ratios of importance weights matter."""
        return self.tally.scale

    def rows(self, values: Floats) -> Floats:
        """Sums of per-atom numbers under the view."""
        if self.cohort_of is None:
            return values
        keep = self.cohort_of >= 0
        return np.asarray(np.bincount(self.cohort_of[keep], values[keep], self.n_cohorts), float)

    def as_share(self, request: Request, estimand: Any, need: Need) -> Any:
        """The mean of an outcome as a share, where all its values in all cohorts are 0 or 1."""
        if not isinstance(estimand, Mean) or estimand.proportion or estimand.units or request.outcome is None:
            return estimand
        return replace(estimand, proportion=zero_one(self.tally.parts[need]))

    def rare(self) -> npt.NDArray[np.bool_]:
        """Cohorts with too few rows of a class for the loss of a classifier; none where classes were not counted."""
        if Classes() not in self.tally.parts:
            return np.zeros(self.n_cohorts, bool)
        whole: Any = self.tally.parts[Classes()]
        return rare_classes(self.get(Classes()).events, whole.weight.sum(axis=1) > 0)

    def cells(self, n_resamples: int, random_state: Any) -> Floats:
        """Bootstrap replicates of the cells, drawn once for all metrics."""
        key = (n_resamples, repr(random_state))
        if key not in self._replicates:
            self._replicates[key] = cell_replicates(self.get(Cells()), n_resamples, generator(random_state))
        return self._replicates[key]


def zero_one(atoms: Any) -> bool:
    """Whether all numbers are 0 or 1: those with a mean and Σ x² = Σ x, whose third moment is that of a share."""
    n, mean = atoms.n, atoms.mean[0]
    expected = np.stack([mean * (1 - mean), mean * (1 - mean) * (1 - 2 * mean)]) * n
    inside = ((mean >= 0) & (mean <= 1)) | (n == 0)
    return bool(n.any() and inside.all() and np.allclose(atoms.central[:2], expected, rtol=1e-9, atol=1e-9))


class Complement(Part):
    """For every cohort the rows outside it: everything less the cohort."""

    def __init__(self, part: Part, whole: Part) -> None:
        super().__init__(part.tally, part.cohort_of, part.n_cohorts)
        self.part, self.whole = part, whole

    def get(self, need: Need) -> Any:
        """The tally of the rows outside each cohort."""
        if need in self._parts:
            return self._parts[need]
        inside, total = self.part.get(need), self.whole.get(need)
        if isinstance(inside, CellTally | ClassTally | ManyCells):
            self._parts[need] = inside.outside(total, self._clusters(need))
        elif isinstance(inside, MomentTally):
            outside = _broadcast(total, self.n_cohorts).minus(inside)
            self._parts[need] = replace(outside, clusters=self._clusters(need), origin=total.origin)
        elif isinstance(inside, ScoreTally | RowTally):
            self._parts[need] = _outside(inside, self.part.tally.parts[need], self.part)
        else:
            raise MetricError("No complement for extremes.")
        return self._parts[need]

    def held(self, needs: list[Need]) -> int:
        """Cells of many classes that the complements of all cohorts hold together."""
        whole = [self.whole.get(need) for need in needs]
        return sum(len(cells.weight) * self.n_cohorts for cells in whole if isinstance(cells, ManyCells))

    def _clusters(self, need: Need) -> ClusterSums | None:
        """Sums per cluster over the rows outside each cohort."""
        atoms: Any = self.part.tally.parts[need]
        if atoms.clusters is None:
            return None
        place = np.arange(atoms.n_cohorts) if self.cohort_of is None else self.cohort_of
        return atoms.clusters.outside(place, self.n_cohorts)

    def rows(self, values: Floats) -> Floats:
        """Sums of per-atom numbers outside each cohort."""
        return values.sum() - self.part.rows(values)


def _broadcast(total: MomentTally, n: int) -> MomentTally:
    """The moments of all rows, once per cohort."""

    def wide(values: Floats) -> Floats:
        return np.repeat(values, n, axis=-1)

    return MomentTally(
        total.order,
        wide(total.n),
        wide(total.mean),
        wide(total.central),
        wide(total.rows),
        wide(total.undefined),
        None if total.square is None else _broadcast(total.square, n),
    )


def _outside(inside: Any, atoms: Any, part: Part) -> Any:
    """Segments with the rows outside each cohort; costs all rows per cohort."""
    place = np.arange(atoms.n_cohorts) if part.cohort_of is None else part.cohort_of
    segments = []
    for cohort in range(inside.n_cohorts):
        segments.append(atoms.regroup(np.where(place == cohort, -1, 0), 1))
    joined = segments[0]
    for i, segment in enumerate(segments[1:], 1):
        joined = joined.merge(segment, np.arange(i), np.array([i]), i + 1)
    return joined


def estimate(request: Request, part: Part, options: Options, labels: tuple[Any, ...], task: str) -> Estimates:
    """Value and interval of one metric for all cohorts of a view."""
    record = request.metric
    groups = needs_of(record, len(labels), task)
    if Cells() in groups[0]:
        found = _of_cells(request, part, options, task)
    elif isinstance(groups[0][0], Scores) and task != "binary":
        found = _of_class_scores(request, part, options, groups, labels, task)
    else:
        found = _single(request, part, options, groups[0], task)
    return _negated(found) if request.negated else found


def _negated(found: Estimates) -> Estimates:
    return replace(found, value=-found.value, low=-found.high, high=-found.low)


def _bounded(estimand: Any, found: Bounds | None, value: Floats, reasons: tuple[str, ...] = ()) -> Estimates:
    """Estimates from an estimand and its interval, with the reasons for what is undefined."""
    missing = np.isnan(value)
    masks: list[tuple[npt.NDArray[np.bool_], str]] = []
    if reasons:
        masks += [(np.array([r == text for r in reasons]) & missing, text) for text in dict.fromkeys(reasons) if text]
    elif missing.any():
        masks.append((missing, getattr(estimand, "reason", "") or "undefined"))
    if isinstance(estimand, Mean) and estimand.units:
        masks += _units_left_out(estimand, missing)
    support = np.broadcast_to(np.asarray(estimand.support, float), value.shape)
    if found is None:
        none = np.full(value.shape, np.nan)
        return Estimates(value, none, none, support, "", masks)
    low, high = (np.where(missing, np.nan, edge) for edge in (found.low, found.high))
    few = np.broadcast_to(False if found.few is None else found.few, value.shape) & ~missing
    masks.append((few, f"too few {found.few_text}".strip()))
    masks += [(~missing & np.isnan(low), note) for note in found.notes]
    if found.clusters is not None:
        masks += few_clusters(np.where(missing, np.nan, found.clusters))
    return Estimates(value, low, high, support, found.method, masks, few, found.holds, found.clusters)


def rests_on_classes(request: Request, estimand: Any, task: str) -> bool:
    """Whether a metric is made of per-row losses of a classifier, which are great where the rarer class occurs."""
    while isinstance(estimand, Through):
        estimand = estimand.base
    loss = isinstance(estimand, SmoothMoments) or (isinstance(estimand, Mean) and not estimand.proportion)
    return loss and request.outcome is None and task in ("binary", "multiclass")


def _units_left_out(estimand: Mean, missing: npt.NDArray[np.bool_]) -> list[tuple[npt.NDArray[np.bool_], str]]:
    """Cohorts in which units are left out, by how many of how many."""
    lost, kept = (
        np.broadcast_to(v, missing.shape).astype(np.int64) for v in (estimand.moments.undefined, estimand.support)
    )
    where = (lost > 0) & ~missing
    found = sorted(set(zip(lost[where].tolist(), kept[where].tolist(), strict=True)))
    return [
        (where & (lost == gone) & (kept == rest), f"{gone:,} of {gone + rest:,} units with too little data left out")
        for gone, rest in found
    ]


def _single(request: Request, part: Part, options: Options, needs: tuple[Need, ...], task: str) -> Estimates:
    """A metric with one estimand that needs no cells: moments, extremes, binary scores, rows."""
    record = request.metric
    tallies = [part.get(need) for need in needs]
    views = [_view(tally) for tally in tallies]
    memo = part.memo(request) if options.interval != "bootstrap" else {}
    if needs not in memo:  # once for intervals of all levels, with the variance that it keeps
        memo[needs] = part.as_share(request, record(*views), needs[0])
    estimand = memo[needs]
    value = np.asarray(estimand.value, float)
    undefined = _undefined(tallies, needs)
    value = np.where(undefined, np.nan, value)
    found: Bounds | None = None
    if options.ci is not None:
        if options.interval == "bootstrap":
            found = _bootstrap(request, part, options, needs, estimand)
        else:
            found = interval(estimand, options.ci, options.interval, bounds=record.range)
    result = _bounded(estimand, found, value, getattr(estimand, "reasons", ()))
    if rests_on_classes(request, estimand, task):
        few = part.rare() & ~np.isnan(result.value)
        result = replace(result, few=result.few | few, masks=[*result.masks, (few, FEW_OF_A_CLASS)])
    if undefined.any():
        text = next(need.undefined for need in needs if isinstance(need, Moments))
        kept = [(mask & ~undefined, old) for mask, old in result.masks]
        result = replace(result, masks=[*kept, (undefined, text)])
    return result


def _view(tally: Any) -> Any:
    if isinstance(tally, MomentTally):
        return tally.view()
    if isinstance(tally, ScoreTally):
        return tally.rank_sums()
    return tally


def _undefined(tallies: list[Any], needs: tuple[Need, ...]) -> npt.NDArray[np.bool_]:
    """Cohorts with a row for which the number of the metric does not exist."""
    out: Any = np.zeros(1, bool)
    for tally, need in zip(tallies, needs, strict=True):
        if (
            isinstance(tally, MomentTally | ExtremeTally)
            and isinstance(need, Moments | Extremes)
            and not need.skip_missing
        ):
            out = out | (tally.undefined > 0)
    return out


def _bootstrap(request: Request, part: Part, options: Options, needs: tuple[Need, ...], estimand: Any) -> Bounds:
    """Percentile bootstrap of whatever is behind the metric."""
    rng = generator(options.random_state)
    assert options.ci is not None
    record, need = request.metric, needs[0]
    if isinstance(need, Scores):
        replicates = rank_replicates(
            part.get(need), lambda sums: np.asarray(record(sums).value), options.n_resamples, rng
        )
    elif isinstance(estimand, Value) and estimand.resample is not None:
        replicates = value_replicates(estimand.resample, part.n_cohorts, options.n_resamples, rng)
    elif isinstance(need, Moments):
        replicates = _moment_replicates(record, part, need, options, rng)
    else:
        none = np.full(part.n_cohorts, np.nan)
        return Bounds(none, none, "none", notes=("no bootstrap of an extreme value is honest",))
    n = np.broadcast_to(np.asarray(estimand.support, float), replicates.shape[1:])
    few = interval(estimand, options.ci, bounds=record.range).few
    return bootstrap_bounds(replicates, options.ci, (n > 0) & (n < 30) | (False if few is None else few))


def _moment_replicates(record: Any, part: Part, need: Moments, options: Options, rng: np.random.Generator) -> Floats:
    """Moments of resampled rows, from the row values that a bootstrap request collects."""
    rows = part.get(row_values(need))
    cohort = np.repeat(np.arange(rows.n_cohorts), np.diff(rows.offsets))
    values = [rows.columns[f"value {i}"] for i in range(len(need.functions))]
    base = rows.columns.get("sample_weight", np.ones(len(cohort)))
    cluster = rows.columns.get("cluster")
    cluster = None if cluster is None else np.unique(cluster, return_inverse=True)[1]
    whole = rows_of(rows) if not rows.frequency else np.bincount(cohort, base, rows.n_cohorts).astype(float)
    out = np.empty((options.n_resamples, rows.n_cohorts))
    for i in range(options.n_resamples):
        weight = resampled(cohort, rows.n_cohorts, rng, base, cluster, rows.frequency)
        moments = MomentTally.of_block(cohort, rows.n_cohorts, values, 2, weight)
        out[i] = record(replace(moments, rows=whole).view()).value
    return out


def rows_of(rows: RowTally) -> Floats:
    """Rows per cohort."""
    return np.diff(rows.offsets).astype(float)


def row_values(need: Moments) -> Any:
    """The need of a bootstrap of moments: the row values themselves."""
    from dfevals.needs import Values

    return Values(need.functions)


def _of_cells(request: Request, part: Part, options: Options, task: str) -> Estimates:
    """A metric of the confusion cells; of many classes some cohorts at a time, so that what each class has fits."""
    tally = part.get(Cells())
    step = max(HELD // tally.n_classes, 1)
    if isinstance(tally, CellTally) or tally.n_cohorts <= step or options.interval == "bootstrap":
        return _of_tally(request, tally, part, options, task, part.memo(request, options.by_class))
    starts = range(0, tally.n_cohorts, step)
    cuts = (tally.cut(start, min(start + step, tally.n_cohorts)) for start in starts)
    return _joined([_of_tally(request, cut, part, options, task, {}) for cut in cuts])


def _joined(pieces: list[Estimates]) -> Estimates:
    """Estimates of consecutive cohorts as one."""
    shapes = [piece.value.shape for piece in pieces]
    arrays = {
        name: np.concatenate(
            [np.broadcast_to(getattr(p, name), shape) for p, shape in zip(pieces, shapes, strict=True)], -1
        )
        for name in ("value", "low", "high", "support", "few")
    }
    texts = dict.fromkeys(text for piece in pieces for _, text in piece.masks)
    masks = []
    for text in texts:
        parts = [
            np.logical_or.reduce([np.zeros(shape, bool), *(mask for mask, own in piece.masks if own == text)])
            for piece, shape in zip(pieces, shapes, strict=True)
        ]
        masks.append((np.concatenate(parts, axis=-1), text))
    method = next((piece.method for piece in pieces if piece.method), "")
    return Estimates(**arrays, method=method, masks=masks, holds=all(piece.holds for piece in pieces))


def _of_tally(request: Request, tally: Any, part: Part, options: Options, task: str, memo: dict[str, Any]) -> Estimates:
    """A metric of the confusion cells: binary, per class, or averaged over the classes."""
    record = request.metric
    context, average = _context(request, tally, task, options.by_class, memo)
    view, kind, function = context.view, context.view.kind, context.function
    if kind == "classes" and average in ("macro", "weighted"):
        return _averaged(request, context, average, part, options)
    estimand = function(view)
    value = np.asarray(estimand.value, float)
    found: Bounds | None = None
    if options.ci is not None:
        if options.interval == "bootstrap":
            replicates = part.cells(options.n_resamples, options.random_state)
            drawn = np.asarray(function(CellView(replicates, kind)).value)
            few = interval(estimand, options.ci, "auto", context, record.range).few
            assert few is not None
            found = bootstrap_bounds(np.moveaxis(drawn, -2, 0), options.ci, few)
        else:
            found = interval(estimand, options.ci, options.interval, context, record.range)
    return _bounded(estimand, found, value)


def _context(
    request: Request, tally: CellTally | ManyCells, task: str, by_class: bool, memo: dict[str, Any] | None = None
) -> tuple[CellContext, str | None]:
    """The cells as a metric reads them, and how its classes are averaged."""
    record, average = request.metric, request.average
    if task == "multiclass" and not record.whole and average is None:
        average = None if by_class else "macro"
    kind: Any = "binary" if task == "binary" and average is None and not by_class else "classes"
    if record.whole:
        kind, average = "binary", None
    elif average == "micro":
        kind = "micro"
    memo = {} if memo is None else memo
    return CellContext(tally, tally.view(kind), record, record.whole, record.range, memo), average


def cell_slopes(request: Request, tally: CellTally | ManyCells, task: str) -> Gradient:
    """Derivative of a metric by the confusion cells; of metrics of a class, that of their average."""
    context, average = _context(request, tally, task, by_class=False)
    if context.view.kind == "classes" and average in ("macro", "weighted"):
        return _average_slopes(context, average, FourCells.of(context.view))[1]
    kind = context.view.kind
    return cell_gradient(lambda view: context.function(replace(view, kind=kind)), context.view)


def _averaged(request: Request, context: CellContext, average: str, part: Part, options: Options) -> Estimates:
    """Mean over the classes that occur: in labels or predictions (macro), by their share of the labels (weighted).

    A class for which the metric is undefined counts 0, as in scikit-learn, and a note says so.
    """
    tally, function = context.tally, context.function

    def parts(four: Any) -> tuple[Any, Any]:
        value = function(four).value
        return np.where(np.isnan(value), 0.0, value), four.tp + four.fn

    def mean(four: Any) -> Any:
        value, true = parts(four)
        present = (true + four.fp != 0) if average == "macro" else true
        total = present.sum(axis=0)
        return np.where(total == 0, np.nan, (value * present).sum(axis=0) / np.where(total == 0, 1, total))

    value = mean(context.view)
    undefined = np.isnan(function(context.view).value) & (context.view.tp + context.view.fn + context.view.fp > 0)
    if average == "weighted":
        undefined &= context.view.tp + context.view.fn > 0
    estimand = Smooth(value, context.view.n, "no rows")
    found: Bounds | None = None
    if options.ci is not None and options.interval == "bootstrap":
        replicates = part.cells(options.n_resamples, options.random_state)
        few = _few_cells(replace(context, view=tally.view()))
        found = bootstrap_bounds(mean(CellView(replicates, "classes")), options.ci, few)
    elif options.ci is not None:
        if options.interval not in ("auto", "delta"):
            raise MetricError(
                f"interval={options.interval!r} does not apply to averages over classes. Methods: 'auto', 'delta', 'bootstrap'."
            )
        found = _average_bounds(context, average, value, options.ci)
    result = _bounded(estimand, found, value)
    label = "undefined for a class, counted as 0"
    result.masks.append((undefined.any(axis=0) & ~np.isnan(value), label))
    return result


def _average_bounds(context: CellContext, average: str, value: Floats, level: float) -> Bounds:
    """Delta method on one-against-the-rest cells with two pseudo-rows, on the scale of the metric's range."""
    centre, variance, df = context.once("average", lambda: _average_variance(context, average))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        name, to, slope, back = _transforms(context.range)
        half = cell_quantile(level, context, df) * slope(centre) * np.sqrt(variance)
        low, high = back(to(centre) - half), back(to(centre) + half)
    low, high = with_value(low, high, value, variance)
    few = _few_cells(replace(context, view=context.tally.view()))
    what, clusters = "rows right or wrong, or in a class", None if df is None else df + 1
    return Bounds(low, high, f"delta, {name}", few, what, (ONE_CLUSTER,), clusters=clusters)


def _average_variance(context: CellContext, average: str) -> tuple[Floats, Floats, Floats | None]:
    """Average, its variance and degrees of freedom, with two pseudo-rows spread over the cells."""
    tally, size = context.tally, context.pseudo_row
    present = tally.present  # classes absent from the cohort take no part
    extra = 2.0 / np.maximum(present.sum(axis=0), 1) ** 2
    four = FourCells.of(tally.padded(extra * size, "classes", present))
    centre, gradient = _average_slopes(context, average, four)
    with np.errstate(divide="ignore", invalid="ignore"):
        return centre, *cell_variance(gradient, tally, extra * size**2, present)


def _average_slopes(context: CellContext, average: str, four: FourCells) -> tuple[Floats, MarginGradient]:
    """Mean over the classes of a metric of cells one against the rest, and its derivative by the cells of the table."""
    present = context.tally.present

    def weight(cells: FourCells) -> Any:
        return cells.tp + cells.fn if average == "weighted" else present + 0 * cells.tp

    def weighted(cells: FourCells) -> Any:
        found = context.function(cells).value
        return np.where(np.isnan(found), 0, found) * weight(cells)

    with np.errstate(divide="ignore", invalid="ignore"):
        den = weight(four).sum(axis=0)
        centre = weighted(four).sum(axis=0) / den
        top = {k: np.nan_to_num(v) for k, v in four_gradients(weighted, four).items()}
        bottom = {k: np.nan_to_num(v) for k, v in four_gradients(weight, four).items()}
        return centre, average_gradient({k: (top[k] - centre * bottom[k]) / den for k in top})


def _of_class_scores(
    request: Request, part: Part, options: Options, groups: Any, labels: tuple[Any, ...], task: str
) -> Estimates:
    """A ranking metric of every class against the rest (or of pairs), by class or averaged."""
    single = [_single(request, part, options, needs, task) for needs in groups]
    value, low, high = (np.stack([getattr(s, name) for s in single]) for name in ("value", "low", "high"))
    sums = [part.get(needs[0]).rank_sums() for needs in groups]
    few = np.stack([np.broadcast_to(s.few, s.value.shape) for s in single])
    if options.by_class and not request.metric.pairs:
        masks = [(_row(mask, i, len(single)), text) for i, s in enumerate(single) for mask, text in s.masks]
        return Estimates(value, low, high, np.stack([s.n_pos for s in sums]), single[0].method, masks, few)
    if request.metric.pairs:
        pairs = pairs_of(len(labels))
        prevalence = {(i, j): s.pos + s.neg for (i, j), s in zip(pairs, sums, strict=True)}
        weight = np.stack([prevalence[pair] for pair in pairs])
        if request.metric.pairs == "equal":
            weight = np.ones_like(weight)
    else:
        weight = np.stack([s.pos for s in sums]) if request.average == "weighted" else np.ones_like(value)
    defined = ~np.isnan(value)
    weight = weight * defined
    total = weight.sum(axis=0)

    def mean(x: Floats) -> Floats:
        return np.where(
            total > 0, (np.where(defined, x, 0) * weight).sum(axis=0) / np.where(total > 0, total, 1), np.nan
        )

    averaged = mean(value)
    support = part.rows(part.tally.n)
    masks = [
        (np.isnan(averaged), "only one class"),
        ((~defined).any(axis=0) & ~np.isnan(averaged), "undefined for a class that does not occur, which is left out"),
    ]
    some = few.any(axis=0) & ~np.isnan(averaged)
    masks.append((some, "too few rows of a class"))
    method = f"mean of {single[0].method} (conservative)" if single[0].method else ""
    return Estimates(averaged, mean(low), mean(high), support, method, masks, some)


def _row(mask: npt.NDArray[np.bool_], i: int, n: int) -> npt.NDArray[np.bool_]:
    out = np.zeros((n, *mask.shape), bool)
    out[i] = mask
    return out
