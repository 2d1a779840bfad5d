"""Many models at once: ranks with their critical difference, one test of all, and the winner without its luck."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.compare.aligned import Aligned, JointRows, PairedRows, ViewRows, plain
from dfevals.analyses.compare.influence import influence, kind_of
from dfevals.analyses.compare.paired import influence_variance, paired_rate
from dfevals.analyses.folds.per_fold import Folds
from dfevals.cohorts import Cohorts
from dfevals.estimates.asked import Viewed, views_of
from dfevals.estimates.tested import TestOptions
from dfevals.inference.blocks import friedman, nemenyi
from dfevals.inference.folds import repeated_df
from dfevals.inference.levels import t_quantile
from dfevals.inference.seeds import generator
from dfevals.metrics.registry import Request, find
from dfevals.needs import Joint
from dfevals.tally import JointTally

__all__ = ["Leaderboard", "leaderboard_of_folds", "leaderboard_of_rows"]

Floats = npt.NDArray[np.float64]
PARTS = 10
LUCK = 20_000  # draws of the greatest of several errors


@dataclass(frozen=True)
class Leaderboard:
    """`ranks`, `omnibus` and `winner` frames, and the blocks (folds or cohorts) on which ranks rest, by metric."""

    ranks: pd.DataFrame
    omnibus: pd.DataFrame
    winner: pd.DataFrame
    blocks: dict[str, Floats]
    better: dict[str, str]
    names: tuple[str, ...]
    kind: str
    idle: tuple[str, ...] = ()  # models that do no better than one answer for every row


def leaderboard_of_rows(
    requests: tuple[Request, ...], rows: Aligned, cohorts: Cohorts, options: TestOptions
) -> Leaderboard:
    """Models on the same rows: ranks over cohorts, Cochran's Q for rates, the winner cross-fitted over rows."""
    bound, k = rows.bounds[0], len(rows.names)
    read = _Read(rows, cohorts)
    whole = [v for v in views_of(cohorts) if len(v.cohorts)][-1]
    views = [v for v in views_of(cohorts)[:-1] if len(v.cohorts)]
    blocks: dict[str, Floats] = {}
    ranks, omnibus, winners = [], [], []
    for request in requests:
        kind = kind_of(request, len(bound.labels), bound.task)
        if request.better not in ("higher", "lower") or kind in ("rows", "extremes"):
            continue
        if kind != "cells" and not bound.has_rows:
            continue
        every = read.under(whole, kind)
        found = [influence(request, every, j, padded=False) for j in range(k)]
        overall = np.array([f.value[0] for f in found])
        values = []
        for view in views if len(views) == 1 else ():
            part = read.under(view, kind)
            values = [influence(request, part, j, padded=False).value for j in range(k)]
        table = np.stack(values, axis=1) if values else np.zeros((0, k))
        blocks[request.label] = table
        ranks.append(_ranks(request, rows.names, overall, table))
        omnibus += _omnibus(request, table, "cohorts")
        q = _cochran(request, every, k)
        omnibus += [] if q is None else [q]
        winners.append(_winner_of_rows(request, rows.names, overall, [f.rows for f in found], every, options))
    board = _board(ranks, omnibus, winners, blocks, requests, rows.names, "cohorts")
    idle = _idle(rows.names, read.under(whole, "cells"), len(bound.labels)) if "accuracy" in blocks else ()
    return replace(board, idle=idle)


class _Read:
    """All models under a view of the cohorts: their counts together for metrics of cells, else the rows."""

    def __init__(self, rows: Aligned, cohorts: Cohorts) -> None:
        self.rows, self.cohorts = rows, cohorts

    @cached_property
    def joint(self) -> JointTally:
        tally = self.rows.collect(self.cohorts, [Joint()])
        found: Any = tally.parts[Joint()]
        return found.scaled(tally.scale)

    @cached_property
    def atoms(self) -> npt.NDArray[Any]:
        return self.rows.codes(self.cohorts.codes)

    def under(self, view: Viewed, kind: str) -> PairedRows:
        """What a metric of this kind reads."""
        size = len(view.cohorts)
        if kind != "cells":
            return ViewRows.of_view(self.rows, self.atoms, view.positions, size)
        joint = self.joint if view.positions is None else self.joint.regroup(view.positions, size)
        return JointRows(self.rows.bounds[0], joint, tuple(range(len(self.rows.names))))


