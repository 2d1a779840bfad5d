"""What a search for slices returns: the table, its chart, and other views of the same rows."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import permutations
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render
from dfevals.analyses.slices.embeddings import Topics, topics
from dfevals.analyses.slices.error_map import SliceMapResult, error_map
from dfevals.analyses.slices.error_tree import ErrorTreeResult, error_tree, with_differences
from dfevals.analyses.slices.pairs import PairsResult, pairs
from dfevals.analyses.slices.search import Asked as Search
from dfevals.analyses.slices.search import Found, search
from dfevals.cohorts.by import group_of
from dfevals.exceptions import DataError
from dfevals.render.plain_tables import plain_table
from dfevals.results.provenance import Provenance
from dfevals.results.result import Result
from dfevals.roles.bound import Bound

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SlicesResult", "slices"]

SHOWN = (
    "slice",
    "n",
    "value",
    "difference",
    "ci_low",
    "ci_high",
    "p_corrected",
    "verdict",
    "share_of_errors",
    "overlap",
    "note",
)


class Evaluated(Protocol):
    """What a search needs of an evaluation."""

    _bound: Bound

    @property
    def frame(self) -> pd.DataFrame: ...
    def _with_column(self, column: pd.Series) -> Evaluated: ...
    def _provenance(self, by: Any, min_n: int | None = None) -> Provenance: ...


class SlicesResult(Result):
    """Slices in which a model fails, those with most evidence first.

    Frame columns: `slice` (an expression for `by=` and `where`), `depth` (its conditions), `model, metric, n, share` (of the
    rows), `support` (rows that the metric counts), `value` with `ci_low, ci_high`; `difference` to all other rows with
    `difference_low, difference_high`; `divergence` from the value of all rows; `statistic` (the difference in standard
    deviations that it has by chance, without its skewness), `p_value`, `p_corrected` (for all slices that were searched),
    `verdict`, `share_of_errors`, `overlap` (share of the rows that lie in slices above), `note`. With
    `inference="confirm"` also `n_confirmed` and the columns that end in `_confirmed`, of the half that was not searched.
    """

    _tab = ""

    def __init__(self, found: Found, topics: Topics | None = None, **described: Any) -> None:
        super().__init__(found.frame, **described)
        self._found, self._level, self._topics = found, found.run.asked.level, topics

    @property
    def overall(self) -> dict[str, float]:
        """The metric over all rows: `value`, `n`, `support`."""
        family = self._found.run.family
        value = family.mean if family.weight else np.nan
        losses = self._found.run.losses
        return {"value": value, "n": family.n, "support": float(len(losses.inside))}

    @property
    def by(self) -> dict[str, str]:
        """The slices as cohorts: `ev.metrics(by=result.by)`."""
        return {text: text for text in self._frame["slice"]}

    @cached_property
    def conditions(self) -> pd.DataFrame:
        """What each condition adds to the divergence of its slice: `slice, condition, contribution`.

        A contribution is the mean, over all orders in which the conditions can be put, of the change of the divergence when
        the condition joins those before it (Shapley value); they add up to the divergence.
        """
        family = self._found.run.family
        rows = []
        for text, position in zip(self._frame["slice"], self._found.kept, strict=True):
            found = family.conditions(int(family.slices[position]))
            for condition, share in zip(found, _shapley(self._divergence, found), strict=True):
                rows.append((text, family.features[condition[0]].conditions[condition[1]], share))
        return pd.DataFrame(rows, columns=["slice", "condition", "contribution"])

    def _divergence(self, conditions: tuple[tuple[int, int], ...]) -> float:
        family = self._found.run.family
        if not conditions:
            return 0.0
        place = family.place(conditions)
        return float(family.sums["total"][place] / family.sums["weight"][place] - family.mean)

    @cached_property
    def merged(self) -> pd.DataFrame:
        """Slices that add nothing to one of those shown: `slice, explained_by, n, divergence`."""
        run, family = self._found.run, self._found.run.family
        places = {i: int(family.slices[i]) for pair in self._found.explained.items() for i in pair}
        texts = {i: run.expression(place) for i, place in places.items()}
        rows = [
            (texts[i], texts[by], int(family.sums["rows"][places[i]]), self._divergence(family.conditions(places[i])))
            for i, by in self._found.explained.items()
        ]
        return pd.DataFrame(rows, columns=["slice", "explained_by", "n", "divergence"])

    @cached_property
    def overlaps(self) -> pd.DataFrame:
        """Shared rows of every two slices over the rows in either (Jaccard), slices in the order of the frame."""
        run = self._found.run
        if len(self._found.kept) > 200:
            raise DataError("Overlaps of more than 200 slices are not worked out. Ask for fewer: top=20.")
        masks = np.array([run.family.mask(int(run.family.slices[i])) for i in self._found.kept], np.float32)
        masks = masks.reshape(len(self._found.kept), -1)
        shared = masks @ masks.T
        size = masks.sum(axis=1)
        both = shared / np.maximum(size[:, None] + size[None, :] - shared, 1)
        return pd.DataFrame(both, index=self._frame["slice"], columns=self._frame["slice"])

    @property
    def topics(self) -> pd.DataFrame:
        """Clusters of the embeddings: `topic, n, words` (that distinguish it) and `nearest` (labels of rows at its centre)."""
        if self._topics is None:
            raise DataError("There are no topics: pass embeddings= with the column of vectors.")
        return self._topics.table.copy()

    @property
    def topic_of(self) -> pd.Series:
        """The topic of every row; as a column of that name it makes the slices' expressions work on the frame."""
        if self._topics is None:
            raise DataError("There are no topics: pass embeddings= with the column of vectors.")
        return self._topics.labels.copy()

    def map(self, k: int = 10) -> SliceMapResult:
        """The fewest slices that cover the most errors: each covers the greatest excess that those before it left.

        Parameters
        ----------
        k : int
            Slices at most.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> slices = ev.slices(features=["sex", "marital_status", "education"], n_resamples=199)
        >>> slices.map(2).frame[["slice", "errors_covered", "rows_covered"]].round(2).to_dict("records")[0]
        {'slice': "marital_status == 'Married-civ-spouse'", 'errors_covered': 0.82, 'rows_covered': 0.46}
        """
        return error_map(self._found, k, self._described("Error map"))

    def tree(self, max_depth: int = 3, min_n: int | None = None) -> ErrorTreeResult:
        """A tree of the errors, divided by one half of the rows and measured on the other.

        Parameters
        ----------
        max_depth : int
            Conditions from root to leaf.
        min_n : int, optional
            Rows of a leaf at least, in the half that divides; as in the search when absent.
        """
        return error_tree(self._found.run, max_depth, min_n, self._described("Error tree"))

    def pairs(self) -> PairsResult:
        """Counts and values of all pairs of conditions of two columns, for maps and cross-filtering."""
        return pairs(self._found.run, self._described("Pairs"))

    def _described(self, title: str) -> dict[str, Any]:
        losses = self._found.run.losses
        return {"provenance": self._provenance, "title": f"{title}: {losses.subject}"}

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """The slices with their difference to all other rows."""
        del width
        shown = with_differences(self._frame, SHOWN)
        return plain_table(shown, title=self.title, notes=self.notes, cohort_columns=["slice"], max_rows=max_rows)

    def plot(self, *, ax: Axes | None = None, limit: int = 20, **options: Any) -> Axes:
        """Draw the value of every slice with its interval, and that of all rows as a line.

        Parameters
        ----------
        ax : Axes, optional
            Draw into it.
        limit : int
            Slices drawn at most.
        **options
            For `dfevals.plots.slices.draw`, such as `dark=True`.
        """
        from dfevals.plots.slices import draw

        return draw(self._frame, self.overall["value"], ax, level=self._level, limit=limit, **options)

    def _focus(self) -> dict[str, Any]:
        found = {key: value for key, value in super()._focus().items() if key != "metric"}
        by = dict(list(self.by.items())[:20])
        return {**found, **({"by": by} if by else {}), "metric": self._found.run.losses.metric}


