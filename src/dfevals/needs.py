"""What a metric needs from the rows: a closed set of frozen, hashable values whose union is the plan of the pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = [
    *("Cells", "Classes", "Extremes", "Joint", "JointMoments", "Moments", "Need", "RowBlock", "RowFunction"),
    *("Rows", "ScoreBins", "Scores", "Units", "Values"),
]

Floats = npt.NDArray[np.float64]


class RowBlock(Protocol):
    """A block of rows of one model, after rows that cannot be judged were left out.

    Labels and predictions are class codes in classification and numbers in regression.
    """

    @property
    def y_true(self) -> npt.NDArray[Any]: ...
    @property
    def y_pred(self) -> npt.NDArray[Any]: ...
    @property
    def score(self) -> Floats: ...
    @property
    def scores(self) -> Floats: ...
    @property
    def n_score(self) -> int: ...
    @property
    def eps(self) -> float: ...
    @property
    def lower(self) -> Floats: ...
    @property
    def upper(self) -> Floats: ...
    def outcome(self, name: str) -> Floats: ...
    def passed(self, name: str) -> Floats: ...
    def evaluation_error(self, name: str) -> Floats: ...


@dataclass(frozen=True)
class RowFunction:
    """A named number of a row (its squared error, its log loss), computed for a block at a time.

    Two row functions are the same need when their name and parameters are equal.
    """

    name: str
    function: Callable[..., npt.NDArray[Any]] = field(compare=False, repr=False)
    columns: tuple[str, ...] = ()
    parameters: tuple[tuple[str, Any], ...] = ()

    def __call__(self, rows: RowBlock) -> Floats:
        return np.asarray(self.function(rows, **dict(self.parameters)), float)


@dataclass(frozen=True)
class Cells:
    """Counts per y_true × y_pred × cohort (Σw and Σw² with weights; per cluster with clusters)."""

    columns = ("y_true", "y_pred")


@dataclass(frozen=True)
class Classes:
    """Counts per y_true × cohort: the events on which the losses of a classifier rest."""

    columns = ("y_true",)


@dataclass(frozen=True)
class Moments:
    """Count, means and central co-moments up to `order` of one or two row functions.

    `skip_missing` leaves out rows for which the function is NaN (outcomes); otherwise one such row makes
    the cohort's value undefined, with `undefined` as the reason.
    """

    functions: tuple[RowFunction, ...]
    order: int = 3
    skip_missing: bool = False
    undefined: str = "a row for which the loss is not defined"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for function in self.functions for name in function.columns))


@dataclass(frozen=True)
class Extremes:
    """Least and greatest value of a row function."""

    function: RowFunction
    skip_missing: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return self.function.columns


@dataclass(frozen=True)
class Scores:
    """Counts per y_true × distinct score: one sorted segment of scores per cohort.

    `positive` is the class whose score is ranked (None: the positive class of a binary task);
    `negative` restricts the rows to these two classes (one against one). `probability` clips to [0, 1] what rounding put
    outside.
    """

    positive: int | None = None
    negative: int | None = None
    probability: bool = False

    columns = ("y_true", "y_score")


@dataclass(frozen=True)
class ScoreBins:
    """Counts and sums of probabilities per y_true × cell of the score, between sorted inner `edges`; `positive` as above."""

    edges: tuple[float, ...]
    positive: int | None = None

    columns = ("y_true", "y_score")


@dataclass(frozen=True)
class Rows:
    """The rows of each cohort themselves: order statistics and any callable. Works everywhere, slower."""

    names: tuple[str, ...] = ("y_true", "y_pred")

    @property
    def columns(self) -> tuple[str, ...]:
        return self.names


@dataclass(frozen=True)
class Values:
    """The values of row functions for every row, grouped by cohort: what a bootstrap of moments resamples."""

    functions: tuple[RowFunction, ...]

    columns = ()


@dataclass(frozen=True)
class Units:
    """Sums of a row function over each unit (task, query): trials and what came of them; missing values are left out."""

    function: RowFunction

    @property
    def columns(self) -> tuple[str, ...]:
        return self.function.columns


@dataclass(frozen=True)
class Joint:
    """Counts per y_true × what each of several models predicted × cohort, of rows that all of them are judged on.

    With weights Σw and Σw² beside the rows, with clusters per cluster; it answers what pairs of rows would.
    """

    columns = ("y_true", "y_pred")


@dataclass(frozen=True)
class JointMoments:
    """Moments, per class, of a row function of the first of several models and of its differences to the others."""

    function: RowFunction
    order: int = 3

    @property
    def columns(self) -> tuple[str, ...]:
        return self.function.columns


Need = Cells | Classes | Moments | Extremes | Scores | ScoreBins | Rows | Values | Units | Joint | JointMoments
