"""Run the systems under test over a frame: a long evaluation frame, resumable, the same rows and seeds for all."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dfevals.evaluators.caching import Cache, content_key
from dfevals.evaluators.concurrency import RateLimit, TimedOut, stream, stream_async
from dfevals.evaluators.fingerprints import stable_repr
from dfevals.evaluators.prompts import PromptTemplate
from dfevals.evaluators.secret_formats import redacted
from dfevals.evaluators.values import is_missing, plain
from dfevals.exceptions import DataError, RoleError, did_you_mean

__all__ = ["run"]

_MADE = ("model", "response", "tool_calls", "latency", "tokens", "error", "attempt")
_OBJECT_KEYS = ("content", "tool_calls", "usage", "usage_metadata")
_TEXT_OF = {"text": "text", "output_text": "text", "refusal": "refusal"}  # types of blocks, and where their text is
_TEXT_KEYS = ("response", "output", "text", "content", "answer", "result", "completion")


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
) -> pd.DataFrame:
    """Call every system on every row.

    Parameters
    ----------
    df : DataFrame
        The rows; not changed.
    systems : mapping of name to callable
        Plain or async functions, objects with `invoke`, or a `PromptTemplate`. Parameters named as columns get those cells; `row`, or a
        single parameter of another name, gets the row as a mapping; `seed` gets the row's seed. It returns a text, an
        OpenAI-like answer, or a mapping with "response" and, if known, "tool_calls", "tokens" and "cost".
    max_concurrency : int
        Calls at once.
    cache : path, optional
        SQLite file: each answer is stored as it comes, so that a killed run repeats no answered call. Errors are tried
        again. A system is known by its name, its code, and the texts, numbers and functions that it reads; what it gets
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

    Returns
    -------
    DataFrame
        One row per system and row of `df`, systems one after another: the columns of `df`, `id`, and `model`, `response`,
        `tool_calls` (JSON text), `latency` (seconds of the last try), `tokens`, `error`, `attempt` (tries made), and
        `cost` where any system tells it. `attrs["dfevals_run"]` holds the settings as JSON.

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
    frames = []
    with ExitStack() as stack:
        store = None if cache is None else stack.enter_context(Cache(cache))
        for name, function in systems.items():
            system = _System(name, function, df, seeds, retries, backoff, limit)
            replies = _replies(system, store, max_concurrency, timeout, progress)
            frames.append(_frame(df, name, replies, id))
    out = pd.concat(frames, ignore_index=True)
    if out["cost"].isna().all():
        out = out.drop(columns="cost")
    out.attrs["dfevals_run"] = json.dumps(
        {
            "systems": {name: stable_repr(function) for name, function in systems.items()},
            "rows": len(df),
            "random_state": random_state,
            "max_concurrency": max_concurrency,
            "retries": retries,
            "timeout": timeout,
            "rate_limit": rate_limit,
            "errors": {name: int(part["error"].notna().sum()) for name, part in out.groupby("model", sort=False)},
        }
    )
    return out


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
    clash = next((column for column in (*_MADE, "cost") if column in df.columns), None)
    if clash is not None:
        raise DataError(f"The frame already has a column {clash!r}; rename it: run adds {', '.join(_MADE)}.")
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

    def key(self, place: int) -> str:
        """Key of the row in the cache."""
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
        When it returned nothing.
    """
    if hasattr(result, "model_dump"):
        result = result.model_dump()
    elif is_dataclass(result) and not isinstance(result, type):
        result = asdict(result)
    if is_missing(result):
        raise DataError("the system returned nothing (None).")
    if isinstance(result, str):
        return _Reply(response=result, tool_calls="[]")
    if isinstance(result, Mapping):
        return _reply_of_mapping(result)
    if isinstance(getattr(result, "content", None), str | list):
        return _reply_of_mapping({key: getattr(result, key, None) for key in _OBJECT_KEYS})
    if not isinstance(result, bool | int | float | list | tuple | np.ndarray | np.generic):
        raise DataError(
            f"the system returned a {type(result).__name__}, which is no answer. Return the text, or a mapping with "
            "'response'."
        )
    return _Reply(response=_json(plain(result)), tool_calls="[]")


def _reply_of_mapping(result: Mapping[str, Any]) -> _Reply:
    choices = result.get("choices")
    message = choices[0].get("message") if isinstance(choices, list) and choices else result
    if not isinstance(message, Mapping):
        message = result
    if message.get("error"):
        raise DataError(f"the system reported an error: {message['error']}")
    calls = message.get("tool_calls")
    key = next((key for key in _TEXT_KEYS if key in message), None)
    if key is None and calls is None:
        return _Reply(response=_json(dict(result)), tool_calls="[]")
    found = None if key is None else message[key]
    if (key == "content" or result.get("object") == "response") and isinstance(found, list):
        found, blocks = _of_blocks(found)
        calls = calls or blocks
    if found is None:
        found = message.get("refusal")  # OpenAI's chat completions hold it instead of a content
    response = found if isinstance(found, str) else "" if found is None else _json(found)
    cost: Any = result.get("cost")
    return _Reply(
        response=response,
        tool_calls=_json(calls if calls is not None else []),
        tokens=_tokens(result),
        cost=None if is_missing(cost) else float(cost),
    )


def _of_blocks(content: list[Any]) -> tuple[Any, list[Any]]:
    """Text and tool calls of a content in blocks (Anthropic, OpenAI's responses); other lists stay as they are."""
    blocks: list[Any] = []
    for item in content:
        inner = item.get("content") if isinstance(item, Mapping) and item.get("type") == "message" else None
        blocks += inner if isinstance(inner, list) else [item]
    if not all(isinstance(block, Mapping) and isinstance(block.get("type"), str) for block in blocks):
        return content, []
    text = "".join(str(block.get(_TEXT_OF[block["type"]]) or "") for block in blocks if block["type"] in _TEXT_OF)
    return text, [dict(block) for block in blocks if block["type"] in ("tool_use", "function_call")]


def _tokens(result: Mapping[str, Any]) -> int | None:
    """Tokens as told: their total, or those read and those written."""
    found: Any = result.get("tokens")
    for key in ("usage", "usage_metadata"):
        usage = result.get(key)
        if is_missing(found) and isinstance(usage, Mapping):
            halves = [usage.get(f"{part}_tokens") for part in ("input", "output", "prompt", "completion")]
            known = [half for half in halves if isinstance(half, int)]
            found = usage.get("total_tokens", sum(known) if known else None)
    return None if is_missing(found) else int(found)


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False, default=str)


