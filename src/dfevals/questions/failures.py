"""Questions about where a model fails: slices that are worse than the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from dfevals.columns.numbers import infinite_beyond_all_numbers
from dfevals.keywords import one_spelling
from dfevals.questions.asked import Asked

if TYPE_CHECKING:
    from dfevals.analyses.slices.slices_result import SlicesResult

__all__ = ["FailureQuestions"]


@one_spelling
@infinite_beyond_all_numbers
class FailureQuestions(Asked):
    """What `Evaluation` answers about failures."""

    def slices(
        self,
        metric: Any = None,
        features: Any = None,
        *,
        model: str | None = None,
        baseline: str | None = None,
        max_depth: int = 3,
        min_n: int = 30,
        min_share: float = 0.01,
        bins: int = 5,
        inference: str = "max-t",
        alpha: float = 0.05,
        top: int | None = None,
        redundant: bool = False,
        direction: str = "worse",
        within: str | npt.ArrayLike | None = None,
        embeddings: Any = None,
        level: float | None = 0.95,
        n_resamples: int = 1000,
        random_state: Any = 0,
    ) -> SlicesResult:
        """Where does it fail? Search all conjunctions of conditions over the columns, allowing for how many were searched.

        Parameters
        ----------
        metric : name or metric, optional
            An average over rows: an error or confusion rate, a loss, or a metric of an outcome. When absent the error rate, the
            mean absolute error, or the fail rate (or mean) of the first outcome.
        features : column, definition, or list of these, optional
            Columns to search, or `dfevals.bins`, `quantiles`, `top`, `period`; every column that plays no role when absent.
            Numbers are cut at quantiles, times by periods, prose by its length; missing values are a condition.
        model : str, optional
            Which model; the first when absent.
        baseline : str, optional
            Another model (or release) on the same rows: where is `model` worse than it? The number of a row is the
            difference.
        max_depth : int
            Conditions of a slice at most, up to 5. Of many columns fewer are searched, which a note says.
        min_n, min_share : int, float
            A slice has so many rows that the metric counts, and such a share of all rows.
        bins : int
            Intervals of a column of numbers.
        inference : {"max-t", "confirm", "bh"}
            How `p_corrected` allows for the search. "max-t" compares with the greatest difference of all slices when rows are
            dealt by chance (family-wise); "confirm" searches one half of the rows and tests what it picked on the other;
            "bh" holds the share of false ones among those found (Benjamini and Hochberg).
        alpha : float
            Level of `p_corrected` for a verdict.
        top : int, optional
            Slices shown at most; 20 when absent, all with `redundant=True`.
        redundant : bool
            Keep slices whose conditions add nothing to those above them, and those on both sides.
        direction : {"worse", "better", "both"}
            On which side of the rest slices are shown. Tests are two-sided.
        within : expression or Boolean mask, optional
            Search inside these rows: why is the metric low for them?
        embeddings : column of vectors, or list of columns, optional
            Clusters of them are one more feature; see `result.topics` and `result.topic_of`.
        level : float or None
            Of the intervals; None leaves them out.
        n_resamples, random_state : int
            Deals of the rows, and their seed.

        Returns
        -------
        SlicesResult
            `.frame`, `.plot()`, `.map()`, `.tree()`, `.pairs()`, `.conditions`, `.overlaps`, `.merged`, `.by`, `.explore()`.

        Raises
        ------
        CohortError
            A column is not in the frame, or there is none to search.
        MetricError, RoleError, DataError
            The metric is no average over rows, there is no such model, or an option is out of range.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> slices = ev.slices(features=["age", "sex", "marital_status"], max_depth=2, n_resamples=199)
        >>> slices.frame[["slice", "n", "difference"]].round(3).to_dict("records")[0]
        {'slice': "marital_status == 'Married-civ-spouse'", 'n': 22379, 'difference': 0.184}
        """
        import dfevals.analyses.slices.slices_result as slices
        from dfevals.analyses.slices.search import Asked as Search

        search = Search(
            metric,
            features,
            model,
            baseline,
            max_depth,
            min_n,
            min_share,
            bins,
            inference,
            alpha,
            top,
            redundant,
            direction,
            level,
            n_resamples,
            random_state,
            within if isinstance(within, str) else "",
        )
        rows: Any = self if within is None else self.where(within)  # type: ignore[attr-defined]
        return slices.slices(rows, search, embeddings)
