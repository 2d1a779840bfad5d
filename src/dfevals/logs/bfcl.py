"""Berkeley Function Calling Leaderboard: files of results, and of scores, which name only what failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dfevals.logs.messages import arguments_of
from dfevals.logs.opening import Source, as_text
from dfevals.logs.runs import Columns, Run, count, many, score
from dfevals.roles.declared import Outcome

__all__ = ["is_bfcl", "read_bfcl"]

NAME = re.compile(r"BFCL_v\d+_(?P<category>.+)_(?P<kind>score|result)\.json")
HEADER = ("accuracy", "correct_count", "total_count")
CRASHED = "Error during inference"  # how the tool writes a call that failed
GROUPS = ("non_live", "live", "multi_turn", "agentic", "memory", "web_search", "format_sensitivity")


def is_bfcl(source: Source) -> bool:
    """Whether a file is one of results or scores."""
    first = source.first
    if not isinstance(first, dict):
        return False
    return bool(NAME.fullmatch(source.name)) and (all(name in first for name in HEADER) or "result" in first)


def read_bfcl(sources: Sequence[Source]) -> Iterator[Run]:
    """One run per model and category."""
    by: dict[tuple[str, str], dict[str, Source]] = {}
    for source in sources:
        named = NAME.fullmatch(source.name)
        if named is None:
            source.wrong("is not called as files of BFCL are, BFCL_v4_<category>_score.json or …_result.json")
        by.setdefault((_model(source.path), named["category"]), {})[named["kind"]] = source
    for (model, category), both in by.items():
        scores = both.get("score") or _beside(both["result"], "result", "score")
        results = both.get("result") or _beside(both["score"], "score", "result")
        if results is None:
            both["score"].wrong("names only what failed: give the file of results, too")
        yield _run(model, category, results, scores)


def _model(path: Path) -> str:
    """The folder below `score` or `result`, else the nearest one that is no group of categories."""
    for parent in path.parents:
        if parent.name not in GROUPS:
            return parent.name
    return path.stem


def _beside(source: Source, kind: str, other: str) -> Source | None:
    """The file of the other kind, in the folders as the tool makes them."""
    parts = [other if part == kind else part for part in source.path.parent.parts]
    path = Path(*parts) / source.path.name.replace(f"_{kind}.json", f"_{other}.json")
    return Source(path) if path.is_file() else None


def _run(model: str, category: str, results: Source, scores: Source | None) -> Run:
    wrong, total = ({}, None) if scores is None else _wrong(scores)
    columns, unjudged = Columns(), 0
    seen: set[str] = set()
    for number, line in results.lines():
        own = line.get("id")
        if not isinstance(own, str) or "result" not in line:
            results.wrong("is no result of BFCL: it has no id or no result", number)
        if own in seen:
            results.wrong(f"the id {own!r} is there a second time", number)
        seen.add(own)
        row, failure = _row(own, line), wrong.pop(own, None)
        kind = _kind(failure)
        crashed = isinstance(line["result"], str) and line["result"].startswith(CRASHED)
        if crashed or (kind is not None and kind.endswith("inference_error")):
            row |= {"error": line["result"] if crashed else _message(failure), "response": None, "valid": None}
            unjudged += 1
        else:
            row["valid"] = None if scores is None else float(failure is None)
        row |= {
            "error_type": kind,
            "reason": _message(failure),
            "reference": as_text((failure or {}).get("possible_answer")),
        }
        columns.add(row)
    notes = (
        [f"{category}: {many(unjudged, 'call')} failed: no score here, wrong in the tool's own accuracy."]
        if unjudged
        else []
    )
    if wrong:
        notes.append(
            f"{category}: {many(len(wrong), 'failed entry')} of the scores not among the results.".replace(
                "entrys", "entries"
            )
        )
    if scores is None:
        notes.append(f"{category}: no file of scores, so nothing was judged.")
    elif total != columns.n:
        notes.append(f"{category}: the scores are of {total:,} entries, the results of {columns.n:,}.")
    valid = Outcome("valid", "pass", error_column="error")
    return Run(results.label, category, model, columns.whole(), {"valid": valid}, notes=[*notes, *results.notes])


def _wrong(scores: Source) -> tuple[dict[str, Mapping[str, Any]], int | None]:
    """The failed entries by id, and how many entries there were."""
    found: dict[str, Mapping[str, Any]] = {}
    total = None
    for number, line in scores.lines():
        if total is None and "total_count" in line:
            total = count(line["total_count"])
        elif isinstance(line.get("id"), str):
            found[line["id"]] = line
        else:
            scores.wrong("is no entry of a score of BFCL: it has no id", number)
    return found, total


def _kind(failure: Mapping[str, Any] | None) -> str | None:
    if failure is None:
        return None
    error = failure.get("error")
    kind = failure.get("error_type") or (error.get("error_type") if isinstance(error, dict) else None)
    return None if kind is None else str(kind)


def _message(failure: Mapping[str, Any] | None) -> Any:
    error = (failure or {}).get("error")
    told = error.get("error_message") if isinstance(error, dict) else error
    return "; ".join(map(str, told)) if isinstance(told, list) else as_text(told)


def _row(own: str, line: Mapping[str, Any]) -> dict[str, Any]:
    given, out = _sum(line.get("input_token_count")), _sum(line.get("output_token_count"))
    known = [count(part) for part in (given, out) if part is not None]
    return {
        "id": own,
        "response": as_text(line["result"]),
        "tool_calls": as_text(_calls(line["result"])),
        "tokens": sum(part for part in known if part is not None) if known else None,
        "input_tokens": count(given),
        "output_tokens": count(out),
        "latency": _sum(line.get("latency")),
    }


def _sum(value: Any) -> float | None:
    """A number, or the sum of those of the turns and steps."""
    if isinstance(value, list):
        parts = [part for part in map(_sum, value) if part is not None]
        return sum(parts) if parts else None
    return score(value)


def _calls(result: Any) -> list[dict[str, Any]] | None:
    """`[{name: arguments}]` of models that call functions; texts are left to an evaluator of calls."""
    if not isinstance(result, list) or not all(isinstance(call, dict) and len(call) == 1 for call in result):
        return None
    return [{"name": name, "arguments": arguments_of(arguments)} for call in result for name, arguments in call.items()]
