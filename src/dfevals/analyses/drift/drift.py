"""Which columns have moved since the reference, how far, and how sure that is (`ev.drift`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.drift.columns import Shared, comparable, kind_of, shared
from dfevals.analyses.drift.drift_result import DriftResult
from dfevals.analyses.drift.shift import shifts
from dfevals.cohorts import Cohorts
from dfevals.exceptions import CohortError, DataError, RoleError, check_choice, did_you_mean
from dfevals.inference.drift import apart, divergence_interval, jensen_shannon, kish, like, psi
from dfevals.inference.levels import check_level
from dfevals.inference.multiple import holm
from dfevals.results.tidy import by_title, framed
from dfevals.roles.bound import Bound
from dfevals.words import visible

__all__ = ["drift", "earlier", "referred"]

Mask = npt.NDArray[np.bool_]
WRITTEN_OUT = 20_000_000  # rows that frequencies may stand for and still be written out
MOST_COHORTS = 500
ENOUGH = 30  # rows that both sides must be worth for a verdict
NUMBERS = ("effect", "effect_low", "effect_high", "ks", "psi", "wasserstein", "jensen_shannon", "p_value")
UNKNOWN = dict.fromkeys(NUMBERS, np.nan)


@dataclass(frozen=True)
class Asked:
    """What every column is asked."""

    bins: int
    level: float
    least: float
    alpha: float
    random_state: int


@dataclass(frozen=True)
class Side:
    """One set of rows: its columns, weights and clusters, and the place of every row in the frame it comes from."""

    frame: pd.DataFrame
    weights: npt.NDArray[np.float64] | None
    clusters: npt.NDArray[np.intp] | None
    at: npt.NDArray[np.intp]

    def take(self, chosen: npt.NDArray[Any]) -> Side:
        """Some of the rows, by place or mask."""
        weights = None if self.weights is None else self.weights[chosen]
        clusters = None if self.clusters is None else self.clusters[chosen]
        return Side(self.frame.iloc[chosen], weights, clusters, self.at[chosen])

    def within(self, mask: Mask) -> Side:
        """The rows that a mask of the frame holds."""
        return self.take(mask[self.at])


def drift(
    bound: Bound,
    reference: pd.DataFrame,
    cohorts: tuple[Cohorts, Cohorts],
    *,
    columns: Sequence[str] | str | None = None,
    bins: int = 10,
    level: float = 0.95,
    min_effect: float = 0.1,
    alpha: float = 0.05,
    random_state: int = 0,
    provenance: Any = None,
) -> DriftResult:
    """Compare the rows of an evaluation with a reference, column by column; see `Evaluation.drift`."""
    check_level(level)
    if not 0 < alpha < 1 or not 0 <= min_effect < 1 or bins < 2:
        raise DataError("alpha lies between 0 and 1, min_effect from 0 to below 1, and bins is 2 or more.")
    if not len(reference) or not bound.n:
        raise DataError("Drift compares two sets of rows; one of them is empty.")
    ask = Asked(int(bins), level, min_effect, alpha, random_state)
    names, notes = _chosen(bound, reference, columns)
    here, there = _side(bound), _side(bound, reference)
    if not len(here.frame) or not len(there.frame):
        raise DataError("Drift compares rows that count; all rows of one side have no weight.")
    if cohorts[1].n_cohorts > MOST_COHORTS:
        raise CohortError(
            f"Drift compares at most {MOST_COHORTS:,} cohorts column by column; by= makes {cohorts[1].n_cohorts:,}. Fold small ones "
            "with min_n=, or take fewer: dfevals.top(column, 20)."
        )
    rows = []
    for place, (then, now) in _pairs(cohorts, there, here):
        rows += [{"place": place, **row} for row in _rows(names, then, now, ask)]
    shares = _bins(rows)
    frame = _frame(cohorts[1], rows, ask)
    return DriftResult(
        frame,
        shift=shifts(bound, reference, level=level, alpha=alpha),
        bins=shares,
        least=min_effect,
        level=level,
        provenance=provenance,
        title=by_title("Drift", cohorts[1]),
        notes=[*_method_notes(ask, here), *_left_out(bound, here), *notes, *cohorts[1].notes],
        cohort_columns=tuple(frame.columns[: len(cohorts[1].names)]),
    )


def earlier(bound: Bound, grain: str) -> tuple[Mask, str]:
    """Which rows lie before the latest period of the role `time`, and that period's name.

    Raises
    ------
    RoleError
        There is no role `time`, or one period only.
    """
    from dfevals.cohorts import period

    name = bound.roles.time
    if name is None:
        raise RoleError("period= needs to know when a row was made. Pass time= with the column.")
    found = bound.cohorts([period(name, grain)])
    labels = [str(label) for label in found.labels[0]]
    known = [i for i, label in enumerate(labels) if label != "<NA>"]
    if len(known) < 2:
        raise RoleError(f"All rows lie in one period of {grain!r}. Take a shorter one, or pass reference=.")
    return np.asarray(np.isin(found.codes, known[:-1])), labels[known[-1]]


def referred(bound: Bound, reference: Any, grain: str | None) -> tuple[Bound, pd.DataFrame]:
    """The rows asked about, and those that they are compared with.

    Raises
    ------
    DataError
        Neither or both are given, or the reference has no rows.
    """
    if (reference is None) == (grain is None):
        raise DataError(
            'Drift compares with a reference: pass reference= (a DataFrame or an evaluation) or period="M".'
        )
    if grain is not None:
        mask, _ = earlier(bound, grain)
        known = bound.series(bound.roles.time, "time").notna().to_numpy()
        return bound.at(np.flatnonzero(~mask & known)), bound.rows(np.flatnonzero(mask))
    other = getattr(reference, "_bound", None)
    if other is not None:
        if not other.has_rows:
            raise DataError("A tally holds no columns to compare. Pass the rows, or their evaluation, as reference=.")
        return bound, other.frame
    if not isinstance(reference, pd.DataFrame):
        from dfevals.columns.sources import to_frame

        return bound, to_frame(reference)
    return bound, reference


def _side(bound: Bound, frame: pd.DataFrame | None = None) -> Side:
    """The rows of an evaluation, or of a reference with the same roles as far as it has their columns."""
    rows = bound if frame is None else bound.take(frame)
    roles, names = bound.roles, set(rows.frame.columns)
    weights = clusters = None
    if roles.sample_weight in names and rows.weight is not None:
        weights = np.nan_to_num(rows.weight.all())
    if (roles.cluster or roles.unit or roles.repeat) in names and rows.cluster is not None:
        clusters = _owners(rows.cluster[0])
    side = Side(rows.frame, weights, clusters, np.arange(rows.n))
    if weights is None:
        return side
    if roles.weight_kind == "frequency" and weights.sum() <= WRITTEN_OUT and bool((weights % 1 == 0).all()):
        return replace(side, weights=None).take(np.repeat(side.at, weights.astype(np.int64)))
    return side.take(weights > 0)


def _owners(codes: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Clusters of rows; a row of none is one of its own."""
    return np.where(codes < 0, np.arange(len(codes)) + codes.max() + 1, codes).astype(np.intp)


