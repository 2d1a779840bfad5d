"""promptfoo: the output of `eval -o`, as one document of JSON or one line per test and prompt."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dfevals.logs.opening import Source, as_text
from dfevals.logs.runs import Columns, Run, count, free_name, many, score, settings_of
from dfevals.roles.declared import Outcome

__all__ = ["is_promptfoo", "read_promptfoo"]

VERSION = 3  # of the results, with which the reader was tested
ROW = ("testCase", "promptIdx", "success", "provider")
START = re.compile(rb'\s*\{\s*"evalId"\s*:')
ERROR = 2  # of `failureReason`: 0 none, 1 an assertion failed, 2 the call or the judging did
STATED = ("equals", "contains", "icontains", "starts-with", "similar", "levenshtein", "factuality", "answer-relevance")
OWN = ("test", "reason", "prompt_label", "score", "success")


def is_promptfoo(source: Source) -> bool:
    """Whether a file is the output of promptfoo."""
    first = source.first
    if isinstance(first, dict) and all(name in first for name in ROW):
        return True
    return source.is_document and (bool(START.match(source.head)) or b'"promptfooVersion"' in source.head)


def read_promptfoo(sources: Sequence[Source]) -> Iterator[Run]:
    """One run per provider and prompt of every file."""
    for source in sources:
        document = {} if _is_lines(source) else source.document
        rows = list(source.lines()) if _is_lines(source) else list(enumerate(_results(source, document), 1))
        columns: dict[int, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        for number, row in rows:
            if not isinstance(row, dict) or not all(name in row for name in ROW):
                source.wrong("is no result of promptfoo", number if _is_lines(source) else None)
            columns[row["promptIdx"]].append((number, row))
        names = _names([found[0][1] for found in columns.values()])
        for name, found in zip(names, columns.values(), strict=True):
            yield _run(source, document, name, found)


def _is_lines(source: Source) -> bool:
    return isinstance(source.first, dict) and "testCase" in source.first


def _results(source: Source, document: Any) -> list[Any]:
    try:
        rows = document["results"]["results"]
        version = document["results"].get("version")
    except (KeyError, TypeError, AttributeError):
        source.wrong("holds no results of promptfoo")
    if version != VERSION:
        source.notes.append(f"{source.name}: results version {version}; the reader was tested with version {VERSION}.")
    return list(rows)


def _names(rows: list[dict[str, Any]]) -> list[str]:
    """Provider, and prompt where there are several, of each pair of both."""
    providers = [_provider(row) for row in rows]
    prompts = [str((row.get("prompt") or {}).get("label") or row.get("promptId") or "") for row in rows]
    names = [f"{a} ({b:.60})" if len(set(prompts)) > 1 else a for a, b in zip(providers, prompts, strict=True)]
    twice = {name for name, n in Counter(names).items() if n > 1}
    return [f"{name} {row['promptIdx']}" if name in twice else name for name, row in zip(names, rows, strict=True)]


def _provider(row: Mapping[str, Any]) -> str:
    provider = row.get("provider") or {}
    return str(provider.get("label") or provider.get("id")) if isinstance(provider, dict) else str(provider)


def _run(source: Source, document: Mapping[str, Any], name: str, rows: list[tuple[int, dict[str, Any]]]) -> Run:
    columns, trials, outcomes = Columns(), Counter[str](), {"success": Outcome("success", "pass", error_column="error")}
    outcomes["score"] = Outcome("score", "score", range=(0.0, 1.0), error_column="error")
    named = {free_name(key, "score", OWN): key for _, row in rows for key in row.get("namedScores") or ()}
    outcomes |= {key: Outcome(key, "score", error_column="error") for key in named}
    unjudged = 0
    for number, row in sorted(rows, key=lambda item: (item[1].get("testIdx") or 0, item[0])):
        try:
            found = _row(row, named)
        except (TypeError, AttributeError, KeyError):
            source.wrong("is no result of promptfoo: a field has another form", number if _is_lines(source) else None)
        trials[found["id"]] += 1
        found["repeat"] = trials[found["id"]]
        unjudged += (row.get("gradingResult") or {}).get("reason") == "No assertions"
        columns.add(found)
    config, told = document.get("config") or {}, document.get("results") or {}
    notes = [f"{name}: {many(unjudged, 'row')} without assertions count as passed."] if unjudged else []
    return Run(
        source.label,
        str(config.get("description") or "promptfoo"),
        name,
        _priced(columns.whole()),
        outcomes,
        told.get("timestamp"),
        settings_of(promptfoo=(document.get("metadata") or {}).get("promptfooVersion")),
        notes,
    )


def _row(row: Mapping[str, Any], named: Mapping[str, str]) -> dict[str, Any]:
    """One test of one provider and prompt; `named` are the columns of named scores."""
    case, response, graded = row["testCase"], row.get("response") or {}, row.get("gradingResult") or {}
    asked = row.get("vars") or case.get("vars") or {}
    failed = row.get("failureReason") == ERROR or (row.get("failureReason") is None and not graded and row.get("error"))
    usage = {} if failed else row.get("tokenUsage") or {}
    latency = score(row.get("latencyMs"))
    scores = {} if failed else row.get("namedScores") or {}
    groups = {key: value for key, value in {**(case.get("metadata") or {}), **asked}.items() if not key.startswith("_")}
    context = groups.pop("context", None)
    content = json.dumps([asked, case.get("description"), case.get("assert")], sort_keys=True, ensure_ascii=False)
    found = {free_name(key, "vars", (*OWN, *named)): as_text(value) for key, value in groups.items()}
    found |= {column: score(scores.get(key)) for column, key in named.items()}
    return found | {
        "id": hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:16],
        "success": None if failed else score(row["success"]),
        "score": None if failed else score(row.get("score")),
        "test": row.get("testIdx"),
        "reason": graded.get("reason"),
        "prompt_label": (row.get("prompt") or {}).get("label"),
        "prompt": (row.get("prompt") or {}).get("raw"),
        "response": as_text(response.get("output")),
        "reference": _reference(graded),
        "context": as_text(context),
        "tokens": count(usage.get("total")),
        "input_tokens": count(usage.get("prompt")),
        "output_tokens": count(usage.get("completion")),
        "cached_tokens": count(usage.get("cached")),
        "cost": None if failed else score(row.get("cost")),
        "latency": None if failed or latency is None else latency / 1000,
        "error": (str(row.get("error") or "the call failed")) if failed else None,
    }


def _reference(graded: Mapping[str, Any]) -> Any:
    """What assertions that state a right answer ask for."""
    values = [
        (part.get("metadata") or {}).get("renderedAssertionValue", (part.get("assertion") or {}).get("value"))
        for part in graded.get("componentResults") or ()
        if (part.get("assertion") or {}).get("type") in STATED
    ]
    return as_text(values[0] if len(values) == 1 else values) if values else None


def _priced(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Without costs where none is known: the tool writes 0."""
    if not any(columns.get("cost", ())):
        columns.pop("cost", None)
    return columns
