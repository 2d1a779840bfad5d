"""How far groups are treated alike: differences and ratios of every criterion, with intervals that hold (`ev.fairness`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.fairness.criteria import Criterion, criteria_of
from dfevals.analyses.fairness.fairness_result import FairnessResult
from dfevals.cohorts import Cohorts
from dfevals.engines import collect as run_pass
from dfevals.engines.held import TallyBound
from dfevals.estimates.asked import needs, provided, views_of
from dfevals.estimates.estimate import Complement, Estimates, Options, Part, estimate
from dfevals.estimates.pooled import pool
from dfevals.exceptions import CohortError, MetricError
from dfevals.inference.groups import (
    Triple,
    difference,
    excess,
    greatest,
    least_ratio,
    pairwise_level,
    ratio,
    sidak_level,
)
from dfevals.inference.levels import check_level
from dfevals.metrics.registry import Request
from dfevals.results.tidy import as_texts, by_title, framed, left_out
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model

__all__ = ["fairness"]

Floats = npt.NDArray[np.float64]
OVERALL = "overall"
MOST_GROUPS = 5_000  # pairs of which are compared


@dataclass(frozen=True)
class _Values:
    """One metric (of one class) in every group and overall, at the two levels, drawn together, and why a value is missing."""

    request: Request
    label: Any
    alone: Triple
    together: Triple
    support: Floats
    pooled: Triple
    why: tuple[str, ...]
    overall: Triple
    rest: Triple | None

    @property
    def defined(self) -> npt.NDArray[np.bool_]:
        return np.isfinite(self.alone[0])


@dataclass(frozen=True)
class _Ask:
    """What is asked of every model."""

    cohorts: Cohorts
    criteria: tuple[Criterion, ...]
    reference: int | None  # a group, −1 for all rows, None for the extremes
    level: float
    labels: tuple[Any, ...]
    task: str

    def joint(self, parts: int) -> float:
        """Level of every interval, so that all of a criterion of so many metrics hold together."""
        groups, alone = self.cohorts.n_cohorts, sidak_level(self.level, parts)
        if self.reference is None:
            return pairwise_level(alone, groups)
        return sidak_level(alone, groups - (self.reference >= 0))

    def name(self, i: int) -> str:
        """A group by the values of its columns."""
        return " · ".join(str(labels[i]) for labels in self.cohorts.labels)


def fairness(
    bound: Bound,
    cohorts: Cohorts,
    reference: Any = None,
    criteria: Any = None,
    *,
    models: Sequence[Model],
    cost: Mapping[str, float] | None = None,
    level: float = 0.95,
    provenance: Any = None,
) -> FairnessResult:
    """Criteria of every model from the tallies of one pass; see `Evaluation.fairness`.

    Raises
    ------
    CohortError, MetricError
        There are fewer than two groups, they overlap, there is no such group, or a criterion does not fit the task.
    """
    check_level(level)
    chosen = criteria_of(criteria, bound.task, provided(bound, models), cost)
    if criteria is None and isinstance(bound, TallyBound):
        chosen = tuple(criterion for criterion in chosen if _held(bound, cohorts, models, criterion))
    ask = _Ask(cohorts, chosen, _reference(cohorts, reference), level, bound.labels, bound.task)
    requests = tuple(dict.fromkeys(request for criterion in chosen for request in criterion.requests))
    wanted = needs(requests, bound, Options(level))
    rows, groups, notes = [], [], [*cohorts.notes, *bound.notes]
    for model in models:
        tally = run_pass(bound, model, cohorts, wanted)
        values = {
            (request, parts): list(_values(request, tally, ask, parts))
            for request, parts in dict.fromkeys((r, len(c.requests)) for c in chosen for r in c.requests)
        }
        n = np.append(tally.n.sum(), tally.n)
        rows += [row for criterion in chosen for row in _rows(model.name, criterion, values, ask)]
        groups += [
            _group_rows(model.name, c, found, n)
            for c in chosen
            for r in c.requests
            for found in values[r, len(c.requests)]
        ]
        notes += left_out(model.name, tally.dropped)
    frame = _frame(rows, ask)
    return FairnessResult(
        frame,
        _groups_frame(groups, cohorts),
        against=OVERALL if ask.reference == -1 else "" if ask.reference is None else ask.name(ask.reference),
        level=level,
        provenance=provenance,
        title=by_title("Fairness", cohorts),
        notes=[*_method_notes(ask, bound), *notes],
        cohort_columns=() if ask.reference is None else tuple(frame.columns[: len(cohorts.names)]),
    )


def _held(bound: TallyBound, cohorts: Cohorts, models: Sequence[Model], criterion: Criterion) -> bool:
    """Whether a tally holds what the criterion needs."""
    try:
        for model in models:
            run_pass(bound, model, cohorts, needs(criterion.requests, bound, Options()))
    except MetricError:
        return False
    return True


def _reference(cohorts: Cohorts, asked: Any) -> int | None:
    """The group that others are compared with: its place, −1 for all rows, None for the extremes."""
    if cohorts.n_cohorts < 2:
        raise CohortError(
            f"Fairness compares groups, and there {_are(cohorts.n_cohorts)}. Pass by= a column with two or more."
        )
    if cohorts.views is not None:
        raise CohortError(
            "Groups must not overlap: by= a column or a list of columns (their intersections); ask once for each column."
        )
    if cohorts.n_cohorts > MOST_GROUPS:
        raise CohortError(
            f"{cohorts.n_cohorts:,} groups are too many to compare with each other; fold rare ones by min_n=."
        )
    if asked is None:
        return None
    parts = asked if isinstance(asked, tuple | list) else [asked]
    if isinstance(asked, Mapping):
        parts = [asked.get(name) for name in cohorts.names]
    texts = tuple(map(str, parts))
    known = [tuple(map(str, labels)) for labels in zip(*cohorts.labels, strict=True)]
    if texts in known:
        return known.index(texts)
    if asked == OVERALL:
        return -1
    named = ", ".join(repr(group[0] if len(group) == 1 else group) for group in known[:8])
    raise CohortError(
        f"There is no group {asked!r} to compare with. Groups: {named}{', …' * (len(known) > 8)}; or 'overall'."
    )


def _are(n: int) -> str:
    return "is one" if n else "are none"


def _values(request: Request, tally: Any, ask: _Ask, parts: int) -> Iterator[_Values]:
    """A metric in every group, class by class where there are several; one of `parts` metrics of its criterion."""
    groups, whole = (Part(tally, view.positions, len(view.cohorts)) for view in views_of(ask.cohorts))
    by_class = ask.task == "multiclass" and not request.metric.whole and request.average is None

    def at(part: Part, level: float) -> Estimates:
        return estimate(request, part, Options(level, by_class=by_class), ask.labels, ask.task)

    alone, together, overall = at(groups, ask.level), at(groups, ask.joint(parts)), at(whole, ask.level)
    rest = at(Complement(groups, whole), ask.joint(parts)) if ask.reference == -1 else None
    texts = {"": 0}
    codes = np.atleast_2d(alone.notes(texts))
    said = list(texts)
    for row, (mine, joint, every) in enumerate(zip(*map(_by_row, (alone, together, overall)), strict=True)):
        found = Estimates(mine[0], mine[1], mine[2], mine[0], "")
        drawn = pool(request, found, ask.level)
        yield _Values(
            request,
            ask.labels[row] if by_class else None,
            mine,
            joint,
            np.atleast_2d(alone.support)[row],
            (drawn.value, drawn.low, drawn.high),
            tuple(said[code] for code in codes[row]),
            every,
            None if rest is None else _by_row(rest)[row],
        )


def _by_row(found: Estimates) -> list[Triple]:
    parts = [np.atleast_2d(part) for part in (found.value, found.low, found.high)]
    return [(parts[0][row], parts[1][row], parts[2][row]) for row in range(len(parts[0]))]


def _rows(
    model: str, criterion: Criterion, values: Mapping[tuple[Request, int], list[_Values]], ask: _Ask
) -> Iterator[dict[str, Any]]:
    """Rows of the frame of one criterion: one (per class), or one per group beside a reference."""
    for parts in zip(*(values[request, len(criterion.requests)] for request in criterion.requests), strict=True):
        start = {"model": model, "class": parts[0].label, "criterion": criterion.name}
        if ask.reference is None:
            yield {**start, **_worst([_between_extremes(part, ask, criterion) for part in parts])}
            continue
        beside = [_beside(part, ask, criterion) for part in parts]
        for group in range(ask.cohorts.n_cohorts):
            if group != ask.reference:
                one = [{key: column[group] for key, column in table.items()} for table in beside]
                yield {**start, "place": group + 1, **(_worst_of_signed(one) if len(one) > 1 else one[0])}


def _between_extremes(values: _Values, ask: _Ask, criterion: Criterion) -> dict[str, Any]:
    """The greatest difference and the least ratio of any two groups of one metric."""
    used = np.flatnonzero(values.defined)
    missing = [f"{ask.name(int(i))} ({values.why[i] or 'not defined'})" for i in np.flatnonzero(~values.defined)]
    note = [f"left out: {'; '.join(missing[:5])}{'; …' * (len(missing) > 5)}"] if missing else []
    names = ("difference", "difference_low", "difference_high", "ratio", "ratio_low", "ratio_high")
    row: dict[str, Any] = {
        **dict.fromkeys(names, np.nan),
        "difference_corrected": np.nan,
        "group_low": "",
        "group_high": "",
    }
    row |= {"value_low": np.nan, "value_high": np.nan, "metric": values.request.label}
    if len(used) < 2:
        return {**row, "note": "; ".join(["fewer than two groups have a value", *note])}
    alone, together, drawn = (_taken(triple, used) for triple in (values.alone, values.together, values.pooled))
    bad = np.isnan(alone[1] + together[1])
    low, high = int(np.argmin(alone[0])), int(np.argmax(alone[0]))
    none = (np.nan, np.nan, np.nan)
    for part, found in (
        (names[:3], greatest(alone, together)),
        (names[3:], least_ratio(alone, together) if criterion.has_ratio else none),
    ):
        row |= dict(zip(part, (found[0], *none[1:]) if bad.any() else found, strict=True))
    limits = values.request.metric.range
    row["difference_high"] = min(row["difference_high"], limits[1] - limits[0])
    if bad.any():
        note.append(f"no interval: {ask.name(int(used[np.argmax(bad)]))} has none")
    elif np.isfinite(alone[2] - alone[1]).all() and not np.isnan(drawn[0]).any():
        row["difference_corrected"] = max(row["difference"] - max(excess(alone, drawn[0], ask.level), 0.0), 0.0)
    if not criterion.has_ratio:
        note.append("no ratio of numbers that may be negative")
    elif np.isnan(row["ratio"]):
        note.append("no ratio: every group is 0")
    row |= {"group_low": ask.name(int(used[low])), "group_high": ask.name(int(used[high]))}
    return {**row, "value_low": alone[0][low], "value_high": alone[0][high], "note": "; ".join(note)}


def _taken(triple: Triple, used: npt.NDArray[np.intp]) -> Triple:
    return triple[0][used], triple[1][used], triple[2][used]


def _worst(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several metrics the one that differs most, with bounds that hold for the greatest; its ratio is the least.

    The lower bound of the greatest is the greatest lower bound, the upper one the greatest upper bound; likewise of ratios.
    """
    if len(rows) == 1:
        return rows[0]
    gaps = np.array([row["difference"] for row in rows])
    said = [f"{row['metric']} {row['note']}" for row in rows if row["note"]]
    if np.isnan(gaps).all():
        return {**rows[0], "note": "; ".join(said)}
    row = dict(rows[int(np.nanargmax(gaps))])
    names = ("difference", "difference_low", "difference_high", "difference_corrected")
    row |= {key: float(np.fmax.reduce([one[key] for one in rows])) for key in names}
    row |= {key: float(np.fmin.reduce([one[key] for one in rows])) for key in ("ratio", "ratio_low", "ratio_high")}
    return {**row, "note": "; ".join([f"the greater is {row['metric']}", *said])}


