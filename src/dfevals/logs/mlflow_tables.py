"""MLflow: the table of `mlflow.genai.evaluate` as a file (JSON, Parquet, or a logged table)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from dfevals.logs.opening import Source, as_text
from dfevals.logs.runs import Columns, Run, count, free_name, many, score
from dfevals.roles.declared import Outcome

__all__ = ["is_mlflow", "read_mlflow"]

VALUE, RATIONALE, ERROR = "/value", "/rationale", "/error_message"
WORDS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
EXPECTED = ("expected_response", "expected_facts", "guidelines", "expected_retrieved_context")
HIDDEN = ("mlflow.", "_")


def is_mlflow(source: Source) -> bool:
    """Whether a file is a table of evaluations of traces."""
    if source.head.startswith(b"PAR1"):
        return _names(source) is not None
    head = source.head
    return head.lstrip()[:1] in (b"{", b"[") and b'"trace_id"' in head and b'"execution_duration"' in head


def _names(source: Source) -> list[str] | None:
    try:
        import pyarrow.parquet as pq
    except ImportError:
        return None
    try:
        names = list(map(str, pq.read_schema(source.path).names))
    except Exception:  # a damaged file is not recognised
        return None
    return names if "trace_id" in names and "execution_duration" in names else None


def read_mlflow(sources: Sequence[Source]) -> Iterator[Run]:
    """One run per file and model."""
    for source in sources:
        by: dict[str, list[Mapping[str, Any]]] = {}
        for record in _records(source):
            by.setdefault(_model(record, source), []).append(record)
        for model, records in by.items():
            yield _run(source, model, records)


def _records(source: Source) -> list[dict[str, Any]]:
    """Rows of a table, of a list of objects, or of lines."""
    if source.head.startswith(b"PAR1"):
        return [{str(k): v for k, v in row.items()} for row in pd.read_parquet(source.path).to_dict("records")]
    if isinstance(source.first, dict) and "trace_id" in source.first and source.path.suffix != ".json":
        return [line for _, line in source.lines()]
    document = source.document
    if isinstance(document, dict) and isinstance(document.get("columns"), list):
        try:
            return [dict(zip(document["columns"], row, strict=True)) for row in document["data"]]
        except (KeyError, TypeError, ValueError):
            source.wrong("is no table: its rows are not as long as its columns")
    if isinstance(document, dict) and "trace_id" in document and all(isinstance(v, dict) for v in document.values()):
        return [{name: values.get(i) for name, values in document.items()} for i in document["trace_id"]]
    if isinstance(document, list) and all(isinstance(row, dict) and "trace_id" in row for row in document):
        return document
    return source.wrong("is no table of mlflow.genai.evaluate")


def _plain(value: Any) -> Any:
    """A value as it was before it became text on the way."""
    if isinstance(value, str) and value[:1] in "{[" and value:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _model(record: Mapping[str, Any], source: Source) -> str:
    told = _plain(record.get("trace_metadata"))
    told = told if isinstance(told, dict) else {}
    return str(told.get("mlflow.modelId") or told.get("mlflow.sourceRun") or source.path.stem)


def _run(source: Source, model: str, records: Sequence[Mapping[str, Any]]) -> Run:
    names = list(dict.fromkeys(name for record in records for name in record))
    expected = {name for name in names if name.removesuffix(VALUE) in EXPECTED}
    scorers = [n.removesuffix(VALUE) for n in names if n.endswith(VALUE) and n not in expected]
    scorers += [n.removesuffix(ERROR) for n in names if n.endswith(ERROR) and n.removesuffix(ERROR) not in scorers]
    columns_of = {scorer: free_name(scorer.replace("/", "_"), "score", ("trace_id", "state")) for scorer in scorers}
    own = ("trace_id", "state", *columns_of.values())
    columns, crashed, dropped = Columns(), 0, 0
    outcomes: dict[str, Outcome] = {}
    for record in records:
        record = {name: None if _is_missing(_plain(value)) else _plain(value) for name, value in record.items()}
        failed = record.get("state") == "ERROR"
        crashed += failed
        row = _row(record, failed, own)
        for scorer, name in columns_of.items():
            value = record.get(scorer + VALUE)
            dropped += failed and value is not None
            row[name] = (
                None if failed else WORDS.get(value.lower(), value) if isinstance(value, str) else _number(value)
            )
            row[f"{name}_reason"] = as_text(record.get(scorer + RATIONALE))
            row[f"{name}_error"] = row["error"] if failed else as_text(record.get(scorer + ERROR))
            outcomes.setdefault(name, Outcome(name, error_column=f"{name}_error"))
        columns.add(row)
    notes = []
    if crashed:
        notes.append(
            f"{source.name}: {many(crashed, 'call')} failed; {many(dropped, 'score')} of rows without an answer left out."
        )
    return Run(source.label, "mlflow", model, columns.whole(), outcomes, notes=notes)


def _number(value: Any) -> Any:
    return as_text(value) if isinstance(value, dict | list) else score(value)


def _row(record: Mapping[str, Any], failed: bool, own: Sequence[str]) -> dict[str, Any]:
    request, told = record.get("request"), record.get("trace_metadata")
    usage = _plain(told.get("mlflow.trace.tokenUsage")) if isinstance(told, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    asked = request if isinstance(request, dict) else {}
    tags = record.get("tags")
    groups = {
        free_name(k, "tag", own): as_text(v)
        for k, v in (tags.items() if isinstance(tags, dict) else ())
        if not k.startswith(HIDDEN)
    }
    groups |= {free_name(k, "input", (*own, *groups)): as_text(v) for k, v in asked.items()}
    duration = score(record.get("execution_duration"))
    references = [record.get(f"{name}{VALUE}") for name in EXPECTED if record.get(f"{name}{VALUE}") is not None]
    return groups | {
        "id": json.dumps(request, sort_keys=True, ensure_ascii=False, default=str),
        "trace_id": record.get("trace_id"),
        "state": record.get("state"),
        "prompt": as_text(next(iter(asked.values())) if len(asked) == 1 else request),
        "response": as_text(record.get("response")),
        "reference": as_text(references[0]) if references else None,
        "tokens": count(usage.get("total_tokens")),
        "input_tokens": count(usage.get("input_tokens")),
        "output_tokens": count(usage.get("output_tokens")),
        "latency": None if duration is None else duration / 1000,
        "error": "the model call failed" if failed else None,
    }