def _pairs(cohorts: tuple[Cohorts, Cohorts], there: Side, here: Side) -> Iterator[tuple[int, tuple[Side, Side]]]:
    """All rows, then every cohort of the rows with the cohort of the same name in the reference."""
    yield 0, (there, here)
    then, now = cohorts
    known = {labels: i for i, labels in enumerate(zip(*then.labels, strict=True))} if then.n_cohorts else {}
    for i, labels in enumerate(zip(*now.labels, strict=True) if now.n_cohorts else ()):
        old = known.get(labels)
        empty = np.zeros(len(then.codes), bool)
        mask = empty if old is None else np.isin(then.codes, then.atoms[old])
        yield i + 1, (there.within(mask), here.within(np.isin(now.codes, now.atoms[i])))


def _chosen(bound: Bound, reference: pd.DataFrame, columns: Any) -> tuple[dict[str, str], list[str]]:
    """Columns to compare, each with its part: score, prediction, label, outcome or feature."""
    parts = _parts(bound)
    if columns is not None:
        asked = [columns] if isinstance(columns, str) else list(columns)
        for name in asked:
            check_choice("columns", name, list(bound.frame.columns), DataError)
            if name not in reference:
                hint = did_you_mean(name, reference.columns, noun="Columns")
                raise DataError(f"The reference has no column {name!r:.80}. {hint}")
        return {name: parts.get(name, "feature") for name in asked}, []
    roles = bound.roles
    keys = {value for role, value in roles.single().items() if role not in ("y_true",)}
    twice = {name for side in (bound.frame, reference) for name in side.columns[side.columns.duplicated()]}
    offered = [name for name in bound.frame.columns if (name in parts or name not in keys) and name not in twice]
    found, notes, left = {}, [], []
    if twice:
        notes.append(
            f"More than one column is called {', '.join(map(visible, sorted(map(str, twice))[:8]))}: not compared."
        )
    for name in offered:
        part = parts.get(name, "feature")
        if name not in reference:
            left.append(visible(name))
        elif part != "feature" or kind_of(bound.frame[name]) not in ("time", "other"):
            found[name] = part
    if left:
        notes.append(f"Not in the reference: {', '.join(left[:8])}{', …' if len(left) > 8 else ''}.")
    gone = [visible(name) for name in reference.columns if name not in bound.frame and name not in keys]
    if gone:
        notes.append(f"Only in the reference: {', '.join(gone[:8])}{', …' if len(gone) > 8 else ''}.")
    if not found:
        raise DataError("The rows and the reference have no column in common that could be compared.")
    return found, notes


