"""Questions before a choice: which model is better, for whom, and may it ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from dfevals.columns.numbers import infinite_beyond_all_numbers
from dfevals.keywords import one_spelling
from dfevals.questions.asked import Asked, bare, either_order, usual

if TYPE_CHECKING:
    from dfevals.analyses.agreement import AgreementResult
    from dfevals.analyses.compare.comparison_result import ComparisonResult
    from dfevals.analyses.compare.power import PowerResult
    from dfevals.analyses.compare.route import RoutingResult
    from dfevals.analyses.corrected.corrected_result import CorrectedResult
    from dfevals.analyses.drift.drift_result import DriftResult
    from dfevals.analyses.fairness.equalise import EqualisedResult
    from dfevals.analyses.fairness.fairness_result import FairnessResult
    from dfevals.analyses.gate.gate import Gate
    from dfevals.analyses.gate.gate_report import GateResult
    from dfevals.analyses.monitor.monitor_result import MonitorResult
    from dfevals.evaluation import Evaluation
    from dfevals.metrics.registry import Metric

__all__ = ["ChoiceQuestions"]

Scale = Literal["nominal", "ordinal", "interval", "ratio"]


@one_spelling
@infinite_beyond_all_numbers
class ChoiceQuestions(Asked):
    """What `Evaluation` answers about several models, raters and rules."""

    @either_order
    def compare(
        self,
        a: str | None = None,
        b: str | None = None,
        metrics: Any = None,
        by: Any = None,
        *,
        test: str = "auto",
        correction: str | None = "holm",
        margin: Any = None,
        level: float = 0.95,
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
        metrics : optional
            As in `metrics`; the default set of the task when absent.
        by : optional
            Cohorts, as in `metrics`.
        test : str
            "auto", or by name: for rows "tango", "mcnemar", "mcnemar-exact", "mcnemar-chi2", "mcnemar-chi2-cc", "delong",
            "t", "wilcoxon", "sign-flip", "delta", "bootstrap"; for folds "corrected-t", "plain-t", "5x2cv-t", "5x2cv-f",
            "folds-wilcoxon", "folds-sign-flip"; for different rows "two-proportions", "welch", "delong", "delta".
        correction : str or None
            For the number of tests: "holm", "bh", "by", "bonferroni", "hochberg" or None.
        margin : float or {metric: float}, optional
            Differences within ± margin do not matter: shown to be so, the verdict is "equivalent".
        level : float
            Of the intervals; verdicts are at 1 − level.
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

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
        >>> result = ev.compare("gbm", "logistic", "recall", by="sex")
        >>> result.frame.set_index("sex")["verdict"].to_dict()
        {'(overall)': 'gbm', 'Female': 'gbm', 'Male': 'gbm'}
        """
        from dfevals.analyses.compare.compare import compare

        cohorts, provenance = self._cohorts_of(by, min_n), self._provenance(by, min_n)
        options = {
            "test": test,
            "correction": correction,
            "margin": margin,
            "level": level,
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

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
        >>> rules = [dfevals.Gate("recall", ">=", 0.6), dfevals.Gate("log_loss", vs="baseline", margin=0.01)]
        >>> ev.gate(rules, model="gbm", baseline="logistic").answer
        'pass'
        """
        from dfevals.analyses.gate.gate import judge

        provenance = self._provenance(by)
        named = {"model": model, "baseline": baseline, "by": by, "level": level, "missing": missing}
        return judge(cast("Evaluation", self), rules, provenance=provenance, **named, **options)

    @either_order
    def route(
        self,
        metric: Any = None,
        by: Any = None,
        *,
        default: str | None = None,
        models: Any = None,
        correction: str | None = "holm",
        level: float = 0.95,
        n_splits: int = 5,
        random_state: Any = 0,
        min_n: int | None = None,
    ) -> RoutingResult:
        """Which model for which cohort: another than the default only where it is better after correction.

        Parameters
        ----------
        metric : str, optional
            An average over rows; accuracy, mae or pass_rate when absent.
        by : definition of cohorts that do not overlap
        default : str, optional
            The model of all cohorts without evidence; the best overall when absent.
        models : list of str, optional
            Candidates; all when absent.
        correction, level, min_n
            As in `compare`.
        n_splits, random_state : int
            `gain_cross_fitted` is judged in so many parts of the rows, each by the rule learned on the others.

        Returns
        -------
        RoutingResult
            `.frame`, `.gain`, `.routes`, `.model_for(frame)`, `.to_json()`, `.to_toml()`.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
        >>> routes = ev.route("accuracy", by="sex", default="logistic")
        >>> routes.routes
        {"sex == 'Female'": 'gbm', "sex == 'Male'": 'gbm'}
        """
        from dfevals.analyses.compare.route import route

        models = [models] if isinstance(models, str) else models
        cohorts, options = self._cohorts_of(by, min_n), {"default": default, "models": models, "correction": correction}
        options |= {"level": level, "n_splits": n_splits, "random_state": random_state}
        return route(self._bound, cohorts, metric, provenance=self._provenance(by, min_n), **options)

    def fairness(
        self,
        by: Any,
        reference: Any = None,
        criteria: Any = None,
        *,
        models: Any = None,
        cost: Mapping[str, float] | None = None,
        level: float = 0.95,
        min_n: int | None = None,
    ) -> FairnessResult:
        """Are groups treated alike? Differences and ratios of selection, errors, calibration and costs, with intervals that hold.

        Parameters
        ----------
        by : definition of groups that do not overlap
            A column, or a list of columns for their intersections.
        reference : optional
            The group that others are compared with (a tuple of values for intersections), or "overall". None: the groups with
            the least and the greatest value, with intervals that allow for having picked them.
        criteria : name or list of names, optional
            Of criteria ("demographic_parity", "equal_opportunity", "predictive_equality", "equalized_odds", "predictive_parity",
            "treatment_equality", "accuracy_parity", "calibration", "score_parity", "error_cost_parity") or of metrics; all that
            the task has when absent.
        models : name or list of names, optional
        cost : {"fp": number, "fn": number}, optional
            Of `error_cost_parity`; 1 for every error when absent.
        level : float
            At which the intervals of a criterion hold together for all groups.
        min_n : int, optional
            Groups with fewer rows are folded into one.

        Returns
        -------
        FairnessResult
            `.frame`, `.groups` (values of every group, raw and pooled), `.four_fifths` (`pass`, `fail` or `inconclusive`).

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> found = ev.fairness("sex")
        >>> found.frame[["criterion", "difference", "ratio", "group_low"]].round(2).to_dict("records")[0]
        {'criterion': 'demographic_parity', 'difference': 0.18, 'ratio': 0.31, 'group_low': 'Female'}
        >>> found.four_fifths["answer"].tolist()
        ['fail']
        """
        from dfevals.analyses.fairness.fairness import fairness

        cohorts, provenance = self._cohorts_of(by, min_n), self._provenance(by, min_n)
        options: Any = {"models": self._some(models), "cost": cost, "level": level, "provenance": provenance}
        return fairness(self._bound, cohorts, reference, criteria, **options)

    def equalise(
        self,
        by: Any,
        criterion: str = "demographic_parity",
        *,
        models: Any = None,
        cost: Mapping[str, float] | None = None,
        level: float = 0.95,
        min_n: int | None = None,
    ) -> EqualisedResult:
        """What would it cost to treat groups alike by a threshold for each? Thresholds, their price, and the trade-off.

        Parameters
        ----------
        by : definition of groups that do not overlap
        criterion : {"demographic_parity", "equal_opportunity", "predictive_equality"}
            What is to be equal: the rate of selection, of true or of false positives.
        models : name or list of names, optional
        cost : {"fp": number, "fn": number}, optional
            1 for every error when absent.
        level : float
            Of the interval of the price.
        min_n : int, optional
            Groups with fewer rows are folded into one.

        Returns
        -------
        EqualisedResult
            `.frame` (thresholds by group), `.price`, `.tradeoff`.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> ev.equalise("sex", "equal_opportunity").price[["difference_now", "difference", "price"]].round(3).values.tolist()
        [[0.076, 0.001, 0.0]]
        """
        from dfevals.analyses.fairness.equalise import equalise

        cohorts, provenance = self._cohorts_of(by, min_n), self._provenance(by, min_n)
        options: Any = {"models": self._some(models), "cost": cost, "level": level, "provenance": provenance}
        return equalise(self._bound, cohorts, criterion, **options)

    def drift(
        self,
        reference: Any = None,
        columns: str | Sequence[str] | None = None,
        *,
        period: str | None = None,
        by: Any = None,
        bins: int = 10,
        level: float = 0.95,
        min_effect: float = 0.1,
        alpha: float = 0.05,
        min_n: int | None = None,
        random_state: int = 0,
    ) -> DriftResult:
        """Which columns have moved since a reference, how far, and how sure is that?

        Parameters
        ----------
        reference : DataFrame or Evaluation, optional
            The rows to compare with, such as those of training. Or pass `period`.
        columns : str or sequence of str, optional
            By default every column of both that is no key, weight or time: labels, scores, predictions, outcomes, features.
        period : str, optional
            "D", "W", "M" and so on: the latest period of the role `time` is compared with all rows before it.
        by : cohorts, optional
            As in `metrics`: which cohorts moved. Each is compared with the rows of the same name in the reference.
        bins : int
            Quantiles of the reference; numbers of few values are bins of their own.
        level : float
            Of the intervals of the effect.
        min_effect : float
            The least Jensen-Shannon distance (0 to 1) that matters.
        alpha : float
            Of the tests, after Holm's correction over the columns.
        min_n : int, optional
            Cohorts with fewer rows are folded into one.
        random_state : int
            Seed of permutations where numbers are tied.

        Returns
        -------
        DriftResult
            `.frame`: the most moved column first. `.shift`: change of labels, of scores, and of labels within equal scores.
            `.bins`: both distributions. Verdicts: "moved" where the whole interval lies above `min_effect`, "perhaps" where
            part of it does, "slightly" where a change is certain and small, "no evidence", "too few", "not compared".

        Raises
        ------
        DataError
            There is no reference, it is empty, or has no column in common.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("bike")
        >>> before, now = df[df["mnth"] <= 6], df[df["mnth"] > 6]
        >>> ev = now.evals(y_true="cnt", y_pred="pred_gbm")
        >>> ev.drift(before, columns=["temp", "hr"]).frame[["column", "verdict"]].values.tolist()
        [['temp', 'moved'], ['hr', 'no evidence']]
        """
        from dfevals.analyses.drift.drift import drift, referred

        bound, frame = referred(self._bound, reference, period)
        cohorts = (bound.take(frame).cohorts(by, min_n), bound.cohorts(by, min_n))
        options: Any = {"columns": columns, "bins": bins, "level": level, "min_effect": min_effect, "alpha": alpha}
        provenance = self._provenance(by, min_n)
        return drift(bound, frame, cohorts, **options, random_state=random_state, provenance=provenance)

    def monitor(
        self,
        metric: str | Metric | None = None,
        period: str = "day",
        by: Any = None,
        *,
        models: Any = None,
        level: float = 0.95,
        alpha: float = 0.05,
        min_effect: float = 0.0,
        direction: str = "worse",
        min_n: int | None = None,
    ) -> MonitorResult:
        """Has a metric changed? By period, with limits that allow for what varies between periods, and alarms for daily looks.

        Parameters
        ----------
        metric : str or Metric, optional
            One metric; the first default one of the task when absent.
        period : str
            "day", "week", "month" and so on ("D", "W", "M" are understood), of the role `time`.
        by : cohorts, optional
            A series for every cohort, beside that of all rows.
        models : str or sequence of str, optional
        level : float
            Of the intervals, of the confidence sequence, and of the interval of a change's beginning.
        alpha : float
            Chance that an alarm is ever wrong, over all looks; of several series the false discovery rate (e-BH).
        min_effect : float
            The least difference of the metric before and after a change that is worth an alarm.
        direction : {"worse", "better", "both"}
            Which changes are looked for; both where no direction is better.
        min_n : int, optional
            Cohorts with fewer rows are folded into one.

        Returns
        -------
        MonitorResult
            `.frame`: a row per period. `.alarms`: since when, from what to what. `.prometheus()`: the latest period as text.

        Raises
        ------
        RoleError
            The role `time` is not declared.
        CohortError
            A period that recurs, such as "weekday", or that there is not.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("bike")
        >>> ev = df.evals(y_true="cnt", y_pred={"gbm": "pred_gbm"}, time="time")
        >>> found = ev.monitor("mae", "month")
        >>> len(found.frame), bool(found.frame["alarm"].any())
        (24, False)
        """
        from dfevals.analyses.monitor.ask import monitored

        chosen = self._some(models)
        options: Any = {"level": level, "alpha": alpha, "least": min_effect, "direction": direction, "min_n": min_n}
        return monitored(self, [model.name for model in chosen], metric, period, by, **options)

    @either_order
    def power(
        self,
        a: str | None = None,
        b: str | None = None,
        metrics: Any = None,
        by: Any = None,
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
        metrics, by, min_n
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

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
        >>> plan = ev.power("gbm", "logistic", "accuracy", difference=0.01)
        >>> plan.frame[["metric", "power"]].round(2).to_dict("records")
        [{'metric': 'accuracy', 'power': 1.0}]
        """
        from dfevals.analyses.compare.power import power as plan

        options: Any = {"difference": difference, "target_power": power, "alpha": alpha}
        options |= {"correct_for_cohorts": correct_for_cohorts, "provenance": self._provenance(by, min_n)}
        return plan(self._bound, self._cohorts_of(by, min_n), a, b, metrics, **options)

    def agreement(
        self,
        *raters: str,
        by: Any = None,
        scale: Scale = "nominal",
        level: float | Scale | None = 0.95,
        min_n: int | None = None,
    ) -> AgreementResult:
        """How far raters agree, per cohort: share of equal ratings, Cohen's kappa, Krippendorff's alpha.

        Parameters
        ----------
        *raters : str
            Columns (or models); the outcomes when absent.
        by, min_n
            As in `metrics`.
        scale : {"nominal", "ordinal", "interval", "ratio"}
            Kind of ratings; ordered ones weight disagreement by distance.
        level : float or None
            Of the intervals; None leaves them out. A text is read as `scale`.

        Returns
        -------
        AgreementResult

        Examples
        --------
        >>> import pandas as pd
        >>> import dfevals
        >>> ratings = pd.DataFrame({"judge": [1, 2, 3, 3, 1, 2], "human": [1, 2, 3, 2, 1, 1]})
        >>> ev = ratings.evals(outcomes=["judge", "human"])
        >>> ev.agreement(scale="ordinal").frame.set_index("metric")["value"].round(2).to_dict()
        {'agreement': 0.67, 'cohen_kappa': 0.75, 'krippendorff_alpha': 0.76}
        """
        from dfevals.analyses.agreement import agreement

        found, scale = (0.95, level) if isinstance(level, str) else (level, scale)
        cohorts, provenance = self._cohorts_of(by, min_n), self._provenance(by, min_n)
        options: Any = {"kind": scale, "level": usual(found), "provenance": provenance}
        return bare(agreement(self._bound, cohorts, raters, **options), found)

    def corrected(
        self,
        judge: str,
        human: str,
        by: Any = None,
        *,
        method: Literal["ppi", "rogan-gladen", "human"] = "ppi",
        positive: Any = None,
        probability: str | None = None,
        level: float | None = 0.95,
        min_n: int | None = None,
    ) -> CorrectedResult:
        """What is the rate if people had labelled all rows? From a judge of many rows and human labels of a few, per cohort.

        Parameters
        ----------
        judge, human : str
            Columns (or a model as the judge) with verdicts or scores of the same rows; `human` is missing for most rows.
        by, min_n
            As in `metrics`.
        method : {"ppi", "rogan-gladen", "human"}
            Prediction-powered inference (PPI++), which also takes scores; the rate of the judge corrected by its sensitivity
            and specificity; or the labels alone.
        positive : optional
            The value that counts as 1 in columns of labels.
        probability : str, optional
            Column with the chance with which each labelled row was picked, where they were not picked at random: labels then
            count by its inverse.
        level : float or None
            Of the intervals; None leaves them out.

        Returns
        -------
        CorrectedResult
            `.frame`, `.plan(width)` (labels still needed), `.next_labels(n)` (rows to label next).

        Raises
        ------
        RoleError, DataError, MetricError
            An unknown column, values that are neither numbers nor verdicts, a probability outside (0, 1].

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import dfevals
        >>> rng = np.random.default_rng(0)
        >>> human = rng.random(1000) < 0.3
        >>> judge = np.where(rng.random(1000) < 0.9, human, ~human)
        >>> df = pd.DataFrame({"judge": judge, "human": pd.Series(human).where(np.arange(1000) < 150)})
        >>> ev = df.evals(outcomes=["judge", "human"])
        >>> ev.corrected("judge", "human").frame[["judge_value", "value", "n_judged", "n_human"]].round(2).values.tolist()
        [[0.33, 0.3, 1000.0, 150.0]]
        """
        from dfevals.analyses.corrected.corrected import corrected

        options: Any = {"method": method, "positive": positive, "probability": probability, "level": usual(level)}
        options["provenance"] = self._provenance(by, min_n)
        return bare(corrected(self._bound, self._cohorts_of(by, min_n), judge, human, **options), level)
