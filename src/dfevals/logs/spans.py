"""OpenTelemetry traces as JSON (OTLP of the Collector and the SDKs, protobuf's JSON, console exporter): one row per span."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from dfevals.logs.opening import Source, as_text
from dfevals.logs.runs import Columns, Run, count, many, score
from dfevals.roles.declared import Outcome

__all__ = ["attributes_of", "is_spans", "read_spans", "spans_of"]

HEX = re.compile(r"(0x)?[0-9a-fA-F]+")
ERRORS = (2, "2", "STATUS_CODE_ERROR", "ERROR")
KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
#: Attributes of the GenAI and OpenInference conventions, new names before old ones.
NAMES: Mapping[str, tuple[str, ...]] = {
    "model": ("gen_ai.response.model", "llm.response.model_name", "gen_ai.request.model", "llm.request.model_name", "llm.model_name", "llm.model.name", "embedding.model_name"),
    "provider": ("gen_ai.provider.name", "llm.provider", "gen_ai.system", "llm.system", "llm.model.provider"),
    "operation": ("gen_ai.operation.name", "openinference.span.kind"),
    "session": ("gen_ai.conversation.id", "session.id"),
    "prompt": ("gen_ai.input.messages", "input.value", "gen_ai.prompt"),
    "response": ("gen_ai.output.messages", "output.value", "gen_ai.completion"),
    "context": ("gen_ai.retrieval.documents", "retrieval.documents"),
    "tool": ("gen_ai.tool.name", "tool.name"),
    "tokens": ("llm.token_count.total", "gen_ai.usage.total_tokens"),
    "input_tokens": ("gen_ai.usage.input_tokens", "llm.token_count.prompt", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "llm.token_count.completion", "gen_ai.usage.completion_tokens"),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read"),
    "cost": ("llm.cost.total",),
    "finish": ("gen_ai.response.finish_reasons", "llm.finish_reason"),
}  # fmt: skip
NUMBERS = ("tokens", "input_tokens", "output_tokens", "cached_tokens")


def is_spans(source: Source) -> bool:
    """Whether a file holds spans."""
    first = source.first
    if isinstance(first, dict):
        return any(name in first for name in ("resourceSpans", "resource_spans")) or _is_printed(first)
    names = (b'"resourceSpans"', b'"resource_spans"', b'"spanContext"')
    return source.is_document and any(name in source.head[:4096] for name in names)


def _is_printed(span: Mapping[str, Any]) -> bool:
    context = span.get("context") or span.get("spanContext")
    return isinstance(context, dict) and ("span_id" in context or "spanId" in context) and "attributes" in span


def read_spans(sources: Sequence[Source]) -> Iterator[Run]:
    """One run per file."""
    for source in sources:
        columns, errors = Columns(), 0
        seen: set[tuple[Any, Any]] = set()
        twice = 0
        for line, span in _spans(source):
            row = _row(source, line, span)
            own = (row["trace_id"], row["span_id"])
            if own in seen:
                twice += 1
                continue
            seen.add(own)
            errors += row["error"] is not None
            columns.add(row)
        notes = [
            *source.notes,
            *([f"{source.name}: {many(twice, 'span')} there a second time left out."] if twice else []),
        ]
        yield Run(source.label, "spans", "", _numbered(columns.whole()), {"ok": Outcome("ok", "pass")}, notes=notes)


def _numbered(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    columns["model"] = [value or "no model" for value in columns.get("model", [])]
    return columns


def _spans(source: Source) -> Iterator[tuple[int | None, Mapping[str, Any]]]:
    if isinstance(source.first, dict):
        for number, line in source.lines():
            for span in [line] if _is_printed(line) else _of(source, line, number):
                yield number, span
    else:
        document = source.document
        for span in document if isinstance(document, list) else _of(source, document, None):
            yield None, span


def _of(source: Source, batch: Any, line: int | None) -> Iterator[Mapping[str, Any]]:
    try:
        yield from spans_of(batch)
    except (TypeError, AttributeError, KeyError):
        source.wrong("holds no spans of OpenTelemetry", line)


def spans_of(batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The spans of a batch, each with the attributes of its resource and the name of its scope."""
    for resource in _either(batch, "resourceSpans") or ():
        shared = attributes_of((resource.get("resource") or {}).get("attributes"))
        for scope in _either(resource, "scopeSpans") or ():
            for span in scope.get("spans") or ():
                yield {**span, "_resource": shared, "_scope": (scope.get("scope") or {}).get("name")}


