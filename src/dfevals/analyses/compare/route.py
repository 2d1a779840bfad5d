"""Which model for which cohort, only where the evidence holds, and what that gains over one model (`ev.route`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render
from dfevals.analyses.compare.aligned import align, chosen, contenders
from dfevals.analyses.compare.sums import NEEDED, Gathered, Sums
from dfevals.cohorts import Cohorts
from dfevals.estimates.tested import FEW_ROWS
from dfevals.exceptions import CohortError, DataError, MetricError, RoleError
from dfevals.inference.levels import check_level, t_quantile
from dfevals.inference.multiple import correct
from dfevals.metrics.planning import plan
from dfevals.metrics.registry import Request
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import by_title, framed
from dfevals.roles.bound import Bound
from dfevals.words import estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RoutingResult", "route"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
DEFAULT_METRIC = {"binary": "accuracy", "multiclass": "accuracy", "regression": "mae"}
EVIDENCE = ("n", "value_a", "value_b", "difference", "ci_low", "ci_high", "p_corrected")
"""What a written route says for itself: the chosen model (a) against the default (b) in the cohort."""


class RoutingResult(Result):
    """Model per cohort; `frame` has cohort columns, `metric, model, a, b, value_a, value_b, difference, ci_low, ci_high,
    p_value, p_corrected, verdict, n, share, when, note, is_overall`.

    `a` is the best other model in the cohort, `b` the default; `model` is the one chosen. `gain` says what the routing
    gains over the default, given that its cohorts were chosen because they looked good.
    """

    def __init__(self, frame: pd.DataFrame, gain: pd.DataFrame, plan: dict[str, Any], **described: Any) -> None:
        super().__init__(frame, **described)
        self._gain, self._plan = gain, plan

    @property
    def gain(self) -> pd.DataFrame:
        """One row: `metric, default, value_default, value_routed, gain, ci_low, ci_high, p_value, gain_cross_fitted, n`.

        `gain` (above 0 is better) is about the routing as it stands, without the luck of the choice; `gain_cross_fitted` about
        rules learned on `n_splits` − 1 of as many parts of the rows, each judged on the rest. They find fewer cohorts.
        """
        return self._gain.copy()

    @property
    def default(self) -> str:
        """The model of all cohorts without evidence for another."""
        return str(self._plan["default"])

    @property
    def routes(self) -> dict[str, str]:
        """Expression → model, for the cohorts that do not go to the default."""
        return {route["when"]: route["model"] for route in self._plan["routes"]}

    def model_for(self, frame: pd.DataFrame) -> pd.Series:
        """The model of every row of a frame that has the cohort columns.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("bank")
        >>> ev = df.evals(dfevals.datasets.describe("bank").roles)
        >>> ev.route(by="job", metric="brier").model_for(df).nunique() >= 1
        True
        """
        from dfevals.expressions import parse

        found = np.full(len(frame), self.default, dtype=object)
        for when, model in self.routes.items():
            if not when:
                raise CohortError(
                    "A route has no expression (a cohort by mask, or folded by min_n=), so it cannot be applied."
                )
            found[parse(when).mask(frame)] = model
        return pd.Series(found, index=frame.index, name="model").astype(str)

    def to_json(self, path: str | Path | None = None) -> str:
        """The routing as JSON: `metric, default` (the fallback), `routes` (each `when`, `cohort`, `model`, `evidence`), `gain`."""
        text = json.dumps(self._plan, ensure_ascii=False, indent=2)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def to_toml(self, path: str | Path | None = None) -> str:
        """The same as TOML."""
        top = [f"{key} = {_toml(value)}" for key, value in self._plan.items() if key not in ("routes", "gain")]
        parts = ["\n".join(top), "[gain]\n" + "\n".join(f"{k} = {_toml(v)}" for k, v in self._plan["gain"].items())]
        for route in self._plan["routes"]:
            parts.append("[[routes]]\n" + "\n".join(f"{k} = {_toml(v)}" for k, v in route.items()))
        text = "\n\n".join(parts) + "\n"
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """One row per cohort: its model, and the evidence."""
        del width
        columns = [
            *self.cohort_columns,
            "n",
            "model",
            "a",
            "value_a",
            "value_b",
            "difference",
            "ci_low",
            "ci_high",
            "p_corrected",
            "note",
        ]
        shown = self._frame[[*columns, "is_overall"]].rename(
            columns={"a": "best other", "value_a": "other", "value_b": "default"}
        )
        if not (shown["note"] != "").any():
            shown = shown.drop(columns="note")
        return plain_table(
            shown, title=self.title, notes=self.notes, cohort_columns=self.cohort_columns, max_rows=max_rows
        )

    def plot(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Differences of the best other model to the default, coloured by verdict."""
        from dfevals.plots.comparison import draw

        return draw(self._frame, ax, cohort_columns=self.cohort_columns, **options)


