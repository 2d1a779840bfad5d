"""Release gates: may it ship? Rules judged by intervals, so that the answer is pass, fail or inconclusive (`ev.gate`)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.analyses.compare.compare import compare
from dfevals.analyses.gate.left_out import HeldLeftOut, LeftOut, Unbounded
from dfevals.analyses.metrics import measure
from dfevals.cohorts import Cohorts
from dfevals.engines.held import TallyBound
from dfevals.exceptions import DfevalsError, MetricError, RoleError, check_choice, did_you_mean
from dfevals.inference.levels import check_level, normal_quantile
from dfevals.metrics.planning import plan
from dfevals.metrics.registry import Request
from dfevals.results.tidy import renamed
from dfevals.roles.bound import Bound

if TYPE_CHECKING:
    from dfevals.analyses.gate.gate_report import GateResult
    from dfevals.evaluation import Evaluation

__all__ = ["ANSWERS", "MISSING", "Gate", "judge"]

ANSWERS = ("pass", "fail", "inconclusive")
MISSING = ("worst", "ignore")
OPERATORS = (">=", "<=")
POWER_QUANTILE = 0.8416212335729143  # Φ⁻¹(0.8)
BASELINE, OVERALL = "baseline", "overall"
OWN = ("value", "ci_low", "ci_high", "n", "support", "method", "note", "is_overall", "doubtful")
_LIMIT = re.compile(r"(?P<metric>.+?)\s*(?P<op>>=|<=)\s*(?P<limit>\S+)")
_COMPARISON = re.compile(r"(?P<metric>.+?) no worse than (?P<vs>.+?)(?: by more than (?P<margin>\S+))?")


@dataclass(frozen=True)
class Gate:
    """One rule of a release gate.

    Parameters
    ----------
    metric : str or metric
        What is judged.
    op : {">=", "<="}, optional
        With `limit`: the metric must be at least, or at most, the limit.
    limit : float, optional
        The limit.
    vs : {"baseline", "overall"} or model name, optional
        With `margin`: the metric may be worse than this by no more than the margin. "overall" compares every cohort with all rows.
    margin : float
        How much worse is still accepted, in the units of the metric.
    by : optional
        Cohorts of this rule; those of the gate when absent.
    level : float, optional
        Level of the intervals of this rule; that of the gate when absent.

    Examples
    --------
    >>> import dfevals
    >>> print(dfevals.Gate("recall", ">=", 0.8))
    recall >= 0.8
    >>> print(dfevals.Gate("fail_rate", vs="baseline", margin=0.01))
    fail_rate no worse than baseline by more than 0.01
    """

    metric: Any
    op: str | None = None
    limit: float | None = None
    vs: str | None = None
    margin: float = 0.0
    by: Any = field(default=None, compare=False)
    level: float | None = None

    def __post_init__(self) -> None:
        if (self.op is None) != (self.limit is None) or (self.op is None) == (self.vs is None):
            raise MetricError(
                f"A rule on {self.metric!r} needs either a limit, Gate(metric, '>=', 0.8), or a comparison, "
                "Gate(metric, vs='baseline', margin=0.01)."
            )
        if self.op is not None:
            check_choice("op", self.op, OPERATORS, MetricError)
        for name in ("limit", "margin"):
            value = getattr(self, name)
            if value is not None and not _is_finite(value):
                raise MetricError(f"{name}={value!r:.40} of the rule on {self.metric!r} is not a finite number.")
        if self.margin < 0:
            raise MetricError(
                f"margin={self.margin!r} of the rule on {self.metric!r} is negative. It says how much worse is accepted."
            )
        if self.level is not None:
            check_level(self.level)

    @classmethod
    def parse(cls, text: str) -> Gate:
        """The rule that is written as `str(rule)` writes it.

        Raises
        ------
        MetricError
            The text is no rule.

        Examples
        --------
        >>> Gate.parse("recall >= 0.8") == Gate("recall", ">=", 0.8)
        True
        >>> Gate.parse("fail_rate no worse than baseline by more than 0.01").margin
        0.01
        """
        found = _LIMIT.fullmatch(text.strip())
        if found:
            return cls(found["metric"], found["op"], _number(found["limit"], text))
        found = _COMPARISON.fullmatch(text.strip())
        if found:
            return cls(found["metric"], vs=found["vs"], margin=_number(found["margin"] or "0", text))
        raise MetricError(
            f"{text!r} is no rule. Write 'recall >= 0.8', or 'fail_rate no worse than baseline by more than 0.01'."
        )

    @property
    def name(self) -> str:
        """Name of the metric."""
        return (
            self.metric
            if isinstance(self.metric, str)
            else str(getattr(self.metric, "name", getattr(self.metric, "__name__", self.metric)))
        )

    def __str__(self) -> str:
        if self.op is not None:
            return f"{self.name} {self.op} {self.limit:g}"
        return f"{self.name} no worse than {self.vs}" + (f" by more than {self.margin:g}" if self.margin else "")


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _number(text: str, rule: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise MetricError(f"{text!r} in the rule {rule!r} is not a number.") from None


@dataclass(frozen=True)
class _Asked:
    """The gate as asked: the candidate, what it is compared with, cohorts and level."""

    evaluation: Evaluation
    model: str
    baseline: str | None
    by: Any
    level: float
    missing: str
    options: dict[str, Any]

    @property
    def bound(self) -> Bound:
        return self.evaluation._bound

    def cohorts(self, by: Any) -> Cohorts:
        """Cohorts of a rule."""
        return self.evaluation._cohorts_of(by)


def judge(
    evaluation: Evaluation,
    rules: Sequence[Gate] | Gate,
    *,
    model: str | None = None,
    baseline: str | None = None,
    by: Any = None,
    level: float = 0.95,
    missing: str = "worst",
    provenance: Any = None,
    **options: Any,
) -> GateResult:
    """Judge all rules; see `Evaluation.gate`."""
    from dfevals.analyses.gate.gate_report import GateResult

    rules = [rules] if isinstance(rules, Gate) else list(rules)
    if not rules:
        raise MetricError("A gate without rules would pass anything. Give at least one: Gate('recall', '>=', 0.8).")
    for rule in rules:
        if not isinstance(rule, Gate):
            raise MetricError(
                f"{rule!r} is no rule. Write Gate('recall', '>=', 0.8) or Gate('recall', vs='baseline', margin=0.01)."
            )
    check_level(level)
    check_choice("missing", missing, MISSING, MetricError)
    baseline = None if baseline is None else _known(evaluation, baseline)
    asked = _Asked(evaluation, _candidate(evaluation, model, baseline), baseline, by, level, missing, options)
    judged = [_judged(rule, i, asked) for i, rule in enumerate(rules)]
    names = list(dict.fromkeys(name for part in judged for name in part.cohorts))
    frame = pd.concat([_with_columns(part.table, names) for part in judged], ignore_index=True)
    notes = tuple(dict.fromkeys(note for part in judged for note in part.notes))
    return GateResult(
        frame,
        tuple(rules),
        asked.model,
        baseline,
        level,
        missing=missing,
        notes=notes,
        cohort_columns=names,
        provenance=provenance,
    )


def _known(evaluation: Evaluation, name: str) -> str:
    if name not in evaluation.models:
        raise RoleError(
            f"There is no model {name!r} to compare with. {did_you_mean(name, evaluation.models, noun='Models')}"
        )
    return name


def _candidate(evaluation: Evaluation, model: str | None, baseline: str | None) -> str:
    """The model that is judged: as named, the only one, or the one beside the baseline."""
    if model is not None:
        return _known(evaluation, model)
    others = [name for name in evaluation.models if name != baseline]
    if len(others) != 1:
        raise RoleError(f"Which model is judged? Pass model=. Models: {', '.join(map(repr, evaluation.models))}.")
    return others[0]


@dataclass(frozen=True)
class _Measured:
    """Numbers of one rule, overall and per cohort, at the level at which all of them hold together.

    `table` has the columns `cohorts` and those of `OWN`.
    """

    table: pd.DataFrame
    cohorts: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, table: pd.DataFrame, cohorts: Sequence[str], notes: Iterable[str]) -> _Measured:
        """Of a result's frame, whose cohort columns get the prefix where a gate has a column of their name."""
        made = ("rule", "metric", "answer", "n_to_decide", "limit", "level", "rule_index", "left_out", "turned")
        names = renamed(cohorts, (*OWN, *made))
        found = table[[*cohorts, *OWN]].rename(columns=dict(zip(cohorts, names, strict=True)))
        return cls(found, names, tuple(notes))


