"""Answers of language models in the forms of their providers, read into one: text, tool calls, tokens, why it ended."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any

from dfevals.evaluators.values import is_missing, json_text
from dfevals.exceptions import DataError

__all__ = ["Answer", "is_cut_off", "read_answer", "without_thinking"]

_KEYS = (
    "choices", "candidates", "prompt_feedback", "output", "message", "content", "parts", "text", "refusal", "tool_calls",
    "usage", "usage_metadata", "response_metadata", "finish_reason", "stop_reason", "object", "status",
    "incomplete_details", "error",
)  # fmt: skip
_TEXT_KEYS = ("response", "output", "text", "content", "answer", "result", "completion", "generated_text", "generation")
_ENDS = ("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason", "completionReason")
_TEXT_OF = {"text": "text", "output_text": "text", "refusal": "refusal"}  # types of blocks, and where their text is
_UNTYPED = {"text", "toolUse", "functionCall", "function_call", "reasoningContent"}  # keys of Bedrock and Gemini
_CUT_OFF = {
    "length", "max_tokens", "max_output_tokens", "max_length", "model_length", "incomplete", "token_limit",
    "model_context_window_exceeded", "context_length", "pause_turn",
}  # fmt: skip
_UNFINISHED = ("failed", "cancelled", "queued", "in_progress")
_ITEMS = {
    "message",
    "reasoning",
    "function_call",
    "custom_tool_call",
    "mcp_call",
}  # of the output of OpenAI's responses


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered.

    Attributes
    ----------
    text : str or None
        None where no text was told, beside tool calls for example. Reasoning and commentary are no part of it.
    tool_calls : list
        In the provider's form where that is a usual one, else with name and arguments.
    tokens : int or None
        Read and written, those of caches included.
    finish_reason : str or None
        Why the answer ended, in the provider's words.
    cost : float or None
        Where it is told.
    """

    text: str | None = None
    tool_calls: Sequence[Any] = ()
    tokens: int | None = None
    finish_reason: str | None = None
    cost: float | None = None


def is_cut_off(finish_reason: str | None) -> bool:
    """Whether an answer ended before its end: at a limit of tokens, or unfinished.

    Examples
    --------
    >>> [is_cut_off(reason) for reason in ("length", "MAX_TOKENS", "stop", None)]
    [True, True, False, False]
    """
    return finish_reason is not None and finish_reason.lower().removeprefix("finishreason.") in _CUT_OFF


_OPENED = re.compile(r"\s*(?:<(think(?:ing)?)>|\[(THINK)\])", re.IGNORECASE)
_ANY_TAG = re.compile(r"<(/?)think(?:ing)?>\s*", re.IGNORECASE)


def without_thinking(text: str) -> str:
    """A text without the reasoning that stands before it in tags; empty where that was not closed.

    A closing tag without an opening one ends reasoning too: some servers send the opening tag with the prompt.

    Examples
    --------
    >>> without_thinking("<think>6 times 7 …</think>\\n42")
    '42'
    >>> without_thinking("Write <think> and </think>.")
    'Write <think> and </think>.'
    """
    opened = _OPENED.match(text)
    if opened is None:
        first = _ANY_TAG.search(text)
        return text[first.end() :] if first is not None and first.group(1) else text
    name = opened.group(1) or opened.group(2)
    closing = re.compile(rf"(?:</{name}>|\[/{name}\])\s*", re.IGNORECASE).search(text, opened.end())
    return "" if closing is None else text[closing.end() :]


def read_answer(answer: object) -> Answer | None:
    """An answer of OpenAI (chat completions, responses), Anthropic, Gemini, Bedrock, Cohere, Ollama, LangChain and their like.

    Returns
    -------
    Answer or None
        None where the form is not known.

    Raises
    ------
    DataError
        When it reports an error, or is an answer without anything in it.
    """
    found = _mapping(answer)
    if found is None:
        return None
    message = _message(found)
    failed = found.get("error") or message.get("error")
    if failed:
        raise DataError(f"the system reported an error: {failed}")
    if found.get("object") == "response" and found.get("status") in _UNFINISHED:
        raise DataError(f"the answer is not there: its status is {found['status']!r}.")
    told = _content(message)
    if told is None:
        if message is not found and {"choices", "candidates"} & set(found):
            raise DataError("the answer holds neither a text nor a tool call.")
        return None
    text, calls = told
    return Answer(text, calls, _tokens(found), _finish_reason(found), _cost(found))


