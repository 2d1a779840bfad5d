"""Which column is the prompt, the context, the response: what the evaluators read, else the usual names, else what is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas.api import types

from dfevals.explorers.state import TEXT_ROLES
from dfevals.roles.bound import Bound
from dfevals.words import visible

__all__ = ["Reader", "TextColumn", "answer_of", "has_texts", "readers", "text_columns"]

#: Usual names of columns, the likeliest first.
NAMES: Mapping[str, tuple[str, ...]] = {
    "prompt": (
        "prompt",
        "question",
        "query",
        "input",
        "instruction",
        "instructions",
        "user_input",
        "user_message",
        "request",
        "text",
    ),
    "context": (
        "context",
        "contexts",
        "passages",
        "passage",
        "documents",
        "document",
        "knowledge",
        "retrieved",
        "retrieved_contexts",
        "retrieved_documents",
        "evidence",
        "sources",
    ),
    "response": ("response", "answer", "output", "completion", "generation", "generated", "reply", "prediction"),
    "reference": ("reference", "ground_truth", "expected_answer", "expected_output", "gold", "target", "ideal"),
    "tool_calls": ("tool_calls", "function_calls", "tool_call", "function_call", "actions", "call"),
    "expected_tool_calls": ("expected_tool_calls", "expected_calls", "expected_actions", "gold_calls", "gold_actions"),
    "trajectory": ("trajectory", "messages", "conversation", "transcript", "steps", "trace", "turns"),
}
_ANSWER = "response|answer|output|completion|generation|reply"
_ONE_OF_MANY = re.compile(rf"(?:(?:{_ANSWER})[ _.-](?P<after>.+)|(?P<before>.+)[ _.-](?:{_ANSWER}))", re.IGNORECASE)
_NO_ANSWER = re.compile(
    r"(?:reason|error|spans|passed|score|label|type|kind|id|model|time|length|tokens|status|reference|expected|gold)s?"
)
_SAMPLE = 100
_LONG = 40  # characters that a text column has on average; shorter ones are labels


@dataclass(frozen=True, slots=True)
class Reader:
    """An evaluator that made columns of the frame: its name, how it was set, and the column of each role that it read."""

    name: str
    made_by: str
    columns: Mapping[str, str]

    @property
    def kind(self) -> str:
        """The class of the evaluator, or its column's name where nothing is told."""
        return self.made_by.split("(", 1)[0]


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column in a role, and how that is known."""

    column: str | None
    why: str


def readers(frame: pd.DataFrame) -> dict[str, Reader]:
    """The evaluators that annotated a frame, by the name of their columns."""
    try:
        written = json.loads(frame.attrs.get("dfevals_annotations", "{}"))
    except (TypeError, ValueError):
        return {}
    found = {}
    for name, entry in written.items() if isinstance(written, dict) else ():
        columns = entry.get("columns") if isinstance(entry, dict) else None
        if isinstance(columns, dict):
            read = {str(role): visible(column) for role, column in columns.items()}
            found[str(name)] = Reader(str(name), str(entry.get("evaluator", "")), read)
    return found


def text_columns(bound: Bound, columns: Mapping[str, int], told: Mapping[str, str | None]) -> dict[str, TextColumn]:
    """The column of every role that has one.

    Parameters
    ----------
    bound : Bound
        The evaluation's roles on its frame.
    columns : mapping
        Place of every column by the text it is shown as.
    told : mapping
        What the state says; None is no column.
    """
    found = {role: TextColumn(name, "chosen") for role, name in told.items()}
    free = {name for name, place in columns.items() if _may_be_text(bound.frame.iloc[:, place])}
    for role, column, why in (*_read(bound), *_named(bound, free)):
        if column in columns and role not in found and not _is_taken(role, column, found):
            found[role] = TextColumn(column, why)
    if not any(found.get(role) for role in ("prompt", "response", "trajectory", "tool_calls")):
        long = next((name for name in columns if name in free and _is_long(bound.frame.iloc[:, columns[name]])), None)
        if long is not None and "response" not in told:
            found["response"] = TextColumn(long, "the first column of long texts")
    return {role: found[role] for role in TEXT_ROLES if role in found}


def has_texts(bound: Bound, columns: Mapping[str, int]) -> bool:
    """Whether there is anything to read: outcomes of evaluators, or columns of texts."""
    return bool(bound.roles.outcomes) or bool(text_columns(bound, columns, {}))


def _is_taken(role: str, column: str, found: Mapping[str, TextColumn]) -> bool:
    """A column is shown once, but the same text may be read both as an answer and as calls."""
    apart = {"response", "tool_calls", "trajectory"}
    return any(one.column == column and not (role in apart and other in apart) for other, one in found.items())


def _read(bound: Bound) -> Iterator[tuple[str, str, str]]:
    """(role, column, why) of what the evaluators read; a second response is the other one."""
    shown = {outcome.column for outcome in bound.roles.outcomes}
    for name, reader in readers(bound.frame).items():
        if not shown & {name, f"{name}_passed"}:
            continue
        for role in TEXT_ROLES:
            if role in reader.columns:
                yield role, reader.columns[role], f"read by {name}"
                if role == "response":
                    yield "other", reader.columns[role], f"read by {name}"


def _named(bound: Bound, free: set[str]) -> Iterator[tuple[str, str, str]]:
    made = {f"{o.column}{end}" for o in bound.roles.outcomes for end in ("", "_reason", "_error", "_spans")}
    roles = bound.roles
    made |= {visible(name) for name in (roles.y_true, roles.model, roles.release) if name is not None}
    made |= {visible(name) for model in bound.models for name in model.columns}
    usable = sorted(free - made, key=list(map(visible, bound.frame.columns)).index)
    lowered = {name.lower(): name for name in reversed(usable)}
    for role, names in NAMES.items():
        for name in names:
            if name in lowered:
                yield role, lowered[name], "by its name"
    for name in usable:
        if _ONE_OF_MANY.fullmatch(name) and not _NO_ANSWER.fullmatch(answer_of(name).lower()):
            yield "response", name, "by its name"
            yield "other", name, "by its name"


def answer_of(name: str) -> str:
    """Whose answer a column of a wide frame is, as its name tells: "gpt4" of "response_gpt4".

    Examples
    --------
    >>> answer_of("response_gpt4"), answer_of("right_answer"), answer_of("response")
    ('gpt4', 'right', 'response')
    """
    match = _ONE_OF_MANY.fullmatch(name)
    return (match["after"] or match["before"]) if match else name


def _may_be_text(series: pd.Series) -> bool:
    """Whether a column may hold texts, lists or records; never numbers, truth values or times."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return types.is_string_dtype(series.cat.categories.dtype)
    if not (types.is_object_dtype(series.dtype) or types.is_string_dtype(series.dtype)):
        return False
    sample: Sequence[Any] = [v for v in series.iloc[:_SAMPLE].tolist() if isinstance(v, str | list | dict | tuple)]
    return bool(sample) or bool(series.iloc[:_SAMPLE].isna().all())


def _is_long(series: pd.Series) -> bool:
    sample = [len(v) for v in series.iloc[:_SAMPLE].tolist() if isinstance(v, str)]
    return bool(sample) and sum(sample) / len(sample) >= _LONG