def _beside(values: _Values, ask: _Ask, criterion: Criterion) -> dict[str, Any]:
    """Signed difference and ratio of every group to the reference, at the level that holds for all groups together."""
    mine = values.together
    if values.rest is None:
        assert ask.reference is not None
        other = tuple(np.repeat(part[ask.reference], len(part)) for part in mine)
        gap, quotient = difference(mine, other), ratio(mine, other)  # type: ignore[arg-type]
    else:
        gap, quotient = _to_overall(values)
        other = tuple(np.repeat(part, len(mine[0])) for part in values.overall)
    if not criterion.has_ratio:
        quotient = tuple(np.full(len(mine[0]), np.nan) for _ in range(3))  # type: ignore[assignment]
    beside = ask.name(ask.reference) if ask.reference is not None and ask.reference >= 0 else OVERALL
    names = np.array([ask.name(i) for i in range(len(mine[0]))], dtype=object)
    above = gap[0] > 0
    columns: dict[str, Any] = dict(zip(("difference", "difference_low", "difference_high"), gap, strict=True))
    columns |= dict(zip(("ratio", "ratio_low", "ratio_high"), quotient, strict=True))
    columns |= {"group_low": np.where(above, beside, names), "group_high": np.where(above, names, beside)}
    columns |= {"value_low": np.minimum(mine[0], other[0]), "value_high": np.maximum(mine[0], other[0])}
    columns["metric"] = np.full(len(mine[0]), values.request.label, dtype=object)
    missing = "the group to compare with has no value" if np.isnan(other[0]).all() else ""
    columns["note"] = np.array([missing or why for why in values.why], dtype=object)
    return columns