def _mapping(value: object) -> Mapping[str, Any] | None:
    """A mapping, or an object of a client as one."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, SimpleNamespace):
        return vars(value)
    for name in ("model_dump", "to_dict"):
        convert = getattr(value, name, None)
        if callable(convert) and not isinstance(value, type):
            made = convert()
            return made if isinstance(made, Mapping) else None
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    held = {key: getattr(value, key) for key in _KEYS if getattr(value, key, None) is not None}
    known = isinstance(held.get("content"), str) or any(
        isinstance(held.get(key), list | tuple) for key in ("content", "choices", "candidates", "output", "parts")
    )
    return held if known else None


def _message(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of an answer that holds its content; the answer itself where it has no such part."""
    for several, part in (("choices", "message"), ("candidates", "content")):
        items = found.get(several)
        if isinstance(items, list | tuple) and (not items or _mapping(items[0]) is not None):
            if not items and not _feedback(found):
                raise DataError(f"the answer has no {several}.")
            first = (_mapping(items[0]) if items else None) or {}
            none: Mapping[str, Any] = {"parts": []} if part == "content" else first
            return _mapping(first.get(part)) or none
    if _feedback(found):  # the prompt was blocked
        return {"parts": []}
    if any(isinstance(found.get(key), str) for key in _TEXT_KEYS):
        return found
    output = _mapping(found.get("output")) or {}
    return _mapping(output.get("message")) or _mapping(found.get("message")) or found


