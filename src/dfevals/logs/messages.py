"""Messages of a conversation, in the forms that the tools and providers use: their texts and their tool calls."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["arguments_of", "text_of", "tool_calls"]

TEXTS = ("text", "output_text", "input_text")
ATTACHED = "attachment://"


def text_of(content: Any, attached: Mapping[str, str] | None = None) -> str | None:
    """The text of a message: itself, or its parts that are text, without reasoning and images.

    Parameters
    ----------
    content : str, list of parts or None
    attached : mapping, optional
        Long texts that a log keeps apart, by the name that stands for them.

    Examples
    --------
    >>> text_of([{"type": "reasoning", "reasoning": "…"}, {"type": "text", "text": "Paris"}])
    'Paris'
    """
    if isinstance(content, list):
        parts = [text_of(part, attached) for part in content]
        texts = [part for part in parts if part is not None]
        return "".join(texts) if texts else None
    if isinstance(content, dict):
        return text_of(content.get("text"), attached) if content.get("type", "text") in TEXTS else None
    if isinstance(content, str):
        if attached and content.startswith(ATTACHED):
            return attached.get(content[len(ATTACHED) :], content)
        return content
    return None


def tool_calls(messages: Iterable[Any]) -> list[dict[str, Any]] | None:
    """Name and arguments of every call of a tool in a conversation, in order; None where there are no messages.

    Examples
    --------
    >>> tool_calls([{"role": "assistant", "tool_calls": [{"function": "find", "arguments": {"word": "a"}}]}])
    [{'name': 'find', 'arguments': {'word': 'a'}}]
    """
    messages = [message for message in messages if isinstance(message, dict)]
    if not messages:
        return None
    return [_call(call) for message in messages for call in message.get("tool_calls") or () if isinstance(call, dict)]


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    inner = call.get("function")
    told = inner if isinstance(inner, dict) else call
    name = inner if isinstance(inner, str) else told.get("name")
    return {"name": name, "arguments": arguments_of(told.get("arguments", told.get("input")))}


def arguments_of(arguments: Any) -> Any:
    """Arguments as an object, where they are one or the JSON text of one; else as they were written."""
    if not isinstance(arguments, str):
        return arguments
    try:
        found = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return found if isinstance(found, dict) else arguments
