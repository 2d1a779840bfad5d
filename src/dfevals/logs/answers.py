"""What providers answer: chat completions and responses of OpenAI, messages of Anthropic, candidates of Gemini."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dfevals.logs.messages import arguments_of, text_of
from dfevals.logs.opening import as_text
from dfevals.logs.runs import count

__all__ = ["answered"]

CUT = ("length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_context_window_exceeded")


def answered(body: Mapping[str, Any]) -> dict[str, Any]:
    """Text, tool calls, tokens, and how the answer ended.

    `input_tokens` hold those read from a cache, whatever the provider counts. `finish` is why the answer ended, `truncated`
    whether that was its length, `refusal` what was said instead of an answer.

    Examples
    --------
    >>> body = {"model": "m", "choices": [{"message": {"content": "Paris"}, "finish_reason": "length"}]}
    >>> found = answered(body)
    >>> found["response"], found["truncated"]
    ('Paris', True)
    """
    read: Callable[[Mapping[str, Any]], dict[str, Any]]
    if "choices" in body:
        read = _completion
    elif "candidates" in body or "usageMetadata" in body:
        read = _candidates
    elif isinstance(body.get("output"), list):
        read = _response
    else:
        read = _message
    found = read(body)
    calls = found.pop("calls", None)
    found["tool_calls"] = as_text(calls) if calls else None
    found["truncated"] = found.get("finish") in CUT
    return found


def _total(*parts: int | None) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _completion(body: Mapping[str, Any]) -> dict[str, Any]:
    choice = (body.get("choices") or [{}])[0]
    message, usage = choice.get("message") or {}, body.get("usage") or {}
    calls = [call.get("function") or call.get("custom") or {} for call in message.get("tool_calls") or ()]
    if message.get("function_call"):
        calls.append(message["function_call"])
    text = text_of(message.get("content")) if message else choice.get("text")
    return {
        "response": text,
        "refusal": message.get("refusal"),
        "calls": [_call(c.get("name"), c.get("arguments", c.get("input"))) for c in calls],
        "finish": choice.get("finish_reason"),
        "tokens": count(usage.get("total_tokens")),
        "input_tokens": count(usage.get("prompt_tokens")),
        "output_tokens": count(usage.get("completion_tokens")),
        "cached_tokens": count((usage.get("prompt_tokens_details") or {}).get("cached_tokens")),
        "reasoning_tokens": count((usage.get("completion_tokens_details") or {}).get("reasoning_tokens")),
    }


def _call(name: Any, arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments_of(arguments)}


def _response(body: Mapping[str, Any]) -> dict[str, Any]:
    """Where a message is the final answer, only that: what is said before tools are called is commentary."""
    items, usage = [item for item in body["output"] if isinstance(item, dict)], body.get("usage") or {}
    messages = [item for item in items if item.get("type") == "message"]
    final = [item for item in messages if item.get("phase") == "final_answer"] or messages
    parts = [part for item in final for part in item.get("content") or () if isinstance(part, dict)]
    refusals = [part.get("refusal") for part in parts if part.get("type") == "refusal"]
    incomplete = (body.get("incomplete_details") or {}).get("reason")
    return {
        "response": text_of(parts),
        "refusal": refusals[0] if refusals else None,
        "calls": [_call(i.get("name"), i.get("arguments")) for i in items if i.get("type") == "function_call"],
        "finish": incomplete or body.get("status"),
        "tokens": count(usage.get("total_tokens")),
        "input_tokens": count(usage.get("input_tokens")),
        "output_tokens": count(usage.get("output_tokens")),
        "cached_tokens": count((usage.get("input_tokens_details") or {}).get("cached_tokens")),
        "reasoning_tokens": count((usage.get("output_tokens_details") or {}).get("reasoning_tokens")),
    }


def _message(body: Mapping[str, Any]) -> dict[str, Any]:
    """Anthropic's input tokens leave out those read from and written to the cache."""
    parts, usage = body.get("content"), body.get("usage") or {}
    listed: Iterable[Any] = parts if isinstance(parts, list) else ()
    cached, written = (count(usage.get(f"cache_{name}_input_tokens")) for name in ("read", "creation"))
    given = _total(count(usage.get("input_tokens")), cached, written)
    out = count(usage.get("output_tokens"))
    text = text_of(parts)
    refused = body.get("stop_reason") == "refusal"
    return {
        "response": text,
        "refusal": (text or "refusal") if refused else None,
        "calls": [
            _call(p.get("name"), p.get("input")) for p in listed if isinstance(p, dict) and p.get("type") == "tool_use"
        ],
        "finish": body.get("stop_reason"),
        "tokens": _total(given, out),
        "input_tokens": given,
        "output_tokens": out,
        "cached_tokens": cached,
    }


def _candidates(body: Mapping[str, Any]) -> dict[str, Any]:
    """Gemini's thoughts are no part of the answer, and their tokens are counted apart."""
    candidate = (body.get("candidates") or [{}])[0]
    parts = (candidate.get("content") or {}).get("parts") or []
    usage = body.get("usageMetadata") or body.get("usage_metadata") or {}

    def tokens(name: str) -> int | None:
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        return count(usage.get(name, usage.get(snake)))

    calls = [p.get("functionCall") or p.get("function_call") for p in parts]
    said = [p["text"] for p in parts if isinstance(p.get("text"), str) and not p.get("thought")]
    return {
        "response": "".join(said) if said else None,
        "refusal": None,
        "calls": [_call(c.get("name"), c.get("args")) for c in calls if isinstance(c, dict)],
        "finish": candidate.get("finishReason") or candidate.get("finish_reason"),
        "tokens": tokens("totalTokenCount"),
        "input_tokens": tokens("promptTokenCount"),
        "output_tokens": _total(tokens("candidatesTokenCount"), tokens("thoughtsTokenCount")),
        "cached_tokens": tokens("cachedContentTokenCount"),
        "reasoning_tokens": tokens("thoughtsTokenCount"),
    }
