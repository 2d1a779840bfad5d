"""Questions about scores: curves, gains, thresholds and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dfevals.columns.numbers import infinite_beyond_all_numbers
from dfevals.keywords import one_spelling
from dfevals.questions.asked import Asked, bare, usual

if TYPE_CHECKING:
    from dfevals.analyses.calibration.calibration import CalibrationResult
    from dfevals.analyses.calibration.recalibrate import RecalibrationResult
    from dfevals.analyses.curves.curves import CurveResult
    from dfevals.analyses.gains.gains import GainsResult
    from dfevals.analyses.thresholds.thresholds import ThresholdsResult

__all__ = ["ScoreQuestions"]


@one_spelling
@infinite_beyond_all_numbers
class ScoreQuestions(Asked):
    """What `Evaluation` answers about scores."""

    def roc(
        self,
        by: Any = None,
        *,
        models: Any = None,
        band: str = "pointwise",
        max_fpr: float | None = None,
        level: float | None = 0.95,
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
        level : float or None
            Of bands and intervals.
        n_resamples, random_state : int
            Of the simultaneous band and of the interval of the partial area.

        Returns
        -------
        CurveResult
            Frame columns: cohort columns, `model, fpr, tpr, threshold` and bounds; `.summary` has the areas.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
        >>> ev.roc().summary.set_index("model")["roc_auc"].round(3).to_dict()
        {'gbm': 0.93, 'logistic': 0.906}
        """
        from dfevals.analyses.curves.curves import curves

        options: Any = {"max_fpr": max_fpr, "n_resamples": n_resamples, "random_state": random_state}
        options |= {"level": usual(level), "band": band, "provenance": self._provenance(by, min_n)}
        return bare(curves(self._bound, self._cohorts_of(by, min_n), self._some(models), "roc", **options), level)

    def pr(
        self,
        by: Any = None,
        *,
        models: Any = None,
        band: str = "pointwise",
        level: float | None = 0.95,
        min_n: int | None = None,
    ) -> CurveResult:
        """Precision-recall curves with bands, base rates and the point at which decisions are made now; see `roc`.

        Returns
        -------
        CurveResult
            Frame columns: cohort columns, `model, precision, recall, threshold` and bounds.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> ev.pr(by="sex").summary.set_index("sex")["average_precision"].round(3).to_dict()
        {'(overall)': 0.833, 'Female': 0.785, 'Male': 0.84}
        """
        from dfevals.analyses.curves.curves import curves

        options: Any = {"level": usual(level), "band": band, "provenance": self._provenance(by, min_n)}
        return bare(curves(self._bound, self._cohorts_of(by, min_n), self._some(models), "pr", **options), level)

    def det(
        self,
        by: Any = None,
        *,
        models: Any = None,
        band: str = "pointwise",
        level: float | None = 0.95,
        min_n: int | None = None,
    ) -> CurveResult:
        """Detection error trade-off: false negative against false positive rate; see `roc`.

        Returns
        -------
        CurveResult
            Frame columns: cohort columns, `model, fpr, fnr, threshold` and bounds.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> curve = ev.det().frame
        >>> float(curve.loc[curve["fpr"] <= 0.05, "fnr"].min().round(2))
        0.37
        """
        from dfevals.analyses.curves.curves import curves

        options: Any = {"level": usual(level), "band": band, "provenance": self._provenance(by, min_n)}
        return bare(curves(self._bound, self._cohorts_of(by, min_n), self._some(models), "det", **options), level)

    def cap(
        self,
        by: Any = None,
        *,
        models: Any = None,
        band: str = "pointwise",
        level: float | None = 0.95,
        min_n: int | None = None,
    ) -> CurveResult:
        """Cumulative accuracy profile: share of the positives among the best-scored share of the rows; see `roc`.

        Returns
        -------
        CurveResult
            Frame columns: cohort columns, `model, selected, captured, threshold` and bounds.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> curve = ev.cap().frame
        >>> float(curve.loc[curve["selected"] <= 0.2, "captured"].max().round(2))
        0.65
        """
        from dfevals.analyses.curves.curves import curves

        options: Any = {"level": usual(level), "band": band, "provenance": self._provenance(by, min_n)}
        return bare(curves(self._bound, self._cohorts_of(by, min_n), self._some(models), "cap", **options), level)

    def gains(
        self,
        by: Any = None,
        *,
        quantiles: int | Sequence[float] = 10,
        value: float | str | None = None,
        cost: float = 0.0,
        fixed_cost: float = 0.0,
        models: Any = None,
        level: float | None = 0.95,
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
        level : float or None
            Of the intervals; None leaves them out.
        n_resamples, random_state : int
            Of the interval and the optimism of the best depth.

        Returns
        -------
        GainsResult
            Frame columns: cohort columns, `model, bin, n, n_pos, score_min, score_max, rate, cum_n, cum_pos, gain, lift,
            cum_lift, ks, capture` and bounds; lift 1 is random, gain and ks are fractions.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> ev.gains(value=100, cost=20).best_profit[["depth", "profit"]].round(2).to_dict("records")
        [{'depth': 0.37, 'profit': 687440.0}]
        """
        from dfevals.analyses.gains.gains import gains

        options: Any = {
            "quantiles": quantiles,
            "value": value,
            "cost": cost,
            "fixed_cost": fixed_cost,
            "level": usual(level),
        }
        options |= {"n_resamples": n_resamples, "random_state": random_state, "provenance": self._provenance(by, min_n)}
        return bare(gains(self._bound, self._cohorts_of(by, min_n), self._some(models), **options), level)

    def thresholds(
        self,
        by: Any = None,
        *,
        cost: Any = None,
        objective: str | None = None,
        thresholds: int | Sequence[float] | None = None,
        models: Any = None,
        level: float = 0.95,
        n_resamples: int = 300,
        random_state: Any = 0,
        min_n: int | None = None,
        metrics: Any = None,
        budget: Sequence[float] | None = None,
        optimism: str = "auto",
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
        level : float
            Of the intervals.
        n_resamples, random_state : int
            Of the intervals and the optimism; 0 leaves them out.
        metrics : str or list of str, optional
            Columns of the table.
        budget : list of float, optional
            Shares of the rows that can be acted on.
        optimism : {"auto", "cross-fit", "bootstrap"}
            "cross-fit": thresholds chosen on nine tenths of the rows and judged on the tenth; "auto" takes it where costs are
            no column of amounts. Of the optimism, "bootstrap" can leave a third.

        Returns
        -------
        ThresholdsResult
            Frame columns: cohort columns, `model, threshold, tp, fp, fn, tn`, one per metric, `cost` (mean per row);
            `.best`, `.policies`, `.budget` and `.net_benefit` hold the decisions.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> best = ev.thresholds(cost={"fp": 1, "fn": 3}, n_resamples=50).best
        >>> best[["threshold", "value"]].round(2).to_dict("records")
        [{'threshold': 0.24, 'value': 0.23}]
        """
        from dfevals.analyses.thresholds.thresholds import thresholds as analyse

        options: Any = {"cost": cost, "objective": objective, "thresholds": thresholds, "level": level}
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
        self,
        method: str = "isotonic",
        by: Any = None,
        *,
        cv: Any = 5,
        models: Any = None,
        level: float = 0.95,
        random_state: Any = 0,
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
        level : float
            Of the intervals.
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

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
        >>> result = ev.recalibrate("isotonic", models="logistic")
        >>> result.columns, "p_logistic_isotonic" in result.data
        ({'logistic': 'p_logistic_isotonic'}, True)
        """
        from dfevals.analyses.calibration.recalibrate import recalibrate

        options: dict[str, Any] = {"cv": cv, "random_state": random_state, "level": level}
        options["provenance"] = self._provenance(by)
        return recalibrate(self._bound, self._cohorts_of(by, None), self._some(models), method, **options)