def _rounded(value: Any) -> Any:
    return int(value) if isinstance(value, int | np.integer) else float(f"{value:.6g}")


def _toml(value: Any) -> str:
    """A plain value as TOML."""
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{json.dumps(str(k), ensure_ascii=False)} = {_toml(v)}" for k, v in value.items()) + " }"
        )
    if isinstance(value, float) and not np.isfinite(value):
        return "nan"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def route(
    bound: Bound,
    cohorts: Cohorts,
    metric: Any = None,
    *,
    default: str | None = None,
    models: Any = None,
    correction: str | None = "holm",
    level: float = 0.95,
    n_splits: int = 5,
    random_state: Any = 0,
    provenance: Any = None,
) -> RoutingResult:
    """Choose a model per cohort; see `Evaluation.route`.

    Raises
    ------
    RoleError, MetricError, CohortError, DataError
        There is one model, the metric is no average over rows, cohorts are missing or overlap, or rows differ.
    """
    check_level(level)
    if not cohorts.n_cohorts:
        raise CohortError("Routing needs cohorts: ev.route(by='column').")
    if cohorts.views is not None:
        raise CohortError(
            "Routing needs cohorts that do not overlap, so that every row has one: by= a column, or a list of columns."
        )
    if not 2 <= n_splits <= 100:
        raise DataError(f"n_splits={n_splits!r} must lie between 2 and 100.")
    request = _request(bound, metric)
    known = contenders(bound)
    sides = known if models is None else chosen(known, [models] if isinstance(models, str) else list(models))
    if len(sides) < 2:
        raise RoleError("Routing needs at least two models. Declare several: y_score={'a': …, 'b': …}.")
    if default is not None:
        chosen(sides, [default])
    rows = align(bound, sides)
    if isinstance(rows, str):
        raise DataError(f"Routing compares models on the same rows, but {rows}. Pass id='…'.")
    gathered = Gathered(request, rows, cohorts)
    names = [s.name for s in sides]
    fixed = None if default is None else names.index(str(default))
    rule = _rule(gathered.whole, fixed, correction, 1 - level)
    gain = _gain(gathered, rule, correction, level)
    parts = gathered.divided(n_splits, random_state)
    gain["gain_cross_fitted"] = np.nan if parts is None else _cross_fitted(parts, fixed, correction, level)
    return _result(request, names, cohorts, gathered, rule, gain, level, n_splits, provenance)


def _request(bound: Bound, metric: Any) -> Request:
    if metric is None:
        if bound.task == "outcomes":
            verdict = bound.roles.outcomes[0].kind == "pass" or bound.roles.outcomes[0].pass_at is not None
            metric = "pass_rate" if verdict else "mean"
        else:
            metric = DEFAULT_METRIC[bound.task]
    found = plan(metric, bound.task, {"pred", "score", "probability", "interval", "order"}, bound.roles.outcomes)
    if len(found) != 1:
        raise MetricError(f"Routing goes by one metric; {len(found)} are given: {', '.join(map(str, found))}.")
    if found[0].better not in ("higher", "lower"):
        raise MetricError(
            f"{found[0].label!r} has no better direction, so no model is best by it. Routing needs {NEEDED}."
        )
    return found[0]


@dataclass(frozen=True)
class _Rule:
    """Chosen model per cohort, the best other model, and the tests of it against the default."""

    default: int
    model: Array
    other: Array
    gap: Floats
    se: Floats
    df: Floats
    p: Floats
    corrected: Floats
    few: Array
    looks: Floats
    looks_at: Array

    @property
    def looks_of(self) -> Floats:
        """The p of every cohort's chosen look."""
        return np.asarray(self.looks.ravel()[self.looks_at])


