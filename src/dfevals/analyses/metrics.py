"""Metrics per cohort: which cohorts fail, and how sure that is (`ev.metrics`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.compare.together import together
from dfevals.cohorts import Cohorts
from dfevals.engines import collect as run_pass
from dfevals.estimates.asked import needs, requested, undecided, views_of
from dfevals.estimates.estimate import Complement, Estimates, Options, Part, estimate
from dfevals.estimates.intervals import METHODS
from dfevals.estimates.pooled import LEFT_OUT, pool
from dfevals.estimates.tested import Tested, TestOptions, correct_for_looks, joined
from dfevals.estimates.unpaired import unpaired
from dfevals.exceptions import MetricError, check_choice
from dfevals.inference.levels import check_level
from dfevals.inference.seeds import check_resamples
from dfevals.metrics.planning import check_order, needs_of
from dfevals.metrics.registry import Request, find
from dfevals.needs import Cells, Extremes, Moments, Need, Scores
from dfevals.results.provenance import Provenance
from dfevals.results.result import MetricsResult
from dfevals.results.tidy import as_texts, by_title, framed, left_out, whole
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.tally import ModelTally, Tally

__all__ = [
    "collect",
    "measure",
    "summarise",
]

Floats = npt.NDArray[np.float64]
MARKS = ("higher", "lower")  # flags that say that a cohort differs from the rest
PER_CLASS = ("precision", "recall", "f1")
MACRO = "(macro)"
AFFORDABLE = 2_000_000  # rows × cohorts sorted for the complement of a ranking metric without being asked


def _context(
    bound: Bound, models: Iterable[Model], requests: tuple[Request, ...], level: float | None
) -> dict[str, Any]:
    """What questions about a tally must know of the rows beside its numbers."""
    return {
        "weight_kind": bound.roles.weight_kind if bound.roles.sample_weight else None,
        "pos_label": bound.pos_label,
        "level": level,
        "ordered": bound.ordered,
        "notes": bound.notes,
        "rows": bound.n,
        "incomplete": bound.incomplete_counts,
        "dependence": bound.dependence,
        "models": {model.name: _of_model(bound, model, _probable(requests)) for model in models},
    }


def _of_model(bound: Bound, model: Model, probable: bool) -> dict[str, Any]:
    """How a model decides, and how many rows have probabilities that do not sum to one."""
    decides = bound.decides(model)
    cut = decides and model.y_pred is None and bound.task == "binary"
    return {
        "threshold": bound.threshold(model) if cut else None,
        "decides": decides,
        "doubt": bound.doubt(model),
        "unbalanced": bound.unbalanced(model) if probable else 0,
    }


def collect(
    bound: Bound, cohorts: Cohorts, metrics: Any = None, models: Iterable[Model] | None = None, **options: Any
) -> Tally:
    """One pass per model over the rows: the Tally from which metrics follow without the rows."""
    bound = replace(bound, additive=True)
    chosen = tuple(bound.models if models is None else models)
    opts = _options(**options)
    requests = _asked(bound, chosen, metrics, opts)
    wanted = needs(requests, bound, opts)
    tallies = {model.name: run_pass(bound, model, cohorts, wanted) for model in chosen}
    shared = together(bound if models is None else replace(bound, models=chosen), cohorts, requests)
    context = _context(bound, chosen, requests, opts.ci)
    meaning = replace(bound.meaning, models=chosen, additive=False)
    return Tally(cohorts, tallies, bound.task, bound.labels, requests, context, shared, meaning)


def measure(
    bound: Bound,
    cohorts: Cohorts,
    metrics: Any = None,
    *,
    models: Iterable[Model] | None = None,
    relative_to: str | None = None,
    pooled: bool = False,
    provenance: Any = None,
    **options: Any,
) -> MetricsResult:
    """Metrics of every model and cohort; models are read one after another, so that one tally is held at a time."""
    chosen = tuple(bound.models if models is None else models)
    if not chosen:
        raise MetricError("There are no predictions to measure. Pass y_pred= or y_score=.")
    opts = _options(**options)
    requests = _asked(bound, chosen, metrics, opts)
    wanted = needs(requests, bound, opts)

    def tallies() -> Iterator[tuple[str, ModelTally]]:
        for model in chosen:
            yield model.name, run_pass(bound, model, cohorts, wanted)

    notes = [_sums_note(bound, model) for model in chosen] if _probable(requests) else []
    notes += undecided(bound, chosen) if metrics is None else []
    shown = (*filter(None, notes), *bound.notes)
    macro = metrics is None and _has_macro(requests, opts)
    run = _Run(cohorts, requests, bound.task, bound.labels, opts, relative_to, pooled, notes=shown, macro=macro)
    return _result(tallies(), run, provenance)


def _asked(bound: Bound, chosen: tuple[Model, ...], metrics: Any, options: Options) -> tuple[Request, ...]:
    """The metrics asked for; per class the default ones that exist per class, each with its macro average."""
    requests = requested(bound, chosen, metrics)
    instead = _per_class(requests, options) if metrics is None else None
    return requests if instead is None else requested(bound, chosen, instead)


def _per_class(requests: tuple[Request, ...], options: Options) -> list[str] | None:
    """What is shown of classes in the place of the default metrics, where there are decisions."""
    if not options.by_class or all(request.label != "accuracy" for request in requests):
        return None
    return [label for name in PER_CLASS for label in (name, f"{name}_macro")]


def _has_macro(requests: tuple[Request, ...], options: Options) -> bool:
    return options.by_class and any(request.average == "macro" for request in requests)


def _beside_classes(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with macro averages as one more row beside the classes of their metric."""
    macro = frame["metric"].astype(str).str.endswith("_macro").to_numpy(bool)
    stems = frame["metric"].astype(str).str.removesuffix("_macro")
    return frame.assign(**{"metric": stems, "class": frame["class"].mask(macro, MACRO)})