@dataclass(frozen=True)
class _Rule:
    """A rule as it is judged: its cohorts, the level of each interval, the models, and the limit of the numbers."""

    rule: Gate
    cohorts: Cohorts
    level: float
    models: tuple[str, ...]
    low_is_good: bool
    limit: float

    @classmethod
    def of(cls, rule: Gate, asked: _Asked) -> _Rule:
        """The rule with what the gate says where the rule is silent."""
        cohorts = asked.cohorts(asked.by if rule.by is None else rule.by)
        level = asked.level if rule.level is None else rule.level
        level = 1 - (1 - level) / (1 + cohorts.n_cohorts)  # Bonferroni over overall and the cohorts
        if rule.limit is not None:
            return cls(rule, cohorts, level, (asked.model,), rule.op == "<=", float(rule.limit))
        lower = _lower_is_better(rule, asked.evaluation)
        models = (asked.model,) if rule.vs == OVERALL else (asked.model, _reference(rule, asked))
        if rule.vs == OVERALL and not cohorts.names:
            raise MetricError(
                f"The rule {str(rule)!r} compares cohorts with all rows, but there are no cohorts. Pass by=."
            )
        return cls(rule, cohorts, level, models, lower, rule.margin if lower else -rule.margin)

    def measured(self, bound: Bound, cohorts: Cohorts, options: dict[str, Any]) -> _Measured:
        """The numbers on the rows of this frame."""
        if len(self.models) == 2:
            return self._compared(bound, cohorts, options)
        relative: dict[str, Any] = {"relative_to": "overall"} if self.rule.vs == OVERALL else {}
        result = measure(
            bound, cohorts, self.rule.metric, models=[bound.model(self.models[0])], ci=self.level, **relative, **options
        )
        frame = result._frame
        metrics = frame["metric"].unique()
        if len(metrics) > 1:
            raise MetricError(
                f"The rule {str(self.rule)!r} means several metrics: {', '.join(map(repr, metrics))}. Name one."
            )
        table = frame.assign(doubtful=result._doubtful)
        if relative:
            table = table[~table["is_overall"]]
            table = table.assign(
                value=table["difference"], ci_low=table["difference_low"], ci_high=table["difference_high"]
            )
        return _Measured.of(table, result.cohort_columns, result.notes)

    def _compared(self, bound: Bound, cohorts: Cohorts, options: dict[str, Any]) -> _Measured:
        """Differences candidate − reference."""
        a, b = self.models
        found = compare(bound, cohorts, a, b, metrics=[self.rule.metric], level=self.level, **options)
        table = found._frame.rename(columns={"test": "method", "difference": "value"})
        table = table.assign(doubtful=found._few, support=found._support)
        return _Measured.of(table, found.cohort_columns, found._facts)


