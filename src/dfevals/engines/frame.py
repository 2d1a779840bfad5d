"""The numpy kernel over a pandas frame: one pass over blocks of rows collects every tally of one model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.cohorts import Cohorts
from dfevals.engines.block import Block, judged
from dfevals.engines.pairs import JointCounts, JointSums
from dfevals.exceptions import MetricError
from dfevals.needs import (
    Cells,
    Classes,
    Extremes,
    Joint,
    JointMoments,
    Moments,
    Need,
    Rows,
    ScoreBins,
    Scores,
    Units,
    Values,
)
from dfevals.roles.bound import BLOCK, Bound
from dfevals.roles.declared import Model
from dfevals.tally import (
    BinTally,
    CellTally,
    ClassTally,
    ExtremeTally,
    ModelTally,
    MomentTally,
    RowTally,
    ScoreTally,
    UnitTally,
)
from dfevals.tally.bins import Binning
from dfevals.tally.clusters import ClusterSums
from dfevals.tally.joint import DENSE, distinct_of
from dfevals.tally.many_cells import FEW_CLASSES, ManyCells
from dfevals.tally.moments import cluster_values
from dfevals.tally.scores import group_order, pack, packable

__all__ = ["Pass", "collect", "collect_joint"]

Floats = npt.NDArray[np.float64]


def collect(bound: Bound, model: Model, cohorts: Cohorts, needs: Iterable[Need]) -> ModelTally:
    """Tallies of one model for all needs, per atom of the cohorts."""
    return Pass(bound, model, cohorts).collect(list(dict.fromkeys(needs)))


def collect_joint(
    bounds: Sequence[Bound], models: Sequence[Model], cohorts: Cohorts, needs: Iterable[Need]
) -> ModelTally:
    """Tallies of several models on the rows that all of them are judged on.

    Parameters
    ----------
    bounds, models : sequences
        Each model and where its columns lie; row i of one is row i of all others.
    cohorts : Cohorts
        Of these rows.
    needs : iterable of Need
    """
    beside = tuple(zip(bounds, models, strict=True))[1:]
    return Pass(bounds[0], models[0], cohorts, beside).collect(list(dict.fromkeys(needs)))


@dataclass
class Pass:
    """One pass over the rows of a model, or over those that several models are judged on."""

    bound: Bound
    model: Model
    cohorts: Cohorts
    beside: tuple[tuple[Bound, Model], ...] = ()

    def __post_init__(self) -> None:
        self.n_atoms = self.cohorts.n_atoms
        self.lost: tuple[dict[str, int], ...] = tuple({} for _ in range(1 + len(self.beside)))
        self.left = 0
        self.weighted = self.bound.weight is not None
        self.importance = self.weighted and self.bound.roles.weight_kind == "importance"
        self.keep: list[npt.NDArray[np.bool_] | None] = []
        for start in range(0, max(self.bound.n, 1), BLOCK):
            block = self._block(start)
            keep = judged((block, *block.beside), self.lost)
            self.keep.append(keep)
            if keep is not None and self.beside:
                weight = block.weight
                self.left += int((~keep if weight is None else ~keep & (weight != 0)).sum())

    def _block(self, start: int, keep: npt.NDArray[np.bool_] | None = None) -> Block:
        stop = min(start + BLOCK, self.bound.n)
        block = Block(self.bound, self.model, start, stop, keep)
        block.beside = tuple(Block(bound, model, start, stop, keep) for bound, model in self.beside)
        return block

    def moments(self, n_variables: int, order: int, n_cohorts: int) -> _Sums:
        """A collector of moments of numbers of rows."""
        return _Sums(self, n_variables, order, n_cohorts)

    def blocks(self) -> Iterator[tuple[Block, npt.NDArray[Any]]]:
        """Blocks of the rows that can be judged, with the atoms of their rows."""
        for i, start in enumerate(range(0, max(self.bound.n, 1), BLOCK)):
            block = self._block(start, self.keep[i])
            yield block, block.kept(self.cohorts.codes[start : block.stop])

    def collect(self, needs: list[Need]) -> ModelTally:
        """All needs: cells, moments, extremes and bins in one walk over the blocks, then each score and the rows."""
        n, weight, square = np.zeros(self.n_atoms), np.zeros(self.n_atoms), np.zeros(self.n_atoms)
        counted = Cells() in needs and len(self.bound.labels) <= FEW_CLASSES  # the classes follow from the cells
        walked: dict[Need, Any] = {
            need: WALKED[type(need)](self, need)
            for need in needs
            if type(need) in WALKED and not (counted and need == Classes())
        }
        for block, atoms in self.blocks():
            codes = atoms.astype(np.intp)
            size = np.bincount(codes, minlength=self.n_atoms)
            w = block.weight
            weight += size if w is None else np.bincount(codes, w, self.n_atoms)
            square += size if w is None else np.bincount(codes, w * w, self.n_atoms)
            n += size if w is None or self.importance else np.bincount(codes, w, self.n_atoms)
            for collector in walked.values():
                collector.add(block, codes, size)
        read: dict[type, Any] = {Scores: self._scores, Rows: self._rows, Values: self._values, Units: self._units}
        parts: dict[Need, Any] = {need: collector.tally() for need, collector in walked.items()}
        read[Classes] = lambda _: ClassTally.of_cells(parts[Cells()])
        parts = {need: parts[need] if need in parts else read[type(need)](need) for need in needs}
        kind = self.bound.score_kind(self.model)
        if not self.importance:
            square = weight
        dropped, lost = ({}, self.lost) if self.beside else (self.lost[0], ())
        return ModelTally(n, weight, square, parts, dropped, self.bound.n, kind, lost, self.left)

    def _scores(self, need: Scores) -> ScoreTally:
        """Scores of one class against the rest (or another) as packed keys where they fit, else as columns."""
        all_kept = all(keep is None for keep in self.keep) and need.negative is None
        codes: list[npt.NDArray[Any]] = []
        parts: list[tuple[Any, ...]] = []
        keys = np.empty(self.bound.n, np.int64) if not self.weighted and self.bound.cluster is None else None
        at = 0
        for block, atoms in self.blocks():
            score, label, truth = *_scored(block, need.positive, need.probability), block.y_true
            cluster = (
                None if self.bound.cluster is None else block.kept(self.bound.cluster[0][block.start : block.stop])
            )
            weight = block.weight
            if need.negative is not None:
                pair = label | (truth == need.negative)
                score, label, atoms = score[pair], label[pair], atoms[pair]
                weight = None if weight is None else weight[pair]
                cluster = None if cluster is None else cluster[pair]
            if keys is not None and packable(score):
                keys[at : at + len(score)] = pack(score, label)
                at += len(score)
            elif keys is not None:  # out of the packed range: start again with columns
                return self._score_columns(need)
            else:
                parts.append((score, label, weight, cluster))
            codes.append(atoms)
        if keys is None:
            return self._score_tally(codes, parts)
        atoms = self.cohorts.codes if all_kept else np.concatenate(codes or [self.cohorts.codes[:0]])
        return ScoreTally.of_keys(atoms, self.n_atoms, keys[:at])

    def _score_columns(self, need: Scores) -> ScoreTally:
        codes, parts = [], []
        for block, atoms in self.blocks():
            score, label = _scored(block, need.positive, need.probability)
            if need.negative is not None:
                pair = label | (block.y_true == need.negative)
                score, label, atoms = score[pair], label[pair], atoms[pair]
            codes.append(atoms)
            parts.append((score, label, None, None))
        return self._score_tally(codes, parts)

    def _rows(self, need: Rows) -> RowTally:
        """The named columns, grouped by atom."""
        parts: dict[str, list[Any]] = {}
        codes = []
        labels = np.array(
            self.bound.labels, dtype=object if any(isinstance(v, str) for v in self.bound.labels) else None
        )
        for block, atoms in self.blocks():
            codes.append(atoms)
            for name in need.names:
                if name in ("y_true", "y_pred"):
                    values = getattr(block, name) if name == "y_true" or self._has_prediction() else None
                    if values is not None and self.bound.classifies:
                        values = labels[values]
                else:
                    values = block.outcome(name)
                if values is not None:
                    parts.setdefault(name, []).append(values)
            if "y_true" in need.names and self.model.y_score:
                score = block.raw_score if self.bound.task == "binary" else block.raw_scores
                parts.setdefault("y_score", []).append(score)
            self._beside(block, parts)
        return self._grouped(codes, parts)

    def _beside(self, block: Block, parts: dict[str, list[Any]]) -> None:
        """Weights and clusters of the rows; clusters by name, so that parts can be merged."""
        if self.weighted:
            parts.setdefault("sample_weight", []).append(block.weight)
        if self.bound.cluster is not None:
            codes, names = self.bound.cluster
            parts.setdefault("cluster", []).append(names[block.kept(codes[block.start : block.stop])])

    def _units(self, need: Units) -> UnitTally:
        """Trials and sums of every unit, per atom."""
        if self.weighted:
            raise MetricError("Metrics of repeated trials count trials and take no weights. Drop sample_weight=.")
        unit, labels = self.bound.unit
        entries: list[tuple[Any, ...]] = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((2, 0)))]
        for block, atoms in self.blocks():
            values = need.function(block)
            units = block.kept(unit[block.start : block.stop])
            good = ~np.isnan(values) & (units >= 0)
            entries.append(
                (units[good], atoms[good].astype(np.int64), np.stack([np.ones(int(good.sum())), values[good]]))
            )
        units, cohorts, sums = (np.concatenate(column, axis=-1) for column in zip(*entries, strict=True))
        kind = np.zeros(len(units), np.int64)
        return UnitTally(ClusterSums.collect(labels, units, cohorts, kind, sums), self.n_atoms)

    def _values(self, need: Values) -> RowTally:
        """Values of row functions, grouped by atom."""
        parts: dict[str, list[Any]] = {}
        codes = []
        for block, atoms in self.blocks():
            codes.append(atoms)
            for i, function in enumerate(need.functions):
                parts.setdefault(f"value {i}", []).append(function(block))
            self._beside(block, parts)
        return self._grouped(codes, parts)

    def _grouped(self, codes: list[Any], parts: dict[str, list[Any]]) -> RowTally:
        code = np.concatenate(codes or [self.cohorts.codes[:0]])
        order = group_order(code, self.n_atoms)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(code, minlength=self.n_atoms))]).astype(np.int64)
        columns = {name: np.concatenate(values)[order] for name, values in parts.items()}
        return RowTally(offsets, columns, self.weighted and not self.importance)

    def _has_prediction(self) -> bool:
        return self.bound.decides(self.model)

    def _score_tally(self, codes: list[Any], parts: list[tuple[Any, ...]]) -> ScoreTally:
        columns: list[Any] = [
            None if column[0] is None else np.concatenate(column) for column in zip(*parts, strict=True)
        ]
        if not parts:
            return ScoreTally.of_keys(np.zeros(0, np.int8), self.n_atoms, np.zeros(0, np.int64))
        names = None if self.bound.cluster is None else self.bound.cluster[1]
        frequency = self.weighted and not self.importance
        atoms = np.concatenate(codes)
        score, label, weight, cluster = columns
        return ScoreTally.collect(atoms, self.n_atoms, score, label, weight, cluster, names, frequency)


def _scored(block: Block, positive: int | None, probability: bool) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Scores of one class (None: the positive one), and whether the row is of it."""
    if positive is None:
        return (block.score if probability else block.raw_score), block.y_true == 1
    score = block.number(block.model.y_score[positive], "y_score")
    return (np.clip(score, 0, 1) if probability else score), block.y_true == positive


