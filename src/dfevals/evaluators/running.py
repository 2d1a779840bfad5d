"""Run the systems under test over a frame: a long evaluation frame, resumable, the same rows and seeds for all."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dfevals.evaluators.answers import is_cut_off, read_answer, without_thinking
from dfevals.evaluators.caching import Cache, content_key
from dfevals.evaluators.concurrency import RateLimit, TimedOut, stream, stream_async
from dfevals.evaluators.fingerprints import stable_repr
from dfevals.evaluators.prompts import PromptTemplate
from dfevals.evaluators.secret_formats import redacted
from dfevals.evaluators.values import is_missing, json_text, plain, text_column
from dfevals.exceptions import DataError, RoleError, did_you_mean
from dfevals.words import whole_characters

__all__ = ["run"]

_MADE = ("model", "response", "tool_calls", "latency", "tokens", "error", "attempt")
_TOLD = ("cost", "finish_reason")  # columns that are there where any system tells them


def run(
    df: pd.DataFrame,
    systems: Mapping[str, Callable[..., Any]],
    *,
    max_concurrency: int = 8,
    cache: str | Path | None = None,
    retries: int = 2,
    timeout: float | None = None,
    rate_limit: float | None = None,
    backoff: float = 0.5,
    progress: bool = True,
    random_state: int | None = None,
    id: str | None = None,
    drop_thinking: bool = False,
) -> pd.DataFrame:
    """Call every system on every row.

    Parameters
    ----------
    df : DataFrame
        The rows; not changed.
    systems : mapping of name to callable
        Plain or async functions, objects with `invoke`, or a `PromptTemplate`. Parameters named as columns get those cells; `row`, or a
        single parameter of another name, gets the row as a mapping; `seed` gets the row's seed. It returns a text, an
        answer as OpenAI (chat completions, responses), Anthropic, Gemini, Bedrock, Cohere, Ollama and LangChain give it,
        or a mapping with "response" and, if known, "tool_calls", "tokens", "cost" and "finish_reason".
    max_concurrency : int
        Calls at once.
    cache : path, optional
        SQLite file: each answer is stored as it comes, so that a killed run repeats no answered call; it is looked at
        again before each call, so that kernels may share it. Errors are tried again; rows with cells that cannot be
        written exactly (frames, functions, objects of unknown classes) are not kept. A system is known by its name, its code, and the texts, numbers and functions that it reads; what it gets
        from lists, dicts and other objects is not seen, so give it another name when that changes.
    retries : int
        Further tries after an exception, with growing pauses.
    timeout : float, optional
        Seconds for one row, its retries included; a call that takes longer is an error of its row.
    rate_limit : float, optional
        Calls a second, over all systems.
    backoff : float
        Seconds before the first retry.
    progress : bool
        Show a bar for work that takes more than half a second.
    random_state : int, optional
        Base of the seeds; the seed of a row is the same for all systems.
    id : str, optional
        Column that identifies a row. Without it the index becomes the column `id` where there is none.
    drop_thinking : bool
        Leave out reasoning that stands before an answer in `<think>` or `<thinking>` tags: no text that is compared as
        a whole (`ExactMatch`, JSON) agrees with it. The cache keeps it. Blocks that a provider marks as reasoning or
        as commentary are never part of the response.

    Returns
    -------
    DataFrame
        One row per system and row of `df`, systems one after another: the columns of `df`, `id`, and `model`, `response`,
        `tool_calls` (JSON text), `latency` (seconds of the last try), `tokens` (read and written, those of caches
        included), `error`, `attempt` (tries made), and, where any system tells it, `cost` and `finish_reason` (why the
        answer ended, in the provider's words). `attrs["dfevals_run"]` holds the settings as JSON and counts, by system:
        `errors`, `cut_off` (answers that ended at a limit of tokens: "length", "max_tokens", …), `thinking` (responses
        that began with reasoning in tags) and `not_cached` (rows whose cells cannot be written exactly).

    Raises
    ------
    DataError
        When a column of that name exists already, or ids are not unique.
    RoleError
        When a parameter names no column.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"question": ["2+2", "3+3"]})
    >>> systems = {"baseline": lambda question: "4", "candidate": lambda row: str(eval_sum(row["question"]))}
    >>> eval_sum = lambda text: sum(int(part) for part in text.split("+"))
    >>> run(df, systems, progress=False)[["id", "model", "response"]].values.tolist()
    [[0, 'baseline', '4'], [1, 'baseline', '4'], [0, 'candidate', '4'], [1, 'candidate', '6']]
    """
    _check(df, systems, retries, id)
    limit = RateLimit(rate_limit)
    seeds = [_seed(random_state, place) for place in range(len(df))]
    frames, thinking, not_cached = [], {}, {}
    with ExitStack() as stack:
        store = None if cache is None else stack.enter_context(Cache(cache))
        for name, function in systems.items():
            system = _System(name, function, df, seeds, retries, backoff, limit)
            kept = _Kept(system, store)
            replies = _replies(system, kept, max_concurrency, timeout, progress)
            not_cached[name] = kept.keys.count(None)
            bare = [reply.without_thinking() for reply in replies]
            thinking[name] = sum(one != two for one, two in zip(replies, bare, strict=True))
            frames.append(_frame(df, name, bare if drop_thinking else replies, id))
    out = pd.concat(frames, ignore_index=True)
    cut_off = out["finish_reason"].map(is_cut_off, na_action="ignore").eq(True)
    out = out.drop(columns=[column for column in _TOLD if out[column].isna().all()])
    out.attrs["dfevals_run"] = json.dumps(
        {
            "systems": {name: stable_repr(function) for name, function in systems.items()},
            "rows": len(df),
            "random_state": random_state,
            "max_concurrency": max_concurrency,
            "retries": retries,
            "timeout": timeout,
            "rate_limit": rate_limit,
            "drop_thinking": drop_thinking,
            "errors": _counts(out["error"].notna(), out["model"]),
            "cut_off": _counts(cut_off, out["model"]),
            "thinking": thinking,
            "not_cached": not_cached,
        }
    )
    return out


def _counts(marked: pd.Series[Any], model: pd.Series[Any]) -> dict[str, int]:
    """Marked rows of each system."""
    return {str(name): int(part.sum()) for name, part in marked.groupby(model, sort=False)}


def _check(df: object, systems: object, retries: int, id: str | None) -> None:
    if not isinstance(df, pd.DataFrame):
        raise DataError(f"run needs a pandas DataFrame, found {type(df).__name__}.")
    if not isinstance(systems, Mapping) or not systems:
        raise DataError('systems must be a mapping of names to functions, such as {"baseline": fn}.')
    for name, function in systems.items():
        if isinstance(function, str):
            raise DataError(
                f"system {name!r} is not callable but a text. A prompt needs a client: dfevals.evaluators.PromptTemplate({function[:40]!r}, "
                "client, model)."
            )
        if isinstance(function, PromptTemplate):
            unknown = next((column for column in function.columns if column not in map(str, df.columns)), None)
            if unknown is not None:
                hint = did_you_mean(unknown, df.columns, noun="Columns")
                raise RoleError(f"system {name!r}: the place {{{unknown}}} of its prompt names no column. {hint}")
        elif not callable(function) and not callable(getattr(function, "invoke", None)):
            raise DataError(f"system {name!r} is not callable: {type(function).__name__}.")
    if not isinstance(retries, int) or retries < 0:
        raise DataError(f"retries={retries!r} must be a whole number of at least 0.")
    if not df.columns.is_unique:
        raise RoleError(f"The frame has two columns called {df.columns[df.columns.duplicated()][0]!r}.")
    clash = next((column for column in (*_MADE, *_TOLD) if column in df.columns), None)
    if clash is not None:
        raise DataError(f"The frame already has a column {clash!r}; rename it: run adds {', '.join((*_MADE, *_TOLD))}.")
    if id is not None:
        if id not in df.columns:
            raise RoleError(f"id column {id!r} is not in the frame. {did_you_mean(id, df.columns, noun='Columns')}")
        if df[id].duplicated().any():
            raise DataError(f"id column {id!r} is not unique: {df[id][df[id].duplicated()].iloc[0]!r} is there twice.")
    elif "id" not in df.columns and not df.index.is_unique:
        raise DataError("The index is not unique, so it cannot identify rows. Name an id column: id=….")


def _seed(random_state: int | None, place: int) -> int | None:
    if random_state is None:
        return None
    return int.from_bytes(hashlib.sha256(f"{random_state}:{place}".encode()).digest()[:4], "big") >> 1


@dataclass(frozen=True, slots=True)
class _Reply:
    """What a system answered to a row."""

    response: str | None = None
    tool_calls: str | None = None
    latency: float | None = None
    tokens: int | None = None
    cost: float | None = None
    error: str | None = None
    attempt: int = 1
    finish_reason: str | None = None

    def without_thinking(self) -> _Reply:
        """The reply without the reasoning before its response."""
        return self if self.response is None else replace(self, response=without_thinking(self.response))


class _System:
    """One system, called on the rows of a frame."""

    def __init__(
        self,
        name: str,
        function: Any,
        df: pd.DataFrame,
        seeds: list[int | None],
        retries: int,
        backoff: float,
        limit: RateLimit,
    ) -> None:
        self.name, self.seeds, self.retries, self.backoff, self.limit = name, seeds, retries, backoff, limit
        self.call = function if callable(function) else function.invoke
        self.is_async = inspect.iscoroutinefunction(self.call) or inspect.iscoroutinefunction(
            getattr(self.call, "__call__", None)  # noqa: B004
        )
        self.style, self.names = _style(name, self.call, df)
        self.fingerprint = f"run|{name}|{stable_repr(self.call)}"
        self.rows = [{str(key): plain(cell) for key, cell in row.items()} for row in df.to_dict("records")]

    def inputs(self, place: int) -> dict[str, Any]:
        """The arguments of the call on a row."""
        row = self.rows[place]
        if self.style == "row":
            return {"row": row}
        special = {"row": row, "seed": self.seeds[place]}
        return {name: row[name] if name in row else special[name] for name in self.names}

    def key(self, place: int) -> str | None:
        """Key of the row in the cache; None where a cell cannot be written exactly."""
        return content_key(self.fingerprint, {"inputs": self.inputs(place), "seed": self.seeds[place]})

    def ask(self, place: int) -> _Reply:
        """The answer to a row, after as many tries as allowed."""
        for attempt in range(1, self.retries + 2):
            if attempt > 1:
                self.limit.wait()  # the first try has had its place in the queue
            started = time.perf_counter()
            try:
                result = self._result(place)
                return replace(_reply(result), latency=time.perf_counter() - started, attempt=attempt)
            except BaseException as error:  # in a thread of its own: nobody else would see it
                failed = _failed(error, time.perf_counter() - started, attempt)
            if attempt <= self.retries:
                time.sleep(self.backoff * 2 ** (attempt - 1))
        return failed

    def _result(self, place: int) -> Any:
        inputs = self.inputs(place)
        return self.call(inputs["row"]) if self.style == "row" else self.call(**inputs)

    async def ask_async(self, place: int) -> _Reply:
        """The same for an async system."""
        for attempt in range(1, self.retries + 2):
            if attempt > 1:
                await asyncio.sleep(self.limit.delay())
            started = time.perf_counter()
            try:
                result = await self._result(place)
                return replace(_reply(result), latency=time.perf_counter() - started, attempt=attempt)
            except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
                failed = _failed(error, time.perf_counter() - started, attempt)
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise  # by a time-out or an interruption, not by the system itself
                failed = _failed(error, time.perf_counter() - started, attempt)
            if attempt <= self.retries:
                await asyncio.sleep(self.backoff * 2 ** (attempt - 1))
        return failed


def _failed(error: BaseException, latency: float, attempt: int) -> _Reply:
    message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return _Reply(error=redacted(message)[:500], latency=latency, attempt=attempt)


def _style(name: str, call: Callable[..., Any], df: pd.DataFrame) -> tuple[str, tuple[str, ...]]:
    """Whether a system takes the row or named cells, and which."""
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError):
        return "row", ()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    needed = [p.name for p in named if p.default is p.empty]
    known = {*map(str, df.columns), "row", "seed"}
    unknown = [parameter for parameter in needed if parameter not in known]
    if not unknown and needed:
        return "names", tuple(p.name for p in named if p.name in known)
    alone = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    if len(alone) == 1:
        hint = did_you_mean(alone[0].name, map(str, df.columns)) if unknown else ""
        if not hint:
            return "row", ()
        raise RoleError(f"system {name!r}: its parameter {alone[0].name!r} names no column. {hint}")
    what = unknown[0] if unknown else "*args"
    hint = did_you_mean(what, df.columns, noun="Columns")
    raise RoleError(f"system {name!r}: its parameter {what!r} names no column. {hint}")


def _reply(result: Any) -> _Reply:
    """What a system returned, read into one form.

    Raises
    ------
    DataError
        When it returned nothing, or what is no answer.
    """
    if isinstance(result, Iterator):
        result = _joined(result)
    if is_missing(result):
        raise DataError("the system returned nothing (None).")
    if isinstance(result, str):
        return _Reply(response=result, tool_calls="[]")
    answer = read_answer(result)
    if answer is not None:
        return _Reply(
            response=answer.text or "",
            tool_calls=json_text(list(answer.tool_calls)),
            tokens=answer.tokens,
            cost=answer.cost,
            finish_reason=answer.finish_reason,
        )
    if hasattr(result, "model_dump"):
        result = result.model_dump()
    elif is_dataclass(result) and not isinstance(result, type):
        result = asdict(result)
    if not isinstance(result, Mapping | bool | int | float | list | tuple | np.ndarray | np.generic):
        raise DataError(
            f"the system returned a {type(result).__name__}, which is no answer. Return the text, or a mapping with "
            "'response'."
        )
    return _Reply(response=json_text(result), tool_calls="[]")


def _joined(stream: Iterator[Any]) -> str:
    """The text of a stream of texts."""
    parts = list(stream)
    if not parts or not all(isinstance(part, str) for part in parts):
        kind = type(parts[0]).__name__ if parts else "nothing"
        raise DataError(
            f"the system returned a stream of {kind}. Collect it and return the whole answer, or ask without stream=True."
        )
    return "".join(parts)


def _numbered(keys: Iterable[str | None]) -> list[str | None]:
    """Keys of which equal ones are told apart by their order: trials of one question are calls of their own."""
    seen: Counter[str | None] = Counter()
    found: list[str | None] = []
    for key in keys:
        found.append(f"{key}#{seen[key]}" if key is not None and seen[key] else key)
        seen[key] += 1
    return found


class _Kept:
    """The answers of a system in the cache, if there is one."""

    def __init__(self, system: _System, store: Cache | None) -> None:
        self.store = store
        self.keys = [] if store is None else _numbered(system.key(place) for place in range(len(system.rows)))

    def get(self, places: Iterable[int]) -> dict[int, _Reply]:
        """The answers that are there."""
        if self.store is None:
            return {}
        keys = {place: key for place in places if (key := self.keys[place]) is not None}
        known = self.store.get(keys.values())
        return {place: _Reply(**known[key]) for place, key in keys.items() if key in known}

    def put(self, place: int, reply: _Reply) -> _Reply:
        """Store an answer in the thread that has it: once it is there, nothing that happens elsewhere loses it."""
        key = None if self.store is None else self.keys[place]
        if self.store is not None and key is not None and reply.error is None:
            self.store.put({key: asdict(reply)})
        return reply


def _replies(system: _System, kept: _Kept, max_concurrency: int, timeout: float | None, progress: bool) -> list[_Reply]:
    """The answers of a system to all rows; each is stored as it comes."""
    from tqdm.auto import tqdm

    n = len(system.rows)
    found = kept.get(range(n))
    left = [place for place in range(n) if place not in found]
    failures = 0
    bar = tqdm(total=n, initial=n - len(left), desc=system.name, disable=not progress, delay=0.5, leave=False)
    try:
        with closing(_calls(system, left, kept, max_concurrency, timeout)) as calls:
            for number, result in calls:
                place = left[number]
                reply = _Reply(error=result.message, attempt=1) if isinstance(result, TimedOut) else result
                found[place] = reply
                if reply.error is not None:
                    failures += 1
                    bar.set_postfix(errors=failures, refresh=False)
                bar.update()
    finally:
        bar.close()
    return [found[place] for place in range(n)]


def _calls(
    system: _System, left: list[int], kept: _Kept, max_concurrency: int, timeout: float | None
) -> Generator[tuple[int, _Reply | TimedOut]]:
    """The calls that are left, as they come; before each the cache is looked at again: another kernel may share it."""
    bounds: Any = {"max_concurrency": max_concurrency, "timeout": timeout, "limit": system.limit}

    def ask(number: int) -> _Reply:
        place = left[number]
        return kept.get([place]).get(place) or kept.put(place, system.ask(place))

    async def ask_async(number: int) -> _Reply:
        place = left[number]
        return kept.get([place]).get(place) or kept.put(place, await system.ask_async(place))

    return stream_async(ask_async, len(left), **bounds) if system.is_async else stream(ask, len(left), **bounds)


def _frame(df: pd.DataFrame, name: str, replies: list[_Reply], id: str | None) -> pd.DataFrame:
    """The part of the long frame of one system."""
    part = df.reset_index(drop=True)
    if id is None and "id" not in part.columns:
        part.insert(0, "id", df.index.to_numpy())
    columns: dict[str, Any] = {"model": whole_characters(name) if isinstance(name, str) else name}
    for column, values in _columns(replies):
        columns[column] = values
    return part.assign(**columns)


def _columns(replies: list[_Reply]) -> Iterator[tuple[str, Any]]:
    for column in ("response", "tool_calls"):
        yield column, text_column([getattr(r, column) for r in replies])
    yield "latency", np.array([r.latency if r.latency is not None else np.nan for r in replies], dtype=float)
    yield "tokens", pd.array([r.tokens for r in replies], dtype="Int64")
    yield "cost", np.array([r.cost if r.cost is not None else np.nan for r in replies], dtype=float)
    yield "finish_reason", text_column([r.finish_reason for r in replies])
    yield "error", text_column([r.error for r in replies])
    yield "attempt", np.array([r.attempt for r in replies], dtype=np.int64)