def _feedback(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """What Gemini says of a prompt that it does not answer."""
    return _mapping(found.get("promptFeedback") or found.get("prompt_feedback")) or {}


def _content(message: Mapping[str, Any]) -> tuple[str | None, list[Any]] | None:
    """Text and tool calls of a message; None where it holds neither."""
    calls = message.get("tool_calls")
    if calls is None and isinstance(message.get("function_call"), Mapping):
        calls = [message["function_call"]]
    key = "parts" if isinstance(message.get("parts"), list) else next((k for k in _TEXT_KEYS if k in message), None)
    if key is None and calls is None and "refusal" not in message:
        return None
    found = None if key is None else message[key]
    if key in ("content", "parts") or (key == "output" and _is_output(message)):
        blocks = _blocks(found) if isinstance(found, list | tuple) else None
        if blocks is not None:
            found, made = _of_blocks(blocks)
            calls = calls or made
    if found is None:
        found = message.get("refusal")  # OpenAI's chat completions hold it instead of a content
    return None if found is None else json_text(found), list(calls or ())


def _is_output(message: Mapping[str, Any]) -> bool:
    """Whether the output is that of OpenAI's responses, not somebody's list."""
    items = message["output"] if isinstance(message["output"], list | tuple) else []
    return message.get("object") == "response" or any((_mapping(item) or {}).get("type") in _ITEMS for item in items)


def _blocks(content: Sequence[Any]) -> list[Mapping[str, Any]] | None:
    """The blocks of a content, those of messages in place of these; None where it is a list of something else.

    Of messages that say their phase only the final answer counts: commentary is what a model says on its way there.
    """
    blocks: list[Mapping[str, Any]] = []
    if content and all(isinstance(item, str) for item in content):
        return None
    for item in content:
        block = {"type": "text", "text": item} if isinstance(item, str) else _mapping(item)
        if block is None or not (isinstance(block.get("type"), str) or _UNTYPED & set(block)):
            return None
        inner = block.get("content") if block.get("type") == "message" else None
        if isinstance(inner, list) and block.get("phase") != "commentary":
            blocks += [part for part in map(_mapping, inner) if part is not None]
        elif not isinstance(inner, list):
            blocks.append(block)
    return blocks


def _of_blocks(blocks: Iterable[Mapping[str, Any]]) -> tuple[str | None, list[Any]]:
    texts: list[str] = []
    calls: list[Any] = []
    for block in blocks:
        kind = block.get("type")
        text = block.get(_TEXT_OF.get(kind, "") if isinstance(kind, str) else "text")
        call = _call(block)
        if call is not None:
            calls.append(call)
        elif isinstance(text, str) and not block.get("thought"):
            texts.append(text)
    return "".join(texts) if texts or not calls else None, calls


def _call(block: Mapping[str, Any]) -> Any:
    """The tool call that a block is."""
    kind = block.get("type")
    if kind in ("tool_use", "function_call"):
        return dict(block)
    if kind in ("server_tool_use", "mcp_tool_use", "mcp_call", "custom_tool_call"):
        told = block.get("arguments", block.get("input"))
        return {"name": block.get("name"), "arguments": told if kind != "custom_tool_call" else {"input": told}}
    for key, arguments in (("functionCall", "args"), ("function_call", "args"), ("toolUse", "input")):
        call = _mapping(block.get(key))
        if call is not None:
            named = call.get("id", call.get("toolUseId"))
            plain = {"name": call.get("name"), "arguments": call.get(arguments) or {}}
            return plain if named is None else {**plain, "id": named}
    return None


def _finish_reason(found: Mapping[str, Any]) -> str | None:
    for part in _ended(found):
        reason = next((part[key] for key in _ENDS if part.get(key) is not None), None)
        if reason is None and (part.get("object") == "response" or part.get("incomplete_details")):
            reason = (_mapping(part.get("incomplete_details")) or {}).get("reason") or part.get("status")
        if reason is not None:
            return str(reason.value if isinstance(reason, Enum) else reason)
    blocked = _feedback(found).get("blockReason", _feedback(found).get("block_reason"))
    return None if blocked is None else str(blocked.value if isinstance(blocked, Enum) else blocked)


def _ended(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The parts of an answer that may say why it ended."""
    for key in ("choices", "candidates", "results"):
        items = found.get(key)
        if isinstance(items, list | tuple) and items:
            yield _mapping(items[0]) or {}
    yield found
    for key in ("response_metadata", "details"):
        yield _mapping(found.get(key)) or {}


_TOTALS = ("total_tokens", "totalTokens", "totalTokenCount", "total_token_count")
_PARTS = (
    ("input_tokens", "prompt_tokens", "inputTokens", "promptTokenCount", "prompt_token_count", "prompt_eval_count"),
    ("output_tokens", "completion_tokens", "outputTokens", "candidatesTokenCount", "candidates_token_count", "eval_count"),
    ("cache_read_input_tokens", "cacheReadInputTokens"),
    ("cache_creation_input_tokens", "cacheWriteInputTokens"),
    ("thoughtsTokenCount", "thoughts_token_count"),
    ("toolUsePromptTokenCount", "tool_use_prompt_token_count"),
)  # fmt: skip
"""Tokens that add up, each in the providers' spellings; those of caches stand beside `input_tokens`, not in them."""


def _tokens(found: Mapping[str, Any]) -> int | None:
    """Tokens as told: their total, or the sum of their parts."""
    told = _number(found.get("tokens"))
    return told if told is not None else next((n for n in map(_used, _usages(found)) if n is not None), None)


def _usages(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The parts of an answer that may tell tokens."""
    metadata = _mapping(found.get("response_metadata")) or {}
    for holder, key in ((found, "usage"), (found, "usage_metadata"), (found, "usageMetadata"), (metadata, "token_usage"),
                        (metadata, "usage"), (found, "meta")):  # fmt: skip
        usage = _mapping(holder.get(key))
        if usage is not None:
            yield usage
            yield _mapping(usage.get("tokens")) or {}  # Cohere
    yield found


def _used(usage: Mapping[str, Any]) -> int | None:
    parts = [next((n for n in (_number(usage.get(key)) for key in keys) if n is not None), None) for keys in _PARTS]
    known = [n for n in parts if n is not None]
    total = next((n for n in (_number(usage.get(key)) for key in _TOTALS) if n is not None), None)
    if total is None:
        return sum(known) if known else None
    return max(total, sum(known)) if "inputTokens" in usage else total  # Bedrock's total may leave caches out


def _number(value: object) -> int | None:
    told = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if told else None  # type: ignore[call-overload]


def _cost(found: Mapping[str, Any]) -> float | None:
    told: Any = found.get("cost")
    if is_missing(told):
        told = (_mapping(found.get("usage")) or {}).get("cost")
    return None if is_missing(told) else float(told)
