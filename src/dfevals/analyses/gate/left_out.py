"""Rows that a rule leaves out: how many, and the frames in which they are put on the bad side instead.

The worst case of missing values is that of Horowitz and Manski (2000, Nonparametric analysis of randomized experiments
with missing covariate and outcome data): what is not known is taken as bad for the candidate and good for its reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.compare.aligned import Contender
from dfevals.analyses.compare.traffic import rows_per_cohort
from dfevals.analyses.compare.units import lost_units, of_units
from dfevals.analyses.gate.fill import Case, Sides, filled
from dfevals.cohorts import Cohorts
from dfevals.engines import collect
from dfevals.engines.block import Block, validity
from dfevals.engines.held import TallyBound
from dfevals.estimates.asked import views_of
from dfevals.estimates.estimate import Part
from dfevals.metrics.planning import needs_of
from dfevals.metrics.registry import Request
from dfevals.needs import Moments
from dfevals.results.tidy import left_out
from dfevals.roles.bound import BLOCK, Bound
from dfevals.roles.declared import Model

__all__ = ["HeldLeftOut", "LeftOut", "Unbounded"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
MANY_CLASSES = 8


class Unbounded(Exception):
    """What the rows left out could do has no bound that is known."""


@dataclass(frozen=True)
class LeftOut:
    """What a rule on one metric leaves out of the rows of a model, and of its reference if there is one."""

    bound: Bound
    cohorts: Cohorts
    request: Request
    models: tuple[Model, ...]

    @cached_property
    def outcomes(self) -> tuple[str, ...]:
        """Outcome columns that the metric reads."""
        if self.request.outcome is None:
            return ()
        known = {outcome.column for outcome in self.bound.roles.outcomes}
        groups = needs_of(self.request.metric, len(self.bound.labels), self.bound.task)
        named = [name for group in groups for need in group for name in getattr(need, "columns", ())]
        return tuple(dict.fromkeys(name for name in named if name in known))

    @cached_property
    def counts_errors(self) -> bool:
        """Whether an outcome without a value is what the metric counts."""
        return self.request.metric.name == "evaluation_error_rate"

    def gap(self, model: Model) -> Bools:
        """Rows of a model, or of no known model, that are left out."""
        bound = self.bound
        spans = [(start, min(start + BLOCK, bound.n)) for start in range(0, bound.n, BLOCK)]
        keep = [validity(Block(bound, model, *span), {}) for span in spans]
        judged = np.ones(bound.n, bool)
        for part, (start, stop) in zip(keep, spans, strict=True):
            judged[start:stop] &= True if part is None else part
        if not self.counts_errors:
            for name in self.outcomes:
                judged &= ~bound.outcome_missing(name)
        return self._rows(model) & ~judged & self._stand_for_some

    def notes(self) -> list[str]:
        """The sentence about rows of the candidate whose outcome has no value; about others the results have theirs."""
        own = self._rows(self.models[0]) & self.bound.complete & self._stand_for_some
        found = {
            f"missing outcomes ({name})": int((self.bound.outcome_missing(name) & own).sum()) for name in self.outcomes
        }
        return [] if self.counts_errors else left_out(f"{self.request.label} of {self.models[0].name}", found)

    def _rows(self, model: Model) -> Bools:
        if model.key is None:
            return np.ones(self.bound.n, bool)
        return (self.bound.codes_of_models() == self.bound.models.index(model)) | ~self.bound.has_model

    @cached_property
    def _stand_for_some(self) -> Bools:
        """Rows whose weight is not 0: a row that stands for no row is none, and not one left out."""
        name = self.bound.roles.sample_weight
        if name is None:
            return np.ones(self.bound.n, bool)
        return self.bound.numbers(name, "sample_weight").block(0, self.bound.n) != 0

    @cached_property
    def sides(self) -> Sides:
        """The rows of every side, with those that are left out."""
        if len(self.models) == 1 or self.models[0].key is None:
            every = np.arange(self.bound.n)
            at = tuple(np.flatnonzero(self._rows(model)) for model in self.models)
            return Sides(every, at, tuple(self.gap(m)[a] for m, a in zip(self.models, at, strict=True)), True)
        return self._matched() or self._apart()

    def _apart(self) -> Sides:
        """Two arms on rows of their own; a row of no known model may belong to either."""
        rows = [np.flatnonzero(self._rows(model)) for model in self.models]
        take = np.concatenate(rows)
        at = (np.arange(len(rows[0])), len(rows[0]) + np.arange(len(rows[1])))
        return Sides(take, at, tuple(self.gap(m)[r] for m, r in zip(self.models, rows, strict=True)), False)

    def _matched(self) -> Sides | None:
        """Two arms by id: an id that one of them lacks is a row that it lost. None where ids do not match rows."""
        name = self.bound.roles.id
        if name is None:
            return None
        codes, labels = pd.factorize(self.bound.series(name, "id"))
        codes = np.where(codes < 0, len(labels) + np.arange(self.bound.n), codes)  # a row without an id stands alone
        place = np.full((2, len(labels) + self.bound.n), -1)
        for j, model in enumerate(self.models):
            own = np.flatnonzero(self._rows(model) & self.bound.has_model)
            if len(np.unique(codes[own])) < len(own):
                return None
            place[j, codes[own]] = own
        known = place.max(axis=0)
        unknown = np.flatnonzero(~self.bound.has_model)
        known[codes[unknown]] = np.where(known[codes[unknown]] < 0, unknown, known[codes[unknown]])
        ids = np.flatnonzero(known >= 0)
        there = place[:, ids] >= 0
        take = np.where(there, place[:, ids], known[ids])
        gap = tuple(~there[j] | self.gap(m)[take[j]] for j, m in enumerate(self.models))
        at = (np.arange(len(ids)), len(ids) + np.arange(len(ids)))
        return Sides(take.reshape(-1), at, gap, True)

    @cached_property
    def tasks(self) -> Ints:
        """Tasks with too few trials, or none on one side, overall and in each cohort; of metrics of trials."""
        if not of_units(self.request, self.bound):
            return np.zeros(self.cohorts.n_cohorts + 1, np.intp)
        sides = [Contender(model.name, model) for model in self.models]
        return lost_units(self.request, self.bound, self.cohorts, sides)

    @cached_property
    def counts(self) -> Ints:
        """Rows (of pairs one) and tasks left out, overall and in each cohort."""
        return self._lost_rows + self.tasks

    def widened(self, table: pd.DataFrame, bound: Bound, cohorts: Cohorts) -> tuple[Floats, Floats]:
        """The ends of the intervals on a filled frame, with the tasks that are left out even there on the bad side."""
        lost = replace(self, bound=bound, cohorts=cohorts).tasks
        low, high, n = (table[name].to_numpy(float) for name in ("ci_low", "ci_high", "support"))
        if not lost.any():
            return low, high
        least = 0.0 if len(self.models) == 1 else -1.0
        return (low * n + least * lost) / (n + lost), (high * n + lost) / (n + lost)

    @property
    def _lost_rows(self) -> Ints:
        sides = self.sides
        if sides.matched:
            lost = np.logical_or.reduce(sides.gap)
            return rows_per_cohort(self.cohorts, sides.take[sides.at[0][lost]])
        parts = [sides.take[at[gap]] for at, gap in zip(sides.at, sides.gap, strict=True)]
        return rows_per_cohort(self.cohorts, np.concatenate(parts))

    def cases(self, limit: float) -> Iterator[tuple[Bound, Cohorts]]:
        """The frames with the rows put back in every way that may be the worst: corners, between which metrics move.

        Raises
        ------
        Unbounded
            A row is left out even so, and what it could do is not known.
        """
        cohorts = replace(self.cohorts, codes=self.cohorts.codes[self.sides.take])
        for case in self._corners():
            bound = filled(self.bound, self.models, self.sides, case, self.outcomes, limit)
            if not case.errors and any(replace(self, bound=bound).gap(model).any() for model in self.models):
                raise Unbounded
            yield bound, cohorts

    def _corners(self) -> Iterator[Case]:
        if self.outcomes:
            for ends in product((0, 1), repeat=len(self.outcomes)):
                yield Case("wrong", dict(zip(self.outcomes, ends, strict=True)), self.counts_errors)
            return
        yield from map(Case, ("wrong", "right", "wide") if self.bound.task == "regression" else ("wrong", "right"))
        if self.bound.task == "regression":
            yield Case("low")
        elif len(self.bound.labels) <= MANY_CLASSES:
            yield from map(Case, range(len(self.bound.labels)))


class HeldLeftOut(LeftOut):
    """The same of a tally: it knows how many rows were left out, but neither of which cohort nor what they hold.

    So every cohort may have lost all of them, and what they could do is not bounded.
    """

    @cached_property
    def counts(self) -> Ints:
        """Rows left out at most, overall and in each cohort; outcomes without a value are known by cohort."""
        out = np.full(self.cohorts.n_cohorts + 1, self._lost, np.intp)
        return out if self.counts_errors else out + self._undefined()

    @property
    def _lost(self) -> int:
        """Rows (of pairs one) that are left out, in all cohorts together."""
        assert isinstance(self.bound, TallyBound)
        tally, names = self.bound.tally, [model.name for model in self.models]
        pair = tally.shared(names) if len(names) > 1 else None
        return sum(sum(tally.models[name].dropped.values()) for name in names) if pair is None else pair.left

    def _undefined(self) -> Ints:
        """Rows whose outcome has no value."""
        out = np.zeros(self.cohorts.n_cohorts + 1, np.intp)
        groups = needs_of(self.request.metric, len(self.bound.labels), self.bound.task)
        wanted = [n for group in groups for n in group if isinstance(n, Moments) and n.skip_missing]
        for model in self.models:
            tally = collect(self.bound, model, self.cohorts, wanted)
            for view in views_of(self.cohorts):
                part = Part(tally, view.positions, len(view.cohorts))
                for need in wanted:
                    out[view.cohorts] += part.get(need).undefined.astype(np.intp)
        return out

    def notes(self) -> list[str]:
        """That cohorts show what is left out of all rows."""
        if not self._lost or not self.cohorts.n_cohorts:
            return []
        return ["A tally does not know which cohorts rows left out belong to: every cohort counts all of them."]

    def cases(self, limit: float) -> Iterator[tuple[Bound, Cohorts]]:
        """None that is known."""
        raise Unbounded
