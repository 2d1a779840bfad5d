"""Evaluators over a frame: new columns per evaluator, counted errors, a cache, and nothing lost on interruption."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.evaluators.caching import Cache, content_key
from dfevals.evaluators.concurrency import TimedOut, stream, stream_async
from dfevals.evaluators.fingerprints import stable_repr
from dfevals.evaluators.functions import FunctionEvaluator, as_evaluator
from dfevals.evaluators.protocol import Evaluated, Evaluator
from dfevals.evaluators.values import plain, text_column
from dfevals.evaluators.written import exactly
from dfevals.exceptions import DataError, RoleError
from dfevals.roles.declared import Outcome

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Annotation", "annotate"]

_BATCH = 1024
_STEP = 64
_DEFAULT_CONCURRENCY = 8


@dataclass(frozen=True, slots=True)
class Annotation:
    """A frame with evaluations.

    Attributes
    ----------
    frame : DataFrame
        The rows given, in their order, with the new columns; `attrs["dfevals_annotations"]` is the provenance as JSON.
    outcomes : tuple of Outcome
        One per evaluator; a second one, of the verdict column, where the verdict does not follow from the score.
    provenance : dict
        Per evaluator: its fingerprint, the columns read, rows, errors, how many came from the cache, and how many
        cannot be cached because a cell cannot be written exactly (frames, functions, objects of unknown classes).
    """

    frame: pd.DataFrame
    outcomes: tuple[Outcome, ...]
    provenance: dict[str, dict[str, Any]]

    @property
    def errors(self) -> dict[str, int]:
        """Number of failed evaluations per evaluator."""
        return {name: int(entry["errors"]) for name, entry in self.provenance.items()}


def annotate(
    frame: pd.DataFrame,
    evaluators: object,
    *,
    progress: bool = True,
    cache: str | Path | None = None,
    max_concurrency: int | None = None,
    random_state: int | None = None,
) -> Annotation:
    """Evaluate every row and add the results as columns.

    Each evaluator adds `<name>` (score), `<name>_passed`, `<name>_reason` and `<name>_error`; one that marks places of
    the response also adds `<name>_spans`. An evaluation that fails has an error text, no score and no verdict, and the
    other rows are not touched by it.

    Parameters
    ----------
    frame : DataFrame
        Not changed.
    evaluators : evaluator, or list of evaluators
        Instances, classes, names ("groundedness") or functions.
    progress : bool
        Show a bar for work that takes more than half a second.
    cache : path, optional
        SQLite file of results by content, stored at once and looked at again before each call, so that kernels may
        share it; errors are not kept, so that they are tried again.
    max_concurrency : int, optional
        Calls at once, for evaluators that call elsewhere and for functions (8 for the former by default, 1 for the
        latter).
    random_state : int, optional
        Seed for evaluators that draw (judges pass it on).

    Returns
    -------
    Annotation

    Raises
    ------
    RoleError
        When a column is not there.
    DataError
        When two evaluators have one name, or a column of that name exists already.

    Examples
    --------
    >>> import pandas as pd
    >>> from dfevals.evaluators import ExactMatch, annotate
    >>> done = annotate(pd.DataFrame({"response": ["4", None], "reference": ["4", "5"]}), [ExactMatch()])
    >>> done.frame["exact_match"].tolist(), done.errors
    ([1.0, nan], {'exact_match': 1})
    """
    chosen = _evaluators(evaluators)
    sources = [_checked_sources(one, frame) for one in chosen]
    columns: dict[str, pd.Series[Any]] = {}
    provenance: dict[str, dict[str, Any]] = {}
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        store = None if cache is None else stack.enter_context(Cache(cache))
        for one, source in zip(chosen, sources, strict=True):
            job = _Job(one, source, frame, store, max_concurrency, random_state)
            columns.update(job.run(progress))
            provenance[one.name] = job.provenance()
            outcomes += job.outcomes()
    kept = frame.drop(columns=[column for column in columns if column in frame.columns])
    out = kept.assign(**columns)
    before = json.loads(frame.attrs.get("dfevals_annotations", "{}"))
    out.attrs["dfevals_annotations"] = json.dumps({**before, **provenance}, default=str)
    return Annotation(out, tuple(outcomes), provenance)


def _evaluators(given: object) -> list[Evaluator]:
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str | Evaluator | type) else [given]
    found = [as_evaluator(one) for one in listed]
    if not found:
        raise DataError("No evaluator was given.")
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f'Two evaluators are called {name!r}. Give one of them another name: name="…".')
    return found


def _checked_sources(one: Evaluator, frame: pd.DataFrame) -> dict[str, object]:
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"annotate needs a pandas DataFrame, found {type(frame).__name__}.")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise RoleError(f"The frame has two columns called {twice!r}; column names must be unique.")
    made_here = {f"{one.name}{ending}" for ending in ("_passed", "_reason", "_error")} <= set(frame.columns)
    taken = [f"{one.name}{ending}" for ending in ("", "_passed", "_reason", "_error")]
    clash = next((column for column in taken if column in frame.columns), None)
    if clash is not None and not made_here:
        raise DataError(
            f'The frame already has a column {clash!r}. Give the evaluator another name: name="{one.name}_2".'
        )
    return one.sources(list(frame.columns))


class _Job:
    """One evaluator over one frame."""

    def __init__(
        self,
        one: Evaluator,
        sources: dict[str, object],
        frame: pd.DataFrame,
        cache: Cache | None,
        max_concurrency: int | None,
        random_state: int | None,
    ) -> None:
        self.one, self.sources, self.frame, self.cache = one, sources, frame, cache
        self.max_concurrency = max_concurrency
        self.seed = random_state
        self.n = len(frame)
        self.score = np.full(self.n, np.nan)
        self.passed = np.zeros(self.n, dtype=bool)
        self.undecided = np.ones(self.n, dtype=bool)
        self.reason: list[str | None] = [None] * self.n
        self.error: list[str | None] = [None] * self.n
        self.spans: list[str | None] | None = None
        self.from_cache = 0
        self.not_cached = 0
        self.fingerprint = one.fingerprint()
        self.settings = {key: stable_repr(held) if callable(held) else held for key, held in one.settings.items()}

    def run(self, progress: bool) -> dict[str, pd.Series[Any]]:
        """Evaluate all rows; finished work is in the cache even when this is interrupted."""
        from tqdm.auto import tqdm

        bar = tqdm(total=self.n, desc=self.one.name, disable=not progress, delay=0.5, leave=False)
        try:
            for start in range(0, self.n, self._batch_size()):
                self._run_batch(start, min(start + self._batch_size(), self.n), bar)
        finally:
            self.one.close()
            bar.close()
        return self._columns()

    def _batch_size(self) -> int:
        return self.n or 1 if self._concurrent() else _BATCH

    def _concurrent(self) -> bool:
        return self.one.remote or (isinstance(self.one, FunctionEvaluator) and (self.max_concurrency or 1) > 1)

    def _run_batch(self, start: int, stop: int, bar: tqdm[Any]) -> None:
        rows = list(self._rows(start, stop))
        keys: list[str | None] = [None] * len(rows)
        if self.cache is not None or self.one.remote:
            keys = [content_key(f"{self.fingerprint}|{self.seed}", {"": self.settings, **row}) for row in rows]
        if self.cache is not None:
            self.not_cached += keys.count(None)
        known = self._known(keys)
        for place, key in enumerate(keys):
            if key in known:
                self._take(start + place, known[key])
        self.from_cache += (done := sum(key in known for key in keys))
        bar.update(done)
        left = [place for place, key in enumerate(keys) if key not in known]
        failures = 0
        for places, result in self._evaluations(rows, keys, left):
            for place in places:
                self._take(start + place, result)
            if result.error is not None:
                failures += len(places)
                bar.set_postfix(errors=failures, refresh=False)
            bar.update(len(places))

    def _known(self, keys: Iterable[str | None]) -> dict[str | None, Evaluated]:
        """The results that the cache has."""
        wanted = [key for key in keys if key is not None] if self.cache is not None else []
        found = self.cache.get(wanted) if self.cache is not None and wanted else {}
        return {key: _restore(stored) for key, stored in found.items()}

    def _keep(self, results: Mapping[str | None, Evaluated]) -> None:
        """Store results as soon as they are there: a call that was paid for is kept, whatever happens next."""
        if self.cache is not None:
            self.cache.put({key: _stored(one) for key, one in results.items() if key is not None and one.error is None})

    def _evaluations(
        self, rows: list[dict[str, object]], keys: list[str | None], left: list[int]
    ) -> Iterator[tuple[list[int], Evaluated]]:
        """Results with the places that they belong to; the cache is looked at again before each call."""
        if self._concurrent():
            yield from self._at_once(rows, keys, left)
            return
        step = self._step()
        for at in range(0, len(left), step):
            part = left[at : at + step]
            known = self._known(keys[place] for place in part)
            asked = [place for place in part if keys[place] not in known]
            made = self.one.evaluate_batch([rows[place] for place in asked]) if asked else []
            results = dict(zip(asked, made, strict=True))
            self._keep({keys[place]: result for place, result in results.items()})
            self.from_cache += len(part) - len(asked)
            for place in part:
                yield [place], results[place] if place in results else known[keys[place]]

    def _step(self) -> int:
        """Rows between two looks at the cache: one where a row may cost a call, unless rows share calls."""
        kind = type(self.one)
        calls = not kind.__module__.startswith("dfevals.") or any(map(callable, vars(self.one).values()))
        return 1 if calls and kind.evaluate_batch is Evaluator.evaluate_batch else _STEP

    def _at_once(
        self, rows: list[dict[str, object]], keys: list[str | None], left: list[int]
    ) -> Iterator[tuple[list[int], Evaluated]]:
        """Results of calls elsewhere; rows that are equal in all that the evaluator reads are one call."""
        groups: dict[object, list[int]] = {}
        for place in left:
            groups.setdefault(place if keys[place] is None else keys[place], []).append(place)
        places = list(groups.values())
        again: set[int] = set()

        def known(number: int) -> Evaluated | None:
            key = keys[places[number][0]]
            result = self._known([key]).get(key)
            if result is not None:
                again.add(number)
            return result

        def keep(number: int, result: Evaluated) -> Evaluated:
            self._keep({keys[places[number][0]]: result})
            return result

        with closing(self._stream(lambda number: rows[places[number][0]], known, keep, len(places))) as results:
            for number, result in results:
                self.from_cache += len(places[number]) if number in again else 0
                yield places[number], Evaluated.failed(result.message) if isinstance(result, TimedOut) else result

    def _stream(
        self,
        row: Callable[[int], dict[str, object]],
        known: Callable[[int], Evaluated | None],
        keep: Callable[[int, Evaluated], Evaluated],
        count: int,
    ) -> Any:
        one = self.one
        own: int = getattr(one, "max_concurrency", _DEFAULT_CONCURRENCY)
        at_once = own if self.max_concurrency is None else self.max_concurrency
        timeout = getattr(one, "row_timeout", None)
        if isinstance(one, FunctionEvaluator) and one.is_async:

            async def later(number: int) -> Evaluated:
                return known(number) or keep(number, await one.evaluate_async(row(number)))

            return stream_async(later, count, max_concurrency=at_once, timeout=timeout)

        def now(number: int) -> Evaluated:
            return known(number) or keep(number, one.evaluate_row(row(number)))

        return stream(now, count, max_concurrency=at_once, timeout=timeout)

    def _rows(self, start: int, stop: int) -> Iterator[dict[str, object]]:
        constants = dict(self.one.constants)
        if self.seed is not None and getattr(self.one, "takes_seed", False):
            constants["seed"] = self.seed
        part = self.frame.iloc[start:stop]
        names = list(self.sources)
        cells = [part[column].tolist() for column in self.sources.values()]
        wants_row = "row" in self.one.record.all_roles()
        whole = part.to_dict("records") if wants_row else None
        for number in range(len(part)):
            values = dict(constants)
            for name, column in zip(names, cells, strict=True):
                values[name] = plain(column[number])
            if whole is not None:
                values["row"] = whole[number]
            yield values

    def _take(self, place: int, result: Evaluated) -> None:
        if result.error is not None:
            self.error[place] = result.error
            return
        self.score[place] = result.score
        self.reason[place] = result.reason
        if result.passed is not None:
            self.passed[place] = result.passed
            self.undecided[place] = False
        if result.spans is not None:
            if self.spans is None:
                self.spans = [None] * self.n
            self.spans[place] = "[" + ", ".join(f"[{a}, {b}]" for a, b in result.spans) + "]"

    def _columns(self) -> dict[str, pd.Series[Any]]:
        name, index = self.one.name, self.frame.index
        columns = {
            name: pd.Series(self.score, index=index),
            f"{name}_passed": pd.Series(pd.arrays.BooleanArray(self.passed, self.undecided), index=index),
            f"{name}_reason": text_column(self.reason, index),
            f"{name}_error": text_column(self.error, index),
        }
        if self.spans is not None:
            columns[f"{name}_spans"] = text_column(self.spans, index)
        return columns

    def outcomes(self) -> list[Outcome]:
        """How the columns are to be read: the score with its pass mark, and the verdict where that says something else."""
        one, decided = self.one, ~self.undecided
        better: Any = one.better
        error = f"{one.name}_error"
        score, passed = self.score[decided], self.passed[decided]
        limits = self._range(score)
        scored = Outcome(one.name, "score", better, one.pass_at, error, limits)
        if not decided.any():
            return [scored]
        if one.pass_at is not None:
            follows = score >= one.pass_at if better == "higher" else score <= one.pass_at
        else:
            follows = score == 1.0
        if (follows == passed).all() and (one.pass_at is not None or np.isin(score, (0.0, 1.0)).all()):
            return [scored if one.pass_at is not None else Outcome(one.name, "pass", None, None, error)]
        return [
            Outcome(one.name, "score", better, None, error, limits),
            Outcome(f"{one.name}_passed", "pass", None, None, error),
        ]

    def _range(self, score: np.ndarray) -> tuple[float, float] | None:
        """The range that the evaluator's record gives, if it is finite and the scores keep to it."""
        if isinstance(self.one, FunctionEvaluator):  # a user's own, whose range nobody stated
            return None
        low, high = self.one.record.range
        known = np.isfinite([low, high]).all() and (np.isnan(score) | ((score >= low) & (score <= high))).all()
        return (low, high) if known else None

    def provenance(self) -> dict[str, Any]:
        """What was evaluated, how, and how often it failed."""
        return {
            "evaluator": repr(self.one),
            "fingerprint": str(content_key(self.fingerprint, {"": exactly(self.settings)}))[:16],
            "columns": dict(self.sources),
            "rows": self.n,
            "errors": sum(error is not None for error in self.error),
            "from_cache": self.from_cache,
            "not_cached": self.not_cached,
            "random_state": self.seed,
        }


def _stored(result: Evaluated) -> list[Any]:
    score = None if math.isnan(result.score) else result.score
    spans = None if result.spans is None else [list(span) for span in result.spans]
    return [score, result.passed, result.reason, spans]


def _restore(stored: list[Any]) -> Evaluated:
    score, passed, reason, spans = stored
    places = None if spans is None else tuple((int(a), int(b)) for a, b in spans)
    return Evaluated(math.nan if score is None else score, passed, reason, None, places)