def _shapley(value: Any, conditions: tuple[tuple[int, int], ...]) -> npt.NDArray[np.float64]:
    """Shapley values of the conditions of a slice."""
    known: dict[tuple[tuple[int, int], ...], float] = {}

    def of(part: tuple[tuple[int, int], ...]) -> float:
        key = tuple(sorted(part))
        if key not in known:
            known[key] = value(key)
        return known[key]

    found = np.zeros(len(conditions))
    orders = list(permutations(range(len(conditions))))
    for order in orders:
        before: tuple[tuple[int, int], ...] = ()
        for i in order:
            found[i] += of((*before, conditions[i])) - of(before)
            before = (*before, conditions[i])
    return found / len(orders)


def slices(rows: Evaluated, asked: Search, embeddings: Any = None) -> SlicesResult:
    """Search the rows of an evaluation; see `Evaluation.slices`."""
    found_topics = None
    if embeddings is not None:
        found_topics = topics(rows.frame, embeddings, asked.random_state)
        rows = rows._with_column(found_topics.labels)
        if asked.features is not None:
            asked = replace(asked, features=[*group_of(asked.features), found_topics.labels.name])
    found = search(rows._bound, asked)
    losses = found.run.losses
    title = f"Slices: {losses.subject}"
    options: dict[str, Any] = {"provenance": rows._provenance(None), "title": title, "notes": found.notes}
    return SlicesResult(found, found_topics, cohort_columns=["slice"], **options)