class _Cells:
    """Collects y_true × y_pred × atom."""

    def __init__(self, run: Pass, need: Cells) -> None:
        self.run, self.k = run, len(run.bound.labels)
        self.size = self.k * self.k * run.n_atoms
        self.sparse: list[ManyCells] | None = [] if self.size > DENSE and self.k > FEW_CLASSES else None
        if self.sparse is not None:
            self.size = 0
        self.counts = np.zeros(self.size, np.int64 if not run.weighted else np.float64)
        self.squares = np.zeros(self.size) if run.importance else None
        self.entries: list[tuple[Any, ...]] = []

    def add(self, block: Block, codes: npt.NDArray[np.intp], size: npt.NDArray[np.intp]) -> None:
        k = self.k
        if k == 2:
            small = block.y_true.view(np.int8) * np.int8(2)
            small += block.y_pred.view(np.int8) if block.y_pred.dtype.itemsize == 1 else block.y_pred.astype(np.int8)
            joint = codes * 4
            joint += small
        else:
            joint = codes * (k * k)
            joint += block.y_true.astype(np.intp) * k
            joint += block.y_pred
        if self.sparse is not None:
            self.sparse.append(self._occurring(joint, block.weight))
        else:
            self.counts += np.bincount(joint, block.weight, self.size)
        if self.squares is not None and self.sparse is None:
            assert block.weight is not None
            self.squares += np.bincount(joint, block.weight**2, self.size)
        if self.run.bound.cluster is not None:
            cluster = block.kept(self.run.bound.cluster[0][block.start : block.stop])
            atom, kind = np.divmod(joint, k * k)
            weight = np.ones(len(joint)) if block.weight is None else block.weight
            self.entries.append((cluster, atom, kind, weight[None, :]))

    def _occurring(self, joint: npt.NDArray[np.intp], weight: Floats | None) -> ManyCells:
        """The cells of a block that hold rows."""
        first, place = distinct_of([joint], [self.k * self.k * self.run.n_atoms])
        atom, cell = np.divmod(joint[first], self.k * self.k)
        sums = np.bincount(place, weight, len(first)).astype(float)
        found = ManyCells(self.k, self.run.n_atoms, atom, *np.divmod(cell, self.k), sums)
        if weight is not None and self.run.importance:
            found.square = np.bincount(place, weight**2, len(first)).astype(float)
        return found

    def tally(self) -> CellTally | ManyCells:
        clusters = _clusters(self.run, self.entries)
        if self.sparse is not None:
            return replace(reduce(add, self.sparse), clusters=clusters)
        if self.k > FEW_CLASSES:
            shape = (self.run.n_atoms, self.k, self.k)
            square = None if self.squares is None else self.squares.reshape(shape)
            return ManyCells.of_table(self.counts.reshape(shape), square, clusters)

        def cube(values: Any) -> Floats:
            return np.ascontiguousarray(
                values.reshape(self.run.n_atoms, self.k, self.k).transpose(1, 2, 0), dtype=float
            )

        return CellTally(cube(self.counts), None if self.squares is None else cube(self.squares), clusters)


