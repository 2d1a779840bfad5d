"""Do two or more raters agree: judges with people, models with each other (`ev.agreement`)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from dfevals.analyses.compare.aligned import align, chosen, contenders
from dfevals.cohorts import Cohorts
from dfevals.columns.numbers import Numbers, contents, float_dtype
from dfevals.engines.block import Block
from dfevals.exceptions import DataError, RoleError, check_choice, did_you_mean
from dfevals.inference.agreement import MAX_LABELS, kappa_of_counts, krippendorff_alpha
from dfevals.inference.discordant import paired_proportions
from dfevals.inference.levels import check_level, t_quantile
from dfevals.inference.proportions import wilson
from dfevals.results.result import Result
from dfevals.results.tidy import by_title, framed
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

__all__ = ["AgreementResult", "agreement", "predictions_of"]

LEVELS = ("nominal", "ordinal", "interval", "ratio")
FEW_ROWS = 10
GROUPS = 60  # of clusters that a jackknife leaves out together
Floats = npt.NDArray[np.float64]


class AgreementResult(Result):
    """`frame`: cohort columns, `a, b, metric, value, ci_low, ci_high, n, method, note, is_overall`.

    Metrics: `agreement` (share of equal ratings), `cohen_kappa` (beyond chance; quadratic weights for ordered
    ratings), `krippendorff_alpha`, and for two-valued ratings `rate_difference` (how often a says yes more than b).
    """


def agreement(
    bound: Bound,
    cohorts: Cohorts,
    raters: tuple[Any, ...],
    *,
    kind: str = "nominal",
    level: float = 0.95,
    provenance: Any = None,
) -> AgreementResult:
    """Agreement of every pair of raters, and of all of them where there are more than two, per cohort.

    Raises
    ------
    RoleError, DataError
        Fewer than two raters, an unknown column, or text where numbers are needed.
    """
    check_choice("scale", kind, LEVELS, DataError)
    check_level(level)
    ratings, places = _gathered(bound, [str(r) for r in raters], kind)
    codes = cohorts.codes[places]
    if kind in ("nominal", "ordinal"):
        _check_categories(ratings)
    names = list(ratings)
    weight, cluster = _beside(bound, places)
    if weight is not None and bound.roles.weight_kind == "frequency":  # a weight is a number of equal rows
        again = np.repeat(np.arange(len(codes)), weight.astype(np.int64))
        ratings = {name: series.iloc[again].reset_index(drop=True) for name, series in ratings.items()}
        codes, weight, cluster = codes[again], None, None if cluster is None else cluster[again]
    rows = []
    for place in range(cohorts.n_cohorts + 1):
        member = cohorts.rows(place - 1, codes) if place else np.ones(len(codes), bool)
        own = _Worth(weight, cluster).of(member)
        for a, b in combinations(names, 2):
            for found in _pair(ratings[a][member], ratings[b][member], kind, level, own):
                rows.append({"place": place, "a": a, "b": b, **found})
        if len(names) > 2:
            every = _alpha([ratings[name][member] for name in names], kind, level, own)
            rows.append({"place": place, "a": "(all)", "b": "(all)", **every})
    table = pd.DataFrame(rows)
    frame = framed(cohorts, table.pop("place").to_numpy(), dict(table))
    return AgreementResult(
        frame,
        provenance=provenance,
        title=by_title(f"Agreement of {', '.join(names)}", cohorts),
        notes=[
            "Rows that one of the two has not rated are left out for that pair.",
            *bound.incomplete_note(),
            *_notes(bound),
            *cohorts.notes,
        ],
        cohort_columns=tuple(frame.columns[: len(cohorts.names)]),
    )


@dataclass(frozen=True)
class _Worth:
    """What rows are worth: importance weights and clusters, where there are any."""

    weight: Floats | None
    cluster: npt.NDArray[np.int64] | None

    @property
    def plain(self) -> bool:
        return self.weight is None and self.cluster is None

    def of(self, keep: npt.NDArray[np.bool_]) -> _Worth:
        """Of some of the rows."""
        weight, cluster = self.weight, self.cluster
        return _Worth(None if weight is None else weight[keep], None if cluster is None else cluster[keep])

    def weights(self, n: int) -> Floats:
        """Weights of n rows."""
        return np.ones(n) if self.weight is None else self.weight

    def rows(self, value: Floats) -> float:
        """Independent rows of equal weight that would know the mean of a number of each row as well (Rao and Scott 1984)."""
        n = len(value)
        w = self.weights(n)
        if self.plain or not w.any():
            return float(n)
        share = w / w.sum()
        mean = float(share @ value)
        move = share * (value - mean)
        sums, whole = (x if self.cluster is None else np.bincount(self.cluster, x) for x in (move, share))
        groups = int((whole > 0).sum())
        most = 1 / float((whole**2).sum())  # where nothing varies: what equal values of a cluster are worth
        robust = float((sums**2).sum()) * groups / max(groups - 1, 1)
        plain = float(share @ (value - mean) ** 2)
        return plain / robust if robust > 1e-15 * plain and groups > 1 else most


def _beside(bound: Bound, rows: npt.NDArray[np.intp]) -> tuple[Floats | None, npt.NDArray[np.int64] | None]:
    """Weights and clusters of the rated rows."""
    weight = None if bound.weight is None else np.nan_to_num(bound.weight.all())[rows]
    return weight, None if bound.cluster is None else bound.cluster[0][rows]


def _notes(bound: Bound) -> list[str]:
    """How dependent and weighted rows are treated."""
    notes = []
    if bound.weight is not None and bound.roles.weight_kind == "importance":
        notes.append("Rows are weighted: intervals use the effective number of rows.")
    if bound.cluster is not None:
        notes.append(f"{bound.dependence} are not independent: intervals use as many rows as they are worth.")
    return notes


def _gathered(bound: Bound, names: list[str], kind: str) -> tuple[dict[str, pd.Series], npt.NDArray[np.intp]]:
    """Ratings of every rater on the same rows, and the places of these rows in the frame.

    In a long frame raters are the values of the role `model`, matched by the role `id`.
    """
    if bound.roles.model is not None:
        sides = chosen(contenders(bound), names) if names else contenders(bound)
        _check_number([s.name for s in sides])
        rows = align(bound, sides)
        if isinstance(rows, str):
            raise DataError(f"Raters must have rated the same rows, but {rows}. Pass id='…'.")
        column_of = bound.roles.outcomes[0].column if bound.task == "outcomes" else None
        found = {
            name: _series(b.series(column_of, "rater") if column_of else predictions_of(b, m), name, kind)
            for name, b, m in zip(rows.names, rows.bounds, rows.models, strict=True)
        }
        return found, np.arange(bound.n) if rows.rows is None else rows.rows
    names = names or [o.column for o in bound.roles.outcomes] or [m.name for m in bound.models]
    _check_number(names)
    grouped = np.flatnonzero(bound.complete)
    return {name: _ratings(bound, name, kind).iloc[grouped] for name in names}, grouped


def _check_number(names: list[str]) -> None:
    if len(names) < 2:
        raise RoleError(
            f"Agreement needs at least two raters; found {names}. Pass their columns: ev.agreement('judge', 'human')."
        )


def _check_categories(ratings: dict[str, pd.Series]) -> None:
    """Refuse numbers taken for categories, whose table of pairs would not fit into memory."""
    count = pd.concat([r.drop_duplicates() for r in ratings.values()]).nunique()
    if count > MAX_LABELS:
        raise DataError(
            f"{', '.join(map(repr, ratings))} hold {count:,} different ratings, more than {MAX_LABELS:,} categories. "
            "For numbers pass scale='interval'; for scores of models cut them at a threshold first."
        )


def _ratings(bound: Bound, name: str, kind: str) -> pd.Series:
    """Ratings of a column, or the predictions of a model of that name (also where its column of scores is called so)."""
    match = [m for m in bound.models if m.name == name and bound.task != "outcomes"]
    scores = bool(match) and name in match[0].y_score and kind in ("nominal", "ordinal")
    if name in bound.head.columns and not scores:
        return _series(bound.series(name, "rater"), name, kind)
    if not match:
        known = dict.fromkeys([*bound.head.columns, *(m.name for m in bound.models)])
        raise RoleError(
            f"There is no column {name!r} and no model of that name. {did_you_mean(name, known, noun='Columns')}"
        )
    return _series(predictions_of(bound, match[0]), name, kind)


def predictions_of(bound: Bound, model: Model) -> pd.Series:
    """What a model predicted: its column, or the class by threshold or greatest score; missing without a score."""
    if model.y_pred is not None:
        return bound.series(model.y_pred, "y_pred")
    scores = [bound.numbers(name, "y_score").all() for name in model.y_score]
    labels = np.empty(len(bound.labels), object)
    labels[:] = bound.labels
    found = labels[Block(bound, model, 0, bound.n).y_pred.astype(np.intp)]
    return pd.Series(found, name=model.name).mask(np.asarray(np.isnan(scores).any(axis=0), bool)).infer_objects()


def _series(series: pd.Series, name: str, kind: str) -> pd.Series:
    """Ratings as numbers (ordered kinds) or as they are, missing ones as None."""
    series = series.reset_index(drop=True)
    numeric = contents(series) in ("numbers", "truths") and not isinstance(series.dtype, pd.CategoricalDtype)
    if kind in ("interval", "ratio") or (kind == "ordinal" and numeric):
        if not numeric:
            raise DataError(f"scale={kind!r} needs numbers, but {name!r} holds {series.dtype}. Use scale='nominal'.")
        return pd.Series(Numbers(series, "ratings").all(), name=series.name)
    if isinstance(series.dtype, pd.CategoricalDtype) and series.dtype.ordered and kind == "ordinal":
        return series.cat.codes.astype(float).where(series.notna())
    if kind == "ordinal":
        raise DataError(f"scale='ordinal' needs numbers or an ordered categorical, but {name!r} holds {series.dtype}.")
    if numeric and (float_dtype(series.dtype).itemsize < 8 or types.is_object_dtype(series.dtype)):
        series = pd.Series(Numbers(series, "ratings").all(), name=series.name)
    return series.astype(object).where(series.notna(), None)


def _pair(a: pd.Series, b: pd.Series, kind: str, level: float, worth: _Worth) -> list[dict[str, Any]]:
    both = (a.notna() & b.notna()).to_numpy()
    n = int(both.sum())
    first, second, worth = a[both].to_numpy(), b[both].to_numpy(), worth.of(both)
    w, same = worth.weights(n), first == second
    rows, total = worth.rows(same.astype(float)), max(float(w.sum()), 1e-300)
    share: Any = wilson(float(w @ same) / total * rows, rows, level)
    few = "no rows rated by both" if n == 0 else "too few rows" if n < FEW_ROWS else ""
    found = [_row("agreement", share.estimate, share.ci_low, share.ci_high, n, "wilson", few)]
    if n == 0:
        nothing = (np.nan, np.nan, np.nan, 0)
        return [*found, _row("cohen_kappa", *nothing, "", few), _row("krippendorff_alpha", *nothing, "", few)]
    codes, values = _codes(first, second, kind)
    if kind in ("nominal", "ordinal"):
        weights = "quadratic" if kind == "ordinal" else None
        k = len(values)
        table: Any = np.bincount(codes[0] * k + codes[1], w * (rows / total), k * k).reshape(k, k)
        kappa: Any = kappa_of_counts(table, weights, level)
        found.append(
            _row("cohen_kappa", kappa.estimate, kappa.ci_low, kappa.ci_high, n, kappa.method, kappa.note or few)
        )
    alpha = _alpha([a[both], b[both]], kind, level, worth)
    found.append(alpha | {"note": few} if few else alpha)
    if len(values) == 2:
        yes = codes == 1
        rows = worth.rows(yes[0].astype(float) - yes[1])
        one, other = (float(w @ (yes[i] & ~yes[1 - i])) / total * rows for i in (0, 1))
        test: Any = paired_proportions(one, other, rows, level)
        note = f"share of {values[1]!r}; score test p = {test.p_value:.3g}"
        found.append(
            _row(
                "rate_difference",
                test.estimate,
                test.ci_low,
                test.ci_high,
                n,
                test.method,
                f"{few}; {note}" if few else note,
            )
        )
    return found


def _codes(first: Any, second: Any, kind: str) -> tuple[npt.NDArray[np.intp], list[Any]]:
    joint = np.concatenate([first, second])
    codes, values = pd.factorize(joint, sort=kind != "nominal" or _sortable(joint))
    return codes.reshape(2, -1), list(values)


def _sortable(values: Any) -> bool:
    return len({type(v) for v in values}) == 1


def _alpha(ratings: list[pd.Series], kind: str, level: float, worth: _Worth) -> dict[str, Any]:
    """Krippendorff's alpha of two or more raters; it uses rows that only some of them rated."""
    if worth.weight is not None:
        name = "krippendorff_alpha"
        return _row(name, np.nan, np.nan, np.nan, len(ratings[0]), "", "has no form for importance weights")
    stacked = pd.concat([r.reset_index(drop=True) for r in ratings], axis=1)
    if kind == "nominal":
        flat = stacked.to_numpy(dtype=object).T.ravel()
        codes, _ = pd.factorize(pd.Series(flat, dtype=object))
        table = np.where(codes >= 0, codes, np.nan).astype(float).reshape(len(ratings), -1)
    else:
        table = stacked.to_numpy(dtype=float).T
    n = int(((~np.isnan(table)).sum(axis=0) >= 2).sum())
    if n == 0:
        return _row("krippendorff_alpha", np.nan, np.nan, np.nan, 0, "", "no rows rated twice")
    found: Any = krippendorff_alpha(table, level=kind, confidence=level)
    if worth.cluster is not None:
        low, high = _jackknifed(table, worth.cluster, kind, level, found.estimate)
        return _row(
            "krippendorff_alpha", found.estimate, low, high, n, f"{found.method}, jackknife of clusters", found.note
        )
    return _row("krippendorff_alpha", found.estimate, found.ci_low, found.ci_high, n, found.method, found.note)


def _jackknifed(
    table: Floats, cluster: npt.NDArray[np.int64], kind: str, level: float, alpha: float
) -> tuple[float, float]:
    """Delete-a-group jackknife over clusters, on the scale of log(1 − alpha) (Efron and Stein 1981; Kott 2001)."""
    group = pd.factorize(cluster)[0] % GROUPS
    groups = int(group.max(initial=-1)) + 1
    if groups < 2 or not alpha < 1:
        return np.nan, np.nan
    without: list[Any] = [krippendorff_alpha(table[:, group != g], level=kind).estimate for g in range(groups)]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(1 - np.array(without))
        se = np.sqrt((groups - 1) / groups * ((logs - logs.mean()) ** 2).sum())
        half = float(t_quantile(level, groups - 1)) * se
    ends = 1 - (1 - alpha) * np.exp(np.array([half, -half]))
    return max(float(ends[0]), min(-1.0, alpha)), float(ends[1])


def _row(metric: str, value: float, low: float, high: float, n: int, method: str, note: str) -> dict[str, Any]:
    return {"metric": metric, "value": value, "ci_low": low, "ci_high": high, "n": n, "method": method, "note": note}
