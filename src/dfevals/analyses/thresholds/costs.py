"""What decisions cost: per outcome, per row of a column of amounts, or by a function of the counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.scores.amounts import AmountSums, amounts_of, check_amounts
from dfevals.analyses.scores.ranked import Ranked
from dfevals.cohorts import Cohorts
from dfevals.exceptions import MetricError, did_you_mean
from dfevals.roles.bound import Bound

__all__ = ["Costs"]

Floats = npt.NDArray[np.float64]
OUTCOMES = ("fp", "fn", "tp", "tn")


@dataclass(frozen=True)
class Costs:
    """Cost of each outcome: a number, or a column of amounts; or a function `f(tp, fp, fn, tn)` of counts.

    Attributes
    ----------
    numbers : mapping of outcome to cost
    columns : mapping of outcome to column
    function : callable or None
    given : bool
        False where nobody said what errors cost, and each counts 1.
    """

    numbers: Mapping[str, float]
    columns: Mapping[str, str]
    function: Callable[..., Any] | None = None
    given: bool = True

    @classmethod
    def of(cls, cost: Any) -> Costs:
        """From what the user says.

        Raises
        ------
        MetricError
            An outcome is unknown or a cost is not a number.
        """
        if cost is None:
            return cls({"fp": 1.0, "fn": 1.0, "tp": 0.0, "tn": 0.0}, {}, given=False)
        if callable(cost):
            return cls({}, {}, cost)
        if isinstance(cost, str):
            cost = {"fp": cost, "fn": cost}
        if not isinstance(cost, Mapping) or not cost:
            raise MetricError(
                f"cost={cost!r} is no cost. Pass {{'fp': 1, 'fn': 5}}, a column of amounts that an error loses, or a "
                "function f(tp, fp, fn, tn) of counts."
            )
        numbers, columns = dict.fromkeys(OUTCOMES, 0.0), {}
        for name, amount in cost.items():
            if name not in OUTCOMES:
                raise MetricError(f"cost has no outcome {name!r}. {did_you_mean(name, OUTCOMES, noun='Outcomes')}")
            if isinstance(amount, str):
                columns[name] = amount
                continue
            try:
                numbers[name] = float(amount)
            except (TypeError, ValueError):
                numbers[name] = np.nan
            if isinstance(amount, bool) or not np.isfinite(numbers[name]):
                raise MetricError(
                    f"cost[{name!r}]={amount!r} must be a number (negative for a benefit) or the name of a column."
                )
        return cls(numbers, columns)

    def amounts(self, bound: Bound, cohorts: Cohorts, source: Ranked) -> AmountSums | None:
        """Sums of the columns of amounts along the score; None where costs do not differ from row to row."""
        if not self.columns:
            return None
        names = tuple(dict.fromkeys(self.columns.values()))
        check_amounts(bound, names, "cost")

        def rule(label: npt.NDArray[np.bool_], columns: dict[str, Floats]) -> tuple[Floats, Floats]:
            def of(outcome: str) -> Floats | float:
                return columns[self.columns[outcome]] if outcome in self.columns else self.numbers[outcome]

            return np.where(label, of("tp"), of("fp")), np.where(label, of("fn"), of("tn"))

        return amounts_of(bound, cohorts, source, names, rule)

    def total(self, tp: Floats, fp: Floats, pos: Floats, neg: Floats, amount: Floats | None = None) -> Floats:
        """Cost of all rows; arrays that broadcast. `amount` is the total where there are columns of amounts."""
        if self.columns:
            assert amount is not None
            return amount
        fn, tn = np.maximum(pos - tp, 0), np.maximum(neg - fp, 0)
        if self.function is not None:
            try:
                found = np.asarray(self.function(tp, fp, fn, tn), float)
            except Exception as error:
                raise MetricError(
                    f"The cost function failed: {type(error).__name__}: {error}. It gets four arrays of counts, tp, fp, fn "
                    "and tn, and returns the total cost as an array."
                ) from error
            shape = np.broadcast_shapes(tp.shape, fp.shape)
            if found.shape not in ((), shape):
                raise MetricError(
                    f"The cost function returned an array of shape {found.shape} for counts of shape {shape}."
                )
            return np.broadcast_to(found, shape)
        c = self.numbers
        return np.asarray(c["tp"] * tp + c["fp"] * fp + c["fn"] * fn + c["tn"] * tn)

    def describe(self) -> str:
        """In words, for a note."""
        if self.function is not None:
            return f"Cost: {getattr(self.function, '__name__', 'function')}(tp, fp, fn, tn) per row."
        parts = [
            f"{name} {self.columns[name] if name in self.columns else format(self.numbers[name], 'g')}"
            for name in OUTCOMES
            if name in self.columns or self.numbers[name]
        ]
        return "Cost per row: " + (", ".join(parts) or "nothing costs anything") + "."