def _judged(rule: Gate, index: int, asked: _Asked) -> _Measured:
    """One rule: overall and every cohort with value, interval and answer."""
    about = _Rule.of(rule, asked)
    measured = about.measured(asked.bound, about.cohorts, asked.options)
    table = measured.table
    answer = partial(_answer, limit=about.limit, low_is_good=about.low_is_good)
    rows = table.to_dict("records")
    answers = np.array([answer(row["ci_low"], row["ci_high"], doubtful=row["doubtful"]) for row in rows], dtype=object)
    quantile = float(normal_quantile(about.level))
    table["n_to_decide"] = [
        _rows_needed(row["n"], row["value"], row["ci_low"], row["ci_high"], about.limit, quantile)
        if given == "inconclusive"
        else np.nan
        for row, given in zip(rows, answers, strict=True)
    ]
    kind = HeldLeftOut if isinstance(asked.bound, TallyBound) else LeftOut
    models = tuple(map(asked.bound.model, about.models))
    left = kind(asked.bound, about.cohorts, _request(rule, asked.evaluation), models)
    counts = left.counts[1:] if rule.vs == OVERALL else left.counts
    turned = np.zeros(len(rows), bool)
    if counts.any() and asked.missing == "worst" and (answers == "pass").any():
        try:
            turned = (answers == "pass") & _turned(about, measured, left, answer, asked.options)
        except (Unbounded, DfevalsError):  # a frame that no question takes bounds nothing, so nothing passes by it
            turned = answers == "pass"
    table["answer"] = np.where(turned, "inconclusive", answers)
    table["left_out"], table["turned"] = counts, turned
    table["note"] = _with_doubts(table["note"], counts, turned, asked.missing)
    table = table.sort_values("is_overall", ascending=False, kind="stable")
    table.insert(0, "rule", str(rule))
    table.insert(1, "metric", rule.name)
    table = table.drop(columns="doubtful")
    table["limit"], table["level"], table["rule_index"] = about.limit, about.level, index
    return replace(measured, table=table, notes=(*measured.notes, *left.notes()))


def _turned(about: _Rule, base: _Measured, left: LeftOut, answer: Any, options: dict[str, Any]) -> Any:
    """Where the answer is no pass with the rows left out on the bad side.

    Against overall the value of a cohort moves to its bad end and that of all rows to its good end.
    """
    if about.rule.vs == OVERALL:
        return _turned_against_overall(about, base, left, answer, options)
    found = np.zeros(len(base.table), bool)
    for bound, cohorts in left.cases(about.limit):
        table = about.measured(bound, cohorts, options).table
        ends = zip(*left.widened(table, bound, cohorts), strict=True)
        found |= np.array([answer(low, high, doubtful=False) != "pass" for low, high in ends])
    return found