def _either(given: Mapping[str, Any], name: str) -> Any:
    """A field by its name in JSON or in protobuf."""
    return given.get(name, given.get("".join(f"_{c.lower()}" if c.isupper() else c for c in name)))


def attributes_of(listed: Any) -> dict[str, Any]:
    """Attributes by name, plain where they were plain.

    Examples
    --------
    >>> attributes_of([{"key": "n", "value": {"intValue": "7"}}, {"key": "xs", "value": {"arrayValue": {}}}])
    {'n': 7, 'xs': []}
    """
    if isinstance(listed, dict):
        return listed
    return {one["key"]: _value(one.get("value")) for one in listed or ()}


def _value(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        return None
    ((kind, held),) = list(value.items())[:1]
    kind = kind.replace("_v", "V")
    if kind == "intValue":
        return count(held) if count(held) is not None else held
    if kind == "doubleValue":
        return score(float(held)) if isinstance(held, str) else score(held)
    if kind == "arrayValue":
        return [_value(item) for item in (held or {}).get("values") or ()]
    if kind == "kvlistValue":
        return {item["key"]: _value(item.get("value")) for item in (held or {}).get("values") or ()}
    return held


def _row(source: Source, line: int | None, span: Mapping[str, Any]) -> dict[str, Any]:
    try:
        context = span.get("context") or span.get("spanContext") or {}
        attributes = attributes_of(span.get("attributes"))
        resource = span.get("_resource") or attributes_of((span.get("resource") or {}).get("attributes"))
        start, end = _time(span, "start"), _time(span, "end")
        status = span.get("status") or {}
        row: dict[str, Any] = {
            "trace_id": _id(context.get("trace_id") or _either({**span, **context}, "traceId"), 16),
            "span_id": _id(context.get("span_id") or _either({**span, **context}, "spanId"), 8),
            "parent_id": _id(span.get("parent_id") or _either(span, "parentSpanId"), 8),
            "name": span.get("name"),
            "kind": _kind(span.get("kind")),
            "service": resource.get("service.name"),
            "start": start,
            "end": end,
            "latency": None if start is None or end is None or end < start else (end - start) / 1e9,
        }
        failed = (status.get("code") or status.get("status_code")) in ERRORS
        message = status.get("message") or status.get("description")
        row["error"] = str(message or attributes.get("error.type") or "error") if failed else None
        row["ok"] = float(not failed)
        row["release"] = resource.get("service.version")
        for name, candidates in NAMES.items():
            value = next((attributes[c] for c in candidates if attributes.get(c) is not None), None)
            row[name] = count(value) if name in NUMBERS else score(value) if name == "cost" else as_text(value)
        if row["tokens"] is None and row["input_tokens"] is not None and row["output_tokens"] is not None:
            row["tokens"] = row["input_tokens"] + row["output_tokens"]
        row["attributes"] = as_text(attributes)
        row["id"] = f"{row['trace_id']}/{row['span_id']}"
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        source.wrong(f"is no span of OpenTelemetry ({type(error).__name__}: {error})", line)
    if row["span_id"] is None:
        source.wrong("is no span of OpenTelemetry: it has no id", line)
    return row


def _kind(kind: Any) -> Any:
    return (
        KINDS.get(kind)
        if isinstance(kind, int)
        else str(kind).rsplit(".", 1)[-1].removeprefix("SPAN_KIND_").lower()
        if kind
        else None
    )


def _time(span: Mapping[str, Any], which: str) -> int | None:
    """Nanoseconds since 1970."""
    value = _either(span, f"{which}TimeUnixNano")
    if value is not None:
        return count(value)
    pair = span.get(f"{which}Time")  # seconds and nanoseconds, as the SDK of JavaScript has it
    if isinstance(pair, list) and len(pair) == 2:
        return int(pair[0]) * 10**9 + int(pair[1])
    text = span.get(f"{which}_time")
    if not isinstance(text, str):
        return None
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def _id(value: Any, size: int) -> str | None:
    """An id in hexadecimal; protobuf's JSON writes base64."""
    if not value:
        return None
    text = str(value)
    if HEX.fullmatch(text) and len(text.removeprefix("0x")) == 2 * size:
        return text.removeprefix("0x").lower()
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text
    return raw.hex() if len(raw) == size else text