def _probable(requests: Iterable[Request]) -> bool:
    return any("probability" in request.metric.requires for request in requests)


def _sums_note(bound: Bound, model: Model) -> str:
    """What to know about class probabilities that do not sum to one."""
    rows = bound.unbalanced(model)
    if not rows:
        return ""
    return f"{model.name}: the class probabilities of {rows:,} row{'s' * (rows != 1)} do not sum to 1."


def summarise(
    tally: Tally, metrics: Any = None, *, relative_to: str | None = None, pooled: bool = False, **options: Any
) -> MetricsResult:
    """The same result from a tally."""
    opts = _options(**options)
    requests: tuple[Request, ...] = tally.requests
    per_class = _per_class(requests, opts) if metrics is None else None
    metrics = metrics if per_class is None else per_class
    if metrics is not None:
        items = [metrics] if isinstance(metrics, str) or not isinstance(metrics, Iterable) else metrics
        requests = tuple(request for item in items for request in _collected(item, tally.requests))
    if not tally.context.get("ordered", True):
        check_order(requests)
    notes = tuple(tally.context.get("notes", ()))
    macro = per_class is not None and _has_macro(requests, opts)
    run = _Run(tally.cohorts, requests, tally.task, tally.labels, opts, relative_to, pooled, notes=notes, macro=macro)
    return _result(iter(tally.models.items()), run, None)


def _collected(item: Any, requests: tuple[Request, ...]) -> list[Request]:
    """The collected requests that an item means: its own label, or its metric on every outcome; else a new request."""
    for request in requests:
        if request.label == str(item):
            return [request]
    wanted = find(item)
    same = [
        request
        for request in requests
        if request.outcome is not None
        and (request.metric.name, request.negated) == (wanted.metric.name, wanted.negated)
    ]
    return same or [wanted]