def _rule(sums: Sums, default: int | None, correction: str | None, alpha: float) -> _Rule:
    """The default everywhere, except where another model is better after correction for all looks."""
    from scipy.special import stdtr

    k = len(sums.s)
    base = int(np.argmax(sums.overall())) if default is None else default
    others = [j for j in range(k) if j != base]
    found = [sums.differences(j, base) for j in others]
    gap, se, df = (np.stack(part) for part in zip(*found, strict=True))
    small = sums.groups[0] < FEW_ROWS
    few = small | sums.rare
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(se > 0, gap / se, np.where(gap == 0, 0.0, np.nan))
        p = 2 * stdtr(np.where(df > 0, df, np.nan), -np.abs(t))
    looks = np.where(small, np.nan, np.where(few, 1.0, p))  # where much happened depends on what is tested
    corrected = np.where(few, np.nan, correct(looks, correction))
    wins = (corrected < alpha) & (gap > 0)
    best = np.where(wins, gap, -np.inf).argmax(axis=0)
    shown = np.where(np.isnan(gap), -np.inf, gap).argmax(axis=0)
    pick = np.where(wins.any(axis=0), best, shown)
    columns = np.arange(gap.shape[1])
    other = np.array(others)[pick]
    model = np.where(wins.any(axis=0), other, base)
    at = (pick, columns)
    return _Rule(
        base, model, other, gap[at], se[at], df[at], p[at], corrected[at], few, looks, pick * gap.shape[1] + columns
    )


def _gain(gathered: Gathered, rule: _Rule, correction: str | None, level: float) -> dict[str, float]:
    """What this rule gains on new rows.

    A cohort is routed because it looked good, so its difference is taken given that it did (`_given_chosen`). Differences
    of cohorts add up, and their lower ends are joined by square-and-add (Zou and Donner 2008). The choice only flatters,
    so the upper end is that of the differences as they look. Without routes the gain is 0.
    """
    sums, sign = gathered.whole, gathered.sign
    total = float(sums.n.sum())
    names = ("value_default", "value_routed", "gain", "ci_low", "ci_high", "p_value")
    if not total > 0:
        return dict.fromkeys(names, float("nan"))
    routed = np.flatnonzero(rule.model != rule.default)
    share = sums.n[0, routed] / total
    middle, low = share * _given_chosen(rule, routed, correction, level)
    gain, reach = float(middle.sum()), t_quantile(level, rule.df[routed]) * rule.se[routed]
    value = float(sums.overall()[rule.default])
    found = (
        sign * value + 0.0,  # no -0.0
        sign * (value + gain) + 0.0,
        gain,
        gain - float(np.sqrt(((middle - low) ** 2).sum())),
        float((share * rule.gap[routed]).sum() + np.sqrt(((share * reach) ** 2).sum())),
        float(rule.corrected[routed].min(initial=1.0)),
    )
    return dict(zip(names, found, strict=True))


def _given_chosen(rule: _Rule, routed: Array, correction: str | None, level: float) -> Floats:
    """Median-unbiased difference of routed cohorts and its lower end, given that each passed its test, (2, routed).

    The law of a normal z above the value z₀ at which it passes is truncated there; both solve for its mean (Zhong and
    Prentice 2008, Biostatistics 9:621). After a correction for all looks neither lies below z − z₀ (the simultaneous bound).
    """
    from scipy.special import log_ndtr, ndtri

    if not len(routed):
        return np.zeros((2, 0))
    z = -ndtri(np.maximum(rule.p[routed], 1e-300) / 2)
    least = float(-ndtri(_passes(rule, routed, correction, 1 - level) / 2))
    targets = np.array([0.5, (1 - level) / 2])[:, None]  # the chance to lie above z
    below, above = np.broadcast_to(z - 60, (2, len(z))), np.broadcast_to(z + 10, (2, len(z)))
    for _ in range(60):
        mean = (below + above) / 2
        beyond = np.exp(log_ndtr(mean - z) - log_ndtr(mean - np.minimum(least, z)))
        below, above = np.where(beyond < targets, mean, below), np.where(beyond < targets, above, mean)
    floor = z - least if correction is not None else -z
    return np.asarray(np.maximum((below + above) / 2, floor) * rule.gap[routed] / z)


def _passes(rule: _Rule, routed: Array, correction: str | None, alpha: float) -> float:
    """The greatest p at which the least sure of the routed cohorts would still be routed."""
    at = int(np.argmax(rule.looks_of[routed]))
    looks = rule.looks.copy()
    place = np.unravel_index(int(rule.looks_at[routed[at]]), looks.shape)
    low, high = float(looks[place]), alpha
    for _ in range(30):
        looks[place] = (low + high) / 2
        passed = np.asarray(correct(looks, correction))[place] < alpha
        low, high = (looks[place], high) if passed else (low, looks[place])
    return low


