"""Batches of OpenAI and Anthropic: results, errors and requests, joined by custom id in whatever order they come."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfevals.logs.answers import answered
from dfevals.logs.messages import text_of
from dfevals.logs.opening import Source, as_text
from dfevals.logs.runs import Columns, Run, free_name, many, said
from dfevals.roles.declared import Outcome

__all__ = ["is_batch", "read_batch"]

OWN = ("custom_id", "answered", "finish", "truncated", "refusal")
Line = Mapping[str, Any]


def is_batch(source: Source) -> bool:
    """Whether a file holds requests or results of a batch."""
    first = source.first
    if isinstance(first, dict) and "custom_id" in first:
        return any(name in first for name in ("response", "error", "result", "body", "params"))
    return source.is_document and b'"requests"' in source.head[:200] and b'"custom_id"' in source.head


def read_batch(sources: Sequence[Source]) -> Iterator[Run]:
    """One run per model."""
    batch = _Batch()
    for source in sources:
        batch.read(source)
    yield from batch.runs()


@dataclass
class _Batch:
    requests: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    results: list[tuple[Source, str, dict[str, Any]]] = field(default_factory=list)
    requested_by: str = ""

    def read(self, source: Source) -> None:
        """The lines of one file."""
        is_document = source.is_document and not isinstance(source.first, dict)
        listed = source.document if is_document or b'"requests"' in source.head[:20] else None
        lines = enumerate(listed.get("requests") or (), 1) if isinstance(listed, dict) else source.lines()
        for number, line in lines:
            own = line.get("custom_id") if isinstance(line, dict) else None
            if not isinstance(own, str):
                source.wrong("is no line of a batch: custom_id is missing", number)
            asked = line.get("body", line.get("params"))
            try:
                if asked is not None:
                    self.requests[own].append(asked)
                    self.requested_by = source.label
                else:
                    self.results.append((source, own, _result(line)))
            except (TypeError, AttributeError, KeyError, IndexError):
                source.wrong("is no line of a batch: its answer has another form", number)

    def runs(self) -> Iterator[Run]:
        """Results with their requests, and requests that have no result, by model."""
        for _, own, row in self.results:
            row["_request"] = self._request(own, row.get("_model"))
        names = self._names()
        rows: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        files: dict[str, str] = {}
        notes: dict[str, Counter[str]] = defaultdict(Counter)
        for source, own, row in self.results:
            asked = row["_request"].get("model")
            model = row.get("_model") or names.get(asked) or asked or "batch"
            files.setdefault(model, source.label)
            row["file"] = source.label
            before = rows[model].get(own)
            if before is not None:
                notes[model]["again"] += 1
                if before["answered"] and not row["answered"]:
                    continue
            rows[model][own] = row
        for own, requests in self.requests.items():
            for request in requests:
                model = names.get(request.get("model")) or request.get("model") or "batch"
                if not any(own in rows[name] for name in ([model] if model in rows else rows)):
                    rows[model][own] = _failed("no result in the files") | {
                        "_request": request,
                        "file": self.requested_by,
                    }
                    notes[model]["unanswered"] += 1
        for model, mine in rows.items():
            if mine:
                yield _run(model, mine, files.get(model, self.requested_by), notes[model])

    def _request(self, own: str, model: Any) -> Line:
        known = self.requests.get(own) or [{}]
        return next((r for r in known if str(model or "").startswith(str(r.get("model") or "?"))), known[0])

    def _names(self) -> dict[Any, str]:
        """What the models that were asked for call themselves in their answers, mostly."""
        found: dict[Any, Counter[str]] = defaultdict(Counter)
        for _, _, row in self.results:
            if row.get("_model"):
                found[row["_request"].get("model")][row["_model"]] += 1
        return {asked: names.most_common(1)[0][0] for asked, names in found.items()}


def _result(line: Line) -> dict[str, Any]:
    """A line of results or errors, of either provider."""
    if "result" in line:
        result = line["result"]
        if result["type"] == "succeeded":
            return _answer(result["message"])
        error = (result.get("error") or {}).get("error") or result.get("error") or {}
        return _failed(error.get("message") or error.get("type") or result["type"])
    response, error = line.get("response"), line.get("error")
    if response is None:
        return _failed((error or {}).get("message") or (error or {}).get("code") or "no response")
    body = response.get("body") or {}
    status = response.get("status_code")
    if status is not None and status >= 400:
        return _failed((body.get("error") or {}).get("message") or f"status {status}")
    return _answer(body)


def _answer(body: Line) -> dict[str, Any]:
    return {"answered": 1.0, "_model": body.get("model") or body.get("modelVersion"), **answered(body)}


def _failed(why: Any) -> dict[str, Any]:
    return {"answered": 0.0, "error": str(why)}


def _run(model: str, rows: dict[str, dict[str, Any]], file: str, counted: Counter[str]) -> Run:
    columns, without = Columns(), 0
    for own, row in rows.items():
        request = row.pop("_request")
        row.pop("_model", None)
        without += not request
        groups = {free_name(k, "metadata", OWN): as_text(v) for k, v in (request.get("metadata") or {}).items()}
        columns.add({"id": own, "custom_id": own, **groups, "prompt": _prompt(request), **row})
    whole = columns.whole()
    cut, refused = (sum(bool(v) for v in whole.get(name, ())) for name in ("truncated", "refusal"))
    told = [
        (counted["unanswered"], "request without a result"),
        (counted["again"], "custom id with several results, of which an answer counts"),
        (0 if without == len(rows) else without, "result without its request"),
        (cut, "answer cut off by its length"),
        (refused, "refusal"),
    ]
    if without == len(rows):
        told.append((without, "result without its request (give the file of requests, too, for the prompts)"))
    errors = Counter(said(e, 60) for e in whole.get("error", ()) if e is not None)
    notes = [f"{model}: {_many(n, what)}." for n, what in told if n]
    notes += [f"{model}: {n:,} × {why}." for why, n in errors.most_common(3)]
    return Run(file, "batch", model, whole, {"answered": Outcome("answered", "pass")}, notes=notes)


def _many(n: int, what: str) -> str:
    noun, _, rest = what.partition(" ")
    return f"{many(n, noun)} {rest}".strip()


def _prompt(request: Line) -> Any:
    """The one message, or all of them as JSON text."""
    given = request.get("messages") or request.get("input") or request.get("prompt") or request.get("contents")
    messages = (
        [*([{"role": "system", "content": request["system"]}] if request.get("system") else []), *given]
        if isinstance(given, list)
        else given
    )
    if isinstance(messages, list) and len(messages) == 1 and isinstance(messages[0], dict):
        return text_of(messages[0].get("content")) or as_text(messages)
    return as_text(messages)