def _options(
    ci: float | None = 0.95,
    interval: str = "auto",
    n_resamples: int = 1000,
    random_state: Any = 0,
    by_class: bool = False,
) -> Options:
    check_choice("interval", interval, METHODS, MetricError)
    if ci is not None:
        check_level(ci)
    check_resamples(n_resamples)
    if random_state is None and interval == "bootstrap":
        random_state = np.random.SeedSequence().entropy % 2**32  # type: ignore[operator]
    return Options(ci, interval, int(n_resamples), random_state, by_class)


@dataclass(frozen=True)
class _Run:
    """What is asked of every model's tally; `texts` numbers the notes that were met."""

    cohorts: Cohorts
    requests: tuple[Request, ...]
    task: str
    labels: tuple[Any, ...]
    options: Options
    relative_to: str | None
    pooled: bool = False
    texts: dict[str, int] = field(default_factory=lambda: {"": 0})
    notes: tuple[str, ...] = ()
    macro: bool = False  # macro averages stand as rows beside the classes
    unmarked: dict[str, None] = field(default_factory=dict)  # metrics of which no cohort was compared with the rest
    spreads: list[str] = field(default_factory=list)  # how far cohorts lie apart, where they are pooled

    def estimate(self, request: Request, part: Part, options: Options | None = None) -> Estimates:
        """One metric under one view."""
        return estimate(request, part, options or self.options, self.labels, self.task)

    def needs(self, request: Request) -> list[Need]:
        """What a metric needs."""
        return [need for group in needs_of(request.metric, len(self.labels), self.task) for need in group]


def _result(tallies: Iterator[tuple[str, ModelTally]], run: _Run, provenance: Any) -> MetricsResult:
    cohorts, options, relative_to = run.cohorts, run.options, run.relative_to
    if relative_to is not None:
        check_choice("relative_to", relative_to, ("overall", "complement"), MetricError)
        if options.ci is None:
            raise MetricError("relative_to= compares by intervals; leave level= at one such as 0.95.")
    if run.pooled and (options.ci is None or not cohorts.n_cohorts):
        fix = "leave level= at one such as 0.95" if options.ci is None else "pass by="
        raise MetricError(f"pooled=True draws cohorts together by their intervals; {fix}.")
    blocks: list[_Block] = []
    dropped: dict[str, dict[str, int]] = {}
    for name, tally in tallies:
        dropped[name] = tally.dropped
        blocks += _model_blocks(name, tally, run)
    frame = _frame_of(blocks, run)
    frame = _beside_classes(frame) if run.macro else frame
    flags, doubtful = (
        (np.concatenate([getattr(block, name) for block in blocks]) if blocks else None)
        for name in ("flags", "doubtful")
    )
    notes = [*cohorts.notes, *run.notes, *_unmarked_note(run), *_pooled_note(run)]
    if options.by_class:
        notes.append(
            "Metrics of the whole matrix have no value per class." if any(r.metric.whole for r in run.requests) else ""
        )
    if options.interval == "bootstrap":
        notes.append(f"Percentile bootstrap, {options.n_resamples:,} resamples, random_state={options.random_state!r}.")
    notes += [text for name, reasons in dropped.items() for text in left_out(name, reasons)]
    return MetricsResult(
        frame,
        provenance=_made(provenance, dropped, options),
        title=by_title("Metrics", cohorts),
        notes=[note for note in notes if note],
        cohort_columns=tuple(frame.columns[: len(cohorts.names)]),
        flags=flags,
        doubtful=doubtful,
        level=options.ci,
        dropped={name: sum(reasons.values()) for name, reasons in dropped.items()},
        better={r.label: r.better for r in run.requests if r.better in ("higher", "lower")},
    )


def _unmarked_note(run: _Run) -> Iterator[str]:
    if run.unmarked and run.relative_to is None:
        yield (
            f"No flags for {', '.join(run.unmarked)}: comparing each cohort with all other rows takes long. "
            'relative_to="complement" does it.'
        )


def _pooled_note(run: _Run) -> Iterator[str]:
    if run.pooled:
        yield (
            "`pooled` is partial pooling (empirical Bayes), not the raw value: cohorts of few rows are drawn towards the centre "
            "of all cohorts, as far as their spread beyond sampling error allows."
        )
        yield f"Centre and spread (standard deviation) of the true values: {'; '.join(run.spreads)}."


