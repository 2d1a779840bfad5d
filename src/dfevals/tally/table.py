"""One model's tallies of every need, and the Tally of all models: what a pass returns and what adds up."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import DataError
from dfevals.keywords import one_spelling
from dfevals.needs import Need, ScoreBins, Scores
from dfevals.roles.declared import stand_in
from dfevals.roles.meaning import Meaning
from dfevals.tally.alike import check_alike, joined_context
from dfevals.tally.bins import BinTally
from dfevals.tally.cells import CellTally
from dfevals.tally.classes import ClassTally
from dfevals.tally.clusters import ClusterSums
from dfevals.tally.joint import JointMomentTally, JointTally
from dfevals.tally.many_cells import ManyCells
from dfevals.tally.moments import MomentTally
from dfevals.tally.scores import ScoreTally
from dfevals.tally.union import unite

if TYPE_CHECKING:
    from dfevals.cohorts import Cohorts

__all__ = ["ExtremeTally", "ModelTally", "RowTally", "Tally", "UnitTally"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass
class ExtremeTally:
    """Least and greatest value per cohort; NaN without rows."""

    low: Floats
    high: Floats
    undefined: Floats

    @property
    def n_cohorts(self) -> int:
        return len(self.low)

    def __add__(self, other: ExtremeTally) -> ExtremeTally:
        return ExtremeTally(
            np.fmin(self.low, other.low), np.fmax(self.high, other.high), self.undefined + other.undefined
        )

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> ExtremeTally:
        """Extremes of other, disjoint cohorts."""
        keep = cohort_of >= 0
        low, high = np.full(n_cohorts, np.nan), np.full(n_cohorts, np.nan)
        np.fmin.at(low, cohort_of[keep], self.low[keep])
        np.fmax.at(high, cohort_of[keep], self.high[keep])
        undefined: Any = np.bincount(cohort_of[keep], self.undefined[keep], n_cohorts)
        return ExtremeTally(low, high, undefined)


@dataclass
class RowTally:
    """The rows themselves, grouped by cohort: columns of equal length and the offsets of the cohorts."""

    offsets: Ints
    columns: dict[str, npt.NDArray[Any]]
    frequency: bool = False  # the column sample_weight is a number of equal rows

    @property
    def n_cohorts(self) -> int:
        return len(self.offsets) - 1

    def rows(self, cohort: int) -> dict[str, npt.NDArray[Any]]:
        """Columns of one cohort."""
        part = slice(self.offsets[cohort], self.offsets[cohort + 1])
        return {name: values[part] for name, values in self.columns.items()}

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> RowTally:
        """Rows of other, disjoint cohorts."""
        code = np.repeat(cohort_of, np.diff(self.offsets))
        order = np.argsort(code, kind="stable")
        order = order[np.searchsorted(code[order], 0) :]
        offsets = np.searchsorted(code[order], np.arange(n_cohorts + 1))
        return RowTally(offsets, {name: values[order] for name, values in self.columns.items()}, self.frequency)

    def merge(self, other: RowTally, place: Ints, place_other: Ints, n_cohorts: int) -> RowTally:
        """Rows of both."""
        both = RowTally(
            np.concatenate([self.offsets[:-1], other.offsets + self.offsets[-1]]),
            {name: np.concatenate([self.columns[name], other.columns[name]]) for name in self.columns},
            self.frequency,
        )
        return both.regroup(np.concatenate([place, place_other]), n_cohorts)


@dataclass
class UnitTally:
    """Trials and sums of every unit in every cohort: `sums.values` holds (trials, sum of the outcome)."""

    sums: ClusterSums
    n_cohorts: int

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> UnitTally:
        """Units of other, disjoint cohorts."""
        return UnitTally(self.sums.regroup(cohort_of), n_cohorts)

    def __add__(self, other: UnitTally) -> UnitTally:
        """Units of both, matched by label."""
        return UnitTally(self.sums.merge(other.sums), self.n_cohorts)


NeedTally = (
    BinTally
    | CellTally
    | ClassTally
    | ManyCells
    | MomentTally
    | ExtremeTally
    | ScoreTally
    | RowTally
    | UnitTally
    | JointTally
    | JointMomentTally
)


@dataclass
class ModelTally:
    """What one pass collected for one model, or for several on the rows that all of them are judged on.

    `n` rows (or their weight, for frequency weights) and `weight` Σw, `weight_sq` Σw² per cohort; `parts` the
    tally of every need; `dropped` rows left out, by reason. Of several models `lost` are those of each, and `left` the rows
    that any of them lost.
    """

    n: Floats
    weight: Floats
    weight_sq: Floats
    parts: dict[Need, NeedTally]
    dropped: dict[str, int] = field(default_factory=dict)
    rows_read: int = 0
    score_kind: str | None = None
    lost: tuple[dict[str, int], ...] = ()
    left: int = 0

    @property
    def scale(self) -> float:
        """Rows per unit of weight: only ratios of importance weights matter."""
        total = float(self.weight.sum())
        return float(self.n.sum()) / total if total > 0 else 1.0

    def regroup(self, cohort_of: Ints, n_cohorts: int) -> ModelTally:
        """The tallies of other, disjoint cohorts: cohort i goes to `cohort_of[i]`, or nowhere if negative."""
        keep = cohort_of >= 0

        def add(values: Floats) -> Any:
            return np.bincount(cohort_of[keep], values[keep], n_cohorts)

        parts = {need: part.regroup(cohort_of, n_cohorts) for need, part in self.parts.items()}
        sums = {name: add(getattr(self, name)) for name in ("n", "weight", "weight_sq")}
        return replace(self, parts=parts, **sums)

    def only(self, models: Sequence[int]) -> ModelTally:
        """Of several models these, in this order."""
        if list(models) == list(range(len(self.lost))):
            return self
        parts = {need: part.only(models) for need, part in self.parts.items()}  # type: ignore[union-attr]
        return replace(self, parts=parts, lost=tuple(self.lost[j] for j in models))

    def merge(self, other: ModelTally, place: Ints, place_other: Ints, n_cohorts: int, relabel: Relabel) -> ModelTally:
        """Both, when cohort i of self is `place[i]` of the union."""
        if self.parts.keys() != other.parts.keys():
            raise DataError("These tallies were collected for different metrics. Collect both with the same list.")
        mine, theirs = (t._placed(p, n_cohorts) for t, p in ((self, place), (other, place_other)))
        parts: dict[Need, NeedTally] = {}
        for need, part in self.parts.items():
            second = other.parts[need]
            if isinstance(part, ScoreTally | RowTally):
                parts[need] = part.merge(second, place, place_other, n_cohorts)  # type: ignore[arg-type]
                continue
            a, b = part.regroup(place, n_cohorts), second.regroup(place_other, n_cohorts)
            if isinstance(a, CellTally | ClassTally | ManyCells | JointTally | JointMomentTally):
                a, b = relabel(a, b)
            parts[need] = a + b  # type: ignore[operator]
        n, weight, weight_sq = (a + b for a, b in zip(mine, theirs, strict=True))
        return ModelTally(
            n,
            weight,
            weight_sq,
            parts,
            _both(self.dropped, other.dropped),
            self.rows_read + other.rows_read,
            self.score_kind,
            tuple(_both(one, two) for one, two in zip(self.lost, other.lost, strict=True)),
            self.left + other.left,
        )

    def _placed(self, place: Ints, n_cohorts: int) -> list[Any]:
        return [np.bincount(place, values, n_cohorts) for values in (self.n, self.weight, self.weight_sq)]


def _both(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """Counts by reason, added."""
    return {reason: one.get(reason, 0) + other.get(reason, 0) for reason in {**one, **other}}


Relabel = Callable[[Any, Any], tuple[Any, Any]]


@one_spelling
@dataclass
class Tally:
    """Additive summary of a frame: everything that metrics, intervals and plots need, without the rows.

    `tally(A ∪ B) == tally(A) + tally(B)` for disjoint sets of rows. Made by `ev.collect(metrics, by=)`.
    """

    cohorts: Cohorts
    models: dict[str, ModelTally]
    task: str
    labels: tuple[Any, ...]
    requests: tuple[Any, ...]
    context: dict[str, Any] = field(default_factory=dict)
    together: dict[tuple[str, ...], ModelTally] = field(default_factory=dict)  # of models on the rows they share
    meaning: Meaning | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "cohorts": self.cohorts.without_rows}  # rows stay behind

    def __add__(self, other: Tally) -> Tally:
        """Tally of the rows of both; class labels and cohorts are united.

        Raises
        ------
        DataError
            The two were collected for different models, roles, tasks, thresholds, kinds of score or cohort definitions;
            the message names the difference.
        """
        if not isinstance(other, Tally):
            return NotImplemented
        check_alike(self, other)
        cohorts, place, place_other = unite(self.cohorts, other.cohorts)
        labels, relabel = _united_labels(self.labels, other.labels, self.models, self.task == "binary")

        def merged(own: dict[Any, Any], theirs: dict[Any, Any]) -> dict[Any, ModelTally]:
            size = cohorts.n_atoms
            return {key: part.merge(theirs[key], place, place_other, size, relabel) for key, part in own.items()}

        groups = dict.fromkeys([*self.together, *other.together])
        mine, theirs = ({names: tally.shared(names) for names in groups} for tally in (self, other))
        both = [names for names in groups if mine[names] is not None and theirs[names] is not None]
        models = merged(self.models, other.models)
        together = merged({names: mine[names] for names in both}, theirs)
        context = joined_context(self.context, other.context)
        meaning = None if self.meaning is None else replace(self.meaning, labels=labels)
        return Tally(cohorts, models, self.task, labels, self.requests, context, together, meaning)

    def shared(self, names: Sequence[str]) -> ModelTally | None:
        """The tally of these models on the rows that all of them are judged on; None where none was collected."""
        for known, tally in self.together.items():
            if set(names) == set(known) or (set(names) <= set(known) and not tally.left):
                return tally.only([known.index(name) for name in names])
        return None

    @np.errstate(over="ignore")  # as in questions about rows
    def metrics(self, metrics: Any = None, *, level: float | None = 0.95, **options: Any) -> Any:
        """The same MetricsResult as `ev.metrics` gives for these rows.

        Parameters
        ----------
        metrics : list of str or Metric, optional
            A subset of the metrics that were collected; all of them when absent.
        level : float or None
            Of the intervals; None leaves them out.
        **options
            `interval`, `n_resamples`, `random_state`, `by_class`, `relative_to`, `pooled` as in `ev.metrics`.
        """
        from dfevals.analyses.metrics import summarise

        return summarise(self, metrics, ci=level, **options)

    def save(self, path: str | os.PathLike[str], min_n: int | None = None, *, rows: bool = False) -> None:
        """Write the tally to one file, from which `dfevals.load_tally(path)` gives the same numbers to the bit.

        The file is an Arrow stream with a description in JSON and a seal; it holds sums, not rows. It does hold sorted
        scores (for AUC and curves), the names of clusters and units, and least and greatest values, where a metric needs
        these.

        Parameters
        ----------
        path : str or path
        min_n : int, optional
            Cohorts with fewer rows are folded into one, with as many others as it takes that none follows by subtraction;
            clusters are numbered instead of named. The tally itself stays as it is.
        rows : bool
            Write the rows themselves too, where a metric needs them (quantiles, functions of your own).

        Raises
        ------
        DataError
            The tally holds rows and `rows` is False; a metric has no name; or the file cannot be written, in which case
            none is left behind.

        Examples
        --------
        >>> import dfevals, tempfile, pathlib
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "day.tally"
        >>> ev.collect("recall", by="race").save(path, min_n=500)
        >>> dfevals.load_tally(path).metrics("recall").frame["race"].tolist()[-1]
        '(suppressed: n < 500)'
        """
        from dfevals.saved.tallies import save

        save(self, path, min_n, rows)

    def to_bytes(self, *, min_n: int | None = None, rows: bool = False) -> bytes:
        """The bytes that `save` writes, for a queue, a database or a worker's answer.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> tally = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K").collect("recall")
        >>> dfevals.Tally.from_bytes(tally.to_bytes()).metrics().frame.equals(tally.metrics().frame)
        True
        """
        from dfevals.saved.tallies import to_bytes

        return to_bytes(self, min_n=min_n, rows=rows)

    @staticmethod
    def from_bytes(data: bytes) -> Tally:
        """The tally of the bytes that `to_bytes` made; checked as `dfevals.load_tally` checks a file."""
        from dfevals.saved.tallies import from_bytes

        return from_bytes(data)

    def __repr__(self) -> str:
        rows = int(sum(part.n.sum() for part in self.models.values()) / max(len(self.models), 1))
        return (
            f"Tally({self.task}, {len(self.models)} model{'s' * (len(self.models) != 1)}, "
            f"{self.cohorts.n_cohorts} cohorts, {rows:,} rows)"
        )


def _united_labels(
    mine: Sequence[Any], theirs: Sequence[Any], models: dict[str, ModelTally], binary: bool
) -> tuple[tuple[Any, ...], Relabel]:
    """Union of the labels and the function that brings cells of both onto it."""
    if tuple(mine) == tuple(theirs):
        return tuple(mine), lambda a, b: (a, b)
    if binary and mine[-1] == theirs[-1]:  # a part without negatives has a stand-in for their label
        named = [labels for labels in (mine, theirs) if labels[0] != stand_in(labels[-1])]
        if len(named) == 1:
            return tuple(named[0]), lambda a, b: (a, b)
    if any(isinstance(need, Scores | ScoreBins) for part in models.values() for need in part.parts):
        raise DataError(
            f"The parts have different labels, {list(mine)!r} and {list(theirs)!r}, and ranking metrics depend on them. "
            "Pass labels=[...] when you make both evaluations."
        )
    both = list(dict.fromkeys([*mine, *theirs]))
    if len(mine) > 2 or len(theirs) > 2:
        import contextlib

        with contextlib.suppress(TypeError):
            both = sorted(both)
    place = [np.array([both.index(label) for label in labels]) for labels in (mine, theirs)]
    return tuple(both), lambda a, b: (a.relabel(place[0], len(both)), b.relabel(place[1], len(both)))