class _Classes:
    """Collects y_true × atom."""

    def __init__(self, run: Pass, need: Classes) -> None:
        self.run, self.shape = run, (run.n_atoms, len(run.bound.labels))
        self.counts = np.zeros(self.shape)
        self.squares = np.zeros(self.shape) if run.importance else None
        self.entries: list[tuple[Any, ...]] = []

    def add(self, block: Block, codes: npt.NDArray[np.intp], size: npt.NDArray[np.intp]) -> None:
        joint = codes * self.shape[1]
        joint += block.y_true.astype(np.intp, copy=False)
        self.counts += np.bincount(joint, block.weight, self.counts.size).reshape(self.shape)
        if self.squares is not None:
            assert block.weight is not None
            self.squares += np.bincount(joint, block.weight**2, self.counts.size).reshape(self.shape)
        if self.run.bound.cluster is not None:
            cluster = block.kept(self.run.bound.cluster[0][block.start : block.stop])
            weight = np.ones(len(joint)) if block.weight is None else block.weight
            self.entries.append((cluster, *np.divmod(joint, self.shape[1]), weight[None, :]))

    def tally(self) -> ClassTally:
        squares = None if self.squares is None else np.ascontiguousarray(self.squares.T)
        return ClassTally(np.ascontiguousarray(self.counts.T), squares, _clusters(self.run, self.entries))


