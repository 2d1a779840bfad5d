"""OpenAI evals: a line with the specification of the run, one per event, and one with the final report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dfevals.logs.messages import text_of
from dfevals.logs.opening import Source, as_text
from dfevals.logs.runs import Columns, Run, free_name, many, score, settings_of
from dfevals.roles.declared import Outcome

__all__ = ["is_openai_evals", "read_openai_evals"]

CORRECT = Outcome("correct", "pass", error_column="error")


def is_openai_evals(source: Source) -> bool:
    """Whether a file is a log of events."""
    first = source.first
    if not isinstance(first, dict):
        return False
    return isinstance(first.get("spec"), dict) or all(
        name in first for name in ("event_id", "sample_id", "type", "data")
    )


def read_openai_evals(sources: Sequence[Source]) -> Iterator[Run]:
    """One run per file."""
    for source in sources:
        yield _run(source)


def _run(source: Source) -> Run:
    spec: Mapping[str, Any] = {}
    report: Any = None
    rows: dict[str, dict[str, Any]] = {}
    outcomes: dict[str, Outcome] = {}
    again = 0
    for number, line in source.lines():
        if "spec" in line:
            spec = line["spec"] if isinstance(line["spec"], dict) else {}
        elif "final_report" in line:
            report = line["final_report"]
        elif isinstance(line.get("sample_id"), str) and isinstance(line.get("data"), dict):
            own = line["sample_id"]
            row = rows.setdefault(own, {"id": own, "sample_id": own})
            again += _event(row, str(line.get("type")), line["data"], outcomes)
        else:
            source.wrong("is no event of OpenAI evals: it has no sample_id or no data", number)
    columns = Columns()
    for row in rows.values():
        columns.add(row)
    functions = spec.get("completion_fns") or [spec.get("model_name") or source.path.stem]
    notes = [
        *source.notes,
        *([f"{source.name}: {many(again, 'match')[:-1]}es beside the first of a sample."] if again else []),
    ]
    if report is None:
        notes.append(f"{source.name}: there is no final report, so the run may have been broken off.")
    return Run(
        source.label,
        str(spec.get("base_eval") or spec.get("eval_name") or "evals"),
        ", ".join(map(str, functions)),
        columns.whole(),
        outcomes,
        spec.get("created_at") and str(spec["created_at"]),
        settings_of(
            eval=spec.get("eval_name"), split=spec.get("split"), seed=(spec.get("run_config") or {}).get("seed")
        ),
        notes,
    )


def _event(row: dict[str, Any], kind: str, data: Mapping[str, Any], outcomes: dict[str, Outcome]) -> bool:
    """One event; whether it is a match beside an earlier one, of which the first counts."""
    if kind == "match":
        outcomes.setdefault("correct", CORRECT)
        if "correct" in row:
            return True
        row["correct"] = score(data.get("correct"))
        row["reference"], row["picked"] = as_text(data.get("expected")), as_text(data.get("picked"))
        row.setdefault("response", as_text(data.get("sampled")))
    elif kind == "sampling":
        row.setdefault("prompt", _text(data.get("prompt")))
        row["response"] = _text(data.get("sampled"))
    elif kind == "metrics":
        for name, value in data.items():
            name = free_name(name, "score", ("sample_id", "picked"))
            row[name] = score(value) if not isinstance(value, str) else value
            outcomes.setdefault(name, Outcome(name, error_column="error"))
    elif kind == "error":
        row["error"] = f"{data.get('type')}: {data.get('message')}"
    return False


def _text(value: Any) -> Any:
    """One text or message as text; several as JSON."""
    if isinstance(value, list) and len(value) == 1:
        only = value[0]
        return text_of(only.get("content")) if isinstance(only, dict) else as_text(only)
    return as_text(value)