def leaderboard_of_folds(
    requests: tuple[Request, ...], names: list[str], values: list[Floats], folds: Folds, options: TestOptions
) -> Leaderboard:
    """Learners: ranks over folds, Friedman's test, the winner chosen on the other folds."""
    blocks: dict[str, Floats] = {}
    ranks, omnibus, winners = [], [], []
    for m, request in enumerate(requests):
        if request.better not in ("higher", "lower"):
            continue
        table = np.stack([v[m] for v in values], axis=1)
        blocks[request.label] = table
        complete = table[~np.isnan(table).any(axis=1)]
        overall = complete.mean(axis=0) if len(complete) else np.full(len(names), np.nan)
        ranks.append(_ranks(request, tuple(names), overall, table))
        omnibus += _omnibus(request, table, "folds")
        winners.append(_winner_of_folds(request, names, complete, folds, options))
    board = _board(ranks, omnibus, winners, blocks, requests, tuple(names), "folds")
    nothing = board.ranks["metric"].isin(["recall", "f1"]) & (board.ranks["value"] == 0)
    return replace(board, idle=tuple(dict.fromkeys(board.ranks["model"][nothing])))


def _idle(names: tuple[str, ...], whole: PairedRows, n_labels: int) -> tuple[str, ...]:
    """Models whose classes are found no better, on average, than by one answer for every row."""
    request = find("balanced_accuracy")
    values = [influence(request, whole, j, padded=False).value[0] for j in range(len(names))]
    return tuple(name for name, value in zip(names, values, strict=True) if value <= 1 / n_labels + 1e-12)


def _board(
    ranks: list[pd.DataFrame], omnibus: list[Any], winners: list[Any], blocks: Any, requests: Any, names: Any, kind: str
) -> Leaderboard:
    columns = ["metric", "test", "statistic", "df", "p_value", "n", "note"]
    return Leaderboard(
        pd.concat(ranks, ignore_index=True) if ranks else pd.DataFrame(columns=["metric", "model", "value", "rank"]),
        pd.DataFrame(omnibus, columns=columns),
        pd.DataFrame([w for w in winners if w]),
        blocks,
        {r.label: r.better for r in requests},
        tuple(names),
        kind,
    )


def _ranks(request: Request, names: tuple[str, ...], overall: Floats, table: Floats) -> pd.DataFrame:
    """Rank of every model overall, and its mean rank over the complete blocks."""
    sign = -1.0 if request.better == "higher" else 1.0
    rank = pd.Series(sign * overall).rank().to_numpy()
    complete = table[~np.isnan(table).any(axis=1)]
    mean = friedman(complete, better=request.better).ranks if len(complete) > 1 else np.full(len(names), np.nan)
    frame = pd.DataFrame(
        {
            "metric": request.label,
            "model": list(names),
            "value": overall,
            "rank": rank,
            "mean_rank": mean,
            "n_blocks": len(complete),
        }
    )
    return frame.sort_values("rank", kind="stable").reset_index(drop=True)


def _omnibus(request: Request, table: Floats, what: str) -> list[tuple[Any, ...]]:
    test = friedman(table, better=request.better)
    if test.n < 2:
        return []
    caution = "folds share training rows: p is a guide, not a size" if what == "folds" else ""
    note = "; ".join(filter(None, (test.note, caution)))
    df = f"{test.f_df[0]:g}, {test.f_df[1]:g}"
    return [
        (request.label, f"Friedman over {what}", test.statistic, f"{test.df:g}", test.p_value, int(test.n), note),
        (request.label, f"Iman–Davenport F over {what}", test.f_statistic, df, test.f_p_value, int(test.n), note),
    ]