def _made(provenance: Any, dropped: dict[str, dict[str, int]], options: Options) -> Any:
    """The provenance with what this result adds: rows left out and why, and how intervals were made."""
    if provenance is None:
        return None

    def record() -> dict[str, Any]:
        reasons = [
            f"{name}: {count:,} {why}" for name, found in dropped.items() for why, count in found.items() if count
        ]
        made: dict[str, Any] = {"rows_dropped": "; ".join(reasons) or "none", "level": options.ci}
        made["interval"] = options.interval if options.ci is not None else None
        if options.interval == "bootstrap":
            made |= {"n_resamples": options.n_resamples, "random_state": options.random_state}
        return made

    return (provenance if isinstance(provenance, Provenance) else Provenance(provenance)).adding(record)


@dataclass
class _Block:
    """Numbers of one model, metric (and class) for overall and every cohort."""

    model: str
    metric: str
    label: Any
    value: Floats
    low: Floats
    high: Floats
    n: Floats
    support: Floats
    method: str
    note: npt.NDArray[np.int64]
    flags: npt.NDArray[np.object_]
    doubtful: npt.NDArray[np.bool_]
    extra: dict[str, Any]


def _model_blocks(name: str, tally: ModelTally, run: _Run) -> list[_Block]:
    n = np.zeros(run.cohorts.n_cohorts + 1)
    pieces: list[list[_Piece]] = [[] for _ in run.requests]
    views = views_of(run.cohorts)
    whole = Part(tally, views[-1].positions, 1)
    rows = float(tally.n.sum())
    for view in views:
        if not len(view.cohorts):
            continue
        overall = view is views[-1]
        part = whole if overall else Part(tally, view.positions, len(view.cohorts))
        n[view.cohorts] = part.rows(tally.n)
        rest = None if overall or run.options.ci is None else Complement(part, whole)
        nothing = _nothing(tally, n[view.cohorts], part.rows(tally.weight))
        for found, request in zip(pieces, run.requests, strict=True):
            mine = run.estimate(request, part)
            tested = None if rest is None else _tested(run, request, part, rest, rows, mine)
            found.append(_Piece(view.cohorts, nothing.said(mine), tested))
    return [
        block
        for request, found in zip(run.requests, pieces, strict=True)
        for block in _blocks(name, request, found, n, run)
    ]


@dataclass(frozen=True)
class _Nothing:
    """Cohorts without rows, or whose rows have no weight, and why: the reason of a metric would be beside the point."""

    no_rows: npt.NDArray[np.bool_]
    no_weight: npt.NDArray[np.bool_]
    reason: str

    def said(self, found: Estimates) -> Estimates:
        """The estimates with these reasons in place of the metric's own."""
        nothing = self.no_rows | self.no_weight
        if not nothing.any():
            return found
        masks = [(mask & ~nothing, text) for mask, text in found.masks]
        missing = np.isnan(found.value)
        return replace(
            found, masks=[*masks, (missing & self.no_rows, self.reason), (missing & self.no_weight, "no weight")]
        )


def _nothing(tally: ModelTally, rows: Floats, weight: Floats) -> _Nothing:
    reasons = [reason for reason, count in tally.dropped.items() if count]
    text = "no rows" if reasons or tally.n.any() or not tally.rows_read else "no weight"
    if reasons:
        alone = not tally.n.any() and sum(tally.dropped.values()) == tally.rows_read
        text = f"no rows left: {', '.join(reasons)}" if alone else "no rows that can be judged"
    return _Nothing(rows == 0, (rows > 0) & (weight == 0), text)


@dataclass(frozen=True)
class _Piece:
    """Estimates of the cohorts of one view, and the test of each against the rows outside it."""

    at: npt.NDArray[np.int64]
    mine: Estimates
    tested: Tested | None