def _cross_fitted(sums: Sums, default: int | None, correction: str | None, level: float) -> float:
    """Mean gain of rules that are each judged by a part of the rows and learned on the others."""
    parts, columns = range(sums.n.shape[0]), np.arange(sums.n.shape[1])
    gained = 0.0
    for part in parts:
        rule = _rule(sums.without(part), default, correction, 1 - level)
        gained += float((sums.s[rule.model, part, columns] - sums.s[rule.default, part]).sum())
    total = float(sums.n.sum())
    return gained / total if total > 0 else float("nan")


def _result(
    request: Request,
    names: list[str],
    cohorts: Cohorts,
    gathered: Gathered,
    rule: _Rule,
    gain: dict[str, float],
    level: float,
    n_splits: int,
    provenance: Any,
) -> RoutingResult:
    label = np.array(names, dtype=object)
    sums, sign = gathered.whole, gathered.sign
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums.s[:, 0] / sums.n[0]
        half = t_quantile(level, rule.df) * rule.se
    columns = np.arange(gathered.size)
    ends = [sign * (rule.gap - half), sign * (rule.gap + half)]
    n = np.rint(sums.rows[0]).astype(np.int64)
    verdict = np.where(rule.model != rule.default, label[rule.model], np.where(rule.few, "too few", "no evidence"))
    worse = (rule.corrected < 1 - level) & (rule.gap < 0)
    verdict = np.where(worse, names[rule.default], verdict)
    frame = framed(
        cohorts,
        np.arange(1, gathered.size + 1),
        {
            "metric": request.label,
            "model": label[rule.model],
            "a": label[rule.other],
            "b": names[rule.default],
            "value_a": sign * means[rule.other, columns] + 0.0,  # no -0.0
            "value_b": sign * means[rule.default, columns] + 0.0,
            "difference": sign * rule.gap + 0.0,
            "ci_low": np.fmin(*ends),
            "ci_high": np.fmax(*ends),
            "p_value": rule.p,
            "p_corrected": rule.corrected,
            "verdict": verdict,
            "n": n,
            "share": n / max(n.sum(), 1),
            "when": [cohorts.expressions[i] for i in range(cohorts.n_cohorts)],
            "note": np.where(n == 0, "no rows", np.where(rule.few, "too few rows, so the default", "")),
        },
    )
    by = tuple(frame.columns[: len(cohorts.names)])
    routes = [
        {
            "when": row["when"],
            "cohort": {name: row[c] for name, c in zip(cohorts.names, by, strict=True)},
            "model": row["model"],
            "evidence": {key: _rounded(row[key]) for key in EVIDENCE},
        }
        for row in frame.to_dict("records")
        if row["model"] != names[rule.default]
    ]
    plain = {key: (None if np.isnan(v) else round(v, 6)) for key, v in gain.items() if key != "p_value"}
    plan_: dict[str, Any]
    plan_ = {"metric": request.label, "default": names[rule.default], "by": list(cohorts.names), "routes": routes}
    plan_["gain"] = {k: v for k, v in plain.items() if v is not None}
    summary = pd.DataFrame([{"metric": request.label, "default": names[rule.default], **gain, "n": int(n.sum())}])
    base = names[rule.default]
    change = [gain["gain"], gain["ci_low"], gain["ci_high"]]
    if request.better == "lower":
        change = [-change[0], -change[2], -change[1]]
    crossed = gain["gain_cross_fitted"] * (-1 if request.better == "lower" else 1) + 0.0
    learned = f" Rules learned on {n_splits - 1} of {n_splits} parts change it by {crossed:.4g} on the rest."
    if np.isnan(crossed):
        learned = " What rules learned on other rows gain is not known without the rows."
    notes = [
        f"{len(routes)} of {cohorts.n_cohorts} cohorts go to another model than {base}, the default."
        if routes
        else f"No cohort has evidence for another model than {base}.",
        f"Compared with {base} everywhere, routing changes {request.label} by {estimate(*change)}, given that these "
        f"cohorts were chosen for it.{learned}",
        *cohorts.notes,
        *gathered.aligned.notes(gathered.tally),
        *([f"{gathered.unjudged:,} rows on which a model has no value are left out."] if gathered.unjudged else []),
    ]
    return RoutingResult(
        frame,
        summary,
        plan_,
        provenance=provenance,
        title=f"{by_title('Routing', cohorts)}: {request.label}",
        notes=notes,
        cohort_columns=by,
    )