class _Moments:
    """Collects the moments of one or two row functions."""

    def __init__(self, run: Pass, need: Moments) -> None:
        self.functions = need.functions
        self.sums = _Sums(run, len(need.functions), need.order, run.n_atoms)

    def add(self, block: Block, codes: npt.NDArray[np.intp], size: npt.NDArray[np.intp]) -> None:
        self.sums.add(block, codes, [function(block) for function in self.functions], size)

    def tally(self) -> MomentTally:
        return self.sums.tally()


class _Sums:
    """Moments of numbers of rows per cohort, block by block."""

    def __init__(self, run: Pass, n_variables: int, order: int, n_cohorts: int) -> None:
        self.run, self.order, self.n_cohorts = run, order, n_cohorts
        self.total = MomentTally.empty(n_variables, order, n_cohorts)
        self.square = MomentTally.empty(n_variables, order, n_cohorts)
        self.entries: list[tuple[Any, ...]] = []
        self.origin: Floats | None = None

    def add(
        self, block: Block, codes: npt.NDArray[np.intp], values: list[Floats], size: npt.NDArray[np.intp] | None = None
    ) -> None:
        """Count the rows of a block; `size` are the rows of every cohort, if they were counted before."""
        self.total = self.total + MomentTally.of_block(codes, self.n_cohorts, values, self.order, block.weight, size)
        if self.run.importance:
            assert block.weight is not None
            self.square = self.square + MomentTally.of_block(codes, self.n_cohorts, values, self.order, block.weight**2)
        if self.run.bound.cluster is not None:
            if self.origin is None:
                self.origin = np.array(
                    [
                        np.nan_to_num(np.nanmean(v[:1000])) if len(v) and not np.isnan(v[:1000]).all() else 0.0
                        for v in values
                    ]
                )
            good = ~np.logical_or.reduce([np.isnan(v) for v in values])
            cluster = block.kept(self.run.bound.cluster[0][block.start : block.stop])
            weight = None if block.weight is None else block.weight[good]
            rows = cluster_values([v[good] for v in values], self.origin, weight)
            self.entries.append((cluster[good], codes[good], np.zeros(int(good.sum()), np.int64), rows))

    def tally(self) -> MomentTally:
        self.total.square = self.square if self.run.importance else None
        if self.run.weighted and not self.run.importance:
            self.total.rows = self.total.n
        self.total.clusters = _clusters(self.run, self.entries)
        self.total.origin = self.origin
        return self.total


