"""Inspect AI: `.eval` (a ZIP file, read one sample at a time) and `.json`."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfevals.logs.messages import text_of, tool_calls
from dfevals.logs.opening import Source, as_text
from dfevals.logs.runs import Columns, Run, count, free_name, many, said, score, settings_of
from dfevals.roles.declared import Outcome

__all__ = ["is_inspect", "read_inspect"]

VERSION = 2  # of the log, with which the reader was tested
START = re.compile(rb'\s*\{\s*"version"\s*:\s*\d+\s*,\s*"status"\s*:')
GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # correct, partly, incorrect, no answer
WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
HEADER, JOURNAL = "header.json", "_journal/start.json"


def is_inspect(source: Source) -> bool:
    """Whether a file is a log of Inspect AI."""
    if source.members is not None:
        return HEADER in source.members or JOURNAL in source.members
    return source.is_document and bool(START.match(source.head)) and b'"eval"' in source.head


def read_inspect(sources: Sequence[Source]) -> Iterator[Run]:
    """One run per evaluation; a run that was taken up again in another file is one with it."""
    tries: dict[tuple[str, str, str], list[_Log]] = defaultdict(list)
    for source in sources:
        log = _Log.of(source)
        tries[log.key].append(log)
    for logs in tries.values():
        yield _run(sorted(logs, key=lambda log: log.created))


@dataclass(frozen=True)
class _Log:
    """A file: its header, and the samples one after the other."""

    source: Source
    header: dict[str, Any]
    is_complete: bool

    @classmethod
    def of(cls, source: Source) -> _Log:
        members = source.members
        if members is None:
            header = source.document
        else:
            header = source.member(HEADER if HEADER in members else JOURNAL)
        if not isinstance(header, dict) or not isinstance(header.get("eval"), dict):
            source.wrong("is no log of Inspect AI: its header does not name the evaluation")
        for name in ("task", "model"):
            if not isinstance(header["eval"].get(name), str):
                source.wrong(f"is no log of Inspect AI: its header names no {name}")
        return cls(source, header, members is None or HEADER in members)

    @property
    def eval(self) -> dict[str, Any]:
        found: dict[str, Any] = self.header["eval"]
        return found

    @property
    def created(self) -> str:
        return str(self.eval.get("created") or "")

    @property
    def key(self) -> tuple[str, str, str]:
        """What the tries of one run have in common."""
        own = self.eval.get("task_id") or self.eval.get("run_id") or str(self.source.path)
        return self.eval["task"], self.eval["model"], str(own)

    def samples(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Place and content of every sample."""
        if self.source.members is None:
            for i, sample in enumerate(self.source.document.get("samples") or ()):
                yield f"sample {i + 1:,}", sample
            del self.source.document
            return
        for name in self.source.members:
            if name.startswith("samples/") and name.endswith(".json"):
                yield f"the member {name!r}", self.source.member(name)

    def notes(self, read: int) -> Iterator[str]:
        """How the run ended."""
        name, told, version = self.source.name, self.header, self.header.get("version")
        if version is not None and version != VERSION:
            yield f"{name}: log version {version}; the reader was tested with version {VERSION}."
        results = told.get("results") or {}
        total = results.get("total_samples") or self._planned()
        of = f"{read:,} of {total:,} samples" if total else f"{read:,} samples"
        if not self.is_complete:
            yield f"{name}: the run was broken off; {of} were logged."
        elif told.get("status") != "success":
            why = f": {said((told.get('error') or {}).get('message'))}" if told.get("error") else ""
            yield f"{name}: the run ended with status {told.get('status')!r}{why}; {of} were logged."
        elif total and read < total:
            yield f"{name}: {of} were logged."

    def _planned(self) -> int | None:
        size = (self.eval.get("dataset") or {}).get("samples")
        config = self.eval.get("config") or {}
        limit, epochs = config.get("limit"), config.get("epochs")
        if not isinstance(size, int):
            return None
        return (min(size, limit) if isinstance(limit, int) else size) * (epochs if isinstance(epochs, int) else 1)


