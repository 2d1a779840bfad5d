"""Clients of language models: any callable, an OpenAI-like object, or a small HTTP client of our own.

Nothing is sent anywhere but to the address that the user gives, and a key is read from the environment at each call: it
is not kept, shown, logged or cached.
"""

from __future__ import annotations

import asyncio
import http.client
import inspect
import io
import json
import math
import os
import socket
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dfevals.evaluators.answers import read_answer
from dfevals.evaluators.concurrency import Stuck, TimedOut, stream
from dfevals.evaluators.fingerprints import stable_repr
from dfevals.evaluators.secret_formats import redacted
from dfevals.exceptions import DataError, DfevalsError

__all__ = ["CallFailed", "Completion", "OpenAICompatible", "as_client"]

Messages = Sequence[Mapping[str, str]]
_SHOWN = 65_536  # bytes of an answer that are looked at for a message
_QUICK: int | None = getattr(socket, "TCP_QUICKACK", None)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered; tokens, tool calls and why it ended where they are told."""

    text: str
    tokens: int | None = None
    finish_reason: str | None = None
    tool_calls: Sequence[Any] = ()
    cost: float | None = None


class CallFailed(DfevalsError):
    """A call to a model failed.

    Attributes
    ----------
    again : bool
        Whether another try may help.
    wait : float or None
        Seconds that the server asked to wait.
    """

    def __init__(self, message: str, *, again: bool, wait: float | None = None) -> None:
        super().__init__(message)
        self.again = again
        self.wait = wait


class OpenAICompatible:
    """A minimal client of `POST {base_url}/chat/completions`, on the standard library; safe in threads.

    Parameters
    ----------
    base_url : str
        Such as "http://127.0.0.1:8000/v1".
    key_env : str, optional
        Name of the environment variable that holds the key; it is read at each call.
    timeout : float
        Seconds for one call, from its connection to the last byte of its answer.
    max_bytes : int
        Greatest answer that is read.

    Raises
    ------
    DataError
        When the address is not http(s).

    Examples
    --------
    >>> OpenAICompatible("http://127.0.0.1:8000/v1")
    OpenAICompatible('http://127.0.0.1:8000/v1', key_env='OPENAI_API_KEY')
    """

    def __init__(
        self,
        base_url: str,
        *,
        key_env: str | None = "OPENAI_API_KEY",
        timeout: float = 60.0,
        max_bytes: int = 32_000_000,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            shown = base_url.partition("?")[0].rpartition("@")[2]
            raise DataError(f"base_url must begin with http:// or https://, found {shown!r}.")
        if parts.username or parts.password:
            raise DataError("base_url must not hold a user name or password; use key_env.")
        if parts.query or parts.fragment:
            raise DataError("base_url must end with its path; a key after '?' would be shown. Use key_env.")
        self.base_url, self.key_env = base_url.rstrip("/"), key_env
        self.timeout, self.max_bytes = timeout, max_bytes
        self._parts = parts
        self._path = parts.path.rstrip("/") + "/chat/completions"
        self._idle: list[_Connection] = []
        weakref.finalize(self, _close_all, self._idle)

    def __repr__(self) -> str:
        return f"OpenAICompatible({self.base_url!r}, key_env={self.key_env!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("base_url", "key_env", "timeout", "max_bytes")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __call__(self, messages: Messages, *, model: str | None = None, **options: Any) -> Completion:
        """Ask for one completion.

        Raises
        ------
        CallFailed
            When there is no usable answer.
        """
        body = {"messages": list(messages), **options}
        if model is not None:
            body["model"] = model
        status, headers, payload = self._post(json.dumps(body).encode())
        if status != 200:
            raise CallFailed(
                f"HTTP {status}: {self._clean(payload)[:200]}",
                again=status in (408, 409, 425, 429) or status >= 500,
                wait=_seconds(headers.get("Retry-After")),
            )
        try:
            return completion_of(json.loads(payload))
        except (ValueError, RecursionError):
            raise CallFailed(f"the answer is not JSON: {self._clean(payload)[:120]}", again=True) from None

    def close(self) -> None:
        """Close the connections that are kept open."""
        _close_all(self._idle)

    def _post(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Content-Type": "application/json", **self._authorization()}
        until = time.monotonic() + self.timeout
        while True:
            connection, kept = self._connection()
            connection.until = until
            done = False
            try:
                if not kept:
                    connection.connect()
                connection.request("POST", self._path, body, headers)
                connection.flush()
                response = connection.getresponse()
                found = response.status, dict(response.getheaders()), self._body(response)
                done = not response.will_close
                return found
            except TimeoutError:
                raise CallFailed(f"no answer within {self.timeout:g} s", again=True) from None
            except (OSError, http.client.HTTPException) as error:
                if not kept:  # a kept connection may have been closed by the server: then with another one
                    message = self._clean(f"{type(error).__name__}: {error}".encode())
                    raise CallFailed(f"the connection failed: {message}", again=True) from None
            finally:
                if done:
                    self._idle.append(connection)
                else:
                    connection.close()

    def _authorization(self) -> dict[str, str]:
        """The header with the key, if there is one; line breaks around it, as files leave them, are no part of it."""
        key = (os.environ.get(self.key_env) or "").strip() if self.key_env else ""
        if not (key.isascii() and key.isprintable()):
            raise CallFailed(
                f"the key in {self.key_env} holds a line break or another character that a key cannot have; it is not "
                "shown here. Set it again.",
                again=False,
            )
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        body = b"" if (response.length or 0) > self.max_bytes else response.read(self.max_bytes + 1)
        if (response.length or 0) > self.max_bytes or len(body) > self.max_bytes:
            raise CallFailed(f"the answer is longer than {self.max_bytes:,} bytes (max_bytes=)", again=False)
        return body

    def _connection(self) -> tuple[_Connection, bool]:
        """A connection, and whether it was used before."""
        try:
            return self._idle.pop(), True
        except IndexError:
            kind: type[_Connection] = _SecureConnection if self._parts.scheme == "https" else _Connection
            return kind(str(self._parts.hostname), self._parts.port), False

    def _clean(self, payload: bytes) -> str:
        """Text for a message, without the key even if the server repeats it."""
        key = os.environ.get(self.key_env) if self.key_env else None
        return redacted(payload[:_SHOWN].decode("utf-8", errors="replace"), *([key] if key else []))


class _Connection(http.client.HTTPConnection):
    """Ends at a time, and keeps what is written until it is flushed: head and body sent apart would wake the server twice."""

    _waiting: bytes = b""
    until: float = math.inf

    def connect(self) -> None:
        """Connect in the time that is left."""
        self.timeout = self.left()
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def left(self) -> float:
        """Seconds that are left; raises TimeoutError when none are."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def send(self, data: Any) -> None:
        """Keep a part of the request."""
        self._waiting += bytes(data)

    def flush(self) -> None:
        """Send the request."""
        whole, self._waiting = self._waiting, b""
        self.sock.settimeout(self.left())
        self.sock.sendall(whole)
        if _QUICK is not None:  # servers that send head and body apart would wait 40 ms for our acknowledgement
            self.sock.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)

    def response_class(self, sock: socket.socket, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        """A response that is read until the end of the time: a time-out of the socket begins anew with each byte."""
        return http.client.HTTPResponse(_Timed(sock, self.left), **options)  # type: ignore[arg-type]


class _Timed(io.RawIOBase):
    """What a socket receives, in the time that is left."""

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        self._sock, self._left = sock, left
        self._received = sock.makefile("rb", buffering=0)

    def makefile(self, mode: str) -> io.BufferedReader:
        """As of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Wait for bytes."""
        self._sock.settimeout(self._left())
        return self._received.readinto(buffer)

    def close(self) -> None:
        """Let the socket go."""
        self._received.close()
        super().close()


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    """The same over TLS."""


def _close_all(idle: list[_Connection]) -> None:
    while idle:
        idle.pop().close()


def _seconds(value: str | None) -> float | None:
    try:
        return None if value is None else max(0.0, float(value))
    except ValueError:
        return None


def completion_of(answer: object) -> Completion:
    """The text of an answer: a text, or an answer of a provider (mapping or object).

    Raises
    ------
    CallFailed
        When it holds neither a text nor a tool call.
    """
    if isinstance(answer, Completion):
        return answer
    if isinstance(answer, str):
        return Completion(answer)
    try:
        found = read_answer(answer)
    except DataError as error:
        raise CallFailed(str(error), again=True) from None
    if found is None or (found.text is None and not found.tool_calls):
        raise CallFailed(f"the answer holds no text: {type(answer).__name__}", again=True)
    return Completion(found.text or "", found.tokens, found.finish_reason, found.tool_calls, found.cost)


class _Wrapped:
    """A callable or SDK client, called with messages within a time limit."""

    def __init__(self, call: Callable[..., Any], style: str, shown: str, timeout: float) -> None:
        self.call, self.style, self.shown, self.timeout = call, style, shown, timeout
        self._stuck = Stuck()

    def __repr__(self) -> str:
        return self.shown

    def __call__(self, messages: Messages, *, model: str | None = None, **options: Any) -> Completion:
        ask = lambda _: self._ask(messages, model, options)  # noqa: E731
        once = stream(ask, 1, max_concurrency=1, timeout=self.timeout, stuck=self._stuck)
        result: Any = next(once)[1]
        if isinstance(result, TimedOut):
            raise CallFailed(result.message, again=True)
        if isinstance(result, CallFailed):
            raise result
        if isinstance(result, BaseException):
            status = getattr(result, "status_code", None)
            again = status is None or status in (408, 409, 429) or status >= 500
            raise CallFailed(redacted(f"{type(result).__name__}: {result}")[:300], again=again)
        return completion_of(result)

    def _ask(self, messages: Messages, model: str | None, options: Mapping[str, Any]) -> Any:
        """The answer, or the exception instead of it."""
        try:
            if self.style == "text":
                answer = self.call("\n\n".join(message["content"] for message in messages))
            elif self.style == "messages":
                answer = self.call(list(messages))
            else:
                named = {} if model is None else {"model": model}
                answer = self.call(messages=list(messages), **named, **options)
            if inspect.isawaitable(answer):
                answer = asyncio.run(_await(answer))
            return answer
        except BaseException as error:
            return error


async def _await(awaitable: Any) -> Any:
    return await awaitable


def as_client(client: object, timeout: float) -> Callable[..., Completion]:
    """A client from an address, an OpenAI-like object, or a callable.

    A callable that takes `model` gets `messages=`, `model=` and the options; one whose only parameter is called
    `messages` gets the list of messages; any other of one parameter gets one text.

    Raises
    ------
    DataError
        When it is none of these.
    """
    if isinstance(client, str):
        return OpenAICompatible(client, timeout=timeout)
    if isinstance(client, OpenAICompatible):
        return client
    completions = getattr(getattr(client, "chat", None), "completions", None)
    if completions is not None and callable(getattr(completions, "create", None)):
        return _Wrapped(completions.create, "options", f"{type(client).__qualname__}{_address(client)}", timeout)
    if not callable(client):
        raise DataError(
            f"client must be a function, an OpenAI-compatible client or an address, found {type(client).__name__}."
        )
    return _Wrapped(client, _style(client), stable_repr(client), timeout)


def _address(client: object) -> str:
    """Where a client sends its calls, without what may be a password."""
    parts = urlsplit(str(getattr(client, "base_url", None) or ""))
    return (
        f"({parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path})"
        if parts.hostname
        else ""
    )


def _style(client: Callable[..., Any]) -> str:
    try:
        parameters = inspect.signature(client).parameters
    except (TypeError, ValueError):
        return "text"
    if "model" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return "options"
    return "messages" if "messages" in parameters else "text"
