"""Questions about predictions: metrics, folds, confusion and residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dfevals.columns.numbers import infinite_beyond_all_numbers
from dfevals.keywords import one_spelling
from dfevals.questions.asked import Asked, bare, either_order, usual

if TYPE_CHECKING:
    from dfevals.analyses.confusion import ConfusionResult
    from dfevals.analyses.errors import ErrorsResult
    from dfevals.analyses.folds.folds import FoldsResult
    from dfevals.analyses.residuals import ResidualsResult
    from dfevals.results.result import MetricsResult
    from dfevals.tally import Tally

__all__ = ["ErrorQuestions"]


@one_spelling
@infinite_beyond_all_numbers
class ErrorQuestions(Asked):
    """What `Evaluation` answers about predictions."""

    def metrics(
        self,
        metrics: Any = None,
        by: Any = None,
        *,
        models: Any = None,
        by_class: bool = False,
        level: float | None = 0.95,
        interval: str = "auto",
        n_resamples: int = 1000,
        random_state: Any = 0,
        relative_to: str | None = None,
        pooled: bool = False,
        min_n: int | None = None,
    ) -> MetricsResult:
        """Metrics of every model, overall and per cohort, with confidence intervals.

        Parameters
        ----------
        metrics : name, metric, callable, or list of them, optional
            The default set of the task when absent. `dfevals.metrics.table()` lists the names.
        by : optional
            Cohorts: a column, a list of columns (their intersections), `dfevals.each(...)`, `bins`, `quantiles`, `period`,
            `top`, or {name: expression or Boolean mask}.
        models : name or list of names, optional
            All models when absent.
        by_class : bool
            One row per class in column `class` instead of averages; by default precision, recall and F1, with `(macro)`.
        level : float or None
            Of the intervals; None leaves them out.
        interval : str
            "auto" takes each metric's default; others are "wilson", "clopper-pearson", "agresti-coull", "wald", "hall", "t",
            "delta", "delong", "newcombe", "bootstrap".
        n_resamples, random_state : int
            Of the bootstrap.
        relative_to : {"overall", "complement"}, optional
            Adds columns `reference`, `difference`, `difference_low`, `difference_high`, `p_value`, `p_corrected`.
        pooled : bool
            Adds columns `pooled`, `pooled_low`, `pooled_high`: partial pooling (empirical Bayes) draws small cohorts towards
            the centre of all, as far as the spread between cohorts allows. The raw value stays as it is.
        min_n : int, optional
            Cohorts with fewer rows are folded into one.

        Returns
        -------
        MetricsResult

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
        >>> ev.metrics(["recall", "roc_auc"], by="sex").wide().round(2).loc["Female"].to_dict()
        {('recall', 'gbm'): 0.59, ('recall', 'logistic'): 0.51, ('roc_auc', 'gbm'): 0.95, ('roc_auc', 'logistic'): 0.93}
        """
        from dfevals.analyses.metrics import measure

        return measure(
            self._bound,
            self._cohorts_of(by, min_n),
            metrics,
            models=self._some(models),
            by_class=by_class,
            ci=level,
            interval=interval,
            n_resamples=n_resamples,
            random_state=random_state,
            relative_to=relative_to,
            pooled=pooled,
            provenance=self._provenance(by, min_n),
        )

    def collect(
        self,
        metrics: Any = None,
        by: Any = None,
        *,
        models: Any = None,
        level: float | None = 0.95,
        min_n: int | None = None,
        **options: Any,
    ) -> Tally:
        """One pass over the rows: the additive Tally from which `tally.metrics()` gives the same result.

        Tallies of different rows add up: `ev1.collect(m, by) + ev2.collect(m, by)`.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> young, old = ev.where("age < 40"), ev.where("age >= 40")
        >>> tally = young.collect("recall", by="sex") + old.collect("recall", by="sex")
        >>> tally.metrics("recall").frame["value"].equals(ev.metrics("recall", by="sex").frame["value"])
        True
        """
        from dfevals.analyses.metrics import collect

        return collect(self._bound, self._cohorts_of(by, min_n), metrics, self._some(models), ci=level, **options)

    @either_order
    def folds(
        self,
        metrics: Any = None,
        by: Any = None,
        *,
        models: Any = None,
        level: float | None = 0.95,
        min_n: int | None = None,
    ) -> FoldsResult:
        """Every metric in every fold of an out-of-fold frame (role `fold`, and `repeat`), overall and per cohort.

        Parameters
        ----------
        metrics, by, models, min_n
            As in `metrics`.
        level : float or None
            Of the intervals of the means, which allow for training rows that folds share.

        Returns
        -------
        FoldsResult
            `.frame` has one row per fold, model, metric and cohort; `.summary` mean, standard deviation and interval.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("bike")
        >>> ev = df.evals(y_true="cnt", y_pred={"gbm": "pred_gbm", "ridge": "pred_ridge"}, fold="fold")
        >>> ev.folds("mae").summary.set_index("model")["mean"].round(1).to_dict()
        {'gbm': 27.2, 'ridge': 41.1}
        """
        from dfevals.analyses.folds.folds import folds

        cohorts, provenance = self._cohorts_of(by, min_n), self._provenance(by, min_n)
        found = folds(
            self._bound, cohorts, metrics, models=self._some(models), level=usual(level), provenance=provenance
        )
        return bare(found, level)

    def confusion(
        self, by: Any = None, *, models: Any = None, level: float | None = 0.95, min_n: int | None = None
    ) -> ConfusionResult:
        """Confusion matrices: counts and shares of each true class, overall and per cohort.

        Parameters
        ----------
        by, models, min_n
            As in `metrics`.
        level : float or None
            Of the intervals of the shares; None leaves them out.

        Returns
        -------
        ConfusionResult
            Frame columns: cohort columns, `model, y_true, y_pred, count, share, ci_low, ci_high, n, is_overall`.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> ev.confusion().wide()
        y_pred          <=50K    >50K
        model y_true
        gbm   <=50K   35044.0  2111.0
              >50K     4030.0  7657.0
        """
        from dfevals.analyses.confusion import confusion

        options: Any = {"level": usual(level), "provenance": self._provenance(by, min_n)}
        return bare(confusion(self._bound, self._cohorts_of(by, min_n), self._some(models), **options), level)

    def errors(
        self, by: Any = None, *, models: Any = None, level: float | None = 0.95, min_n: int | None = None
    ) -> ErrorsResult:
        """Which classes are taken for which, most frequent first, and how well each class is found.

        Parameters
        ----------
        by, models, min_n
            As in `metrics`.
        level : float or None
            Of the intervals; None leaves them out.

        Returns
        -------
        ErrorsResult
            Frame columns: cohort columns, `model, rank, y_true, y_pred, count, share` (of the true class)`, ci_low, ci_high,
            share_of_errors, reverse, n, note, is_overall`; `.classes` and `.confusion` hold the rest.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("hpc_cv")
        >>> ev = df.evals(y_true="obs", y_pred="pred")
        >>> ev.errors().frame[["y_true", "y_pred", "count"]].head(2)
          y_true y_pred  count
        0      F     VF    371
        1      M      F    219
        """
        from dfevals.analyses.errors import errors

        cohorts, provenance = self._cohorts_of(by, min_n), self._provenance(by, min_n)
        found = errors(self._bound, cohorts, self._some(models), level=usual(level), provenance=provenance)
        return bare(found, level)

    def residuals(
        self, by: Any = None, *, models: Any = None, level: float | None = 0.95, min_n: int | None = None
    ) -> ResidualsResult:
        """Errors of a regression: bias, spread and interval coverage per cohort, and the charts of residuals.

        Parameters
        ----------
        by : optional
            Cohorts, as in `metrics`. With two columns `.plot("map")` draws the bias over both.
        models : name or list of names, optional
        level : float or None
            Of the intervals; None leaves them out.
        min_n : int, optional
            Cohorts with fewer rows are folded into one.

        Returns
        -------
        ResidualsResult
            `.frame`: one row per cohort and model; `.deciles`: errors by decile of the target.

        Raises
        ------
        MetricError
            The evaluation is no regression, or has no predictions.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("bike")
        >>> ev = df.evals(y_true="cnt", y_pred="pred_gbm")
        >>> ev.residuals(by="season").frame.set_index("season")["mean_error"].round(1).to_dict()
        {'(overall)': -1.4, 'winter': -0.3, 'spring': -1.2, 'summer': -0.8, 'autumn': -3.2}
        """
        from dfevals.analyses.residuals import residuals

        options: dict[str, Any] = {"level": usual(level), "provenance": self._provenance(by, min_n)}
        return bare(residuals(self._bound, self._cohorts_of(by, min_n), self._some(models), **options), level)