class _Bins:
    """Collects sums over bins of the score."""

    def __init__(self, run: Pass, need: ScoreBins) -> None:
        self.run, self.need, self.cell_of = run, need, Binning(need.edges)
        self.total = BinTally.empty(self.cell_of.edges, run.n_atoms)

    def add(self, block: Block, codes: npt.NDArray[np.intp], size: npt.NDArray[np.intp]) -> None:
        score, label = _scored(block, self.need.positive, probability=True)
        weight = block.weight
        square = weight**2 if weight is not None and self.run.importance else None
        self.total.add(codes, self.cell_of(score), score, label, weight, square)

    def tally(self) -> BinTally:
        return self.total


class _Extremes:
    """Collects the least and greatest value of a row function."""

    def __init__(self, run: Pass, need: Extremes) -> None:
        self.need = need
        self.low, self.high, self.undefined = (
            np.full(run.n_atoms, np.nan),
            np.full(run.n_atoms, np.nan),
            np.zeros(run.n_atoms),
        )

    def add(self, block: Block, codes: npt.NDArray[np.intp], size: npt.NDArray[np.intp]) -> None:
        values = self.need.function(block)
        np.fmin.at(self.low, codes, values)
        np.fmax.at(self.high, codes, values)
        self.undefined += np.bincount(codes, np.isnan(values), len(self.low))

    def tally(self) -> ExtremeTally:
        return ExtremeTally(self.low, self.high, self.undefined)


#: What collects a need in the walk over the blocks; other needs read the rows by themselves.
WALKED: dict[type, Any] = {
    Cells: _Cells,
    Classes: _Classes,
    Moments: _Moments,
    Extremes: _Extremes,
    ScoreBins: _Bins,
    Joint: JointCounts,
    JointMoments: JointSums,
}


def _clusters(run: Pass, entries: list[tuple[Any, ...]]) -> ClusterSums | None:
    if run.bound.cluster is None:
        return None
    if not entries:
        none = np.zeros(0, np.int64)
        return ClusterSums(run.bound.cluster[1], none, none, none, np.zeros((1, 0)))
    cluster, cohort, kind, values = zip(*entries, strict=True)
    return ClusterSums.collect(
        run.bound.cluster[1],
        np.concatenate(cluster).astype(np.int64),
        np.concatenate(cohort).astype(np.int64),
        np.concatenate(kind).astype(np.int64),
        np.concatenate(values, axis=1),
    )
