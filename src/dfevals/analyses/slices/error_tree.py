"""The honest error tree: a tree of the losses, divided by one half of the rows and measured on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render
from dfevals.analyses.slices.measured import measured
from dfevals.analyses.slices.search import Run, halves
from dfevals.exceptions import DataError
from dfevals.inference.multiple import holm
from dfevals.inference.seeds import generator
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ErrorTreeResult", "error_tree"]

Array = npt.NDArray[Any]


SHOWN = ("slice", "n", "value", "difference", "ci_low", "ci_high", "p_corrected", "verdict", "share_of_errors", "note")


def with_differences(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The columns that a table shows, with the interval of the difference; notes only where there are any."""
    found = frame.assign(ci_low=frame["difference_low"], ci_high=frame["difference_high"])[list(names)]
    return found if (found["note"] != "").any() else found.drop(columns="note")


class ErrorTreeResult(Result):
    """Leaves of the tree, the worst first.

    Frame columns: `slice` (an expression), `depth, model, metric, n` (all rows of the leaf), `n_measured` (those of the half that measures),
    `value` with `ci_low, ci_high`, `difference` to all other rows with `difference_low, difference_high`, `p_value`,
    `p_corrected` (Holm over the leaves), `verdict`, `share_of_errors`, `note`.
    """

    _tab = ""

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """The leaves with their difference to all other rows."""
        del width
        shown = with_differences(self._frame, SHOWN)
        return plain_table(shown, title=self.title, notes=self.notes, cohort_columns=["slice"], max_rows=max_rows)

    def plot(self, *, ax: Axes | None = None, limit: int = 20, **options: Any) -> Axes:
        """Draw the leaves as a forest."""
        from dfevals.plots.slices import draw

        return draw(self._frame, float(self._overall), ax, level=self._level, limit=limit, **options)

    def __init__(self, frame: pd.DataFrame, overall: float, level: float | None, **described: Any) -> None:
        super().__init__(frame, **described)
        self._overall, self._level = overall, level

    def _focus(self) -> dict[str, Any]:
        return {"by": {text: text for text in self._frame["slice"]}} if len(self._frame) else {}


@dataclass(frozen=True)
class _Split:
    """A condition that a tree may divide by: its column of zeros and ones, and how it is written and denied."""

    column: Array
    yes: str
    no: str


def error_tree(run: Run, max_depth: int, min_n: int | None, described: dict[str, Any]) -> ErrorTreeResult:
    """Fit a regression tree to the losses of one half of the rows, and measure its leaves on the other half.

    Raises
    ------
    DataError
        The depth is out of range.
    """
    from sklearn.tree import DecisionTreeRegressor

    if not 1 <= max_depth <= 10:
        raise DataError(f"max_depth={max_depth!r} must be a whole number from 1 to 10.")
    losses, least = run.losses, run.asked.min_n if min_n is None else min_n
    splits = _splits(run)
    inside = losses.take(losses.inside)
    if len(inside) < 4 * least or not splits:
        said = f"A tree needs at least {4 * least:,} rows that the metric counts and a column to divide them by."
        return ErrorTreeResult(pd.DataFrame(columns=list(COLUMNS)), np.nan, run.asked.level, notes=[said], **described)
    every_row = np.column_stack([split.column for split in splits]).astype(np.float32)
    design = every_row[losses.inside]
    first, second = halves(inside, generator(run.asked.random_state))
    weight = None if inside.weight is None else inside.weight[first]
    tree = DecisionTreeRegressor(max_depth=max_depth, min_samples_leaf=max(least, 1), random_state=0)
    tree.fit(design[first], inside.value[first], sample_weight=weight)
    leaves, texts = _leaves(tree.tree_, splits)
    rows = np.searchsorted(leaves, tree.apply(every_row))
    place = rows[losses.inside]
    every = np.arange(len(leaves))
    test = measured(inside.take(second), [(place[second], every, every.tolist())], len(every), run.asked.level)
    corrected = holm(test.p_value) if len(leaves) > 1 else test.p_value
    prefix = f"({run.asked.prefix}) and " if run.asked.prefix else ""
    frame = pd.DataFrame(
        {
            "slice": [prefix + text for text, _ in texts],
            "depth": [depth for _, depth in texts],
            "model": inside.model,
            "metric": inside.metric,
            "n": np.bincount(rows, losses.count, len(leaves)).astype(np.int64),
            "n_measured": np.rint(test.support).astype(np.int64),
            "value": test.value,
            "ci_low": test.low,
            "ci_high": test.high,
            "difference": test.difference,
            "difference_low": test.difference_low,
            "difference_high": test.difference_high,
            "p_value": test.p_value,
            "p_corrected": corrected,
            "verdict": _verdicts(inside.worse, test.difference, corrected, run.asked.alpha),
            "share_of_errors": test.harm,
            "note": test.note,
        }
    )
    order = np.argsort(-(inside.worse or 1.0) * frame["value"].to_numpy(), kind="stable")
    notes = [f"Divided by {len(first):,} rows, measured on the other {len(second):,}."]
    if len(leaves) < 2:
        frame, notes = frame.iloc[:0], [*notes, "No condition tells the errors of the first half apart."]
        order = order[:0]
    return ErrorTreeResult(
        frame.iloc[order].reset_index(drop=True), run.family.mean, run.asked.level, notes=notes, cohort_columns=["slice"], **described
    )  # fmt: skip


COLUMNS = (
    *(
        "slice",
        "depth",
        "model",
        "metric",
        "n",
        "n_measured",
        "value",
        "ci_low",
        "ci_high",
        "difference",
        "difference_low",
    ),
    *("difference_high", "p_value", "p_corrected", "verdict", "share_of_errors", "note"),
)


def _verdicts(worse: float, difference: Array, p: Array, alpha: float) -> list[str]:
    words = {1.0: "worse", -1.0: "better"} if worse else {1.0: "higher", -1.0: "lower"}
    side = np.sign(difference) * (worse or 1.0)
    return [words.get(s, "no evidence") if q <= alpha else "no evidence" for s, q in zip(side, p, strict=True)]


def _splits(run: Run) -> list[_Split]:
    """One condition per value, and for columns of numbers one per edge."""
    found = []
    for feature in run.features.used:
        for code, text in enumerate(feature.conditions):
            if text:
                found.append(_Split(feature.codes == code, text, f"not ({text})"))
        for code, edge in enumerate(feature.below):
            if code:
                found.append(_Split(feature.codes <= code, edge, f"not ({edge})"))
    return found


def _leaves(tree: Any, splits: list[_Split]) -> tuple[Array, list[tuple[str, int]]]:
    """Nodes that are leaves, and the conditions that lead to each with their number."""
    nodes, texts = [], []
    todo: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while todo:
        node, path = todo.pop()
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left < 0:
            nodes.append(node)
            texts.append((" and ".join(path), len(path)))
            continue
        split = splits[int(tree.feature[node])]
        todo += [(left, (*path, split.no)), (right, (*path, split.yes))]
    order = np.argsort(nodes)
    return np.array(nodes)[order], [texts[i] for i in order]