def _run(logs: list[_Log]) -> Run:
    """The samples of all tries of a run: of each sample and epoch the last without an error."""
    last = logs[-1]
    rows: dict[tuple[Any, Any], dict[str, Any]] = {}
    notes = _Notes()
    for log in logs:
        read = 0
        for place, sample in log.samples():
            read += 1
            row = _row(log, place, sample, notes)
            own = (row["id"], row["repeat"])
            if own in rows:
                notes.again += row["uuid"] != rows[own]["uuid"]
                if row["error"] is not None and rows[own]["error"] is None:
                    continue
            rows[own] = row
        notes.said += log.notes(read)
    names = dict.fromkeys(name for row in rows.values() for name in row["_scores"])
    outcomes = {
        name: Outcome(name, range=(0.0, 1.0) if name in notes.graded else None, error_column="error") for name in names
    }
    columns = Columns()
    for row in rows.values():
        scores = row.pop("_beside") | row.pop("_scores")
        groups = {free_name(name, "metadata", (*OWN, *outcomes)): value for name, value in row.pop("_metadata").items()}
        columns.add(row | scores | groups)
    whole = columns.whole()
    if all(calls in (None, "[]") for calls in whole.get("tool_calls", ())):
        whole.pop("tool_calls", None)
    _settle_texts(whole, outcomes, notes)
    prompts = whole.get("prompt", [])
    return Run(
        last.source.label,
        last.eval["task"],
        last.eval["model"],
        whole,
        outcomes,
        last.created or None,
        _settings(last.eval),
        notes.all(last.eval["task"]),
        lambda: [hashlib.sha256(str(text).encode("utf-8", "replace")).hexdigest()[:16] for text in prompts],
    )


OWN = ("sample_id", "uuid", "choices", "working_time", "limit", "retries")


def _settings(told: Mapping[str, Any]) -> dict[str, str]:
    dataset, config = told.get("dataset") or {}, told.get("config") or {}
    return settings_of(
        task_version=told.get("task_version"),
        dataset=dataset.get("name"),
        task_args=told.get("task_args") or None,
        epochs=config.get("epochs"),
        generate_config=told.get("model_generate_config") or None,
        commit=(told.get("revision") or {}).get("commit"),
    )


@dataclass
class _Notes:
    """What is counted while samples are read."""

    said: list[str] = field(default_factory=list)
    again: int = 0
    retried: int = 0
    errors_before: int = 0
    limits: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    edited: int = 0
    judges: set[str] = field(default_factory=set)
    graded: set[str] = field(default_factory=set)

    def all(self, task: str) -> list[str]:
        """Sentences of what was counted."""
        found = list(self.said)
        if self.again:
            found.append(
                f"{task}: {many(self.again, 'sample')} run again in a later file; the last run without an error counts."
            )
        if self.retried:
            found.append(
                f"{task}: {many(self.retried, 'sample')} tried again after {many(self.errors_before, 'error')} in the run."
            )
        found += [f"{task}: {many(n, 'sample')} stopped by the {kind} limit." for kind, n in self.limits.items()]
        if self.edited:
            found.append(f"{task}: {many(self.edited, 'score')} edited by hand.")
        if self.judges:
            found.append(f"{task}: tokens and cost hold those of {', '.join(sorted(self.judges))} too.")
        return found


def _row(log: _Log, place: str, sample: Any, notes: _Notes) -> dict[str, Any]:
    """One sample."""
    try:
        own, epoch, scores = sample["id"], sample["epoch"], sample.get("scores") or {}
        usage, output = sample.get("model_usage") or {}, sample.get("output") or {}
        attached = sample.get("attachments") or {}
        messages = sample.get("messages") or []
        values, beside = _scores(scores, notes)
        row = {
            "id": own,
            "sample_id": own,
            "repeat": epoch,
            "uuid": sample.get("uuid"),
            "_scores": values,
            "_beside": beside,
            "_metadata": {name: as_text(value) for name, value in (sample.get("metadata") or {}).items()},
            "prompt": _prompt(sample.get("input"), attached),
            "response": text_of(output.get("completion"), attached) if output.get("choices") else None,
            "reference": _one_or_all(sample.get("target")),
            "choices": as_text(sample.get("choices")),
            "tool_calls": as_text(tool_calls(messages)),
            "trajectory": as_text(messages) if messages else None,
            **_usage(usage),
            "latency": score(sample.get("total_time")),
            "working_time": score(sample.get("working_time")),
            "error": _error(sample.get("error")),
            "run": log.eval.get("eval_id"),
            "file": log.source.label,
        }
        _count(row, sample, log.eval["model"], usage, scores, notes)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        log.source.wrong(f"{place} is no sample of Inspect AI ({type(error).__name__}: {error})")
    return row