def _replies(
    system: _System, store: Cache | None, max_concurrency: int, timeout: float | None, progress: bool
) -> list[_Reply]:
    """The answers of a system to all rows; each is stored as it comes."""
    from tqdm.auto import tqdm

    n = len(system.rows)
    found: list[_Reply | None] = [None] * n
    keys = [system.key(place) for place in range(n)] if store is not None else []
    known = store.get(keys) if store is not None else {}
    for place, key in enumerate(keys):
        if key in known:
            found[place] = _Reply(**known[key])
    left = [place for place in range(n) if found[place] is None]
    failures = 0

    def keep(number: int, reply: _Reply) -> _Reply:
        """Store an answer in the thread that has it: once it is there, nothing that happens elsewhere loses it."""
        if store is not None and reply.error is None:
            store.put({keys[left[number]]: asdict(reply)})
        return reply

    bar = tqdm(total=n, initial=n - len(left), desc=system.name, disable=not progress, delay=0.5, leave=False)
    try:
        with closing(_calls(system, left, keep, max_concurrency, timeout)) as calls:
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
    return [reply for reply in found if reply is not None]


def _calls(
    system: _System,
    left: list[int],
    keep: Callable[[int, _Reply], _Reply],
    max_concurrency: int,
    timeout: float | None,
) -> Any:
    """The calls that are left, as they come."""
    bounds: Any = {"max_concurrency": max_concurrency, "timeout": timeout, "limit": system.limit}
    if not system.is_async:
        return stream(lambda number: keep(number, system.ask(left[number])), len(left), **bounds)

    async def ask(number: int) -> _Reply:
        return keep(number, await system.ask_async(left[number]))

    return stream_async(ask, len(left), **bounds)


def _frame(df: pd.DataFrame, name: str, replies: list[_Reply], id: str | None) -> pd.DataFrame:
    """The part of the long frame of one system."""
    part = df.reset_index(drop=True)
    if id is None and "id" not in part.columns:
        part.insert(0, "id", df.index.to_numpy())
    columns: dict[str, Any] = {"model": name}
    for column, values in _columns(replies):
        columns[column] = values
    return part.assign(**columns)


def _columns(replies: list[_Reply]) -> Iterator[tuple[str, Any]]:
    text = pd.Series(["text"]).dtype
    for column in ("response", "tool_calls"):
        yield (
            column,
            pd.Series(np.array([getattr(r, column) for r in replies] + [None], dtype=object)[:-1]).astype(text),
        )
    yield "latency", np.array([r.latency if r.latency is not None else np.nan for r in replies], dtype=float)
    yield "tokens", pd.array([r.tokens for r in replies], dtype="Int64")
    yield "cost", np.array([r.cost if r.cost is not None else np.nan for r in replies], dtype=float)
    yield "error", pd.Series(np.array([r.error for r in replies] + [None], dtype=object)[:-1]).astype(text)
    yield "attempt", np.array([r.attempt for r in replies], dtype=np.int64)