def _parts(bound: Bound) -> dict[str, str]:
    """What the columns that roles name are."""
    found: dict[str, str] = {outcome.column: "outcome" for outcome in bound.roles.outcomes}
    for model in bound.models:
        found |= dict.fromkeys(model.y_score, "score")
        if model.y_pred is not None:
            found[model.y_pred] = "prediction"
    if bound.roles.y_true is not None:
        found[bound.roles.y_true] = "label"
    return found


def _rows(names: Mapping[str, str], then: Side, now: Side, ask: Asked) -> Iterator[dict[str, Any]]:
    for name, part in names.items():
        first = {"column": visible(name), "role": part}
        yield first | _compared(then, now, name, ask)


def _compared(then: Side, now: Side, name: str, ask: Asked) -> dict[str, Any]:
    """Everything about one column of both sides."""
    a, b = then.frame[name], now.frame[name]
    sizes: dict[str, Any] = {"n_reference": len(a), "n": len(b)}
    if not len(a) or not len(b):
        return (
            UNKNOWN
            | sizes
            | _gone(np.nan, np.nan)
            | {"kind": "", "note": "no rows in the reference" if not len(a) else "no rows"}
        )
    kind, why = comparable(a, b)
    gone = _gone(float(a.isna().mean()), float(b.isna().mean()))
    if why or kind in ("other", "time"):
        return UNKNOWN | sizes | gone | {"kind": kind, "note": why or f"values of kind {kind} are not compared"}
    found = shared(a, b, kind, ask.bins)
    return sizes | gone | {"kind": kind} | _measured(found, then, now, ask)


def _gone(reference: float, current: float) -> dict[str, float]:
    return {"missing_reference": reference, "missing": current}


def _measured(found: Shared, then: Side, now: Side, ask: Asked) -> dict[str, Any]:
    k = len(found.names)
    p, q = (_shares(codes, k, side.weights) for codes, side in ((found.reference, then), (found.current, now)))
    n, m = (
        kish(codes, k, side.weights, side.clusters) for codes, side in ((found.reference, then), (found.current, now))
    )
    held = int(((p > 0) | (q > 0)).sum())
    distance = jensen_shannon(p, q)
    effect, low, high = divergence_interval(distance, held, n, m, ask.level)
    row: dict[str, Any] = {
        "effect": effect,
        "effect_low": low,
        "effect_high": high,
        "psi": psi(p, q),
        "jensen_shannon": distance,
    }
    row |= {"ks": np.nan, "wasserstein": np.nan, "p_value": like(p, q, n, m), "worth": min(n, m), "note": ""}
    row["shares"] = found.names, p, q
    if found.numbers is not None:
        row |= _ordered(found, then, now, (n, m), ask, (p[found.missing], q[found.missing]))
    if held < 2:
        row["note"] = "one value alone on both sides"
    return row