def _count(row: dict[str, Any], sample: Any, model: str, usage: Any, scores: Any, notes: _Notes) -> None:
    retries = sample.get("error_retries") or []
    if retries:
        row["retries"] = len(retries)
        notes.retried += 1
        notes.errors_before += len(retries)
    limit = (sample.get("limit") or {}).get("type")
    if limit is not None:
        row["limit"] = limit
        notes.limits[str(limit)] += 1
    notes.edited += sum(bool(one.get("history")) for one in scores.values())
    if len(usage) > 1:
        notes.judges |= set(usage) - {model}


def _prompt(given: Any, attached: Mapping[str, str]) -> str | None:
    if isinstance(given, list) and len(given) == 1:
        return text_of(given[0].get("content"), attached)
    if isinstance(given, list):
        return str(as_text([{"role": m.get("role"), "content": text_of(m.get("content"), attached)} for m in given]))
    return text_of(given, attached)


def _one_or_all(target: Any) -> Any:
    return target[0] if isinstance(target, list) and len(target) == 1 else as_text(target)


def _error(error: Any) -> str | None:
    if error is None or error == "":
        return None
    return str(error.get("message")) if isinstance(error, dict) else str(error)


def _usage(usage: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Tokens and cost over all models; those read from the cache are part of the input."""

    def total(*names: str) -> Any:
        known = [count(of.get(name)) for of in usage.values() for name in names]
        numbers = [number for number in known if number is not None]
        return sum(numbers) if numbers else None

    costs = [number for of in usage.values() if (number := score(of.get("total_cost"))) is not None]
    return {
        "tokens": total("total_tokens"),
        "input_tokens": total("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write"),
        "output_tokens": total("output_tokens"),
        "cached_tokens": total("input_tokens_cache_read"),
        "reasoning_tokens": total("reasoning_tokens"),
        "cost": sum(costs) if costs else None,
    }


# Scores


def _scores(scores: Mapping[str, Any], notes: _Notes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values of every scorer (a dict or list of values gives one outcome each); and answers and reasons beside them."""
    values: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    for scorer, given in scores.items():
        value = given.get("value")
        parts = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else None
        for name, part in [(scorer, value)] if parts is None else [(f"{scorer}_{k}", v) for k, v in parts.items()]:
            name = free_name(name, "score", OWN)
            if isinstance(part, str) and part in GRADES:
                notes.graded.add(name)
            values[name] = _value(part)
        for told, column in (("answer", f"{scorer}_answer"), ("explanation", f"{scorer}_reason")):
            if given.get(told) is not None:
                beside[column] = as_text(given[told])
    return values, beside


def _value(value: Any) -> Any:
    """A score as Inspect's own metrics read it; other texts as they are."""
    if not isinstance(value, str):
        return score(value)
    if value in GRADES:
        return GRADES[value]
    if value.lower() in WORDS:
        return WORDS[value.lower()]
    try:
        return score(float(value))
    except ValueError:
        return value


def _settle_texts(columns: dict[str, list[Any]], outcomes: dict[str, Outcome], notes: _Notes) -> None:
    """A scorer gives scores or categories: a text among scores is no score."""
    for name in outcomes:
        texts = [value for value in columns[name] if isinstance(value, str)]
        numbers = sum(isinstance(value, float) for value in columns[name])
        if texts and numbers:
            columns[name] = [None if isinstance(value, str) else value for value in columns[name]]
            notes.said.append(
                f"{name}: {many(len(texts), 'text')} no score, such as {texts[0]!r:.40}: missing here, 0 in Inspect's own figures."
            )