def _tested(run: _Run, request: Request, part: Part, rest: Complement, rows: float, mine: Estimates) -> Tested | None:
    """The test of `ev.compare(against="complement")`, where the complement can be had."""
    assert run.options.ci is not None
    if not _compares(run, request, rest, rows):
        run.unmarked[request.label] = None
        return None
    options = TestOptions(level=run.options.ci, by_class=run.options.by_class)
    known = mine if run.options.interval == "auto" else None
    return unpaired(request, part, rest, options, run.labels, run.task, known)


def _compares(run: _Run, request: Request, rest: Complement, rows: float) -> bool:
    """Whether the complement of every cohort can be had: for moments and cells of few classes always, else within reason."""
    needed = run.needs(request)
    if all(isinstance(need, Cells | Moments) for need in needed) and rest.held(needed) <= AFFORDABLE:
        return True
    if run.relative_to is not None and not any(isinstance(need, Extremes) for need in needed):
        return True
    scores = all(isinstance(need, Scores) for need in needed)
    return scores and rows * rest.n_cohorts * len(needed) <= AFFORDABLE


def _blocks(name: str, request: Request, pieces: list[_Piece], n: Floats, run: _Run) -> list[_Block]:
    by_class = pieces[0].mine.value.ndim == 2
    shape = (len(run.labels) if by_class else 1, len(n))
    arrays = {key: np.full(shape, np.nan) for key in ("value", "low", "high", "support")}
    note, few = np.zeros(shape, np.int64), np.zeros(shape, bool)
    for piece in pieces:
        for key, out in arrays.items():
            out[:, piece.at] = getattr(piece.mine, key)
        few[:, piece.at] = piece.mine.few
        note[:, piece.at] = piece.mine.notes(run.texts)
    tests = [(piece.at, piece.tested) for piece in pieces if piece.tested is not None]
    tested = joined(tests, len(n)) if tests else None
    holds = all(piece.mine.holds for piece in pieces)
    method = next((piece.mine.method for piece in pieces if piece.mine.method), "")
    pooled = _pooled(name, request, pieces, arrays, run) if run.pooled else {}
    if pooled:
        left = np.isnan(pooled["pooled"]) & ~np.isnan(arrays["value"])
        note = _noted(note, left, LEFT_OUT, run.texts)
    blocks = []
    for row in range(shape[0]):
        mine = {key: values[row] for key, values in arrays.items()}
        compared = _compared(mine, tested.row(row) if by_class and tested is not None else tested, few[row], run)
        label = run.labels[row] if by_class else None
        flags = compared.pop("flags")
        compared |= {key: values[row] for key, values in pooled.items()}
        doubtful = few[row] & (not holds)
        blocks.append(
            _Block(name, request.label, label, **mine, n=n, method=method, note=note[row], flags=flags,
                   doubtful=doubtful, extra=compared)
        )  # fmt: skip
    return blocks


def _pooled(
    name: str, request: Request, pieces: list[_Piece], arrays: Mapping[str, Floats], run: _Run
) -> dict[str, Floats]:
    """Pooled values of the cohorts, class by class, within groups that do not overlap; overall stays as it is."""
    assert run.options.ci is not None
    names = {"pooled": "value", "pooled_low": "low", "pooled_high": "high"}
    found = {key: arrays[part].copy() for key, part in names.items()}
    for piece in pieces[:-1]:
        for row in range(len(arrays["value"])):
            mine = replace(piece.mine, **{part: arrays[part][row, piece.at] for part in names.values()})
            together = pool(request, mine, run.options.ci)
            for key, part in names.items():
                found[key][row, piece.at] = getattr(together, part)
            label = f" of {run.labels[row]}" if len(arrays["value"]) > 1 else ""
            size = f"{len(piece.at)} cohort{'s' * (len(piece.at) != 1)}"
            run.spreads.append(
                f"{name} {request.label}{label} {together.centre:.4g} and {together.spread:.2g} ({size})"
            )
    return found


