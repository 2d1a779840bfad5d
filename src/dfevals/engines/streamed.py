"""The pass over a source: every batch gives a tally of its own, and these add up as one goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.cohorts import Cohorts
from dfevals.cohorts.streamed import StreamedCohorts
from dfevals.engines.frame import Pass
from dfevals.exceptions import DataError, DfevalsError
from dfevals.needs import Need, Rows, Scores, Values
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.roles.scores import ROUNDING
from dfevals.roles.streamed import StreamBound
from dfevals.tally import ModelTally, RowTally, ScoreTally

__all__ = ["collect_streamed"]

KEPT = (Scores, Rows, Values)  # needs whose tallies hold rows: put together once, at the end
Ints = npt.NDArray[np.int64]


def collect_streamed(
    bound: StreamBound, models: Sequence[Model], cohorts: Cohorts, needs: Iterable[Need]
) -> ModelTally:
    """Tallies of a model, or of several on the rows that all are judged on, for all needs, per atom of the cohorts."""
    wanted = list(dict.fromkeys(needs))
    sums = _Sums(cohorts.n_atoms)
    shape = cohorts.without_rows
    for batch, codes, where in _batches(bound, models, cohorts, wanted):
        try:
            sums.add(_tally(batch, models, replace(shape, codes=codes), wanted))
        except DfevalsError as error:
            raise type(error)(f"{error} It is in {where}.") from error
    if sums.empty:
        none = bound.take(bound.head.iloc[:0])
        sums.add(_tally(none, models, replace(shape, codes=np.zeros(0, np.int8)), wanted))
    return sums.whole()


def _tally(batch: Bound, models: Sequence[Model], cohorts: Cohorts, needs: list[Need]) -> ModelTally:
    beside = tuple((batch, model) for model in models[1:])
    return Pass(batch, models[0], cohorts, beside).collect(needs)


def _batches(
    bound: StreamBound, models: Sequence[Model], cohorts: Cohorts, needs: Sequence[Need]
) -> Iterator[tuple[Bound, Any, str]]:
    """The binding and the atoms of every batch, and where it comes from."""
    coder = cohorts if isinstance(cohorts, StreamedCohorts) and not cohorts.explicit else None
    columns = dict.fromkeys([*bound.read_by(models, needs), *(coder.columns if coder is not None else ())])
    columns = columns or dict.fromkeys(bound.reader.names[:1])  # of nothing there are no rows to count
    for chunk, batch in bound.batches(columns, " and ".join(str(model.name) for model in models)):
        stop = chunk.start + chunk.table.num_rows
        codes = coder.coder(batch.frame, chunk.start) if coder is not None else cohorts.codes[chunk.start : stop]
        for model in models:
            _check_scores(batch, model, chunk.where)
        yield batch, codes, chunk.where


def _check_scores(batch: Bound, model: Model, where: str) -> None:
    """Refuse scores outside the range that the survey found: then the source has changed."""
    if batch.score_kind(model) != "probability":
        return
    for name in model.y_score:
        values = batch.numbers(name, "y_score").all()
        low, high = np.fmin.reduce(values, initial=0.0), np.fmax.reduce(values, initial=0.0)
        if low < -ROUNDING or (high > 1 + ROUNDING and np.isfinite(high)):
            raise DataError(
                f"Scores {name!r} are outside [0, 1] in {where}, which they were not at the reading before."
            )


class _Sums:
    """Tallies of batches: those of rows are kept until the end, others are added as the bits of a counter carry."""

    def __init__(self, n_atoms: int) -> None:
        self.n_atoms = n_atoms
        self.kept: dict[Need, list[Any]] = {}
        self.levels: list[ModelTally | None] = []

    @property
    def empty(self) -> bool:
        """Whether nothing was added."""
        return not self.levels

    def add(self, tally: ModelTally) -> None:
        """Add the tally of a batch."""
        for need in [need for need in tally.parts if isinstance(need, KEPT)]:
            self.kept.setdefault(need, []).append(tally.parts[need])
        carry = replace(tally, parts={n: part for n, part in tally.parts.items() if not isinstance(n, KEPT)})
        for i, level in enumerate(self.levels):
            if level is None:
                self.levels[i] = carry
                return
            carry, self.levels[i] = self._sum(level, carry), None
        self.levels.append(carry)

    def _sum(self, a: ModelTally, b: ModelTally) -> ModelTally:
        same = np.arange(self.n_atoms)
        return a.merge(b, same, same, self.n_atoms, lambda x, y: (x, y))

    def whole(self) -> ModelTally:
        """The tally of all rows."""
        found = [level for level in reversed(self.levels) if level is not None]
        total = found[0]
        for other in found[1:]:
            total = self._sum(total, other)
        for need, parts in self.kept.items():
            total.parts[need] = _joined(parts, self.n_atoms)
        return total


def _joined(parts: list[Any], n_atoms: int) -> Any:
    """Rows of all parts, atom by atom; takes the parts out of the list, so that memory is freed as one goes."""
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, ScoreTally) and part.keys is not None for part in parts):
        return _joined_keys(parts, n_atoms)
    if all(isinstance(part, RowTally) for part in parts):
        return _joined_rows(parts, n_atoms)
    same = np.arange(n_atoms)
    return _in_pairs(parts, lambda a, b: a.merge(b, same, same, n_atoms))


def _joined_keys(parts: list[ScoreTally], n_atoms: int) -> ScoreTally:
    offsets = _offsets(parts)
    keys = np.empty(offsets[-1], np.int64)
    free = offsets[:-1].copy()
    while parts:
        part = parts.pop(0)
        assert part.keys is not None
        sizes = np.diff(part.offsets)
        keys[np.repeat(free - part.offsets[:-1], sizes) + np.arange(len(part.keys))] = part.keys
        free += sizes
    tally = ScoreTally(offsets, keys)
    tally.sort("stable")
    return tally


def _joined_rows(parts: list[RowTally], n_atoms: int) -> RowTally:
    offsets = _offsets(parts)
    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    order = _by_atom(parts)
    columns = {name: np.concatenate([part.columns[name] for part in parts])[order] for name in names}
    return RowTally(offsets, columns, any(part.frequency for part in parts))


def _offsets(parts: Sequence[Any]) -> Ints:
    sizes = np.sum([np.diff(part.offsets) for part in parts], axis=0)
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _by_atom(parts: Sequence[Any]) -> Ints:
    """Order of the rows of all parts below each other that puts them atom by atom."""
    codes = np.concatenate([np.repeat(np.arange(len(part.offsets) - 1), np.diff(part.offsets)) for part in parts])
    return np.argsort(codes, kind="stable")


def _in_pairs(parts: list[Any], both: Callable[[Any, Any], Any]) -> Any:
    while len(parts) > 1:
        parts[:] = [both(*parts[i : i + 2]) if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
    return parts[0]
