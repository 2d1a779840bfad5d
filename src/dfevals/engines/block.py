"""A block of rows of one model, encoded on first use: what row functions and the kernel read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import MetricError
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

__all__ = ["Block", "judged", "validity"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


class Block:
    """Rows start..stop of a model, less those that `keep` leaves out; `beside` are the same rows of other models."""

    def __init__(
        self, bound: Bound, model: Model, start: int, stop: int, keep: npt.NDArray[np.bool_] | None = None
    ) -> None:
        self.bound, self.model, self.start, self.stop, self.keep = bound, model, start, stop, keep
        self.beside: tuple[Block, ...] = ()

    def kept(self, values: Array) -> Array:
        """Values of the block without the rows left out."""
        return values if self.keep is None else values[self.keep]

    def number(self, name: str, role: str) -> Floats:
        """A column of numbers."""
        return self.kept(self.bound.numbers(name, role).block(self.start, self.stop))

    @cached_property
    def y_true(self) -> Array:
        """Class codes, or numbers in regression."""
        name = self.bound.roles.y_true
        assert name is not None
        if not self.bound.classifies:
            return self.number(name, "y_true")
        return self.kept(self.bound.codes(name, "y_true")[self.start : self.stop])

    @cached_property
    def y_pred(self) -> Array:
        """Class codes: as predicted, or by threshold or greatest score; numbers in regression."""
        name = self.model.y_pred
        if not self.bound.classifies:
            if name is None:
                raise MetricError(f"Model {self.model.name!r} has no predictions. Pass y_pred=.")
            return self.number(name, "y_pred")
        if name is not None:
            return self.kept(self.bound.codes(name, "y_pred")[self.start : self.stop])
        if self.bound.task == "binary":
            return (self.raw_score >= self.bound.threshold(self.model)).view(np.int8)
        if not self.bound.decides(self.model):
            raise MetricError(self.bound.doubt(self.model))
        return self.raw_scores.argmax(axis=1)

    @cached_property
    def raw_score(self) -> Floats:
        """The score of the positive class as it stands in the frame."""
        if not self.model.y_score:
            raise MetricError(
                f"Model {self.model.name!r} has no score. Pass y_score= for ranking and probability metrics."
            )
        return self.number(self.model.y_score[0], "y_score")

    @cached_property
    def raw_scores(self) -> Floats:
        """(rows, classes): the scores as they stand in the frame."""
        if len(self.model.y_score) < 2:
            raise MetricError(f"Model {self.model.name!r} has no score per class. Pass y_score='p_{{label}}'.")
        return np.column_stack([self.number(name, "y_score") for name in self.model.y_score])

    @cached_property
    def score(self) -> Floats:
        """Probability of the positive class, rounding outside [0, 1] clipped."""
        return _probabilities(self, self.raw_score)

    @cached_property
    def scores(self) -> Floats:
        """Probability of every class, (rows, classes)."""
        if self.bound.task == "binary":
            return np.column_stack([1 - self.score, self.score])
        if self.bound.score_kind(self.model) != "probability":
            return self.raw_scores
        return _probabilities(self, self.raw_scores)

    @cached_property
    def n_score(self) -> int:
        """Number of classes that have a score."""
        return len(self.bound.labels)

    @property
    def eps(self) -> float:
        """How near to 0 and 1 the scores can come: the eps of their floats."""
        return min(self.bound.numbers(name, "y_score").eps for name in self.model.y_score)

    @cached_property
    def lower(self) -> Floats:
        """Lower bound of the predicted interval."""
        return self._bound_column("y_lower")

    @cached_property
    def upper(self) -> Floats:
        """Upper bound of the predicted interval."""
        return self._bound_column("y_upper")

    def _bound_column(self, role: str) -> Floats:
        name = getattr(self.model, role)
        if name is None:
            raise MetricError(f"Model {self.model.name!r} has no predicted interval. Pass y_lower= and y_upper=.")
        return self.number(name, role)

    def outcome(self, name: str) -> Floats:
        """Values of an outcome column, NaN where there is none."""
        return self.kept(self.bound.outcome_numbers(name)[self.start : self.stop])

    def passed(self, name: str) -> Floats:
        """1 where the outcome passed, 0 where it failed, NaN without a verdict."""
        key = ("passed", name)
        cache = self.bound._cache
        if key not in cache:
            cache[key] = self.bound.outcome_passed(name)
        return self.kept(cache[key][self.start : self.stop])

    def evaluation_error(self, name: str) -> Floats:
        """1 where the evaluation gave no result."""
        return self.kept(self.bound.outcome_missing(name)[self.start : self.stop]).astype(float)

    @cached_property
    def weight(self) -> Floats | None:
        """Weights of the rows, if there are any."""
        numbers = self.bound.weight
        return None if numbers is None else self.kept(numbers.block(self.start, self.stop))


def _probabilities(block: Block, values: Floats) -> Floats:
    if block.bound.score_kind(block.model) != "probability":
        raise MetricError(
            f"The scores of model {block.model.name!r} lie outside [0, 1], so they are no probabilities: log loss, Brier and "
            "calibration need probabilities. Ranking metrics work."
        )
    if len(values) and (values.min() < 0 or values.max() > 1):
        return np.clip(values, 0, 1)
    return values


def validity(block: Block, dropped: dict[str, int]) -> npt.NDArray[np.bool_] | None:
    """Rows of a block that can be judged for its model (None: all); adds what is left out to `dropped`, by reason.

    A row needs a label, a weight, a value in every column bound to the model, and one in every other role that rows
    need (such as `fold` and `cluster`); infinite numbers count as missing, but for bounds of intervals and margins.
    """
    bound, model, start, stop = block.bound, block.model, block.start, block.stop
    keep: npt.NDArray[np.bool_] | None = None

    def check(good: npt.NDArray[np.bool_] | None, reason: str) -> None:
        nonlocal keep
        if good is None or good.all():
            return
        new = ~good if keep is None else ~good & keep
        dropped[reason] = dropped.get(reason, 0) + int(new.sum())
        keep = good if keep is None else keep & good

    if model.key is not None:
        codes = bound.codes_of_models()[start:stop]
        # rows of other models are not this model's rows: not counted as dropped; rows of no model are
        keep = (codes == [m.name for m in bound.models].index(model.name)) | ~bound.has_model[start:stop]
    names = [(bound.roles.y_true, "y_true")] if bound.roles.y_true is not None else []
    names += [(model.y_pred, "y_pred")] if model.y_pred is not None else []
    for name, role in names:
        if bound.classifies:
            codes = bound.codes(name, role)[start:stop]
            check(None if codes.min(initial=0) >= 0 else codes >= 0, f"missing {role} ({name})")
        else:
            _check_numbers(bound, name, role, start, stop, check)
    columns = [(name, "y_score") for name in model.y_score]
    columns += [(getattr(model, role), role) for role in ("y_lower", "y_upper") if getattr(model, role) is not None]
    columns += [(bound.roles.sample_weight, "sample_weight")] if bound.roles.sample_weight is not None else []
    for name, role in columns:
        _check_numbers(bound, name, role, start, stop, check, _may_be_infinite(bound, model, role))
    if bound.roles.sample_weight is not None:
        there = bound.numbers(bound.roles.sample_weight, "sample_weight").block(start, stop) != 0
        if not there.all():  # a row that stands for no row is none, and not one left out
            keep = there if keep is None else keep & there
    for reason, missing in bound.incomplete.items():
        check(~missing[start:stop], reason)
    return keep


def judged(blocks: Sequence[Block], dropped: Sequence[dict[str, int]]) -> npt.NDArray[np.bool_] | None:
    """Rows that can be judged for all of several models (None: all); what each leaves out is added to its `dropped`."""
    found = (validity(block, own) for block, own in zip(blocks, dropped, strict=True))
    masks = [mask for mask in found if mask is not None]
    both = np.logical_and.reduce(masks) if masks else None
    return None if both is None or both.all() else both


def _may_be_infinite(bound: Bound, model: Model, role: str) -> bool:
    """Bounds of an interval may be open, and margins (log-odds of 0 and 1) may be infinite; other numbers not."""
    return role in ("y_lower", "y_upper") or (role == "y_score" and bound.score_kind(model) != "probability")


def _check_numbers(
    bound: Bound, name: Any, role: str, start: int, stop: int, check: Any, infinite_too: bool = False
) -> None:
    values = bound.numbers(name, role).block(start, stop)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return
    check(~np.isnan(values), f"missing {role} ({name})")
    if not infinite_too:
        check(~np.isinf(values), f"infinite {role} ({name})")