def _cochran(request: Request, rows: PairedRows, k: int) -> tuple[Any, ...] | None:
    """Cochran's Q of a rate on all rows, from counts."""
    from scipy.special import chdtrc

    if not isinstance(rows, JointRows) or not plain(rows.bound):
        return None
    rates = [paired_rate(request, replace(rows, pair=(j, j))) for j in range(k)]
    known = [rate for rate in rates if rate is not None]
    if len(known) < k:
        return None
    counted = known[0][2]
    right, count = np.stack([rate[0][counted] for rate in known]), rows.count[counted]
    total, per_row, n = right @ count, right.sum(axis=0), int(count.sum())
    spread = float(((k * per_row - per_row**2) * count).sum())
    if spread == 0:
        return (request.label, "Cochran's Q", np.nan, f"{k - 1}", 1.0, n, "no row tells the models apart")
    q = k * (k - 1) * ((total - total.mean()) ** 2).sum() / spread
    return (request.label, "Cochran's Q", q, f"{k - 1}", float(chdtrc(k - 1, q)), n, "")


def _winner_of_rows(
    request: Request,
    names: tuple[str, ...],
    overall: Floats,
    moved: list[Floats],
    rows: PairedRows,
    options: TestOptions,
) -> dict[str, Any] | None:
    """The best model's value, and what it is when the choice is made on other rows than the judgement.

    Rows (or clusters) are split into ten parts; each part judges the model that is best on the other nine. The
    values on parts follow from the influences, so nothing is computed again.
    """
    if np.isnan(overall).any():
        return None
    sign = 1.0 if request.better == "higher" else -1.0
    best = int(np.argmax(sign * overall))
    # a part of the rows moves the value by its influences, scaled up to a whole sample
    by_part = _weight_by_part(rows, generator(options.random_state))
    inside, share = np.stack(moved) @ by_part, by_part.sum(axis=0) / by_part.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        judged = overall[:, None] + inside / share
        chosen_on = overall[:, None] - inside / (1 - share)
    pick = np.argmax(sign * chosen_on, axis=0)
    used = np.isfinite(judged[pick, np.arange(PARTS)])
    corrected = float((judged[pick, np.arange(PARTS)] * share)[used].sum() / share[used].sum())
    found = [influence_variance(m, rows) for m in moved]
    sd = np.sqrt([variance[0] for variance, _, _ in found])
    sums = _unit_sums(moved, rows)
    ends = _selected(request, overall, best, sd, sums @ sums.T, float(found[best][1][0]), options.level)
    return _winner(request, names[best], float(overall[best]), corrected, ends, len(names))


def _weight_by_part(rows: PairedRows, rng: np.random.Generator) -> Floats:
    """Weight of every row, or entry, in ten parts into which rows (or clusters) fall by chance, (rows, parts)."""
    size, weight = len(rows.codes), rows.weight
    weight = np.ones(size) if weight is None else weight
    if isinstance(rows, JointRows) and rows.cluster is None:
        drawn = rng.multinomial(np.rint(rows.count).astype(np.int64), np.full(PARTS, 1 / PARTS))
        return np.asarray(drawn * (weight / np.maximum(rows.count, 1))[:, None], float)
    unit = np.arange(size) if rows.cluster is None else rows.cluster
    order = rng.permutation(int(unit.max(initial=-1)) + 1)
    out = np.zeros((size, PARTS))
    out[np.arange(size), (np.argsort(order) % PARTS)[unit]] = weight
    return out