def _ordered(
    found: Shared, then: Side, now: Side, worth: tuple[float, float], ask: Asked, gone: tuple[float, float]
) -> dict[str, Any]:
    """Gap and area between the distributions of numbers, among the rows that have one."""
    assert found.numbers is not None
    parts, weights = [], []
    for values, side in zip(found.numbers, (then, now), strict=True):
        known = np.isfinite(values)
        values, w = values[known], None if side.weights is None else side.weights[known]
        if w is None:
            values = np.sort(values)
        else:
            order = np.argsort(values, kind="stable")
            values, w = values[order], w[order]
        parts.append(values)
        weights.append(w)
    if not len(parts[0]) or not len(parts[1]):
        return {}
    plain = then.weights is None and now.weights is None and then.clusters is None and now.clusters is None
    sizes = None if plain else (worth[0] * (1 - gone[0]), worth[1] * (1 - gone[1]))
    gap = apart(parts[0], parts[1], weights[0], weights[1], sizes, random_state=ask.random_state)
    spread = float(np.std(parts[0])) if weights[0] is None else _spread(parts[0], weights[0])
    area = gap.wasserstein / spread if spread > 0 else np.nan
    row: dict[str, Any] = {"ks": gap.ks, "wasserstein": area}
    if gone[0] == gone[1]:  # else the test of the bins sees what the numbers cannot
        row["p_value"] = gap.p_value
    if not spread > 0:
        row["note"] = "the reference has one value: no spread to measure the distance by"
    return row


def _spread(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    centre = np.average(values, weights=weights)
    return float(np.sqrt(np.average((values - centre) ** 2, weights=weights)))


def _shares(codes: npt.NDArray[np.intp], k: int, weights: Any) -> npt.NDArray[np.float64]:
    found = np.bincount(codes, weights, k).astype(float)
    return np.asarray(found / found.sum())


def _frame(cohorts: Cohorts, rows: list[dict[str, Any]], ask: Asked) -> pd.DataFrame:
    """The frame, the most moved first within every cohort."""
    table = pd.DataFrame(rows)
    table["p_corrected"] = np.nan
    for part in (table["place"] == 0, table["place"] > 0):
        known = part & table["p_value"].notna()
        if known.any():
            table.loc[known, "p_corrected"] = holm(table.loc[known, "p_value"].to_numpy())
    table["verdict"] = [_verdict(row, ask) for _, row in table.iterrows()]
    table = table.sort_values(["place", "effect"], ascending=[True, False], kind="stable", na_position="last")
    order = (
        "column",
        "role",
        "kind",
        *NUMBERS,
        "p_corrected",
        "verdict",
        "n",
        "n_reference",
        "missing",
        "missing_reference",
    )
    return framed(cohorts, table["place"].to_numpy(), {name: table[name].to_numpy() for name in (*order, "note")})


def _verdict(row: Any, ask: Asked) -> str:
    """ "moved" only where the whole interval lies beyond the least effect that matters, however many rows there are."""
    if not np.isfinite(row["effect"]):
        return "not compared"
    if row["worth"] < ENOUGH:
        return "too few"
    if row["effect_low"] > ask.least:
        return "moved"
    if row["p_corrected"] >= ask.alpha:
        return "no evidence"
    return "slightly" if row["effect_high"] <= ask.least else "perhaps"


def _bins(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Shares of every bin of every column of all rows on both sides, taken out of what was measured."""
    parts = [pd.DataFrame(columns=["column", "bin", "share_reference", "share"])]
    for row in rows:
        names, p, q = row.pop("shares", ((), np.zeros(0), np.zeros(0)))
        held = (p > 0) | (q > 0)
        if row["place"] == 0 and held.any():
            part = {"column": row["column"], "bin": np.array(names, object)[held]}
            parts.append(pd.DataFrame(part | {"share_reference": p[held], "share": q[held]}))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _left_out(bound: Bound, here: Side) -> list[str]:
    """Rows whose weight is missing or nothing; missing values of columns are a bin."""
    if bound.weight is None:
        return []
    gone = int(np.isnan(bound.weight.all()).sum())
    return [f"{gone:,} row{'s' * (gone != 1)} without a weight left out."] if gone else []


def _method_notes(ask: Asked, here: Side) -> list[str]:
    notes = [
        f"effect: Jensen-Shannon distance to base 2 of {ask.bins} quantile bins of the reference (or of values), less what "
        f"chance alone makes. Moved: its whole {ask.level:.0%} interval lies above {ask.least:g}. Wasserstein in standard "
        "deviations of the reference. p_corrected: Holm over the columns; missing values are a bin of their own."
    ]
    if here.weights is not None:
        notes.append("Shares are weighted, and count as the rows that they are worth.")
    if here.clusters is not None:
        notes.append("Rows of one cluster depend: shares count as the independent rows that they are worth.")
    return notes
