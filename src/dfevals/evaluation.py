"""Evaluation: the rows, their roles, and one thin method per question."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.cohorts import Cohorts, resolve
from dfevals.exceptions import CohortError
from dfevals.keywords import explains_keywords
from dfevals.results.provenance import Provenance
from dfevals.results.result import MetricsResult
from dfevals.roles.bound import Bound, bind
from dfevals.roles.declared import Model, Roles

if TYPE_CHECKING:
    from dfevals.analyses.agreement import AgreementResult
    from dfevals.analyses.calibration.calibration import CalibrationResult
    from dfevals.analyses.calibration.recalibrate import RecalibrationResult
    from dfevals.analyses.card import Card
    from dfevals.analyses.compare.comparison_result import ComparisonResult
    from dfevals.analyses.compare.power import PowerResult
    from dfevals.analyses.compare.route import RoutingResult
    from dfevals.analyses.confusion import ConfusionResult
    from dfevals.analyses.curves.curves import CurveResult
    from dfevals.analyses.errors import ErrorsResult
    from dfevals.analyses.folds.folds import FoldsResult
    from dfevals.analyses.gains.gains import GainsResult
    from dfevals.analyses.gate.gate import Gate
    from dfevals.analyses.gate.gate_report import GateResult
    from dfevals.analyses.residuals import ResidualsResult
    from dfevals.analyses.thresholds.thresholds import ThresholdsResult
    from dfevals.explorers.explorer import Explorer
    from dfevals.tally import Tally

__all__ = ["Evaluation"]

COPY_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3


@explains_keywords
class Evaluation:
    """Rows with roles: ask it questions. Immutable; made by `df.evals(...)` or `dfevals.evaluate(...)`.

    Parameters
    ----------
    frame : DataFrame
        The rows. The evaluation keeps a snapshot: later changes of the frame do not reach it.
    roles : Roles
        Which column plays which role.

    Examples
    --------
    >>> import dfevals
    >>> df = dfevals.datasets.load("adult")
    >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
    >>> ev.metrics("recall", by="sex").wide().round(2)["recall"].tolist()
    [0.66, 0.59, 0.67]
    """

    def __init__(self, frame: pd.DataFrame, roles: Roles, *, _bound: Bound | None = None) -> None:
        roles = roles.inferred(frame.columns) if _bound is None else roles
        self._declared = roles
        self._source: Callable[[], pd.DataFrame | None] = ref(frame)  # explorers tell when it has changed since
        self._bound = bind(_snapshot(frame, roles), roles) if _bound is None else _bound
        self._cohorts: dict[Hashable, Cohorts] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_source": _nowhere}

    def __deepcopy__(self, memo: dict[int, Any]) -> Evaluation:
        return self  # immutable

    # What it is

    @property
    def frame(self) -> pd.DataFrame:
        """The rows, as a copy: changing it does not change the evaluation."""
        return self._bound.frame.copy(deep=not COPY_ON_WRITE)

    @property
    def roles(self) -> Roles:
        """The roles, to be passed on: `df2.evals(ev.roles)`."""
        return self._declared

    @property
    def task(self) -> str:
        """ "binary", "multiclass", "regression" or "outcomes"."""
        return self._bound.task

    @property
    def labels(self) -> tuple[Any, ...]:
        """Classes in order; in a binary task the positive label is the last."""
        return self._bound.labels

    @property
    def pos_label(self) -> Any:
        """The positive label of a binary task."""
        return self._bound.pos_label

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(model.name for model in self._bound.models)

    def __len__(self) -> int:
        return self._bound.n

    # Which rows

    def where(self, condition: str | npt.ArrayLike) -> Evaluation:
        """The evaluation of some of the rows; task, labels and thresholds stay as they are.

        Parameters
        ----------
        condition : str or Boolean mask
            An expression such as "age < 30 and sex == 'Female'", or one Boolean per row.

        Raises
        ------
        ExpressionError
            The expression is not valid; the message points at the place.
        """
        frame = self._bound.frame.loc[self._mask(condition)]
        return Evaluation(frame, self._declared, _bound=self._bound.take(frame))

    def worst(
        self, n: int = 100, *, model: str | None = None, where: str | npt.ArrayLike | None = None
    ) -> pd.DataFrame:
        """The `n` rows with the greatest loss of a model, worst first, with the loss in a last column.

        The loss is the log loss for probabilities, the distance to the threshold on the wrong side for margins, 1 for an
        error of labels, and the absolute error in regression.
        """
        from dfevals.analyses.worst import worst

        mask = None if where is None else self._mask(where)
        return worst(self._bound, self._one(model), n, mask)

    # Questions

    def metrics(
        self,
        metrics: Any = None,
        by: Any = None,
        *,
        models: Any = None,
        by_class: bool = False,
        ci: float | None = 0.95,
        interval: str = "auto",
        n_resamples: int = 1000,
        random_state: Any = None,
        relative_to: str | None = None,
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
            One row per class in column `class` instead of averages.
        ci : float or None
            Level of the intervals; None leaves them out.
        interval : str
            "auto" takes each metric's default; others are "wilson", "clopper-pearson", "agresti-coull", "wald", "hall", "t",
            "delta", "delong", "newcombe", "bootstrap".
        n_resamples, random_state : int
            Of the bootstrap.
        relative_to : {"overall", "complement"}, optional
            Adds columns `reference`, `difference`, `difference_low`, `difference_high`, `p_value`, `p_corrected`.
        min_n : int, optional
            Cohorts with fewer rows are folded into one.

        Returns
        -------
        MetricsResult
        """
        from dfevals.analyses.metrics import measure

        return measure(
            self._bound,
            self._cohorts_of(by, min_n),
            metrics,
            models=self._some(models),
            by_class=by_class,
            ci=ci,
            interval=interval,
            n_resamples=n_resamples,
            random_state=random_state,
            relative_to=relative_to,
            provenance=self._provenance(by, min_n),
        )

    def collect(
        self, metrics: Any = None, by: Any = None, *, models: Any = None, min_n: int | None = None, **options: Any
    ) -> Tally:
        """One pass over the rows: the additive Tally from which `tally.metrics()` gives the same result.

        Tallies of different rows add up: `ev1.collect(m, by) + ev2.collect(m, by)`.
        """
        from dfevals.analyses.metrics import collect

        return collect(self._bound, self._cohorts_of(by, min_n), metrics, self._some(models), **options)

    def folds(
        self, by: Any = None, metrics: Any = None, *, models: Any = None, ci: float = 0.95, min_n: int | None = None
    ) -> FoldsResult:
        """Every metric in every fold of an out-of-fold frame (role `fold`, and `repeat`), overall and per cohort.

        Parameters
        ----------
        by, metrics, models, min_n
            As in `metrics`.
        ci : float
            Level of the intervals of the means, which allow for training rows that folds share.

        Returns
        -------
        FoldsResult
            `.frame` has one row per fold, model, metric and cohort; `.summary` mean, standard deviation and interval.
        """
        from dfevals.analyses.folds.folds import folds

        cohorts, provenance = self._cohorts_of(by, min_n), self._provenance(by, min_n)
        return folds(self._bound, cohorts, metrics, models=self._some(models), level=ci, provenance=provenance)

    def confusion(self, by: Any = None, *, models: Any = None, min_n: int | None = None) -> ConfusionResult:
        """Confusion matrices: counts and shares of each true class, overall and per cohort.

        Returns
        -------
        ConfusionResult
            Frame columns: cohort columns, `model, y_true, y_pred, count, share, ci_low, ci_high, n, is_overall`.
        """
        from dfevals.analyses.confusion import confusion

        return confusion(self._bound, self._cohorts_of(by, min_n), self._some(models), self._provenance(by, min_n))

    def errors(self, by: Any = None, *, models: Any = None, ci: float = 0.95, min_n: int | None = None) -> ErrorsResult:
        """Which classes are taken for which, most frequent first, and how well each class is found.

        Returns
        -------
        ErrorsResult
            Frame columns: cohort columns, `model, rank, y_true, y_pred, count, share` (of the true class)`, ci_low, ci_high,
            share_of_errors, reverse, n, note, is_overall`; `.classes` and `.confusion` hold the rest.
        """
        from dfevals.analyses.errors import errors

        cohorts, provenance = self._cohorts_of(by, min_n), self._provenance(by, min_n)
        return errors(self._bound, cohorts, self._some(models), level=ci, provenance=provenance)

    def roc(
        self,
        by: Any = None,
        *,
        models: Any = None,
        band: str = "pointwise",
        max_fpr: float | None = None,
        ci: float = 0.95,
        n_resamples: int = 400,
        random_state: Any = 0,
        min_n: int | None = None,
    ) -> CurveResult:
        """ROC curves with bands and the point at which decisions are made now; one against the rest for many classes.

        Parameters
        ----------
        by, models, min_n
            As in `metrics`.
        band : {"pointwise", "simultaneous"}
            Whether bounds hold at each point by itself or everywhere at once.
        max_fpr : float, optional
            Adds the partial area up to this false positive rate to `.summary`, standardised by McClish.
        ci : float
            Level of bands and intervals.
        n_resamples, random_state : int
            Of the simultaneous band and of the interval of the partial area.

        Returns
        -------
        CurveResult
            Frame columns: cohort columns, `model, fpr, tpr, threshold` and bounds; `.summary` has the areas.
        """
        from dfevals.analyses.curves.curves import curves

        options: Any = {"max_fpr": max_fpr, "n_resamples": n_resamples, "random_state": random_state}
        options |= {"level": ci, "band": band, "provenance": self._provenance(by, min_n)}
        return curves(self._bound, self._cohorts_of(by, min_n), self._some(models), "roc", **options)

    def pr(
        self,
        by: Any = None,
        *,
        models: Any = None,
        band: str = "pointwise",
        ci: float = 0.95,
        min_n: int | None = None,
    ) -> CurveResult:
        """Precision-recall curves with bands, base rates and the point at which decisions are made now; see `roc`.

        Returns
        -------
        CurveResult
            Frame columns: cohort columns, `model, precision, recall, threshold` and bounds.
        """
        from dfevals.analyses.curves.curves import curves

        options: Any = {"level": ci, "band": band, "provenance": self._provenance(by, min_n)}
        return curves(self._bound, self._cohorts_of(by, min_n), self._some(models), "pr", **options)

    def det(
        self,
        by: Any = None,
        *,
        models: Any = None,
        band: str = "pointwise",
        ci: float = 0.95,
        min_n: int | None = None,
    ) -> CurveResult:
        """Detection error trade-off: false negative against false positive rate; see `roc`.

        Returns
        -------
        CurveResult
            Frame columns: cohort columns, `model, fpr, fnr, threshold` and bounds.
        """
        from dfevals.analyses.curves.curves import curves

        options: Any = {"level": ci, "band": band, "provenance": self._provenance(by, min_n)}
        return curves(self._bound, self._cohorts_of(by, min_n), self._some(models), "det", **options)

    def cap(
        self,
        by: Any = None,
        *,
        models: Any = None,
        band: str = "pointwise",
        ci: float = 0.95,
        min_n: int | None = None,
    ) -> CurveResult:
        """Cumulative accuracy profile: share of the positives among the best-scored share of the rows; see `roc`.

        Returns
        -------
        CurveResult
            Frame columns: cohort columns, `model, selected, captured, threshold` and bounds.
        """
        from dfevals.analyses.curves.curves import curves

        options: Any = {"level": ci, "band": band, "provenance": self._provenance(by, min_n)}
        return curves(self._bound, self._cohorts_of(by, min_n), self._some(models), "cap", **options)

    def gains(
        self,
        by: Any = None,
        *,
        quantiles: int | Sequence[float] = 10,
        value: float | str | None = None,
        cost: float = 0.0,
        fixed_cost: float = 0.0,
        models: Any = None,
        ci: float = 0.95,
        n_resamples: int = 400,
        random_state: Any = 0,
        min_n: int | None = None,
    ) -> GainsResult:
        """Gains table: rows in order of the score, cut into bins of equal size, ties split in proportion.

        Parameters
        ----------
        by, models, min_n
            As in `metrics`.
        quantiles : int or rising shares
            10 makes deciles; [0.01, 0.05, 0.2] cuts there.
        value : float or column, optional
            What a response (a positive that is contacted) brings: then `.profit` and `.best_profit` answer too.
        cost, fixed_cost : float
            Of a contact; of contacting anybody at all.
        ci : float
            Level of the intervals.
        n_resamples, random_state : int
            Of the interval and the optimism of the best depth.

        Returns
        -------
        GainsResult
            Frame columns: cohort columns, `model, bin, n, n_pos, score_min, score_max, rate, cum_n, cum_pos, gain, lift,
            cum_lift, ks, capture` and bounds; lift 1 is random, gain and ks are fractions.
        """
        from dfevals.analyses.gains.gains import gains

        options: Any = {"quantiles": quantiles, "value": value, "cost": cost, "fixed_cost": fixed_cost, "level": ci}
        options |= {"n_resamples": n_resamples, "random_state": random_state, "provenance": self._provenance(by, min_n)}
        return gains(self._bound, self._cohorts_of(by, min_n), self._some(models), **options)

    def thresholds(
        self,
        by: Any = None,
        *,
        cost: Any = None,
        objective: str | None = None,
        thresholds: int | Sequence[float] | None = None,
        models: Any = None,
        ci: float = 0.95,
        n_resamples: int = 300,
        random_state: Any = 0,
        min_n: int | None = None,
        metrics: Any = None,
        budget: Sequence[float] | None = None,
        optimism: str = "bootstrap",
    ) -> ThresholdsResult:
        """What every threshold does, and the best one: overall, per cohort, and within a budget.

        Parameters
        ----------
        by, models, min_n
            As in `metrics`.
        cost : mapping, column or callable, optional
            Cost of outcomes such as {"fp": 1, "fn": 5} (numbers, or columns of amounts); a column that an error loses; or
            `f(tp, fp, fn, tn)` of arrays of counts, which returns the total.
        objective : str, optional
            "cost", a metric such as "f1" or "youden", or a limit such as "precision>=0.9" (greatest recall where it holds).
            By default cost where costs are given, else Youden's J.
        thresholds : int or list of float, optional
            Rows of the table; by default every score up to 1,000 of them.
        ci : float
            Level of the intervals.
        n_resamples, random_state : int
            Of the intervals and the optimism; 0 leaves them out.
        metrics : str or list of str, optional
            Columns of the table.
        budget : list of float, optional
            Shares of the rows that can be acted on.
        optimism : {"bootstrap", "cross-fit"}
            "cross-fit": thresholds chosen on nine tenths of the rows and judged on the tenth.

        Returns
        -------
        ThresholdsResult
            Frame columns: cohort columns, `model, threshold, tp, fp, fn, tn`, one per metric, `cost` (mean per row);
            `.best`, `.policies`, `.budget` and `.net_benefit` hold the decisions.
        """
        from dfevals.analyses.thresholds.thresholds import thresholds as analyse

        options: Any = {"cost": cost, "objective": objective, "thresholds": thresholds, "level": ci}
        options |= {name: value for name, value in (("metrics", metrics), ("budget", budget)) if value is not None}
        options |= {"n_resamples": n_resamples, "random_state": random_state, "optimism": optimism}
        options["provenance"] = self._provenance(by, min_n)
        return analyse(self._bound, self._cohorts_of(by, min_n), self._some(models), **options)

    def calibration(
        self,
        by: Any = None,
        *,
        strategy: str = "corp",
        bins: int | None = None,
        band: str | None = "auto",
        level: float = 0.95,
        kind: str | None = None,
        models: Any = None,
        n_resamples: int = 1000,
        random_state: Any = 0,
        min_n: int | None = None,
    ) -> CalibrationResult:
        """Reliability curves of probabilities and calibration numbers, overall and per cohort.

        Parameters
        ----------
        by : optional
            Cohorts, as in `metrics`.
        strategy : {"corp", "quantile", "uniform", "smooth"}
            Isotonic regression (CORP: Dimitriadis, Gneiting and Jordan 2021), bins of equal mass or width, or a kernel.
        bins : int, optional
            Of "quantile" and "uniform"; 10 when absent.
        band : {"auto", "consistency", "confidence"} or None
            Where curves of calibrated scores would lie, or intervals of the observed rate. "auto" is "consistency" for
            "corp" and "confidence" otherwise; None leaves bands out.
        level : float
            Of bands, intervals and verdicts.
        kind : {"confidence", "top-label", "class-wise"}, optional
            With more than two classes: the probability of the predicted class against its being right, the same per
            predicted class, or every class against the rest. Default "confidence".
        models : name or list of names, optional
        n_resamples, random_state : int
            Draws of consistency bands, and their seed.
        min_n : int, optional
            Cohorts with fewer rows are folded into one.

        Returns
        -------
        CalibrationResult
            `.frame`: cohort columns, `model, bin, score_mean, observed, ci_low, ci_high, n`; `.summary`: numbers per cohort.

        Raises
        ------
        MetricError
            The scores are no probabilities, or there are none.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> result = df.evals(y_true="income", y_score="p_logistic", pos_label=">50K").calibration(by="sex")
        >>> result.summary.set_index("sex")["ece_plugin"].round(3).to_dict()
        {'(overall)': 0.008, 'Female': 0.008, 'Male': 0.01}
        """
        from dfevals.analyses.calibration.calibration import calibration

        options: dict[str, Any] = {"bins": bins, "band": band, "level": level, "kind": kind, "n_resamples": n_resamples}
        options |= {"strategy": strategy, "random_state": random_state, "provenance": self._provenance(by, min_n)}
        return calibration(self._bound, self._cohorts_of(by, min_n), self._some(models), **options)

    def recalibrate(
        self, method: str = "isotonic", by: Any = None, *, cv: Any = 5, models: Any = None, random_state: Any = 0
    ) -> RecalibrationResult:
        """Recalibrated scores and what they change; the score of a row is never made by a map fitted on that row.

        Parameters
        ----------
        method : {"sigmoid", "isotonic", "temperature", "beta", "venn-abers"}
            Logistic regression of the outcome on the log-odds (Platt), isotonic regression, one factor of the log-odds,
            beta calibration, or the Venn–Abers predictor. Classes beyond two are recalibrated one against the rest and
            normalised; "temperature" treats them together.
        by : optional
            Disjoint cohorts, each with a map of its own; cohorts that are too small share the map of all rows, with a warning.
        cv : int or splitter
            Folds, stratified by outcome and cohort; rows of a cluster stay together.
        models : name or list of names, optional
        random_state : int
            Of the folds.

        Returns
        -------
        RecalibrationResult
            `.data`: the rows with a new score column per model (`<column>_<method>`); `.frame`: numbers before and after.

        Raises
        ------
        MetricError
            No scores, overlapping cohorts, or too few rows for the folds.
        """
        from dfevals.analyses.calibration.recalibrate import recalibrate

        options: dict[str, Any] = {"cv": cv, "random_state": random_state, "provenance": self._provenance(by)}
        return recalibrate(self._bound, self._cohorts_of(by, None), self._some(models), method, **options)

    def residuals(
        self, by: Any = None, *, models: Any = None, level: float = 0.95, min_n: int | None = None
    ) -> ResidualsResult:
        """Errors of a regression: bias, spread and interval coverage per cohort, and the charts of residuals.

        Parameters
        ----------
        by : optional
            Cohorts, as in `metrics`. With two columns `.plot("map")` draws the bias over both.
        models : name or list of names, optional
        level : float
            Of the intervals.
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
        """
        from dfevals.analyses.residuals import residuals

        options: dict[str, Any] = {"level": level, "provenance": self._provenance(by, min_n)}
        return residuals(self._bound, self._cohorts_of(by, min_n), self._some(models), **options)

    def explore(self, **state: Any) -> Explorer:
        """The explorer in the notebook: cohorts, threshold, errors and rows, linked; `state` as in `explorer.state`."""
        from dfevals.explorers import explore

        return explore(self, **state)

    def compare(
        self,
        a: str | None = None,
        b: str | None = None,
        by: Any = None,
        metrics: Any = None,
        *,
        test: str = "auto",
        correction: str | None = "holm",
        margin: Any = None,
        ci: float = 0.95,
        unit: str | None = None,
        against: str | None = None,
        n_resamples: int = 1000,
        random_state: Any = 0,
        min_n: int | None = None,
    ) -> ComparisonResult:
        """Is the difference between models real? Overall and per cohort, with the test that fits the metric and the data.

        Parameters
        ----------
        a, b : str, optional
            Two models (or releases, in a frame with the role `release`); differences are first − second. One: it against
            all others. None: all pairs, with ranks, a test of all, and the winner corrected for having been chosen.
        by : optional
            Cohorts, as in `metrics`.
        metrics : optional
            As in `metrics`; the default set of the task when absent.
        test : str
            "auto", or by name: for rows "tango", "mcnemar", "mcnemar-exact", "mcnemar-chi2", "mcnemar-chi2-cc", "delong",
            "t", "wilcoxon", "sign-flip", "delta", "bootstrap"; for folds "corrected-t", "plain-t", "5x2cv-t", "5x2cv-f",
            "folds-wilcoxon", "folds-sign-flip"; for different rows "two-proportions", "welch", "delong", "delta".
        correction : str or None
            For the number of tests: "holm", "bh", "by", "bonferroni", "hochberg" or None.
        margin : float or {metric: float}, optional
            Differences within ± margin do not matter: shown to be so, the verdict is "equivalent".
        ci : float
            Level of the intervals; verdicts are at 1 − ci.
        unit : {"rows", "folds"}, optional
            With the role `fold` learners are compared over folds; "rows" compares the fitted models on the rows.
        against : {"complement"}, optional
            Compare every cohort with all other rows instead of models with each other.
        n_resamples, random_state : int
            Of resampling tests and of the split behind the corrected winner.
        min_n : int, optional
            Cohorts with fewer rows are folded into one.

        Returns
        -------
        ComparisonResult
        """
        from dfevals.analyses.compare.compare import compare

        cohorts, provenance = self._cohorts_of(by, min_n), self._provenance(by, min_n)
        options = {
            "test": test,
            "correction": correction,
            "margin": margin,
            "level": ci,
            "unit": unit,
            "against": against,
        }
        options |= {"n_resamples": n_resamples, "random_state": random_state, "provenance": provenance}
        return compare(self._bound, cohorts, a, b, metrics, **options)

    def gate(
        self,
        rules: Gate | Sequence[Gate],
        *,
        model: str | None = None,
        baseline: str | None = None,
        by: Any = None,
        level: float = 0.95,
        missing: str = "worst",
        **options: Any,
    ) -> GateResult:
        """May it ship? Rules judged by their intervals: pass, fail or inconclusive, with the rows that would decide.

        Parameters
        ----------
        rules : Gate or list of Gate
            Such as `Gate("recall", ">=", 0.8)` or `Gate("fail_rate", vs="baseline", margin=0.01)`.
        model : str, optional
            The candidate; may be left out beside a baseline or when there is one model.
        baseline : str, optional
            The model of rules with `vs="baseline"`.
        by : optional
            Cohorts: every rule must hold overall and in each of them, with intervals corrected for their number.
        level : float
            Level at which the intervals of a rule hold together.
        missing : {"worst", "ignore"}
            What rows that a rule leaves out (without a label, prediction, verdict, weight, …) mean. "worst": a rule passes
            only if it also passes with all of them on the bad side. "ignore": they are taken to be like the others.
        **options
            Passed on to `metrics` and `compare`.
        """
        from dfevals.analyses.gate.gate import judge

        provenance = self._provenance(by)
        named = {"model": model, "baseline": baseline, "by": by, "level": level, "missing": missing}
        return judge(self, rules, provenance=provenance, **named, **options)

    def route(
        self,
        by: Any = None,
        metric: Any = None,
        *,
        default: str | None = None,
        models: Any = None,
        correction: str | None = "holm",
        ci: float = 0.95,
        n_splits: int = 5,
        random_state: Any = 0,
        min_n: int | None = None,
    ) -> RoutingResult:
        """Which model for which cohort: another than the default only where it is better after correction.

        Parameters
        ----------
        by : definition of cohorts that do not overlap
        metric : str, optional
            An average over rows; accuracy, mae or pass_rate when absent.
        default : str, optional
            The model of all cohorts without evidence; the best overall when absent.
        models : list of str, optional
            Candidates; all when absent.
        correction, ci, min_n
            As in `compare`.
        n_splits, random_state : int
            The gain is judged in so many parts of the rows, each by the rule learned on the others.

        Returns
        -------
        RoutingResult
            `.frame`, `.gain`, `.routes`, `.model_for(frame)`, `.to_json()`, `.to_toml()`.
        """
        from dfevals.analyses.compare.route import route

        cohorts, options = self._cohorts_of(by, min_n), {"default": default, "models": models, "correction": correction}
        options |= {"level": ci, "n_splits": n_splits, "random_state": random_state}
        return route(self._bound, cohorts, metric, provenance=self._provenance(by, min_n), **options)

    def power(
        self,
        a: str | None = None,
        b: str | None = None,
        by: Any = None,
        metrics: Any = None,
        *,
        difference: float | None = None,
        power: float = 0.8,
        alpha: float = 0.05,
        correct_for_cohorts: bool = False,
        min_n: int | None = None,
    ) -> PowerResult:
        """What a comparison of these rows can show, per cohort: detectable difference, power, and rows needed.

        Parameters
        ----------
        a, b : str, optional
            Two models (the first two when absent); with one model the plan is for as many rows of another.
        by, metrics, min_n
            As in `compare`; accuracy, mae or the outcomes when absent.
        difference : float, optional
            The difference to be found; the observed one when absent.
        power, alpha : float
            Chance of finding it, and two-sided level of the test.
        correct_for_cohorts : bool
            Divide alpha by the number of cohorts.

        Returns
        -------
        PowerResult
        """
        from dfevals.analyses.compare.power import power as plan

        options: Any = {"difference": difference, "target_power": power, "alpha": alpha}
        options |= {"correct_for_cohorts": correct_for_cohorts, "provenance": self._provenance(by, min_n)}
        return plan(self._bound, self._cohorts_of(by, min_n), a, b, metrics, **options)

    def agreement(
        self, *raters: str, by: Any = None, level: str = "nominal", ci: float = 0.95, min_n: int | None = None
    ) -> AgreementResult:
        """How far raters agree, per cohort: share of equal ratings, Cohen's kappa, Krippendorff's alpha.

        Parameters
        ----------
        *raters : str
            Columns (or models); the outcomes when absent.
        by, min_n
            As in `metrics`.
        level : {"nominal", "ordinal", "interval", "ratio"}
            Kind of ratings; ordered ones weight disagreement by distance.
        ci : float
            Level of the intervals.

        Returns
        -------
        AgreementResult
        """
        from dfevals.analyses.agreement import agreement

        cohorts, provenance = self._cohorts_of(by, min_n), self._provenance(by, min_n)
        return agreement(self._bound, cohorts, raters, kind=level, level=ci, provenance=provenance)

    # How it looks

    @cached_property
    def _card(self) -> Card:
        from dfevals.analyses.card import card

        return card(self._bound)

    def _repr_html_(self) -> str:
        return self._card.to_html()

    def __repr__(self) -> str:
        return self._card.to_text()

    # Shared by the questions

    def _cohorts_of(self, by: Any, min_n: int | None = None) -> Cohorts:
        """Cohorts of a definition, kept for hashable definitions."""
        key: Hashable = (tuple(by) if isinstance(by, list) else by, min_n)
        try:
            hash(key)
        except TypeError:
            return resolve(by, self._bound.frame, min_n=min_n)
        if key not in self._cohorts:
            if len(self._cohorts) >= 8:
                self._cohorts.pop(next(iter(self._cohorts)))
            self._cohorts[key] = resolve(by, self._bound.frame, min_n=min_n)
        return self._cohorts[key]

    def _one(self, model: str | None) -> Model:
        return self._bound.models[0] if model is None else self._bound.model(model)

    def _some(self, models: Any) -> tuple[Model, ...]:
        if models is None:
            return self._bound.models
        names = [models] if isinstance(models, str) else list(models)
        return tuple(self._bound.model(name) for name in names)

    def _mask(self, condition: str | npt.ArrayLike) -> npt.NDArray[np.bool_]:
        if isinstance(condition, str):
            from dfevals.expressions import parse

            return parse(condition).mask(self._bound.frame)
        if isinstance(condition, pd.Series) and not condition.index.equals(self._bound.frame.index):
            raise CohortError(
                "The mask has another index than the frame. Align it first: mask.reindex(df.index, fill_value=False)."
            )
        mask = np.asarray(condition)
        if mask.dtype != bool or mask.shape != (self._bound.n,):
            raise CohortError(
                f"A mask must hold one Boolean per row ({self._bound.n}); found {mask.dtype} of shape {mask.shape}."
            )
        return mask

    def _provenance(self, by: Any, min_n: int | None = None) -> Provenance:
        from dfevals.results.provenance import provenance

        def explore(shown: Mapping[str, Any], state: Mapping[str, Any]) -> Explorer:
            from dfevals.explorers import focus

            return focus(self, {"by": by, "min_n": min_n, **shown}, state)

        return Provenance(lambda: provenance(self._bound, self._declared, by), explore)


def _nowhere() -> None:
    """Stands for the frame that an unpickled evaluation was made from."""


def _snapshot(frame: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """The frame as it is now: free with copy-on-write, else with its role and cohort columns copied."""
    if COPY_ON_WRITE:
        return frame.copy(deep=False)
    return frame.copy()
