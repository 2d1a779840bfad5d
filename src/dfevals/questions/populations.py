"""Questions about other rows: why a number changed, and what it would be for another mix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dfevals.columns.numbers import infinite_beyond_all_numbers
from dfevals.keywords import one_spelling
from dfevals.questions.asked import Asked, either_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from dfevals.analyses.attribute_change.attribute_change import AttributionResult
    from dfevals.analyses.flip import FlipResult
    from dfevals.analyses.standardise.standardise import StandardisedResult

__all__ = ["PopulationQuestions"]


@one_spelling
@infinite_beyond_all_numbers
class PopulationQuestions(Asked):
    """What `Evaluation` answers about rows beside its own."""

    @either_order
    def attribute_change(
        self,
        reference: Any,
        metrics: Any = None,
        by: Any = None,
        *,
        models: Any = None,
        rates: str = "half",
        level: float = 0.95,
    ) -> AttributionResult:
        """Why did the number change from a reference? The part of the mix of cohorts, and the part within each cohort.

        Parameters
        ----------
        reference : DataFrame, Evaluation or Tally
            The rows before; a frame has the same columns, and the roles of these rows.
        metrics : optional
            Averages over rows; accuracy, mae or the outcome when absent.
        by : definition of cohorts that do not overlap
        models : name or list of names, optional
        rates : {"half", "reference", "own"}
            What a change of shares is valued with: the mean of both values (Kitagawa 1955), or those of either side.
        level : float
            Of the intervals, one by one.

        Returns
        -------
        AttributionResult
            `.frame` has `cohort, mix, within, total` with intervals; the cohorts' parts add up to the overall row.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> found = ev.where("age < 40").attribute_change(ev.where("age >= 40"), by="sex").frame
        >>> found[["cohort", "mix", "within", "total"]].round(3).values.tolist()
        [['(overall)', 0.006, 0.075, 0.081], ['Female', 0.059, 0.014, 0.072], ['Male', -0.053, 0.061, 0.009]]
        """
        from dfevals.analyses.attribute_change.attribute_change import attribute_change
        from dfevals.analyses.references import bound_of

        other = bound_of(reference, self._bound)
        cohorts, beside = self._cohorts_of(by), other.cohorts(by)
        options: Any = {"models": self._some(models), "rates": rates, "level": level}
        return attribute_change(
            self._bound, cohorts, other, beside, metrics, provenance=self._provenance(by), **options
        )

    def standardise(
        self,
        to: Any,
        by: Any,
        metrics: Any = None,
        *,
        models: Any = None,
        pooled: bool = False,
        level: float = 0.95,
    ) -> StandardisedResult:
        """What would it score on another mix of cohorts, such as the traffic of production? Post-stratified values.

        Parameters
        ----------
        to : {cohort: share}, DataFrame, Evaluation or Tally
            The mix. Shares are exact (keys are values, or tuples of values for intersections); other rows are a sample whose
            chance counts in the interval, and need only the columns of `by`.
        by : definition of cohorts that do not overlap
        metrics : optional
            Metrics of decisions or averages over rows; those of the default set when absent.
        models : name or list of names, optional
        pooled : bool
            Draw the cohorts' values together (partial pooling) before they are mixed, for thin cohorts.
        level : float
            Of the intervals.

        Returns
        -------
        StandardisedResult
            `.frame`: `metric, value, ci_low, ci_high, raw, share_covered, note`; `.strata`: shares and weights of the cohorts.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> found = ev.standardise({"Female": 0.5, "Male": 0.5}, by="sex", metrics=["accuracy", "recall"]).frame
        >>> found.set_index("metric")[["value", "raw"]].round(3).to_dict("index")
        {'accuracy': {'value': 0.89, 'raw': 0.874}, 'recall': {'value': 0.647, 'raw': 0.655}}
        """
        from dfevals.analyses.standardise.standardise import standardise

        options: Any = {"models": self._some(models), "pooled": pooled, "level": level}
        return standardise(
            self._bound, self._cohorts_of(by), to, by, metrics, provenance=self._provenance(by), **options
        )

    def flip(
        self,
        column: str,
        predict: Callable[[pd.DataFrame], Any],
        by: Any = None,
        *,
        values: Sequence[Any] | Mapping[Any, Any] | None = None,
        features: Sequence[str] | None = None,
        model: str | None = None,
        level: float = 0.95,
        min_n: int | None = None,
    ) -> FlipResult:
        """Would the model decide otherwise about the same rows with another value of a column, such as the sex?

        Parameters
        ----------
        column : str
        predict : callable
            Takes a frame, returns a score, a label or scores of all classes for each row, such as `model.predict_proba`. It is
            called with the rows as they are and with the column changed.
        by : optional
            Cohorts; the values of the column before the flip when absent.
        values : list or mapping, optional
            New values that all other rows get in turn, or old → new. Two values are swapped when absent.
        features : list of str, optional
            Columns that `predict` gets; those that the model was fitted on, where it says so, else all.
        model : str, optional
            Whose threshold cuts the scores; the first when absent.
        level, min_n
            As in `metrics`.

        Returns
        -------
        FlipResult
            `.frame`: share of changed decisions and mean change of the score, by cohort; `.rows`: the rows that change.

        Raises
        ------
        DataError
            `predict` fails or returns another number of rows.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> found = ev.flip("sex", lambda frame: frame["p_gbm"] + 0.1 * (frame["sex"] == "Male"))
        >>> found.frame[["sex", "score_change"]].round(2).values.tolist()
        [['(overall)', -0.03], ['Female', 0.1], ['Male', -0.1]]
        """
        from dfevals.analyses.flip import flip

        options: Any = {"values": values, "features": features, "model": model, "level": level, "min_n": min_n}
        return flip(self._bound, column, predict, by, provenance=self._provenance(by, min_n), **options)