def _to_overall(values: _Values) -> tuple[Triple, Triple]:
    """Differences and ratios to all rows, of which a group is a part: those to the other rows, shrunk by their share."""
    assert values.rest is not None
    mine, overall = values.together, values.overall[0]
    gap, low, high = difference(mine, values.rest)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(gap != 0, (mine[0] - overall) / gap, 1 - values.support / values.support.sum())
        share = np.clip(np.where(np.isfinite(share), share, 1.0), 0, 1)
        quotient, *ends = ratio(mine, values.rest)
        scaled = [
            1 / (share / end + 1 - share) for end in (quotient, *ends)
        ]  # overall = share · rest + (1 − share) · group
        of_all = np.where((overall == 0) & (mine[0] == 0), np.nan, mine[0] / overall)
    moved = mine[0] - overall
    return (moved, moved - share * (gap - low), moved + share * (high - gap)), (of_all, scaled[1], scaled[2])


def _worst_of_signed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The greater of the absolute differences of two metrics, and the lesser of their ratios (or of 1 over them)."""
    sized = []
    for row in rows:
        low, high = row["difference_low"], row["difference_high"]
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.array([row["ratio"], row["ratio_low"], row["ratio_high"]])
            least = np.fmin(ends, 1 / ends)
        holds_one = ends[1] <= 1 <= ends[2]
        sized.append(
            row
            | {
                "difference": abs(row["difference"]),
                "difference_low": np.nan if np.isnan(low) else max(low, -high, 0.0),
                "difference_high": np.nan if np.isnan(low) else max(-low, high),
                "difference_corrected": np.nan,
                "ratio": least[0],
                "ratio_low": min(least[1:]) if np.isfinite(least[1:]).all() else np.nan,
                "ratio_high": 1.0 if holds_one else np.fmax(*least[1:]),
            }
        )
    found = _worst(sized)
    found.pop("difference_corrected")
    return found


def _frame(rows: list[dict[str, Any]], ask: _Ask) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    if frame["class"].isna().all():
        frame = frame.drop(columns="class")
    order = [
        *("model", "class", "criterion", "difference", "difference_low", "difference_high", "difference_corrected"),
        *("ratio", "ratio_low", "ratio_high", "group_low", "group_high", "value_low", "value_high", "note"),
    ]
    columns = {name: frame[name].to_numpy() for name in order if name in frame}
    if ask.reference is None:
        return pd.DataFrame(columns)
    return framed(ask.cohorts, frame["place"].to_numpy(), columns).drop(columns="is_overall")


def _group_rows(model: str, criterion: Criterion, values: _Values, n: Floats) -> dict[str, Any]:
    """Values of one metric overall and in every group, raw and drawn together."""
    size = len(values.support) + 1

    def wide(overall: Any, groups: Floats) -> Floats:
        return np.concatenate([overall, groups])

    columns: dict[str, Any] = {"model": [model] * size, "criterion": [criterion.name] * size}
    columns |= {"metric": [values.request.label] * size, "class": [values.label] * size}
    parts = zip(values.overall, values.alone, values.pooled, strict=True)
    for (name, drawn), (whole, alone, pooled) in zip(
        (("value", "pooled"), ("ci_low", "pooled_low"), ("ci_high", "pooled_high")), parts, strict=True
    ):
        columns |= {name: wide(whole, alone), drawn: wide(whole, pooled)}
    columns |= {"n": n, "support": wide([np.nansum(values.support)], values.support), "note": ["", *values.why]}
    return columns


def _groups_frame(groups: list[dict[str, Any]], cohorts: Cohorts) -> pd.DataFrame:
    names = (
        "model",
        "criterion",
        "metric",
        "class",
        "value",
        "ci_low",
        "ci_high",
        "pooled",
        "pooled_low",
        "pooled_high",
    )
    columns: dict[str, Any] = {}
    for name in (*names, "n", "support", "note"):
        together = [item for part in groups for item in part[name]]
        columns[name] = together
    if all(label is None for label in columns["class"]):
        del columns["class"]
    for name in ("model", "criterion", "metric", "note"):
        codes, texts = pd.factorize(np.array(columns[name], dtype=object))
        columns[name] = as_texts(list(texts), codes)
    size = cohorts.n_cohorts + 1
    return framed(cohorts, np.tile(np.arange(size), len(groups)), columns)


def _method_notes(ask: _Ask, bound: Bound) -> Iterator[str]:
    groups = ask.cohorts.n_cohorts
    if ask.reference is None:
        yield (
            f"The extremes of {groups} groups: even equal groups would differ by chance, so the lower bounds allow for all pairs"
            " (Tukey), and `difference_corrected` is the difference less what noise alone adds on average."
        )
    else:
        beside = "all rows" if ask.reference == -1 else ask.name(ask.reference)
        yield f"Each group less {beside}; the intervals of a criterion hold together for all groups (Šidák)."
    if bound.roles.cluster or bound.roles.unit:
        yield "Groups are taken as independent of each other; clusters within a group are allowed for."
