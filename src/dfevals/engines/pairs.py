"""Collectors of what several models said of the same rows: their predictions together, and moments of their differences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dfevals.engines.block import Block
from dfevals.inference.paired import differences_of
from dfevals.needs import Joint, JointMoments
from dfevals.tally.joint import DENSE, JointMomentTally, JointTally, distinct_of

if TYPE_CHECKING:
    from dfevals.engines.frame import Pass

__all__ = ["JointCounts", "JointSums"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


class JointCounts:
    """Collects y_true × predictions of all models × atom."""

    def __init__(self, run: Pass, need: Joint) -> None:
        del need
        self.run, self.k, self.models = run, len(run.bound.labels), 1 + len(run.beside)
        size = run.n_atoms * self.k ** (self.models + 1)
        dense = run.bound.cluster is None and size <= DENSE
        self.table = np.zeros((3, size)) if dense else None
        self.parts: list[JointTally] = []

    def add(self, block: Block, codes: npt.NDArray[np.intp], size: npt.NDArray[np.intp]) -> None:
        said = [block.y_true, block.y_pred, *(other.y_pred for other in block.beside)]
        if self.table is None:
            self.parts.append(self._entries(block, codes, said))
            return
        joint = codes * self.k ** len(said)
        joint += _joint_code(said, self.k)
        self.table += self._sums(joint, block.weight, self.table.shape[1])

    def _sums(self, place: Array, weight: Floats | None, size: int) -> Floats:
        """Rows, Σw and Σw² as the kind of weight means them: a frequency is a number of rows."""
        counted = None if self.run.importance else weight
        rows = np.bincount(place, counted, size).astype(float)
        if not self.run.importance or weight is None:
            return np.stack([rows] * 3)
        return np.stack([rows, *(np.bincount(place, w, size) for w in (weight, weight**2))])

    def _entries(self, block: Block, codes: npt.NDArray[np.intp], said: Sequence[Array]) -> JointTally:
        """The combinations of a block."""
        columns, widths, clusters = [codes, *said], [self.run.n_atoms, *(self.k,) * len(said)], self.run.bound.cluster
        if clusters is not None:
            columns.append(block.kept(clusters[0][block.start : block.stop]))
            widths.append(len(clusters[1]))
        first, place = distinct_of(columns, widths)
        found = [column[first].astype(np.int64) for column in columns]
        sums = self._sums(place, block.weight, len(first))
        tally = JointTally(self.run.n_atoms, self.k, found[0], found[1], np.stack(found[2 : 2 + self.models]), *sums)
        if clusters is not None:
            tally.cluster, tally.labels = found[-1], clusters[1]
        return tally

    def tally(self) -> JointTally:
        if self.table is not None:
            return JointTally.of_table(self.run.n_atoms, self.k, self.models, self.table)
        return JointTally.total(self.parts)


def _joint_code(said: Sequence[Array], k: int) -> Array:
    """(y_true · K + pred_a) · K + pred_b … in the smallest integers that hold it."""
    top = k ** len(said)
    kind = np.int8 if top < 128 else np.int32 if top < 1 << 31 else np.int64
    code: Any = said[0].astype(kind)
    for pred in said[1:]:
        code *= kind(k)
        code += pred.astype(kind, copy=False)
    return code


class JointSums:
    """Collects moments of a number of the first model and of its differences to the others, by class."""

    def __init__(self, run: Pass, need: JointMoments) -> None:
        self.run, self.need, self.k = run, need, len(run.bound.labels)
        n, classes = run.n_atoms, max(self.k, 1)
        self.parts: list[JointMomentTally] = []
        self.whole = run.moments(1 + len(run.beside), need.order, n * classes) if n * classes <= DENSE else None
        self.places = np.tile(np.arange(n), classes), np.repeat(np.arange(classes), n)

    def add(self, block: Block, codes: npt.NDArray[np.intp], size: npt.NDArray[np.intp]) -> None:
        values = self._values(block)
        truth: Array = block.y_true.astype(np.intp) if self.k else np.zeros(len(codes), np.intp)
        if self.whole is not None:
            self.whole.add(block, truth * self.run.n_atoms + codes if self.k else codes, values)
            return
        first, place = distinct_of([codes, truth], [self.run.n_atoms, max(self.k, 1)])
        part = self.run.moments(len(values), self.need.order, len(first))
        part.add(block, place, values)
        self.parts.append(JointMomentTally(self.run.n_atoms, self.k, codes[first], truth[first], part.tally()))

    def _values(self, block: Block) -> list[Floats]:
        """The number of the first model and its differences to those of the others; all NaN where one has none."""
        first, *others = (self.need.function(side) for side in (block, *block.beside))
        with np.errstate(invalid="ignore", over="ignore"):
            known = np.isfinite(sum(others, first))
        return [np.where(known, v, np.nan) for v in (first, *(differences_of(first, other)[0] for other in others))]

    def tally(self) -> JointMomentTally:
        if self.whole is None:
            return reduce(add, self.parts)
        return JointMomentTally(self.run.n_atoms, self.k, *self.places, self.whole.tally())
