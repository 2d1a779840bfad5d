"""A frame whose left-out rows are put back with the values that one case says: wrong, right, or all of one class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.engines.block import Block
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model, Outcome

__all__ = ["Case", "Sides", "filled"]

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
FAR = 1e6  # times the greatest value: what has no range has no worst value, and a mean of such values shows it


@dataclass(frozen=True)
class Sides:
    """Rows of the candidate and of its reference in a frame made of the rows `take`.

    `at` are the rows of each side, `gap` which of them are left out; where they are `matched`, row i of one side and
    row i of the other are the same case.
    """

    take: Ints
    at: tuple[Ints, ...]
    gap: tuple[Bools, ...]
    matched: bool


@dataclass(frozen=True)
class Case:
    """What the candidate said in the rows left out: "wrong", "right", or one class; in a regression also "low" or "wide".

    `ends` says of every outcome whether its least (0) or greatest (1) value is taken; the reference gets the other one.
    """

    said: str | int
    ends: Mapping[str, int] = field(default_factory=dict)
    errors: bool = False


def filled(
    bound: Bound, models: tuple[Model, ...], sides: Sides, case: Case, outcomes: tuple[str, ...], limit: float
) -> Bound:
    """The rows with every value that a left-out row lacks; what is known of labels stays."""
    frame = bound.frame.iloc[sides.take].copy()  # the index stays: it may name the row of a repeat
    roles = bound.roles
    for name in outcomes:
        frame[name], roles = _outcome(bound, name, sides, case, limit), _without_errors(roles, name)
    put = _Filling(replace(bound, roles=roles), frame, models, sides, case, limit)
    put.roles()
    if bound.classifies:
        put.classes()
    elif bound.task == "regression":
        put.numbers()
    return replace(bound, roles=roles).take(frame)


def _without_errors(roles: Any, name: str) -> Any:
    """Roles in which the numbers of an outcome are final."""
    plain = tuple(replace(o, error_column=None) if o.column == name else o for o in roles.outcomes)
    return replace(roles, outcomes=plain)


def _outcome(bound: Bound, name: str, sides: Sides, case: Case, limit: float) -> Floats:
    values = bound.outcome_numbers(name)[sides.take].copy()
    ends = (0.0, np.nan) if case.errors else _range(bound.outcome(name), values, limit)
    for j, (at, gap) in enumerate(zip(sides.at, sides.gap, strict=True)):
        values[at[gap]] = ends[case.ends[name] if j == 0 else 1 - case.ends[name]]
    return values


def _range(outcome: Outcome, values: Floats, limit: float) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if outcome.kind == "pass" or np.isin(known, (0.0, 1.0)).all():
        return 0.0, 1.0
    far = _far(known, limit, outcome.pass_at or 0.0)
    return -far, far


def _far(*values: Any) -> float:
    return FAR * float(1 + max(np.abs(v[np.isfinite(v)]).max(initial=0.0) for v in map(np.atleast_1d, values)))


@dataclass
class _Filling:
    bound: Bound
    frame: pd.DataFrame
    models: tuple[Model, ...]
    sides: Sides
    case: Case
    limit: float
    written: dict[Any, Floats] = field(default_factory=dict)

    def roles(self) -> None:
        """Values of the roles that every row needs: the greatest weight, a cluster and a repeat of its own, the most frequent fold."""
        needed, lost = (
            self.bound.roles.needed(),
            np.concatenate([at[gap] for at, gap in zip(self.sides.at, self.sides.gap, strict=True)]),
        )
        for role, name in needed.items():
            empty = lost[self.frame[name].isna().to_numpy()[lost]]
            if not len(empty):
                continue
            if role == "sample_weight":
                weight = self.bound.numbers(name, role).block(0, self.bound.n)
                self._put(name, empty, np.nanmax(weight, initial=0.0))
            elif role in ("cluster", "unit", "id", "repeat"):
                self._put(name, empty, [f"left out {i}" for i in empty])
            elif role != "model":
                common = self.frame[name].mode()
                self._put(name, empty, common.iloc[0] if len(common) else "left out")
        if self.models[0].key is not None:
            for model, at, gap in zip(self.models, self.sides.at, self.sides.gap, strict=True):
                self._put(self.bound.roles.model, at[gap], model.key)

    def classes(self) -> None:
        """Labels and predictions that are not known."""
        name, k = self.bound.roles.y_true, len(self.bound.labels)
        assert name is not None
        codes = self.bound.codes(name, "y_true")[self.sides.take].astype(np.intp)
        said = [self._predicted(j) for j in range(len(self.models))]
        truth = self._shared([codes[at] for at in self.sides.at], -1)
        for j, at in enumerate(self.sides.at):
            unknown = truth[j] < 0
            truth[j] = np.where(unknown, self._label(j, said, k), truth[j])
            new = codes[at] < 0
            self._put(name, at[new], self._labels(truth[j][new]))
            blank = (said[j] < 0) & self.sides.gap[j]
            what = self._prediction(j, truth[j], unknown, k)[blank]
            self._predict(self.models[j], at[blank], what)

    def _shared(self, values: list[Array], missing: float) -> list[Array]:
        """One label for both sides of a matched row, from the side that knows it."""
        if len(values) == 1 or not self.sides.matched:
            return list(values)
        none = np.isnan if np.isnan(missing) else (lambda v: v == missing)
        first = np.where(none(values[0]), values[1], values[0])
        return [first, first.copy()]

    def _predicted(self, j: int) -> Ints:
        """Class codes that a side predicted, −1 where that is not known."""
        model, at = self.models[j], self.sides.take[self.sides.at[j]]
        block = Block(self.bound, model, 0, self.bound.n)
        if model.y_pred is not None or self.bound.decides(model):
            codes = np.asarray(block.y_pred)[at].astype(np.intp)
        else:
            codes = (block.raw_score[at] >= np.nanmedian(block.raw_score)).astype(np.intp)
        known = np.ones(len(at), bool)
        for name in model.y_score:
            known &= ~np.isnan(self.bound.numbers(name, "y_score").block(0, self.bound.n)[at])
        lost = self.sides.gap[j] & (~self.bound.complete[at] | self._absent(j))
        return np.where(known & ~lost, codes, -1)

    def _absent(self, j: int) -> Bools:
        """Rows that a side does not have: they are made from a row of the other side."""
        model, at = self.models[j], self.sides.take[self.sides.at[j]]
        if model.key is None:
            return np.zeros(len(at), bool)
        return np.asarray(self.bound.codes_of_models()[at] != self.bound.models.index(model))

    def _label(self, j: int, said: list[Ints], k: int) -> Ints:
        """Labels of rows that have none: bad for the candidate, and good for the reference where the two differ."""
        said_a = said[0 if self.sides.matched else j]
        if j and not self.sides.matched:
            return np.maximum(said_a, 0)
        if self.case.said == "right":
            found = np.maximum(said_a, 0)
        else:
            found = _other(said_a, k) if self.case.said == "wrong" else np.full(len(said_a), int(self.case.said))
        if len(said) < 2 or not self.sides.matched:
            return found
        return np.where((said[1] >= 0) & (said[1] != said_a), said[1], found)

    def _prediction(self, j: int, truth: Ints, unknown: Bools, k: int) -> Ints:
        if j or self.case.said == "right":
            return truth
        wrong = _other(truth, k)
        return wrong if self.case.said == "wrong" else np.where(unknown, wrong, int(self.case.said))

    def _predict(self, model: Model, at: Ints, codes: Ints) -> None:
        if model.y_pred is not None:
            self._put(model.y_pred, at, self._labels(codes))
        low, high = self._ends(model)
        for c, name in enumerate(model.y_score):
            hit = codes == (c if len(model.y_score) > 1 else 1)
            self._number(name, at, np.where(hit, high, low), np.ones(len(at), bool))

    def _ends(self, model: Model) -> tuple[float, float]:
        """Scores as low and as high as any."""
        if not model.y_score or self.bound.score_kind(model) == "probability":
            return 0.0, 1.0
        values = [self.bound.numbers(name, "y_score").block(0, self.bound.n) for name in model.y_score]
        known = np.concatenate(values)
        known = known[np.isfinite(known)]
        cut = [self.bound.threshold(model)] if self.bound.task == "binary" and self.bound.decides(model) else []
        return min([*cut, known.min(initial=0.0)]) - 1, max([*cut, known.max(initial=0.0)]) + 1

    def numbers(self) -> None:
        """Labels and predictions of a regression: as far apart as can be, as errors have no bound."""
        name = self.bound.roles.y_true
        assert name is not None
        read = [self._read(name, "y_true", j) for j in range(len(self.models))]
        said = [self._read(model.y_pred, "y_pred", j) for j, model in enumerate(self.models)]
        far = _far(*read, *said, self.limit) * (-1 if self.case.said == "low" else 1)
        truth = self._shared(read, np.nan)
        for j, (model, at) in enumerate(zip(self.models, self.sides.at, strict=True)):
            truth[j] = np.where(np.isnan(truth[j]), self._target(j, said, far), truth[j])
            self._number(name, at, truth[j], np.isnan(read[j]))
            off = 0.0 if j or self.case.said in ("right", "wide") else far
            wide = far if self.case.said == "wide" and not j else 0.0
            for column, move in ((model.y_pred, off), (model.y_lower, off - wide), (model.y_upper, off + wide)):
                if column is not None:
                    self._number(column, at, truth[j] + move, self._unread(column, j))

    def _target(self, j: int, said: list[Floats], far: float) -> Floats:
        """Labels of rows that have none: beyond the reference's prediction, seen from the candidate's."""
        mine = np.nan_to_num(said[0 if self.sides.matched else j])
        if self.case.said == "right" or (j and not self.sides.matched):
            return mine
        if len(said) < 2 or not self.sides.matched:
            return mine - far
        other = np.where(np.isnan(said[1]), mine, said[1])
        return other + np.sign(other - mine) * abs(far) * (self.case.said == "wrong")

    def _read(self, name: str | None, role: str, j: int) -> Floats:
        """Numbers of a side's own rows, NaN where they are missing or infinite."""
        at = self.sides.take[self.sides.at[j]]
        if name is None:
            return np.full(len(at), np.nan)
        values = self.bound.numbers(name, role).block(0, self.bound.n)[at]
        lost = ~np.isfinite(values) | (self._absent(j) & (role != "y_true"))
        return np.where(lost, np.nan, values)

    def _unread(self, name: str, j: int) -> Bools:
        """Numbers of left-out rows that are missing, or that do not count because the row is not known to belong here."""
        lost = ~self.bound.complete[self.sides.take[self.sides.at[j]]]
        return self.sides.gap[j] & (lost | np.isnan(self._read(name, "y_pred", j)))

    # Cells of the frame

    def _labels(self, codes: Ints) -> Array:
        found = np.empty(len(codes), object)
        found[:] = [self.bound.labels[code] for code in codes]
        return found

    def _put(self, name: Any, at: Ints, values: Any) -> None:
        """Write values; a categorical stays one, because the order of its labels means something."""
        column = self.frame[name]
        cells = column.astype(object).to_numpy(copy=True)
        cells[at] = values
        found = pd.Series(cells, index=self.frame.index, dtype=object)
        if isinstance(column.dtype, pd.CategoricalDtype) and found.isin(column.cat.categories).all():
            found = found.astype(column.dtype)
        self.frame[name] = found

    def _number(self, name: str, at: Ints, values: Floats, where: Bools) -> None:
        """Write numbers into a column that becomes float64."""
        if name not in self.written:
            self.written[name] = np.array(self.bound.numbers(name, "y_score").block(0, self.bound.n)[self.sides.take])
        self.written[name][at[where]] = values[where]
        self.frame[name] = self.written[name]


def _other(codes: Ints, k: int) -> Ints:
    """Another class; the first where there is none."""
    return (codes + 1) % max(k, 1)
