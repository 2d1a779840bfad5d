"""Is the difference real? Models compared on the same rows, on different rows, or as learners over folds (`ev.compare`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.compare.aligned import Aligned, Contender, Pair, align, check_tasks, chosen, contenders
from dfevals.analyses.compare.comparison_result import REST, ComparisonResult, Discordance
from dfevals.analyses.compare.gaps import joint_needs
from dfevals.analyses.compare.leaderboard import leaderboard_of_folds, leaderboard_of_rows
from dfevals.analyses.compare.mix import mix_frame
from dfevals.analyses.compare.paired import OF_MEANS, TESTS, paired
from dfevals.analyses.compare.traffic import rows_per_cohort, traffic_note
from dfevals.analyses.compare.units import of_units, paired_units, units_note
from dfevals.analyses.compare.verdicts import Compared, check_margins, decide, margin_of, simpson
from dfevals.analyses.folds.learners import FOLD_TESTS, by_folds
from dfevals.analyses.folds.per_fold import find_folds, fold_values
from dfevals.cohorts import Cohorts
from dfevals.engines import collect
from dfevals.engines.held import TallyBound
from dfevals.estimates.asked import needs, requested, undecided, views_of
from dfevals.estimates.estimate import Complement, Options, Part
from dfevals.estimates.tested import Tested, TestOptions, joined
from dfevals.estimates.unpaired import UNPAIRED_TESTS, unpaired
from dfevals.exceptions import DataError, MetricError, RoleError, check_choice
from dfevals.inference.levels import check_level
from dfevals.inference.multiple import CORRECTIONS
from dfevals.inference.seeds import check_resamples
from dfevals.metrics.planning import needs_of
from dfevals.metrics.registry import Request
from dfevals.needs import Moments
from dfevals.results.tidy import by_title, framed, left_out
from dfevals.roles.bound import Bound

__all__ = ["compare"]

Floats = npt.NDArray[np.float64]
ALL_TESTS = tuple(dict.fromkeys(("auto", *TESTS, *UNPAIRED_TESTS, *FOLD_TESTS)))


@dataclass(frozen=True)
class _Question:
    """What is compared, and how."""

    bound: Bound
    cohorts: Cohorts
    requests: tuple[Request, ...]
    options: TestOptions
    correction: str | None
    margin: float | Mapping[str, float] | None
    provenance: Any

    @property
    def size(self) -> int:
        return self.cohorts.n_cohorts + 1

    @property
    def of_rows(self) -> tuple[Request, ...]:
        """Metrics of rows; those of tasks with repeated trials are compared by task."""
        return tuple(request for request in self.requests if not of_units(request, self.bound))


def compare(
    bound: Bound,
    cohorts: Cohorts,
    a: Any = None,
    b: Any = None,
    metrics: Any = None,
    *,
    test: str = "auto",
    correction: str | None = "holm",
    margin: float | Mapping[str, float] | None = None,
    level: float = 0.95,
    unit: str | None = None,
    against: str | None = None,
    n_resamples: int = 1000,
    random_state: Any = 0,
    provenance: Any = None,
) -> ComparisonResult:
    """Compare contenders; see `Evaluation.compare` for the parameters.

    Raises
    ------
    RoleError, MetricError, DataError
        There is nothing to compare, a test does not fit, or ids cannot be matched.
    """
    check_level(level)
    check_choice("test", test, ALL_TESTS, MetricError)
    check_resamples(n_resamples, least=1 if test == "bootstrap" else 0)
    check_choice("correction", "none" if correction is None else correction, CORRECTIONS, DataError)
    if unit is not None:
        check_choice("unit", unit, ("rows", "folds"), MetricError)
    known = contenders(bound)
    names = [name for name in (a, b) if name is not None]
    requests = requested(bound, bound.models, metrics)
    check_margins(margin, requests)
    options = TestOptions(level, test, int(n_resamples), random_state)
    question = _Question(bound, cohorts, requests, options, correction, margin, provenance)
    if against is not None:
        check_choice("against", against, ("complement",), MetricError)
        return _against_complement(question, chosen(known, names) if names else known)
    if len(known) < 2:
        raise RoleError(
            f"There is one model ({known[0].name!r}), so there is nothing to compare it with. "
            "Declare several (y_score={'a': …, 'b': …}), or compare cohorts: ev.compare(by='…', against='complement')."
            if known
            else "There are no predictions to compare. Pass y_pred= or y_score=."
        )
    sides = chosen(known, names) if len(names) > 1 else _ordered(chosen(known, names), known)
    pairs = [(0, j) for j in range(1, len(sides))] if len(names) == 1 else list(combinations(range(len(sides)), 2))
    check_tasks(bound, sides)
    if _by_folds(bound, sides, test, unit):
        return _learners(question, sides, pairs)
    if all(of_units(request, bound) for request in requests):
        return _trials(question, sides, pairs)
    rows = align(bound, sides)
    if isinstance(rows, str):
        return _unpaired(question, sides, pairs, rows)
    if metrics is None and isinstance(bound, TallyBound):
        question, rows = _without_rows(question, rows)
    return _paired(question, rows, pairs, sides)


def _without_rows(question: _Question, rows: Aligned) -> tuple[_Question, Aligned]:
    """Without the metrics whose paired test reads rows, where a tally is asked for all that it can show."""
    kept = tuple(request for request in question.requests if joint_needs(request, question.bound))
    lost = [request.label for request in question.requests if request not in kept]
    if not kept or not lost:
        return question, rows
    note = f"Left out, because their paired tests read rows and a tally holds none: {', '.join(lost)}."
    return replace(question, requests=kept), replace(rows, unmatched=(*rows.unmatched, note))


def _ordered(first: tuple[Contender, ...], known: tuple[Contender, ...]) -> tuple[Contender, ...]:
    return (*first, *(c for c in known if c not in first))


def _by_folds(bound: Bound, sides: tuple[Contender, ...], test: str, unit: str | None) -> bool:
    """Whether learners are compared over folds: with a fold role, unless rows or a test of rows are asked for."""
    if test in FOLD_TESTS or unit == "folds":
        if unit == "rows":
            raise MetricError(f"test={test!r} compares folds, but unit='rows' is asked for. Drop one of the two.")
        if test not in ("auto", *FOLD_TESTS):
            raise MetricError(
                f"test={test!r} compares rows, but unit='folds' is asked for. Tests: {', '.join(FOLD_TESTS)}."
            )
        return True
    return bound.roles.fold is not None and unit is None and test == "auto" and bound.roles.release is None


# The same rows


def _paired(
    question: _Question, rows: Aligned, pairs: list[tuple[int, int]], sides: tuple[Contender, ...]
) -> ComparisonResult:
    found: list[Compared] = []
    discordances = []
    wanted = [need for r in question.of_rows for need in joint_needs(r, question.bound)]
    notes = list(rows.unmatched) if len(rows.names) > 2 else []
    for i, j in pairs:
        pair = rows if len(rows.names) == 2 else rows.pair(i, j)
        both = Pair(pair, question.cohorts, wanted)
        named = f"{rows.names[i]} and {rows.names[j]}: " if len(rows.names) > 2 else ""
        notes += [named + note for note in both.notes]
        tested, n = _pair(question, both)
        found += [
            Compared(r, rows.names[i], rows.names[j], t, n) for r, t in zip(question.of_rows, tested, strict=True)
        ]
        discordances.append(Discordance(both))
        pair.cache.clear()
    by_task, said = _of_tasks(question, sides, pairs)
    found, notes = found + by_task, notes + said
    board = (
        leaderboard_of_rows(question.of_rows, rows, question.cohorts, question.options) if len(rows.names) > 2 else None
    )
    rows.cache.clear()
    unranked = [r.label for r in question.of_rows if board is not None and r.label not in board.blocks]
    if unranked and not question.bound.has_rows:
        notes.append(f"Ranks and winners by {', '.join(unranked)} read rows, which a tally does not hold.")
    roles = question.bound.roles
    if roles.fold is not None:
        notes.append(
            "Rows are compared: this is about these fitted models on these rows. Rows of other folds share training rows, so "
            "as a test of learners it finds too much (size .07 to .165 in simulations); unit='folds' tests learners."
        )
    if question.bound.cluster is not None:
        notes.append(f"{question.bound.dependence} are not independent: all tests are cluster-robust.")
    notes += _unjudged_notes(question, found, is_paired=True)
    return _result(question, found, True, f"Paired: {rows.why}.", notes, discordances, board)


def _pair(question: _Question, pair: Pair) -> tuple[list[Tested], Floats]:
    """Every metric of one pair, overall first, one view of the cohorts at a time."""
    pieces: list[list[tuple[Any, Tested]]] = [[] for _ in question.of_rows]
    n = np.zeros(question.size)
    for at, view in pair.views():
        for i, request in enumerate(question.of_rows):
            pieces[i].append((at, paired(request, view, question.options)))
        n[at] = view.counts()
    return [joined(parts, question.size) for parts in pieces], n


# The same tasks


def _of_tasks(
    question: _Question, sides: tuple[Contender, ...], pairs: list[tuple[int, int]]
) -> tuple[list[Compared], list[str]]:
    """Metrics of repeated trials, pair by pair, and what to say of each."""
    found, notes = [], []
    for i, j in pairs:
        for request in question.requests:
            if of_units(request, question.bound):
                both = (sides[i], sides[j])
                parts, n, lost = paired_units(request, question.bound, question.cohorts, both, question.options)
                found.append(Compared(request, sides[i].name, sides[j].name, joined(parts, question.size), n))
                named = f"{sides[i].name} and {sides[j].name}, " if len(pairs) > 1 else ""
                notes += [named + note for note in units_note(question.bound, request, n, lost)]
    return found, notes


def _trials(question: _Question, sides: tuple[Contender, ...], pairs: list[tuple[int, int]]) -> ComparisonResult:
    """Metrics of repeated trials alone: all is paired by task."""
    check_choice("test", question.options.test, ("auto", *OF_MEANS), MetricError)
    found, notes = _of_tasks(question, sides, pairs)
    notes = question.bound.incomplete_note() + notes
    why = "Paired by task: repeated trials of a task are one value of each side."
    return _result(question, found, True, why, notes, [], None)


# Different rows


def _unpaired(
    question: _Question, sides: tuple[Contender, ...], pairs: list[tuple[int, int]], why: str
) -> ComparisonResult:
    wanted = needs(question.of_rows, question.bound, Options())
    tallies = [_tally_of(question, side, wanted) for side in sides]
    found = []
    for i, j in pairs:
        tested, n = _two_tallies(question, tallies[i], tallies[j])
        found += [
            Compared(r, sides[i].name, sides[j].name, t, n) for r, t in zip(question.of_rows, tested, strict=True)
        ]
    by_task, said = _of_tasks(question, sides, pairs)
    found += by_task
    notes = said + question.bound.incomplete_note() if sides[0].rows is not None else []
    for side, tally in zip(sides, tallies, strict=True):
        notes += left_out(side.name, tally.dropped)
    if question.bound.cluster is not None:
        notes.append("Each side is cluster-robust; that a cluster may occur on both sides is not used.")
    notes += _unjudged_notes(question, found, is_paired=False)
    traffic = _traffic(question, sides, pairs) if question.bound.roles.model is not None else []
    return _result(question, found, False, f"Unpaired: {why}.", notes, [], None, first=traffic)


def _traffic(question: _Question, sides: tuple[Contender, ...], pairs: list[tuple[int, int]]) -> list[str]:
    """How traffic was split between the arms of a long frame, pair by pair."""
    rows = [rows_per_cohort(question.cohorts, side.rows) for side in sides if side.rows is not None]
    return [traffic_note(sides[i].name, sides[j].name, rows[i], rows[j], question.cohorts.describe) for i, j in pairs]


def _tally_of(question: _Question, side: Contender, wanted: list[Any]) -> Any:
    bound, cohorts = question.bound, question.cohorts
    if side.rows is not None:
        bound = bound.at(side.rows)
        cohorts = replace(cohorts, codes=cohorts.codes[side.rows])
    return collect(bound, side.model, cohorts, wanted)


def _two_tallies(question: _Question, a: Any, b: Any) -> tuple[list[Tested], Floats]:
    bound = question.bound
    pieces: list[list[tuple[Any, Tested]]] = [[] for _ in question.of_rows]
    n = np.zeros(question.size)
    for view in views_of(question.cohorts):
        if not len(view.cohorts):
            continue
        parts = [Part(tally, view.positions, len(view.cohorts)) for tally in (a, b)]
        n[view.cohorts] = sum(part.rows(part.tally.n) for part in parts)
        for i, request in enumerate(question.of_rows):
            pieces[i].append(
                (view.cohorts, unpaired(request, parts[0], parts[1], question.options, bound.labels, bound.task))
            )
    return [joined(piece, question.size) for piece in pieces], n


def _against_complement(question: _Question, sides: tuple[Contender, ...]) -> ComparisonResult:
    """Every cohort against all rows outside it, model by model."""
    bound, cohorts = question.bound, question.cohorts
    if not cohorts.n_cohorts:
        if cohorts.names:
            raise DataError(
                f"No cohort of {', '.join(cohorts.names)} has a row to compare: the frame has {bound.n} rows."
            )
        raise MetricError("against='complement' compares cohorts with the rest. Say which: by='column'.")
    wanted = needs(question.requests, bound, Options())
    found = []
    notes: list[str] = []
    names = np.array(["", *(cohorts.describe(i) for i in range(cohorts.n_cohorts))], dtype=object)
    for side in sides:
        tally = _tally_of(question, side, wanted)
        notes += left_out(side.name, tally.dropped)
        whole = Part(tally, np.zeros(cohorts.n_atoms, np.int64), 1)
        pieces: list[list[tuple[Any, Tested]]] = [[] for _ in question.requests]
        n = np.zeros(question.size)
        for view in views_of(cohorts)[:-1]:
            part = Part(tally, view.positions, len(view.cohorts))
            n[view.cohorts] = part.rows(tally.n)
            for i, request in enumerate(question.requests):
                tested = unpaired(request, part, Complement(part, whole), question.options, bound.labels, bound.task)
                pieces[i].append((view.cohorts, tested))
        several = f" ({side.name})" if len(sides) > 1 else ""
        a, b = (
            np.where(names == "", "", names + several)
            for names in (names, np.where(names == "", "", REST).astype(object))
        )
        found += [
            Compared(r, a, b, joined(piece, question.size), n)
            for r, piece in zip(question.requests, pieces, strict=True)
        ]
    why = "Unpaired: every cohort is compared with all rows outside it, which are different rows."
    return _result(question, found, False, why, notes, [], None, skip_overall=True)


# Learners


def _learners(question: _Question, sides: tuple[Contender, ...], pairs: list[tuple[int, int]]) -> ComparisonResult:
    bound = question.bound
    folds = find_folds(bound)
    if folds.n < 2:
        raise DataError(
            f"There is one fold ({folds.names}), and learners are compared over several. Use unit='rows' to compare the "
            "fitted models on these rows."
        )
    values = [fold_values(bound, side.model, question.cohorts, folds, question.requests) for side in sides]
    found = []
    for i, j in pairs:
        a, b = values[i], values[j]
        n = np.minimum(a.n, b.n)
        for m, request in enumerate(question.requests):
            tested = by_folds(a.value[m], b.value[m], n, folds, question.options, request.label)
            found.append(Compared(request, sides[i].name, sides[j].name, tested, n.sum(axis=1)))
    notes = [f"Values are means over {folds.n} folds; ranking metrics are never pooled over folds."]
    if folds.n_test.max() <= 1:
        notes.append(
            "Every fold holds one row (leave-one-out): ranking metrics and recall are not defined in a fold; unit='rows' compares rows."
        )
    if folds.ragged:
        notes.append("Repeats have different numbers of folds; the mean ratio of test to training rows is used.")
    if question.options.test == "auto":
        notes.append(
            "Folds share training rows, so the t test is corrected for it (Nadeau and Bengio 2003); by name: "
            f"{', '.join(repr(name) for name in FOLD_TESTS[1:])}, or unit='rows' for the rows of these fitted models."
        )
        if folds.n_repeats > 1:
            notes.append(
                "Repeats make no new data: the degrees of freedom are calibrated by simulation, not folds × repeats − 1."
            )
    for side, value in zip(sides, values, strict=True):
        notes += left_out(side.name, value.dropped)
    board = None
    if len(sides) > 2:
        board = leaderboard_of_folds(
            question.requests, [s.name for s in sides], [v.value[:, 0] for v in values], folds, question.options
        )
    per_fold = {side.name: value.value for side, value in zip(sides, values, strict=True)}
    why = f"Paired by fold: learners are compared over {folds.n} folds."
    result = _result(question, found, True, why, notes, [], board)
    result._folds = (folds, per_fold, {r.label: r.better for r in question.requests})
    return result


# The result


def _result(
    question: _Question,
    found: list[Compared],
    is_paired: bool,
    why: str,
    notes: list[str],
    discordances: list[Discordance],
    board: Any,
    *,
    first: Sequence[str] = (),
    skip_overall: bool = False,
) -> ComparisonResult:
    alpha = 1 - question.options.level
    for request in question.requests:
        family = [c for c in found if c.request.label == request.label]
        decide(family, question.correction, alpha, margin_of(question.margin, request))
    frame = pd.concat([_frame(c, question.cohorts) for c in found], ignore_index=True)
    few = np.concatenate([c.tested.few for c in found])
    support = np.concatenate([_support(c.tested, is_paired) for c in found])
    if skip_overall:
        part = ~frame["is_overall"].to_numpy(bool)
        few, support, frame = few[part], support[part], frame[part].reset_index(drop=True)
    warnings = list(dict.fromkeys(text for c in found if (text := simpson(c, question.cohorts.describe))))
    tests = len(found) // len(question.requests)
    left = undecided(question.bound, question.bound.models)
    facts = [*warnings, why, *first, *question.cohorts.notes, *left, *notes]
    notes = [*facts, *_correction_note(question, tests)]
    margins = {r.label: m for r in question.requests if (m := margin_of(question.margin, r)) is not None}
    for label, margin in margins.items():
        notes.append(f"{label}: equivalent means within ±{margin:g} (two one-sided tests at {alpha:g}).")
    return ComparisonResult(
        frame,
        provenance=question.provenance,
        title=by_title("Comparison", question.cohorts),
        notes=notes,
        cohort_columns=tuple(frame.columns[: len(question.cohorts.names)]),
        paired=is_paired,
        why=why,
        level=question.options.level,
        discordances=discordances,
        board=board,
        mix=partial(mix_frame, found, question.cohorts),
        margins=margins,
        few=few,
        support=support,
        facts=facts,
    )


def _support(tested: Tested, is_paired: bool) -> Floats:
    """Rows, or pairs of rows, on which each difference rests."""
    return tested.support + (0 if is_paired or tested.support_b is None else tested.support_b)


def _unjudged_notes(question: _Question, found: list[Compared], is_paired: bool) -> Iterator[str]:
    """What to know of outcomes: their unit, and how many rows they leave out for want of a value (n counts them)."""
    bound = question.bound
    yield from bound.notes
    if bound.weight is not None:
        return  # the support is then a sum of weights
    for request in question.requests:
        need = needs_of(request.metric, len(bound.labels), bound.task)[0][0]
        if not (isinstance(need, Moments) and need.skip_missing and len(need.functions) == 1):
            continue
        family = [c for c in found if c.request.label == request.label]
        left, n = max((c.n[0] - _support(c.tested, is_paired)[0], c.n[0]) for c in family)
        if left > 0:
            what = "pairs in which one or both have" if is_paired else "rows that have"
            most = "up to " if len(family) > 1 else ""
            yield f"{request.label}: {most}{left:,.0f} of {n:,.0f} {what} no value are left out; n counts them."


def _correction_note(question: _Question, pairs: int) -> Iterator[str]:
    tests = question.cohorts.n_cohorts * pairs
    if tests < 2 and pairs < 2:
        return
    name = {"holm": "Holm", "bh": "Benjamini–Hochberg", "fdr_bh": "Benjamini–Hochberg"}.get(
        str(question.correction), str(question.correction).replace("_", " ")
    )
    if question.correction in (None, "none"):
        yield "p-values are not corrected for the number of tests."
        return
    over = f"{tests:,} tests of cohorts" if question.cohorts.n_cohorts else f"{pairs} pairs of models"
    yield f"p_corrected: {name} over the {over}, for each metric; overall rows are a family of their own."


def _frame(compared: Compared, cohorts: Cohorts) -> pd.DataFrame:
    tested = compared.tested
    size = len(tested.value_a)
    notes = np.full(size, "", dtype=object)
    for mask, text in [*tested.masks, (tested.few, "too few rows for a verdict")]:
        new = mask & np.array([text not in note for note in notes])
        if text and new.any():
            notes[new] = [f"{note}; {text}" if note else text for note in notes[new]]
    return framed(
        cohorts,
        np.arange(size),
        {
            "metric": compared.request.label,
            "a": compared.a,
            "b": compared.b,
            "value_a": tested.value_a,
            "value_b": tested.value_b,
            "difference": tested.gap,
            "ci_low": tested.low,
            "ci_high": tested.high,
            "test": tested.test,
            "statistic": tested.statistic,
            "p_value": tested.p_value,
            "p_corrected": compared.corrected,
            "verdict": pd.Series(compared.verdict).astype(str),
            "n": compared.n.astype(np.int64),
            "note": pd.Series(notes).astype(str),
        },
    )
