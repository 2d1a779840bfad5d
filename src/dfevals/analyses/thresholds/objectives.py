"""What a best threshold is best at: least cost, a metric, or a metric at a required level of another."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dfevals.analyses.thresholds.costs import Costs
from dfevals.exceptions import MetricError, did_you_mean
from dfevals.metrics.registry import Request, find, names
from dfevals.needs import Cells
from dfevals.tally import CellView

__all__ = ["Counts", "Objective", "cell_metric", "cell_value"]

Floats = npt.NDArray[np.float64]
BETTER = {"selected": "selection_rate", "budget": "selection_rate"}


@dataclass(frozen=True)
class Counts:
    """Decisions at thresholds: weight of true and false positives, of both classes, and the cost of amounts."""

    tp: Floats
    fp: Floats
    pos: Floats
    neg: Floats
    amount: Floats | None = None

    def cells(self) -> Floats:
        """2 × 2 × …"""
        out = np.empty((2, 2, *np.broadcast_shapes(self.tp.shape, self.fp.shape, self.pos.shape, self.neg.shape)))
        out[0, 1], out[1, 1] = self.fp, self.tp
        for side, total, found in ((0, self.neg, self.fp), (1, self.pos, self.tp)):
            np.subtract(total, found, out=out[side, 0, ...])
            np.maximum(out[side, 0], 0, out=out[side, 0, ...])
        return out


def cell_metric(name: str) -> Request:
    """A metric of binary decisions.

    Raises
    ------
    MetricError
        It is unknown, or no function of decisions.
    """
    request = find(BETTER.get(name, name))
    needs = request.metric.needs
    if request.average is not None or needs not in ((Cells,), (Cells(),)):
        raise MetricError(
            f"{name!r} is not a metric of decisions at a threshold. Take precision, recall, f1, fpr, mcc, …"
        )
    return request


def cell_value(request: Request, cells: Floats) -> Floats:
    """A metric of cells (2, 2, …)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.asarray(request.metric(CellView(cells, "binary")).value, float)
    return -value if request.negated else value


@dataclass(frozen=True)
class Objective:
    """What is sought: "cost", a metric, or a metric subject to `constraint` on another.

    Attributes
    ----------
    text : str
        As asked.
    metric : Request or None
        None for cost.
    higher : bool
        Whether more is better.
    """

    text: str
    costs: Costs
    metric: Request | None
    higher: bool
    constraint: Request | None = None
    sign: float = 1.0
    level: float = field(default=np.nan)

    @classmethod
    def of(cls, text: str | None, costs: Costs) -> Objective:
        """From what the user says; by default cost where costs are given, else Youden's J.

        Raises
        ------
        MetricError
            The text is no objective; the message shows the forms.
        """
        text = text if text is not None else "cost" if costs.given else "youden"
        if not isinstance(text, str):
            raise MetricError(f"objective={text!r} must be a text such as 'cost', 'f1', 'youden' or 'precision>=0.9'.")
        if text == "cost":
            return cls(text, costs, None, higher=False)
        limit = re.fullmatch(r"\s*(\w+)\s*(>=|<=|≥|≤)\s*([0-9.eE+-]+)\s*(%?)\s*", text)
        if limit:
            return cls._limited(text, costs, *limit.groups())
        if re.search(r"[<>=≤≥]", text):
            raise MetricError(
                f"objective={text!r} is no limit. Write metric>=level or metric<=level, such as 'precision>=0.9'."
            )
        try:
            request = cell_metric(text)
        except MetricError as error:
            known = text in names()
            why = "judges no decisions at a threshold." if known else "is not known."
            near = "" if known else did_you_mean(text, ["cost", "youden", *names()])
            forms = "Take 'cost', a metric of decisions such as 'f1' or 'youden', or a limit such as 'precision>=0.9'."
            raise MetricError(" ".join(filter(None, [f"objective={text!r} {why}", near, forms]))) from error
        if request.better not in ("higher", "lower"):
            raise MetricError(
                f"objective={text!r}: more {text} is neither better nor worse. Set a limit instead: '{text}<=0.1'."
            )
        return cls(text, costs, request, higher=request.better == "higher")

    @classmethod
    def _limited(cls, text: str, costs: Costs, name: str, sign: str, level: str, percent: str) -> Objective:
        limited = cell_metric(name)
        of_positives = limited.metric.base in ("recall", "fnr")
        sought = cell_metric("precision" if of_positives else "recall")
        try:
            number = float(level) / (100 if percent else 1)
        except ValueError:
            raise MetricError(f"objective={text!r}: {level!r} is not a number.") from None
        low, high = limited.metric.range
        if not low <= number <= high:
            hint = f" Did you mean {text.strip()}%?" if (low, high) == (0, 1) and 1 < number <= 100 else ""
            raise MetricError(f"objective={text!r}: {name} lies between {low:g} and {high:g}.{hint}")
        return cls(text, costs, sought, True, limited, 1.0 if sign in (">=", "≥") else -1.0, number)

    @property
    def name(self) -> str:
        """What is optimised: "cost" or the metric's name."""
        return "cost" if self.metric is None else self.metric.label

    def value(self, counts: Counts) -> Floats:
        """The quantity sought, per row for cost."""
        if self.metric is None:
            total = self.costs.total(counts.tp, counts.fp, counts.pos, counts.neg, counts.amount)
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(total / (counts.pos + counts.neg))
        return cell_value(self.metric, counts.cells())

    def limited(self, counts: Counts) -> Floats:
        """The quantity that is held to a level; NaN without one."""
        if self.constraint is None:
            return np.full(np.broadcast_shapes(counts.tp.shape, counts.fp.shape), np.nan)
        return cell_value(self.constraint, counts.cells())

    def merit(self, counts: Counts) -> Floats:
        """More is better; −∞ where the level is not held or the quantity is undefined."""
        value = self.value(counts) * (1.0 if self.higher else -1.0)
        value = np.where(np.isnan(value), -np.inf, value)
        if self.constraint is not None:
            held = self.sign * (self.limited(counts) - self.level) >= -1e-12
            value = np.where(held, value, -np.inf)
        return value