def _turned_against_overall(about: _Rule, base: _Measured, left: LeftOut, answer: Any, options: dict[str, Any]) -> Any:
    if left.tasks.any():
        raise Unbounded
    alone = replace(about, rule=replace(about.rule, vs=None, margin=0.0, op=">=", limit=0.0))
    frames = [(left.bound, left.cohorts), *left.cases(about.limit)]
    values = np.array([alone.measured(*frame, options).table["value"].to_numpy(float) for frame in frames])
    moved = values - values[0]
    sign = 1 if about.low_is_good else -1
    shift = sign * ((sign * moved[:, 1:]).max(axis=0) + (-sign * moved[:, 0]).max())
    ends = zip(base.table["ci_low"] + shift, base.table["ci_high"] + shift, strict=True)
    return np.array([answer(low, high, doubtful=False) != "pass" for low, high in ends])


def _with_doubts(notes: pd.Series, counts: Any, turned: Any, missing: str) -> list[str]:
    """The notes, with how many rows are left out and what follows from it."""
    found = []
    for note, count, turns in zip(notes, counts.tolist(), turned, strict=True):
        what = "could turn the answer" if turns else "are ignored" if missing == "ignore" else ""
        said = f"{count:,} row{'s' * (count != 1)} left out" + (f", which {what}" if what else "") if count else ""
        found.append("; ".join(filter(None, [note, said])))
    return found


def _reference(rule: Gate, asked: _Asked) -> str:
    """The model that a comparison is with."""
    reference = asked.baseline if rule.vs == BASELINE else _known(asked.evaluation, str(rule.vs))
    if reference is None:
        raise RoleError(
            f"The rule {str(rule)!r} needs a baseline. Pass baseline= to the gate. "
            f"Models: {', '.join(map(repr, asked.evaluation.models))}."
        )
    return reference


def _lower_is_better(rule: Gate, evaluation: Evaluation) -> bool:
    better = _request(rule, evaluation).better
    if better not in ("higher", "lower"):
        raise MetricError(
            f"{rule.name!r} has no better direction, so 'no worse than' means nothing. Use a limit: Gate({rule.name!r}, "
            "'<=', …), or say what is better: Outcome(column, better='lower')."
        )
    return better == "lower"


def _request(rule: Gate, evaluation: Evaluation) -> Request:
    """The one metric that a rule means; of an outcome, with the direction of the outcome."""
    bound = evaluation._bound
    found = plan(rule.metric, bound.task, {"pred", "score", "probability", "interval", "order"}, bound.roles.outcomes)
    if len(found) > 1:
        names = ", ".join(repr(request.label) for request in found)
        raise MetricError(f"The rule {str(rule)!r} means several metrics: {names}. Name one.")
    return found[0]


def _answer(low: float, high: float, *, limit: float, low_is_good: bool, doubtful: bool) -> str:
    """Pass if the whole interval is on the good side, fail if it is on the bad side.

    A pass on an interval that too few events make `doubtful` stays open; Wilson's holds with few events too.
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        return "inconclusive"
    good = high <= limit if low_is_good else low >= limit
    bad = low > limit if low_is_good else high < limit
    if good and doubtful:
        return "inconclusive"
    return "pass" if good else "fail" if bad else "inconclusive"


def _rows_needed(n: float, value: float, low: float, high: float, limit: float, quantile: float) -> float:
    """Rows that decide in 80 % of the cases if the value is the true one: widths shrink with the root of n.

    An interval that only just leaves the limit would do so half of the time. NaN where the interval is off the limit
    already, and open only because of too few events: how many rows bring more of them is not known.
    """
    gap = value - limit
    if not np.isfinite([n, value, low, high]).all() or gap == 0 or low > limit or high < limit:
        return np.nan
    half = value - low if gap > 0 else high - value
    return float(math.ceil(n * (half * (1 + POWER_QUANTILE / quantile) / abs(gap)) ** 2))


def _with_columns(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """All cohort columns of the gate; a rule without one holds "(all)" there."""
    texts: Callable[[pd.DataFrame], Any] = lambda f: np.where(f["is_overall"], "(overall)", "(all)")  # noqa: E731
    out = frame.copy()
    for name in names:
        if name not in out:
            out[name] = texts(frame)
    first = ["rule", *names, "value", "ci_low", "ci_high", "answer", "n", "support", "left_out", "n_to_decide"]
    return out[[*first, *(c for c in out.columns if c not in first)]]