def _unit_sums(moved: list[Floats], rows: PairedRows) -> Floats:
    """Influence of every row, or cluster, on the value of every model; their products are the covariances."""
    weight, cluster = rows.weight, rows.cluster
    if cluster is None:
        return np.stack([m if rows.square is None else m * np.sqrt(rows.square) for m in moved])
    return np.stack([np.bincount(cluster, m if weight is None else m * weight) for m in moved])


def _selected(
    request: Request, overall: Floats, best: int, sd: Floats, products: Floats, df: float, level: float
) -> tuple[float, float]:
    """Interval of the value of the model that looks best, which holds whichever that is.

    Luck only flatters, so only the end away from it is that of the greatest of all models' errors, which are as correlated
    as the models' influences; models too far behind to have been chosen are left out, for a tenth of the level. Shares have
    it on the logit. Between the simultaneous interval and the hybrid of Andrews, Kitagawa and McCloskey (2024), "Inference
    on winners", Quarterly Journal of Economics 139.
    """
    from scipy.special import expit, logit, ndtr, ndtri, stdtrit

    sign = 1.0 if request.better == "higher" else -1.0
    scale = np.sqrt(np.maximum(np.diag(products), 1e-300))
    correlation = products / np.outer(scale, scale)
    spare = (1 - level) / 10
    apart = np.sqrt(np.maximum(sd**2 + sd[best] ** 2 - 2 * correlation[best] * sd * sd[best], 0))
    near = sign * (overall[best] - overall) <= 2 * float(ndtri(1 - spare / len(sd))) * apart
    values, axes = np.linalg.eigh(correlation[np.ix_(near, near)])
    draws = np.random.default_rng(0).standard_normal((LUCK, len(values))) @ (axes * np.sqrt(np.maximum(values, 0))).T
    most = float(np.quantile(draws.max(axis=1), (1 + level) / 2 + (spare if near.sum() > 1 else 0)))
    flattered = float(stdtrit(df, ndtr(most))) if near.sum() > 1 else float(t_quantile(level, df))
    down, up = (flattered, float(t_quantile(level, df)))[:: int(sign)]
    value, se = float(overall[best]), float(sd[best])
    if request.metric.range == (0.0, 1.0) and not request.negated and 0 < value < 1:
        at, se = float(logit(value)), se / (value * (1 - value))
        return float(expit(at - down * se)), float(expit(at + up * se))
    return value - down * se, value + up * se


def _winner_of_folds(
    request: Request, names: list[str], complete: Floats, folds: Folds, options: TestOptions
) -> dict[str, Any] | None:
    n = len(complete)
    if n < 3:
        return None
    sign = 1.0 if request.better == "higher" else -1.0
    total = complete.sum(axis=0)
    pick = np.argmax(sign * (total - complete) / (n - 1), axis=1)
    corrected = float(complete[np.arange(n), pick].mean())
    best = int(np.argmax(sign * total))
    ratio = float(np.mean(folds.n_test / np.maximum(folds.n_train, 1)))
    sd = np.sqrt((1 / n + ratio) * complete.var(axis=0, ddof=1))
    centred = (complete - total / n).T
    df = float(repeated_df(n, folds.n_repeats))
    ends = _selected(request, total / n, best, sd, centred @ centred.T, df, options.level)
    return _winner(request, names[best], float(total[best] / n), corrected, ends, len(names))


def _winner(
    request: Request, name: str, value: float, corrected: float, ends: tuple[float, float], k: int
) -> dict[str, Any]:
    low, high = min(ends[0], corrected), max(ends[1], corrected)
    if not request.negated:
        low, high = np.clip([low, high], *request.metric.range)
    return {
        "metric": request.label,
        "winner": name,
        "value": value,
        "corrected": corrected,
        "optimism": value - corrected,
        "ci_low": float(low),
        "ci_high": float(high),
        "n_models": k,
    }


def critical_difference(board: Leaderboard, metric: str, alpha: float) -> Any:
    """Nemenyi's test of the ranks over the blocks of a metric."""
    return nemenyi(board.blocks[metric], alpha, better=board.better[metric])