def _noted(note: npt.NDArray[np.int64], where: npt.NDArray[np.bool_], text: str, texts: dict[str, int]) -> Any:
    """Codes of notes with one more in some places."""
    said, note = list(texts), note.copy()
    for code in np.unique(note[where]):
        more = "; ".join(filter(None, (said[code], text)))
        note[where & (note == code)] = texts.setdefault(more, len(texts))
    return note


def _compared(
    mine: Mapping[str, Floats], tested: Tested | None, few: npt.NDArray[np.bool_], run: _Run
) -> dict[str, Any]:
    """Flags of the cohorts that differ from the rest (Holm over the cohorts of a metric), and the asked differences.

    The flag is the verdict of the test of the difference to the complement, so that the two never contradict.
    """
    flags = np.array(["", "too few"], dtype=object)[few.astype(np.intp)]
    if run.options.ci is None or run.cohorts.n_cohorts == 0:
        return {"flags": flags}
    none = np.full(len(few), np.nan)
    gap = low = high = p = corrected = reference = none
    if tested is not None:
        gap, low, high, p, reference = tested.gap, tested.low, tested.high, tested.p_value, tested.value_b
        corrected = correct_for_looks([tested], "holm", slice(None))[0]
        corrected = np.where(tested.few & ~np.isnan(p), 1.0, corrected)  # no verdict, so nothing found
    significant = corrected < 1 - run.options.ci
    flags[significant & (gap > 0)] = "higher"
    flags[significant & (gap < 0)] = "lower"
    if run.relative_to is None:
        return {"flags": flags}
    if run.relative_to == "overall":  # a cohort is part of overall: the difference shrinks by the share of the rest
        reference = np.full_like(gap, mine["value"][0])
        with np.errstate(divide="ignore", invalid="ignore"):
            shrink = np.where(gap != 0, (mine["value"] - reference) / gap, 1 - mine["support"] / mine["support"][0])
            shrink = np.clip(np.where(np.isfinite(shrink), shrink, 1), 0, 1)
        difference = mine["value"] - reference
        low, high = difference - shrink * (gap - low), difference + shrink * (high - gap)
        gap = difference
    return {
        "flags": flags,
        "reference": reference,
        "difference": gap,
        "difference_low": low,
        "difference_high": high,
        "p_value": p,
        "p_corrected": corrected,
    }


def _frame_of(blocks: list[_Block], run: _Run) -> pd.DataFrame:
    """The tidy frame; text columns are taken from short arrays of texts."""
    cohorts, repeats = run.cohorts, len(blocks)
    size = cohorts.n_cohorts + 1
    place = np.tile(np.arange(size), repeats)
    of_block = np.repeat(np.arange(repeats), size)
    columns: dict[str, Any] = {
        "model": as_texts([block.model for block in blocks], of_block),
        "metric": as_texts([block.metric for block in blocks], of_block),
    }
    if run.options.by_class:
        columns["class"] = pd.Series([block.label for block in blocks], dtype=object).array.take(of_block)
    for key, attribute in (("value", "value"), ("ci_low", "low"), ("ci_high", "high")):
        columns[key] = np.concatenate([getattr(block, attribute) for block in blocks])
    counts = np.concatenate([block.n for block in blocks])
    columns["n"] = counts.astype(np.int64)
    columns["support"] = whole(np.concatenate([block.support for block in blocks]))
    columns["method"] = as_texts([block.method for block in blocks], of_block)
    columns["note"] = as_texts(list(run.texts), np.concatenate([block.note for block in blocks]))
    columns["is_overall"] = place == 0
    if cohorts.n_cohorts:
        marks = np.concatenate([block.flags for block in blocks])
        columns["flag"] = as_texts(["", *MARKS], sum((marks == mark) * (i + 1) for i, mark in enumerate(MARKS)))
    for key in blocks[0].extra if blocks else ():
        columns[key] = np.concatenate([block.extra[key] for block in blocks])
    return framed(cohorts, place, columns)
